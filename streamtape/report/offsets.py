"""Where in a body an offset lies, for people: in which event and field, and what is around it."""

from __future__ import annotations

import struct
from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING

from rich.cells import cell_len

from streamtape.report.printable import of_bytes, one_line
from streamtape.wire.eventstream import PRELUDE_LENGTH
from streamtape.wire.framing import event_reader, frame_ends
from streamtape.wire.sse import BOM

if TYPE_CHECKING:
    from streamtape.tape import Tape

_LINE_ENDS = b"\r\n"
_CHECKSUM_LENGTH = 4
_LONGEST_NAME = 20
_NEAR = 300
"""So many bytes on either side of an offset are wider than any excerpt, whatever they say."""


def frame_at(tape: Tape, offset: int) -> tuple[str, bool]:
    """The frame of *tape* in which *offset* lies, and whether it lies inside, not at its end.

    Events, lines and messages are counted from 1; a block that makes no event is told by the event
    that comes after it. At the end of a frame: the names of both. *offset* is one inside the body.
    """
    ends = frame_ends(tape.framing, tape.body)
    if not ends:
        return "the body", True
    names = _frame_names(tape, ends)
    frame = bisect_left(ends, offset)
    if ends[frame] == offset:
        return f"{names[frame]} and {names[frame + 1]}", False
    return names[frame], True


def part_at(tape: Tape, offset: int) -> str:
    """The part of its frame in which *offset* lies: ``field data``, ``prelude``; '' if none is.

    Where a line begins, that line's.
    """
    if tape.framing == "eventstream":
        return _message_part(tape, offset)
    if tape.framing != "sse":
        return ""
    start, end = _line_at(tape.body, offset)
    line = tape.body[start:end].removeprefix(BOM if start == 0 else b"")
    if not line:
        return "blank line"
    name = field_name(line)
    return f"field {name}" if name else "comment"


def field_at(tape: Tape, offset: int) -> str:
    """The name of the field in whose line *offset* lies."""
    start, end = _line_at(tape.body, offset)
    return field_name(tape.body[start:end].removeprefix(BOM if start == 0 else b""))


def field_name(line: bytes) -> str:
    """The name of the field that *line* is, short enough to be named; '' for a comment."""
    name = one_line(of_bytes(line.partition(b":")[0]))
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def excerpt(tape: Tape, offset: int, width: int) -> str:
    """The line in which *offset* lies, with ``|`` there, in at most *width* columns.

    Where a line ends or begins at *offset*, both lines and what is between them. Text stays text;
    what can't be seen, and bytes that are no whole character, are written as in a `bytes` literal.
    """
    start, end = _surroundings(tape, offset)
    before = _legible(tape.body[max(start, offset - _NEAR) : offset])
    after = _legible(tape.body[offset : min(end, offset + _NEAR)])
    room = width - len(" | ")
    wide = [sum(map(cell_len, side)) for side in (before, after)]
    if sum(wide) > room:
        half = room // 2
        before = _last(before, max(half, room - wide[1]))
        after = list(reversed(_last(after[::-1], max(room - half, room - wide[0]))))
    return f"{''.join(before)} | {''.join(after)}".strip(" ")


def _frame_names(tape: Tape, ends: list[int]) -> list[str]:
    if tape.framing == "ndjson":
        return [f"line {n}" for n in range(1, len(ends) + 1)]
    if tape.framing == "eventstream":
        return [f"message {n}" for n in range(1, len(ends) + 1)]
    reader = event_reader(tape.framing)
    assert reader is not None
    made = [len(reader.feed(tape.body[start:end])) for start, end in pairwise([0, *ends])]
    names, number = [], 0
    for new in made:
        number += new
        if new:
            names.append(f"event {number}")
        elif number < sum(made):
            names.append(f"the block before event {number + 1}")
        else:
            names.append(
                f"the block after event {number}" if number else "a block without an event"
            )
    return names


def _message_part(tape: Tape, offset: int) -> str:
    ends = [0, *frame_ends(tape.framing, tape.body)]
    end = bisect_left(ends, offset)
    start, end = ends[end - 1], ends[end]
    into = offset - start
    if end - start < PRELUDE_LENGTH or into < PRELUDE_LENGTH:
        return "prelude"
    if into == PRELUDE_LENGTH:
        return "after the prelude"
    if offset >= end - _CHECKSUM_LENGTH:
        return "before the checksum" if offset == end - _CHECKSUM_LENGTH else "checksum"
    (headers_length,) = struct.unpack_from(">I", tape.body, start + 4)
    return "headers" if into < PRELUDE_LENGTH + headers_length else "payload"


def _line_at(body: bytes, offset: int) -> tuple[int, int]:
    """Start and end, without its line end, of the line that is cut at *offset*."""
    if body[offset - 1 : offset + 1] == b"\r\n":
        offset -= 1  # inside a line end: the line is the one that it ends
    start = max(body.rfind(b"\r", 0, offset), body.rfind(b"\n", 0, offset)) + 1
    ends = [end for end in (body.find(b"\r", offset), body.find(b"\n", offset)) if end >= 0]
    return start, min(ends, default=len(body))


def _surroundings(tape: Tape, offset: int) -> tuple[int, int]:
    """Start and end of what an excerpt around *offset* may show."""
    body = tape.body
    if tape.framing == "eventstream":
        return 0, len(body)
    text_end = len(body[:offset].rstrip(_LINE_ENDS))
    start = max(body.rfind(b"\r", 0, text_end), body.rfind(b"\n", 0, text_end)) + 1
    after = body[offset:]
    line_ends = len(after) - len(after.lstrip(_LINE_ENDS))
    return start, offset + line_ends if line_ends else _line_at(body, offset)[1]


def _legible(data: bytes) -> list[str]:
    """The characters of *data*, and escapes for what is none or can't be seen."""
    return [
        each if each.isprintable() else repr(each.encode(errors="surrogateescape"))[2:-1]
        for each in data.decode(errors="surrogateescape")
    ]


def _last(characters: list[str], width: int) -> list[str]:
    """As many of the last *characters* as fit, behind an ellipsis where some don't."""
    if sum(map(cell_len, characters)) <= width:
        return characters
    room = width - len("…")
    kept: list[str] = []
    for each in reversed(characters):
        room -= cell_len(each)
        if room < 0:
            break
        kept.append(each)
    return ["…", *reversed(kept)]
