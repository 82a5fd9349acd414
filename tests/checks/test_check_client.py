"""`check_client` on today's SDKs: it names what they are known to get wrong, and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from streamtape import Tape, checks
from streamtape.delivery import faults, rewrites
from tests import streams

QUESTION: Any = [{"role": "user", "content": "?"}]
CHAT = Tape.of(b"".join(streams.openai_chat()))
NO_END = Tape.of(b"".join(streams.openai_chat()[:-1]))
"""As of a server that leaves ``[DONE]`` out."""
WITH_IDS = Tape.of(
    b"".join(b"id: %d\n%s" % (n, event) for n, event in enumerate(streams.openai_chat()))
)
RESPONSES = Tape.of(b"".join(streams.openai_responses()))
MESSAGES = Tape.of(b"".join(streams.anthropic_messages()))

NO_JSON = "foreign exception JSONDecodeError"
TRUNCATED = "silent truncation"

BROKEN_PAYLOADS = {
    "fault/broken_json": NO_JSON,
    "fault/glued": NO_JSON,
    "fault/invalid_utf8": "foreign exception UnicodeDecodeError",
}
"""What both SDKs let through as it is raised by the standard library."""

OPENAI = {
    **BROKEN_PAYLOADS,
    "rewrite/bom": TRUNCATED,
    # A block without data dispatches an event of theirs once there was an ID, a type or a time.
    "rewrite/passing_ids": NO_JSON,
    "rewrite/retry_blocks": NO_JSON,
    "rewrite/empty_named_events": NO_JSON,
    "fault/keepalive_data": NO_JSON,
    "fault/empty_event": NO_JSON,
    "fault/unknown_event": "other result",
    "fault/end_after": TRUNCATED,
    "fault/end_inside": TRUNCATED,
    "fault/error_event bare": TRUNCATED,
    "fault/duplicated": "duplicated text",
    "fault/wrong_body": TRUNCATED,
    "fault/wrong_body json": TRUNCATED,
}
ANTHROPIC_CREATE = {
    **BROKEN_PAYLOADS,
    "rewrite/bom": TRUNCATED,
    "fault/unknown_event": "other result",
    "fault/no_last_blank_line": TRUNCATED,
    "fault/end_after": TRUNCATED,
    "fault/end_inside": TRUNCATED,
    "fault/no_terminal": TRUNCATED,
    "fault/error_event data": TRUNCATED,
    "fault/duplicated": "duplicated text",
    "fault/wrong_body": TRUNCATED,
    "fault/wrong_body json": TRUNCATED,
}
_BARE = "foreign exception AssertionError"
ANTHROPIC_STREAM = {
    **BROKEN_PAYLOADS,
    "rewrite/bom": _BARE,
    "fault/glued": [NO_JSON, "foreign exception IndexError"],
    "fault/end_after": [TRUNCATED, _BARE],
    "fault/end_inside": [TRUNCATED, _BARE],
    "fault/error_event data": TRUNCATED,
    "fault/duplicated": "duplicated text",
    "fault/lost": [_BARE, "foreign exception IndexError"],
    "fault/swapped": "foreign exception IndexError",
    "fault/wrong_body": _BARE,
    "fault/wrong_body json": _BARE,
}


@pytest.fixture(scope="module")
def openai_client() -> Iterator[openai.OpenAI]:
    with httpx2.Client(verify=False) as transport:
        yield openai.OpenAI(api_key="-", max_retries=0, http_client=transport)


@pytest.fixture(scope="module")
def anthropic_client() -> Iterator[anthropic.Anthropic]:
    with httpx2.Client(verify=False) as transport:
        yield anthropic.Anthropic(api_key="-", max_retries=0, http_client=transport)


def chat_of(client: openai.OpenAI) -> Callable[[], list[Any]]:
    def chat() -> list[Any]:
        # Events, not the text alone: the first one has none, and losing it would not be seen.
        return list(client.chat.completions.create(model="-", messages=QUESTION, stream=True))

    return chat


def test_openai_chat(openai_client: openai.OpenAI) -> None:
    card = checks.check_client(chat_of(openai_client), CHAT, expect=OPENAI, contents=True)
    made_of = card.as_dict()
    # What it is right about, by name: CRLF and CR byte by byte, comments, contents, every coding.
    for name in (
        "cuts",
        "connection",
        "rewrite/crlf",
        "rewrite/cr",
        "rewrite/no_space_after_colon",
        "rewrite/comments",
        "rewrite/coding",
        "content/line_separators",
        "content/large_event",
        "fault/no_last_blank_line",
    ):
        assert made_of[name] in (["equal"], ["closed"]), name
    assert made_of["fault/error_event"] == ["raises APIError", "equal"]
    assert made_of["fault/reset_after"] == ["raises APIConnectionError", "equal"]
    assert made_of["fault/read_timeout_after"] == ["raises APITimeoutError"]


def test_openai_chat_of_a_server_that_leaves_out_the_end(openai_client: openai.OpenAI) -> None:
    """The last event is lost where its blank line is; a lost tail can't be known of."""
    rows = ("fault/end_after", "fault/end_inside", "fault/wrong_body", "fault/wrong_body json")
    without = {name: how for name, how in OPENAI.items() if name not in rows}
    expect = {**without, "fault/no_last_blank_line": TRUNCATED}
    card = checks.check_client(chat_of(openai_client), NO_END, expect=expect, examples=100)
    assert "part allowed" in card.as_dict()["fault/end_after"]


def test_openai_chat_with_ids(openai_client: openai.OpenAI) -> None:
    """Once an ID was seen, a comment and a blank line are an event without data."""
    with pytest.raises(checks.CheckFailed) as caught:
        checks.check_client(chat_of(openai_client), WITH_IDS, expect=OPENAI, examples=200)
    failures = caught.value.failures
    assert {failure.kind for failure in failures} <= {
        "rewrite/comments",
        "rewrite/id_blocks",
        "rewrite/blank_lines",
        "foreign exception",
    }
    # No other fault than those that send blocks without data, too.
    new = {failure.delivery.fault for failure in failures if failure.delivery.fault is not None}
    assert new == {faults.stall(k=5, keepalives=True)}
    comments = next(failure for failure in failures if failure.kind == "rewrite/comments")
    assert isinstance(comments.got, json.JSONDecodeError)
    assert comments.delivery.rewrites == (rewrites.comments(),)
    assert comments.delivery.cuts == "recorded"
    assert not any(failure.kind.startswith("chunk") for failure in failures)


def test_openai_async_chat() -> None:
    async def chat() -> list[Any]:
        async with (
            httpx2.AsyncClient(verify=False) as transport,
            openai.AsyncOpenAI(api_key="-", max_retries=0, http_client=transport) as client,
        ):
            stream = await client.chat.completions.create(model="-", messages=QUESTION, stream=True)
            return [chunk async for chunk in stream]

    checks.check_client(chat, CHAT, expect=OPENAI, examples=60)


def test_openai_responses(openai_client: openai.OpenAI) -> None:
    def events() -> list[Any]:
        return list(openai_client.responses.create(model="-", input="?", stream=True))

    without = {name: how for name, how in OPENAI.items() if name != "rewrite/bom"}
    expect = {
        **without,
        # Cut inside a character, the rest of the line is decoded at the end all the same.
        "fault/end_inside": [TRUNCATED, "foreign exception UnicodeDecodeError"],
        # The event that ends the stream is one of those that it hands over.
        "fault/no_last_blank_line": TRUNCATED,
        "fault/no_terminal": TRUNCATED,
    }
    card = checks.check_client(events, RESPONSES, expect=expect, examples=60)
    assert card.as_dict()["fault/error_event"][0] == "tells of it"  # `response.failed`
    assert card.as_dict()["rewrite/bom"] == ["equal"]  # of the type, which the payload says again


def test_anthropic_create(anthropic_client: anthropic.Anthropic) -> None:
    def create() -> list[Any]:
        stream = anthropic_client.messages.create(
            model="-", max_tokens=1, messages=QUESTION, stream=True
        )
        return list(stream)

    card = checks.check_client(
        create, MESSAGES, expect=ANTHROPIC_CREATE, contents=True, examples=400
    )
    made_of = card.as_dict()
    for name in ("rewrite/passing_ids", "rewrite/retry_blocks", "fault/keepalive_data"):
        assert made_of[name] == ["equal"]
    assert made_of["fault/empty_event"] == ["equal"]
    assert made_of["fault/error_event bare"] == ["raises APIStatusError"]


def test_anthropic_stream(anthropic_client: anthropic.Anthropic) -> None:
    def message() -> Any:
        with anthropic_client.messages.stream(model="-", max_tokens=1, messages=QUESTION) as stream:
            return stream.get_final_message()

    card = checks.check_client(message, MESSAGES, expect=ANTHROPIC_STREAM, examples=400)
    made_of = card.as_dict()
    for name in ("fault/unknown_event", "fault/no_last_blank_line", "fault/no_terminal"):
        assert made_of[name] == ["equal"]


def test_anthropic_async_stream() -> None:
    async def message() -> Any:
        async with (
            httpx2.AsyncClient(verify=False) as transport,
            anthropic.AsyncAnthropic(api_key="-", max_retries=0, http_client=transport) as client,
            client.messages.stream(model="-", max_tokens=1, messages=QUESTION) as stream,
        ):
            return await stream.get_final_message()

    checks.check_client(message, MESSAGES, expect=ANTHROPIC_STREAM, examples=60)


# --- connections ----------------------------------------------------------------------------------


def test_an_async_openai_stream_that_is_just_left_stays_open() -> None:
    """Until the cycle collector finds it. Closing the client would close it too."""

    async def first(*, leave: str) -> Any:
        transport = httpx2.AsyncClient(verify=False)
        client = openai.AsyncOpenAI(api_key="-", max_retries=0, http_client=transport)
        stream = await client.chat.completions.create(model="-", messages=QUESTION, stream=True)
        async for chunk in stream:
            if leave == "stream.close":
                await stream.close()
            elif leave == "client.close":
                await client.close()
            return chunk
        return None

    def checked(leave: str) -> list[str]:
        card = checks.check_client(
            lambda: first(leave=leave), CHAT, faults=False, rewrites=False, examples=3
        )
        return card.as_dict()["connection"]

    with pytest.raises(checks.CheckFailed) as caught:
        checked("break")
    (leaked,) = caught.value.failures
    assert (leaked.kind, leaked.got, leaked.examples) == ("connection leaked", "1 left open", 1)
    assert "nothing" not in str(caught.value)
    assert checked("stream.close") == checked("client.close") == ["closed"]


def test_a_check_inside_a_running_loop(openai_client: openai.OpenAI) -> None:
    async def main() -> None:
        checks.check_client(chat_of(openai_client), CHAT, faults=False, examples=4, rewrites=False)

    asyncio.run(main())
