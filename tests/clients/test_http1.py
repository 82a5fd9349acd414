"""HTTP/1.1 as bytes: the same however it is cut, and judged by other readers than h11."""

from __future__ import annotations

import http.client
import io
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtape import Chunk, Ending, Request, Tape
from streamtape.clients.http1 import NotHTTPError, RequestReader, ResponseBytes, ResponseTee
from streamtape.clients.playback import Playback
from streamtape.clients.routing import Play
from streamtape.clients.take import Take

REQUESTS = (
    b"GET /a?b=%20 HTTP/1.1\r\nHost: x.test\r\nX-Own: 1\r\n\r\n"
    b"POST /c HTTP/1.1\r\nhost: x.test\r\nContent-Length: 4\r\n\r\nbody"
    b"PUT http://other.test/d HTTP/1.1\r\nHost: x.test\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
)
READ = [
    Request("GET", "https://x.test/a?b=%20", [("Host", "x.test"), ("X-Own", "1")], b""),
    Request("POST", "https://x.test/c", [("host", "x.test"), ("Content-Length", "4")], b"body"),
    Request(
        "PUT",
        "http://other.test/d",
        [("Host", "x.test"), ("Transfer-Encoding", "chunked")],
        b"abcde",
    ),
]


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    at = [0, *sorted(cuts), len(data)]
    return [data[start:end] for start, end in pairwise(at)]


# --- requests -------------------------------------------------------------------------------------


@given(cuts=st.lists(st.integers(0, len(REQUESTS)), max_size=20))
@settings(max_examples=50)
def test_requests_are_the_same_however_they_are_cut(cuts: list[int]) -> None:
    reader = RequestReader("https://x.test")
    got = [request for piece in pieces_of(REQUESTS, cuts) for request in reader.feed(piece)]
    assert got == READ
    assert not reader.begun


def test_a_reader_knows_where_it_stands() -> None:
    reader = RequestReader("http://x.test")

    def stands() -> tuple[bool, bool]:
        return reader.begun, reader.waits_for_continue

    assert stands() == (False, False)
    head = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    assert reader.feed(head) == []
    assert stands() == (True, True)
    (request,) = reader.feed(b"{}")
    assert request.body == b"{}"
    assert stands() == (False, False)


def test_what_is_no_request_is_refused() -> None:
    with pytest.raises(NotHTTPError, match=r"no HTTP/1\.1"):
        RequestReader("http://x.test").feed(b"PRI * HTTP/2.0\r\n\r\n\0")


# --- responses, taken down ------------------------------------------------------------------------


def taken(pieces: list[bytes], *, method: str = "GET", eof: bool = True) -> Tape:
    now = [0]

    def clock() -> int:
        now[0] += 10
        return now[0]

    take = Take(Request(method, "http://x.test/"), 1, lambda _: None, clock=clock)
    tee = ResponseTee(take, method)
    for piece in pieces:
        asked = clock()
        tee.feed(asked, clock(), piece)
    if eof:
        tee.eof()
    tape = take.tape()
    times = [tape.head_ns or 0, *(chunk.at_ns for chunk in tape.chunks), tape.ending.at_ns]
    assert times == sorted(times)
    return tape


CHUNKED = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\nContent-Type: text/plain\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n5\r\nab\r\nc\r\n3\r\ndef\r\n0\r\n\r\n"
)
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nab\r\ncdef"
CLOSED = b"HTTP/1.0 200 OK\r\n\r\nab\r\ncdef"


@given(
    raw=st.sampled_from([CHUNKED, LENGTH, CLOSED]),
    cuts=st.lists(st.integers(0, len(CHUNKED)), max_size=20),
)
@settings(max_examples=100)
def test_a_response_is_the_same_however_it_is_cut(raw: bytes, cuts: list[int]) -> None:
    """The oracle is the standard library's reader."""

    class Fake:
        def makefile(self, _mode: str) -> Any:
            return io.BytesIO(raw)

    response = http.client.HTTPResponse(Fake())  # type: ignore[arg-type]
    response.begin()
    tape = taken(pieces_of(raw, [min(cut, len(raw)) for cut in cuts]))
    assert (tape.status, tape.reason) == (response.status, response.reason)
    assert tape.headers == response.getheaders()
    assert tape.body == response.read()
    assert tape.ending.kind == "eof"
    assert tape.http_version == f"HTTP/{response.version / 10}"


def test_a_transfer_chunk_is_a_chunk() -> None:
    assert [chunk.data for chunk in taken([CHUNKED]).chunks] == [b"ab\r\nc", b"def"]
    first, second = CHUNKED[:-20], CHUNKED[-20:]
    assert b"".join(chunk.data for chunk in taken([first, second]).chunks) == b"ab\r\ncdef"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (CHUNKED[:-5], "incomplete chunked read"),
        (LENGTH[:-2], "received 6 bytes, expected 8"),
        (b"", "Server disconnected without sending a response."),
        (LENGTH[:9], "Server disconnected without sending a response."),
        (b"nonsense\r\n\r\n", "illegal status line"),
        (CHUNKED[:-13] + b"zz\r\n", "illegal chunk header"),
    ],
)
def test_what_is_broken_is_a_protocol_error(raw: bytes, text: str) -> None:
    ending = taken([raw]).ending
    assert (ending.kind, ending.error) == ("error", "protocol")
    assert text in ending.text


@pytest.mark.parametrize(
    ("method", "raw"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 8\r\n\r\n"),
    ],
)
def test_what_has_no_body_ends_with_its_head(method: str, raw: bytes) -> None:
    tape = taken([raw], method=method, eof=False)
    assert (tape.ending.kind, tape.chunks) == ("eof", ())


@given(st.lists(st.binary(max_size=30), max_size=6))
@settings(max_examples=100)
def test_nothing_that_a_server_sends_raises(pieces: list[bytes]) -> None:
    assert taken(pieces).ending.kind in {"eof", "error"}


# --- responses, played ----------------------------------------------------------------------------


def sent(tape: Tape, method: str = "GET") -> tuple[ResponseBytes, bytes]:
    play = Play(tape, waits=False, trouble=lambda _: None)
    playback = Playback(play, accept_encoding=None, read_timeout=None, start_ns=0)
    playback.hand_over_head()
    out = ResponseBytes(playback, method)
    return out, out.head + b"".join(map(out.piece, playback.pieces)) + out.end


def streamed(*pieces: bytes, **changes: Any) -> Tape:
    chunks = [Chunk(0, piece) for piece in pieces]
    return Tape.of(b"").with_chunks(
        chunks, **{"framing": "sse", "ending": Ending("eof", 0), "headers": [], **changes}
    )


@given(st.lists(st.binary(max_size=30), max_size=8))
@settings(max_examples=100)
def test_a_tape_that_is_played_is_taken_down_again_as_it_was(pieces: list[bytes]) -> None:
    tape = streamed(*pieces)
    out, raw = sent(tape)
    assert out.end
    again = taken([raw], eof=False)
    assert [chunk.data for chunk in again.chunks] == [piece for piece in pieces if piece]
    assert again.ending.kind == "eof"


@pytest.mark.parametrize(
    ("tape", "method", "expected"),
    [
        (streamed(b"ab", headers=[("Content-Length", "2")]), "GET", b"2\r\nab\r\n0\r\n\r\n"),
        (streamed(b"ab", framing="raw", headers=[("Content-Length", "2")]), "GET", b"ab"),
        (streamed(b"ab", framing="raw", headers=[("Content-Length", "9")]), "GET", b"2\r\nab\r\n0"),
        (streamed(b"ab", framing="raw"), "GET", b"ab"),
        (streamed(b"a", b"b", framing="raw"), "GET", b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"),
        (streamed(headers=[("Content-Length", "9")]), "HEAD", b""),
        (streamed(b"ab", status=204), "GET", b""),
    ],
    ids=["stream", "length", "wrong length", "close", "several", "head", "204"],
)
def test_how_a_body_is_framed(tape: Tape, method: str, expected: bytes) -> None:
    _, raw = sent(tape, method)
    head, _, body = raw.partition(b"\r\n\r\n")
    assert body.startswith(expected)
    assert bool(body) == bool(expected)
    assert not (b"ontent-" in head and b"chunked" in head)


def test_a_length_that_was_not_reached_is_promised_again() -> None:
    broken = Ending("error", 0, "protocol", "cut")
    tape = streamed(b"ab", framing="raw", headers=[("Content-Length", "9")], ending=broken)
    out, raw = sent(tape)
    assert out.length == 9
    assert raw.endswith(b"Content-Length: 9\r\n\r\nab")


def test_a_header_is_never_two() -> None:
    tape = streamed(headers=[("X-Own", "a\r\nX-Other: b"), ("X-Far", "\u4e16")], reason="é")
    _, raw = sent(tape)
    lines = raw.split(b"\r\n")
    assert b"X-Own: a X-Other: b" in lines
    assert "X-Far: \u4e16".encode() in lines
    assert lines[0] == "HTTP/1.1 200 é".encode("latin-1")
