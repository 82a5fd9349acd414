"""A stepped clock for code that reads `time` or sleeps: freezegun's clock, moved in step.

freezegun stands in for `time.time`, `time.monotonic`, `datetime.now` and the others wherever they
were imported; it leaves `time.sleep` real, which stands here.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamtape.clock.stepped import SteppedClock

_sleep = time.sleep


@contextmanager
def bridged(clock: SteppedClock) -> Iterator[None]:
    """The functions of `time` and `datetime` tell the time of *clock*; `time.sleep` steps it.

    For plain code only: an asyncio loop that runs inside would wait for ever for a time that stands
    still.

    Raises ModuleNotFoundError where freezegun isn't installed.
    """
    try:
        freezegun = importlib.import_module("freezegun")
    except ModuleNotFoundError as exc:
        raise ModuleNotFoundError(
            "stream_clock.bridge() needs freezegun, which is not installed, so code that reads the"
            " time would read the real one. Install it: pip install 'pytest-streamtape[clock]'",
            name="freezegun",
        ) from exc

    def sleep(seconds: float) -> None:
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        clock.sleep_ns(round(seconds * 1e9))

    with ExitStack() as stack:
        frozen = stack.enter_context(freezegun.freeze_time(_now(), ignore=_LOOPS))
        # In microseconds, as datetime counts, with what is left over kept for the next step.
        told_us = 0
        started_ns = clock.now_ns()

        def tick(_: int) -> None:
            nonlocal told_us
            due_us = (clock.now_ns() - started_ns) // 1_000
            if due_us > told_us:
                frozen.tick(timedelta(microseconds=due_us - told_us))
                told_us = due_us

        stack.enter_context(clock.watched(tick))
        stack.enter_context(_in_place_of(_sleep, sleep))
        yield


# freezegun leaves these modules the real time: an event loop in another thread must go on.
_LOOPS = ["asyncio", "trio", "anyio", "streamtape.clock"]


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())


@contextmanager
def _in_place_of(real: object, other: object) -> Iterator[None]:
    """*other* under every name in every module that was *real*."""
    with ExitStack() as stack:
        for module in list(sys.modules.values()):
            if getattr(module, "__name__", "").startswith("streamtape.clock"):
                continue
            names = vars(module) if hasattr(module, "__dict__") else {}
            for name, value in list(names.items()):
                if value is real:
                    stack.callback(setattr, module, name, real)
                    setattr(module, name, other)
        yield
