"""rich's ``Live``: a terminal in which a display is drawn anew for each piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, cast

from streamtape.views.terminal import TerminalStream, terminal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live


def rich_live(
    render: Callable[[str], Any],
    *,
    live: Callable[[Console], Live] | None = None,
    columns: int = 80,
    rows: int = 24,
) -> dict[str, Any]:
    """The arguments for a `rich.live.Live` that shows ``render(text so far)``. Needs rich and pyte.

    ``live(console)`` makes the display, on a console that is a terminal of *columns* and *rows*;
    without it that is ``Live(console=console, auto_refresh=False)``. Each piece refreshes it. The
    view is a `TerminalView`.

    A display that refreshes itself is refused with ValueError when it is opened: a thread then
    decides by the clock which pieces are shown, so no two runs see the same.
    """

    def opened(stream: TerminalStream) -> Live:
        from rich.console import Console
        from rich.live import Live

        file = cast("IO[str]", stream)
        console = Console(
            file=file, force_terminal=True, width=columns, height=rows, color_system=None
        )
        made = Live(console=console, auto_refresh=False) if live is None else live(console)
        if made.auto_refresh:
            raise ValueError(
                "this Live refreshes itself, in a thread and by the clock, so what it shows is"
                " another thing in each run. Make it with auto_refresh=False"
            )
        return made

    return terminal(
        feed_full=lambda live, text: live.update(render(text), refresh=True),
        open=opened,
        close=lambda live: live.stop(),
        columns=columns,
        rows=rows,
    )
