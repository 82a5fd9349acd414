"""What it costs to play one short stream in a thousand ways, as a property test does."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx2

import streamtape
from benchmarks.files import tape_of
from benchmarks.paired import Section, measured, section
from benchmarks.replay import MOCK, Chunks
from benchmarks.streams import DONE, URL, events

if TYPE_CHECKING:
    from benchmarks.paired import Size

EVENTS = 50
CUTS = 50
PLAY = "streamtape.play"
SHARE = 0.15
"""The most of all CPU that may be streamtape's; the rest is the client's."""


def deliveries(size: Size) -> Iterator[Section]:
    """CPU for each delivery through the OpenAI SDK, beside a transport of the same chunks."""
    tape = tape_of(b"".join([*events(EVENTS), DONE]))
    ways = _ways(tape, size.deliveries)
    chunks = [[chunk.data for chunk in tape.deliver(way).chunks] for way in ways]
    rounds = min(size.rounds, 3)  # each of some seconds
    cases: dict[str, Callable[[], float]] = {
        MOCK: lambda: _with_mock(chunks),
        PLAY: lambda: _with_play(tape, ways),
    }
    costs = measured(cases, rounds)
    share = statistics.median(
        max(1 - mock / played, 0) for mock, played in zip(costs[MOCK], costs[PLAY], strict=True)
    )
    yield section(
        f"{size.deliveries:,} deliveries of {EVENTS} events through the openai SDK",
        "µs/delivery",
        costs,
        MOCK,
        notes={PLAY: f"{share:.0%} of the CPU"},
        goals=size.goals({PLAY: 1 / (1 - SHARE)}),
    )


def _ways(tape: streamtape.Tape, count: int) -> list[streamtape.Delivery]:
    """*count* deliveries, each cut at as many places as there are events, anywhere."""
    places = random.Random(1)
    length = len(tape.body)
    return [
        streamtape.Delivery(cuts=tuple(sorted(places.randrange(1, length) for _ in range(CUTS))))
        for _ in range(count)
    ]


def _with_play(tape: streamtape.Tape, ways: list[streamtape.Delivery]) -> float:
    with httpx2.Client() as client:
        sdk = _sdk(client)
        started = time.process_time()
        for way in ways:
            with streamtape.play(tape, way):
                _read(sdk)
        return 1e6 * (time.process_time() - started) / len(ways)


def _with_mock(chunks: list[list[bytes]]) -> float:
    streams = iter(chunks)

    def answer(_request: httpx2.Request) -> httpx2.Response:
        headers = {"content-type": "text/event-stream"}
        return httpx2.Response(200, headers=headers, stream=Chunks(next(streams)))

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as client:
        sdk = _sdk(client)
        started = time.process_time()
        for _ in chunks:
            _read(sdk)
        return 1e6 * (time.process_time() - started) / len(chunks)


def _sdk(client: httpx2.Client) -> Any:
    import openai  # takes longer than all else here, so only where it is measured

    return openai.OpenAI(api_key="none", base_url=URL.partition("/chat")[0], http_client=client)


def _read(sdk: Any) -> None:
    for _ in sdk.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "Hello"}], stream=True
    ):
        pass
