"""Amazon's binary event stream, ``application/vnd.amazon.eventstream``: messages with checksums.

The source is the "Event stream encoding" of Amazon's SDKs. All numbers are big-endian::

    total length   u32   of the whole message, itself and both checksums included
    headers length u32
    prelude CRC    u32   CRC-32 of the 8 bytes before it
    headers              each: name length u8, name, type u8, value as its type says
    payload
    message CRC    u32   CRC-32 of everything before it

A filter that changes a payload uses `read_messages` and `build_message`: the headers stay the
bytes that they were, lengths and checksums are made anew.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from uuid import UUID
from zlib import crc32

from streamtape.wire.sse import Event

HeaderValue = bool | int | bytes | str | UUID
"""A header's value. A timestamp is an int too: milliseconds since 1970-01-01T00:00:00Z."""

_LENGTHS = struct.Struct(">II")
_U32 = struct.Struct(">I")
PRELUDE_LENGTH = _LENGTHS.size + _U32.size
"""Bytes in the prelude of a message: two lengths and their checksum."""

_FRAMING = PRELUDE_LENGTH + _U32.size
"""Bytes in a message that are neither headers nor payload."""

_FIXED = {
    2: struct.Struct(">b"),
    3: struct.Struct(">h"),
    4: struct.Struct(">i"),
    5: struct.Struct(">q"),
    8: struct.Struct(">q"),
}
"""Header types that are one number: byte, short, int, long, timestamp."""

_TYPE_HEADERS = (":event-type", ":exception-type", ":error-code")
"""The headers that name what a message is, for the three values of ``:message-type``."""


class _CorruptError(Exception):
    """The bytes are no message: a checksum or a length is wrong."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``headers`` are the raw bytes of its headers, see `parse_headers`."""

    headers: bytes
    payload: bytes

    def event(self) -> Event:
        """The message as an event.

        Its type is the header ``:event-type``, ``:exception-type`` or ``:error-code``, whichever
        there is, else ``"message"``. Its data is the payload; what is no UTF-8 becomes U+FFFD.
        """
        headers = parse_headers(self.headers)
        names = (headers.get(name) for name in _TYPE_HEADERS)
        event_type = next((name for name in names if isinstance(name, str) and name), "message")
        return Event(event_type, self.payload.decode("utf-8", "replace"))


class Reader:
    """Turns the bytes of an event stream into events, in whatever pieces the bytes come.

    Each message is an event, returned by the `feed` that brings its last byte. Nothing that is fed
    raises: the events stop before the first message that has a wrong checksum or length, since
    after it no message can be found again.
    """

    __slots__ = ("_buffer", "_corrupt")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._corrupt = False

    def feed(self, data: bytes) -> list[Event]:
        """The events that *data*, the next bytes of the stream, completes."""
        if self._corrupt:
            return []
        self._buffer += data
        events: list[Event] = []
        start = 0
        try:
            while (found := _message_at(self._buffer, start)) is not None:
                message, start = found
                events.append(message.event())
        except _CorruptError:
            self._corrupt = True
            self._buffer.clear()
        del self._buffer[:start]
        return events

    def finish(self) -> list[Event]:
        """Always empty: a message whose last bytes never came has no checksum to trust it by."""
        return []


def read_messages(body: bytes) -> tuple[list[Message], bytes]:
    """The messages at the start of *body*, and the bytes after the last one.

    The rest is empty unless the body was cut off or is corrupt. Never raises.
    """
    messages: list[Message] = []
    start = 0
    try:
        while (found := _message_at(body, start)) is not None:
            message, start = found
            messages.append(message)
    except _CorruptError:
        pass
    return messages, body[start:]


def build_message(headers: bytes, payload: bytes) -> bytes:
    """The wire form of a message: raw *headers* (as in `Message.headers`) and *payload*."""
    lengths = _LENGTHS.pack(_FRAMING + len(headers) + len(payload), len(headers))
    message = b"".join((lengths, _U32.pack(crc32(lengths)), headers, payload))
    return message + _U32.pack(crc32(message))


def parse_headers(raw: bytes) -> dict[str, HeaderValue]:
    """The names and values in *raw*. Never raises: parsing stops at the first malformed header."""
    headers: dict[str, HeaderValue] = {}
    offset = 0
    try:
        while offset < len(raw):
            name_end = offset + 1 + raw[offset]
            name = raw[offset + 1 : name_end].decode("utf-8", "replace")
            value, offset = _header_value(raw, name_end + 1, raw[name_end])
            headers[name] = value
    except (IndexError, struct.error, _CorruptError):
        pass
    return headers


def starts_message(body: bytes) -> bool:
    """Whether *body* opens with the prelude of a message, its checksum right."""
    try:
        return _lengths_at(body, 0) is not None
    except _CorruptError:
        return False


def frame_ends(body: bytes) -> list[int]:
    """The offset at which each message of *body* ends, ascending; the last is the length of *body*.

    What is left after the last whole and correct message is one frame. An empty body has none.
    """
    ends: list[int] = []
    offset = 0
    messages, rest = read_messages(body)
    for message in messages:
        offset += _FRAMING + len(message.headers) + len(message.payload)
        ends.append(offset)
    if rest:
        ends.append(len(body))
    return ends


def _lengths_at(data: bytes | bytearray, start: int) -> tuple[int, int] | None:
    """The lengths of the message at *start* and of its headers; None: its prelude is not whole."""
    if len(data) - start < PRELUDE_LENGTH:
        return None
    total, headers_length = _LENGTHS.unpack_from(data, start)
    (checksum,) = _U32.unpack_from(data, start + _LENGTHS.size)
    right = checksum == crc32(data[start : start + _LENGTHS.size])
    if not right or total < _FRAMING + headers_length:
        raise _CorruptError
    return total, headers_length


def _message_at(data: bytes | bytearray, start: int) -> tuple[Message, int] | None:
    """The message at *start* and the offset of its end; None while it is incomplete."""
    lengths = _lengths_at(data, start)
    if lengths is None:
        return None
    total, headers_length = lengths
    end = start + total
    if len(data) < end:
        return None
    crc_start = end - _U32.size
    (checksum,) = _U32.unpack_from(data, crc_start)
    if checksum != crc32(data[start:crc_start]):
        raise _CorruptError
    headers_start = start + PRELUDE_LENGTH
    headers_end = headers_start + headers_length
    headers = bytes(data[headers_start:headers_end])
    return Message(headers, bytes(data[headers_end:crc_start])), end


def _header_value(raw: bytes, start: int, kind: int) -> tuple[HeaderValue, int]:
    """The value of type *kind* at *start* of *raw*, and the offset after it."""
    if kind in (0, 1):
        return kind == 0, start
    if kind in _FIXED:
        number = _FIXED[kind]
        (value,) = number.unpack_from(raw, start)
        return value, start + number.size
    if kind in (6, 7):
        (length,) = struct.unpack_from(">H", raw, start)
        start += 2
    elif kind == 9:
        length = 16
    else:
        raise _CorruptError
    end = start + length
    if end > len(raw):
        raise _CorruptError
    piece = raw[start:end]
    if kind == 7:
        return piece.decode("utf-8", "replace"), end
    return (UUID(bytes=piece) if kind == 9 else piece), end
