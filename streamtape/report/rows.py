"""A tape as rows: one for each frame of its body, with the chunks in which it came."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

from streamtape import providers
from streamtape.metrics import timing
from streamtape.report.printable import of_bytes
from streamtape.wire.framing import event_reader, frame_ends
from streamtape.wire.sse import decode

if TYPE_CHECKING:
    from streamtape.tape import Tape
    from streamtape.wire.sse import Event

Kind = Literal["event", "comment", "silent", "unfinished", "chunk"]
"""What a row is: an event; a frame of comments only; one that dispatches no event; a remainder that
would have been an event, had the stream gone on; a chunk of an unframed body."""


@dataclass(frozen=True, slots=True)
class Row:
    """One frame, or one chunk of a body that has no frames.

    ``at_ns`` is the arrival of the byte that completed it, ``gap_ns`` the time since the row before
    (for the first: since the head). Its bytes lie in the chunks ``first_chunk`` to ``last_chunk``,
    counted from 1. ``late`` says that the time is an upper bound, ``stalled`` that a stall lies
    between this row and the one before. ``token`` is the text of the answer that the event carries.
    """

    at_ns: int
    gap_ns: int
    first_chunk: int
    last_chunk: int
    late: bool
    stalled: bool
    kind: Kind
    type: str
    data: str
    token: str = ""


@dataclass(frozen=True, slots=True)
class _Frame:
    """What `Row` says, but for the times. Chunks are counted from 0 here, as in the tape."""

    first_chunk: int
    last_chunk: int
    kind: Kind
    data: str
    event: Event | None = None


def rows(tape: Tape) -> list[Row]:
    """The rows of *tape* in order. None for an empty body."""
    frames = list(_chunk_frames(tape) if tape.framing == "raw" else _frames(tape))
    provider = providers.detect([frame.event for frame in frames if frame.event is not None])
    stalls = {stall.chunk for stall in timing(tape).stalls()}
    found = []
    before_ns, before_chunk = tape.head_ns or 0, 0
    for frame in frames:
        chunk = tape.chunks[frame.last_chunk]
        event = frame.event
        found.append(
            Row(
                at_ns=chunk.at_ns,
                gap_ns=chunk.at_ns - before_ns,
                first_chunk=frame.first_chunk + 1,
                last_chunk=frame.last_chunk + 1,
                late=chunk.late,
                stalled=any(n in stalls for n in range(before_chunk + 1, frame.last_chunk + 1)),
                kind=frame.kind,
                type=event.type if event is not None else "",
                data=frame.data,
                token=provider.token_text(event) if provider is not None and event else "",
            )
        )
        before_ns, before_chunk = chunk.at_ns, frame.last_chunk
    return found


def _chunk_frames(tape: Tape) -> Iterator[_Frame]:
    for n, chunk in enumerate(tape.chunks):
        yield _Frame(n, n, "chunk", of_bytes(chunk.data))


def _frames(tape: Tape) -> Iterator[_Frame]:
    reader = event_reader(tape.framing)
    assert reader is not None
    body = tape.body
    chunk_ends = list(accumulate(len(chunk.data) for chunk in tape.chunks))
    completed_in = _completing_chunks(tape)
    start = 0
    for end in frame_ends(tape.framing, body):
        frame = body[start:end]
        first = bisect_right(chunk_ends, start)
        events = reader.feed(frame)
        if end == len(body):
            events += reader.finish()
        if events:
            # Where a stream is cut never changes its events, so the two readings run in step.
            yield _Frame(first, next(completed_in), "event", events[0].data, events[0])
        else:
            kind = _kind_without_event(tape, frame)
            yield _Frame(first, bisect_right(chunk_ends, end - 1), kind, of_bytes(frame).strip())
        start = end


def _completing_chunks(tape: Tape) -> Iterator[int]:
    """For each event the number of the chunk that completed it, from 0."""
    reader = event_reader(tape.framing)
    assert reader is not None
    for n, chunk in enumerate(tape.chunks):
        for _ in reader.feed(chunk.data):
            yield n
    for _ in reader.finish():
        yield len(tape.chunks) - 1


def _kind_without_event(tape: Tape, frame: bytes) -> Kind:
    if tape.framing == "eventstream":
        return "unfinished"
    if tape.framing == "ndjson":
        return "unfinished" if frame.strip() else "silent"
    if tape.framing == "sse":
        if decode(frame + b"\n\n"):
            return "unfinished"
        if all(line.startswith(b":") for line in frame.splitlines() if line):
            return "comment"
    return "silent"
