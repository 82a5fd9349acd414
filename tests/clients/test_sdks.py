"""The official openai and anthropic SDKs: recorded live from loopback, replayed offline."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import openai
import pytest

import streamtape
from streamtape import Tape
from tests.clients.sdks import (
    CALLS,
    KEY,
    TEXT,
    Call,
    Leave,
    is_event,
    plain,
    seen_by_the_sdk,
    text_of,
)
from tests.server import (
    Gate,
    Request,
    Response,
    apart,
    chunk,
    gate,
    hang,
    head,
    json_response,
    refused,
    reset,
    serve,
    taken,
)

if TYPE_CHECKING:
    from pathlib import Path

ASYNC_CALLS = [call for call in CALLS if call.asynchronous]

each_call = pytest.mark.parametrize("call", CALLS, ids=str)
each_async_call = pytest.mark.parametrize("call", ASYNC_CALLS, ids=str)


@pytest.fixture(autouse=True)
def _patient_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    """After ``[DONE]`` openai reads on for 0.1 s: too short on a machine that is busy."""
    monkeypatch.setattr("openai._streaming_cleanup._DRAIN_TIMEOUT", 10.0, raising=False)


def halves(event: bytes) -> tuple[bytes, bytes]:
    """*event* cut inside its first character of several bytes, or else inside its JSON."""
    multibyte = next((at for at, byte in enumerate(event) if byte >= 0x80), None)
    cut = len(event) // 2 if multibyte is None else multibyte + 1
    return event[:cut], event[cut:]


def held_back(events: list[bytes]) -> tuple[Response, list[Gate]]:
    """A script that sends each event in two chunks, with a gate after each that the SDK hands over.

    With it the gates, in order.
    """
    steps: list[Any] = []
    gates: list[Gate] = []
    for event in events:
        first, second = halves(event)
        steps += [chunk(first), taken(), chunk(second)]
        if seen_by_the_sdk(event):
            gates.append(gate())
            steps.append(gates[-1])
        else:
            steps.append(taken())
    return Response(*steps), gates


def cut_events(events: list[bytes]) -> list[bytes]:
    """The chunks in which `held_back` sends them."""
    return [half for event in events for half in halves(event)]


def sent(events: list[bytes]) -> list[Any]:
    """Steps that send them as fast as they can be sent: some may be read as one chunk."""
    return [chunk(event) for event in events]


def data_of(tape: Tape) -> list[bytes]:
    return [piece.data for piece in tape.chunks]


def record(call: Call, path: Path, response: Response, **options: Any) -> tuple[str, list[Any]]:
    """Record one stream: the server's URL, where nobody is any more, and the items."""
    with serve(response) as server, streamtape.use_cassette(path, record_mode="once"):
        return server.url, call.read(server.url, **options)


# --- the whole path -------------------------------------------------------------------------------


@each_call
def test_recorded_live_and_replayed_offline(call: Call, tmp_path: Path) -> None:
    """The SDK hands over each event before the server writes the next.

    Else a gate stays shut, the read times out, and the test fails.
    """
    events = call.events()
    path = tmp_path / "a.yaml"
    response, gates = held_back(events)
    left = iter(gates)

    with serve(Response(*sent(events))) as server:
        bare = call.read(server.url)
    with serve(response) as server:
        with streamtape.use_cassette(path, record_mode="once") as cassette:
            recorded = call.read(
                server.url, each=lambda item: next(left).set() if is_event(item) else None
            )
        request = server.requests[0]
    assert next(left, None) is None
    assert recorded == bare
    assert text_of(recorded) == TEXT

    (tape,) = streamtape.load(path)
    assert data_of(tape) == [write.data for write in request.writes] == cut_events(events)
    assert [data_of(each) for each in cassette.tapes] == [data_of(tape)]
    assert tape.ending.kind == call.ending
    assert tape.framing == "sse"
    # The tape counts from the sending of the request, which was before the server had all of it.
    for write, piece in zip(request.writes, tape.chunks, strict=True):
        assert piece.at_ns + 1_000 >= write.at_ns - request.received_ns
    timing = streamtape.timing(tape)
    assert timing.time_to_first_token is not None
    assert timing.time_to_headers is not None
    assert 0 < timing.time_to_headers <= timing.time_to_first_token <= timing.duration

    with streamtape.use_cassette(path) as cassette:
        assert call.read(server.url) == recorded
        assert cassette.all_played
    assert data_of(cassette.played[0]) == data_of(tape)
    assert cassette.played[0].ending == tape.ending


@each_call
def test_the_key_is_never_in_the_file(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    echo = json_response({"error": {"message": f"Incorrect API key provided: {KEY}"}}, 401)
    with serve([Response(*sent(call.events())), echo]) as server:
        with streamtape.use_cassette(path, record_mode="once"):
            call.read(server.url)
            with pytest.raises(call.sdk.AuthenticationError):
                call.read(server.url)
            parts = [each.read_text("utf-8") for each in tmp_path.iterdir()]
        assert KEY in str(server.requests[0].headers)
    for text in [*parts, path.read_text("utf-8")]:
        assert KEY not in text
        assert KEY.removeprefix("sk-test-") not in text
        assert "authorization" not in text.lower()
        assert "x-api-key" not in text.lower()


@each_call
def test_the_items_are_the_same_under_every_cut(call: Call, tmp_path: Path) -> None:
    url, recorded = record(call, tmp_path / "a.yaml", Response(*sent(call.events())))
    for cuts in ("bytes", "whole", "events", (1, 1, 100, 101)):
        delivery = streamtape.Delivery(cuts=cuts)
        with streamtape.use_cassette(tmp_path / "a.yaml", delivery=delivery):
            assert call.read(url) == recorded


@each_call
def test_the_other_client_reads_the_same_cassette(call: Call, tmp_path: Path) -> None:
    """Sync openai leaves at ``[DONE]``; async reads on there, past the end of that tape."""
    url, recorded = record(call, tmp_path / "a.yaml", Response(*sent(call.events())))
    other = dataclasses.replace(call, asynchronous=not call.asynchronous)
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        assert other.read(url) == recorded


@pytest.mark.parametrize("call", [each for each in CALLS if ".create" in each.name], ids=str)
def test_a_stream_in_a_content_coding(call: Call, tmp_path: Path) -> None:
    response = Response(*apart(call.events()), coding="gzip")
    url, recorded = record(call, tmp_path / "a.yaml", response)
    assert text_of(recorded) == TEXT
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert tape.coding == "gzip"
    assert data_of(tape) == call.events()
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        assert call.read(url) == recorded


ANSWERS: dict[str, dict[str, Any]] = {
    "chat": {
        "id": "chatcmpl-DtestA1b2C3d4",
        "object": "chat.completion",
        "created": 1770000000,
        "model": "gpt-4o-mini",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": TEXT},
                "finish_reason": "stop",
            }
        ],
    },
    "responses": {
        "id": "resp_test0123",
        "object": "response",
        "created_at": 1770000000,
        "model": "gpt-4o-mini",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    },
    "messages": {
        "id": "msg_01TestA1b2C3d4",
        "type": "message",
        "role": "assistant",
        "model": "claude-test",
        "content": [{"type": "text", "text": TEXT}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
}


@each_call
def test_an_answer_in_one_piece(call: Call, tmp_path: Path) -> None:
    answer = ANSWERS[call.name.partition(".")[0]]
    with serve(json_response(answer)) as server:
        bare = call.ask(server.url)
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            recorded = call.ask(server.url)
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        assert call.ask(server.url) == recorded == bare
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert (tape.framing, tape.ending.kind) == ("raw", "eof")


# --- what goes wrong ------------------------------------------------------------------------------


@each_call
def test_a_retry_is_recorded_and_replayed_in_order(call: Call, tmp_path: Path) -> None:
    # The server names the delay: 1 ms.
    refusal = json_response({"error": "overloaded"}, 503, {"retry-after-ms": "1"})
    with serve([refusal, refusal, Response(*sent(call.events()))]) as server:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            recorded = call.read(server.url, max_retries=2)
        assert len(server.requests) == 3
    assert text_of(recorded) == TEXT
    assert [tape.status for tape in streamtape.load(tmp_path / "a.yaml")] == [503, 503, 200]
    with streamtape.use_cassette(tmp_path / "a.yaml") as cassette:
        assert call.read(server.url, max_retries=2) == recorded
    assert [tape.status for tape in cassette.played] == [503, 503, 200]


@each_call
def test_a_connection_that_is_refused_is_retried_in_order(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call.sdk._base_client, "INITIAL_RETRY_DELAY", 0)
    with refused() as url:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            with pytest.raises(call.connection_error) as live:
                call.read(url, max_retries=1)
    assert [tape.status for tape in streamtape.load(tmp_path / "a.yaml")] == [599, 599]
    with streamtape.use_cassette(tmp_path / "a.yaml") as cassette:
        with pytest.raises(call.connection_error) as replayed:
            call.read(url, max_retries=1)
    assert cassette.all_played
    assert type(replayed.value.__cause__) is type(live.value.__cause__)
    assert str(replayed.value.__cause__) == str(live.value.__cause__)


@each_call
def test_a_reset_in_the_middle(call: Call, tmp_path: Path) -> None:
    """What the SDK makes of it is its own affair: the same with the recorder, and on replay."""
    response = Response(*apart(call.events()[:4]), reset())
    items: list[Any] = []

    def break_off(url: str) -> BaseException:
        items.clear()
        with pytest.raises((openai.APIConnectionError, httpx2.ReadError)) as raised:
            call.read(url, each=lambda item: items.append(plain(item)))
        return raised.value

    with serve(response) as server:
        bare = break_off(server.url)
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            live = break_off(server.url)
        seen = list(items)
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        replayed = break_off(server.url)
    assert items == seen
    if call.sdk is openai:
        assert type(bare) is openai.APIConnectionError
    assert type(live) is type(replayed) is type(bare)
    assert str(live) == str(replayed) == str(bare)
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert (tape.ending.kind, tape.ending.error) == ("error", "read")
    assert data_of(tape) == call.events()[:4]


@each_call
def test_an_error_in_the_stream_is_played_as_it_came(call: Call, tmp_path: Path) -> None:
    events = [
        *call.events()[:3],
        b'event: error\ndata: {"type":"error","error":{"message":"Overloaded"}}\n\n',
    ]

    def refuse(url: str) -> BaseException:
        with pytest.raises(call.sdk.APIError) as raised:
            call.read(url)
        return raised.value

    with serve(Response(*apart(events))) as server:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            live = refuse(server.url)
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        replayed = refuse(server.url)
    assert type(replayed) is type(live)
    assert str(replayed) == str(live)
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert data_of(tape) == events
    assert tape.ending.kind == "closed"  # the SDK had heard enough


class TestARequestThatNothingAnswers:
    @pytest.fixture(autouse=True)
    def _no_backoff(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for sdk in (openai, anthropic):
            monkeypatch.setattr(sdk._base_client, "INITIAL_RETRY_DELAY", 0)

    @each_call
    def test_fails_the_block_though_the_sdk_swallowed_and_retried_it(
        self, call: Call, tmp_path: Path
    ) -> None:
        """anthropic makes its own error of it and tries again; openai lets it pass."""
        swallows = call.sdk is anthropic
        path = tmp_path / "a.yaml"
        with pytest.raises(streamtape.NoMatchError, match="streamtape-record"):
            with streamtape.use_cassette(path) as cassette:
                with pytest.raises(
                    call.connection_error if swallows else streamtape.NoMatchError
                ) as raised:
                    call.read("http://127.0.0.1:1", max_retries=2)
                if not swallows:
                    raise raised.value
        assert len(cassette.failures) == (3 if swallows else 1)

    @each_call
    def test_fails_the_block_though_the_code_swallowed_it(self, call: Call, tmp_path: Path) -> None:
        def hopeful() -> None:
            try:
                call.read("http://127.0.0.1:1")
            except Exception:  # noqa: BLE001  # that is what programs do
                return

        with pytest.raises(streamtape.NoMatchError, match="streamtape-record"):
            with streamtape.use_cassette(tmp_path / "a.yaml"):
                hopeful()

    @each_call
    def test_a_second_request_of_the_same_kind(self, call: Call, tmp_path: Path) -> None:
        """The message says that what would match has been played."""
        url, recorded = record(call, tmp_path / "a.yaml", Response(*sent(call.events())))

        def once_too_often() -> None:
            assert call.read(url) == recorded
            call.read(url)

        with pytest.raises(streamtape.NoMatchError, match="played"):
            with streamtape.use_cassette(tmp_path / "a.yaml"):
                with suppress(call.connection_error):
                    once_too_often()


# --- the client leaves ----------------------------------------------------------------------------


# Plain code has no cancellation; `.stream()` insists on a `with` block; and of `break` out of an
# async stream tells the test below.
LEAVING = [
    (call, leave)
    for call in CALLS
    for leave in (
        ("close", "with", "cancel", "timeout")
        if call.asynchronous
        else ("close", "with", "break")
        if call.name.endswith(".create")
        else ("close", "with")
    )
]


@pytest.mark.parametrize(("call", "leave"), LEAVING, ids=str)
def test_leaving_a_stream(call: Call, leave: Leave, tmp_path: Path) -> None:
    events = call.events()[:5]

    def read(url: str) -> list[Any]:
        return call.read(url, leave_after=3, leave=leave)

    with serve(Response(*apart(events), hang())) as server:
        bare = read(server.url)
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            recorded = read(server.url)
        server.requests[1].wait_gone()
    assert recorded == bare
    # What an SDK derives from an event needs no further read: a cancellation comes after it.
    assert 3 <= len(recorded) <= 4
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert tape.ending.kind == "closed"
    assert data_of(tape) == events[: len(tape.chunks)]
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        assert read(server.url) == recorded


@each_async_call
def test_a_stream_left_with_break_is_kept_when_the_block_ends(call: Call, tmp_path: Path) -> None:
    """A bare ``break`` out of an async stream closes nothing: the connection stays open."""
    kept: list[Any] = []

    async def read(url: str) -> Any:
        client = call.client(url)
        opened = call.send(client, "Is the Café open?")
        stream = await (opened.__aenter__() if hasattr(opened, "__aenter__") else opened)
        kept.extend([client, stream])
        return plain(await anext(aiter(stream)))

    async def close() -> None:
        for each in reversed(kept):
            await each.close()
        kept.clear()

    async def main(url: str, path: Path, mode: str) -> Any:
        with streamtape.use_cassette(path, record_mode=mode):
            item = await read(url)
        await close()
        return item

    events = call.events()[:2]
    with serve(Response(*apart(events), hang())) as server:
        recorded = asyncio.run(main(server.url, tmp_path / "a.yaml", "once"))
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert tape.ending.kind == "closed"
    assert data_of(tape)[:1] == events[:1]
    assert asyncio.run(main(server.url, tmp_path / "a.yaml", "none")) == recorded


# --- many at a time -------------------------------------------------------------------------------

AT_A_TIME = 8
BODY_TOO = ("method", "scheme", "host", "port", "path", "query", "body")


def question(number: int) -> str:
    return f"question {number}?"


def answering(call: Call) -> Any:
    """Answers each question with its number; no answer goes on before all have been asked."""
    all_asked = gate()
    asked: list[int] = []

    def answer(request: Request) -> Response:
        found = re.search(rb"question (\d+)", request.body)
        assert found is not None
        number = int(found[1])
        asked.append(number)
        if len(asked) == AT_A_TIME:
            all_asked.set()
        first, *rest = call.events([f"{number} é", " of ", f"{AT_A_TIME}"])
        return Response(chunk(first), all_asked, *sent(cut_events(rest)))

    return answer


@each_async_call
def test_streams_at_the_same_time_under_gather(call: Call, tmp_path: Path) -> None:
    async def read_all(url: str, numbers: Any) -> dict[int, list[Any]]:
        order = list(numbers)
        items = await asyncio.gather(*(call.read_async(url, question(n)) for n in order))
        return dict(zip(order, items, strict=True))

    with serve(answering(call)) as server:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            recorded = asyncio.run(read_all(server.url, range(AT_A_TIME)))
        assert server.connected == AT_A_TIME
    for number, items in recorded.items():
        assert text_of(items) == f"{number} é of {AT_A_TIME}"
    with streamtape.use_cassette(tmp_path / "a.yaml", match_on=BODY_TOO) as cassette:
        assert asyncio.run(read_all(server.url, reversed(range(AT_A_TIME)))) == recorded
        assert cassette.all_played
    # Without the body all of them look alike, and are played in the order of sending.
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        replayed = asyncio.run(read_all(server.url, range(AT_A_TIME)))
    assert sorted(map(text_of, replayed.values())) == sorted(map(text_of, recorded.values()))


@pytest.mark.parametrize("call", [call for call in CALLS if not call.asynchronous], ids=str)
def test_streams_at_the_same_time_in_threads(call: Call, tmp_path: Path) -> None:
    def read_all(url: str, numbers: Any) -> dict[int, list[Any]]:
        order = list(numbers)
        start = threading.Barrier(AT_A_TIME)

        def read(number: int) -> list[Any]:
            start.wait()
            return call.read(url, question(number))

        with ThreadPoolExecutor(AT_A_TIME) as pool:
            return dict(zip(order, pool.map(read, order), strict=True))

    with serve(answering(call)) as server:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            recorded = read_all(server.url, range(AT_A_TIME))
    for number, items in recorded.items():
        assert text_of(items) == f"{number} é of {AT_A_TIME}"
    with streamtape.use_cassette(tmp_path / "a.yaml", match_on=BODY_TOO) as cassette:
        assert read_all(server.url, reversed(range(AT_A_TIME))) == recorded
        assert cassette.all_played


@each_call
def test_a_head_that_says_who_answered_is_kept(call: Call, tmp_path: Path) -> None:
    """The SDKs give request ids and limits from the head."""
    headers = {"content-type": "text/event-stream", "x-request-id": "req_1", "request-id": "req_1"}
    response = Response(head(200, headers), *sent(call.events()))
    record(call, tmp_path / "a.yaml", response)
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert ("x-request-id", "req_1") in tape.headers
    assert ("request-id", "req_1") in tape.headers
