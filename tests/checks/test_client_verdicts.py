"""`check_client` on clients made for it: one that is right, and others with one thing wrong."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any

import httpx
import pytest

import streamtape
from streamtape import Ending, Tape, checks
from streamtape.checks.clients.likeness import is_beginning, is_part
from streamtape.checks.clients.verdicts import is_own
from streamtape.delivery import faults
from tests import streams

URL = "http://test/v1/chat"
CHAT = Tape.of(b"".join(streams.openai_chat()))
OLLAMA = Tape.of(b"".join(streams.ollama()), content_type="application/x-ndjson")
TRUNCATED = "silent truncation"
NO_JSON = "foreign exception JSONDecodeError"

OPEN = httpx.Client(verify=False)
"""Never closed: what is left open on it stays open."""


class StreamError(Exception):
    """The right client's own."""


def answer(data: str) -> Any:
    """The chunk that *data* is, or an error."""
    try:
        payload = json.loads(data)
    except ValueError as exc:
        raise StreamError(f"no JSON: {data!r}") from exc
    if "error" in payload:
        raise StreamError(payload["error"])
    return payload


def right(
    *,
    parse: Callable[[str], Any] = answer,
    needs_end: bool = True,
    known_only: bool = True,
    twice: bool = False,
) -> list[Any]:
    """A client without a flaw; each option makes one."""
    decoder = streamtape.Decoder()
    chunks: list[Any] = []
    before = ""
    with OPEN.stream("POST", URL) as response:
        response.raise_for_status()
        for piece in response.iter_bytes():
            for event in decoder.feed(piece):
                if event.type == "error":
                    raise StreamError(event.data)
                if event.data == "[DONE]":
                    return chunks
                if (known_only and event.type != "message") or (event.data == before and not twice):
                    continue
                before = event.data
                chunks.append(parse(event.data))
    if needs_end:
        raise StreamError("the stream ended before [DONE]")
    return chunks


def failings(card: checks.Scorecard) -> dict[str, list[str]]:
    return {row.name: row.failings for row in card.rows if row.failings}


def failed(run: Callable[[], Any], tape: Tape = CHAT, **options: Any) -> checks.CheckFailed:
    with pytest.raises(checks.CheckFailed) as caught:
        checks.check_client(run, tape, **{"examples": 30, **options})
    return caught.value


def scorecard(error: checks.CheckFailed) -> checks.Scorecard:
    card = vars(error)["scorecard"]
    assert isinstance(card, checks.Scorecard)
    return card


# --- nothing wrong --------------------------------------------------------------------------------


def test_a_right_client_passes() -> None:
    """Under everything there is: the absence of false alarms."""
    card = checks.check_client(right, CHAT, contents=True)
    assert failings(card) == {}
    assert card.as_dict()["connection"] == ["closed"]
    assert card.as_dict()["fault/end_after"] == ["raises StreamError"]
    assert {name.split("/")[0] for name in card.as_dict()} == {
        "as recorded, afterwards",
        "connection",
        "content",
        "cuts",
        "fault",
        "rewrite",
    }


def test_a_right_client_of_json_lines_passes() -> None:
    def run() -> str:
        text, done, rest = "", False, b""
        with OPEN.stream("POST", URL) as response:
            response.raise_for_status()
            for piece in response.iter_bytes():
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    text, done = text + said(line), done or b'"done":true' in line
            if rest.strip():
                text, done = text + said(rest), done or b'"done":true' in rest
        if not done:
            raise StreamError("not done")
        return text

    def said(line: bytes) -> str:
        if not line.strip():
            return ""
        try:
            payload = answer(line.decode())
        except UnicodeDecodeError as exc:
            raise StreamError("no UTF-8") from exc
        return str(payload["message"]["content"])

    # No line says which one it is, so nobody can know that one comes twice.
    known = {"fault/duplicated": "duplicated text"}
    card = checks.check_client(run, OLLAMA, contents=True, expect=known)
    assert card.as_dict()["fault/no_last_blank_line"] == ["equal"]
    assert card.as_dict()["content/blank_lines"] == ["equal"]


def test_who_hands_on_what_came_is_not_judged_by_what_it_says() -> None:
    def events() -> list[streamtape.Event]:
        decoder = streamtape.Decoder()
        with OPEN.stream("GET", URL) as response:
            response.raise_for_status()
            return [event for piece in response.iter_bytes() for event in decoder.feed(piece)]

    def text() -> str:
        return OPEN.get(URL).raise_for_status().text

    card = checks.check_client(events, CHAT)
    assert card.as_dict()["fault/unknown_event"] == ["other allowed"]
    assert card.as_dict()["fault/end_after"] == ["part allowed"]
    assert card.as_dict()["fault/reset_after"] == ["raises ReadError"]
    # Its JSON compared as what it says: escapes and more data lines are no other result.
    assert card.as_dict()["rewrite/json_escapes"] == ["equal"]
    assert card.as_dict()["rewrite/split_data"] == ["equal"]
    assert failings(checks.check_client(text, CHAT, rewrites=False)) == {}
    assert not any(name.startswith("rewrite") for name in card_of(text).as_dict())


def card_of(run: Callable[[], Any]) -> checks.Scorecard:
    return checks.check_client(run, CHAT, rewrites=False, faults=False, examples=5)


def test_headers_of_the_transfer_are_no_part_of_a_result() -> None:
    """Found with google-genai, whose chunks hold the response's headers."""

    def run() -> Any:
        with OPEN.stream("GET", URL) as response:
            response.raise_for_status()
            return {
                "events": streamtape.decode(response.read()),
                "headers": dict(response.headers),
                "raw": response.headers.raw,
            }

    card = checks.check_client(run, CHAT, faults=False, examples=200)
    assert card.as_dict()["rewrite/coding"] == ["equal"]


@pytest.mark.parametrize("kind", ["coroutine", "awaitable", "async generator", "generator"])
def test_whatever_can_be_run(kind: str) -> None:
    async def coroutine() -> list[Any]:
        await asyncio.sleep(0)
        return right()

    async def async_generator() -> AsyncIterator[Any]:
        for chunk in right():
            yield chunk

    def generator() -> Iterator[Any]:
        yield from right()

    runs: dict[str, Callable[[], Any]] = {
        "coroutine": coroutine,
        "awaitable": partial(coroutine),
        "async generator": async_generator,
        "generator": generator,
    }
    card = checks.check_client(runs[kind], CHAT, examples=10)
    assert card.as_dict()["fault/broken_json"] == ["raises StreamError"]


# --- one thing wrong ------------------------------------------------------------------------------


def test_an_end_that_is_not_missed() -> None:
    error = failed(partial(right, needs_end=False))
    assert failings(scorecard(error)) == {
        "fault/end_after": [TRUNCATED],
        "fault/end_inside": [TRUNCATED],
        "fault/wrong_body": [TRUNCATED],
        "fault/wrong_body json": [TRUNCATED],
    }
    first = error.failures[0]
    assert first.kind == TRUNCATED
    assert first.delivery == streamtape.Delivery(fault=faults.end_after(k=5))
    assert len(first.got) == 5  # type: ignore[arg-type]
    assert len(first.expected) == 10  # type: ignore[arg-type]
    assert first.examples < 10
    assert "the stream ends, as a whole one does, after event 5" in str(error)


def test_an_exception_of_the_library() -> None:
    error = failed(partial(right, parse=json.loads))
    assert failings(scorecard(error)) == {
        "fault/broken_json": [NO_JSON],
        "fault/glued": [NO_JSON],
        "fault/keepalive_data": [NO_JSON],
    }
    assert {failure.kind for failure in error.failures} == {"foreign exception"}
    assert all(isinstance(failure.got, json.JSONDecodeError) for failure in error.failures)
    own = checks.check_client(
        partial(right, parse=json.loads), CHAT, errors=json.JSONDecodeError, examples=30
    )
    assert failings(own) == {}


def test_an_event_that_nobody_knows() -> None:
    error = failed(partial(right, parse=json.loads, known_only=False), errors=ValueError)
    assert failings(scorecard(error)) == {"fault/unknown_event": ["other result"]}


def test_text_that_comes_twice() -> None:
    error = failed(partial(right, twice=True))
    assert failings(scorecard(error)) == {"fault/duplicated": ["duplicated text"]}


def test_an_answer_that_is_begun_anew_after_its_beginning() -> None:
    def run() -> str:
        text = ""
        for _ in range(2):
            try:
                with OPEN.stream("POST", URL) as response:
                    response.raise_for_status()
                    for line in response.iter_lines():
                        if line == "data: [DONE]":
                            return text
                        if line.startswith("data:"):
                            choices = answer(line[5:])["choices"]
                            text += "".join(c["delta"].get("content", "") for c in choices)
            except httpx.ReadError:
                continue
        raise StreamError("given up")

    chosen = [faults.first_attempt(faults.reset_after(5)), faults.reset_after(5)]
    error = failed(run, faults=chosen, rewrites=False)
    assert failings(scorecard(error)) == {"fault/first_attempt reset_after": ["duplicated text"]}


def test_the_words_of_an_error_are_no_text_that_comes_twice() -> None:
    """Found where an error began with "The", as the answer did."""

    def run() -> list[Any]:
        return right(parse=json.loads, needs_end=False)

    chosen = [faults.first_attempt(faults.error_event(k)) for k in (3, 5)]
    error = failed(run, faults=chosen, rewrites=False, examples=0)
    assert failings(scorecard(error)) == {"fault/first_attempt error_event": [TRUNCATED]}


def test_a_retry_that_is_right_gives_an_equal_result() -> None:
    def run() -> list[Any]:
        try:
            return right()
        except (httpx.HTTPError, StreamError):
            return right()

    card = checks.check_client(run, CHAT, examples=30)
    assert card.as_dict()["fault/first_attempt reset_after"] == ["equal"]
    assert card.as_dict()["fault/first_attempt status"] == ["equal"]
    assert card.as_dict()["fault/first_attempt end_after"] == ["equal"]


@pytest.mark.parametrize("dedupes", [True, False])
def test_an_event_source_that_connects_again(*, dedupes: bool) -> None:
    with_ids = Tape.of(
        b"".join(b"id: %d\n%s" % (n, event) for n, event in enumerate(streams.openai_chat(), 1))
    )

    def run() -> list[Any]:
        seen: dict[str, Any] = {}
        chunks: list[Any] = []
        for _ in range(3):
            decoder = streamtape.Decoder()
            last = list(seen)[-1:]
            try:
                with OPEN.stream("GET", URL, headers={"last-event-id": "".join(last)}) as response:
                    if response.raise_for_status().status_code == 204:
                        break
                    for piece in response.iter_bytes():
                        for event in decoder.feed(piece):
                            if event.data == "[DONE]":
                                return chunks
                            if event.last_event_id not in seen or not dedupes:
                                chunks.append(answer(event.data))
                            seen[event.last_event_id] = True
            except httpx.ReadError:
                continue
        raise StreamError("told to stop")

    chosen = [faults.reconnect(4, then) for then in ("resume", "all", "skip", "204")]
    expect = {} if dedupes else {"fault/reconnect all": "duplicated text"}
    card = checks.check_client(run, with_ids, faults=chosen, rewrites=False, expect=expect)
    made_of = card.as_dict()
    assert made_of["fault/reconnect resume"] == ["equal"]
    assert made_of["fault/reconnect skip"] == ["other allowed"]
    assert made_of["fault/reconnect 204"] == ["raises StreamError"]


def test_a_character_that_is_cut() -> None:
    """Found in a few examples, and shrunk to the one cut that it takes."""

    def run() -> str:
        with OPEN.stream("POST", URL) as response:
            return "".join(piece.decode() for piece in response.iter_raw())

    error = failed(run, faults=False, rewrites=False, examples=60)
    (failure,) = error.failures
    assert failure.kind == "chunk-boundary/utf8-split"
    assert failure.examples <= 3
    assert isinstance(failure.delivery.cuts, tuple)
    (cut,) = failure.delivery.cuts
    assert 0x80 <= CHAT.body[cut] < 0xC0
    assert failings(scorecard(error)) == {
        "chunk-boundary/utf8-split": ["foreign exception UnicodeDecodeError"]
    }


def test_a_stream_that_is_refused_without_need() -> None:
    def run() -> list[Any]:
        return right(parse=refuse)

    def refuse(data: str) -> Any:
        if "\\u" in data:
            raise StreamError("no escapes here")
        return answer(data)

    error = failed(run, faults=False, examples=100)
    assert [failure.kind for failure in error.failures] == ["rewrite/json_escapes"]
    assert failings(scorecard(error)) == {"rewrite/json_escapes": ["needless error StreamError"]}


def test_what_a_stream_leaves_in_the_client() -> None:
    decoder = streamtape.Decoder()  # one for all streams

    def run() -> list[str]:
        with OPEN.stream("POST", URL) as response:
            return [event.data for p in response.iter_bytes() for event in decoder.feed(p)]

    error = failed(run, faults=[faults.end_inside(3)], rewrites=False, examples=1)
    assert error.failures
    assert error.failures[-1].delivery == streamtape.Delivery()
    assert "after all the others" in str(error)


# --- time -----------------------------------------------------------------------------------------


def spin(stop: threading.Event) -> list[Any]:
    """Waits for an end that never comes."""
    while True:
        try:
            return right()
        except StreamError:
            stop.wait(0.001)


def test_a_client_that_hangs_is_stopped() -> None:
    before = set(threading.enumerate())
    never = threading.Event()
    error = failed(
        partial(spin, never),
        faults=[faults.end_after(3), faults.end_after(4)],
        within=0.5,
        examples=0,
    )
    (failure,) = error.failures
    assert (failure.kind, failure.delivery.fault) == ("hang", faults.end_after(3))
    assert "not finished within 0.5 s" in str(failure.got)
    # What hangs once is not tried again with other numbers.
    assert scorecard(error).examples == 2
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("blocking", [False, True])
def test_a_coroutine_that_hangs_is_cancelled(*, blocking: bool) -> None:
    cancelled: list[bool] = []

    async def run() -> list[Any]:
        try:
            return right()
        except StreamError:
            if blocking:
                while True:
                    time.sleep(0.001)  # noqa: ASYNC251 - the loop is to be blocked
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                raise
        return []

    error = failed(run, faults=[faults.end_after(3)], within=0.5, examples=0)
    assert [failure.kind for failure in error.failures] == ["hang"]
    assert bool(cancelled) is not blocking


def test_a_timeout_of_the_client_s_own_is_no_hang() -> None:
    async def run() -> list[Any]:
        try:
            return right()
        except StreamError:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
            raise

    card = checks.check_client(run, CHAT, faults=[faults.end_after(3)], examples=0)
    assert card.as_dict()["fault/end_after"] == ["raises TimeoutError"]


# --- connections ----------------------------------------------------------------------------------


@pytest.mark.parametrize("closing", ["nothing", "response", "client", "let go"])
def test_a_stream_that_stays_open(closing: str) -> None:
    kept: list[Any] = []

    def run() -> int:
        client = httpx.Client(verify=False)
        response = client.send(client.build_request("GET", URL), stream=True)
        pieces = response.iter_raw()
        first = len(next(pieces))
        if closing == "response":
            response.close()
        elif closing == "client":
            client.close()
        if closing != "let go":
            kept.extend([client, response, pieces])
        return first

    options: dict[str, Any] = {"faults": False, "rewrites": False, "examples": 0}
    if closing == "nothing":
        error = failed(run, **options)
        assert [failure.kind for failure in error.failures] == ["connection leaked"]
        assert error.failures[0].delivery == streamtape.Delivery()
    else:
        card = checks.check_client(run, CHAT, **options)
        assert card.as_dict()["connection"] == ["closed"]


def test_a_stream_that_stays_open_where_it_breaks() -> None:
    held: list[Any] = []

    def run() -> list[Any]:
        response = OPEN.send(OPEN.build_request("GET", URL), stream=True)
        held.append(response)
        response.raise_for_status()
        lines = [line for line in response.iter_lines() if line.startswith("data: {")]
        response.close()
        return [answer(line[6:]) for line in lines]

    error = failed(run, faults=[faults.status(), faults.reset_after(3)], rewrites=False, examples=0)
    (failure,) = error.failures
    # A connection that broke is free; one with a response that nobody reads is not.
    assert (failure.kind, failure.delivery.fault) == ("connection leaked", faults.status())


# --- what can't be checked ------------------------------------------------------------------------


def test_a_run_without_one_result_is_refused() -> None:
    with pytest.raises(ValueError, match=r"run isn't deterministic: .* it gave \(\d"):
        checks.check_client(lambda: (time.perf_counter(), right()), CHAT)
    with pytest.raises(ValueError, match=r"does not succeed .* it raised StreamError") as caught:
        checks.check_client(lambda: answer("no JSON"), CHAT)
    assert isinstance(caught.value.__cause__, StreamError)
    closed = CHAT.with_chunks(CHAT.chunks[:3], ending=Ending("closed", 0))
    with pytest.raises(ValueError, match=r"does not succeed .* closed the stream here"):
        checks.check_client(right, closed)


NOTHING = r"run asked for nothing that streamtape plays to \(httpx, httpx2, .*aiohttp\)"


def test_a_run_that_asks_for_nothing_is_refused() -> None:
    """It passed: whatever is delivered to nobody changes nothing."""
    with pytest.raises(ValueError, match=f"{NOTHING}, so its result says nothing of the tape"):
        checks.check_client(lambda: 5, CHAT)


def test_a_run_that_gives_an_answer_it_kept_is_refused() -> None:
    with pytest.raises(ValueError, match=f"{NOTHING} when it was called again: .*lru_cache"):
        checks.check_client(lru_cache(right), CHAT)


def test_a_run_that_asks_no_more_is_not_taken_for_right() -> None:
    """Such as behind a breaker that opens when a stream failed. No row says that it was right."""
    calls: list[int] = []

    def run() -> list[Any]:
        calls.append(1)
        return right() if len(calls) <= 4 else recorded

    with streamtape.play(CHAT):
        recorded = right()
    error = failed(run, faults=[faults.status(), faults.end_after(3), faults.lost(3)])
    (failure,) = error.failures
    assert (failure.kind, failure.got) == ("not asked", "none")
    assert failure.delivery == streamtape.Delivery(cuts="whole")
    assert scorecard(error).as_dict() == {
        "connection": ["closed"],
        "requests": ["not asked"],
        "cuts": ["equal"],
        "fault/status": ["raises HTTPStatusError"],
    }
    calls.clear()
    checks.check_client(run, CHAT, faults=False, examples=9, expect={"requests": "not asked"})


def test_why_a_run_does_not_succeed_is_said_with_the_advice_that_helps() -> None:
    def of_another_stream() -> list[Any]:
        return right(parse=lambda data: answer(data)["x"])

    def refuses() -> list[Any]:
        return right(parse=lambda data: answer(data[1:]))

    def nothing_asked() -> object:
        raise LookupError

    async def hangs() -> None:
        right()
        await asyncio.Event().wait()

    def message(run: Callable[[], Any]) -> str:
        with pytest.raises(ValueError, match="run does not succeed") as caught:
            checks.check_client(run, CHAT, within=0.3)
        return str(caught.value).partition(": ")[2]

    assert message(of_another_stream) == (
        "it raised KeyError: 'x'. Without a result there is nothing to compare: mend run first"
    )
    own = message(refuses)
    assert own.startswith("it raised StreamError: no JSON: ")
    assert own.endswith(". Check it on a tape of a stream that it reads to its end")
    assert message(nothing_asked).startswith(
        "it raised LookupError, and had asked for nothing that streamtape plays to (httpx, "
    )
    assert message(hangs).startswith(
        "it was not finished within 0.3 s, nor when tried again. Check it on a tape"
    )


def test_a_skip_is_no_result() -> None:
    with pytest.raises(pytest.skip.Exception, match="not today"):
        checks.check_client(partial(pytest.skip, "not today"), CHAT)


# --- baselines ------------------------------------------------------------------------------------

LOSSY = partial(right, needs_end=False)
KNOWN: Mapping[str, Any] = {
    "fault/end_after": TRUNCATED,
    "fault/end_inside": [TRUNCATED],
    "fault/wrong_body": TRUNCATED,
    "fault/wrong_body json": TRUNCATED,
}


def test_a_baseline_fails_on_change_only() -> None:
    card = checks.check_client(LOSSY, CHAT, expect=KNOWN, examples=30)
    checks.check_client(LOSSY, CHAT, expect=card, examples=30)
    checks.check_client(LOSSY, CHAT, expect=json.loads(json.dumps(card.as_dict())), examples=30)


def test_a_new_failing_fails() -> None:
    known = {name: how for name, how in KNOWN.items() if name != "fault/end_inside"}
    error = failed(LOSSY, expect=known)
    assert [failure.kind for failure in error.failures] == [TRUNCATED]
    assert error.failures[0].delivery.fault.name == "end_inside"
    assert error.gone == ()


def test_a_failing_that_is_gone_fails() -> None:
    error = failed(LOSSY, expect={**KNOWN, "rewrite/bom": "other result"})
    assert error.failures == ()
    assert error.gone == ("rewrite/bom: other result",)
    assert "no longer occurs. Take it out of expect" in str(error)


def test_a_baseline_may_leave_the_exception_s_name_out() -> None:
    run = partial(right, parse=json.loads)
    chosen = [faults.broken_json(3)]
    for how in ("foreign exception", NO_JSON, ["foreign exception"]):
        checks.check_client(run, CHAT, faults=chosen, expect={"fault/broken_json": how}, examples=0)
    error = failed(run, faults=chosen, expect={"fault/broken_json": "foreign exception KeyError"})
    assert len(error.failures) == len(error.gone) == 1


def test_a_baseline_with_a_word_that_is_none() -> None:
    with pytest.raises(ValueError, match=r"'silent loss', which is no outcome"):
        checks.check_client(right, CHAT, expect={"fault/lost": "silent loss"})


def test_a_scorecard_is_a_table() -> None:
    text = str(scorecard(failed(LOSSY)))
    head, _, titles, *rows = text.splitlines()
    assert head.startswith("4 of ")
    assert titles.split("  ")[1].strip() == "what was delivered"
    marked = [row.split("  ")[0].removeprefix("x ") for row in rows if row.startswith("x ")]
    assert sorted(marked) == sorted(KNOWN)


def test_a_scorecard_says_where_nobody_knows_how_the_stream_ends() -> None:
    line = "provider: generic, so the end of the stream is not known"
    own = Tape.of(b"event: tick\ndata: 1\n\nevent: tick\ndata: 2\n\n")

    def run() -> str:
        return OPEN.get(URL).text

    for tape, said in ((own, True), (CHAT, False), (Tape.of(b"no events"), True)):
        card = checks.check_client(run, tape, faults=False, rewrites=False, examples=2)
        assert (line in str(card).splitlines()) is said
        assert line not in str(checks.Scorecard(card.rows))


def test_certificates_are_not_loaded_for_each_client_that_run_makes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They took most of the time: 20 ms and more for each delivery."""
    loaded: list[object] = []
    load = ssl.SSLContext.load_verify_locations

    def count(context: ssl.SSLContext, *args: Any, **kwargs: Any) -> None:
        loaded.append(context)
        load(context, *args, **kwargs)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", count)

    def run() -> str:
        with httpx.Client() as client:
            return client.get(URL).text

    checks.check_client(run, CHAT, faults=False, rewrites=False, examples=20)
    assert len(loaded) <= 4  # of clients that were not let go of by the end


# --- what is like what ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("got", "whole", "beginning", "part"),
    [
        ("ab", "abc", True, True),
        ("ac", "abc", False, True),
        ("ca", "abc", False, False),
        ("", "abc", True, True),
        (None, {"a": 1}, True, True),
        ([1, 2], [1, 2, 3], True, True),
        ([1, 3], [1, 2, 3], False, True),
        ([3, 1], [1, 2, 3], False, False),
        ([1, 2, 3, 4], [1, 2, 3], False, False),
        ({"text": "ab", "end": None, "n": 1}, {"text": "abc", "end": "stop", "n": 7}, True, True),
        ({"text": "ab", "more": 1}, {"text": "abc"}, False, False),
        ({"text": "bc"}, {"text": "abc"}, False, True),
        ({"n": 8}, {"n": 7}, False, False),
        (False, True, True, True),
        ("ab", 5, False, False),
    ],
)
def test_what_is_a_beginning_and_what_a_part(
    *, got: Any, whole: Any, beginning: bool, part: bool
) -> None:
    assert is_beginning(got, whole) is beginning
    assert is_part(got, whole) is part


@pytest.mark.parametrize(
    ("error", "own"),
    [
        (StreamError(), True),
        (httpx.ReadError(""), True),
        (TimeoutError(), True),
        (ConnectionResetError(), True),
        (ExceptionGroup("", [httpx.ReadError(""), TimeoutError()]), True),
        (json.JSONDecodeError("", "", 0), False),
        (UnicodeDecodeError("utf-8", b"", 0, 1, ""), False),
        (AssertionError(), False),
        (asyncio.CancelledError(), False),
        (ExceptionGroup("", [httpx.ReadError(""), KeyError()]), False),
    ],
    ids=repr,
)
def test_whose_an_exception_is(*, error: BaseException, own: bool) -> None:
    assert is_own(error, ()) is own
    assert is_own(error, (BaseException,))


def test_a_class_that_does_not_know_its_module_is_the_client_s_own() -> None:
    """As in a notebook's cell or an example that is run by ``exec``."""
    names: dict[str, Any] = {}
    exec("class Ours(Exception): pass", names)
    assert names["Ours"].__module__ == "builtins"
    assert is_own(names["Ours"](), ())


def test_pydantic_s_errors_are_not_the_client_s_own() -> None:
    import pydantic

    with pytest.raises(pydantic.ValidationError) as caught:
        pydantic.TypeAdapter(int).validate_python("x")
    assert not is_own(caught.value, ())
