"""Newline-delimited JSON: one JSON text on each line (ndjson.org, jsonlines.org).

The line end is LF. A CR before it is white space of JSON, so CRLF works; a CR or U+2028 elsewhere
ends no line. Lines without anything but white space are skipped. Whether a line is good JSON is for
its reader to say: a line that is not is an event like any other.
"""

from __future__ import annotations

import json

from streamtape.wire.sse import BOM, Event

_WHITE_SPACE = b" \t\r\n"
"""White space of JSON (RFC 8259, section 2). `bytes.strip` alone would take VT and FF too."""


class Reader:
    """Turns the bytes of newline-delimited JSON into events, in whatever pieces the bytes come.

    Each line that is not blank is an event of type ``"message"`` whose data is the line without its
    line end. Bytes that are no UTF-8 become U+FFFD. Nothing that is fed raises.
    """

    __slots__ = ("_at_start", "_unfinished_line")

    def __init__(self) -> None:
        self._unfinished_line = bytearray()
        self._at_start = True  # no line is complete yet, so the next one may open with a BOM

    def feed(self, data: bytes) -> list[Event]:
        """The events that *data*, the next bytes of the stream, completes."""
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines and self._unfinished_line:
            self._unfinished_line += lines[0]
            lines[0] = bytes(self._unfinished_line)
            self._unfinished_line.clear()
        if rest:
            self._unfinished_line += rest
        return self._events(lines)

    def finish(self) -> list[Event]:
        """The last line, where it has no line end but is a whole JSON text; else nothing.

        A last line may do without its line end. One that is no JSON was cut off, and a part is not
        passed off as the whole.
        """
        rest = bytes(self._unfinished_line)
        self._unfinished_line.clear()
        line = rest.removeprefix(BOM) if self._at_start else rest
        return self._events([rest]) if is_json(line) else []

    def _events(self, lines: list[bytes]) -> list[Event]:
        if lines and self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix(BOM)
        return [
            Event(data=line.removesuffix(b"\r").decode("utf-8", "replace"))
            for line in lines
            if line.strip(_WHITE_SPACE)
        ]


def is_json(text: bytes, kind: type = object) -> bool:
    """Whether *text* is one JSON text whose value is of the Python type *kind*."""
    try:
        # Numbers stay text: their value does not matter, and `int` refuses very long ones.
        value = json.loads(text.decode("utf-8", "replace"), parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, kind)


def frame_ends(body: bytes) -> list[int]:
    """The offset at which each frame of *body* ends, ascending; the last is the length of *body*.

    A frame is a line with its line end. Blank lines (and a BOM) belong to the line that follows;
    what is left at the end is a frame. An empty body has none.
    """
    ends: list[int] = []
    offset = 0
    for line in body.split(b"\n")[:-1]:
        text = line if offset else line.removeprefix(BOM)
        offset += len(line) + 1
        if text.strip(_WHITE_SPACE):
            ends.append(offset)
    if body and (not ends or ends[-1] != len(body)):
        ends.append(len(body))
    return ends
