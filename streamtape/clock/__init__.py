"""Real and virtual time: for asyncio and trio the running loop's, for plain code a clock to step.

A player waits on one of these clocks and on nothing else. Under a loop whose time is virtual
(looptime's, trio's ``MockClock``) a tape of ten minutes plays in no time, and every timeout fires
at its exact moment. Plain code has no loop: there the player moves a `SteppedClock`.
"""

from __future__ import annotations

from streamtape.clock.running import (
    Clock,
    LoopClock,
    SystemClock,
    VirtualClockError,
    VirtualLoopClock,
    loop_is_virtual,
    now_ns,
)
from streamtape.clock.stepped import SteppedClock, plain_clock

__all__ = [
    "Clock",
    "LoopClock",
    "SteppedClock",
    "SystemClock",
    "VirtualClockError",
    "VirtualLoopClock",
    "loop_is_virtual",
    "now_ns",
    "plain_clock",
]
