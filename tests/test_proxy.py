"""The recording proxy: what passes through it, and what it records."""

from __future__ import annotations

import gzip
import time
from typing import TYPE_CHECKING

import httpx
import pytest
import trio

import streamtape
from streamtape import CassetteError, Delivery, Tape
from streamtape.cassette.filters import Secrets
from streamtape.server import BeyondLoopbackWarning, Exchange, RecordingProxy, proxy
from streamtape.server import serve as replay
from tests.server import (
    Request,
    Response,
    apart,
    chunk,
    forever,
    gate,
    gated,
    hang,
    head,
    json_response,
    serve,
)
from tests.test_server_replay_wire import connected, exchanged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVENTS = [b"data: one\n\n", b"data: caf\xc3", b"\xa9\n\ndata: [DONE]\n\n"]
BODY = b"".join(EVENTS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cassettes" / "x.yaml"


def get(url: str, **options: object) -> httpx.Response:
    return httpx.get(url, trust_env=False, **options)


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that no server of the tests knows of."""
    give_up = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.005)


def chunks_of(url: str) -> list[bytes]:
    with httpx.stream("GET", url, trust_env=False) as response:
        return list(response.iter_raw())


def test_chunks_pass_and_are_recorded_as_the_upstream_wrote_them(path: Path) -> None:
    with serve(Response(*apart(EVENTS))) as upstream, proxy(upstream.url, path) as recorder:
        assert chunks_of(f"{recorder.url}/v1/x?a=%2Fb&c=") == EVENTS
        assert recorder.log[0].wait().how == "complete"
    assert recorder.saved
    [tape] = streamtape.load(path)
    assert [each.data for each in tape.chunks] == EVENTS
    assert (tape.framing, tape.status, tape.ending.kind, tape.timed) == ("sse", 200, "eof", True)
    assert tape.request.url == f"{upstream.url}/v1/x?a=%2Fb&c="
    assert tape.chunks[0].at_ns >= tape.head_ns > 0
    assert upstream.requests[0].target == "/v1/x?a=%2Fb&c="


def test_the_same_is_recorded_as_by_the_tee_inside_a_client(path: Path, tmp_path: Path) -> None:
    script = Response(
        head(201, [("content-type", "text/event-stream"), ("X-A", "1"), ("x-a", "2")], "Made"),
        *apart(EVENTS),
        coding="gzip",
    )
    inside = tmp_path / "inside.yaml"
    with serve(script) as upstream:
        with streamtape.use_cassette(inside, record_mode="all"):
            direct = get(upstream.url).content
        with proxy(upstream.url, path) as recorder:
            assert get(recorder.url).content == direct == BODY
    [one], [other] = streamtape.load(path), streamtape.load(inside)
    for name in ("status", "reason", "headers", "framing", "coding", "http_version", "body"):
        assert getattr(one, name) == getattr(other, name), name
    assert [each.data for each in one.chunks] == [each.data for each in other.chunks]
    assert (one.request.method, one.request.url.rstrip("/")) == (
        other.request.method,
        other.request.url.rstrip("/"),
    )
    dropped = {"connection"}
    assert one.request.headers == [h for h in other.request.headers if h[0] not in dropped]


def test_no_chunk_waits_for_the_next(path: Path) -> None:
    steps, gates = gated(EVENTS)
    with serve(Response(*steps)) as upstream, proxy(upstream.url, path) as recorder:
        with httpx.stream("GET", recorder.url, trust_env=False) as response:
            pieces = response.iter_raw()
            for event, opened in zip(EVENTS, gates, strict=True):
                assert next(pieces) == event
                opened.set()
            assert list(pieces) == []


def test_the_head_does_not_wait_for_the_body(path: Path) -> None:
    opened = gate()
    with (
        serve(Response(head(), opened, chunk(BODY))) as upstream,
        proxy(upstream.url, path) as recorder,
    ):
        with httpx.stream("GET", recorder.url, trust_env=False) as response:
            assert response.status_code == 200
            opened.set()
            assert response.read() == BODY


def test_a_request_arrives_as_it_was_sent_but_for_its_connection(path: Path) -> None:
    body = b'{"q": "caf\xc3\xa9"}'
    with serve(json_response({})) as upstream, proxy(f"{upstream.url}/base/", path) as recorder:
        httpx.post(
            f"{recorder.url}/v1/x",
            content=iter([body[:4], body[4:]]),
            headers=[
                ("X-Api", "1"),
                ("X-Api", "2"),
                ("Connection", "X-Hop, close"),
                ("X-Hop", "gone"),
                ("TE", "trailers"),
                ("Keep-Alive", "5"),
                ("Proxy-Authorization", "gone"),
                ("Accept-Encoding", "identity"),
            ],
            trust_env=False,
        ).raise_for_status()
    [request] = upstream.requests
    assert (request.method, request.target, request.body) == ("POST", "/base/v1/x", body)
    assert [(name.lower(), value) for name, value in request.headers] == [
        ("host", upstream.url.removeprefix("http://")),
        ("accept", "*/*"),
        ("user-agent", f"python-httpx/{httpx.__version__}"),
        ("x-api", "1"),
        ("x-api", "2"),
        ("accept-encoding", "identity"),
        ("content-length", str(len(body))),
    ]
    [tape] = streamtape.load(path)
    assert tape.request.url == f"{upstream.url}/base/v1/x"
    assert tape.request.body == body


def test_a_response_arrives_as_it_was_sent_but_for_its_connection(path: Path) -> None:
    headers = [
        ("Set-Cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("Connection", "x-hop"),
        ("X-Hop", "gone"),
        ("Keep-Alive", "timeout=5"),
        ("Content-Type", "text/plain; charset=latin-1"),
        ("x-text", "caf\xe9"),
    ]
    script = Response(head(418, headers, "Short and stout"), chunk("tea"), transfer="length")
    with serve(script) as upstream, proxy(upstream.url, path) as recorder:
        response = get(recorder.url)
    assert (response.status_code, response.reason_phrase) == (418, "Short and stout")
    assert [(k.decode(), v.decode("latin-1")) for k, v in response.headers.raw] == [
        ("Set-Cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("Content-Type", "text/plain; charset=latin-1"),
        ("x-text", "caf\xe9"),
        ("content-length", "3"),
    ]


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_a_content_coding_stays_on_the_way_and_is_taken_off_in_the_cassette(
    path: Path, coding: str
) -> None:
    script = Response(*apart(EVENTS), coding=coding)
    with serve(script) as upstream, proxy(upstream.url, path) as recorder:
        with httpx.stream("GET", recorder.url, trust_env=False) as response:
            raw = b"".join(response.iter_raw())
        assert response.headers["content-encoding"] == coding
        assert raw != BODY
        if coding == "gzip":
            assert gzip.decompress(raw) == BODY
        assert get(recorder.url).content == BODY
    tapes = streamtape.load(path)
    assert [(tape.coding, tape.body) for tape in tapes] == [(coding, BODY)] * 2


@pytest.mark.parametrize(
    ("method", "status", "transfer"),
    [
        ("HEAD", 200, "length"),
        ("HEAD", 200, "chunked"),
        ("GET", 204, "chunked"),
        ("GET", 304, "chunked"),
        ("GET", 200, "close"),
        ("GET", 200, "length"),
        ("OPTIONS", 200, "chunked"),
        ("DELETE", 404, "length"),
    ],
)
def test_every_kind_of_response_passes_and_the_connection_serves_on(
    path: Path, method: str, status: int, transfer: str
) -> None:
    has_body = method != "HEAD" and status not in (204, 304)

    def answer(request: Request) -> Response:
        del request
        steps = [chunk("some")] if has_body else []
        plain = [("content-length", "0")] if transfer == "length" and not has_body else []
        return Response(head(status, plain), *steps, transfer=transfer)

    with serve(answer) as upstream, proxy(upstream.url, path) as recorder:
        with httpx.Client(trust_env=False) as client:
            seen = [client.request(method, recorder.url) for _ in range(2)]
        connections = {exchange.wait().connection for exchange in recorder.log}
    assert [(r.status_code, r.content) for r in seen] == [
        (status, b"some" if has_body else b"")
    ] * 2
    assert len(connections) == 1
    assert [tape.body for tape in streamtape.load(path)] == [seen[0].content] * 2


def test_one_who_speaks_http_1_0_gets_the_end_of_the_connection_as_the_bodys(path: Path) -> None:
    with serve(Response(*apart(EVENTS))) as upstream, proxy(upstream.url, path) as recorder:
        reads, how = exchanged(recorder, b"GET / HTTP/1.0\r\nhost: x\r\n\r\n")
    assert how == "closed"
    assert b"".join(reads).partition(b"\r\n\r\n")[2] == BODY


def test_secrets_are_filtered_and_the_upstream_gets_them(path: Path) -> None:
    key = "sk-proj-" + "a1B2" * 12
    script = Response(chunk(f"data: {key}\n\n"))
    with (
        serve(script) as upstream,
        proxy(upstream.url, path, secrets=Secrets(headers=["x-mine"])) as recorder,
    ):
        response = get(
            f"{recorder.url}/?api_key={key}",
            headers={"authorization": f"Bearer {key}", "x-mine": "quite private"},
        )
    assert key in response.text
    [request] = upstream.requests
    assert request.header("authorization") == f"Bearer {key}"
    assert key in request.target
    written = path.read_text()
    assert key not in written
    assert "private" not in written


def test_redirects_are_passed_on_and_lead_to_the_proxy_where_they_led_to_the_upstream(
    path: Path,
) -> None:
    upstream_url = ""
    locations = {
        "/base/a": ("{up}/base/b?x=1#y", "{proxy}/b?x=1#y"),
        "/base/b": ("/base/c", "/c"),
        "/base/c": ("{up}/elsewhere", "{up}/elsewhere"),
        "/base/d": ("https://other.test/base/x", "https://other.test/base/x"),
        "/base/e": ("next", "next"),
        "/base/f": ("https://[", "https://["),
        "/base/g": ("{up}/base", "{proxy}/"),
    }

    def answer(request: Request) -> Response:
        location = locations[request.path][0].format(up=upstream_url)
        return Response(head(307, [("Location", location)]), transfer="length")

    with serve(answer) as upstream, proxy(f"{upstream.url}/base", path) as recorder:
        upstream_url = upstream.url
        for target, (_, seen) in locations.items():
            response = httpx.request(
                "GET", recorder.url + target.removeprefix("/base"), trust_env=False
            )
            assert response.status_code == 307
            expected = seen.format(up=upstream.url, proxy=recorder.url)
            assert response.headers["location"] == expected
        assert len(upstream.requests) == len(locations)
    recorded = [dict(tape.headers)["location"] for tape in streamtape.load(path)]
    assert recorded == [to.format(up=upstream_url) for to, _ in locations.values()]


def test_a_client_that_leaves_closes_the_stream_of_the_upstream(path: Path) -> None:
    with serve(Response(chunk("data: 1\n\n"), hang())) as upstream:
        with proxy(upstream.url, path) as recorder:
            with httpx.stream("GET", recorder.url, trust_env=False) as response:
                assert next(response.iter_raw()) == b"data: 1\n\n"
            upstream.requests[0].wait_gone()
            assert recorder.log[0].wait().how in ("client closed", "client reset")
    [tape] = streamtape.load(path)
    assert (tape.body, tape.ending.kind) == (b"data: 1\n\n", "closed")


def test_a_client_that_leaves_before_the_head_closes_the_upstreams_too(path: Path) -> None:
    with serve(Response(hang())) as upstream, proxy(upstream.url, path) as recorder:
        with pytest.raises(httpx.ReadTimeout):
            get(recorder.url, timeout=0.2)
        upstream.wait_closed()
        recorder.log[0].wait()
    [tape] = streamtape.load(path)
    assert (tape.head_ns, tape.ending.kind) == (None, "closed")


def test_a_client_that_does_not_read_holds_the_upstream_back(path: Path) -> None:
    block = b"x" * 65536
    with serve(Response(forever(chunk(block)))) as upstream:
        with proxy(upstream.url, path, max_body=1 << 40) as recorder:
            with httpx.stream("GET", recorder.url, trust_env=False) as response:
                next(response.iter_raw())
                request = upstream.wait_request()
                before = -1
                while before < len(request.writes):
                    before = len(request.writes)
                    time.sleep(0.2)
                assert before * len(block) < 64 << 20
            upstream.wait_closed()


def test_streams_at_once_are_recorded_in_the_order_of_their_requests(path: Path) -> None:
    opened = gate()

    def answer(request: Request) -> Response:
        if request.path == "/first":
            return Response(chunk("data: 1\n\n"), opened)
        return Response(chunk("data: 2\n\n"))

    with serve(answer) as upstream, proxy(upstream.url, path) as recorder:
        with httpx.stream("GET", f"{recorder.url}/first", trust_env=False) as first:
            assert get(f"{recorder.url}/second").text == "data: 2\n\n"
            until(lambda: recorder.recorded == 1)
            opened.set()
            first.read()
    assert [tape.body for tape in streamtape.load(path)] == [b"data: 1\n\n", b"data: 2\n\n"]


def test_what_was_there_is_replaced_or_appended_to(path: Path) -> None:
    streamtape.save(path, [Tape.of(b"data: old\n\n")])
    with serve(Response(chunk("data: new\n\n"))) as upstream:
        with proxy(upstream.url, path, append=True) as recorder:
            get(recorder.url)
        assert [tape.body for tape in streamtape.load(path)] == [
            b"data: old\n\n",
            b"data: new\n\n",
        ]
        with proxy(upstream.url, path) as recorder:
            pass
        assert not recorder.saved
        assert len(streamtape.load(path)) == 2
        with proxy(upstream.url, path) as recorder:
            get(recorder.url)
    assert [tape.body for tape in streamtape.load(path)] == [b"data: new\n\n"]


def test_a_block_that_fails_leaves_the_cassette_and_names_the_part(path: Path) -> None:
    streamtape.save(path, [Tape.of(b"data: old\n\n")])
    with serve(Response(chunk("data: new\n\n"))) as upstream:
        with pytest.raises(ZeroDivisionError) as raised:
            with proxy(upstream.url, path) as recorder:
                get(recorder.url)
                raise ZeroDivisionError
    assert [tape.body for tape in streamtape.load(path)] == [b"data: old\n\n"]
    part = path.with_name("x.yaml.part")
    assert recorder.part == part
    assert str(part) in raised.value.__notes__[0]
    assert [tape.body for tape in streamtape.load(part)] == [b"data: new\n\n"]


def test_a_stream_that_runs_when_the_block_ends_is_recorded_as_left(path: Path) -> None:
    with serve(Response(chunk("data: 1\n\n"), hang())) as upstream:
        with proxy(upstream.url, path) as recorder:
            response = httpx.Client(trust_env=False).send(
                httpx.Request("GET", recorder.url), stream=True
            )
            assert next(response.iter_raw()) == b"data: 1\n\n"
        response.close()
    [tape] = streamtape.load(path)
    assert (tape.body, tape.ending.kind) == (b"data: 1\n\n", "closed")
    assert not path.with_name("x.yaml.part").exists()


def test_a_body_that_is_too_long_passes_and_is_not_kept(path: Path) -> None:
    def answer(request: Request) -> Response:
        return Response(*[chunk(b"x" * 1000)] * (3 if request.path == "/long" else 2))

    with serve(answer) as upstream, proxy(upstream.url, path, max_body=2000) as recorder:
        assert len(get(f"{recorder.url}/long").content) == 3000
        assert len(get(f"{recorder.url}/short").content) == 2000
        long, _ = (exchange.wait() for exchange in recorder.log)
        until(lambda: recorder.lost == 1)
    assert long.how == "complete"
    assert long.trouble == "not recorded: the body is longer than 2000 bytes"
    [tape] = streamtape.load(path)
    assert tape.request.url.endswith("/short")
    assert tape.body == b"x" * 2000


def test_no_cassette_that_is_open_answers_the_proxys_own_requests(
    path: Path, tmp_path: Path
) -> None:
    with serve(Response(*apart(EVENTS))) as upstream:
        with (
            streamtape.use_cassette(tmp_path / "outer.yaml", record_mode="all") as outer,
            proxy(upstream.url, path) as recorder,
        ):
            assert get(recorder.url).content == BODY
        with streamtape.play(Tape.of(b"data: played\n\n")), proxy(upstream.url, path) as other:
            reads, _ = exchanged(other)
            assert b"data: one" in b"".join(reads)
    assert [tape.request.url for tape in outer.tapes] == [recorder.url]
    assert upstream.connected == 2


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"CONNECT api.test:443 HTTP/1.1\r\nhost: api.test:443\r\n\r\n", b"421"),
        (b"GET http://api.test/x HTTP/1.1\r\nhost: api.test\r\n\r\n", b"421"),
        (b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n", b"400"),
        (b"GET /\r\n\r\n", b"400"),
    ],
)
def test_what_no_base_url_is_asked_for_is_refused(path: Path, data: bytes, status: bytes) -> None:
    with serve(json_response({})) as upstream, proxy(upstream.url, path) as recorder:
        with connected(recorder) as client:
            client.sendall(data)
            assert client.recv(1 << 16).startswith(b"HTTP/1.1 " + status)
        assert recorder.log[0].trouble
    assert not upstream.requests
    assert not recorder.saved


def test_it_listens_on_loopback_only_unless_told(path: Path) -> None:
    with pytest.raises(ValueError, match=r"0\.0\.0\.0 is not loopback"):
        with proxy("http://127.0.0.1:9", path, host="0.0.0.0"):
            pass
    with serve(Response(chunk(BODY))) as upstream:
        with pytest.warns(BeyondLoopbackWarning, match="other machines can send requests"):
            with proxy(upstream.url, path, host="0.0.0.0", beyond_loopback=True) as recorder:
                assert get(recorder.url).content == BODY


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("api.test", "no URL of HTTP"),
        ("ftp://api.test", "no URL of HTTP"),
        ("https://", "no URL of HTTP"),
        ("https://me:secret@api.test", "have the client send its own credentials"),
        ("https://api.test/?a=1", "more than scheme, host, port and path"),
        ("http://api.test:port", "api.test:port"),
    ],
)
def test_an_upstream_is_an_address(path: Path, url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        proxy(url, path)


def test_what_can_not_be_recorded_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("dear diary")
    with pytest.raises(CassetteError):
        proxy("http://127.0.0.1:9", notes)
    with pytest.raises(NotADirectoryError):
        proxy("http://127.0.0.1:9", notes / "x.yaml")
    with pytest.raises(ValueError, match="max_body"):
        proxy("http://127.0.0.1:9", tmp_path / "x.yaml", max_body=-1)
    assert notes.read_text() == "dear diary"


def test_it_runs_beside_trio_and_tells_what_it_hears(path: Path) -> None:
    heard: list[Exchange] = []

    async def main(url: str) -> RecordingProxy:
        async with proxy(url, path, heard=heard.append) as recorder:
            async with httpx.AsyncClient(trust_env=False) as client:
                assert (await client.get(recorder.url)).content == BODY
            await trio.to_thread.run_sync(recorder.log[0].wait)
        return recorder

    with replay(Tape.of(BODY), delivery=Delivery(cuts="events")) as upstream:
        recorder = trio.run(main, upstream.url)
    assert recorder.saved
    assert [(each.status, each.how) for each in heard] == [(200, "complete")]
