"""What it costs to save a recorded stream as a cassette, and to load it again."""

from __future__ import annotations

import copy
import dataclasses
import random
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import vcr
from vcr.persisters.filesystem import FilesystemPersister
from vcr.request import Request as VcrRequest
from vcr.serializers import yamlserializer

import streamtape
from benchmarks.paired import Section, measured, section
from benchmarks.recorders import ABSENT, CASSETTER, VCRPY, cassetter
from benchmarks.streams import TEXT, URL, events

if TYPE_CHECKING:
    from benchmarks.paired import Size

SAVE_GOAL = 70 / 45
LOAD_GOAL = 1.0

Cost = tuple[float, float]
"""Milliseconds of CPU, and on the clock."""


def tape_of(body: bytes) -> streamtape.Tape:
    """A tape as a client would have recorded it: each event a chunk, 20 ms apart on average."""
    request = streamtape.Request("POST", URL, [("accept", "*/*"), ("user-agent", "benchmark")])
    tape = streamtape.Tape.of(body, request=request)
    gaps = random.Random(1)
    at_ns = 0
    chunks = []
    for chunk in tape.chunks:
        at_ns += round(gaps.expovariate(1 / 20e6))
        chunks.append(chunk._replace(at_ns=at_ns))
    return tape.with_chunks(chunks, ending=streamtape.Ending("eof", at_ns))


def vcr_interaction(body: bytes) -> dict[str, list[Any]]:
    """The same as vcrpy holds it."""
    request = VcrRequest("POST", URL, b"", {"accept": "*/*", "user-agent": "benchmark"})
    response = {
        "status": {"code": 200, "message": "OK"},
        "headers": {"content-type": ["text/event-stream"]},
        "body": {"string": body},
    }
    return {"requests": [request], "responses": [response]}


def cassetter_cassette(path: Path, body: bytes) -> Any:
    """The same recorded by cassetter, but not saved yet."""
    package = cassetter()
    cassette = package.Cassette(path, record_mode=package.RecordMode.ALL)
    cassette.load()
    cassette.record(
        method="POST",
        uri=URL,
        request_headers={"accept": ["*/*"], "user-agent": ["benchmark"]},
        request_body=b"",
        status=200,
        response_headers={"content-type": ["text/event-stream"]},
        response_body=body,
    )
    return cassette


def save_with_vcrpy(path: Path, body: bytes) -> Callable[[], None]:
    """The saving alone; the copies are for vcrpy, which writes in what it gets."""
    interaction = copy.deepcopy(vcr_interaction(body))
    return lambda: FilesystemPersister.save_cassette(str(path), interaction, yamlserializer)


def _timed(work: Callable[[], object]) -> Cost:
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    return 1e3 * (time.process_time() - cpu), 1e3 * (time.perf_counter() - clock)


def _section(title: str, costs: dict[str, list[Cost]], **options: Any) -> Section:
    cpu = {name: [cost for cost, _ in each] for name, each in costs.items()}
    notes = {
        name: f"{statistics.median(clock for _, clock in each):,.0f} ms wall"
        for name, each in costs.items()
    }
    return section(title, "ms CPU", cpu, notes=notes, **options)


def save(size: Size) -> Iterator[Section]:
    """One tape, whole, to a file."""
    for text in TEXT:
        body = b"".join(events(size.events, text))
        tape = tape_of(body)
        with TemporaryDirectory() as folder:
            yield _section(
                f"save {size.events:,} events, {text}",
                measured(_save_cases(Path(folder), body, tape), size.rounds),
                base=VCRPY,
                absent=ABSENT,
                goals=size.goals({"streamtape.save": SAVE_GOAL}),
            )


def _save_cases(folder: Path, body: bytes, tape: streamtape.Tape) -> dict[str, Callable[[], Cost]]:
    def with_streamtape() -> Cost:
        fresh = dataclasses.replace(tape)  # which has not worked anything out yet
        return _timed(lambda: streamtape.save(folder / "streamtape.yaml", [fresh]))

    def with_vcrpy() -> Cost:
        return _timed(save_with_vcrpy(folder / "vcrpy.yaml", body))

    def with_cassetter() -> Cost:
        # Its filters run when a response is recorded; ours run when it is saved.
        return _timed(lambda: cassetter_cassette(folder / "cassetter.yaml", body).save())

    cases = {VCRPY: with_vcrpy, "streamtape.save": with_streamtape}
    return cases if ABSENT else {**cases, CASSETTER: with_cassetter}


def load(size: Size) -> Iterator[Section]:
    """One cassette, each recorder its own, of the same stream."""
    for text in TEXT:
        body = b"".join(events(size.events, text))
        with TemporaryDirectory() as folder:
            own, vcrs, other = (Path(folder) / f"{name}.yaml" for name in ("own", "vcr", "other"))
            streamtape.save(own, [tape_of(body)])
            save_with_vcrpy(vcrs, body)()
            if not ABSENT:
                cassetter_cassette(other, body).save()
            yield _section(
                f"load {size.events:,} events, {text}",
                measured(_load_cases(own, vcrs), size.rounds),
                base=VCRPY,
                goals=size.goals({"streamtape.load": LOAD_GOAL}),
            )
            yield _section(
                f"open a cassette of {size.events:,} events, {text}, for replay",
                measured(_open_cases(own, vcrs, other), size.rounds),
                base="vcr.use_cassette",
                absent=ABSENT,
                goals=size.goals({"streamtape.use_cassette": LOAD_GOAL}),
            )


def _load_cases(own: Path, vcrs: Path) -> dict[str, Callable[[], Cost]]:
    def with_vcrpy(path: Path) -> Cost:
        return _timed(lambda: FilesystemPersister.load_cassette(str(path), yamlserializer))

    return {
        VCRPY: lambda: with_vcrpy(vcrs),
        "vcrpy, streamtape's file": lambda: with_vcrpy(own),
        "streamtape.load": lambda: _timed(lambda: streamtape.load(own)),
        "streamtape.load, and every chunk": lambda: _timed(
            lambda: [tape.chunks for tape in streamtape.load(own)]
        ),
        "streamtape.load, vcrpy's file": lambda: _timed(lambda: streamtape.load(vcrs)),
    }


def _open_cases(own: Path, vcrs: Path, other: Path) -> dict[str, Callable[[], Cost]]:
    def opened(context: Any) -> Cost:
        cost = _timed(context.__enter__)
        context.__exit__(None, None, None)
        return cost

    cases = {
        "vcr.use_cassette": lambda: opened(vcr.use_cassette(str(vcrs), record_mode="none")),
        "streamtape.use_cassette": lambda: opened(streamtape.use_cassette(own)),
    }
    if not ABSENT:
        cases[CASSETTER] = lambda: opened(cassetter().use_cassette(other, record_mode="none"))
    return cases
