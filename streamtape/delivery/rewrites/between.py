"""Rewrites that put lines between the events, where they mean nothing.

Lines that come before an event arrive with it, those after the last one arrive with that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from streamtape.delivery.arguments import EVERY, LINE, whole
from streamtape.delivery.change import rewrite
from streamtape.delivery.retelling import frames_of
from streamtape.delivery.rewrites.blocks import (
    CRLF,
    LF,
    Block,
    Line,
    Stream,
    reframed,
    rewritten,
)
from streamtape.wire.sse import BOM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamtape.tape import Tape


@dataclass(frozen=True, slots=True)
class InForce:
    """What the blocks up to a place have set, as bytes of the stream.

    ``retry`` holds the digits of the reconnection time, and is None where none was set.
    """

    last_event_id: bytes = b""
    retry: bytes | None = None

    def after(self, block: Block) -> InForce:
        """What is in force after *block*, a whole one."""
        ids = [value for value in block.values(b"id") if b"\0" not in value]
        times = [value for value in block.values(b"retry") if value.isdigit()]
        return InForce([self.last_event_id, *ids][-1], [self.retry, *times][-1])


Texts = Callable[[InForce], "Sequence[bytes]"]


def _between_events(tape: Tape, every: int, texts: Texts) -> Tape:
    """*tape* with the lines that *texts* gives before every event whose number *every* divides.

    Events count from 1, and the end of the stream counts as one more.
    """

    def change(stream: Stream) -> Stream:
        blocks = list(stream.blocks)
        events = [place for place, block in enumerate(blocks) if block.is_event]
        # Behind the last event: in front of what follows, or else at the very end.
        behind = events[-1] + 1 if events else 0
        chosen = {*[*events, behind][every - 1 :: every]}
        in_force = InForce()
        last_end = b""
        for place, block in enumerate(blocks):
            if place in chosen:
                end = last_end or next((line.end for line in block if line.end), LF)
                inserted = tuple(Line(text, end) for text in texts(in_force))
                blocks[place] = replace(block, before=(*inserted, *block.before))
            in_force = in_force.after(block)
            last_end = next((line.end for line in reversed([*block])), last_end)
        if blocks and len(blocks) in chosen:
            inserted = tuple(Line(text, last_end) for text in texts(in_force))
            blocks[-1] = replace(blocks[-1], after=inserted)
        return replace(stream, blocks=tuple(blocks))

    return rewritten(tape, change)


@rewrite('a comment alone, ":{text}", before 1 event of each {every}', every=EVERY, text=LINE)
def comments(tape: Tape, every: int = 1, text: str = " ping") -> Tape:
    """A block of one comment, as servers send to keep a connection open."""
    comment = b":" + text.encode()
    return _between_events(tape, every, lambda _: (comment, b""))


@rewrite("{count} more blank lines before 1 event of each {every}", every=EVERY, count=whole(0))
def blank_lines(tape: Tape, every: int = 1, count: int = 2) -> Tape:
    """Blank lines beyond the one that ends an event. NDJSON too, where lines count as events."""
    if tape.framing == "ndjson":
        return _blank_lines_between_json(tape, every, count)
    return _between_events(tape, every, lambda _: (b"",) * count)


def _blank_lines_between_json(tape: Tape, every: int, count: int) -> Tape:
    frames = frames_of(tape)
    blank = (CRLF if frames and frames[0].endswith(CRLF) else LF) * count
    bom = BOM if tape.body.startswith(BOM) else b""
    told = []
    for number, frame in enumerate(frames, 1):
        start = bom if number == 1 else b""
        told.append(start + blank * (number % every == 0) + frame.removeprefix(start))
    if frames and frames[-1].endswith(LF) and (len(frames) + 1) % every == 0:
        told[-1] += blank
    return reframed(tape, told)


@rewrite(
    "the reconnection time in force, or {ms} ms, alone before 1 event of each {every}",
    every=EVERY,
    ms=whole(0, what="a number of milliseconds"),
)
def retry_blocks(tape: Tape, every: int = 1, ms: int = 3000) -> Tape:
    """A block of one ``retry`` field. A reconnection time that the stream has set is repeated."""
    default = b"%d" % ms
    return _between_events(tape, every, lambda now: (b"retry: " + (now.retry or default), b""))


@rewrite("the last event ID once more, alone, before 1 event of each {every}", every=EVERY)
def id_blocks(tape: Tape, every: int = 1) -> Tape:
    """A block of one ``id`` field that repeats the ID in force, also where that is empty."""
    return _between_events(tape, every, lambda now: (_id(now.last_event_id), b""))


@rewrite(
    "another last event ID and then the one in force, each alone, before 1 event of each {every}",
    every=EVERY,
)
def passing_ids(tape: Tape, every: int = 1) -> Tape:
    """Two blocks of one ``id`` field each: another ID, then the one in force.

    So a stream without IDs has one for a moment, and is found out who dispatches an event at every
    blank line once there is an ID.
    """

    def texts(now: InForce) -> tuple[bytes, ...]:
        other = b"1" if now.last_event_id != b"1" else b"2"
        return (_id(other), b"", _id(now.last_event_id), b"")

    return _between_events(tape, every, texts)


def _id(value: bytes) -> bytes:
    return b"id: " + value if value else b"id:"


@rewrite('an event "{type}" without data before 1 event of each {every}', every=EVERY, type=LINE)
def empty_named_events(tape: Tape, every: int = 1, type: str = "ping") -> Tape:  # noqa: A002 - the field's name in `Event`
    """A block of one ``event`` field: without data nothing is dispatched."""
    field = b"event: " + type.encode()
    return _between_events(tape, every, lambda _: (field, b""))


__all__ = [
    "blank_lines",
    "comments",
    "empty_named_events",
    "id_blocks",
    "passing_ids",
    "retry_blocks",
]
