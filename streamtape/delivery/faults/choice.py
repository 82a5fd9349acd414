"""Which faults are worth trying on a tape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from streamtape.delivery.faults.anatomy import Anatomy, anatomy, is_json
from streamtape.delivery.faults.endings import (
    end_after,
    end_inside,
    no_last_blank_line,
    no_terminal,
    not_terminated,
    read_timeout_after,
    reset_after,
    stall,
)
from streamtape.delivery.faults.events import (
    broken_json,
    duplicated,
    glued,
    invalid_utf8,
    lost,
    swapped,
)
from streamtape.delivery.faults.idle import idle_cut
from streamtape.delivery.faults.insertions import (
    empty_event,
    error_event,
    keepalive_data,
    unknown_event,
)
from streamtape.delivery.faults.responses import first_attempt, reconnect, status, wrong_body

if TYPE_CHECKING:
    from streamtape.delivery.change import Fault
    from streamtape.tape import Tape

_HOUR = 3600.0
"""Longer than the read timeout of any client that has one."""


def every(tape: Tape) -> tuple[Fault, ...]:
    """Faults of every kind, at the beginning, in the middle and at the end of *tape*.

    Only those that change it, and of those that come to the same only one; the likeliest to hurt
    come first. Linear in the length of the tape.
    """
    unchanged = _told([tape])
    seen = {unchanged}
    found = []
    for fault in chain(_candidates(anatomy(tape)), (idle_cut(),)):
        told = _told(fault.attempts(tape))
        if told not in seen:
            seen.add(told)
            found.append(fault)
    return tuple(found)


def _told(attempts: Iterable[Tape]) -> int:
    """A number that tells what a client gets apart from what else it could get."""
    return hash(
        tuple(
            (
                tape.status,
                tuple(tape.headers),
                tape.chunks,
                tape.ending.kind.replace("closed", "eof"),
                tape.ending.error,
            )
            for tape in attempts
        )
    )


def _candidates(body: Anatomy) -> Iterator[Fault]:
    total = len(body.events)
    if not total:
        yield from _responses()
        return
    tokens = [
        k
        for k, one in enumerate(body.events, 1)
        if body.provider is not None and body.provider.carries_token(one.event)
    ] or [k for k, one in enumerate(body.events, 1) if is_json(one.event)]
    tokens = tokens or list(range(1, total + 1))
    struck = _spread(tokens)
    middle, first, last = (*struck, struck[0], struck[0])[:3]
    before_end = (body.terminals[0] if body.terminals else total) - 1
    places = list(dict.fromkeys((middle, 0, before_end, total)))
    # The second event is often the one that the later ones build upon.
    struck = list(dict.fromkeys((middle, 1, 2, first, last, total)))
    yield from (keepalive_data(middle), broken_json(middle), end_after(middle))
    yield from (empty_event(middle), error_event(middle), duplicated(middle), glued(middle))
    yield from (no_last_blank_line(), error_event(middle, "data"), unknown_event(middle))
    yield from (invalid_utf8(middle), end_inside(middle), error_event(middle, "bare"))
    yield from (error_event(middle, "event"), wrong_body(), reset_after(middle), glued(2))
    yield from (no_terminal(), status(), wrong_body("json"), not_terminated(middle))
    yield from _glued_at_a_line_end(body, (2, middle))
    yield from (not_terminated(0), read_timeout_after(middle), read_timeout_after(0))
    for k in places:
        yield from (end_after(k), reset_after(k), error_event(k))
        yield from (keepalive_data(k), empty_event(k), unknown_event(k))
    for k in struck:
        yield from (broken_json(k), glued(k), end_inside(k), duplicated(k), invalid_utf8(k))
        yield from (lost(k), swapped(k))
    yield from _responses()
    yield from (first_attempt(reset_after(k)) for k in (middle, 0))
    yield from (first_attempt(broken) for broken in (end_after(middle), error_event(middle)))
    yield from (
        stall(middle),
        stall(middle, keepalives=True),
        stall(middle, _HOUR),
        stall(1, _HOUR),
    )
    if body.at(middle).event.last_event_id:  # without one nobody can ask for the rest
        yield from (reconnect(middle, then) for then in ("resume", "all", "skip", "204"))


def _responses() -> Iterator[Fault]:
    yield from (status(code) for code in (429, 503, 529))
    yield status(429, content_type="text/event-stream")
    yield from (wrong_body("html"), wrong_body("json"), first_attempt(status()))
    yield from (reset_after(0), read_timeout_after(0), end_after(0))


def _spread(numbers: list[int]) -> list[int]:
    """The middle one of *numbers*, the first and the last."""
    return list(dict.fromkeys((numbers[len(numbers) // 2], numbers[0], numbers[-1])))


def _glued_at_a_line_end(body: Anatomy, ks: Iterable[int]) -> Iterator[Fault]:
    """Where an event has more than one line: only the first of them comes."""
    for k in ks:
        placed = body.at(body.clamped(k))
        frame = body.frames[placed.frame]
        first_line = frame.find(body.line_end) + len(body.line_end)
        if body.framing == "sse" and frame[first_line:].strip(b"\r\n"):
            yield glued(k, first_line)
