"""Readers of events on top of the clients: httpx-sse on httpx, and httpx2's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2
import httpx_sse
import pytest

import streamtape
from tests.clients.drivers import HTTPX_DRIVERS, HttpxDriver
from tests.server import (
    Gate,
    Response,
    apart,
    chunk,
    gate,
    hang,
    json_response,
    reset,
    serve,
    taken,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.parametrize("driver", HTTPX_DRIVERS, ids=str),
    # trio says so of the clients' own generators too, when a reader leaves a stream.
    pytest.mark.filterwarnings("ignore:Async generator .* was garbage collected:ResourceWarning"),
]

# Each with what a reader makes of it: type, data, id, retry. Every cut that a test makes below lies
# inside a character, a line end or a field name.
EVENTS: list[tuple[list[bytes], tuple[str, str, str, int | None]]] = [
    (
        [b": hello\nevent: greet", b"ing\nid: 1\ndata: caf\xc3", b"\xa9\n\n"],
        ("greeting", "café", "1", None),
    ),
    ([b"data: one\r", b"\ndata: two\r\n", b"data:\r\n\n"], ("message", "one\ntwo\n", "1", None)),
    (
        [b"retry: 30", b"00\nid: 2\ndata: \xe2\x80", b"\xa8 is no line end\n\n"],
        ("message", "\u2028 is no line end", "2", 3000),
    ),
    (
        [b"data: \xf0\x9f", b"\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7\n\n"],
        ("message", "👩\u200d👧", "2", None),
    ),
    ([b"data: [DONE]\n\n"], ("message", "[DONE]", "2", None)),
]
PIECES = [piece for pieces, _ in EVENTS for piece in pieces]
EXPECTED = [event for _, event in EVENTS]


def read(
    driver: HttpxDriver,
    url: str,
    *,
    each: Callable[[int], None] = lambda _number: None,
    stop_after: int | None = None,
) -> list[Any]:
    """The events; *each* is told the number of every one, from 0, before the next is read."""
    found: list[Any] = []

    def take(event: Any) -> bool:
        found.append((event.event, event.data, event.id, event.retry))
        each(len(found) - 1)
        return len(found) == stop_after

    def read_sync() -> None:
        with driver.module.Client() as client:
            connect = (
                httpx_sse.connect_sse(client, "GET", url)
                if driver.module is httpx
                else client.sse(url)
            )
            with connect as source:
                for event in source.iter_sse() if driver.module is httpx else source:
                    if take(event):
                        break

    async def read_async() -> None:
        async with driver.module.AsyncClient() as client:
            connect = (
                httpx_sse.aconnect_sse(client, "GET", url)
                if driver.module is httpx
                else client.sse(url)
            )
            async with connect as source:
                async for event in source.aiter_sse() if driver.module is httpx else source:
                    if take(event):
                        break

    if driver.backend == "sync":
        read_sync()
    else:
        anyio.run(read_async, backend=driver.backend)
    return found


def data_of(tape: streamtape.Tape) -> list[bytes]:
    return [piece.data for piece in tape.chunks]


def test_events_are_seen_live_and_replayed(driver: HttpxDriver, tmp_path: Path) -> None:
    """Each event is seen before the server sends the next one, or a gate stays shut."""
    gates: list[Gate] = []
    steps: list[Any] = []
    for pieces, _ in EVENTS:
        gates.append(gate())
        steps += [step for piece in pieces for step in (chunk(piece), taken())]
        steps.append(gates[-1])
    with serve(Response(*steps)) as server:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            recorded = read(driver, server.url, each=lambda number: gates[number].set())
        bare = read(driver, server.url)
    assert recorded == bare == EXPECTED
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert data_of(tape) == PIECES
    assert tape.ending.kind == "eof"
    # Our own decoder finds the same.
    assert [(event.type, event.data, event.last_event_id) for _, event in tape.events()] == [
        event[:3] for event in EXPECTED
    ]
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        assert read(driver, server.url) == EXPECTED


def test_events_are_the_same_under_every_cut(driver: HttpxDriver) -> None:
    tape = streamtape.Tape.of(b"".join(PIECES))
    for cuts in ("recorded", "whole", "bytes", "events", (0, 5, 5, 41, 42, 60)):
        with streamtape.play(tape, streamtape.Delivery(cuts=cuts)):
            assert read(driver, "http://test/") == EXPECTED


def test_a_reset_is_the_clients_own_error(driver: HttpxDriver, tmp_path: Path) -> None:
    seen: list[int] = []

    def break_off(url: str) -> BaseException:
        seen.clear()
        with pytest.raises(driver.named("ReadError")) as raised:
            read(driver, url, each=seen.append)
        return raised.value

    with serve(Response(*apart(PIECES[:4]), reset())) as server:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            live = break_off(server.url)
        assert seen == [0]
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        replayed = break_off(server.url)
    assert seen == [0]
    assert str(replayed) == str(live)


def test_a_reader_that_leaves(driver: HttpxDriver, tmp_path: Path) -> None:
    with serve(Response(*apart(PIECES[:6]), hang())) as server:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            recorded = read(driver, server.url, stop_after=2)
        server.requests[0].wait_gone()
    assert recorded == EXPECTED[:2]
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert tape.ending.kind == "closed"
    assert data_of(tape) == PIECES[: len(tape.chunks)]
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        assert read(driver, server.url, stop_after=2) == recorded


def test_what_is_no_event_stream_is_refused_alike(driver: HttpxDriver, tmp_path: Path) -> None:
    error = httpx_sse.SSEError if driver.module is httpx else httpx2.SSEError

    def refuse(url: str) -> str:
        with pytest.raises(error) as raised:
            read(driver, url)
        return str(raised.value)

    with serve(json_response({"error": "overloaded"})) as server:
        bare = refuse(server.url)
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            live = refuse(server.url)
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        assert refuse(server.url) == live == bare
