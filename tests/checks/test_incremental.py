"""Promptness: what is complete is out before more is asked for; lateness is told by its kind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import anthropic
import httpx
import httpx2
import httpx_sse
import openai
import pytest
import trio

from streamtape import Decoder, Event, Tape
from streamtape.checks import CheckFailed, Failure, check_incremental
from streamtape.tape import Ending
from tests import streams

TAPE = Tape.of(b"data: a\n\nevent: x\ndata: b\n\ndata: [DONE]\n\n")
CHAT = Tape.of(b"".join(streams.openai_chat()))


def failures_of(run: Any, tape: Tape, **kwargs: Any) -> dict[str, Failure]:
    with pytest.raises(CheckFailed) as caught:
        check_incremental(run, tape, **kwargs)
    return {failure.kind: failure for failure in caught.value.failures}


def decoded(chunks: Iterable[bytes]) -> Iterator[Event]:
    decoder = Decoder()
    for chunk in chunks:
        yield from decoder.feed(chunk)


async def decoded_async(chunks: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    decoder = Decoder()
    async for chunk in chunks:
        for event in decoder.feed(chunk):
            yield event


@pytest.mark.parametrize("run", [decoded, decoded_async])
@pytest.mark.parametrize("cuts", ["events", "whole", "bytes", (9, 20)])
def test_a_decoder_is_prompt(run: Any, cuts: Any) -> None:
    check_incremental(run, Tape.of(TAPE.body, cuts=cuts))


def test_what_comes_only_at_the_end_need_not_come_before() -> None:
    def with_a_summary(chunks: Iterable[bytes]) -> Iterator[Any]:
        events = []
        for event in decoded(chunks):
            events.append(event)
            yield event
        yield len(events)

    check_incremental(with_a_summary, TAPE)


def test_an_error_at_the_end_of_a_shorter_stream_takes_nothing_back() -> None:
    def strict(chunks: Iterable[bytes]) -> Iterator[Event]:
        last = None
        for last in decoded(chunks):
            yield last
        if last is None or last.data != "[DONE]":
            raise EOFError

    check_incremental(strict, TAPE)


def late(chunks: Iterable[bytes]) -> Iterator[Event]:
    waiting = None
    for event in decoded(chunks):
        if waiting is not None:
            yield waiting
        waiting = event
    if waiting is not None:
        yield waiting


def test_a_reader_that_is_an_event_behind_is_late_however_lines_end() -> None:
    found = failures_of(late, TAPE)
    assert set(found) == {"held-back/recorded", "held-back/lf", "held-back/crlf", "held-back/cr"}
    assert found["held-back/lf"].expected == [Event(data="a")]
    assert found["held-back/lf"].got == []
    assert "event 1 is complete with chunk 1" in found["held-back/lf"].sentence


def test_what_is_known_is_allowed_and_must_still_occur() -> None:
    kinds = ["held-back/recorded", "held-back/lf", "held-back/crlf", "held-back/cr"]
    check_incremental(late, TAPE, allow=kinds)
    with pytest.raises(CheckFailed, match="held-back/cr: allowed, but no longer occurs"):
        check_incremental(decoded, TAPE, allow=["held-back/cr"])


def test_lines_of_json_are_watched_too() -> None:
    def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
        held = b""
        for chunk in chunks:
            *whole, held = (held + chunk).split(b"\n")
            yield from whole

    def a_line_late(chunks: Iterable[bytes]) -> Iterator[bytes]:
        held: list[bytes] = []
        for line in lines(chunks):
            yield from held
            held = [line]
        yield from held

    tape = Tape.of(b'{"a":1}\n{"a":2}\n{"a":3}\n', content_type="application/x-ndjson")
    check_incremental(lines, tape)
    assert set(failures_of(a_line_late, tape)) == {"held-back/recorded", "held-back/lf"}


def sse_events(module: Any = httpx) -> Iterator[tuple[str, str]]:
    with (
        module.Client() as client,
        httpx_sse.connect_sse(client, "GET", "http://x.test/") as source,
    ):
        for event in source.iter_sse():
            yield event.event, event.data


async def sse_events_async() -> AsyncIterator[tuple[str, str]]:
    async with (
        httpx.AsyncClient() as client,
        httpx_sse.aconnect_sse(client, "GET", "http://x.test/") as source,
    ):
        async for event in source.aiter_sse():
            yield event.event, event.data


@pytest.mark.parametrize("run", [sse_events, sse_events_async])
def test_httpx_sse_holds_back_what_a_cr_ends(run: Any) -> None:
    assert set(failures_of(run, TAPE)) == {"held-back/cr"}


def raw(module: Any) -> Iterator[bytes]:
    with module.Client() as client, client.stream("GET", "http://x.test/") as response:
        yield from response.iter_raw()


@pytest.mark.parametrize("module", [httpx, httpx2])
def test_the_clients_themselves_hold_nothing_back(module: Any) -> None:
    check_incremental(lambda: raw(module), TAPE)


def openai_chunks() -> Iterator[Any]:
    client = openai.OpenAI(api_key="x", base_url="http://x.test", max_retries=0)
    yield from client.chat.completions.create(model="m", messages=[], stream=True)


async def openai_chunks_async() -> AsyncIterator[Any]:
    client = openai.AsyncOpenAI(api_key="x", base_url="http://x.test", max_retries=0)
    async for chunk in await client.chat.completions.create(model="m", messages=[], stream=True):
        yield chunk


def anthropic_events() -> Iterator[Any]:
    client = anthropic.Anthropic(api_key="x", base_url="http://x.test", max_retries=0)
    yield from client.messages.create(model="m", max_tokens=9, messages=[], stream=True)


@pytest.mark.parametrize("run", [openai_chunks, openai_chunks_async])
def test_openais_sdk_is_prompt(run: Any) -> None:
    check_incremental(run, CHAT)


def test_anthropics_sdk_is_prompt() -> None:
    check_incremental(anthropic_events, Tape.of(b"".join(streams.anthropic_messages())))


def test_a_reader_that_gives_a_list_can_not_be_watched() -> None:
    def listed(chunks: Iterable[bytes]) -> list[Event]:
        return list(decoded(chunks))

    async def awaited(chunks: AsyncIterator[bytes]) -> list[Event]:
        return [event async for event in decoded_async(chunks)]

    for run in (listed, awaited):
        with pytest.raises(ValueError, match="no items one by one"):
            check_incremental(run, TAPE)


def broken(chunks: Iterable[bytes]) -> Iterator[Event]:
    yield next(decoded(chunks))
    raise KeyError("no such field")


async def of_trio() -> AsyncIterator[bytes]:
    async with httpx.AsyncClient() as client, client.stream("GET", "http://x.test/") as response:
        async for chunk in response.aiter_raw():
            await trio.lowlevel.checkpoint()
            yield chunk


@pytest.mark.parametrize(
    ("run", "error", "what"),
    [
        (broken, KeyError, "raised KeyError for the whole stream, after 1 item .* Mend that first"),
        (of_trio, RuntimeError, "runs under asyncio here, where trio's own functions fail"),
    ],
)
def test_a_reader_that_raises_for_the_whole_stream_is_not_judged(
    run: Any, error: type[Exception], what: str
) -> None:
    with pytest.raises(ValueError, match=what) as caught:
        check_incremental(run, TAPE)
    assert isinstance(caught.value.__cause__, error)


def test_a_reader_that_gives_nothing_is_not_judged() -> None:
    def nothing(chunks: Iterable[bytes]) -> Iterator[Event]:
        for _ in chunks:
            yield from ()

    with pytest.raises(ValueError, match="gives no items for the whole stream"):
        check_incremental(nothing, TAPE)


def test_a_reader_that_raises_only_where_cr_ends_lines_is_told() -> None:
    def no_cr(chunks: Iterable[bytes]) -> Iterator[Event]:
        for chunk in chunks:
            if b"\r" in chunk.replace(b"\r\n", b"\n"):
                raise UnicodeError("a lone CR")
            yield from Decoder().feed(chunk)

    found = failures_of(no_cr, TAPE)
    assert set(found) == {"raises/cr"}
    assert isinstance(found["raises/cr"].got, UnicodeError)


def test_a_reader_may_fail_where_the_tape_breaks() -> None:
    cut = TAPE.with_chunks(TAPE.chunks, ending=Ending("error", 0, "read", "reset by peer"))
    check_incremental(lambda: raw(httpx), cut)
