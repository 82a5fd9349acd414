"""Server-sent events: bytes to events and back.

The source is the WHATWG HTML standard, section 9.2.6 "Interpreting an event stream". In short:

* The stream is UTF-8, whatever its content type says. One leading BOM is dropped, a second one is
  text. Bytes that are no UTF-8 become U+FFFD.
* A line ends with LF, CR or CRLF and with nothing else: U+2028, NEL, VT and FF are text.
* A line that starts with a colon is a comment. In any other line the part before the first colon is
  the field's name and the part after it the value, less one leading space. A line without a colon
  is a name with an empty value.
* ``data`` adds a line to the data, ``event`` sets the type, ``id`` sets the last event ID (unless
  it has a NUL) and ``retry`` sets the reconnection time (if it is all digits). Names are compared
  exactly, other names are ignored.
* A blank line dispatches an event if any ``data`` came since the last one. The last event ID is
  kept from event to event; the type and the data start afresh.
* What stands after the last blank line is discarded when the stream ends.

Work is done on bytes and only values are decoded. That gives the same text as decoding the whole
stream first, because a line end, a colon or a space is never a part of a longer UTF-8 sequence.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_UNENCODABLE = (
    (
        "data",
        "\r",
        "CR",
        "it would end the line, so a reader would get a LF in its place",
        "use LF",
    ),
    ("type", "\r", "CR", "what comes after it would be read as another line", "remove it"),
    ("type", "\n", "LF", "what comes after it would be read as another line", "remove it"),
    ("last_event_id", "\r", "CR", "what comes after it would be read as another line", "remove it"),
    ("last_event_id", "\n", "LF", "what comes after it would be read as another line", "remove it"),
    ("last_event_id", "\0", "NUL", "a reader ignores an ID that has one", "remove it"),
)
"""Field of an event, character it cannot carry, its name, what would follow, what to do."""

BOM = b"\xef\xbb\xbf"
"""U+FEFF in UTF-8. It is dropped where it opens a stream and is text everywhere else."""

_LINE_END_BYTES = b"\r\n"
_CR, _LF = _LINE_END_BYTES
_LINE_ENDS = (b"\n", b"\r", b"\r\n")
_MAX_RETRY_DIGITS = len(str(sys.maxsize))


@dataclass(frozen=True, slots=True)
class Event:
    """One dispatched event.

    ``type`` is ``"message"`` where the stream named none. ``data`` has its lines joined by LF.
    ``last_event_id`` is the ID in force at the dispatch: it may come from an earlier event and is
    empty where no ID was set, or where an empty one reset it.
    """

    type: str = "message"
    data: str = ""
    last_event_id: str = ""


class Decoder:
    """Turns the bytes of one event stream into events, in whatever pieces the bytes come.

    Where the stream is cut changes when an event is known, never what it is: an event is returned
    by the `feed` that brings the first byte which completes it. Nothing that is fed raises.

    ``retry`` is the last reconnection time that the stream set, in milliseconds, or None. A number
    too large for an index (more than `sys.maxsize`) is kept as `sys.maxsize`; a ``retry`` without a
    value sets nothing.
    """

    __slots__ = (
        "_at_start",
        "_data",
        "_event_type",
        "_id_buffer",
        "_last_event_id",
        "_skip_line_feed",
        "_unfinished_line",
        "retry",
    )

    def __init__(self) -> None:
        self.retry: int | None = None
        self._last_event_id = ""
        # The standard's three buffers. Each item of the data buffer is the value of one line.
        self._data: list[bytes] = []
        self._event_type = ""
        self._id_buffer = ""
        # A bytearray, so that a line that comes in a million pieces is not copied a million times.
        self._unfinished_line = bytearray()
        # The last byte was a CR, which ended its line at once: a LF that comes next belongs to it.
        self._skip_line_feed = False
        # No line is complete yet. A line is looked at when it is whole, so a BOM is never in parts.
        self._at_start = True

    @property
    def last_event_id(self) -> str:
        """The last event ID of the stream, as of its last blank line.

        An ``id`` field counts from the blank line that ends its block on, also where that block
        dispatched no event. This is what a client sends as ``Last-Event-ID`` when it reconnects.
        """
        return self._last_event_id

    def feed(self, data: bytes) -> list[Event]:
        """The events that *data*, the next bytes of the stream, completes.

        Empty *data* changes nothing.
        """
        if self._skip_line_feed and data:
            self._skip_line_feed = False
            if data[0] == _LF:
                data = data[1:]
        return self._interpret(self._completed_lines(data)) if data else []

    def finish(self) -> list[Event]:
        """Always empty: an event whose blank line never came is discarded, as the standard says.

        Dispatching it would pass off the part of an event as the whole one. The method is there for
        symmetry with the readers whose last frame may do without an end.
        """
        return []

    def _completed_lines(self, data: bytes) -> list[bytes]:
        """The lines that end in *data*, which is not empty, without their line ends."""
        lines = data.splitlines()  # that of bytes: LF, CR and CRLF, nothing else
        self._skip_line_feed = data[-1] == _CR
        rest = b"" if data[-1] in _LINE_END_BYTES else lines.pop()
        if lines:
            if self._unfinished_line:
                self._unfinished_line += lines[0]
                lines[0] = bytes(self._unfinished_line)
                self._unfinished_line.clear()
            if self._at_start:
                self._at_start = False
                lines[0] = lines[0].removeprefix(BOM)
        self._unfinished_line += rest
        return lines

    def _interpret(self, lines: list[bytes]) -> list[Event]:
        events: list[Event] = []
        for line in lines:
            if line.startswith(b"data:"):  # nearly every line: spared the general way
                self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
            elif line:
                self._set_field(line)
            else:
                self._last_event_id = self._id_buffer
                if self._data:
                    text = b"\n".join(self._data).decode("utf-8", "replace")
                    events.append(Event(self._event_type or "message", text, self._id_buffer))
                    self._data.clear()
                self._event_type = ""
        return events

    def _set_field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"event":
            self._event_type = value.decode("utf-8", "replace")
        elif name == b"data":
            self._data.append(value)
        elif name == b"id":
            if b"\0" not in value:
                self._id_buffer = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit():  # that of bytes: ASCII digits, at least one
            digits = value.lstrip(b"0") or b"0"
            # `int` refuses very long numbers; where it does not, it takes quadratic time.
            too_long = len(digits) > _MAX_RETRY_DIGITS
            self.retry = sys.maxsize if too_long else min(int(digits), sys.maxsize)


def decode(body: bytes) -> list[Event]:
    """All events of a whole stream. Never raises; an unfinished last event is discarded."""
    return Decoder().feed(body)


def encode(events: Iterable[Event]) -> bytes:
    """An event stream that decodes to exactly *events*.

    LF ends the lines. The type is written unless it is ``"message"``, the ID where it differs from
    that of the event before, and each line of the data as one ``data`` field.

    Raises ValueError for what no event stream can carry: a CR in the data, a CR or LF in a type or
    an ID, a NUL in an ID, an empty type, and lone surrogates.
    """
    lines: list[str] = []
    last_event_id = ""
    for number, event in enumerate(events):
        _require_encodable(number, event)
        if event.type != "message":
            lines.append(f"event: {event.type}")
        if event.last_event_id != last_event_id:
            last_event_id = event.last_event_id
            lines.append(_field("id", last_event_id))
        lines += [_field("data", line) for line in event.data.split("\n")]
        lines.append("")
    lines.append("")
    return "\n".join(lines).encode()


def _field(name: str, value: str) -> str:
    # Without the space where there is no value: a line should not end in white space.
    return f"{name}: {value}" if value else f"{name}:"


def _require_encodable(number: int, event: Event) -> None:
    if not event.type:
        raise ValueError(
            f"events[{number}].type is empty: an empty type is read as 'message', so "
            "another event would come back; use type='message'"
        )
    for name, character, title, consequence, remedy in _UNENCODABLE:
        value: str = getattr(event, name)
        if character in value:
            raise ValueError(
                f"events[{number}].{name} has a {title} at character {value.index(character)}: "
                f"{consequence}; {remedy}"
            )
    for name in ("type", "data", "last_event_id"):
        try:
            getattr(event, name).encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"events[{number}].{name} has a lone surrogate at character {error.start}: UTF-8 "
                "has no form for it; replace it, for example with U+FFFD"
            ) from None


_BLANK_LINES = re.compile(rb"\n\n+")


def frame_ends(body: bytes) -> list[int]:
    """The offset at which each frame of the event stream *body* ends, ascending.

    A frame ends after the whole line end of the first blank line after a line that is not blank.
    Blank lines and a BOM before a block therefore belong to the frame that follows, a block of
    comments alone is a frame, and what is left at the end is one too: the last offset is the
    length of *body*. An empty body has no frames.
    """
    if b"\r" not in body and not body.startswith((b"\n", BOM)):
        # Most streams: no line end but LF, so a search for blank lines does.
        blocks = [match.start() + 2 for match in _BLANK_LINES.finditer(body)]
        return blocks if not body or blocks[-1:] == [len(body)] else [*blocks, len(body)]
    lines = body.splitlines(keepends=True)
    offsets = list(accumulate(map(len, lines)))
    ends: list[int] = []
    in_block = False
    if lines:
        lines[0] = lines[0].removeprefix(BOM)
    for line, offset in zip(lines, offsets, strict=True):
        if line not in _LINE_ENDS:
            in_block = True
        elif in_block:
            ends.append(offset)
            in_block = False
    if body and (not ends or ends[-1] != len(body)):
        ends.append(len(body))
    return ends
