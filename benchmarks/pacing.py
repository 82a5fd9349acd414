"""How late in-process chunks are at the recorded pace, and what virtual time costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import httpx2
import looptime

from benchmarks.paired import Section, measured, section
from benchmarks.streams import URL, events
from streamtape import Delivery, Tape, play
from streamtape.clock.told import StreamClock

if TYPE_CHECKING:
    from benchmarks.paired import Size

GAP_MS = 10.0
GOAL_MS = 3.0
CHUNKS = 300
TEN_MINUTES = 600.0

_SLEEP = "time.sleep until each chunk's time"
_PLAIN = "streamtape, plain"
_AWAITED = "asyncio.sleep until each chunk's time"
_ASYNC = "streamtape, asyncio"


def pacing(size: Size) -> Iterator[Section]:
    """Two tables: lateness in real time, and the real time of ten virtual minutes."""
    yield from _lateness(size)
    yield from _virtual(size)


# --- real time ------------------------------------------------------------------------------------


def _lateness(size: Size) -> Iterator[Section]:
    count = min(CHUNKS, size.events)
    tape = Tape.of(b"".join(events(count)), gap_ms=GAP_MS)
    gaps = [chunk.at_ns for chunk in tape.chunks]
    runs: dict[str, Callable[[], list[float]]] = {
        _SLEEP: partial(_slept, gaps),
        _PLAIN: partial(_played, tape, gaps),
        _AWAITED: lambda: asyncio.run(_awaited(gaps)),
        _ASYNC: lambda: asyncio.run(_played_async(tape, gaps)),
    }
    latest: dict[str, list[float]] = {}

    def percentile(name: str) -> float:
        late = latest[name] = sorted(runs[name]())
        return late[len(late) * 99 // 100]

    values = measured({name: partial(percentile, name) for name in runs}, min(3, size.rounds))
    notes = {name: f"first {late[0]:.2f}, most {late[-1]:.2f}" for name, late in latest.items()}
    yield section(
        f"p99 lateness of {count} chunks, {GAP_MS:g} ms apart, played in process"
        f" (goal {GOAL_MS:g} ms, never early)",
        "ms",
        values,
        _SLEEP,
        notes=notes,
    )


def _late(began_ns: int, at_ns: int) -> float:
    return (time.perf_counter_ns() - began_ns - at_ns) / 1e6


def _slept(gaps: list[int]) -> list[float]:
    began = time.perf_counter_ns()
    late = []
    for at_ns in gaps:
        time.sleep(max(0, at_ns - (time.perf_counter_ns() - began)) / 1e9)
        late.append(_late(began, at_ns))
    return late


async def _awaited(gaps: list[int]) -> list[float]:
    began = time.perf_counter_ns()
    late = []
    for at_ns in gaps:
        await asyncio.sleep(max(0, at_ns - (time.perf_counter_ns() - began)) / 1e9)
        late.append(_late(began, at_ns))
    return late


class _Sent:
    """When a request was handed to the transport: what a tape's times count from."""

    began_ns = 0

    def hook(self, _: object) -> None:
        self.began_ns = time.perf_counter_ns()

    async def hook_async(self, _: object) -> None:
        self.began_ns = time.perf_counter_ns()


def _played(tape: Tape, gaps: list[int]) -> list[float]:
    sent = _Sent()
    hooks = {"request": [sent.hook]}
    with play(tape, Delivery(pace="recorded")), httpx2.Client(event_hooks=hooks) as client:
        with client.stream("GET", URL, timeout=None) as response:
            chunks = response.iter_raw()
            return [_late(sent.began_ns, at_ns) for at_ns, _ in zip(gaps, chunks, strict=True)]


async def _played_async(tape: Tape, gaps: list[int]) -> list[float]:
    sent = _Sent()
    hooks = {"request": [sent.hook_async]}
    late: list[float] = []
    with play(tape, Delivery(pace="recorded")):
        async with httpx2.AsyncClient(event_hooks=hooks) as client:
            async with client.stream("GET", URL, timeout=None) as response:
                async for _ in response.aiter_raw():
                    late.append(_late(sent.began_ns, gaps[len(late)]))
    return late


# --- virtual time ---------------------------------------------------------------------------------


def _virtual(size: Size) -> Iterator[Section]:
    tape = Tape.of(b"".join(events(size.events)), gap_ms=TEN_MINUTES * 1000 / size.events)
    ends: dict[str, float] = {}

    def timed(name: str, run: Callable[[], float]) -> float:
        began = time.perf_counter()
        ends[name] = run()
        return (time.perf_counter() - began) * 1000

    instant, plain = "streamtape, at once", "streamtape, virtual"
    virtual = "streamtape, virtual under looptime"
    runs = {
        instant: partial(_read, tape, Delivery()),
        plain: partial(_read_stepped, tape),
        virtual: partial(_read_looptime, tape),
    }
    cases = {name: partial(timed, name, run) for name, run in runs.items()}
    values = measured(cases, min(3, size.rounds))
    yield section(
        f"ten minutes of virtual time in {size.events:,} chunks, real time",
        "ms",
        values,
        instant,
        notes={name: f"{ends[name]:g} s passed" for name in (plain, virtual)},
    )


def _read(tape: Tape, delivery: Delivery) -> float:
    with play(tape, delivery), httpx2.Client(timeout=None) as client:
        with client.stream("GET", URL) as response:
            for _ in response.iter_raw():
                pass
    return 0.0


def _read_stepped(tape: Tape) -> float:
    with StreamClock() as clock:
        _read(tape, Delivery(pace="virtual"))
        return clock.now()


def _read_looptime(tape: Tape) -> float:
    async def read() -> float:
        with play(tape, Delivery(pace="virtual")):
            async with httpx2.AsyncClient(timeout=None) as client:
                async with client.stream("GET", URL) as response:
                    async for _ in response.aiter_raw():
                        pass
        return asyncio.get_running_loop().time()

    with asyncio.Runner(loop_factory=partial(looptime.new_event_loop, noop_cycles=1)) as runner:
        return runner.run(read())
