"""Faults as real clients meet them: which error, after what, on which attempt, and how soon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import httpx
import httpx2
import openai
import pytest

import streamtape
from streamtape import Delivery, Tape
from streamtape.delivery import faults
from tests import streams
from tests.clients.drivers import Driver, each_driver

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamtape.delivery.change import Fault

URL = "http://test/"
CHAT = Tape.of(b"".join(streams.openai_chat()), gap_ms=10)
MESSAGES = Tape.of(b"".join(streams.anthropic_messages()), gap_ms=10)
OLLAMA = Tape.of(b"".join(streams.ollama()), content_type="application/x-ndjson")


def faulty(fault: Fault, cuts: str = "events") -> Delivery:
    return Delivery(cuts=cuts, fault=fault)


def chat(retries: int = 0, **options: Any) -> list[Any]:
    """The chunks of a chat, as the SDK hands them over."""
    with openai.OpenAI(api_key="-", max_retries=retries, **options) as client:
        return list(
            client.chat.completions.create(
                model="-", messages=[{"role": "user", "content": "?"}], stream=True
            )
        )


def message(retries: int = 0) -> Any:
    """A message, put together by the SDK."""
    with anthropic.Anthropic(api_key="-", max_retries=retries) as client:
        with client.messages.stream(
            model="-", max_tokens=1, messages=[{"role": "user", "content": "?"}]
        ) as stream:
            return stream.get_final_message()


def played(tape: Tape, fault: Fault, run: Callable[[], Any]) -> Any:
    with streamtape.play(tape, faulty(fault)):
        return run()


@pytest.fixture(scope="module")
def whole() -> list[Any]:
    return played(CHAT, faults.stall(1, seconds=0), chat)


# --- bare clients ---------------------------------------------------------------------------------


@each_driver
@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (faults.reset_after, "read", "Connection reset by peer"),
        (faults.not_terminated, "protocol", "incomplete chunked read|ended prematurely"),
        (faults.read_timeout_after, "read-timeout", "timed out"),
    ],
)
def test_a_connection_breaks_after_an_event(
    driver: Driver, make: Any, error: Any, text: str
) -> None:
    seen: list[bytes] = []
    with streamtape.play(CHAT, faulty(make(3))):
        with pytest.raises(driver.error(error), match=text):
            driver.get(URL, each=seen.append)
    assert seen == [chunk.data for chunk in CHAT.chunks[:3]]


@each_driver
def test_a_stall_is_seen_by_those_who_wait_for_less(driver: Driver) -> None:
    seen: list[bytes] = []
    delivery = faulty(faults.stall(4, seconds=60))
    with streamtape.play(CHAT, delivery):
        with pytest.raises(driver.error("read-timeout")):
            driver.get(URL, timeout=59.9, each=seen.append)
        assert seen == [chunk.data for chunk in CHAT.chunks[:3]]
        assert b"".join(driver.get(URL, timeout=61.0).pieces) == CHAT.body
        assert b"".join(driver.get(URL, timeout=None).pieces) == CHAT.body


@each_driver
def test_comments_keep_the_client_from_giving_up(driver: Driver) -> None:
    with streamtape.play(CHAT, faulty(faults.stall(4, seconds=60, keepalives=True))):
        body = b"".join(driver.get(URL, timeout=16.0).pieces)
    assert streamtape.decode(body) == streamtape.decode(CHAT.body)


@each_driver
def test_another_status_has_its_headers(driver: Driver) -> None:
    with streamtape.play(OLLAMA, faulty(faults.status(503, retry_after=7))):
        got = driver.get(URL)
    assert (got.status, got.reason) == (503, "Service Unavailable")
    assert ("retry-after", "7") in got.headers
    assert b"error" in b"".join(got.pieces)


# --- attempts -------------------------------------------------------------------------------------


def test_each_request_gets_the_next_attempt_then_comes_the_next_tape() -> None:
    other = Tape.of(b"data: 1\n\ndata: other\n\n")
    delivery = Delivery(fault=faults.first_attempt(faults.lost(1)))
    bodies = []
    with streamtape.play([CHAT, other], delivery), httpx.Client() as client:
        bodies += [client.get(URL).content for _ in range(6)]
    assert bodies == [
        CHAT.deliver(delivery).body,
        CHAT.body,
        b"data: other\n\n",
        other.body,
        other.body,
        other.body,
    ]


def test_who_reconnects_gets_the_rest_and_is_told_to_stop() -> None:
    answers: list[tuple[int, bytes]] = []
    with streamtape.play(CHAT, faulty(faults.reconnect(4))), httpx2.Client() as client:
        with pytest.raises(httpx2.ReadError):
            client.get(URL)
        answers += [(got.status_code, got.content) for got in (client.get(URL), client.get(URL))]
    rest = b"".join(chunk.data for chunk in CHAT.chunks[4:])
    assert answers == [(200, rest), (204, b"")]


@pytest.mark.parametrize("fault", [faults.status(), faults.status(529)], ids=str)
def test_an_sdk_that_tries_again_gets_the_whole_stream(whole: list[Any], fault: Fault) -> None:
    assert played(CHAT, faults.first_attempt(fault), lambda: chat(retries=2)) == whole
    with pytest.raises(openai.APIStatusError):
        played(CHAT, faults.first_attempt(fault), chat)


def test_an_sdk_never_asks_again_for_a_stream_that_has_begun() -> None:
    with pytest.raises(openai.APIConnectionError):
        played(CHAT, faults.first_attempt(faults.reset_after(0)), lambda: chat(retries=2))


def test_an_sdk_does_not_wait_long_before_it_tries_again(
    whole: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    assert played(CHAT, faults.first_attempt(faults.status()), lambda: chat(retries=1)) == whole
    assert played(MESSAGES, faults.first_attempt(faults.status()), lambda: message(1)).content
    assert len(waits) == 2
    assert max(waits) < 0.01


# --- SDKs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.reset_after(3), openai.APIConnectionError),
        (faults.not_terminated(3), openai.APIConnectionError),
        (faults.read_timeout_after(3), openai.APITimeoutError),
        (faults.stall(3, seconds=3600.0), openai.APITimeoutError),
        (faults.status(429), openai.RateLimitError),
        (faults.status(503), openai.InternalServerError),
        (faults.error_event(3), openai.APIError),
    ],
    ids=str,
)
def test_openai_says_what_went_wrong(fault: Fault, error: type[Exception]) -> None:
    with pytest.raises(error):
        played(CHAT, fault, chat)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.reset_after(3), httpx2.ReadError),
        (faults.status(429), anthropic.RateLimitError),
        (faults.status(529), anthropic.InternalServerError),
        (faults.error_event(3), anthropic.APIStatusError),
    ],
    ids=str,
)
def test_anthropic_says_what_went_wrong(fault: Fault, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"(?i)error|reset"):
        played(MESSAGES, fault, message)


def test_openai_hands_over_what_came_before(whole: list[Any]) -> None:
    """The oracle: the events of the broken tape, read by the decoder."""
    seen: list[Any] = []
    with streamtape.play(CHAT, faulty(faults.reset_after(5), "bytes")):
        with openai.OpenAI(api_key="-", max_retries=0) as client:
            stream = client.chat.completions.create(
                model="-", messages=[{"role": "user", "content": "?"}], stream=True
            )
            with pytest.raises(openai.APIConnectionError):
                for chunk in stream:
                    seen.append(chunk)  # noqa: PERF402 - keeps what came before the error
    assert seen == whole[:5]
