"""Real time for plain code, and the running event loop's time for asyncio and trio."""

from __future__ import annotations

import time

now_ns = time.perf_counter_ns
"""Nanoseconds on a clock that never goes back; only differences mean anything."""


class SystemClock:
    """The machine's monotonic clock, and `time.sleep`."""

    def now_ns(self) -> int:
        """Nanoseconds since some fixed moment."""
        return now_ns()

    def sleep_ns(self, duration_ns: int) -> None:
        """Let *duration_ns* nanoseconds pass."""
        time.sleep(duration_ns / 1e9)


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
