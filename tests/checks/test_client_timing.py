"""When a consumer got what had arrived, on clocks that stand still otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import httpx
import httpx2
import httpx_sse
import looptime
import pytest

from streamtape import Decoder, Event, Tape
from streamtape.checks import client_timing, client_timing_here
from streamtape.clock import SteppedClock

TAPE = Tape.of(b"data: a\n\ndata: b\n\ndata: c\n\n", gap_ms=100)


@pytest.fixture
def clock() -> Iterator[SteppedClock]:
    stepped = SteppedClock()
    with stepped.running():
        yield stepped


def decoded(chunks: Iterable[bytes]) -> Iterator[Event]:
    decoder = Decoder()
    for chunk in chunks:
        yield from decoder.feed(chunk)


@pytest.mark.usefixtures("clock")
def test_a_prompt_consumer_has_no_lag() -> None:
    timing = client_timing(decoded, TAPE)
    assert [item.chunks for item in timing.items] == [1, 2, 3]
    assert timing.lag is not None
    assert timing.lag.max == 0
    assert timing.time_to_first_item == 0
    assert timing.held_back == ()


@pytest.mark.parametrize("module", [httpx, httpx2])
def test_a_client_is_watched_in_the_tapes_time(clock: SteppedClock, module: Any) -> None:
    def run() -> Iterator[tuple[bytes, float]]:
        with module.Client() as client, client.stream("GET", "http://x.test/") as response:
            for chunk in response.iter_raw():
                clock.sleep_ns(7_000_000)  # what the consumer does with each
                yield chunk

    timing = client_timing(run, TAPE)
    assert [item.chunk_ns / 1e6 for item in timing.items] == [100, 200, 300]
    assert timing.lag is not None
    assert (timing.lag.min, timing.lag.max) == (0.007, 0.007)
    assert timing.time_to_first_item == 0.007


@pytest.mark.usefixtures("clock")
def test_what_comes_out_at_the_end_only_is_named() -> None:
    def at_the_end(chunks: Iterable[bytes]) -> Iterator[Event]:
        first, *rest = list(decoded(chunks))
        yield first
        yield from rest

    assert client_timing(at_the_end, TAPE).held_back == (0, 1, 2)


@pytest.mark.usefixtures("clock")
def test_an_event_that_waits_for_the_next_chunk_is_a_second_late() -> None:
    def run() -> Iterator[str]:
        with (
            httpx.Client() as client,
            httpx_sse.connect_sse(client, "GET", "http://x.test/") as source,
        ):
            for event in source.iter_sse():
                yield event.data

    timing = client_timing(run, Tape.of(b"data: a\r\rdata: b\r\rdata: c\r\r", gap_ms=1000))
    assert [(item.needed, item.chunks) for item in timing.items] == [(1, 2), (2, 3), (None, 3)]
    assert timing.held_back == (0, 1)
    assert timing.lag is not None
    assert timing.lag.max == 1.0


def test_an_event_held_back_is_late_in_a_loops_time_too() -> None:
    async def run() -> AsyncIterator[bytes]:
        async with (
            httpx.AsyncClient() as client,
            client.stream("GET", "http://x.test/") as response,
        ):
            before = b""
            async for chunk in response.aiter_raw():
                if before:
                    yield before
                before = chunk
            yield before

    async def main() -> None:
        timing = await client_timing_here(run, TAPE)
        assert timing.held_back == (0, 1)
        assert timing.lag is not None
        assert timing.lag.max == pytest.approx(0.1)

    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(main())


def test_under_a_virtual_loop_times_are_the_loops() -> None:
    async def run() -> AsyncIterator[bytes]:
        async with (
            httpx.AsyncClient() as client,
            client.stream("GET", "http://x.test/") as response,
        ):
            async for chunk in response.aiter_raw():
                await asyncio.sleep(0.05)
                yield chunk

    async def main() -> None:
        timing = await client_timing_here(run, TAPE)
        assert timing.lag is not None
        assert timing.lag.p50 == pytest.approx(0.05)

    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(main())


def test_what_the_consumer_raises_is_raised() -> None:
    def broken(chunks: Iterable[bytes]) -> Iterator[Event]:
        yield from decoded(chunks)
        raise KeyError("no such field")

    with pytest.raises(KeyError, match="no such field"):
        client_timing(broken, TAPE)


def test_a_consumer_that_gives_nothing_has_no_lag_to_tell() -> None:
    def nothing(chunks: Iterable[bytes]) -> Iterator[Event]:
        for _ in chunks:
            yield from ()

    timing = client_timing(nothing, TAPE)
    assert (timing.lag, timing.time_to_first_item, timing.items) == (None, None, ())
