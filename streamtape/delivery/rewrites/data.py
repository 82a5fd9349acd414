"""Other data in the frames of a tape: what each frame's event says, and a tape that says otherwise.

A frame keeps what is not data: its event type, ID, comments, unknown fields, line ends, and the way
in which its ``data`` lines are written.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from streamtape.delivery.retelling import frames_of
from streamtape.delivery.rewrites.blocks import Block, Line, read, reframed
from streamtape.wire.eventstream import build_message, read_messages
from streamtape.wire.framing import event_reader
from streamtape.wire.sse import BOM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from streamtape.tape import Tape
    from streamtape.wire.sse import Event


def events_of(tape: Tape) -> list[Event | None]:
    """The event in each frame of *tape*; None where a frame has none."""
    reader = event_reader(tape.framing)
    frames = frames_of(tape)
    if reader is None:
        return [None] * len(frames)
    found = [(*reader.feed(frame), None)[0] for frame in frames]
    if found and found[-1] is None:
        found[-1] = (*reader.finish(), None)[0]
    return found


def with_data(tape: Tape, data: Sequence[Sequence[str] | None]) -> Tape:
    """*tape* whose frames say *data*: for each frame the data of the events that it becomes.

    One piece of data changes the event, several make several events of its type, none takes it out
    with everything else in its frame. None leaves a frame as it is, as does the data that it has.

    In an SSE stream data has its newlines in several ``data`` lines. Raises ValueError for what a
    framing can't carry: a CR in SSE, a newline in NDJSON, lone surrogates.
    """
    wanted = [
        None if event is None or new is None or [*new] == [event.data] else new
        for event, new in zip(events_of(tape), data, strict=True)
    ]
    if tape.framing == "sse":
        stream = read(tape.body)
        blocks = [
            block if new is None else _block(block, new)
            for block, new in zip(stream.blocks, wanted, strict=True)
        ]
        return reframed(tape, replace(stream, blocks=tuple(blocks)).frames())
    write = _line if tape.framing == "ndjson" else _messages
    lead = BOM if tape.body.startswith(BOM) else b""
    frames = frames_of(tape)
    frames[:1] = [frame.removeprefix(lead) for frame in frames[:1]]
    frames = [
        frame if new is None else write(frame, new)
        for frame, new in zip(frames, wanted, strict=True)
    ]
    frames[:1] = [lead + frame for frame in frames[:1]]
    return reframed(tape, frames)


def with_each(tape: Tape, change: Callable[[str], str]) -> Tape:
    """*tape* with the data of every event as *change* makes it."""
    return with_data(
        tape, [None if event is None else [change(event.data)] for event in events_of(tape)]
    )


def only_data(tape: Tape) -> list[bool]:
    """Of each frame, whether it says nothing but the data and the type of an event."""
    if tape.framing != "sse":
        return [True] * len(frames_of(tape))
    return [
        all(line.name in (b"data", b"event") for line in block.lines)
        for block in read(tape.body).blocks
    ]


def _block(block: Block, data: Sequence[str]) -> Block:
    if not data:
        return Block(block.before)
    assert block.blank is not None  # without one there is no event
    *earlier, last = data
    said = [line for line in block.lines if line.name in (b"data", b"event")]
    copies = [line for each in earlier for line in (*_lines(said, each), block.blank)]
    return replace(block, before=(*block.before, *copies), lines=tuple(_lines(block.lines, last)))


def _lines(lines: Sequence[Line], data: str) -> Iterator[Line]:
    """*lines* that say *data*: in the places of their ``data`` lines, more of it after the last."""
    if "\r" in data:
        raise ValueError(
            "an event stream can't carry a CR in its data: it would end the line. Write it as JSON"
            " does, or use LF"
        )
    left = data.split("\n")
    places = sum(line.name == b"data" for line in lines)
    for line in lines:
        if line.name != b"data":
            yield line
            continue
        places -= 1
        now, left = (left[:1], left[1:]) if places else (left, [])
        for text in now:
            spaced = (
                text.startswith(" ") or not line.text.startswith(b"data:") or line.text[5:6] == b" "
            )
            yield Line((b"data: " if spaced else b"data:") + text.encode(), line.end)


def _line(frame: bytes, data: Sequence[str]) -> bytes:
    end = next((end for end in (b"\r\n", b"\n") if frame.endswith(end)), b"")
    start = frame.rfind(b"\n", 0, len(frame) - len(end)) + 1
    if any("\n" in each for each in data):
        raise ValueError(
            "NDJSON can't carry a newline in its data: it would end the line. Write it as JSON does"
        )
    return frame[:start] + (end or b"\n").join([each.encode() for each in data]) + end * bool(data)


def _messages(frame: bytes, data: Sequence[str]) -> bytes:
    [message], _ = read_messages(frame)
    return b"".join([build_message(message.headers, each.encode()) for each in data])
