"""What stands between server and client loses patience."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from streamtape.delivery.arguments import number
from streamtape.delivery.change import fault
from streamtape.delivery.faults.anatomy import OK, anatomy, cut_off, told
from streamtape.delivery.faults.endings import NOT_TERMINATED
from streamtape.delivery.faults.responses import status

if TYPE_CHECKING:
    from streamtape.delivery.change import Allowed, Fault
    from streamtape.tape import Tape


def _cut(tape: Tape, fault: Fault) -> Allowed:
    seconds = fault.given["seconds"]
    assert isinstance(seconds, (int, float))
    found = _silence(tape, seconds)
    if found is None:
        return OK
    offset, _ = found
    body = anatomy(tape)
    return told(tape, sum(body.end_of(k) <= offset for k in range(1, len(body.events) + 1)))


@fault(
    "the connection is cut where nothing comes for {seconds:g} s",
    _cut,
    seconds=number("a number of seconds", above=0),
)
def idle_cut(tape: Tape, seconds: float = 60.0) -> Tape:
    """A proxy closes a connection on which nothing came for longer than *seconds*.

    60 s is what nginx (``proxy_read_timeout``) and AWS load balancers (idle timeout) wait by
    default. Before the response's head it answers 504 (RFC 9110, 15.6.5); after it, the end of the
    chunked coding never comes: a protocol error. A tape without such a silence comes back as it
    is, so `stall` or a pace of more than 1 may be needed beside it.
    """
    limit_ns = round(seconds * 1e9)
    found = _silence(tape, seconds)
    if found is None:
        return tape
    offset, since_ns = found
    if tape.head_ns is None or tape.head_ns > limit_ns:
        return status(504).apply(replace(tape, head_ns=limit_ns))
    cut = cut_off(tape, offset, "error", "protocol", NOT_TERMINATED)
    return replace(cut, ending=replace(cut.ending, at_ns=since_ns + limit_ns))


def _silence(tape: Tape, seconds: float) -> tuple[int, int] | None:
    """How much of the body came before nothing did for longer than *seconds*, and since when."""
    limit_ns = round(seconds * 1e9)
    offset = since_ns = 0
    for at_ns, size, late in _arrivals(tape):
        if at_ns - since_ns > limit_ns and not late:
            return offset, since_ns
        offset, since_ns = offset + size, at_ns
    return None


def _arrivals(tape: Tape) -> Iterator[tuple[int, int, bool]]:
    """When something came, how many bytes of the body, and whether they may have lain waiting."""
    if tape.head_ns is not None:
        yield tape.head_ns, 0, False
    for chunk in tape.chunks:
        yield chunk.at_ns, len(chunk.data), chunk.late
    ending = tape.ending
    yield ending.at_ns, 0, ending.late or ending.kind in {"closed", "unfinished"}
