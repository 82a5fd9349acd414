"""Streams that end too early, break, or fall silent."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from streamtape.delivery.arguments import BEFORE, EVENT, FLAG, number, optional, whole
from streamtape.delivery.change import fault
from streamtape.delivery.faults.anatomy import (
    OK,
    PART,
    Anatomy,
    anatomy,
    cut_off,
    retold,
    settled,
    split,
    told,
    untold,
)
from streamtape.tape import Chunk

if TYPE_CHECKING:
    from streamtape.delivery.change import Allowed, Fault
    from streamtape.tape import Tape

RESET = "[Errno 104] Connection reset by peer"
NOT_TERMINATED = (
    "peer closed connection without sending complete message body (incomplete chunked read)"
)
TIMED_OUT = "The read operation timed out"
"""What httpcore, h11 and ssl say then."""

KEEPALIVE_SECONDS = 15
"""The gap that the WHATWG standard advises between two comments that keep a stream alive."""

_LAST_BLANK_LINES = re.compile(rb"(\r\n|\r(?!\n)|\n)(?:\r\n|\r|\n)+\Z")
_LAST_LINE_END = re.compile(rb"\r?\n\Z")


def _k(fault: Fault) -> int:
    k = fault.given["k"]
    assert isinstance(k, int)
    return k


def _told(tape: Tape, fault: Fault) -> Allowed:
    return told(tape, _k(fault))


def _untold(tape: Tape, fault: Fault) -> Allowed:
    return untold(tape, _k(fault))


@fault("the stream ends, as a whole one does, after event {k}", _untold, k=BEFORE)
def end_after(tape: Tape, k: int) -> Tape:
    """The server ends the stream properly, but after event *k*."""
    body = anatomy(tape)
    return cut_off(tape, body.end_of(body.clamped(k)))


def _inside(tape: Tape, fault: Fault) -> Allowed:
    return untold(tape, _k(fault) - 1)


@fault(
    "the stream ends inside event {k}",
    _inside,
    k=EVENT,
    at=optional(whole(1, what="a number of bytes")),
)
def end_inside(tape: Tape, k: int, at: int | None = None) -> Tape:
    """The server ends the stream properly, but *at* so many bytes into the frame of event *k*.

    Without *at*: inside the first character of more than one byte there is, else half way.
    """
    body = anatomy(tape)
    k = body.clamped(k)
    if not k:
        return tape
    placed = body.at(k)
    frame = body.frames[placed.frame]
    if at is None:
        at = next((n for n, byte in enumerate(frame) if n > 2 and 0x80 <= byte < 0xC0), None)
        at = len(frame) // 2 if at is None else at
    return cut_off(tape, placed.start + min(max(at, 1), len(frame) - 1))


def _unfinished(tape: Tape, fault: Fault) -> Allowed:  # noqa: ARG001 - as `Fault.judge`
    body = anatomy(tape)
    # The standard discards an event without its blank line; who knows the stream knows better.
    return OK | PART if body.generic or body.ended_by(len(body.events) - 1) else OK


@fault("the last event's blank line is missing", _unfinished)
def no_last_blank_line(tape: Tape) -> Tape:
    """The stream ends with the line end of its last line. In NDJSON, without that too."""
    if tape.framing == "sse":
        # From where they begin: a search would look at each run of blank lines in the body.
        ending = _LAST_BLANK_LINES.match(tape.body, len(tape.body.rstrip(b"\r\n")))
        return tape if ending is None else cut_off(tape, ending.end(1))
    if tape.framing == "ndjson":
        ending = _LAST_LINE_END.search(tape.body)
        return tape if ending is None else cut_off(tape, ending.start())
    return tape


def _unended(tape: Tape, fault: Fault) -> Allowed:  # noqa: ARG001 - as `Fault.judge`
    return OK if anatomy(tape).terminals else OK | PART


@fault("the event that ends the stream is missing", _unended)
def no_terminal(tape: Tape) -> Tape:
    """Without ``[DONE]``, ``message_stop``, ``response.completed`` and their like."""
    body = anatomy(tape)
    if not body.terminals:
        return tape
    frames = list(body.frames)
    for k in body.terminals:
        frames[body.at(k).frame] = b""
    return retold(tape, frames)


@fault("the connection is reset after event {k}", _told, k=BEFORE)
def reset_after(tape: Tape, k: int) -> Tape:
    """The peer resets the connection (TCP RST) after event *k*: a read error."""
    body = anatomy(tape)
    return cut_off(tape, body.end_of(body.clamped(k)), "error", "read", RESET)


@fault(
    "the connection is closed after event {k}, before the end of the chunked coding",
    _told,
    k=BEFORE,
)
def not_terminated(tape: Tape, k: int) -> Tape:
    """The last, empty chunk of the transfer coding never comes (RFC 9112, 8): a protocol error."""
    body = anatomy(tape)
    return cut_off(tape, body.end_of(body.clamped(k)), "error", "protocol", NOT_TERMINATED)


@fault("nothing comes after event {k}, until the client's read times out", _told, k=BEFORE)
def read_timeout_after(tape: Tape, k: int) -> Tape:
    """The client's read times out after event *k*: at once, whatever its timeout is."""
    body = anatomy(tape)
    return cut_off(tape, body.end_of(body.clamped(k)), "error", "read-timeout", TIMED_OUT)


@fault(
    "{seconds} s pass before event {k} comes",
    OK,
    k=EVENT,
    seconds=number("a number of seconds"),
    keepalives=FLAG,
)
def stall(tape: Tape, k: int, seconds: float = 60.0, *, keepalives: bool = False) -> Tape:
    """Everything from the first byte of event *k* on comes *seconds* later.

    Under the pace ``"instant"`` a client whose read timeout is shorter sees it at once, and for any
    other nothing changes. *keepalives*: meanwhile the server sends a comment every 15 s (a blank
    line in NDJSON; nothing in an event stream of AWS), so no read has to wait longer than that.
    """
    body = anatomy(tape)
    k = body.clamped(k)
    if not k or not seconds:
        return tape
    offset = body.end_of(k - 1)
    cut = split(tape, offset)
    later_ns = round(seconds * 1e9)
    start = 0
    before: list[Chunk] = []
    after: list[Chunk] = []
    for chunk in cut.chunks:
        (before if start + len(chunk.data) <= offset else after).append(chunk)
        start += len(chunk.data)
    since_ns = before[-1].at_ns if before else tape.head_ns or 0
    # What lay waiting times no one out: here the network itself was silent.
    moved = [
        chunk._replace(at_ns=chunk.at_ns + later_ns, late=chunk.late and n > 0)
        for n, chunk in enumerate(after)
    ]
    kept = _keepalives(body, since_ns, seconds) if keepalives else []
    ending = replace(tape.ending, at_ns=tape.ending.at_ns + later_ns)
    stalled = settled(cut) if kept else cut
    return stalled.with_chunks(
        [*before, *kept, *moved], ending=replace(stalled.ending, at_ns=ending.at_ns)
    )


def _keepalives(body: Anatomy, since_ns: int, seconds: float) -> list[Chunk]:
    comment = {"sse": b": keep-alive" + 2 * body.line_end, "ndjson": body.line_end}
    data = comment.get(body.framing)
    if data is None:
        return []
    times = range(KEEPALIVE_SECONDS, int(seconds) + 1, KEEPALIVE_SECONDS)
    return [Chunk(since_ns + time * 1_000_000_000, data) for time in times if time < seconds]
