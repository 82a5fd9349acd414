"""Where the events of a tape lie in its body, and how to cut the tape off or put bytes into it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from streamtape import providers
from streamtape.delivery.retelling import with_frames
from streamtape.tape import Chunk, Ending
from streamtape.wire import eventstream, sse
from streamtape.wire.framing import event_reader, frame_ends

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamtape.delivery.change import Allowed
    from streamtape.tape import ErrorKind, Tape
    from streamtape.wire.framing import Framing
    from streamtape.wire.sse import Event

OK: Allowed = frozenset({"equal", "raises"})
"""What is right under every fault: the whole result in spite of it, or an error."""

PART: Allowed = frozenset({"part"})
OTHER: Allowed = frozenset({"other"})
"""What is right beside it where a client can't know that there is more, or that it is wrong."""

_BODIES = 8  # of a test's tapes; each fault of `every` asks for the same one several times


@dataclass(frozen=True, slots=True)
class Placed:
    """An event of a body, and the frame that dispatches it: its place among all, and its bytes."""

    event: Event
    frame: int
    start: int
    end: int


@dataclass(frozen=True)
class Anatomy:
    """The frames of a body, its events, and what its provider says of them."""

    framing: Framing
    frames: tuple[bytes, ...]
    events: tuple[Placed, ...]
    provider: providers.Provider | None
    terminals: tuple[int, ...]
    """The numbers, from 1, of the events that end the stream as it ends when nothing is wrong."""

    def clamped(self, k: int) -> int:
        """The number of the event that *k* means here: the last one where there are fewer."""
        return min(k, len(self.events))

    def at(self, k: int) -> Placed:
        """Event *k*, from 1."""
        return self.events[k - 1]

    def end_of(self, k: int) -> int:
        """The offset at which event *k* is complete; 0 for none."""
        return self.events[k - 1].end if k else 0

    def ended_by(self, k: int) -> bool:
        """Whether one of the first *k* events ends the stream."""
        return bool(self.terminals) and self.terminals[0] <= k

    @property
    def generic(self) -> bool:
        """Whether nothing is known of what these events mean."""
        return self.provider is None or self.provider is providers.GENERIC

    @property
    def line_end(self) -> bytes:
        """The line end that this body has."""
        body = b"".join(self.frames[:1])
        return next((end for end in (b"\r\n", b"\n", b"\r") if end in body), b"\n")


def anatomy(tape: Tape) -> Anatomy:
    """The anatomy of *tape*'s body."""
    # Of those who may be asked: another provider may know the same body.
    return _anatomy(tape.framing, tape.body, providers.registered())


@lru_cache(maxsize=_BODIES)
def _anatomy(
    framing: Framing,
    body: bytes,
    registered: tuple[providers.Provider, ...],  # noqa: ARG001 - a part of the cache's key
) -> Anatomy:
    reader = event_reader(framing)
    edges = [0, *frame_ends(framing, body)]
    frames = tuple(body[start:end] for start, end in pairwise(edges))
    placed: list[Placed] = []
    if reader is not None:
        for number, (start, end) in enumerate(pairwise(edges)):
            found = reader.feed(frames[number])
            if end == len(body):
                found = [*found, *reader.finish()]
            placed += [Placed(event, number, start, end) for event in found]
    provider = providers.detect(one.event for one in placed)
    terminals = [
        k
        for k, one in enumerate(placed, 1)
        if provider is not None and provider.is_terminal(one.event)
    ]
    return Anatomy(framing, frames, tuple(placed), provider, tuple(terminals))


def is_json(event: Event) -> bool:
    """Whether the payload of *event* is a JSON object or array."""
    try:
        return isinstance(json.loads(event.data), dict | list)
    except (ValueError, RecursionError):
        return False


# ---- what a client hears of a tail that is lost --------------------------------------------------


def told(tape: Tape, k: int) -> Allowed:
    """What is right where the transport itself breaks after event *k*."""
    body = anatomy(tape)
    k = body.clamped(k)
    if body.ended_by(k) and k < len(body.events):
        return OK | PART
    return OK


def untold(tape: Tape, k: int) -> Allowed:
    """What is right where the stream just ends after event *k*, as a whole one does.

    A client can't know of the rest where streams of this kind have no event that ends them.
    """
    body = anatomy(tape)
    if not body.terminals or body.ended_by(body.clamped(k)):
        return OK | PART
    return OK


# ---- surgery -------------------------------------------------------------------------------------


def settled(tape: Tape) -> Tape:
    """*tape* with another body to come: a proper end where the recording had none, no length."""
    ending = tape.ending
    if ending.kind in {"closed", "unfinished"}:
        ending = Ending("eof", ending.at_ns)
    headers = [(name, value) for name, value in tape.headers if name.lower() != "content-length"]
    return replace(tape, ending=ending, headers=headers)


def cut_off(
    tape: Tape,
    offset: int,
    kind: Literal["eof", "error"] = "eof",
    error: ErrorKind | None = None,
    text: str = "",
) -> Tape:
    """*tape* up to *offset* of its body, ending so right after what came last."""
    if offset >= len(tape.body) and tape.ending.kind == kind == "eof":
        return tape
    chunks: list[Chunk] = []
    left = offset
    for chunk in tape.chunks:
        if left <= 0:
            break
        chunks.append(chunk._replace(data=chunk.data[:left]))
        left -= len(chunk.data)
    at_ns = chunks[-1].at_ns if chunks else tape.head_ns or 0
    return settled(tape).with_chunks(chunks, ending=Ending(kind, at_ns, error, text))


def retold(tape: Tape, frames: Sequence[bytes]) -> Tape:
    """*tape* with *frames* in place of its own, without the chunks that lose all they had."""
    if not any(frames):
        return settled(tape).with_chunks([chunk for chunk in tape.chunks if not chunk.data])
    told_anew = with_frames(settled(tape), frames)
    return told_anew.with_chunks(
        [
            chunk
            for chunk, old in zip(told_anew.chunks, tape.chunks, strict=True)
            if chunk.data or not old.data
        ]
    )


def split(tape: Tape, offset: int) -> Tape:
    """*tape* with a cut at *offset*, which may be there already."""
    chunks: list[Chunk] = []
    start = 0
    for chunk in tape.chunks:
        into = offset - start
        if 0 < into < len(chunk.data):
            chunks += [
                chunk._replace(data=chunk.data[:into]),
                chunk._replace(data=chunk.data[into:]),
            ]
        else:
            chunks.append(chunk)
        start += len(chunk.data)
    return tape.with_chunks(chunks)


def with_inserted(tape: Tape, offset: int, data: bytes) -> Tape:
    """*tape* with *data* at *offset* of its body.

    It is a chunk of its own where one ends there, and part of the one that spans it otherwise.
    """
    chunks: list[Chunk] = []
    start, at_ns = 0, tape.head_ns or 0
    left: bytes | None = data
    for chunk in tape.chunks:
        into = offset - start
        if left is not None and into <= 0:
            chunks.append(Chunk(at_ns if start else chunk.at_ns, left))
            left = None
        if left is not None and into < len(chunk.data):
            chunks.append(chunk._replace(data=chunk.data[:into] + left + chunk.data[into:]))
            left = None
        else:
            chunks.append(chunk)
        start += len(chunk.data)
        at_ns = chunk.at_ns
    if left is not None:
        chunks.append(Chunk(at_ns, left))
    return settled(tape).with_chunks(chunks)


# ---- made-up events ------------------------------------------------------------------------------


def frame_of(event: Event, body: Anatomy) -> bytes:
    """*event* as a frame of such a body, with its line ends."""
    if body.framing == "ndjson":
        return event.data.encode() + body.line_end
    if body.framing == "eventstream":
        return eventstream.build_message(_exception_headers(event.type), event.data.encode())
    return sse.encode([replace(event, last_event_id="")]).replace(b"\n", body.line_end)


def _exception_headers(event_type: str) -> bytes:
    named = (
        (":exception-type", event_type),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    )
    return b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + len(value).to_bytes(2) + value.encode()
        for name, value in named
    )
