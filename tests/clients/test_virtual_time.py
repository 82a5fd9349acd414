"""A real connection in virtual time is refused: a server answers in real time."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import httpx2
import looptime
import pytest
import trio
import trio.testing

import streamtape
from streamtape import Delivery, Tape, play
from streamtape.clock import VirtualClockError
from tests.server import Response, serve

if TYPE_CHECKING:
    from pathlib import Path

TAPE = Tape.of(b"data: one\n\n", gap_ms=1000)
VIRTUAL = Delivery(pace="virtual")


@pytest.fixture
def address() -> Any:
    """Somebody listens there, and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening.getsockname()


def in_looptime(function: Callable[..., Any], *args: Any) -> Any:
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        return runner.run(function(*args))


def in_mock_time(function: Callable[..., Any], *args: Any) -> Any:
    clock = trio.testing.MockClock(autojump_threshold=0)
    try:
        return trio.run(function, *args, clock=clock)
    except* VirtualClockError as group:
        raise group.exceptions[0] from None


async def open_asyncio(host: str, port: int) -> None:
    _, writer = await asyncio.open_connection(host, port)
    writer.close()
    await writer.wait_closed()


async def open_trio(host: str, port: int) -> None:
    async with await trio.open_tcp_stream(host, port):
        pass


async def get(url: str) -> int:
    async with httpx2.AsyncClient() as client:
        return (await client.get(url)).status_code


def test_asyncio_in_virtual_time(address: Any) -> None:
    with pytest.raises(VirtualClockError, match=f"port {address[1]} in virtual time"):
        with play(TAPE, VIRTUAL):
            in_looptime(open_asyncio, *address)


def test_trio_in_virtual_time(address: Any) -> None:
    with pytest.raises(VirtualClockError, match=f"port {address[1]} in virtual time"):
        with play(TAPE, VIRTUAL):
            in_mock_time(open_trio, *address)


def test_plain_code_in_virtual_time(address: Any, stream_clock: Any) -> None:
    assert stream_clock.now() == 0
    with pytest.raises(VirtualClockError, match=f"port {address[1]} in virtual time"):
        socket.create_connection(address)


def test_a_client_without_a_tape(stream_clock: Any) -> None:
    assert stream_clock.now() == 0
    with serve(Response(b"hello")) as server:
        with pytest.raises(VirtualClockError):
            httpx2.get(server.url)
        with pytest.raises(ExceptionGroup) as caught:  # of anyio's task group
            in_looptime(get, server.url)
        assert caught.group_contains(VirtualClockError, match="in virtual time")
        assert asyncio.run(get(server.url)) == 200  # the time of this loop is real


def test_a_client_that_swallows_it_fails_the_block(address: Any, tmp_path: Path) -> None:
    def client() -> None:
        with suppress(VirtualClockError):
            in_looptime(open_asyncio, *address)

    with pytest.raises(AssertionError, match="in virtual time"):
        with play(TAPE, VIRTUAL):
            client()
    streamtape.save(tmp_path / "a.yaml", [TAPE])
    with pytest.raises(AssertionError, match="in virtual time"):
        with streamtape.use_cassette(tmp_path / "a.yaml", delivery=VIRTUAL, match_on=()):
            client()


def test_a_real_clock_lets_connections_through(address: Any) -> None:
    with play(TAPE, VIRTUAL):
        socket.create_connection(address).close()
        asyncio.run(open_asyncio(*address))


def test_the_clock_of_a_coroutine_tells_the_loop_s_own_time(stream_clock: Any) -> None:
    async def read() -> None:
        async with httpx2.AsyncClient(timeout=None) as client:
            await client.get("http://x.test/")

    async def test() -> None:
        with play(TAPE, VIRTUAL):
            await read()
        assert stream_clock.now() == pytest.approx(1.0)  # never asked before

    in_looptime(test)
