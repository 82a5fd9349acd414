"""Newline-delimited JSON: lines to events."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamtape.wire.ndjson import Reader, frame_ends, is_json
from streamtape.wire.sse import Event

PIECES = (
    *(
        b"\n",
        b"\r\n",
        b"\r",
        b" ",
        b"\t",
        b"\f",
        b"\xef\xbb\xbf",
        b"\xe2\x80\xa8",
        b"\x85",
        b"\xff",
        b"\0",
    ),
    *(b"{}", b'{"a": 1}', b'{"a"', b"[", b"]", b"1", b'"', b"null", b"text"),
)
bodies = st.lists(st.sampled_from(PIECES), max_size=16).map(b"".join) | st.binary(max_size=30)


def read(*pieces: bytes) -> list[Event]:
    reader = Reader()
    events = [event for piece in pieces for event in reader.feed(piece)]
    return events + reader.finish()


def reference(body: bytes) -> list[str]:
    """The data of each event in *body* without its unfinished last line: on text, line by line."""
    body = body[: body.rfind(b"\n") + 1]
    text = body.decode("utf-8-sig", errors="replace")
    lines = (line.removesuffix("\r") for line in text.split("\n"))
    return [line for line in lines if set(line) - set(" \t\r")]


def test_each_line_is_an_event() -> None:
    assert read(b'{"a": 1}\n{"b": 2}\n') == [Event(data='{"a": 1}'), Event(data='{"b": 2}')]


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b"", []),
        (b"\n\r\n \t\n", []),
        (b"{}\r\n{}\r\n", ["{}", "{}"]),
        (b"\n\n{}\n\n \n{}\n\n", ["{}", "{}"]),
        (b" {} \n", [" {} "]),
        (b"\xef\xbb\xbf{}\n\xef\xbb\xbf{}\n", ["{}", "\ufeff{}"]),
        (b"\xef\xbb\xbf\n{}\n", ["{}"]),
        (b"\xef\xbb\xbf{}", ["{}"]),
        ('"a\u2028b\x85c"\n'.encode(), ['"a\u2028b\x85c"']),
        (b'{"a":\r1}\n', ['{"a":\r1}']),
        (b"\f\n", ["\f"]),
        (b"no JSON\n{\n", ["no JSON", "{"]),
        (b'"\xff"\n', ['"\ufffd"']),
    ],
)
def test_lines(body: bytes, data: list[str]) -> None:
    events = [Event(data=text) for text in data]
    assert read(body) == events
    for cut in range(len(body) + 1):
        assert read(body[:cut], b"", body[cut:]) == events
    assert read(*(body[at : at + 1] for at in range(len(body)))) == events


@pytest.mark.parametrize(
    ("rest", "data"),
    [
        (b'{"a": 1}', ['{"a": 1}']),
        (b'{"a": 1}\r', ['{"a": 1}']),
        (b'"\xff"', ['"\ufffd"']),
        (b"1" * 5000, ["1" * 5000]),
        (b"1e999", ["1e999"]),
        (b'{"a": ', []),
        (b'{"a": 1', []),
        (b"[" * 100_000, []),
        (b"text", []),
        (b"  ", []),
    ],
)
def test_a_last_line_without_a_line_end_counts_if_it_is_json(rest: bytes, data: list[str]) -> None:
    reader = Reader()
    assert reader.feed(b"{}\n" + rest) == [Event(data="{}")]
    assert reader.finish() == [Event(data=text) for text in data]
    assert reader.finish() == []


@given(bodies, st.lists(st.integers(0, 40), max_size=5))
@example(b"\xef\xbb\xbf\n", [1, 1])
def test_after_each_piece_are_known_exactly_the_lines_that_are_complete(
    body: bytes, offsets: list[int]
) -> None:
    cuts = sorted(min(offset, len(body)) for offset in offsets)
    reader = Reader()
    data: list[str] = []
    for start, end in pairwise([0, *cuts, len(body)]):
        data += [event.data for event in reader.feed(body[start:end])]
        assert data == reference(body[:end])
    assert len(reader.finish()) <= 1


def test_a_long_line_byte_by_byte() -> None:
    body = b'"' + b"x" * 200_000 + b'"\n'
    reader = Reader()
    events = [event for at in range(len(body)) for event in reader.feed(body[at : at + 1])]
    assert events == [Event(data='"' + "x" * 200_000 + '"')]


@pytest.mark.parametrize(
    ("body", "ends"),
    [
        (b"", []),
        (b"{}\n", [3]),
        (b"{}\r\n{}\n", [4, 7]),
        (b"{}\n{}", [3, 5]),
        (b"\n\n{}\n", [5]),
        (b"{}\n\n \n{}\n", [3, 9]),
        (b"{}\n\n", [3, 4]),
        (b"\n", [1]),
        (b"\xef\xbb\xbf\n{}\n", [7]),
        (b"{}\r{}\n", [6]),
    ],
)
def test_frames(body: bytes, ends: list[int]) -> None:
    assert frame_ends(body) == ends


@given(bodies)
def test_a_frame_for_each_event_and_one_for_what_is_left(body: bytes) -> None:
    ends = frame_ends(body)
    assert ends == sorted(set(ends))
    assert ends[-1:] == ([len(body)] if body else [])
    reader = Reader()
    events = [reader.feed(body[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    assert all(len(found) == 1 for found in events[:-1])
    assert [event.data for found in events for event in found] == reference(body)


@given(st.text() | st.binary().map(repr) | st.recursive(st.none(), st.lists).map(json.dumps))
def test_is_json(text: str) -> None:
    try:
        json.loads(text)
    except ValueError:
        assert not is_json(text.encode())
    else:
        assert is_json(text.encode())


def test_is_json_of_a_kind() -> None:
    assert is_json(b'{"a": 1}', dict)
    assert not is_json(b"[1]", dict)


def test_only_white_space_of_json_makes_a_line_blank() -> None:
    blank = [byte for byte in range(256) if not [*Reader().feed(bytes([byte, 0x0A]))]]
    assert bytes(blank) == b"\t\n\r "
    assert [byte for byte in range(256) if frame_ends(bytes([byte]) + b"\n1\n") == [4]] == blank
