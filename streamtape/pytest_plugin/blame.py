"""What is said under a failure that a delivery is to blame for."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from streamtape.report.cuts import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest

    from streamtape.delivery import Delivery
    from streamtape.tape import Tape

TITLE = "streamtape"

CANNOT_BE_RERUN = """\
streamtape: passes, and fails when it is run again as recorded
  No delivery is to blame: the test can't be re-run. Something outlives its set-up and tear-down (a
  fixture of wider scope, a module's variable, a file), or it depends on time or chance. Mend that,
  or leave the test alone with @pytest.mark.streamtape(fuzz=False)."""


def blamed(delivery: Delivery, tapes: Sequence[Tape], nodeid: str) -> str:
    """How *delivery* makes the test *nodeid* fail, and how to see it again."""
    how = (
        "the same events are written differently"
        if delivery.rewrites
        else "the same bytes arrive differently"
    )
    lines = [f"streamtape: passes as recorded, fails when {how}", f"  {delivery!r}"]
    lines += [f"  {line}" for tape in tapes for line in explain(delivery, tape)]
    lines.append(f"  again: {command(nodeid, delivery)}")
    return "\n".join(dict.fromkeys(lines))  # two tapes may have the same to say


def unstable(delivery: Delivery, nodeid: str) -> str:
    """What is said where the test *nodeid* failed once under *delivery*, and then didn't."""
    return (
        "streamtape: failed once, and passed when it was run again in the same way\n"
        f"  {delivery!r}\n"
        "  That may not be to blame: the test, or what it uses, depends on time or chance.\n"
        f"  again: {command(nodeid, delivery)}"
    )


def command(nodeid: str, delivery: Delivery) -> str:
    """The command that runs the test *nodeid* once, under *delivery*."""
    return f"pytest {_in_double_quotes(nodeid)} --streamtape-delivery={_quoted(repr(delivery))}"


def nodeid_here(item: pytest.Item) -> str:
    """The node id of *item* as one types it where pytest was started."""
    config = item.config
    file, separator, inside = item.nodeid.partition("::")
    with suppress(ValueError):  # two drives of Windows
        file = os.path.relpath(config.rootpath / file, config.invocation_params.dir)
    return f"{Path(file).as_posix()}{separator}{inside}"


def attach(report: pytest.TestReport, text: str) -> None:
    """Put *text* under the traceback of *report*."""
    add: Callable[[str, str], None] | None = getattr(report.longrepr, "addsection", None)
    if add is not None:
        add(TITLE, text)
    else:
        report.longrepr = f"{report.longrepr}\n\n{text}"


def _quoted(text: str) -> str:
    return _in_double_quotes(text) if "'" in text else shlex.quote(text)


def _in_double_quotes(text: str) -> str:
    """As people write it, where a shell takes that as it is."""
    return shlex.quote(text) if set('"$`\\!') & set(text) else f'"{text}"'
