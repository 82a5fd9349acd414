"""Bugs met once in what happens around a recording: threads, hooks, finalizers, generators."""

from __future__ import annotations

import asyncio
import gc
import http.client
import sys
import threading
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

import streamtape
from streamtape import Request, Tape
from streamtape.cassette.recorder import Recorder
from tests.server import Response, apart, chunk, head, json_response, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from streamtape.clients.take import Take

STREAM = Response(*apart([b"data: one\n\n", b"data: [DONE]\n\n"]))


def within_ten_seconds(work: Any) -> None:
    """Run *work* in a thread: a deadlock fails here, and does not hang the suite."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "deadlock"
    assert not failures, failures


@pytest.mark.parametrize(
    "hook", ["before_record_request", "before_record_response", "before_save_interaction"]
)
def test_hooks_may_look_at_the_cassette(hook: str, tmp_path: Path) -> None:
    seen: list[int] = []
    cassettes: list[Any] = []

    def look(*given: Any) -> Any:
        seen.extend(len(cassette) for cassette in cassettes)
        return given[0] if len(given) == 1 else given[:2]

    def work() -> None:
        options: dict[str, Any] = {hook: look}
        with streamtape.use_cassette(
            tmp_path / "a.yaml", record_mode="once", **options
        ) as cassette:
            cassettes.append(cassette)
            for _ in range(3):
                httpx2.get(server.url)

    with serve(STREAM) as server:
        within_ten_seconds(work)
    assert seen
    assert len(streamtape.load(tmp_path / "a.yaml")) == 3


def test_a_stream_may_end_in_a_finalizer_inside_the_recorders_own_lines() -> None:
    """The garbage collector runs anywhere: here, while another stream's end is being noted."""
    recorded: list[Take] = []
    recorder = Recorder(recorded.append)
    others = [recorder.take(Request("GET", "http://x.test/"), n) for n in range(200)]

    class Cycle:
        def __init__(self, take: Take) -> None:
            self.take = take
            self.itself = self

        def __del__(self) -> None:
            self.take.finish("closed")

    def work() -> None:
        threshold = gc.get_threshold()
        gc.set_threshold(1)
        try:
            for n in range(200):
                Cycle(others[n])
                recorder.take(Request("GET", "http://x.test/"), 200 + n).finish("eof")
            gc.collect()
            recorder.settle()
        finally:
            gc.set_threshold(*threshold)

    within_ten_seconds(work)
    recorder.close()
    assert len(recorded) == 400


def test_a_failure_to_record_is_raised_again_although_somebody_heard_of_it(tmp_path: Path) -> None:
    def broken(_: Any) -> Any:
        raise LookupError("the hook is broken")

    with serve(STREAM) as server, pytest.raises(LookupError):
        with streamtape.use_cassette(
            tmp_path / "a.yaml", record_mode="once", before_record_response=broken
        ) as cassette:
            httpx2.get(server.url)
            with suppress(LookupError):
                len(cassette)


def test_threads_with_a_cassette_each_leave_no_patch_behind(tmp_path: Path) -> None:
    connection = http.client.HTTPConnection
    for n in range(8):
        streamtape.save(tmp_path / f"{n}.yaml", [Tape.of(b"data: x\n\n")])
    failures: list[Exception] = []

    def many(n: int) -> None:
        try:
            for _ in range(15):
                with streamtape.use_cassette(tmp_path / f"{n}.yaml"):
                    pass
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=many, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert failures == []
    assert http.client.HTTPConnection is connection


def test_a_request_of_a_client_that_vcrpy_serves_is_noted_too(tmp_path: Path) -> None:
    with streamtape.use_cassette(tmp_path / "a.yaml") as cassette:
        with suppress(Exception):
            urllib.request.urlopen("http://127.0.0.1:9/")
        assert [request.uri for request in cassette.unanswered] == ["http://127.0.0.1:9/"]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_headers_that_are_not_ascii_come_back_as_the_bytes_they_were(
    encoding: str, tmp_path: Path
) -> None:
    value = "café".encode(encoding)
    wire = b"HTTP/1.1 200 OK\r\nx-name: " + value + b"\r\ncontent-length: 2\r\n\r\nok"
    from tests.server import raw

    with serve(Response(raw(wire))) as server:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            live = httpx2.get(server.url)
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        replayed = httpx2.get(server.url)
    assert (b"x-name", value) in [(name.lower(), v) for name, v in replayed.headers.raw]
    assert replayed.headers["x-name"] == live.headers["x-name"]


def test_a_decorated_async_generator_runs_inside_the_cassette(tmp_path: Path) -> None:
    streamtape.save(tmp_path / "a.yaml", [Tape.of(b"data: taped\n\n")])

    @streamtape.use_cassette(tmp_path / "a.yaml")
    async def bodies(url: str) -> AsyncIterator[bytes]:
        async with httpx2.AsyncClient() as client:
            yield (await client.get(url)).content

    async def main(url: str) -> list[bytes]:
        return [body async for body in bodies(url)]

    with serve(STREAM) as server:
        assert asyncio.run(main(server.url)) == [b"data: taped\n\n"]
        assert server.requests == []


def test_a_client_that_left_with_all_the_bytes_that_were_promised_read_to_the_end(
    tmp_path: Path,
) -> None:
    whole = Response(head(200, {"content-type": "text/plain"}), chunk("all"), transfer="length")
    with serve(whole) as server:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            with httpx2.stream("GET", server.url) as response:
                next(response.iter_raw())
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        assert httpx2.get(server.url).text == "all"


def test_a_slow_reader_can_be_replayed_under_its_own_read_timeout(tmp_path: Path) -> None:
    """The reader's own absence, also before the end, is no stall of the network."""
    import time

    with serve(json_response({"a": 1})) as server:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            with httpx2.stream("GET", server.url, timeout=0.2) as response:
                for _ in response.iter_raw():
                    time.sleep(0.3)
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        assert httpx2.get(server.url, timeout=0.2).json() == {"a": 1}
