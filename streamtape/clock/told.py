"""What time it is for the code under test: the fixture ``stream_clock``."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Self

from streamtape.clock.running import REAL_LOOP, LoopClock, VirtualClockError, loop_is_virtual
from streamtape.clock.stepped import SteppedClock

if TYPE_CHECKING:
    from types import TracebackType


class StreamClock:
    """The clock that players wait on here, told in seconds.

    In plain code that is a `SteppedClock` of its own, which begins at 0 and is in force inside the
    block; under a virtual event loop it is the loop's, which the code under test reads too.
    """

    def __init__(self) -> None:
        self._stepped = SteppedClock()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self._stepped.running())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def now(self) -> float:
        """Seconds of virtual time: the running loop's own, or those that plain code waited for.

        Raises `VirtualClockError` under a loop whose time is real.
        """
        if not _in_loop():
            return self._stepped.now_ns() / 1e9
        if not loop_is_virtual():
            raise VirtualClockError(f"there is no virtual time to tell: {REAL_LOOP}")
        return LoopClock().now_ns() / 1e9

    def sleep(self, seconds: float) -> None:
        """Let *seconds* pass in plain code, as the code under test would by waiting.

        Raises `VirtualClockError` inside an event loop: await the loop's own sleep there.
        """
        if _in_loop():
            raise VirtualClockError(
                "stream_clock.sleep() steps the clock of plain code, and this is a coroutine: await"
                " asyncio.sleep(), trio.sleep() or anyio.sleep() in its place"
            )
        self._stepped.sleep_ns(round(seconds * 1e9))

    def bridge(self) -> AbstractContextManager[None]:
        """Inside the block `time` and `datetime` tell this clock's time, and `time.sleep` steps it.

        For plain code that reads the time or sleeps between retries, as the SDKs do. Needs
        freezegun (the extra ``clock``).
        """
        from streamtape.clock.bridge import bridged

        return bridged(self._stepped)


def _in_loop() -> bool:
    trio_lowlevel = sys.modules.get("trio.lowlevel")
    if trio_lowlevel is not None and trio_lowlevel.in_trio_run():
        return True
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
