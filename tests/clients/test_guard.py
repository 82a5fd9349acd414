"""The network is closed to clients that streamtape doesn't know, while a cassette answers."""

from __future__ import annotations

import asyncio
import socket
import sys
import types
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import trio

import streamtape
from streamtape import NetworkClosedError, Tape
from streamtape.clients import guard
from tests.server import Response, serve

if TYPE_CHECKING:
    from pathlib import Path

# For documentation (RFC 5737, RFC 3849): nobody answers there.
BEYOND = ("192.0.2.1", 443)
BEYOND_6 = ("2001:db8::1", 443, 0, 0)


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    path = tmp_path / "a.yaml"
    streamtape.save(path, [Tape.of(b"data: one\n\n")])
    return path


@pytest.fixture(autouse=True)
def no_real_connection(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the guard lets through ends here, and never on the network."""
    through: list[Any] = []

    def connect(_: Any, address: Any) -> None:
        through.append(address)
        raise ConnectionRefusedError(f"let through to {address}")

    monkeypatch.setattr(socket.socket, "connect", connect, raising=False)
    monkeypatch.setattr(socket.socket, "connect_ex", connect, raising=False)
    return through


def dial(address: Any = BEYOND, how: str = "connect", kind: int = socket.SOCK_STREAM) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with closing(socket.socket(family, kind)) as sock:
        getattr(sock, how)(address)


def dial_asyncio() -> None:
    async def connect() -> None:
        await asyncio.open_connection(*BEYOND)

    asyncio.run(connect())


def dial_trio() -> None:
    try:
        trio.run(trio.open_tcp_stream, *BEYOND)
    except* NetworkClosedError as group:
        raise group.exceptions[0] from None


@pytest.mark.parametrize(
    "connect",
    [
        dial,
        lambda: dial(how="connect_ex"),
        lambda: dial(BEYOND_6),
        lambda: dial(("::ffff:192.0.2.1", 443, 0, 0)),
        lambda: socket.create_connection(BEYOND),
        dial_asyncio,
        dial_trio,
    ],
    ids=["connect", "connect_ex", "IPv6", "mapped", "create_connection", "asyncio", "trio"],
)
def test_a_connection_beyond_this_machine_is_refused(
    cassette: Path, connect: Any, no_real_connection: list[Any]
) -> None:
    with pytest.raises(NetworkClosedError, match=r"port 443, while the cassette .*a\.yaml"):
        with streamtape.use_cassette(cassette):
            connect()
    assert no_real_connection == []


def test_a_client_that_swallows_the_refusal_fails_the_block(cassette: Path) -> None:
    def client() -> None:
        with suppress(NetworkClosedError):
            dial()

    with pytest.raises(NetworkClosedError, match=r"test_guard\.py:\d+\) would connect to 192"):
        with streamtape.use_cassette(cassette):
            client()


def test_a_refusal_that_the_block_itself_catches_fails_nothing_more(cassette: Path) -> None:
    with streamtape.use_cassette(cassette) as opened:
        with pytest.raises(NetworkClosedError):
            dial()
        assert [type(failure) for failure in opened.failures] == [NetworkClosedError]


@pytest.mark.parametrize(
    "address",
    [("127.0.0.1", 9), ("127.8.9.10", 9), ("localhost", 9), ("::1", 9, 0, 0), ("0.0.0.0", 9)],
    ids=lambda address: address[0],
)
def test_this_machine_is_open(cassette: Path, address: Any, no_real_connection: list[Any]) -> None:
    with streamtape.use_cassette(cassette):
        with pytest.raises(ConnectionRefusedError, match="let through"):
            dial(address)
    assert no_real_connection == [address]


def test_a_datagram_socket_and_a_unix_socket_are_left_alone(cassette: Path) -> None:
    with streamtape.use_cassette(cassette):
        with pytest.raises(ConnectionRefusedError, match="let through"):
            dial(kind=socket.SOCK_DGRAM)
        with closing(socket.socket(socket.AF_UNIX)) as sock:
            with pytest.raises(ConnectionRefusedError, match="let through"):
                sock.connect("/nowhere")


@pytest.mark.parametrize(
    "options",
    [{"guard": False}, {"allow_hosts": ["192.0.2.1"]}, {"ignore_hosts": ["192.0.2.1"]}],
    ids=str,
)
def test_what_is_allowed_gets_through(cassette: Path, options: dict[str, Any]) -> None:
    with streamtape.use_cassette(cassette, **options):
        with pytest.raises(ConnectionRefusedError, match="let through"):
            dial()


def test_a_name_may_be_allowed_and_is_named(
    cassette: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked_up(_: str, port: int, *__: Any, **___: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    with pytest.raises(
        NetworkClosedError, match=r"connect to api\.example = 192\.0\.2\.1 port 443"
    ):
        with streamtape.use_cassette(cassette):
            socket.create_connection(("api.example", 443))
    with streamtape.use_cassette(cassette, allow_hosts=["api.example"]):
        with pytest.raises(ConnectionRefusedError, match="let through"):
            socket.create_connection(("api.example", 443))


def test_a_name_that_nobody_knows_here_fails_too(
    cassette: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where there is no network, a client comes no further than this.
    def unknown(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror("unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NetworkClosedError, match=r"connect to api\.example port 443"):
        with streamtape.use_cassette(cassette):
            with pytest.raises(socket.gaierror, match="unknown"):
                socket.create_connection(("api.example", 443))


@pytest.mark.parametrize(
    "value", ["http://127.0.0.1:3128", "127.0.0.1:3128", "http://u:p@127.0.0.1:3128/"]
)
def test_a_proxy_on_this_machine_leads_beyond_it(
    cassette: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(NetworkClosedError, match=r"127\.0\.0\.1 port 3128, a proxy"):
        with streamtape.use_cassette(cassette):
            dial(("127.0.0.1", 3128))
    with streamtape.use_cassette(cassette):
        with pytest.raises(ConnectionRefusedError, match="let through"):
            dial(("127.0.0.1", 3129))


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("socks5://127.0.0.1", ("127.0.0.1", 1080)),
        ("socks5://localhost:9", ("127.0.0.1", 9)),
        ("http://[::1]:9", ("localhost", 9)),
        ("https://127.0.0.1", ("127.0.0.1", 443)),
        ("127.0.0.1", ("127.0.0.1", 80)),
    ],
)
def test_a_proxy_by_any_of_its_names_and_on_its_usual_port(
    cassette: Path, monkeypatch: pytest.MonkeyPatch, value: str, address: Any
) -> None:
    with pytest.raises(NetworkClosedError, match="a proxy"):
        with streamtape.use_cassette(cassette):
            monkeypatch.setenv("ALL_PROXY", value)  # also where it comes late
            dial(address)


def test_an_address_of_this_machine_s_interfaces_is_this_machine(
    cassette: Path, monkeypatch: pytest.MonkeyPatch, no_real_connection: list[Any]
) -> None:
    own = socket.socket.bind

    def bind(sock: Any, address: Any) -> None:
        # As if 192.0.2.7 were this machine's.
        own(sock, ("127.0.0.1", 0) if address[0] == "192.0.2.7" else address)

    monkeypatch.setattr(socket.socket, "bind", bind, raising=False)
    guard._is_own.cache_clear()
    with streamtape.use_cassette(cassette):
        with pytest.raises(ConnectionRefusedError, match="let through"):
            dial(("192.0.2.7", 80))
    guard._is_own.cache_clear()
    assert no_real_connection == [("192.0.2.7", 80)]


def test_a_broken_proxy_variable_harms_nothing(
    cassette: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:many")
    monkeypatch.setenv("no_proxy", "127.0.0.1:3128")
    with streamtape.use_cassette(cassette):
        with pytest.raises(ConnectionRefusedError, match="let through"):
            dial(("127.0.0.1", 3128))


def test_the_network_is_open_while_something_is_recorded(cassette: Path, tmp_path: Path) -> None:
    with streamtape.use_cassette(cassette):
        with streamtape.use_cassette(tmp_path / "new.yaml", record_mode="once"):
            with pytest.raises(ConnectionRefusedError, match="let through"):
                dial()
        with pytest.raises(NetworkClosedError):
            dial()
            pytest.fail("the inner cassette is closed again")


def test_once_with_a_file_that_is_there_records_nothing_and_is_guarded(cassette: Path) -> None:
    with pytest.raises(NetworkClosedError):
        with streamtape.use_cassette(cassette, record_mode="once"):
            dial()


def test_a_request_that_the_filters_leave_to_the_network_gets_through(
    cassette: Path, no_real_connection: list[Any]
) -> None:
    with streamtape.use_cassette(cassette, before_record_request=lambda _: None):
        with pytest.raises(httpx2.ConnectError, match="let through"):
            httpx2.get("http://192.0.2.1/")
    assert [address[0] for address in no_real_connection] == ["192.0.2.1"]


def test_play_is_guarded_too(no_real_connection: list[Any]) -> None:
    tape = Tape.of(b"data: one\n\n")
    with pytest.raises(NetworkClosedError, match=r"port 443, while play\(\) answers"):
        with streamtape.play(tape):
            dial()
    assert no_real_connection == []

    def swallows() -> None:
        with suppress(NetworkClosedError):
            dial()

    with pytest.raises(AssertionError, match=r"port 443, while play\(\) answers"):
        with streamtape.play(tape):
            swallows()
    with streamtape.play(tape, guard=False):
        with pytest.raises(ConnectionRefusedError, match="let through"):
            dial()


def test_sockets_are_python_s_own_again_when_the_last_cassette_closes(cassette: Path) -> None:
    before = (socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo)
    with streamtape.use_cassette(cassette), streamtape.use_cassette(cassette):
        assert socket.socket.connect is not before[0]
    assert (socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo) == before


def test_cassettes_that_overlap_guard_until_the_last_one_closes(cassette: Path) -> None:
    first, second = streamtape.use_cassette(cassette), streamtape.use_cassette(cassette)
    first.__enter__()
    opened = second.__enter__()
    first.__exit__(None, None, None)
    with pytest.raises(NetworkClosedError):
        dial()
    opened.failures.clear()
    second.__exit__(None, None, None)
    with pytest.raises(ConnectionRefusedError, match="let through"):
        dial()


def test_a_client_of_c_that_is_loaded_gives_one_warning(
    cassette: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pycurl", types.ModuleType("pycurl"))
    monkeypatch.setattr(guard, "_told", set())
    with pytest.warns(guard.UnguardedClientWarning, match="pycurl: loaded while the cassette"):
        with streamtape.use_cassette(cassette):
            pass
    with streamtape.use_cassette(cassette):
        pass  # told once: a second warning would be an error here


def test_the_real_server_on_this_machine_is_reached(
    cassette: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    with serve(Response(b"hello")) as server, streamtape.use_cassette(cassette):
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert sock.recv(4096).startswith(b"HTTP/1.1 200")
