"""A text that appears token by token, with the clock beside it and the gaps below."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from rich.text import Text

from streamtape.clock import now_ns
from streamtape.report.printable import one_line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

_CLOCK = 9
_BARS = "▁▂▃▄▅▆▇█"
_BAR_NS = 20_000_000
"""How much more gap makes a bar one step higher."""


class Rhythm:
    """Something for rich to print again and again while `add` is called."""

    def __init__(self) -> None:
        self._text = ""
        self._starts: list[int] = []
        self._times_ns: list[int] = []
        self._started_ns = 0
        self._stopped_ns: int | None = None

    @property
    def now_ns(self) -> int:
        """Nanoseconds since `start`, until `stop`."""
        return (self._stopped_ns or now_ns()) - self._started_ns

    def start(self) -> None:
        """The clock runs from here."""
        self._started_ns = now_ns()

    def stop(self) -> None:
        """The clock stands."""
        self._stopped_ns = now_ns()

    def add(self, token: str) -> None:
        """One more token of the text has come."""
        if token:
            self._times_ns.append(self.now_ns)
            self._starts.append(len(self._text))
            self._text += one_line(token)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The text, each line with the time of its first token; then the clock and the gaps."""
        room = max(options.max_width - _CLOCK - len(" │ "), 1)
        yield from self._lines(console, room)
        clock = f"{self._clock(self.now_ns)} │ "
        yield Text.assemble((clock, "cyan"), (self._gaps(room), "green"))

    def _lines(self, console: Console, room: int) -> list[Text]:
        # The text may grow while this runs, but what was there stays.
        text = self._text
        if not text:
            return []
        lines = []
        at = 0
        for line in Text(text).wrap(console, room):
            at = text.index(line.plain.strip(), at) if line.plain.strip() else at
            token = bisect_right(self._starts, at) - 1
            clock = f"{self._clock(self._times_ns[token])} │ "
            lines.append(Text.assemble((clock, "dim"), line.plain.rstrip()))
            at += len(line.plain.rstrip())
        return lines

    def _gaps(self, room: int) -> str:
        times = self._times_ns[:]
        gaps = [after - before for before, after in zip([0, *times], times, strict=False)][-room:]
        return "".join(_BARS[min(gap // _BAR_NS, len(_BARS) - 1)] for gap in gaps)

    def _clock(self, at_ns: int) -> str:
        return f"{at_ns / 1e9:>{_CLOCK - 2}.2f} s"
