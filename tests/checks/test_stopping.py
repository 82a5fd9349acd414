"""Clients that are left early: what is left behind is told, by its kind and the way of stopping."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest

from streamtape import Tape
from streamtape.checks import CheckFailed, Failure, check_stop
from streamtape.clock import plain_clock
from streamtape.server import serve
from streamtape.tape import Chunk, Ending
from tests import streams

TAPE = Tape.of(b"data: a\n\ndata: b\n\ndata: c\n\ndata: d\n\n", gap_ms=1000)
CHAT = Tape.of(b"".join(streams.openai_chat()))
URL = "http://tape.test/"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left behind for good needs no second to show."""
    for module in ("leftovers", "stage"):
        monkeypatch.setattr(f"streamtape.checks.stopping.{module}.GRACE_S", 0.1)


def failures_of(run: Any, tape: Tape = TAPE, *, at: float = 2) -> dict[str, Failure]:
    with pytest.raises(CheckFailed) as caught:
        check_stop(run, tape, at=at)
    return {failure.kind: failure for failure in caught.value.failures}


def raw(module: Any = httpx) -> Iterator[bytes]:
    with module.Client() as client, client.stream("GET", URL) as response:
        yield from response.iter_raw()


async def raw_async(module: Any = httpx) -> AsyncIterator[bytes]:
    async with module.AsyncClient() as client, client.stream("GET", URL) as response:
        async for chunk in response.aiter_raw():
            yield chunk


@pytest.mark.parametrize("at", [1, 3, 1.5, 2.0])
@pytest.mark.parametrize("run", [raw, raw_async])
def test_a_client_in_a_with_block_leaves_nothing(run: Any, at: float) -> None:
    check_stop(run, TAPE, at=at)


def test_httpx2_leaves_nothing() -> None:
    def run() -> Iterator[bytes]:
        yield from raw(httpx2)

    check_stop(run, TAPE, at=2)


KEPT: list[Any] = []


def test_a_stream_that_somebody_still_holds_is_left_open() -> None:
    def run() -> Iterator[bytes]:
        with httpx.Client() as client:
            response = client.send(client.build_request("GET", URL), stream=True)
            KEPT.append((client, response))
            source = response.iter_raw()
            KEPT.append(source)
            yield from map(bytes, source)

    # The client is closed by its block, and its connections with it.
    check_stop(run, TAPE, at=2)
    KEPT.clear()


def openai_bare() -> Iterator[Any]:
    client = openai.OpenAI(api_key="x", base_url="http://x.test", max_retries=0)
    yield from client.chat.completions.create(model="m", messages=[], stream=True)


async def openai_bare_async() -> AsyncIterator[Any]:
    client = openai.AsyncOpenAI(api_key="x", base_url="http://x.test", max_retries=0)
    async for chunk in await client.chat.completions.create(model="m", messages=[], stream=True):
        yield chunk


async def openai_in_blocks() -> AsyncIterator[Any]:
    async with (
        openai.AsyncOpenAI(api_key="x", base_url="http://x.test", max_retries=0) as client,
        await client.chat.completions.create(model="m", messages=[], stream=True) as stream,
    ):
        async for chunk in stream:
            yield chunk


@pytest.mark.usefixtures("impatient")
def test_a_bare_break_out_of_openais_stream_leaves_it_open_until_garbage_collection() -> None:
    found = failures_of(openai_bare_async, CHAT)
    assert set(found) == {"left-open/break", "left-open/close"}
    assert found["left-open/break"].got == "1 open"
    assert set(failures_of(openai_bare, CHAT)) == {
        "left-open/break",
        "left-open/close",
        "left-open/interrupt",
    }


def test_openais_stream_in_a_block_is_closed() -> None:
    check_stop(openai_in_blocks, CHAT, at=3)


@pytest.mark.usefixtures("impatient")
def test_a_task_that_goes_on_is_told() -> None:
    async def run() -> AsyncIterator[bytes]:
        task = asyncio.create_task(asyncio.sleep(3600), name="keep-alive")
        KEPT.append(task)
        async for chunk in raw_async():
            yield chunk

    assert "leaked-task/cancel" in failures_of(run)
    KEPT.clear()


@pytest.mark.usefixtures("impatient")
def test_a_thread_that_goes_on_is_told() -> None:
    done = threading.Event()

    def run() -> Iterator[bytes]:
        threading.Thread(target=done.wait, name="poller", daemon=True).start()
        yield from raw()

    try:
        found = failures_of(run)
    finally:
        done.set()
    assert found["leaked-thread/break"].got == ["poller"]


def test_a_warning_on_the_way_out_is_told() -> None:
    def run() -> Iterator[bytes]:
        try:
            yield from raw()
        finally:
            warnings.warn("unclosed stream", ResourceWarning, stacklevel=1)

    assert failures_of(run)["warning/close"].got == ["ResourceWarning: unclosed stream"]


def test_who_goes_on_after_an_interrupt_is_told() -> None:
    def run() -> Iterator[bytes]:
        for chunk in raw():
            with suppress(KeyboardInterrupt):
                yield chunk
        yield b"more"

    assert "swallowed/interrupt" in failures_of(run)


def test_who_goes_on_after_a_cancellation_is_told() -> None:
    async def run() -> AsyncIterator[bytes]:
        with suppress(asyncio.CancelledError):
            async for chunk in raw_async():
                yield chunk
        yield b"more"

    assert "swallowed/cancel" in failures_of(run)


def test_another_error_than_the_one_that_stopped_it_is_told() -> None:
    def run() -> Iterator[bytes]:
        try:
            yield from raw()
        except BaseException:  # noqa: BLE001 - GeneratorExit and KeyboardInterrupt are meant
            raise KeyError("cleanup") from None

    raised = failures_of(run)["raises/close"].got
    assert isinstance(raised, KeyError)


def test_what_was_given_must_be_the_beginning() -> None:
    calls: list[None] = []

    def run() -> Iterator[bytes]:
        calls.append(None)
        for chunk in raw():
            yield chunk + b"%d" % len(calls)

    assert "other-part/break" in failures_of(run)


@pytest.mark.parametrize("at", [0, 4, 99])
def test_there_must_be_something_to_stop(at: int) -> None:
    with pytest.raises(ValueError, match="items of 4 stops nothing"):
        check_stop(raw, TAPE, at=at)


SECOND = 1_000_000_000
STALL = Tape.of(b"data: a\n\ndata: b\n\ndata: c\n\n").with_chunks(
    [Chunk(at_s * SECOND, b"data: %d\n\n" % at_s) for at_s in (0, 60, 61)],
    ending=Ending("eof", 61 * SECOND),
)


def patient() -> Iterator[bytes]:
    with httpx.Client(timeout=None) as client, client.stream("GET", URL) as response:
        yield from response.iter_raw()


async def patient_async() -> AsyncIterator[bytes]:
    async with (
        httpx.AsyncClient(timeout=None) as client,
        client.stream("GET", URL) as response,
    ):
        async for chunk in response.aiter_raw():
            yield chunk


def test_a_coroutine_is_stopped_in_the_middle_of_a_stall_in_every_way() -> None:
    times = []

    async def run() -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async for chunk in patient_async():
                yield chunk
        finally:
            times.append(loop.time() - started)

    check_stop(run, STALL, at=0.5)
    # The first reads the whole to begin with, the last to know what must be out.
    assert times[1:-1] == [pytest.approx(0.5)] * 5


def test_plain_code_is_interrupted_and_timed_out_in_the_middle_of_a_stall() -> None:
    seen = []

    def run() -> Iterator[bytes]:
        started = plain_clock().now_ns()
        try:
            yield from patient()
        except BaseException as exc:
            seen.append((type(exc), (plain_clock().now_ns() - started) / SECOND))
            raise

    check_stop(run, STALL, at=0.5)
    assert seen == [
        (GeneratorExit, 60.0),
        (GeneratorExit, 60.0),
        (KeyboardInterrupt, 0.5),
        (TimeoutError, 0.5),
    ]


def test_a_client_may_be_stopped_before_anything_came() -> None:
    late = STALL.with_chunks([Chunk(at + SECOND, data) for at, data, _ in STALL.chunks])
    check_stop(patient_async, late, at=0.5)


@pytest.mark.parametrize("run", [patient, patient_async])
def test_a_time_after_the_end_of_the_stream_stops_nothing(run: Any) -> None:
    with pytest.raises(ValueError, match=r"over before 1e\+09 s of the tape"):
        check_stop(run, TAPE, at=1e9)


@pytest.mark.parametrize("at", [0.0, -1.0, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(at: float) -> None:
    with pytest.raises(ValueError, match="no time to stop at"):
        check_stop(raw, TAPE, at=at)


def test_a_reader_that_fails_for_the_whole_stream_can_not_be_stopped() -> None:
    with pytest.raises(ValueError, match="raised ReadTimeout for the whole stream") as caught:
        check_stop(raw, STALL, at=1)
    assert isinstance(caught.value.__cause__, httpx.ReadTimeout)


@pytest.mark.parametrize("caught", [KeyboardInterrupt, TimeoutError])
def test_who_goes_on_after_an_interrupt_or_a_timeout_in_the_read_is_told(caught: Any) -> None:
    def run() -> Iterator[bytes]:
        with httpx.Client() as client, client.stream("GET", URL) as response:
            chunks = response.iter_raw()
            while True:
                try:
                    chunk = next(chunks)
                except caught:
                    continue
                except StopIteration:
                    return
                yield chunk

    way = {KeyboardInterrupt: "interrupt", TimeoutError: "timeout"}[caught]
    assert set(failures_of(run)) == {f"swallowed/{way}"}


def test_who_asks_again_after_an_interrupt_is_told_and_ended() -> None:
    def run() -> Iterator[bytes]:
        while True:
            try:
                yield from raw()
            except KeyboardInterrupt:
                continue
            return

    assert set(failures_of(run)) == {"swallowed/interrupt", "other-part/interrupt"}


def test_a_coroutine_that_swallows_is_told_in_every_way_that_cancels() -> None:
    async def run() -> AsyncIterator[bytes]:
        with suppress(asyncio.CancelledError):
            async for chunk in patient_async():
                yield chunk

    assert set(failures_of(run)) == {f"swallowed/{w}" for w in ("cancel", "timeout", "interrupt")}
    # Who leaves by itself in the middle of a wait cancels it too.
    assert set(failures_of(run, STALL, at=0.5)) >= {"swallowed/break", "swallowed/close"}


def test_a_client_may_make_a_timeout_of_its_own_of_a_timeout() -> None:
    class OwnError(Exception):
        pass

    def run() -> Iterator[bytes]:
        try:
            yield from raw()
        except TimeoutError as exc:
            raise OwnError from exc

    check_stop(run, TAPE, at=2)


async def anthropic_bare_async() -> AsyncIterator[Any]:
    client = anthropic.AsyncAnthropic(api_key="x", base_url="http://x.test", max_retries=0)
    async for event in await client.messages.create(
        model="m", max_tokens=9, messages=[], stream=True
    ):
        yield event


def test_a_stream_that_closes_in_many_turns_of_the_loop_is_closed() -> None:
    check_stop(anthropic_bare_async, Tape.of(b"".join(streams.anthropic_messages())), at=2)


@pytest.mark.parametrize("at", [1, 0.5])
def test_a_client_may_take_a_moment_to_close(at: float) -> None:
    async def run() -> AsyncIterator[bytes]:
        async for chunk in patient_async():
            try:
                yield chunk
            finally:
                await asyncio.sleep(0.05)

    check_stop(run, STALL, at=at)


def test_a_generator_that_does_not_close_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamtape.checks.stopping.stage.GRACE_S", 0.1)

    async def never_done() -> AsyncIterator[bytes]:
        async for chunk in patient_async():
            try:
                yield chunk
            except GeneratorExit:
                await asyncio.sleep(0.5)
                raise

    leaked = failures_of(never_done, at=1)["leaked-task/break"].got
    assert isinstance(leaked, list)
    assert "closing test_a_generator_that_does_not_close_is_named" in leaked[0]


def test_a_reader_that_is_an_item_behind_loses_it_when_stopped() -> None:
    def run() -> Iterator[bytes]:
        before = b""
        for chunk in raw():
            if before:
                yield before
            before = chunk
        yield before

    async def run_async() -> AsyncIterator[bytes]:
        before = b""
        async for chunk in patient_async():
            if before:
                yield before
            before = chunk
        yield before

    found = failures_of(run)
    assert set(found) == {"behind"}
    assert found["behind"].got == [b"data: a\n\n", b"data: b\n\n"]
    assert found["behind"].expected == [b"data: a\n\n", b"data: b\n\n", b"data: c\n\n"]
    assert failures_of(run_async, STALL, at=0.5)["behind"].got == []


class Summing:
    """A client with a result of its own, which may be behind what it gives."""

    def __init__(self, *, behind: bool) -> None:
        self.text = b""
        self._behind = behind

    async def run(self) -> AsyncIterator[bytes]:
        self.text = before = b""
        async for chunk in patient_async():
            self.text += before if self._behind else chunk
            before = chunk
            yield chunk
        if self._behind:
            self.text += before

    def result(self) -> bytes:
        return self.text


@pytest.mark.parametrize("at", [2, 1.5])
def test_the_result_so_far_is_that_of_a_stream_that_ends_there(at: float) -> None:
    right, behind = Summing(behind=False), Summing(behind=True)
    check_stop(right.run, TAPE, at=at, result=right.result)
    with pytest.raises(CheckFailed) as caught:
        check_stop(behind.run, TAPE, at=at, result=behind.result)
    assert {failure.kind for failure in caught.value.failures} == {
        f"other-result/{way}" for way in ("break", "close", "cancel", "timeout", "interrupt")
    }


def test_a_result_in_the_middle_of_a_chunk_is_that_of_so_many_items() -> None:
    seen: list[bytes] = []

    def run() -> Iterator[bytes]:
        seen.clear()
        for chunk in raw():
            for line in chunk.splitlines():
                seen.append(line)
                yield line

    check_stop(run, Tape.of(TAPE.body, cuts="whole"), at=2, result=lambda: list(seen))


def test_a_server_sees_a_right_client_go() -> None:
    with serve(TAPE) as server:

        def run() -> Iterator[bytes]:
            with (
                httpx.Client(trust_env=False) as client,
                client.stream("GET", server.url) as response,
            ):
                yield from response.iter_raw()

        async def run_async() -> AsyncIterator[bytes]:
            async with (
                httpx.AsyncClient(trust_env=False) as client,
                client.stream("GET", server.url) as response,
            ):
                async for chunk in response.aiter_raw():
                    yield chunk

        check_stop(run, TAPE, at=1, server=server)
        check_stop(run_async, TAPE, at=1, server=server)
        gone = [exchange.how for exchange in server.log if exchange.how != "complete"]
    assert len(gone) == 3 + 5
    assert set(gone) <= {"client closed", "client reset"}


def test_a_server_sees_that_a_client_stays_or_reads_to_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamtape.checks.stopping.stage.SERVER_GRACE_S", 0.3)
    with serve(TAPE) as server:

        def stays() -> Iterator[bytes]:
            client = httpx.Client(trust_env=False)
            response = client.send(client.build_request("GET", server.url), stream=True)
            source = response.iter_raw()
            KEPT.append((client, response, source))
            yield from map(bytes, source)

        def drains() -> Iterator[bytes]:
            with httpx.stream("GET", server.url, trust_env=False) as response:
                chunks = response.iter_raw()
                try:
                    yield from map(bytes, chunks)
                finally:
                    list(chunks)

        with pytest.raises(CheckFailed) as caught:
            check_stop(stays, TAPE, at=1, server=server)
        assert "left-open/break" in {failure.kind for failure in caught.value.failures}
        for client, response, _ in KEPT:
            response.close()
            client.close()
        KEPT.clear()
        with pytest.raises(CheckFailed) as caught:
            check_stop(drains, TAPE, at=1, server=server)
    assert "drained/break" in {failure.kind for failure in caught.value.failures}


@pytest.mark.usefixtures("impatient")
def test_one_failure_in_three_ways_is_told_once_with_what_to_do() -> None:
    with pytest.raises(CheckFailed) as caught:
        check_stop(openai_bare, CHAT, at=2)
    told = str(caught.value)
    assert "left-open/break, left-open/close, left-open/interrupt: the stream is still open" in told
    assert "put the client and its stream in `with`" in told
    assert told.count("still open") == 1


def test_a_failure_says_at_which_pace_the_tape_was_played() -> None:
    failure = failures_of(patient_async_that_swallows, STALL, at=0.5)["swallowed/cancel"]
    assert "Delivery(pace='recorded')" in str(failure)
    assert "stopped at 0.5 s, after 1 item" in str(failure)


async def patient_async_that_swallows() -> AsyncIterator[bytes]:
    with suppress(asyncio.CancelledError):
        async for chunk in patient_async():
            yield chunk
