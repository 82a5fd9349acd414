"""Clocks that run by themselves: the machine's, and the running event loop's."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Protocol

now_ns = time.perf_counter_ns
"""Nanoseconds on a clock that never goes back; only differences mean anything."""

# Bound before anything (freezegun, say) puts another clock in their place.
_monotonic = time.monotonic
_sleep = time.sleep


class VirtualClockError(RuntimeError):
    """Time that was to be virtual is real here, or what happens here can't be in virtual time."""


class Clock(Protocol):
    """What a player of plain code waits on."""

    def now_ns(self) -> int:
        """Nanoseconds since some fixed moment."""
        ...

    def sleep_ns(self, duration_ns: int) -> None:
        """Let *duration_ns* nanoseconds pass."""
        ...


class SystemClock:
    """The machine's monotonic clock, and `time.sleep`."""

    virtual = False

    def now_ns(self) -> int:
        """Nanoseconds since some fixed moment."""
        return now_ns()

    def sleep_ns(self, duration_ns: int) -> None:
        """Let *duration_ns* nanoseconds pass."""
        _sleep(duration_ns / 1e9)


class LoopClock:
    """The clock of the running asyncio or trio loop, real or virtual, through anyio."""

    def __init__(self) -> None:
        import anyio

        self._anyio = anyio

    def now_ns(self) -> int:
        """Nanoseconds since some fixed moment of this loop."""
        return round(self._anyio.current_time() * 1e9)

    async def sleep_ns(self, duration_ns: int) -> None:
        """Let *duration_ns* nanoseconds of the loop pass; with 0, just let other tasks run."""
        await self._anyio.sleep(max(duration_ns, 0) / 1e9)


class VirtualLoopClock(LoopClock):
    """The clock of the running loop, where that is virtual.

    Making one raises `VirtualClockError` under a loop whose time is real, and RuntimeError where no
    loop runs.
    """

    def __init__(self) -> None:
        super().__init__()
        if not loop_is_virtual():
            raise VirtualClockError(f"pace='virtual', but {REAL_LOOP}")

    async def sleep_ns(self, duration_ns: int) -> None:
        """Let *duration_ns* nanoseconds of the loop pass.

        Raises `VirtualClockError` where a thread of trio's is at work: trio's clock jumps while it
        is, so any time would be wrong.
        """
        trio = sys.modules.get("trio")
        if duration_ns > 0 and trio is not None and trio.lowlevel.in_trio_run():
            at_work = trio.to_thread.current_default_thread_limiter().borrowed_tokens
            if at_work:
                raise VirtualClockError(
                    f"{at_work} of trio's threads at work under a virtual clock, which jumps while"
                    " they are: every time would be wrong. Await them before the stream is read, or"
                    " do their work without a thread"
                )
        await super().sleep_ns(duration_ns)


REAL_LOOP = (
    "the time of this event loop is real. Run the test under a virtual one: with pytest-asyncio"
    " @pytest.mark.looptime (of looptime), with pytest-trio the fixture autojump_clock, with anyio"
    " an anyio_backend with looptime's loop_factory or trio.testing.MockClock(autojump_threshold=0)"
)


def loop_is_virtual() -> bool:
    """Whether the time of the loop that runs here is its own, and not the machine's.

    Asks asyncio's loop for its time and looks whether that is the monotonic clock's, as every real
    loop's is. uvloop's is too, but read once for each round of the loop. Of trio's clocks all but
    the system's are virtual.

    Raises RuntimeError where no loop runs.
    """
    trio_lowlevel = sys.modules.get("trio.lowlevel")
    if trio_lowlevel is not None and trio_lowlevel.in_trio_run():
        return bool(type(trio_lowlevel.current_clock()).__name__ != "SystemClock")
    loop = asyncio.get_running_loop()
    if type(loop).__module__.partition(".")[0] in {"uvloop", "winloop"}:
        return False
    before = _monotonic()
    own = loop.time()
    return not before <= own <= _monotonic()
