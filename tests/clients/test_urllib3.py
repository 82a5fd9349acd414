"""What only urllib3 has: a pool that outlives cassettes, tunnels, TLS, ``Expect``, ways to read.

What it shares with the other clients is held beside them, see drivers.py.
"""

from __future__ import annotations

import gc
import select
import socket
import socketserver
import ssl
import subprocess
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests
import urllib3
from urllib3.util import wait_for_read

import streamtape
from streamtape import Chunk, Delivery, Ending, Tape
from streamtape.clients.urllib3_socket import StandIn
from streamtape.clock import SteppedClock, VirtualClockError
from tests.clients.drivers import Urllib3Driver
from tests.server import Response, apart, chunk, cut, gate, hang, json_response, raw, refused, serve

if TYPE_CHECKING:
    from pathlib import Path

URL = "http://test/stream"
SECOND = 1_000_000_000
PIECES = [b"data: caf\xc3", b"\xa9\r", b"\n\r\nda", b"ta: 2\n\n", b"data: [DONE]\n\n"]
TAPE = Tape.of(b"").with_chunks(
    [Chunk(number * SECOND, piece) for number, piece in enumerate(PIECES)],
    ending=Ending("eof", 4 * SECOND),
    framing="sse",
    headers=[("content-type", "text/event-stream")],
)


def asked(pool: urllib3.PoolManager, url: str = URL, **options: Any) -> Any:
    return pool.request("GET", url, preload_content=False, retries=False, **options)


@contextmanager
def pooled() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager() as pool:
        yield pool


def connections(pool: urllib3.PoolManager) -> list[Any]:
    """The connections that lie in the pool, idle."""
    return [
        each
        for key in pool.pools.keys()  # noqa: SIM118 - not a dict
        for each in pool.pools[key].pool.queue
        if each is not None
    ]


# --- ways to read ---------------------------------------------------------------------------------


READING = {
    "stream": lambda response: list(response.stream()),
    "stream-3": lambda response: list(response.stream(3)),
    "read_chunked": lambda response: list(response.read_chunked()),
    "read1": lambda response: list(iter(partial(response.read1, 1 << 16), b"")),
    "read-4": lambda response: list(iter(partial(response.read, 4), b"")),
    "read": lambda response: [response.read()],
    "lines": list,
    "data": lambda response: [response.data],
}


@pytest.mark.parametrize(
    ("framing", "reading"),
    [
        (framing, reading)
        for framing in ("chunked", "length", "close")
        for reading in READING
        # Which refuses what isn't in chunks.
        if framing == "chunked" or reading != "read_chunked"
    ],
)
def test_each_way_to_read_gives_the_same_with_the_recorder_and_on_replay(
    framing: str, reading: str, tmp_path: Path
) -> None:
    """The oracle is the client without a recorder."""
    if framing == "chunked":
        answer = Response(*apart(PIECES))
    elif framing == "length":
        answer = json_response({"text": "café", "more": [1, 2, 3]})
    else:
        answer = Response(
            raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nIn short: no stream.")
        )

    def get(url: str) -> list[Any]:
        with pooled() as pool:
            return list(READING[reading](asked(pool, url)))

    with serve(answer) as server:
        bare = get(server.url)
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            recorded = get(server.url)
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        assert get(server.url) == recorded == bare


def test_a_preloaded_response_is_whole(tmp_path: Path) -> None:
    with serve(Response(*apart(PIECES))) as server:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"), pooled() as pool:
            assert pool.request("GET", server.url).data == b"".join(PIECES)
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert [each.data for each in tape.chunks] == PIECES


def test_a_chunk_larger_than_any_buffer_stays_one() -> None:
    large = b"data: " + b"x" * 300_000 + b"\n\n"
    with streamtape.play(Tape.of(large)), pooled() as pool:
        assert list(asked(pool).read_chunked()) == [large]


def test_a_length_that_was_cut_short_is_told_as_it_was(tmp_path: Path) -> None:
    cut = raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nshort")
    errors = []
    with (
        serve(Response(cut)) as server,
        streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"),
    ):
        with pooled() as pool, pytest.raises(urllib3.exceptions.ProtocolError) as live:
            asked(pool, server.url).read()
        errors.append(str(live.value))
    with streamtape.use_cassette(tmp_path / "a.yaml"), pooled() as pool:
        with pytest.raises(urllib3.exceptions.ProtocolError) as replayed:
            asked(pool, server.url).read()
    assert str(replayed.value) == errors[0]
    assert "5 bytes read, 95 more expected" in errors[0]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_a_response_without_a_body_ends_with_its_head(
    method: str, status: int, tmp_path: Path
) -> None:
    head = f"HTTP/1.1 {status} Fine\r\nContent-Length: 0\r\nX-Seen: yes\r\n\r\n".encode()
    with serve(Response(raw(head), hang())) as server:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"), pooled() as pool:
            live = pool.request(method, server.url)
    with streamtape.use_cassette(tmp_path / "a.yaml"), pooled() as pool:
        again = pool.request(method, server.url)
    assert (again.status, again.reason, again.data) == (live.status, live.reason, live.data)
    assert list(again.headers.items()) == list(live.headers.items())
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert tape.ending.kind == "eof"


# --- time -----------------------------------------------------------------------------------------


def test_chunks_come_at_the_tapes_times() -> None:
    clock = SteppedClock()
    with clock.running(), streamtape.play(TAPE, Delivery(pace="virtual")), pooled() as pool:
        seen = [(clock.now_ns(), piece) for piece in asked(pool).read_chunked()]
    assert seen == [(number * SECOND, piece) for number, piece in enumerate(PIECES)]


def test_a_read_timeout_strikes_at_its_time() -> None:
    tape = TAPE.with_chunks([*TAPE.chunks[:2], Chunk(11 * SECOND, b"data: late\n\n")])
    tape = tape.with_chunks(tape.chunks, ending=Ending("eof", 11 * SECOND))
    clock = SteppedClock()
    seen: list[bytes] = []
    timeout = urllib3.Timeout(connect=99, read=2.5)
    with clock.running(), streamtape.play(tape, Delivery(pace="virtual")), pooled() as pool:
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            seen.extend(asked(pool, timeout=timeout).read_chunked())
    assert clock.now_ns() == int(3.5 * SECOND)
    assert seen == PIECES[:2]


def test_a_head_that_is_late_times_out_as_a_real_one() -> None:
    tape = TAPE.with_chunks(TAPE.chunks, head_ns=9 * SECOND)
    clock = SteppedClock()
    with clock.running(), streamtape.play(tape, Delivery(pace="virtual")):
        with pytest.raises(requests.exceptions.ReadTimeout, match=r"read timeout=4"):
            requests.get(URL, timeout=(99, 4))
    assert clock.now_ns() == 4 * SECOND


def test_no_real_connection_is_made_in_virtual_time(tmp_path: Path) -> None:
    with serve(Response(*apart(PIECES))) as server:
        with SteppedClock().running():
            with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"), pooled() as pool:
                with pytest.raises(VirtualClockError, match="a request to a real server"):
                    asked(pool, server.url)
        assert not server.connected
    assert not (tmp_path / "a.yaml").exists()


def test_a_clock_that_is_not_virtual_is_told() -> None:
    with pytest.raises(AssertionError, match="pace='virtual'"):
        with streamtape.play(TAPE, Delivery(pace="virtual")), pooled() as pool:
            with pytest.raises(VirtualClockError):
                asked(pool).read()


# --- the pool -------------------------------------------------------------------------------------


def test_a_connection_without_a_socket_is_used_again() -> None:
    with streamtape.play([Tape.of(b"data: %d\n\n" % n) for n in range(3)]), pooled() as pool:
        bodies = [pool.request("GET", URL).data for _ in range(3)]
        (connection,) = connections(pool)
        assert isinstance(connection.sock, StandIn)
        assert connection.is_connected
        (held,) = (pool.pools[key] for key in pool.pools.keys())  # noqa: SIM118 - not a dict
        assert held.num_connections == 1
    assert bodies == [b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n"]


def test_a_pool_that_outlives_its_cassette_connects_really() -> None:
    with serve(Response(*apart(PIECES))) as server, pooled() as pool:
        with streamtape.play(TAPE):
            pool.request("GET", server.url)
        (connection,) = connections(pool)
        assert not connection.is_connected
        assert pool.request("GET", server.url).data == b"".join(PIECES)
        assert len(server.requests) == 1


def test_a_pool_plays_in_the_next_cassette_too() -> None:
    with pooled() as pool:
        for number in range(3):
            with streamtape.play(Tape.of(b"data: %d\n\n" % number)):
                assert pool.request("GET", URL).data == b"data: %d\n\n" % number


def test_a_connection_from_before_the_cassette_is_answered_by_it(tmp_path: Path) -> None:
    with serve(json_response({"real": True})) as server, pooled() as pool:
        pool.request("GET", server.url)
        with streamtape.play(TAPE):
            assert pool.request("GET", server.url).data == TAPE.body
        with streamtape.use_cassette(tmp_path / "missing.yaml"):
            with pytest.raises(streamtape.NoMatchError):
                pool.request("GET", server.url)
        assert len(server.requests) == 1


def test_a_connection_from_before_the_cassette_is_recorded_and_kept(tmp_path: Path) -> None:
    with serve(json_response({"real": True})) as server, pooled() as pool:
        pool.request("GET", server.url)
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            pool.request("GET", server.url)
            pool.request("GET", server.url)
        pool.request("GET", server.url)
        assert len(server.requests) == 4
        assert server.connected == 1
    assert len(streamtape.load(tmp_path / "a.yaml")) == 2


def test_a_connection_that_the_server_closed_is_seen_to_be(tmp_path: Path) -> None:
    with serve(json_response({"real": True}, headers={"connection": "close"})) as server:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"), pooled() as pool:
            for _ in range(2):
                pool.request("GET", server.url)
        assert server.connected == 2
    assert [tape.ending.kind for tape in streamtape.load(tmp_path / "a.yaml")] == ["eof"] * 2


def test_an_idle_connection_that_the_server_drops_is_replaced(tmp_path: Path) -> None:
    fine = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    with serve(Response(fine, cut())) as server, pooled() as pool:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            for number in range(3):
                assert pool.request("GET", server.url, retries=False).data == b"ok"
                (connection,) = connections(pool)
                assert wait_for_read(connection.sock, 10)  # its end has come
                assert server.connected == number + 1
    assert [tape.ending.kind for tape in streamtape.load(tmp_path / "a.yaml")] == ["eof"] * 3


def test_what_passes_beside_the_session_is_untouched(tmp_path: Path) -> None:
    """vcrpy's own option; several requests on one connection, none of them kept."""
    with serve(Response(*apart(PIECES))) as server, pooled() as pool:
        with streamtape.use_cassette(tmp_path / "a.yaml", ignore_localhost=True):
            for _ in range(2):
                assert list(asked(pool, server.url).read_chunked()) == PIECES
        assert server.connected == 1
    assert not (tmp_path / "a.yaml").exists()


# --- leaving --------------------------------------------------------------------------------------


@pytest.mark.parametrize("leaving", ["close", "release and drop"])
def test_leaving_early_ends_the_tape_and_the_connection(leaving: str, tmp_path: Path) -> None:
    opened = gate()
    with serve(Response(*apart(PIECES[:2]), opened)) as server:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            with pooled() as pool:
                response = asked(pool, server.url)
                pieces = response.read_chunked()
                assert [next(pieces), next(pieces)] == PIECES[:2]
                if leaving == "close":
                    response.close()
                del response, pieces
                gc.collect()
            server.requests[0].wait_gone()
            opened.set()
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert tape.ending.kind == "closed"
    assert [each.data for each in tape.chunks] == PIECES[:2]


def test_a_stream_that_is_left_is_told_to_the_player() -> None:
    """So that `check_stop` sees which streams are still open."""
    from streamtape.clients import play as playing

    player = playing.Player([TAPE], Delivery(cuts="events"))
    with playing.opened(player), pooled() as pool:
        response = asked(pool)
        pieces = response.read_chunked()
        next(pieces)
        assert len(player.streams) == 1
        response.close()
        assert not player.streams
        pool.request("GET", URL)
        assert not player.streams


# --- what is sent ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bytes", "iterator", "file"])
def test_a_request_is_recorded_and_arrives_as_it_was_sent(kind: str, tmp_path: Path) -> None:
    body = b'{"prompt": "caf\xc3\xa9"}' * 5_000
    file = tmp_path / "body"
    file.write_bytes(body)

    def send(url: str) -> None:
        with pooled() as pool, file.open("rb") as opened:
            given = {"bytes": body, "iterator": iter([body[:7], body[7:]]), "file": opened}[kind]
            pool.request("POST", url, body=given, headers={"X-Own": "1"})

    with serve(json_response({})) as server:
        url = f"{server.url}/a%20b?q=1"
        send(url)
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            send(url)
    bare, recorded = server.requests
    assert (recorded.method, recorded.target) == (bare.method, bare.target)
    assert recorded.headers == bare.headers
    assert recorded.body == bare.body == body
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert tape.request is not None
    assert (tape.request.method, tape.request.url, tape.request.body) == ("POST", url, body)


def test_who_waits_for_a_continue_gets_one() -> None:
    """botocore asks so before it sends an upload."""
    with streamtape.play(TAPE):
        connection = urllib3.connection.HTTPConnection("test", timeout=5)
        connection.connect()
        assert not wait_for_read(connection.sock, 0)
        connection.sock.sendall(
            b"PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        assert wait_for_read(connection.sock, 0)
        with connection.sock.makefile("rb", 0) as file:
            assert file.readline() == b"HTTP/1.1 100 Continue\r\n"
            assert file.readline() == b"\r\n"
        assert not wait_for_read(connection.sock, 0)
        connection.sock.sendall(b"{}")
        assert wait_for_read(connection.sock, 0)
        assert connection.sock.recv(8) == b"HTTP/1.1"
        connection.close()


def test_what_a_matcher_raises_is_raised_once() -> None:
    """The standard library goes on, byte by byte, after a TypeError."""

    class Odd:
        def answer(self, _request: object) -> Any:
            raise TypeError("the matcher's own")

        def mark(self) -> Any:
            raise NotImplementedError

    from streamtape.clients import PATCHERS, routing

    with routing.opened(Odd(), PATCHERS), pooled() as pool:
        with pytest.raises(TypeError, match="the matcher's own"):
            asked(pool)


# --- errors of other clients' tapes ---------------------------------------------------------------


ERRORS = urllib3.exceptions


@pytest.mark.parametrize(
    ("kind", "text", "expected", "said"),
    [
        ("connect", "[Errno 111] Connection refused", ERRORS.NewConnectionError, "refused"),
        ("connect", "Failed to resolve 'x' (y)", ERRORS.NameResolutionError, "'x'"),
        ("connect", "SSLError: [SSL: BAD] bad", ERRORS.SSLError, "BAD"),
        ("connect", "ConnectionResetError: [Errno 104] x", ERRORS.ProtocolError, "aborted.*104"),
        ("connect-timeout", "timed out", ERRORS.ConnectTimeoutError, "timed out"),
        ("connect-timeout", "TimeoutError: x", ERRORS.ReadTimeoutError, "timed out"),
        ("pool", "full", ERRORS.EmptyPoolError, "full"),
        ("write", "[Errno 32] Broken pipe", ERRORS.ProtocolError, "BrokenPipe"),
        ("write", "timed out", ERRORS.ProtocolError, "TimeoutError"),
        ("read", "", ERRORS.ProtocolError, "reset by peer"),
        ("read", "[Errno 5] EIO", ERRORS.ProtocolError, "EIO"),
        ("read", "[SSL: BAD] bad", ERRORS.SSLError, "BAD"),
        ("read-timeout", "", ERRORS.ReadTimeoutError, "timed out"),
        ("protocol", "anything", ERRORS.ProtocolError, "without response"),
    ],
)
def test_each_kind_of_error_is_urllib3s_own(
    kind: Any, text: str, expected: type[Exception], said: str
) -> None:
    tape = Tape((), Ending("error", 0, kind, text), status=599, head_ns=None)
    with streamtape.play(tape), pooled() as pool:
        with pytest.raises(expected, match=said) as raised:
            asked(pool)
    assert type(raised.value) is expected


def test_what_urllib3_recorded_breaks_so_in_httpx(tmp_path: Path) -> None:
    with refused() as url:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"), pooled() as pool:
            with pytest.raises(ERRORS.NewConnectionError):
                asked(pool, url)
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        with pytest.raises(httpx.ConnectError, match="Connection refused"):
            httpx.get(url)


# --- connecting -----------------------------------------------------------------------------------


def same_error(path: Path, get: Any) -> str:
    """What *get* raises, bare, recorded and replayed: each time the same."""
    said = []
    for mode in (None, "once", "none"):
        with ExitStack() as stack:
            if mode is not None:
                stack.enter_context(streamtape.use_cassette(path, record_mode=mode))
            with pytest.raises(Exception) as raised:  # noqa: PT011 - compared below
                get()
        said.append((type(raised.value), str(raised.value)))
    assert said[0] == said[1] == said[2]
    return said[0][1]


@pytest.mark.parametrize("client", ["urllib3", "requests"])
def test_a_name_that_nobody_knows(client: str, tmp_path: Path) -> None:
    def get() -> None:
        if client == "requests":
            requests.get("http://no-such-host.invalid/", timeout=5)
        else:
            urllib3.PoolManager().request("GET", "http://no-such-host.invalid/", retries=False)

    # requests shows the address of a connection object.
    if client == "requests":
        for mode in ("once", "none"):
            with streamtape.use_cassette(tmp_path / "a.yaml", record_mode=mode):
                with pytest.raises(requests.exceptions.ConnectionError, match="NameResolution"):
                    get()
    else:
        assert "Failed to resolve" in same_error(tmp_path / "a.yaml", get)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    key = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    names = "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    subprocess.run(
        [*key.split(), *names.split(), "-keyout", path, "-out", path],
        check=True,
        capture_output=True,
    )
    return path


class _Relayed(socketserver.StreamRequestHandler):
    """One connection in front of another: with TLS, or as a proxy's tunnel."""

    server: Any

    def handle(self) -> None:
        if self.server.tunnel:
            while self.rfile.readline() != b"\r\n":
                pass
            self.request.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        client = self.request
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.server.to)) as behind:
            if self.server.context is not None:
                client = self.server.context.wrap_socket(client, server_side=True)
            with client:
                # In one thread: TLS can't read and write at once in two. No record is larger.
                while True:
                    (source, *_), _, _ = select.select([client, behind], [], [])
                    if not (data := source.recv(1 << 14)):
                        return
                    (behind if source is client else client).sendall(data)


@contextmanager
def relay(to: int, *, context: Any = None, tunnel: bool = False) -> Iterator[int]:
    """A port in front of another: speaks TLS where *context* is given, or is a proxy's."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Relayed) as listening:
        listening.__dict__.update(to=to, context=context, tunnel=tunnel)
        thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
        thread.start()
        yield listening.server_address[1]
        listening.shutdown()
        thread.join()


@pytest.mark.parametrize("tunnel", [False, True], ids=["direct", "tunnel"])
def test_tls_directly_and_through_a_tunnel(
    certificate: Path,
    tunnel: bool,  # noqa: FBT001 - a column of the table
    tmp_path: Path,
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def get(port: int, proxy: int) -> tuple[list[bytes], bool]:
        proxies = {"https": f"http://127.0.0.1:{proxy}"} if tunnel else {}
        with requests.Session() as session:
            session.trust_env = False
            with session.get(
                f"https://localhost:{port}/x",
                stream=True,
                verify=str(certificate),
                proxies=proxies,
                timeout=5,
            ) as response:
                connection = response.raw.connection
                return list(response.iter_content(None)), connection.is_verified

    with serve(Response(*apart(PIECES))) as server:
        with relay(server.port, context=context) as port, relay(port, tunnel=True) as proxy:
            bare = get(port, proxy)
            with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
                recorded = get(port, proxy)
            assert len(server.requests) == 2
    assert b"".join(recorded[0]) == b"".join(bare[0]) == b"".join(PIECES)
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        assert get(port, proxy) == recorded
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert tape.request is not None
    assert tape.request.url == f"https://localhost:{port}/x"


def test_a_certificate_that_is_not_trusted(certificate: Path, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serve(Response(*apart(PIECES))) as server:
        with relay(server.port, context=context) as port:

            def get() -> None:
                with pooled() as pool:
                    asked(pool, f"https://localhost:{port}/x")

            assert "CERTIFICATE_VERIFY_FAILED" in same_error(tmp_path / "a.yaml", get)
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert tape.ending.error == "connect"


def test_an_unverified_request_warns_on_replay_as_it_did() -> None:
    with streamtape.play(TAPE):
        with pytest.warns(urllib3.exceptions.InsecureRequestWarning):
            requests.get("https://localhost/x", verify=False, timeout=5)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            requests.get("https://localhost/x", timeout=5)


def test_a_proxy_that_is_not_there(tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]

        def get() -> None:
            with urllib3.ProxyManager(f"http://127.0.0.1:{port}") as proxy:
                proxy.request("GET", "https://example.test/", retries=False)

        said = same_error(tmp_path / "a.yaml", get)
    assert "Unable to connect to proxy" in said


def test_a_plain_proxy_is_asked_for_the_whole_url(tmp_path: Path) -> None:
    with serve(Response(*apart(PIECES))) as server:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            with urllib3.ProxyManager(server.url) as proxy:
                proxy.request("GET", "http://example.test/x?y=1")
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert tape.request is not None
    assert tape.request.url == "http://example.test/x?y=1"


def test_a_class_that_connects_in_its_own_way_is_played_to(tmp_path: Path) -> None:
    """As those for Unix sockets do."""
    path = str(tmp_path / "s")

    class Unix(urllib3.connection.HTTPConnection):
        def connect(self) -> None:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(path)

    with streamtape.play(TAPE):
        connection = Unix("localhost")
        connection.request("GET", "/x", preload_content=False)
        assert list(connection.getresponse().read_chunked()) == PIECES
        connection.close()


def test_two_threads_read_two_streams_at_once(tmp_path: Path) -> None:
    first, second = gate(), gate()
    answers = {
        "/1": Response(chunk(b"data: 1\n\n"), first, chunk(b"data: 1b\n\n")),
        "/2": Response(chunk(b"data: 2\n\n"), second, chunk(b"data: 2b\n\n")),
    }
    seen: dict[str, list[bytes]] = {"/1": [], "/2": []}
    with serve(answers) as server, pooled() as pool:

        def read(path: str) -> None:
            for piece in asked(pool, server.url + path).read_chunked():
                seen[path].append(piece)
                if len(seen["/1"]) == len(seen["/2"]) == 1:
                    first.set()
                    second.set()

        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            threads = [threading.Thread(target=read, args=(path,)) for path in seen]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert seen == {
        "/1": [b"data: 1\n\n", b"data: 1b\n\n"],
        "/2": [b"data: 2\n\n", b"data: 2b\n\n"],
    }
    assert len(streamtape.load(tmp_path / "a.yaml")) == 2


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("AsyncPoolManager", object, "urllib3-future stands in the place"),
        ("__version__", "1.26.20", "Install urllib3 2"),
    ],
)
def test_another_urllib3_is_refused_and_never_passes_beside(
    name: str, value: Any, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(urllib3, name, value, raising=False)
    with serve(json_response({"real": True})) as server, pooled() as pool:
        with streamtape.play(TAPE), pytest.raises(RuntimeError, match=why):
            pool.request("GET", server.url)
        assert not server.connected
        assert pool.request("GET", server.url).json() == {"real": True}


def test_nothing_is_left_patched() -> None:
    before = {
        name: vars(urllib3.connection.HTTPConnection)[name] for name in ("connect", "putrequest")
    }
    with streamtape.play(TAPE):
        Urllib3Driver().get(URL)
    for name, method in before.items():
        assert vars(urllib3.connection.HTTPConnection)[name] is method
