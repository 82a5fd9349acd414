"""Which framing a body has, and where its frames end."""

from __future__ import annotations

import binascii
import re
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamtape.checks.conformance import CASES, Case
from streamtape.wire import eventstream, ndjson, sse
from streamtape.wire.eventstream import build_message
from streamtape.wire.framing import Framing, detect, event_reader, frame_ends

SSE = b'data: {"a": 1}\n\ndata: [DONE]\n\n'
NDJSON = b'{"a": 1}\n{"b": 2}\n'
AWS = build_message(b"", b'{"a": 1}') * 2
JSON = b'{\n  "error": {"code": 404}\n}\n'
JSON_LINE = b'{"error": "not found"}'
JSON_ARRAY = b'[{"a": 1}\n,\n{"a": 2}\n]\n'
HTML = b"<!DOCTYPE html>\n<html><body>\n\n<p>502 Bad Gateway</p>\n"
TEXT = b"Internal Server Error\n"
BINARY = bytes(range(256))

STREAM_TYPES = {
    "sse": "text/event-stream",
    "ndjson": "application/x-ndjson",
    "eventstream": "application/vnd.amazon.eventstream",
}
NAMES_OF_NDJSON = (
    *("json-lines", "jsonl", "jsonlines", "ndjson", "stream+json"),
    *("x-json-lines", "x-json-stream", "x-jsonl", "x-jsonlines", "x-ndjson"),
)
NO_HELP = (
    None,
    "",
    "**REDACTED**",
    "text/plain",
    "application/octet-stream",
    "application/json",
    ";",
    "a/b/c",
)
"""Content types that name no framing: none, filtered away, wrong, or malformed."""

SSE_PIECES = (
    *(b"\n", b"\r", b"\r\n", b"\xef\xbb\xbf", b" ", b":", b": c", b"data: a", b"id: 1", b"\v"),
    *(b"\xe2\x80\xa8", b"data: a\n\n", b"data: a\r\n\r\n", b"\xff"),
)
sse_bodies = st.lists(st.sampled_from(SSE_PIECES), max_size=20).map(b"".join)
A_FRAME = re.compile(
    rb"(?:\A\xef\xbb\xbf)?+(?:\r\n|\r|\n)*+"  # what belongs to the frame that follows
    rb"(?:[^\r\n]++(?:\r\n|\r|\n))++"  # lines with something in them
    rb"(?>\r\n|\r|\n)"  # the blank line
)


def reference_sse_ends(body: bytes) -> list[int]:
    """The ends of the frames, by a grammar of one whole frame."""
    ends = []
    at = 0
    while at < len(body):
        frame = A_FRAME.match(body, at)
        at = frame.end() if frame else len(body)
        ends.append(at)
    return ends


def split(body: bytes, ends: list[int]) -> list[bytes]:
    return [body[start:end] for start, end in zip([0, *ends], ends, strict=False)]


class TestDeclaredType:
    @pytest.mark.parametrize(
        ("content_type", "body", "framing"),
        [
            ("text/event-stream", SSE, "sse"),
            ("text/event-stream; charset=utf-8", SSE, "sse"),
            ("text/event-stream;", SSE, "sse"),
            (" Text/Event-Stream ;charset=windows-1252", SSE, "sse"),
            ("text/event-stream, text/event-stream", SSE, "sse"),
            *((f"application/{name}", NDJSON, "ndjson") for name in NAMES_OF_NDJSON),
            *((f"text/{name}", NDJSON, "ndjson") for name in ("jsonl", "ndjson", "x-ndjson")),
            ("Application/JSONL; charset=utf-8", NDJSON, "ndjson"),
            ("application/vnd.amazon.eventstream", AWS, "eventstream"),
        ],
    )
    def test_names_the_framing(self, content_type: str, body: bytes, framing: Framing) -> None:
        assert detect(body, content_type) == framing
        assert detect(b"", content_type) == framing

    @pytest.mark.parametrize(
        "body",
        [
            b"\n\n",
            b": ping\n\n",
            b"retry: 5\n\n",
            b"d",
            b"data: a",
            b"event: ping",
            b"foo: bar\n\n",
            b"upstream timed out",
            b"\xef\xbb\xbf: c\n\n",
            b"{}\ndata: a\n\n",
            b"<!-- odd -->\n\ndata: a\n\n",
            b": c\n\n" + JSON,
        ],
    )
    def test_is_trusted_for_what_may_be_sse(self, body: bytes) -> None:
        assert detect(body, "text/event-stream") == "sse"

    @pytest.mark.parametrize(
        "body", [b"\n", b"\r\n \n", JSON_LINE, b"1\n", b"[1]\n", b'{"a": ', b'{"a": 1}\n{"b']
    )
    def test_is_trusted_for_what_may_be_ndjson(self, body: bytes) -> None:
        assert detect(body, "application/x-ndjson") == "ndjson"

    @pytest.mark.parametrize("body", [b"plain", b"1 2", b"\n<!doctype html>", b'[{"a": 1},'])
    def test_of_ndjson_is_not_trusted_over_a_line_that_breaks_off_and_is_no_object(
        self, body: bytes
    ) -> None:
        assert detect(body, "application/x-ndjson") == "raw"

    @pytest.mark.parametrize("body", [AWS[:5], AWS[:12], AWS + b"rest", AWS[:20]])
    def test_is_trusted_for_what_may_be_messages(self, body: bytes) -> None:
        assert detect(body, "application/vnd.amazon.eventstream") == "eventstream"

    @pytest.mark.parametrize("framing", STREAM_TYPES)
    @pytest.mark.parametrize(
        "body",
        [
            JSON,
            JSON_ARRAY,
            HTML,
            HTML + SSE,
            b"<html>\ndata: a\n\n",
            b" \n" + JSON,
            b"\xef\xbb\xbf" + JSON,
        ],
    )
    def test_is_not_trusted_over_a_document(self, framing: Framing, body: bytes) -> None:
        assert detect(body, STREAM_TYPES[framing]) == "raw"

    @pytest.mark.parametrize(
        "body",
        [JSON_LINE, b'"not found"\n', b"null", b"[]", b'{"error": {"mess', b"[" * 9999, b"<a/>"],
    )
    def test_of_sse_is_not_trusted_over_a_document_of_one_line(self, body: bytes) -> None:
        assert detect(body, "text/event-stream") == "raw"

    @pytest.mark.parametrize("body", [TEXT, BINARY, b"{\n"])
    def test_of_ndjson_is_not_trusted_over_what_is_no_json(self, body: bytes) -> None:
        assert detect(body, "application/x-ndjson") == "raw"

    @pytest.mark.parametrize("declared", STREAM_TYPES)
    @pytest.mark.parametrize(
        ("framing", "body"), [("sse", SSE), ("ndjson", NDJSON), ("eventstream", AWS)]
    )
    def test_of_another_stream_gives_way_to_the_body(
        self, declared: Framing, framing: Framing, body: bytes
    ) -> None:
        assert detect(body, STREAM_TYPES[declared]) == framing


@pytest.mark.parametrize("content_type", NO_HELP)
class TestLook:
    """Without a type that helps, the body has to speak for itself."""

    def test_an_empty_body_says_nothing(self, content_type: str | None) -> None:
        assert detect(b"", content_type) == "raw"

    @pytest.mark.parametrize(
        "body",
        [
            SSE,
            SSE.replace(b"\n", b"\r\n"),
            SSE.replace(b"\n", b"\r"),
            b"\xef\xbb\xbf" + SSE,
            b"\n\n" + SSE,
            b": OPENROUTER PROCESSING\n\n" + SSE,
            b"event: ping\nid: 1\nretry: 5\n\n" + SSE,
            b"data\ndata: a\n\n",
            b"data: hello\n\n",
            b"data:hello\n\n: c\n\ndata: world",
            b"data: hello\n\nid",
            b"data: hello\n\neven",
            b'data: {"a": 1}\nev',
            b'data: {"a": 1}',
            b'data: {"a": 1}\n',
            b'data:{"a',
            b'event: a\ndata: {"a": 1}\n\nfoo: bar\n\n',
            b"data: [DONE]\n\n",
            b"data: {}\n\n" + BINARY,
        ],
    )
    def test_sse(self, content_type: str | None, body: bytes) -> None:
        assert detect(body, content_type) == "sse"

    @pytest.mark.parametrize(
        "body",
        [
            NDJSON,
            NDJSON.rstrip(),
            NDJSON.replace(b"\n", b"\r\n"),
            b"\xef\xbb\xbf" + NDJSON,
            b"\n" + NDJSON.replace(b"\n", b"\n\n"),
            NDJSON + b'{"c": ',
            b'{"long": ' + b"9" * 5000 + b"}\n{}",
            '{"a": "\u2028"}\n{"b": "\x85"}\n'.encode(),
        ],
    )
    def test_ndjson(self, content_type: str | None, body: bytes) -> None:
        assert detect(body, content_type) == "ndjson"

    @pytest.mark.parametrize("body", [AWS, AWS[:12], AWS + b"rest"])
    def test_messages(self, content_type: str | None, body: bytes) -> None:
        assert detect(body, content_type) == "eventstream"

    @pytest.mark.parametrize(
        "body",
        [
            *(
                JSON,
                JSON_LINE,
                JSON_LINE + b"\n",
                JSON_ARRAY,
                HTML,
                TEXT,
                BINARY,
                b"\n\n",
                b" ",
                b"\0" * 40,
            ),
            *(
                b"[" * 9999,
                b"{" * 9999,
                b'{"a":' * 9999,
                AWS[:11],
                b"\xff\xfe",
                b"\xef\xbb\xbf",
                b"data",
            ),
            # text that has something of a stream
            b"data: hello",
            b"data: hello\n",
            b"data: hello\nmore\n\n",
            b"data: 5\n\nname: x\n",
            b"id: 5\nname: x\n",
            b"id: 5\n\nevent: party\n",
            b"event: party\n\n",
            b": ping\n\n",
            b":Author: me\n:Date: today\n\nTitle\n=====\n\ndata: a\n\n",
            b"Data: a\n\n",
            b" data: a\n\n",
            b"Dear all,\n\ndata: a\n\n",
            b"database: a\n\ndata: a\n\n",
            b"name: x\n\ndata: {}\n\n",
            # JSON that has something of lines
            b'{"a": 1}\n',
            b'{"a": 1}\n[2]\n',
            b'{"a": 1}\ntext\n',
            b'{"a": 1}\n{"b": 2}\ntext',
            b'{"a": 1}\n{"b": 2}\n}\n',
            b'{"a": 1}\n{"b": \n{"c": 3}\n',
            b'{"a": 1}\n{"b": 2}\n{"c": \n{"d": 4}\n',
            b'{"a": 1}\n{"b": ',
            b"1\n2\n",
            b'"a"\n"b"\n',
            b"{}, {}\n{}, {}\n",
        ],
    )
    def test_neither(self, content_type: str | None, body: bytes) -> None:
        assert detect(body, content_type) == "raw"


@given(st.binary(max_size=60) | sse_bodies, st.sampled_from([*NO_HELP, *STREAM_TYPES.values()]))
def test_nothing_raises(body: bytes, content_type: str | None) -> None:
    framing = detect(body, content_type)
    reader = event_reader(framing)
    if reader is not None:
        reader.feed(body)
        reader.finish()
    assert frame_ends(framing, body)[-1:] == ([len(body)] if body and framing != "raw" else [])


class TestFramesOfSse:
    @pytest.mark.parametrize(
        ("frames"),
        [
            [],
            [b"data: a\n\n"],
            [b"data: a\n\n", b"data: b\n\n"],
            [b"data: a\r\n\r\n", b"data: b\r\n\r\n"],
            [b"data: a\r\r", b"data: b\r\r"],
            [b"data: a\r\n\n", b"data: b\n\r\n", b"data: c\r\r\n", b"data: d\n\r"],
            [b"data: a\n\n", b"\n\ndata: b\n\n"],
            [b"\xef\xbb\xbfdata: a\n\n", b"data: b\n\n"],
            [b"\xef\xbb\xbf\n\r\n\rdata: a\n\n"],
            [b"data: a\n\n", b"\xef\xbb\xbf\n\n"],
            [b": ping\n\n", b":\n\n", b"data: a\n\n"],
            [b": ping\ndata: a\n\n"],
            [b"data: a\n\n", b"data: b\n"],
            [b"data: a\n\n", b"data: b"],
            [b"data: a\n\n", b"\n"],
            [b"data: a\r\n\r\n", b"\r\n"],
            [b"data: a\r\n"],
            [b"\n\n\n"],
            [b"\xef\xbb\xbf"],
            [b"data: a\n \n\n", b"\v\n\n"],
        ],
    )
    def test_table(self, frames: list[bytes]) -> None:
        body = b"".join(frames)
        assert split(body, frame_ends("sse", body)) == frames
        assert split(body, reference_sse_ends(body)) == frames

    @given(sse_bodies | st.binary(max_size=40))
    @example(b"\xef\xbb\xbf\r\n\r\ndata: a\r\n\r")
    def test_any_bytes(self, body: bytes) -> None:
        assert frame_ends("sse", body) == reference_sse_ends(body)

    @given(sse_bodies)
    def test_a_frame_has_at_most_one_event_and_has_it_whole(self, body: bytes) -> None:
        ends = frame_ends("sse", body)
        assert ends == sorted(set(ends))
        decoder = sse.Decoder()
        found = [decoder.feed(frame) for frame in split(body, ends)]
        assert all(len(events) <= 1 for events in found)
        assert [event for events in found for event in events] == sse.decode(body)

    @given(
        st.lists(
            st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"])), max_size=5
        )
    )
    def test_a_frame_for_each_event(self, data: list[str]) -> None:
        events = [sse.Event(data=text) for text in data]
        body = sse.encode(events)
        frames = split(body, frame_ends("sse", body))
        assert [sse.decode(frame) for frame in frames] == [[event] for event in events]

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
    def test_the_frames_of_each_case_have_its_events(self, case: Case) -> None:
        ends = frame_ends("sse", case.body)
        assert ends == reference_sse_ends(case.body)
        decoder = sse.Decoder()
        found = [decoder.feed(frame) for frame in split(case.body, ends)]
        assert tuple(event for events in found for event in events) == case.events

    @pytest.mark.parametrize("piece", [b"\n", b"\r", b"\r\n", b"a", b"a\n", b"a\n\n", b"\n\na"])
    def test_monotonous_bodies(self, piece: bytes) -> None:
        body = piece * 20_000
        ends = frame_ends("sse", body)
        assert ends[-1] == len(body)
        assert len(ends) == {b"a\n\n": 20_000, b"\n\na": 20_000}.get(piece, 1)


class TestByFraming:
    def test_frame_ends(self) -> None:
        assert frame_ends("sse", SSE) == [16, 30]
        assert frame_ends("ndjson", NDJSON) == [9, 18]
        assert frame_ends("eventstream", AWS) == [24, 48]
        assert frame_ends("raw", SSE) == []

    @pytest.mark.parametrize("framing", ["sse", "ndjson", "eventstream", "raw"])
    def test_an_empty_body_has_no_frames(self, framing: Framing) -> None:
        assert frame_ends(framing, b"") == []

    def test_event_reader(self) -> None:
        assert isinstance(event_reader("sse"), sse.Decoder)
        assert isinstance(event_reader("ndjson"), ndjson.Reader)
        assert isinstance(event_reader("eventstream"), eventstream.Reader)
        assert event_reader("raw") is None

    def test_each_reader_is_new(self) -> None:
        assert event_reader("sse") is not event_reader("sse")


def test_a_prelude_with_a_wrong_checksum_is_no_message() -> None:
    lengths = struct.pack(">II", 16, 0)
    right = lengths + struct.pack(">I", binascii.crc32(lengths))
    assert detect(right, None) == "eventstream"
    assert detect(lengths + b"\0\0\0\0", "application/vnd.amazon.eventstream") == "raw"
