"""Event streams together with what they mean.

The meaning is not read from the bytes: each line is made of its meaning and one of the ways to
write that, and both are kept side by side. So what comes out is an oracle for any decoder, also for
streamtape's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

from hypothesis import event
from hypothesis import strategies as st

from streamtape.tape import Tape
from streamtape.wire.sse import BOM, Event


@dataclass(frozen=True)
class Stream:
    """An event stream: its bytes and what the WHATWG standard says that they mean.

    ``events`` are those that it dispatches, ``retry`` is the last reconnection time in
    milliseconds that it sets, or None, and ``last_event_id`` the ID in force at its end.
    """

    body: bytes
    events: list[Event] = field(hash=False)
    retry: int | None = None
    last_event_id: str = ""

    @cached_property
    def tape(self) -> Tape:
        """A tape of the stream, an event in each chunk."""
        return Tape.of(self.body)


def streams() -> st.SearchStrategy[Stream]:
    r"""Arbitrary event streams, each with the events that it means.

    LF, CR and CRLF, a BOM, comments, unknown fields, fields without a colon or a space, data of
    several lines or none, types, IDs (empty, persisting, and ignored for a NUL), reconnection times
    (and what is none), text that looks like a line end to some, bytes that are no UTF-8, blank
    lines, and an end in the middle of an event or a line.

    Shrinks to an empty stream; else to fewer blocks of fewer lines, ended by LF, in which fields
    come before comments and are written with a space after the colon and little text:
    ``data: \n\n`` is the simplest stream with an event.
    """
    return _streams()


# Lines

_Name = Literal["data", "event", "id", "retry"]

_MOST_FRAGMENTS = 4
_MOST_LINES = 5
_MOST_BLOCKS = 5

_NAMES: tuple[_Name, ...] = ("data", "data", "data", "event", "id")
_SEPARATORS = (b": ", b":", b"")
_UNKNOWN = (
    *(b"x", b"Data", b"data ", b" data", b"dat", b"datas", b"data\0", BOM + b"data", b"da\tta"),
    *(b"EVENT", b"events", b"Id", b"idd", b"retry ", "é".encode()),
)
_NO_TIMES = ("", "-1", "1.5", " 7", "7 ", "1e3", "0x10", "٣", "²")
_HOSTILE = (
    *("\u2028", "\u2029", "\x85", "\v", "\f", "\x1c", "\0", "\ufeff", "\t", " ", "  ", ":"),
    *("é", "€", "👩‍👩‍👧", "e\u0301", "🇫🇷", "\u202e", "data: x", "[DONE]", '{"a":"\\n"}', "\\r\\n"),
)
"""Text that some parsers take for a line end, for white space, for a field, or apart."""

_NO_UTF8 = (
    *(("\ufffd", b"\xff"), ("\ufffd", b"\x80"), ("\ufffd.", b"\xc3."), ("\ufffd.", b"\xe2\x82.")),
    *(("\ufffd.", b"\xf0\x9f\x91."), ("\ufffd" * 2, b"\xc0\x80"), ("\ufffd" * 3, b"\xed\xa0\x80")),
)
"""Bytes that are no UTF-8 and what stands in their place (WHATWG Encoding, "UTF-8 decode"): one
U+FFFD for the longest beginning of a sequence. What would go on is closed by a full stop."""


class _Line(NamedTuple):
    """A line's bytes without its line end, and its meaning: a field, or nothing."""

    written: bytes
    name: _Name | None = None
    value: str = ""


@st.composite
def _fields(draw: st.DrawFn) -> _Line:
    name = draw(_A_NAME)
    value, written = draw(_VALUES)
    if draw(_SPACES):
        value, written = f" {value}", b" " + written
    separator = draw(_A_SEPARATOR)
    if (separator == b":" and written.startswith(b" ")) or (separator == b"" and written):
        separator = b": "  # else the value would be another
    line = name.encode() + separator + written
    return _Line(line) if name == "id" and "\0" in value else _Line(line, name, value)


# All made once: Hypothesis looks at each new strategy at length.

_A_NAME = st.sampled_from(_NAMES)
_A_SEPARATOR = st.sampled_from(_SEPARATORS)
_SPACES = st.sampled_from((False, False, False, True))
_FRAGMENTS: st.SearchStrategy[tuple[str, bytes]] = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=8).map(
        lambda text: (text, text.encode())
    ),
    st.sampled_from(_HOSTILE).map(lambda text: (text, text.encode())),
    st.sampled_from(_NO_UTF8),
)
_VALUES = st.lists(_FRAGMENTS, max_size=_MOST_FRAGMENTS).map(
    lambda fragments: (
        "".join(text for text, _ in fragments),
        b"".join(raw for _, raw in fragments),
    )
)
"""The text of a value, and its bytes."""

_RETRIES = st.builds(
    lambda name, zeros, time: _Line(name + zeros + str(time).encode(), "retry", str(time)),
    st.sampled_from((b"retry: ", b"retry:")),
    st.sampled_from((b"", b"0", b"000")),
    st.integers(0, 100_000),
)
_COMMENTS = _VALUES.map(lambda value: _Line(b":" + value[1]))
_IGNORED = st.one_of(
    st.sampled_from(_UNKNOWN).map(_Line),
    st.sampled_from(_NO_TIMES).map(lambda value: _Line(b"retry: " + value.encode())),
    st.builds(
        lambda name, value: _Line(name + b": " + value[1]), st.sampled_from(_UNKNOWN), _VALUES
    ),
)
_LINES: st.SearchStrategy[list[_Line]] = st.lists(
    st.one_of(_fields(), _fields(), _RETRIES, _COMMENTS, _IGNORED), max_size=_MOST_LINES
)
_BLOCKS = st.lists(_LINES, max_size=_MOST_BLOCKS)


# Streams

_LINE_ENDS = st.sampled_from(
    [st.sampled_from(ends) for ends in ((b"\n",), (b"\r\n",), (b"\r",), (b"\n", b"\r\n", b"\r"))]
)
"""Those of a whole stream: of one kind, or mixed."""


@st.composite
def _streams(draw: st.DrawFn) -> Stream:
    ends = draw(_LINE_ENDS)
    meaning = _Meaning()
    body = b""
    for block in draw(_BLOCKS):
        for line in block:
            body += line.written + draw(ends)
            meaning.take(line)
        end = draw(ends)
        # A LF would make one line end of this one and a CR before it.
        body += b"\r" if end == b"\n" and body.endswith(b"\r") else end
        meaning.dispatch()
    rest = draw(_LINES)
    breaks_off = draw(st.booleans())
    unended = rest.pop() if rest and breaks_off else None
    for line in rest:
        body += line.written + draw(ends)
        meaning.take(line)
    if unended is not None:
        body += unended.written[: draw(st.integers(1, len(unended.written)))]
    if draw(st.booleans()) or body.startswith(BOM):  # one that is text needs one that is none
        body = BOM + body
        event("stream: BOM")
    event(f"stream: {len(meaning.events)} events")
    return Stream(body, meaning.events, meaning.retry, meaning.last_event_id)


class _Meaning:
    """What the lines of a stream come to, taken one by one."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.retry: int | None = None
        self.last_event_id = ""
        self._type, self._data, self._id = "", list[str](), ""

    def take(self, line: _Line) -> None:
        match line.name:
            case "data":
                self._data.append(line.value)
            case "event":
                self._type = line.value
            case "id":
                self._id = line.value
            case "retry":
                self.retry = int(line.value)
            case None:
                pass

    def dispatch(self) -> None:
        self.last_event_id = self._id
        if self._data:
            data = "\n".join(self._data)
            self.events.append(Event(self._type or "message", data, self.last_event_id))
        self._type, self._data = "", []
