"""A terminal, through pyte: what stands on its screen and above it, and where the cursor is."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyte

_MOST_LINES = 100_000


@dataclass(frozen=True)
class TerminalView:
    """What a terminal shows. Lines are without the spaces at their ends.

    ``scrollback``: the lines that went off at the top; ``screen``: those that are seen, down to the
    last one with text. ``cursor``: its row and column on the screen, from 0.
    """

    scrollback: tuple[str, ...]
    screen: tuple[str, ...]
    cursor: tuple[int, int]
    cursor_hidden: bool = False

    @property
    def lines(self) -> tuple[str, ...]:
        """All lines, the oldest first."""
        return self.scrollback + self.screen


class TerminalStream(io.TextIOBase):
    """A text stream that is a terminal. What is written is worked on when it is looked at."""

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__()
        import pyte

        from streamtape.views.screen import Screen

        self._screen = Screen(columns, rows, history=_MOST_LINES)
        self._screen.set_mode(pyte.modes.LNM)  # as a terminal's driver makes CR LF of LF
        self._emulator = pyte.Stream(self._screen)
        self._written: list[str] = []

    encoding = "utf-8"

    def write(self, text: str) -> int:
        """Take *text* in."""
        self._written.append(text)
        return len(text)

    def writable(self) -> bool:
        """It is."""
        return True

    def isatty(self) -> bool:
        """It is."""
        return True

    def view(self) -> TerminalView:
        """What is shown by now."""
        self._emulator.feed("".join(self._written))
        self._written.clear()
        screen = self._screen
        rows = [_text(screen.buffer[row]) for row in range(screen.lines)]
        while rows and not rows[-1]:
            rows.pop()
        above = tuple(map(_text, screen.history.top))
        cursor = (screen.cursor.y, screen.cursor.x)
        return TerminalView(above, tuple(rows), cursor, bool(screen.cursor.hidden))


@dataclass
class Terminal:
    """The handle: ``stream`` is the terminal, ``renderer`` what writes to it."""

    stream: TerminalStream
    renderer: Any = None


def terminal(  # noqa: PLR0913 - a renderer has as many parts, all but one of them named
    feed: Callable[[Any, str], Any] | None = None,
    *,
    feed_full: Callable[[Any, str], Any] | None = None,
    open: Callable[[TerminalStream], Any] | None = None,  # noqa: A002 - as check_renderer has it
    close: Callable[[Any], Any] | None = None,
    columns: int = 80,
    rows: int = 24,
) -> dict[str, Any]:
    """The arguments for what writes to a terminal of *columns* and *rows*. Needs pyte.

    ``open(stream)`` makes the renderer, which writes to the text stream that it is given; a context
    manager is entered. Without *open* the stream itself is the renderer. ``feed(renderer, piece)``,
    ``feed_full(renderer, so_far)`` and ``close(renderer)`` are as in `check_renderer`.

    The view is a `TerminalView`. Raises ValueError unless there is one way to feed.
    """
    if (feed is None) == (feed_full is None):
        raise ValueError("give either feed= (one piece) or feed_full= (all that came so far)")
    takes = feed_full if feed is None else feed
    assert takes is not None

    @contextmanager
    def opened() -> Iterator[Terminal]:
        handle = Terminal(TerminalStream(columns, rows))
        made = handle.stream if open is None else open(handle.stream)
        with ExitStack() as left:
            ends_itself = open is not None and isinstance(made, AbstractContextManager)
            if ends_itself:
                made = left.enter_context(made)
            handle.renderer = made
            try:
                yield handle
            except BaseException:
                if close is not None and not ends_itself:  # as a program's `finally` would
                    close(made)
                raise

    arguments = {
        "open": opened,
        "feed" if feed_full is None else "feed_full": lambda handle, text: takes(
            handle.renderer, text
        ),
        "view": lambda handle: handle.stream.view(),
    }
    if close is not None:
        arguments["close"] = lambda handle: close(handle.renderer)
    return arguments


def _text(row: Mapping[int, pyte.screens.Char]) -> str:
    """The text of a line, whose cells are there as far as they were written.

    A wide character is followed by an empty cell.
    """
    return "".join([row[column].data for column in range(max(row, default=-1) + 1)]).rstrip()
