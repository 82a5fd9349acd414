"""Clients that are left early: what is left behind is told, by its kind and the way of stopping."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import httpx
import httpx2
import openai
import pytest

from streamtape import Tape
from streamtape.checks import CheckFailed, Failure, check_stop
from tests import streams

TAPE = Tape.of(b"data: a\n\ndata: b\n\ndata: c\n\ndata: d\n\n", gap_ms=1000)
CHAT = Tape.of(b"".join(streams.openai_chat()))
URL = "http://tape.test/"


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


def test_a_task_that_goes_on_is_told() -> None:
    async def run() -> AsyncIterator[bytes]:
        task = asyncio.create_task(asyncio.sleep(3600), name="keep-alive")
        KEPT.append(task)
        async for chunk in raw_async():
            yield chunk

    assert "leaked-task/cancel" in failures_of(run)
    KEPT.clear()


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
        finally:
            raise KeyError("cleanup")

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
