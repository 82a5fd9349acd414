"""`check_invariant`: one result under every delivery that says the same, by any consumer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import streamtape
from streamtape import Delivery, Tape, checks
from streamtape.checks import CheckFailed, Failure
from streamtape.delivery import contents, rewrites
from tests.checks import faulty_parsers as faulty
from tests.streams import anthropic_messages, ollama, openai_chat

CHAT = Tape.of(b"".join(openai_chat()))
OLLAMA = Tape.of(b"".join(ollama()), content_type="application/x-ndjson")


def failures_of(consume: Any, tape: Tape, **options: Any) -> dict[str, Failure]:
    with pytest.raises(CheckFailed) as caught:
        checks.check_invariant(consume, tape, **options)
    return {failure.kind: failure for failure in caught.value.failures}


def events(chunks: Iterable[bytes]) -> list[Any]:
    decoder = streamtape.Decoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def text(chunks: Iterable[bytes]) -> str:
    """The answer in an OpenAI chat completion, by a right decoder."""
    payloads = [json.loads(event.data) for event in events(chunks) if event.data != "[DONE]"]
    choices = [choice for payload in payloads for choice in payload["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


async def text_async(chunks: AsyncIterator[bytes]) -> str:
    return text([chunk async for chunk in chunks])


def payloads(chunks: Iterable[bytes]) -> Iterator[Any]:
    for event in events(chunks):
        yield json.loads(event.data) if event.data.startswith("{") else event.data


def lines(chunks: Iterable[bytes], *, skip_blank: bool = True) -> Iterator[Any]:
    """NDJSON, right where *skip_blank*."""
    for line in b"".join(chunks).decode("utf-8-sig").removesuffix("\n").split("\n"):
        if line.strip() or not skip_blank:
            yield json.loads(line)


@pytest.mark.parametrize("consume", [events, text, text_async, payloads])
def test_a_right_consumer_passes(consume: Any) -> None:
    checks.check_invariant(consume, CHAT)


def test_contents_are_expected_in_place_of_the_old_text() -> None:
    checks.check_invariant(text, CHAT, contents=True)
    checks.check_invariant(lines, OLLAMA, contents=True)


def test_an_answer_may_come_in_other_pieces() -> None:
    checks.check_invariant(text, CHAT, rewrites="text")
    # Who counts the pieces does depend on them.
    found = failures_of(lambda chunks: len(events(chunks)), CHAT, rewrites="text")
    assert set(found) == {"rewrite/text_cuts"}


def test_a_cut_character_is_found_and_shrunk_to_one_cut() -> None:
    def decoded(chunks: Iterable[bytes]) -> str:
        return "".join(chunk.decode(errors="replace") for chunk in chunks)

    (failure,) = failures_of(decoded, CHAT, rewrites=False).values()
    assert failure.kind == "chunk-boundary/utf8-split"
    assert failure.examples == 1
    assert failure.delivery == Delivery(cuts=(CHAT.body.index(b"\xa9"),))
    assert failure.expected == CHAT.body.decode()
    assert failure.tape is CHAT


@pytest.mark.parametrize(
    ("parser", "kind", "rewrite"),
    [
        (faulty.KeepsBom, "rewrite/bom", rewrites.bom()),
        (faulty.KnowsNoCr, "rewrite/cr", rewrites.cr()),
        (faulty.WantsSpace, "rewrite/no_space_after_colon", rewrites.no_space_after_colon()),
    ],
)
def test_a_rewrite_that_hurts_is_named_and_stands_alone(
    parser: type[faulty.Parser], kind: str, rewrite: Any
) -> None:
    def consume(chunks: Iterable[bytes]) -> list[Any]:
        return list(parser()(chunks))

    found = failures_of(consume, CHAT)
    assert {name: failure.delivery for name, failure in found.items()} == {
        kind: Delivery(rewrites=(rewrite,))
    }


def test_a_cut_that_hurts_only_in_a_rewritten_stream_is_found_there() -> None:
    def consume(chunks: Iterable[bytes]) -> list[Any]:
        return list(faulty.ForgetsCr()(chunks))

    tape = Tape.of(b"".join(anthropic_messages()))
    (failure,) = failures_of(consume, tape).values()
    assert failure.kind == "chunk-boundary/crlf-split"
    assert failure.delivery.rewrites == (rewrites.crlf(),)
    assert len(failure.delivery.cuts) == 1


def test_a_blank_line_of_ndjson() -> None:
    def consume(chunks: Iterable[bytes]) -> list[Any]:
        return list(lines(chunks, skip_blank=False))

    found = failures_of(consume, OLLAMA)
    assert set(found) == {"rewrite/blank_lines"}
    assert isinstance(found["rewrite/blank_lines"].got, json.JSONDecodeError)


def test_a_separator_in_the_text() -> None:
    def consume(chunks: Iterable[bytes]) -> str:
        found = b"".join(chunks).decode().splitlines()
        return "".join(json.loads(line)["message"]["content"] for line in found if line)

    (failure,) = failures_of(consume, OLLAMA, rewrites=False, contents=True).values()
    assert failure.kind == "content/line_separators"
    assert failure.delivery == Delivery(contents=(contents.line_separators(),))


def test_text_that_comes_back_changed() -> None:
    """The cuts change nothing: only the text itself tells that it is wrong."""
    found = failures_of(lambda chunks: text(chunks).rstrip("🦀"), CHAT, contents=True)
    assert set(found) == {"content/four_bytes"}
    assert found["content/four_bytes"].expected == f"{found['content/four_bytes'].got}🦀"


def test_of_text_that_the_result_does_not_show_only_the_cuts_are_judged() -> None:
    checks.check_invariant(lambda chunks: len(text(chunks)), CHAT, contents=True)


def test_objects_that_compare_by_identity_are_compared_by_what_they_hold() -> None:
    class Answer:
        def __init__(self, content: str) -> None:
            self.content = content

    @dataclass
    class Reply:
        answers: list[Answer]
        raw: str

    def consume(chunks: Iterable[bytes]) -> Reply:
        found = events(chunks)
        return Reply([Answer(event.type) for event in found], found[0].data)

    checks.check_invariant(consume, CHAT)  # raw is JSON, and compared as that


def test_what_differs_from_call_to_call_is_unstable() -> None:
    calls = iter(range(1_000_000))
    (failure,) = failures_of(lambda chunks: (list(chunks), next(calls)), CHAT).values()
    assert (failure.kind, failure.delivery) == ("unstable", Delivery())


def test_an_exception_as_recorded_passes() -> None:
    def consume(chunks: Iterable[bytes]) -> object:
        raise KeyError(len(list(chunks)))

    with pytest.raises(KeyError):
        checks.check_invariant(consume, CHAT)


def test_what_is_allowed_does_not_fail() -> None:
    def consume(chunks: Iterable[bytes]) -> list[Any]:
        return list(faulty.KeepsBom()(chunks))

    checks.check_invariant(consume, CHAT, allow={"rewrite/bom"})
    with pytest.raises(CheckFailed, match="rewrite/cr: allowed, but no longer occurs"):
        checks.check_invariant(consume, CHAT, allow={"rewrite/bom", "rewrite/cr"})


def test_a_large_body_is_tried_a_bounded_number_of_times() -> None:
    body = b"".join(b"data: " + b"x" * 500 + b"%d\n\n" % n for n in range(2_000))
    calls = []

    def consume(chunks: Iterable[bytes]) -> int:
        calls.append(sum(map(len, chunks)))
        return calls[-1]

    checks.check_invariant(consume, Tape.of(body), rewrites=False)
    assert 20 < len(calls) < 150
    assert sum(calls) < 100_000_000
