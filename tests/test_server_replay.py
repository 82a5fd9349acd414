"""The replay server: what answers a request, in which turn, and what the log says of it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest

import streamtape
from streamtape import Delivery, Request, Tape
from streamtape.delivery import faults, rewrites
from streamtape.delivery.change import Rewrite
from streamtape.server import BeyondLoopbackWarning, Exchange, Wire, serve
from streamtape.server.connection import Connection
from tests.streams import openai_chat

if TYPE_CHECKING:
    from pathlib import Path

BODY = b"data: one\n\ndata: caf\xc3\xa9\n\ndata: [DONE]\n\n"
TAPE = Tape.of(BODY)


def tape(text: str, method: str = "GET", url: str = "http://api.test/x", body: bytes = b"") -> Tape:
    request = Request(method, url, [("content-type", "application/json")], body)
    return Tape.of(f"data: {text}\n\n".encode(), request=request)


def get(url: str, **options: object) -> str:
    return httpx.get(url, trust_env=False, **options).text


def chunks_of(url: str) -> list[bytes]:
    with httpx.stream("GET", url, trust_env=False) as response:
        return list(response.iter_raw())


@pytest.mark.parametrize("cuts", ["recorded", "whole", "bytes", "events", (1, 15, 16)])
def test_the_client_gets_the_chunks_of_the_tape(cuts: str | tuple[int, ...]) -> None:
    delivery = Delivery(cuts=cuts)
    with serve(TAPE, delivery=delivery) as server:
        assert chunks_of(server.url) == [chunk.data for chunk in TAPE.deliver(delivery).chunks]


def test_the_head_is_the_tapes_without_what_belongs_to_its_connection() -> None:
    recorded = TAPE.with_chunks(
        TAPE.chunks,
        status=418,
        reason="Short and stout",
        headers=[("x-request-id", "7"), ("Connection", "keep-alive"), ("set-cookie", "a=1"),
                 ("set-cookie", "b=2"), ("transfer-encoding", "chunked")],
    )  # fmt: skip
    with serve(recorded) as server:
        response = httpx.get(server.url, trust_env=False)
    assert (response.status_code, response.reason_phrase) == (418, "Short and stout")
    assert response.headers.multi_items() == [
        ("x-request-id", "7"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("transfer-encoding", "chunked"),
    ]


def test_tapes_without_a_request_answer_all_in_order_again_and_again() -> None:
    tapes = [Tape.of(f"data: {n}\n\n".encode()) for n in range(3)]
    with serve(tapes) as server:
        seen = [get(f"{server.url}/{n}") for n in range(7)]
    assert seen == [f"data: {n % 3}\n\n" for n in range(7)]
    assert [each.interaction for each in server.log] == [1, 2, 3, 1, 2, 3, 1]


def test_method_path_and_query_choose_and_scheme_host_and_port_do_not() -> None:
    tapes = [
        tape("get"),
        tape("post", "POST"),
        tape("query", url="https://api.test:8443/x?a=1&b=2"),
    ]
    with serve(tapes) as server:
        url = f"{server.url}/x"
        assert get(url) == "data: get\n\n"
        assert httpx.post(url, trust_env=False).text == "data: post\n\n"
        assert get(f"{url}?b=2&a=1") == "data: query\n\n"


def test_the_body_chooses_where_several_match() -> None:
    one, two = (tape(n, "POST", body=b'{"n": %d, "m": 0}' % number)
                for number, n in ((1, "one"), (2, "two")))  # fmt: skip
    with serve([one, two]) as server:
        for number, text in ((2, "two"), (2, "two"), (1, "one")):
            answer = httpx.post(f"{server.url}/x", json={"m": 0, "n": number}, trust_env=False)
            assert answer.text == f"data: {text}\n\n"
        unknown = [httpx.post(f"{server.url}/x", json=n, trust_env=False).text for n in range(2)]
    assert unknown == ["data: one\n\n", "data: two\n\n"]


def test_a_secret_in_a_query_matches_what_the_cassette_kept_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    streamtape.save(path, [tape("kept", url="http://api.test/x?key=AIzaSyD-0123456789abcdef")])
    assert "AIza" not in path.read_text()
    with serve(path) as server:
        assert get(f"{server.url}/x?key=AIzaSyD-another-key-0123456") == "data: kept\n\n"


def test_no_match_is_a_404_that_names_the_nearest_and_is_in_the_log() -> None:
    with serve([tape("a"), tape("b", "POST", "http://api.test/y?q=1")]) as server:
        answer = httpx.get(f"{server.url}/x?n=1", trust_env=False)
        assert get(f"{server.url}/x") == "data: a\n\n"
    assert answer.status_code == 404
    assert answer.text == (
        "No recorded interaction matches GET /x?n=1 (the closest differ in query).\n"
        "Closest recorded requests:\n"
        "  1. GET /x\n"
        "     query differs: [('n', '1')] != []\n"
        "  2. POST /y?q=1\n"
        "     method differs: GET != POST\n"
        "     path differs: /x != /y\n"
        "     query differs: [('n', '1')] != [('q', '1')]\n"
    )
    missed, met = server.log
    assert (missed.status, missed.interaction, missed.trouble) == (404, None, answer.text.rstrip())
    assert (met.status, met.interaction, met.trouble) == (200, 1, "")


def test_a_fault_of_the_first_attempt_only_counts_the_requests() -> None:
    delivery = Delivery(fault=faults.first_attempt(faults.end_after(1)))
    with serve(TAPE, delivery=delivery) as server:
        assert [get(server.url) for _ in range(3)] == ["data: one\n\n", *[BODY.decode()] * 2]
    assert [each.attempt for each in server.log] == [1, 2, 2]


def test_an_event_source_resumes_and_is_told_to_stop() -> None:
    body = b"id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n"
    with serve(Tape.of(body), delivery=Delivery(fault=faults.reconnect(2))) as server:
        with pytest.raises(httpx.ReadError):
            get(server.url)
        resumed = get(server.url, headers={"last-event-id": "2"})
        stops = [httpx.get(server.url, trust_env=False).status_code for _ in range(2)]
        assert [each.wait().how for each in server.log][1:] == ["complete"] * 3
    assert streamtape.decode(resumed.encode())[-1].data == "c"
    assert "data: a" not in resumed
    assert stops == [204, 204]
    assert server.log[0].how == "server reset"


def test_a_client_may_choose_its_delivery_where_it_is_allowed() -> None:
    header = {"x-streamtape-delivery": "Delivery(rewrites=(rewrites.crlf(),))"}
    with serve(TAPE, control=True) as server:
        assert get(server.url, headers=header) == BODY.decode().replace("\n", "\r\n")
        assert get(server.url) == BODY.decode()
        refused, virtual = (
            httpx.get(server.url, headers={"x-streamtape-delivery": wrong}, trust_env=False)
            for wrong in ("eval('1')", "Delivery(pace='virtual')")
        )
    assert refused.status_code == virtual.status_code == 400
    assert "x-streamtape-delivery: no delivery: \"eval('1')\"" in refused.text
    assert "a server's time is real" in virtual.text
    assert server.log[0].delivery == repr(Delivery(rewrites=(rewrites.crlf(),)))
    with serve(TAPE) as server:
        assert get(server.url, headers=header) == BODY.decode()


def test_pages_of_any_origin_may_read() -> None:
    asks = {
        "origin": "http://localhost:5173",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-streamtape-delivery",
    }
    with serve(TAPE) as server:
        allowed = httpx.options(f"{server.url}/any", headers=asks, trust_env=False)
        read = httpx.get(server.url, headers={"origin": "http://localhost:5173"}, trust_env=False)
        plain = httpx.get(server.url, trust_env=False)
    assert allowed.status_code == 204
    assert allowed.headers["access-control-allow-methods"] == "POST"
    assert allowed.headers["access-control-allow-headers"] == asks["access-control-request-headers"]
    for response in (allowed, read):
        assert response.headers["access-control-allow-origin"] == "http://localhost:5173"
        assert response.headers["access-control-allow-credentials"] == "true"
    assert read.headers["access-control-expose-headers"] == "content-type"
    assert not [name for name in plain.headers if name.startswith("access-control-")]
    with serve(TAPE, cors=False) as server:
        read = httpx.get(server.url, headers=asks, trust_env=False)
    assert not [name for name in read.headers if name.startswith("access-control-")]


def test_a_coding_is_negotiated_and_flushed_at_each_chunk() -> None:
    coded = TAPE.with_chunks(TAPE.chunks, coding="gzip")
    with serve(coded, delivery=Delivery(cuts="events")) as server:
        with httpx.stream("GET", server.url, trust_env=False) as response:
            assert response.headers["content-encoding"] == "gzip"
            pieces = list(response.iter_bytes())
        plain = httpx.get(server.url, headers={"accept-encoding": "identity"}, trust_env=False)
    assert [piece for piece in pieces if piece] == [chunk.data for chunk in TAPE.chunks]
    assert "content-encoding" not in plain.headers
    assert plain.content == BODY


def test_no_chunk_comes_before_its_time_and_none_waits_for_the_one_before() -> None:
    timed = Tape.of(BODY, gap_ms=15)
    with serve(timed, delivery=Delivery(pace="recorded")) as server:
        with httpx.stream("GET", server.url, trust_env=False) as response:
            arrived = [(time.perf_counter_ns(), piece) for piece in response.iter_raw()]
    [exchange] = server.log
    text = b""
    for at_ns, piece in arrived:
        text += piece
        due = [chunk.at_ns for chunk, end in zip(timed.chunks, (11, 24, 38), strict=True)
               if end <= len(text)]  # fmt: skip
        assert at_ns - exchange.began_ns >= max(due, default=0)
    assert text == BODY
    assert exchange.ended_ns - exchange.began_ns >= timed.ending.at_ns


def test_a_seed_draws_the_same_deliveries_again() -> None:
    whole = Tape.of(b"".join(openai_chat()))

    def run(seed: int) -> list[str]:
        with serve(whole, fuzz=seed) as server:
            for _ in range(12):
                events = [e.data for e in streamtape.decode(get(server.url).encode())]
                assert events == [e.data for _, e in whole.events()]
        return [each.delivery for each in server.log]

    first = run(1)
    assert first == run(1)
    assert first != run(2)
    assert len(set(first)) > 6


def test_a_client_that_leaves_is_in_the_log_with_what_it_had() -> None:
    endless = Tape.of(b"data: x\n\n" * 50, gap_ms=20)
    heard: list[Exchange] = []
    with serve(endless, delivery=Delivery(pace="recorded"), heard=heard.append) as server:
        with httpx.stream("GET", server.url, trust_env=False) as response:
            next(response.iter_raw())
        left = server.log[0].wait()
        assert left.how == "client closed"
        assert 0 < left.chunks < 50
        assert 0 < left.taken <= left.written
        assert left.began_ns <= left.head_ns <= left.ended_ns
    assert heard == [left]


def test_a_read_past_what_was_recorded_breaks_and_is_in_the_log() -> None:
    body = b"".join(openai_chat())
    ending = streamtape.Ending("closed", 0)
    whole = Tape.of(body).with_chunks(Tape.of(body).chunks, ending=ending)
    part = Tape.of(body[:600]).with_chunks(Tape.of(body[:600]).chunks, ending=ending)
    with serve([whole, part]) as server:
        assert get(server.url) == body.decode()
        with pytest.raises(httpx.ReadError):
            get(server.url)
    assert [each.how for each in server.log] == ["complete", "server reset"]
    assert "read past the end of a tape" in server.log[1].trouble


def test_a_client_gets_no_byte_of_the_end_before_it_took_the_rest() -> None:
    """The server resets when the client has read what came before: a reset discards."""
    delivery = Delivery(cuts="bytes", fault=faults.reset_after(2))
    with serve(TAPE, delivery=delivery) as server:
        got = b""
        with pytest.raises(httpx.ReadError):
            with httpx.stream("GET", server.url, trust_env=False) as response:
                for piece in response.iter_raw():
                    got += piece
    assert got == BODY[:24]
    assert server.log[0].chunks_taken == 24


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_beside_asynchronous_code(backend: str) -> None:
    async def main() -> str:
        async with serve(TAPE) as server, httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(server.url)).text

    assert anyio.run(main, backend=backend) == BODY.decode()


def test_leaving_the_block_ends_what_runs_and_every_thread() -> None:
    before = set(threading.enumerate())
    with serve(TAPE, delivery=Delivery(fault=faults.read_timeout_after(1))) as server:
        with httpx.Client(trust_env=False) as client:
            with client.stream("GET", server.url) as response:
                pieces = response.iter_raw()
                assert next(pieces) == b"data: one\n\n"
                server.stop()
                with pytest.raises(httpx.TransportError):
                    next(pieces)
    assert [each.how for each in server.log] == ["stopped"]
    assert server.connections == 0
    assert set(threading.enumerate()) == before


def test_paths_and_tapes_may_be_mixed(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    streamtape.save(path, [tape("saved")])
    with serve([path, tape("made", url="http://api.test/y")]) as server:
        assert get(f"{server.url}/x") == "data: saved\n\n"
        assert get(f"{server.url}/y") == "data: made\n\n"


def test_what_cannot_be_served_is_said_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no tapes to serve"):
        serve([])
    with pytest.raises(ValueError, match="a server's time is real"):
        serve(TAPE, delivery=Delivery(pace="virtual"))
    with pytest.raises(FileNotFoundError):
        serve(tmp_path / "none.yaml")
    with pytest.raises(RuntimeError, match="no address yet"):
        _ = serve(TAPE).url
    with serve(TAPE) as server:
        with pytest.raises(RuntimeError, match="runs once"):
            server.__enter__()
        with pytest.raises(OSError, match="in use"), serve(TAPE, port=int(server.url[17:])):
            pass


def test_a_tape_that_the_delivery_is_not_for_is_an_error_of_the_server() -> None:
    def refuses(tape: Tape) -> Tape:
        raise ValueError(f"not for {len(tape.body)} bytes")

    rewrite = Rewrite("refuses", (), "it refuses", refuses)
    with serve(TAPE, delivery=Delivery(rewrites=(rewrite,))) as server:
        answer = httpx.get(server.url, trust_env=False)
    assert answer.status_code == 500
    assert server.log[0].trouble == answer.text.rstrip()


def test_beyond_loopback_is_warned_of() -> None:
    server = serve(TAPE, host="0.0.0.0")
    with pytest.warns(BeyondLoopbackWarning, match=r"listens on 0\.0\.0\.0"):
        server.__enter__()
    try:
        assert server.url.startswith("http://127.0.0.1:")
        assert get(server.url) == BODY.decode()
    finally:
        server.stop()


def test_the_other_loopback() -> None:
    with serve(TAPE, host="::1", delivery=Delivery(cuts="bytes")) as server:
        assert server.url.startswith("http://[::1]:")
        assert len(chunks_of(server.url)) == len(BODY)


@pytest.mark.parametrize(
    ("written", "wire"),
    [
        ("", Wire()),
        ("close", Wire(framing="close")),
        ("chunked, chunk-size=7", Wire(framing="chunked", chunk_size=7)),
        ("content-length,no-keep-alive,half-close",
         Wire(framing="content-length", keep_alive=False, half_close=True)),
    ],
)  # fmt: skip
def test_a_wire_is_read_from_words(written: str, wire: Wire) -> None:
    assert Wire.parse(written) == wire


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Wire.parse("chunk-size=x"), "unknown word 'chunk-size=x'"),
        (lambda: Wire.parse("chunk-size=0"), "must be 1 or more"),
        (lambda: Wire(framing="lines"), "unknown framing 'lines'"),
        (lambda: Wire(framing="close", chunk_size=3), "has no chunks"),
    ],
)
def test_what_is_no_wire_is_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_client_that_has_all_of_it_is_done_although_the_server_stops_before_it_looked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server was stopped while it waited for the last bytes to be read, and said «stopped»."""
    sent: list[bytes] = []
    send, taken = Connection.send, Connection.taken

    async def sending(self: Connection, data: bytes) -> None:
        sent.append(data)
        await send(self, data)

    async def taking(self: Connection) -> None:
        if sent[-1].endswith(b"0\r\n\r\n"):
            await anyio.sleep_forever()
        await taken(self)

    monkeypatch.setattr(Connection, "send", sending)
    monkeypatch.setattr(Connection, "taken", taking)
    with serve(Tape.of(b"data: one\n\ndata: two\n\n")) as server:
        assert httpx.get(server.url, trust_env=False).text == "data: one\n\ndata: two\n\n"
    (exchange,) = server.log
    assert (exchange.how, exchange.chunks_taken) == ("complete", 2)
