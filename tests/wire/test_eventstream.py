"""Amazon's event stream: messages to events, and back with another payload."""

from __future__ import annotations

import binascii
import struct
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtape.wire.eventstream import (
    Message,
    Reader,
    build_message,
    frame_ends,
    parse_headers,
    read_messages,
    starts_message,
)
from streamtape.wire.sse import Event

# Two messages as other implementations write them (the test vectors of Amazon's SDKs).
EMPTY = bytes.fromhex("00000010 00000000 05c248eb 7d98c8ff")
WITH_HEADER = (
    bytes.fromhex("0000003d 00000020 07fd8396")
    + b"\x0ccontent-type\x07\x00\x10application/json"
    + b"{'foo':'bar'}"
    + bytes.fromhex("8d9c08b1")
)


def checksum(data: bytes) -> bytes:
    return binascii.crc32(data).to_bytes(4, "big")


def wire(headers: bytes, payload: bytes) -> bytes:
    """A message put together by the letter of the format."""
    total = 4 + 4 + 4 + len(headers) + len(payload) + 4
    start = total.to_bytes(4, "big") + len(headers).to_bytes(4, "big")
    start += checksum(start)
    start += headers + payload
    return start + checksum(start)


def header(name: str, kind: int, value: bytes) -> bytes:
    return bytes([len(name)]) + name.encode() + bytes([kind]) + value


def text_header(name: str, value: str) -> bytes:
    return header(name, 7, struct.pack(">H", len(value.encode())) + value.encode())


CHUNK = wire(
    text_header(":event-type", "chunk") + text_header(":message-type", "event"),
    '{"p":"é"}'.encode(),
)
ERROR = wire(text_header(":exception-type", "throttlingException"), b'{"message":"slow down"}')
messages = st.builds(
    wire,
    st.sampled_from([b"", text_header(":event-type", "chunk"), header("n", 4, b"\0\0\0\1")]),
    st.binary(max_size=20),
)


def read(*pieces: bytes) -> list[Event]:
    reader = Reader()
    events = [event for piece in pieces for event in reader.feed(piece)]
    return events + reader.finish()


def test_the_vectors_of_others() -> None:
    assert wire(b"", b"") == build_message(b"", b"") == EMPTY
    assert read(EMPTY, WITH_HEADER) == [Event(), Event(data="{'foo':'bar'}")]
    (message,), rest = read_messages(WITH_HEADER)
    assert parse_headers(message.headers) == {"content-type": "application/json"}
    assert build_message(message.headers, message.payload) == WITH_HEADER
    assert rest == b""


class TestEvents:
    def test_event_type(self) -> None:
        assert read(CHUNK) == [Event("chunk", '{"p":"é"}')]

    def test_exception_type(self) -> None:
        assert read(ERROR) == [Event("throttlingException", '{"message":"slow down"}')]

    def test_error_code(self) -> None:
        assert read(wire(text_header(":error-code", "InternalFailure"), b"")) == [
            Event("InternalFailure")
        ]

    @pytest.mark.parametrize(
        "headers",
        [b"", text_header(":event-type", ""), header(":event-type", 0, b""), b"\xff", b"\x05ab"],
    )
    def test_message_where_no_header_says(self, headers: bytes) -> None:
        assert read(wire(headers, b"a")) == [Event("message", "a")]

    def test_a_payload_of_no_utf8_is_replaced(self) -> None:
        assert read(wire(b"", b"a\xff")) == [Event(data="a\ufffd")]

    def test_at_every_cut(self) -> None:
        body = CHUNK + EMPTY + ERROR
        events = [
            Event("chunk", '{"p":"é"}'),
            Event(),
            Event("throttlingException", '{"message":"slow down"}'),
        ]
        for cut in range(len(body) + 1):
            assert read(body[:cut], b"", body[cut:]) == events
        assert read(*(body[at : at + 1] for at in range(len(body)))) == events

    def test_known_at_the_last_byte(self) -> None:
        reader = Reader()
        assert reader.feed(CHUNK[:-1]) == []
        assert reader.feed(CHUNK[-1:] + CHUNK[:5]) == [Event("chunk", '{"p":"é"}')]

    def test_an_unfinished_message_is_discarded(self) -> None:
        assert read(CHUNK, CHUNK[:-1]) == [Event("chunk", '{"p":"é"}')]


class TestCorruptInput:
    @pytest.mark.parametrize("at", range(len(CHUNK)))
    def test_a_wrong_byte_anywhere_ends_the_events(self, at: int) -> None:
        broken = bytearray(CHUNK)
        broken[at] ^= 0x40
        body = ERROR + broken + ERROR
        expected = read(ERROR)
        assert read(body) == expected
        assert read(*(body[at : at + 1] for at in range(len(body)))) == expected
        assert frame_ends(body) == [len(ERROR), len(body)]

    @pytest.mark.parametrize(
        ("total", "headers"), [(0, 0), (15, 0), (16, 1), (20, 2**32 - 1), (12, 0)]
    )
    def test_lengths_that_contradict_each_other(self, total: int, headers: int) -> None:
        prelude = struct.pack(">II", total, headers)
        body = prelude + checksum(prelude) + b"\0" * 40
        assert read(body) == []
        assert not starts_message(body)
        assert frame_ends(body) == [len(body)]

    def test_a_message_longer_than_the_body_is_unfinished(self) -> None:
        prelude = struct.pack(">II", 2**32 - 1, 0)
        body = CHUNK + prelude + checksum(prelude) + b"abc"
        assert read(body) == read(CHUNK)
        assert read_messages(body)[1] == body[len(CHUNK) :]
        assert frame_ends(body) == [len(CHUNK), len(body)]

    @given(st.lists(messages, max_size=3).map(b"".join), st.binary(max_size=40))
    def test_no_bytes_raise(self, start: bytes, rest: bytes) -> None:
        read(start + rest)
        found, left = read_messages(start + rest)
        assert b"".join(build_message(m.headers, m.payload) for m in found) + left == start + rest


class TestHeaders:
    @pytest.mark.parametrize(
        ("kind", "value", "parsed"),
        [
            (0, b"", True),
            (1, b"", False),
            (2, b"\xff", -1),
            (3, b"\x80\x00", -32768),
            (4, b"\x00\x00\x01\x00", 256),
            (5, b"\xff" * 8, -1),
            (6, b"\x00\x02\x00\xff", b"\x00\xff"),
            (7, b"\x00\x02\xc3\xa9", "é"),
            (7, b"\x00\x00", ""),
            (7, b"\x00\x01\xff", "\ufffd"),
            (8, (1_700_000_000_123).to_bytes(8, "big"), 1_700_000_000_123),
            (9, bytes(range(16)), UUID(bytes=bytes(range(16)))),
        ],
    )
    def test_value_types(self, kind: int, value: bytes, parsed: object) -> None:
        raw = header("a", kind, value) + text_header("b", "c")
        found = parse_headers(raw)
        assert found == {"a": parsed, "b": "c"}
        assert type(found["a"]) is type(parsed)
        for end in range(len(header("a", kind, value))):
            assert parse_headers(raw[:end]) == {}

    def test_parsing_stops_at_an_unknown_type(self) -> None:
        assert parse_headers(
            text_header("a", "b") + header("c", 10, b"") + text_header("d", "e")
        ) == {"a": "b"}

    @given(st.binary(max_size=40))
    def test_no_bytes_raise(self, raw: bytes) -> None:
        parse_headers(raw)


class TestAnotherPayload:
    @given(st.binary(max_size=40), st.binary(max_size=40))
    def test_lengths_and_checksums_are_made_anew(self, before: bytes, after: bytes) -> None:
        headers = text_header(":event-type", "chunk")
        (message,), rest = read_messages(wire(headers, before))
        assert (message, rest) == (Message(headers, before), b"")
        assert build_message(message.headers, after) == wire(headers, after)


class TestFrames:
    @given(st.lists(messages, max_size=4), st.integers(0, 15))
    def test_a_frame_for_each_message_and_one_for_what_is_left(
        self, found: list[bytes], left: int
    ) -> None:
        rest = CHUNK[:left]
        body = b"".join(found) + rest
        ends = frame_ends(body)
        frames = [body[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        assert frames == found + [rest] * bool(rest)

    def test_an_empty_body_has_none(self) -> None:
        assert frame_ends(b"") == []


def test_starts_message() -> None:
    assert starts_message(CHUNK[:12])
    assert not starts_message(CHUNK[:11])
    assert not starts_message(b'{"message": "not a stream"}')


def test_a_large_message_byte_by_byte() -> None:
    body = wire(b"", b"x" * 200_000)
    reader = Reader()
    events = [event for at in range(len(body)) for event in reader.feed(body[at : at + 1])]
    assert events == [Event(data="x" * 200_000)]
