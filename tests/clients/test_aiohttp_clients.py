"""What stands on aiohttp: an SSE client, openai's client, checkers, and a test's options."""

from __future__ import annotations

import asyncio
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import openai
import pytest
import vcr
from aiohttp_sse_client import client as sse_client
from httpx_aiohttp import AiohttpTransport

import streamtape
from streamtape import Delivery, Tape, checks
from streamtape.clients.niquests import UnservedClientError
from streamtape.delivery import faults, rewrites
from tests import streams
from tests.clients.sdks import KEY, TEXT
from tests.plugin.suite import Suite
from tests.server import Response, apart, serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

URL = "http://test/stream"
EVENTS = Tape.of(b": ping\n\nevent: a\nid: 1\ndata: one\n\ndata: caf\xc3\xa9\ndata: two\n\n")


# --- aiohttp-sse-client ---------------------------------------------------------------------------


class EndError(Exception):
    """The stream is at its end; without it the client would connect again, for ever."""


async def events_of(url: str) -> list[tuple[str, str, str]]:
    def end() -> None:
        raise EndError

    seen = []
    async with (
        aiohttp.ClientSession() as session,
        sse_client.EventSource(url, session=session, on_error=end) as source,
    ):
        with pytest.raises(EndError):
            async for event in source:
                seen.append((event.type, event.data, event.last_event_id))  # noqa: PERF401 - it raises
    return seen


def test_an_sse_client_sees_the_same_with_the_recorder_without_it_and_on_replay(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.yaml"
    pieces = [EVENTS.body[:20], EVENTS.body[20:45], EVENTS.body[45:]]
    with serve(Response(*apart(pieces))) as server:
        bare = asyncio.run(events_of(server.url))
        with streamtape.use_cassette(path, record_mode="once"):
            live = asyncio.run(events_of(server.url))
    with streamtape.use_cassette(path):
        replayed = asyncio.run(events_of(server.url))
    assert bare == live == replayed
    assert [data for _, data, _ in bare] == ["one", "café\ntwo"]


def test_an_sse_client_that_knows_line_feeds_only_loses_every_event_of_others() -> None:
    """Its reader is aiohttp's readline: what comes with lone carriage returns is lost."""
    with streamtape.play(EVENTS, Delivery(rewrites=(rewrites.cr(),))):
        assert asyncio.run(events_of(URL)) == []


# --- httpx-aiohttp, and openai over it ------------------------------------------------------------


def test_what_comes_through_httpx_aiohttp_is_recorded_once(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    pieces = [b"data: caf\xc3", b"\xa9\n\n", b"data: [DONE]\n\n"]

    async def read(url: str) -> list[bytes]:
        async with httpx.AsyncClient(transport=AiohttpTransport()) as client:
            async with client.stream("GET", url) as response:
                return [piece async for piece in response.aiter_raw()]

    with serve(Response(*apart(pieces))) as server:
        with streamtape.use_cassette(path, record_mode="once") as cassette:
            assert asyncio.run(read(f"{server.url}/")) == pieces
            assert len(cassette.tapes) == 1
        assert len(server.requests) == 1
        with streamtape.use_cassette(path):
            assert asyncio.run(read(f"{server.url}/")) == pieces
    (tape,) = streamtape.load(path)
    assert [chunk.data for chunk in tape.chunks] == pieces


async def chat(url: str) -> str:
    async with openai.DefaultAioHttpClient() as http:
        client = openai.AsyncOpenAI(api_key=KEY, base_url=url, http_client=http, max_retries=0)
        stream = await client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        parts = []
        async for part in stream:
            parts += [choice.delta.content or "" for choice in part.choices]
        return "".join(parts)


def test_openai_over_aiohttp_is_recorded_once_and_replayed(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    events = streams.openai_chat()
    with serve(Response(*apart(events))) as server:
        url = f"{server.url}/v1"
        bare = asyncio.run(chat(url))
        with streamtape.use_cassette(path, record_mode="once"):
            assert asyncio.run(chat(url)) == bare
    assert bare == TEXT
    (tape,) = streamtape.load(path)
    assert tape.body == b"".join(events)
    for cuts in "recorded", "bytes", "whole":
        with streamtape.use_cassette(path, delivery=Delivery(cuts=cuts)):
            assert asyncio.run(chat(url)) == bare


# --- cassettes ------------------------------------------------------------------------------------


async def body_of(url: str) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.read()


@pytest.mark.parametrize("coding", [None, "gzip"])
def test_a_cassette_of_vcrpys_is_played(tmp_path: Path, coding: str | None) -> None:
    """It keeps the decoded body, and beside it the header that says that it is encoded."""
    path = tmp_path / "a.yaml"
    with serve(Response(*apart([b"data: a\n\n", b"data: b\n\n"]), coding=coding)) as server:
        with vcr.use_cassette(str(path), record_mode="once"):
            bare = asyncio.run(body_of(f"{server.url}/"))
    with streamtape.use_cassette(path):
        assert asyncio.run(body_of(f"{server.url}/")) == bare == b"data: a\n\ndata: b\n\n"


def test_a_request_that_the_cassette_ignores_passes_by(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    streamtape.save(path, [EVENTS])
    with serve(Response(*apart([b"real"]))) as server:
        with streamtape.use_cassette(path, ignore_localhost=True) as cassette:
            assert asyncio.run(body_of(server.url)) == b"real"
    assert cassette.played == []


def test_a_request_that_no_cassette_answers_fails_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    streamtape.save(path, [Tape.of(b"x", request=streamtape.Request("GET", URL))])

    async def swallowing() -> bytes:
        try:
            return await body_of("http://test/other")
        except Exception:  # noqa: BLE001 - as SDKs do
            return b""

    with pytest.raises(streamtape.NoMatchError, match="http://test/other"):
        with streamtape.use_cassette(path):
            assert asyncio.run(swallowing()) == b""


# --- a client that is not served ------------------------------------------------------------------


def test_a_class_that_is_called_as_niquests_call_theirs_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Adapter:
        def send(self, request: Any) -> str:
            return f"sent {request.url}"

    adapters = SimpleNamespace(
        HTTPAdapter=Adapter, AsyncHTTPAdapter=type("Async", (Adapter,), {"send": Adapter.send})
    )
    monkeypatch.setitem(sys.modules, "niquests", SimpleNamespace(adapters=adapters))
    monkeypatch.setitem(sys.modules, "niquests.adapters", adapters)
    request = SimpleNamespace(method="GET", url="http://x.test/")
    with streamtape.play(Tape.of(b"data: x\n\n")):
        for adapter in (adapters.HTTPAdapter(), adapters.AsyncHTTPAdapter()):
            with pytest.raises(
                UnservedClientError, match=r"niquests was about to send GET http://x"
            ):
                adapter.send(request)
    assert adapters.HTTPAdapter().send(request) == "sent http://x.test/"


def test_niquests_is_refused_and_never_passes_beside() -> None:
    # In no environment of the tests: it puts urllib3-future in urllib3's place.
    niquests = pytest.importorskip("niquests")

    async def send() -> None:
        async with niquests.AsyncSession() as session:
            await session.get(server.url)

    with serve(Response(*apart([b"x"]))) as server:
        with streamtape.play(EVENTS):
            with pytest.raises(UnservedClientError, match="niquests was about to send GET http"):
                niquests.get(server.url)
            with pytest.raises(UnservedClientError, match="requests, urllib3, httpx or aiohttp"):
                asyncio.run(send())
        assert server.requests == []
        assert niquests.get(server.url).content == b"x"


# --- checks ---------------------------------------------------------------------------------------

CHAT = Tape.of(b"".join(streams.openai_chat()))


class Truncated(Exception):  # noqa: N818 - what happened
    """The client below says that a stream was cut short."""


def reader(*, careful: bool) -> Callable[[], Any]:
    """A client on aiohttp: a right one, or one that takes a part for the whole."""

    async def run() -> list[str]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(URL, raise_for_status=True) as response,
        ):
            seen = []
            decoder = streamtape.Decoder()
            try:
                async for piece in response.content.iter_any():
                    seen += [event.data for event in decoder.feed(piece)]
            except aiohttp.ClientError:
                if careful:
                    raise
            if careful and "[DONE]" not in seen:
                raise Truncated
            return seen

    return run


def test_the_check_of_clients_tells_a_right_one_from_a_wrong_one() -> None:
    breaks = [faults.reset_after(3), faults.not_terminated(3), faults.end_after(3)]
    card = checks.check_client(
        reader(careful=True),
        CHAT,
        faults=breaks,
        errors=(Truncated,),
        rewrites=False,
        examples=20,
    )
    assert card.rows
    with pytest.raises(checks.CheckFailed, match="silent truncation"):
        checks.check_client(reader(careful=False), CHAT, faults=breaks, rewrites=False, examples=20)


# --- pytest ---------------------------------------------------------------------------------------

FUZZED = """
import asyncio, aiohttp, pytest

async def lines():
    async with aiohttp.ClientSession() as session, session.get("http://test/") as response:
        return {body}

@pytest.mark.streamtape(match_on=())
def test_chat():
    assert asyncio.run(lines()) == "data: café\\n\\ndata: [DONE]\\n\\n"
"""
RIGHT = "(await response.read()).decode()"
WRONG = "''.join([p.decode(errors='replace') async for p in response.content.iter_any()])"


@pytest.mark.parametrize(("body", "failed"), [(RIGHT, 0), (WRONG, 1)])
def test_fuzzing_a_test_that_uses_aiohttp(
    pytester: pytest.Pytester, body: str, failed: int
) -> None:
    suite = Suite(pytester)
    (suite.folder / "test_it.py").write_text(FUZZED.format(body=body))
    tape = Tape.of("data: café\n\ndata: [DONE]\n\n".encode())
    suite.cassette("cassettes/test_it/test_chat.yaml", tape)
    result = suite.run("--streamtape-fuzz=10", "--color=no")
    result.assert_outcomes(passed=1 - failed, failed=failed)
    if failed:
        result.stdout.fnmatch_lines(["*fails when the same bytes arrive differently*"])
