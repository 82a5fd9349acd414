"""The bytes that the replay server writes, and how connections end, seen by a plain socket."""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtape import Delivery, Ending, Tape
from streamtape.delivery import faults
from streamtape.server import ReplayServer, Wire, serve
from streamtape.server.wire import rechunked

BODY = b"data: one\n\ndata: two\n\ndata: [DONE]\n\n"
TAPE = Tape.of(BODY)
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
CLOSING = GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")


def connected(server: ReplayServer) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def rest(client: socket.socket) -> tuple[list[bytes], Literal["closed", "reset"]]:
    """What each read gives until the server ends it, and how it does."""
    reads: list[bytes] = []
    while True:
        try:
            data = client.recv(1 << 16)
        except ConnectionResetError:
            return reads, "reset"
        if not data:
            return reads, "closed"
        reads.append(data)


def exchanged(server: ReplayServer, request: bytes = CLOSING) -> tuple[list[bytes], str]:
    with connected(server) as client:
        client.sendall(request)
        return rest(client)


def test_each_chunk_is_one_write_and_one_transfer_chunk() -> None:
    with serve(TAPE) as server:
        reads, how = exchanged(server)
    head = "content-type: text/event-stream", "transfer-encoding: chunked", "connection: close"
    assert reads == [
        "\r\n".join(("HTTP/1.1 200 OK", *head, "", "")).encode(),
        b"b\r\ndata: one\n\n\r\n",
        b"b\r\ndata: two\n\n\r\n",
        b"e\r\ndata: [DONE]\n\n\r\n",
        b"0\r\n\r\n",
    ]
    assert how == "closed"
    [exchange] = server.log
    assert (exchange.how, exchange.chunks, exchange.chunks_taken) == ("complete", 3, 3)
    assert exchange.written == exchange.taken == sum(map(len, reads))


def test_transfer_chunks_have_a_size_of_their_own() -> None:
    with serve(TAPE, wire=Wire(chunk_size=8)) as server:
        reads, _ = exchanged(server)
    assert reads[1:] == [
        b"8\r\ndata: on\r\n8\r\ne\n\n",
        b"data:\r\n8\r\n two\n\n",
        b"da\r\n8\r\nta: [DON\r\n4\r\nE]\n\n\r\n",
        b"0\r\n\r\n",
    ]


@given(st.lists(st.binary(max_size=9)), st.integers(1, 12))
def test_chunks_of_any_size_say_the_same(pieces: list[bytes], size: int) -> None:
    written = list(rechunked(pieces, size))
    assert len(written) == len(pieces)
    left = b"".join(written)
    body, sizes = b"", []
    while left:
        line, left = left.split(b"\r\n", 1)
        length = int(line, 16)
        sizes.append(length)
        body += left[:length]
        assert left[length : length + 2] == b"\r\n"
        left = left[length + 2 :]
    assert body == b"".join(pieces)
    assert all(length == size for length in sizes[:-1])
    assert all(0 < length <= size for length in sizes)


def test_a_content_length_in_place_of_chunks() -> None:
    with serve(TAPE, wire=Wire(framing="content-length")) as server:
        reads, how = exchanged(server)
    assert b"content-length: 36\r\n" in reads[0]
    assert b"transfer-encoding" not in reads[0]
    assert (reads[1:], how) == ([chunk.data for chunk in TAPE.chunks], "closed")


def test_a_content_length_that_was_recorded_is_kept_up_to_date() -> None:
    recorded = replace(TAPE, headers=[("content-length", "9999"), ("content-type", "text/plain")])
    with serve(recorded) as server:
        reads, _ = exchanged(server)
    assert b"content-length: 36\r\n" in reads[0]


def test_a_body_that_breaks_off_is_shorter_than_its_content_length() -> None:
    delivery = Delivery(fault=faults.not_terminated(1))
    with serve(TAPE, wire=Wire(framing="content-length"), delivery=delivery) as server:
        reads, how = exchanged(server)
    assert b"content-length: 12\r\n" in reads[0]
    assert (reads[1:], how) == ([b"data: one\n\n"], "closed")


def test_a_body_that_ends_with_its_connection() -> None:
    with serve(TAPE, wire=Wire(framing="close")) as server:
        reads, how = exchanged(server, GET)
    assert b"connection: close\r\n" in reads[0]
    assert not re.search(rb"content-length|transfer-encoding", reads[0])
    assert (reads[1:], how) == ([chunk.data for chunk in TAPE.chunks], "closed")


def test_http_1_0_gets_no_chunks() -> None:
    with serve(TAPE) as server:
        reads, how = exchanged(server, b"GET / HTTP/1.0\r\n\r\n")
    assert b"transfer-encoding" not in reads[0]
    assert (b"".join(reads[1:]), how) == (BODY, "closed")


def test_a_connection_is_used_again() -> None:
    with serve(TAPE) as server:
        with connected(server) as client:
            for _ in range(3):
                client.sendall(GET)
                read = b""
                while not read.endswith(b"0\r\n\r\n"):
                    read += client.recv(1 << 16)
                assert read.count(b"HTTP/1.1 200") == 1
        assert [each.wait().connection for each in server.log] == [1, 1, 1]


def test_requests_that_come_at_once_are_answered_one_after_the_other() -> None:
    with serve([Tape.of(b"data: 1\n\n"), Tape.of(b"data: 2\n\n")]) as server:
        reads, _ = exchanged(server, GET + CLOSING)
    found = re.findall(rb"data: (\d)", b"".join(reads))
    assert found == [b"1", b"2"]


def test_a_connection_may_be_for_one_request() -> None:
    with serve(TAPE, wire=Wire(keep_alive=False)) as server:
        reads, how = exchanged(server, GET)
    assert b"connection: close\r\n" in reads[0]
    assert how == "closed"


def test_half_a_close_leaves_the_other_half_open() -> None:
    with serve(TAPE, wire=Wire(half_close=True)) as server:
        with connected(server) as client:
            client.sendall(GET)
            _, how = rest(client)
            assert how == "closed"
            assert server.log[0].wait().how == "complete"
            client.sendall(b"still here")
            client.sendall(b"and not reset")
            assert server.connections == 1


def test_a_client_may_close_its_half_and_read_on() -> None:
    with serve(TAPE, delivery=Delivery(cuts="bytes")) as server:
        with connected(server) as client:
            client.sendall(GET)
            client.shutdown(socket.SHUT_WR)
            reads, _ = rest(client)
        assert reads[-1] == b"0\r\n\r\n"
        assert len(reads) == len(BODY) + 2
        assert server.log[0].wait().how == "complete"


ERRORS = ["connect", "connect-timeout", "read", "read-timeout", "write", "pool", "protocol"]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("answered", [True, False])
def test_a_tape_breaks_as_its_ending_says(error: str, answered: bool) -> None:  # noqa: FBT001
    broken = TAPE.with_chunks(
        TAPE.chunks[:2] if answered else (),
        head_ns=0 if answered else None,
        ending=Ending("error", 0, error),
    )
    silent = error in ("connect-timeout", "read-timeout", "pool")
    with serve(broken) as server:
        with connected(server) as client:
            client.sendall(GET)
            if silent:
                expected = 3 if answered else 0
                reads = [client.recv(1 << 16) for _ in range(expected)]
                client.shutdown(socket.SHUT_WR)
                assert rest(client)[0] == []
                how = "client closed"
            else:
                reads, ended = rest(client)
                how = f"server {ended}"
                assert ended == ("closed" if error == "protocol" else "reset")
        assert server.log[0].wait().how == how
    assert reads[1:] == ([b"b\r\ndata: one\n\n\r\n", b"b\r\ndata: two\n\n\r\n"] if answered else [])


@pytest.mark.parametrize("kind", ["closed", "unfinished"])
def test_what_the_tape_does_not_know_is_a_reset(kind: Literal["closed", "unfinished"]) -> None:
    unknown = TAPE.with_chunks(TAPE.chunks[:2], ending=Ending(kind, 0))
    with serve(unknown) as server:
        reads, how = exchanged(server)
    assert (len(reads), how) == (3, "reset")
    assert "read past the end of a tape" in server.log[0].trouble


def test_a_client_that_resets_is_told_from_one_that_closes() -> None:
    with serve(TAPE, delivery=Delivery(fault=faults.read_timeout_after(1))) as server:
        with connected(server) as client:
            client.sendall(GET)
            client.recv(1 << 16)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert server.log[0].wait().how == "client reset"


def test_an_empty_chunk_is_no_write_and_never_the_end() -> None:
    with serve(TAPE, delivery=Delivery(cuts=(0, 11, 11, 36))) as server:
        reads, _ = exchanged(server)
    assert reads[1:] == [b"b\r\ndata: one\n\n\r\n", b"19\r\n" + BODY[11:] + b"\r\n", b"0\r\n\r\n"]
    assert server.log[0].chunks == 5


def test_head_and_no_content_have_no_body() -> None:
    empty = replace(TAPE, status=204, reason="No Content", chunks=(), framing="raw")
    with serve([TAPE, empty]) as server:
        head, _ = exchanged(server, CLOSING.replace(b"GET", b"HEAD"))
        nothing, _ = exchanged(server)
    assert [len(head), len(nothing)] == [1, 1]
    assert b"transfer-encoding: chunked" in head[0]
    assert nothing == [
        b"HTTP/1.1 204 No Content\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    ]


def test_a_body_that_waits_for_the_word_to_go_on() -> None:
    with serve(TAPE) as server, connected(server) as client:
        client.sendall(
            b"POST /x HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n"
            b"connection: close\r\n\r\n"
        )
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"ab")
        reads, _ = rest(client)
        assert reads[0].startswith(b"HTTP/1.1 200 OK\r\n")
        assert server.log[0].body == b"ab"


def test_a_head_cannot_be_broken_by_what_is_on_the_tape() -> None:
    odd = replace(TAPE, reason="a\r\nb: c", headers=[("x-odd", "1\r\n\r\n2"), ("x-é", "café ☕")])
    with serve(odd) as server:
        reads, _ = exchanged(server)
    assert reads[0].startswith(b"HTTP/1.1 200 a  b: c\r\nx-odd: 1    2\r\n")
    assert b"caf\xe9 ?\r\n" in reads[0]


def test_a_whole_url_is_asked_of_a_proxy() -> None:
    with serve(TAPE) as server:
        exchanged(server, CLOSING.replace(b" / ", b" http://api.test/v1/x?a=1 "))
    assert server.log[0].path == "/v1/x?a=1"
