"""What a client of a server waits for when recorded times don't count: a fault's own silence."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from streamtape.delivery.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamtape.delivery import Delivery
    from streamtape.tape import Tape

_NO_TIME = Pace(max_gap=0.0)


def attempts(delivery: Delivery, tape: Tape) -> tuple[Tape, ...]:
    """As `Delivery.attempts`. At the pace ``"instant"`` with the times that the fault makes.

    A client in process is told of a stall by the tape's time; one behind a socket has to live
    through it. The recorded times are 0 then. So are all where they decide what the fault does
    (`idle_cut`).
    """
    delivered = delivery.attempts(tape)
    if delivery.waits:
        return delivered
    if delivery.fault is None:
        return tuple(map(_NO_TIME.apply, delivered))
    timeless = delivery.fault.attempts(_NO_TIME.apply(replace(delivery, fault=None).apply(tape)))
    if [_bytes(one) for one in timeless] == [_bytes(one) for one in delivered]:
        return timeless
    return tuple(map(_NO_TIME.apply, delivered))


def pauses(tape: Tape) -> Iterator[int]:
    """How long nothing comes before the head, each chunk and the end of *tape*, in nanoseconds."""
    head_ns = [] if tape.head_ns is None else [tape.head_ns]
    times = [0, *head_ns, *(chunk.at_ns for chunk in tape.chunks), tape.ending.at_ns]
    return (max(later - earlier, 0) for earlier, later in pairwise(times))


def _bytes(tape: Tape) -> tuple[object, ...]:
    """What a client gets, whenever."""
    pieces = [chunk.data for chunk in tape.chunks]
    return tape.status, pieces, tape.ending.kind, tape.ending.error
