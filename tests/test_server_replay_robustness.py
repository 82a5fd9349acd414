"""What a replay server bears: it stays up, loses nothing, and keeps nothing of who is gone."""

from __future__ import annotations

import errno
import os
import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from streamtape import Delivery, Tape
from streamtape.server import ReplayServer, serve
from tests.test_server_replay_wire import CLOSING, GET, connected, exchanged, rest

BODY = b"data: one\n\ndata: [DONE]\n\n"
TAPE = Tape.of(BODY)
# `STREAMTAPE_TEST_LOAD=25` makes it 10,000 malformed requests and as many connections dropped.
TIMES = int(os.environ.get("STREAMTAPE_TEST_LOAD", "1"))
MALFORMED = (
    b"GET\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",  # no host
    b"GET / HTTP/3.0\r\nhost: x\r\n\r\n",
    b"GET / HTTP/2.0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /\x00 HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: snappy\r\n\r\n",
    b"GET http://[::1 HTTP/1.1\r\nhost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n",
    b"\x00" * 200 + b"\r\n\r\n",
)


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with serve(TAPE) as running:
        before = descriptors()
        yield running
        settled(running)
        assert descriptors() <= before
        assert httpx.get(running.url, trust_env=False).content == BODY
        threads = [each.name for each in threading.enumerate() if each.name.startswith("replay-")]
        assert len(threads) == 1


def descriptors() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def settled(running: ReplayServer) -> None:
    """Wait until the server has seen that all clients are gone."""
    give_up = time.monotonic() + 30
    while running.connections and time.monotonic() < give_up:
        time.sleep(0.005)
    assert running.connections == 0


@pytest.mark.parametrize("data", MALFORMED)
def test_what_is_no_request_is_refused_and_in_the_log(server: ReplayServer, data: bytes) -> None:
    reads, how = exchanged(server, data)
    assert how == "closed"
    head = b"".join(reads)
    assert head.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5"))
    assert b"connection: close\r\n" in head
    [exchange] = server.log
    assert (exchange.method, exchange.how) == ("", "complete")
    assert exchange.trouble.encode() in head


def test_who_speaks_tls_is_told(server: ReplayServer) -> None:
    exchanged(server, MALFORMED[-2])
    assert "speaks plain HTTP" in server.log[0].trouble


def test_many_malformed_requests(server: ReplayServer) -> None:
    generator = random.Random(1)
    for number in range(400 * TIMES):
        data = bytearray(generator.choice((GET, *MALFORMED)))
        for _ in range(generator.randint(0, 6)):
            data[generator.randrange(len(data))] = generator.randrange(256)
        with connected(server) as client:
            client.sendall(data)
            if number % 2:
                client.shutdown(socket.SHUT_WR)
                rest(client)
    settled(server)
    assert Counter(each.how is None for each in server.log)[True] == 0


def test_nonsense_without_an_end(server: ReplayServer) -> None:
    reads, how = exchanged(server, os.urandom(50) + b"x" * 100_000)
    assert b"".join(reads).startswith(b"HTTP/1.1 4")
    assert how in ("closed", "reset")


def test_a_head_that_is_too_large(server: ReplayServer) -> None:
    lines = b"".join(b"x-%d: %s\r\n" % (number, b"y" * 1000) for number in range(300))
    reads, _ = exchanged(server, b"GET / HTTP/1.1\r\nhost: x\r\n" + lines + b"\r\n")
    assert b"".join(reads).startswith(b"HTTP/1.1 431 ")


def test_many_connections_opened_and_dropped(server: ReplayServer) -> None:
    for number in range(400 * TIMES):
        with connected(server) as client:
            if number % 4 == 1:
                client.sendall(GET[:-5])
            elif number % 4 == 2:
                client.sendall(GET)
            elif number % 4 == 3:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.sendall(GET)
    settled(server)
    assert all(each.how is not None for each in server.log)


def test_who_sends_a_request_too_slowly_is_sent_away() -> None:
    with serve(TAPE, request_timeout=0.05) as server:
        with connected(server) as idle:
            with connected(server) as slow:
                slow.sendall(GET[:-2])
                reads, how = rest(slow)
            idle.sendall(CLOSING)  # who has begun nothing is not late
            answered, _ = rest(idle)
    assert b"".join(reads).startswith(b"HTTP/1.1 408 ")
    assert how == "closed"
    assert answered[0].startswith(b"HTTP/1.1 200 ")
    assert "not complete 0.05 s after its first byte" in server.log[0].trouble


def test_who_sends_drop_by_drop_is_sent_away_too() -> None:
    with serve(TAPE, request_timeout=0.2) as server, connected(server) as client:
        client.settimeout(0.01)
        read = b""
        while not read:
            try:
                client.sendall(b"x")
                read = client.recv(1 << 16)
            except TimeoutError:
                continue
    assert read.startswith(b"HTTP/1.1 408 ")


def test_many_clients_at_once_get_all_of_it() -> None:
    long = Tape.of(b"".join(b"data: %d\n\n" % number for number in range(60)))
    with serve(long, delivery=Delivery(cuts="events")) as server:
        seen: list[tuple[list[bytes], str]] = []

        def run() -> None:
            seen.append(exchanged(server))

        clients = [threading.Thread(target=run) for _ in range(40)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        settled(server)
    for reads, _ in seen:
        assert [read.split(b"\r\n")[1] for read in reads[1:-1]] == [c.data for c in long.chunks]
    assert Counter(each.how for each in server.log) == {"complete": 40}


def test_a_client_that_does_not_read_holds_up_nobody_else(server: ReplayServer) -> None:
    with connected(server) as silent:
        silent.sendall(GET)
        assert httpx.get(server.url, trust_env=False).content == BODY
        assert server.log[0].how is None
        assert server.log[0].chunks == 0


def test_no_file_descriptors_left_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[int] = []
    accept = socket.socket.accept

    def without_descriptors(listener: socket.socket) -> tuple[socket.socket, object]:
        if len(refused) < 3:
            refused.append(errno.EMFILE)
            raise OSError(errno.EMFILE, "Too many open files")
        return accept(listener)

    with serve(TAPE) as server:
        monkeypatch.setattr(socket.socket, "accept", without_descriptors)
        reads, _ = exchanged(server)
    assert len(refused) == 3
    assert reads[0].startswith(b"HTTP/1.1 200 ")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells what a client has read")
def test_without_netlink_the_tables_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    from streamtape.server import queues

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(queues.Netlink, "__init__", refused)
    with serve(TAPE, delivery=Delivery(cuts=(3, 9))) as server:
        reads, _ = exchanged(server)
        assert [read.split(b"\r\n")[1] for read in reads[1:-1]] == [BODY[:3], BODY[3:9], BODY[9:]]
    assert server.log[0].how == "complete"


def test_where_nobody_tells_a_pause_has_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from streamtape.server import queues

    monkeypatch.setattr(queues, "_shows", lambda *_: False)
    with serve(TAPE) as server:
        reads, how = exchanged(server)
        assert b"".join(reads).endswith(b"0\r\n\r\n")
        assert how == "closed"
        with connected(server) as client:
            client.sendall(GET)
            client.recv(1 << 16)
        settled(server)
    assert server.log[0].how == "complete"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells what a client has read")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_netlink_and_the_tables_say_the_same(host: str) -> None:
    from streamtape.clock import now_ns
    from streamtape.server.queues import Netlink, Tables

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.create_server((host, 0), family=family) as listener,
        socket.create_connection(listener.getsockname()[:2]) as client,
    ):
        accepted, _ = listener.accept()
        ends = client.getsockname()[:2], accepted.getsockname()[:2]
        sources = Netlink(), Tables()
        with accepted:
            accepted.sendall(b"12345")
            for unread in (5, 0):
                found = [source.end(*ends, now_ns()) for source in sources]
                assert [(end.state, end.unread, end.is_held) for end in found] == [
                    (1, unread, True)
                ] * 2
                assert found[0].inode == found[1].inode
                if unread:
                    client.recv(10)
            client.close()
            assert not any(
                end is not None and end.is_held
                for end in (source.end(*ends, now_ns()) for source in sources)
            )
        sources[0].close()
