"""Ways in which plain code leaves a stream: between two items, and out of the read itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from streamtape.checks.stopping.leftovers import Left, let_go
from streamtape.clock import SteppedClock, plain_clock

BETWEEN_ITEMS = ("break", "close")
INSIDE = ("interrupt", "timeout")


class Strike:
    """What stops a read from inside, once: as a handler of Ctrl-C or of an alarm does.

    Only in the thread that made it, as handlers run in one thread only.
    """

    def __init__(self, way: str) -> None:
        self.error: BaseException = (
            KeyboardInterrupt() if way == "interrupt" else TimeoutError("stopped by the check")
        )
        self.armed = False
        self.struck = False
        self._thread = threading.get_ident()

    def __call__(self) -> None:
        """Raise ``error``, if it is ``armed``; never again."""
        if self.armed and threading.get_ident() == self._thread:
            self.armed = False
            self.struck = True
            raise self.error

    def caused(self, error: BaseException) -> bool:
        """Whether *error* is what it raised, or what a client makes of that."""
        if isinstance(self.error, KeyboardInterrupt):
            return isinstance(error, KeyboardInterrupt)
        if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
            return True
        came_of = [error.__cause__, *error.args]
        return any(isinstance(each, BaseException) and self.caused(each) for each in came_of)


class StrikingClock(SteppedClock):
    """A clock that stands still at *due_ns*, in the middle of a wait, and lets *strike* stop it."""

    def __init__(self, strike: Strike, due_ns: int) -> None:
        super().__init__()
        self._strike = strike
        self._due_ns = due_ns

    def sleep_ns(self, duration_ns: int) -> None:
        """Step by *duration_ns*, unless that goes beyond the time at which to strike."""
        until_ns = max(self._due_ns - self.now_ns(), 0)
        if self._strike.armed and duration_ns >= until_ns:
            super().sleep_ns(until_ns)
            self._strike()
            duration_ns -= until_ns  # another thread than the one to stop
        super().sleep_ns(duration_ns)


def stop_between(run: Callable[[], Any], at: float, way: str, left: Left) -> None:
    """Leave after the item that is due: break, close, or an interrupt while the consumer works."""
    generator = run()
    now = plain_clock().now_ns
    started = now()
    try:
        for item in generator:
            left.items.append(item)
            passed_ns = now() - started
            if passed_ns >= at * 1e9 if isinstance(at, float) else len(left.items) == at:
                left.struck = True
                break
        if not left.struck:
            return
        if way == "close":
            generator.close()
        elif way == "interrupt":
            generator.throw(KeyboardInterrupt())
            left.swallowed = True
    except KeyboardInterrupt:
        if way != "interrupt" or not left.struck:
            raise
    except StopIteration:
        left.swallowed = True
    except Exception as exc:  # noqa: BLE001 - whatever stopping raises is told
        left.error = let_go(exc)
    del generator


def stop_inside(run: Callable[[], Any], at: float, strike: Strike, left: Left, most: int) -> None:
    """Let *strike* stop it in a read: after *at* items, or when its clock says so.

    One that goes on gives up to *most* items.
    """
    generator = run()
    strike.armed = isinstance(at, float)
    ended = True
    try:
        for item in generator:
            left.items.append(item)
            if len(left.items) == at and not strike.struck:
                strike.armed = True
            if len(left.items) > most:
                break
    except BaseException as exc:
        ended = False
        let_go(exc)
        if not strike.struck and not isinstance(exc, Exception):
            raise  # the user's own
        if not strike.struck or not strike.caused(exc):
            left.error = exc
    finally:
        strike.armed = False
    left.struck = strike.struck
    left.swallowed = strike.struck and ended
    del generator
