"""What recording costs: CPU for each event, and how long the client waits for the first one."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.paired import Section, measured, section
from benchmarks.recorders import ABSENT, BARE, RECORDERS, STREAMTAPE, async_pieces, pieces
from benchmarks.server import serving

if TYPE_CHECKING:
    from benchmarks.paired import Size
    from benchmarks.recorders import Recorder

GOAL = 1.05

Cost = tuple[float, float]
"""Seconds of CPU: of the client's thread while it streams, and of the whole process from opening
the cassette until it is saved."""


def recording(size: Size) -> Iterator[Section]:
    """CPU of the client while it records, and of the whole recording with its saving."""
    ways: dict[str, tuple[Callable[..., Cost], str]] = {
        "httpx2": (_record, "httpx2"),
        "httpx2, async": (_record_async, "httpx2"),
        "httpx": (_record, "httpx"),
    }
    with serving() as server, TemporaryDirectory() as folder:
        url = f"{server}?events={size.events}"
        for way, (record, name) in ways.items():
            module = importlib.import_module(name)
            cases = {
                recorder.name: partial(record, recorder, module, url, Path(folder))
                for recorder in RECORDERS.values()
            }
            costs = measured(cases, size.rounds)
            streaming = {
                name: [1e6 * cost / size.events for cost, _ in each] for name, each in costs.items()
            }
            whole = {
                name: [1e6 * cost / size.events for _, cost in each] for name, each in costs.items()
            }
            yield section(
                f"recording with {way}: the client's CPU while it streams",
                "µs/event",
                streaming,
                BARE,
                absent=ABSENT,
                goals=size.goals({STREAMTAPE: GOAL}),
            )
            yield section(
                f"recording with {way}: all CPU, opening and saving too",
                "µs/event",
                whole,
                BARE,
                absent=ABSENT,
            )


def _cassette(folder: Path) -> Path:
    path = folder / "recorded.yaml"
    path.unlink(missing_ok=True)
    return path


def _record(recorder: Recorder, module: Any, url: str, folder: Path) -> Cost:
    path = _cassette(folder)
    with recorder.client(module) as client:
        opened = time.process_time()
        with recorder.open(path, "all"):
            started = time.thread_time()
            with client.stream("GET", url) as response:
                for _ in pieces(response):
                    pass
            streamed = time.thread_time()
        saved = time.process_time()
    return streamed - started, saved - opened


def _record_async(recorder: Recorder, module: Any, url: str, folder: Path) -> Cost:
    path = _cassette(folder)

    async def record() -> Cost:
        async with recorder.async_client(module) as client:
            opened = time.process_time()
            with recorder.open(path, "all"):
                started = time.thread_time()
                async with client.stream("GET", url) as response:
                    async for _ in async_pieces(response):
                        pass
                streamed = time.thread_time()
            saved = time.process_time()
        return streamed - started, saved - opened

    return asyncio.run(record())


def first_event(size: Size) -> Iterator[Section]:
    """How long after its request the client has the first event of a stream with pauses."""
    module = importlib.import_module("httpx2")
    with serving() as server, TemporaryDirectory() as folder:
        url = f"{server}?events={size.paused_events}&gap_ms={size.gap_ms}"

        def wait(recorder: Recorder) -> float:
            with recorder.client(module) as client:
                client.get(f"{server}?events=1")  # connected, as a client usually is
                with recorder.open(_cassette(Path(folder)), "all"):
                    asked = time.perf_counter()
                    with client.stream("GET", url) as response:
                        chunks = pieces(response)
                        next(chunks)
                        came = time.perf_counter()
                        for _ in chunks:
                            pass
            return 1e3 * (came - asked)

        cases = {recorder.name: partial(wait, recorder) for recorder in RECORDERS.values()}
        lasts = (size.paused_events - 1) * size.gap_ms
        yield section(
            f"the client's first event, of a stream of {lasts:g} ms",
            "ms",
            measured(cases, size.rounds),
            BARE,
            absent=ABSENT,
        )
