"""How long something may be tried: in CPU time, which a busy machine does not shorten."""

from __future__ import annotations

import time

from streamtape.clock import now_ns

_WALL = 4
"""So many times the CPU time may pass on the wall: on a busy machine, or where it is waited."""


class Budget:
    """*seconds* of this process's CPU time, and four times that in all."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._spent = self._began = _read()

    @property
    def is_left(self) -> bool:
        """Whether there is any left."""
        return self.has_room(0)

    def has_room(self, times: float) -> bool:
        """Whether *times* what was spent since this was last asked can be spent too."""
        now = _read()
        more = [times * (one - other) for one, other in zip(now, self._spent, strict=True)]
        self._spent = now
        used = [one - other for one, other in zip(now, self._began, strict=True)]
        room = self._seconds, _WALL * self._seconds
        return all(one + other < most for one, other, most in zip(used, more, room, strict=True))


def _read() -> tuple[float, float]:
    return time.process_time(), now_ns() / 1e9
