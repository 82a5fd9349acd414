"""Where the commands write to, and how they end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

TROUBLE = 2
INTERRUPTED = 130
BROKEN_PIPE = 141
"""Exit statuses: something is wrong with what was asked for, Ctrl-C, and nobody reads the output.
The last two are what a shell says of a program that died of the signal."""


def console(*, colour: bool) -> Console:
    """Standard output. Colours only on a terminal; ``NO_COLOR`` is heeded.

    Writing raises BrokenPipeError where nobody reads, so that a command can tidy up.
    """
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            raise  # noqa: PLE0704  # called where the exception is handled

    # A pipe's encoding may lack what the tables are drawn with.
    if hasattr(sys.stdout, "reconfigure") and (sys.stdout.encoding or "").lower() != "utf-8":
        sys.stdout.reconfigure(errors="replace")
    return Output(
        file=sys.stdout, color_system="auto" if colour else None, highlight=False, emoji=False
    )


def tell(message: str) -> None:
    """One line on standard error."""
    from streamtape.report.printable import one_line

    line = f"streamtape: {one_line(message)}\n"
    encoding = sys.stderr.encoding or "utf-8"
    sys.stderr.write(line.encode(encoding, "backslashreplace").decode(encoding))
    sys.stderr.flush()
