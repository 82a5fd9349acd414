"""Virtual time for plain code: a clock that stands still until somebody moves it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from streamtape.clock.running import Clock, SystemClock, VirtualClockError

_open: list[SteppedClock] = []
_SYSTEM = SystemClock()


class SteppedClock:
    """A clock that players move: whoever would wait steps it, and goes on at once.

    Time passes only where somebody waits, so a program without threads sees the exact times of the
    tape. Threads that wait at once each step it, so that their waits add up: use one, or asyncio.
    """

    virtual = True

    def __init__(self) -> None:
        self._now_ns = 0
        self._lock = threading.Lock()
        self._watchers: list[Callable[[int], object]] = []

    def now_ns(self) -> int:
        """Nanoseconds that were waited for so far."""
        return self._now_ns

    def sleep_ns(self, duration_ns: int) -> None:
        """Step by *duration_ns*; nobody waits."""
        with self._lock:
            self._now_ns += max(duration_ns, 0)
        for watcher in tuple(self._watchers):
            watcher(max(duration_ns, 0))

    @contextmanager
    def watched(self, watcher: Callable[[int], object]) -> Iterator[None]:
        """*watcher* is told of each step inside the block, in nanoseconds."""
        self._watchers.append(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Players of plain code wait on this clock inside the block, in every thread."""
        _open.append(self)
        try:
            yield
        finally:
            _open.remove(self)


def plain_clock(*, virtual: bool = False) -> Clock:
    """The clock on which plain code waits here: the `SteppedClock` in force, or the system's.

    Raises `VirtualClockError` where that is real and *virtual* insists.
    """
    if _open:
        return _open[-1]
    if virtual:
        raise VirtualClockError(
            "pace='virtual', but plain code waits on the system's clock here. Ask for the fixture"
            " stream_clock, whose clock the player moves, or take pace='recorded'"
        )
    return _SYSTEM
