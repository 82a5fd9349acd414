"""Filters and guardrails: the same for every cut, nothing forbidden, not even for a moment."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from streamtape import Tape
from streamtape.checks import CheckFailed, Failure, check_transform

SECRET = "hunter2"


def chat(*texts: str) -> Tape:
    events = [
        b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode() + b"\n\n"
        for text in texts
    ]
    return Tape.of(b"".join(events) + b"data: [DONE]\n\n")


TAPE = chat("my pass", " is hun", "ter2 and ", "more")


def batch(text: str) -> str:
    return text.replace(SECRET, "[hidden]")


def _settled(held: str) -> tuple[str, str]:
    held = batch(held)
    keep = max(size for size in range(len(SECRET)) if held.endswith(SECRET[:size]))
    return held[: len(held) - keep], held[len(held) - keep :]


def hide(pieces: Iterator[str]) -> Iterator[str]:
    held = ""
    for piece in pieces:
        out, held = _settled(held + piece)
        yield out
    yield held


async def hide_async(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    held = ""
    async for piece in pieces:
        out, held = _settled(held + piece)
        yield out
    yield held


async def returning(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    return hide_async(pieces)


def failures_of(transform: Callable[..., Any], **kwargs: Any) -> dict[str, Failure]:
    with pytest.raises(CheckFailed) as caught:
        check_transform(transform, **{"tape": TAPE, "batch": batch, **kwargs})
    return {failure.kind: failure for failure in caught.value.failures}


@pytest.mark.parametrize("transform", [hide, hide_async, returning])
def test_a_filter_that_waits_for_what_may_become_a_secret_passes(
    transform: Callable[..., Any],
) -> None:
    report = check_transform(transform, tape=TAPE, batch=batch, forbidden=SECRET, hold_back=0)
    assert report.held_back == 0
    assert report.examples > len("my pass is hunter2 and more")


def by_piece(pieces: Iterator[str]) -> Iterator[str]:
    return (batch(piece) for piece in pieces)


@pytest.mark.parametrize(
    "forbidden",
    [SECRET, [SECRET, "other"], re.compile("hunter[0-9]"), lambda text: SECRET in text],
    ids=["word", "words", "pattern", "function"],
)
def test_a_secret_cut_in_two_leaks_and_one_cut_shows_it(forbidden: Any) -> None:
    leak = failures_of(by_piece, forbidden=forbidden)["leaks"]
    assert leak.pieces is not None
    assert len(leak.pieces) == 2
    assert "".join(map(str, leak.pieces)) == "my pass is hunter2 and more"
    assert SECRET in str(leak.got)
    assert leak.examples == 1


def test_without_a_word_that_is_forbidden_it_still_differs() -> None:
    assert list(failures_of(by_piece)) == ["differs"]


def test_what_leaks_for_a_moment_is_found_where_the_end_is_right() -> None:
    def late(pieces: Iterator[str]) -> Iterator[str]:
        text = "".join(pieces)
        yield text
        yield batch(text)[:0]

    assert list(failures_of(late, forbidden=SECRET)) == ["leaks"]


def test_a_filter_that_waits_for_the_whole_text_holds_too_much_back() -> None:
    def at_the_end(pieces: Iterator[str]) -> Iterator[str]:
        yield batch("".join(pieces))

    check_transform(at_the_end, tape=TAPE, batch=batch, forbidden=SECRET)
    held = failures_of(at_the_end, hold_back=4)["holds-back"]
    assert held.got == ""
    assert "my pass is hunter2 and more".startswith(str(held.expected))
    assert len(str(held.expected)) > 4


def test_a_list_does_not_come_out_one_by_one() -> None:
    def listed(pieces: Iterator[str]) -> list[str]:
        return list(hide(pieces))

    assert check_transform(listed, tape=TAPE, batch=batch).held_back is None
    assert failures_of(listed, hold_back=100)["holds-back"].got == "all of them at the end"


def test_a_filter_that_fails_at_an_empty_piece_is_told_so() -> None:
    def by_first(pieces: Iterator[str]) -> Iterator[str]:
        for piece in pieces:
            assert piece[0]
            yield piece

    raised = failures_of(by_first, batch=lambda text: text)["raises"]
    assert isinstance(raised.got, IndexError)
    assert raised.pieces is not None
    assert "" in raised.pieces


class RefusedError(Exception):
    pass


def refuse(text: str) -> str:
    if SECRET in text:
        raise RefusedError
    return text


def test_a_guardrail_raises_where_the_whole_text_does_and_lets_nothing_out_before() -> None:
    def guard(pieces: Iterator[str]) -> Iterator[str]:
        held = ""
        for piece in pieces:
            out, held = _settled(refuse(held + piece))
            yield out
        yield held

    check_transform(guard, tape=TAPE, batch=refuse, forbidden=SECRET)

    def too_late(pieces: Iterator[str]) -> Iterator[str]:
        text = ""
        for piece in pieces:
            text += piece
            yield piece
            refuse(text)

    assert list(failures_of(too_late, batch=refuse, forbidden=SECRET)) == ["leaks"]

    def never(pieces: Iterator[str]) -> Iterator[str]:
        yield from pieces

    assert isinstance(failures_of(never, batch=refuse)["raises"].expected, RefusedError)


def test_a_stream_without_text_is_cut_as_bytes() -> None:
    def upper(pieces: Iterator[bytes]) -> Iterator[bytes]:
        return (piece.upper() for piece in pieces)

    raw = Tape.of(b"caf\xc3\xa9", content_type="application/octet-stream", cuts=(2,))
    check_transform(upper, tape=raw, batch=bytes.upper, hold_back=0)

    def text(pieces: Iterator[bytes]) -> Iterator[bytes]:
        return (piece.decode().encode() for piece in pieces)

    cut = failures_of(text, tape=raw, batch=bytes)["raises"]
    assert cut.pieces == (b"caf\xc3", b"\xa9")


def test_a_tape_without_anything_is_refused() -> None:
    with pytest.raises(ValueError, match="holds neither text nor bytes"):
        check_transform(hide, tape=Tape.of(b""), batch=batch)


def test_a_guardrail_that_lets_all_but_the_last_character_out_leaks_a_part() -> None:
    def naive(pieces: Iterator[str]) -> Iterator[str]:
        text = ""
        for piece in pieces:
            text += piece
            refuse(text)
            yield piece

    found = failures_of(naive, batch=refuse, forbidden=SECRET)
    assert list(found) == ["leaks/part"]
    assert found["leaks/part"].expected == "my pass is "


@pytest.mark.parametrize("forbidden", ["", ["hunter2", ""]])
def test_nothing_at_all_can_not_be_forbidden(forbidden: Any) -> None:
    with pytest.raises(ValueError, match="an empty text is in every text"):
        check_transform(hide, tape=TAPE, batch=batch, forbidden=forbidden)


def test_the_oracle_is_asked_once_for_each_beginning_of_the_text() -> None:
    asked: list[str] = []

    def noted(text: str) -> str:
        asked.append(text)
        return batch(text)

    check_transform(hide, tape=TAPE, batch=noted, forbidden=SECRET, hold_back=0)
    assert len(asked) == len(set(asked))


def test_a_long_text_by_characters_with_a_flush_at_the_end_is_no_endless_one() -> None:
    def flushed(pieces: Iterator[str]) -> Iterator[str]:
        yield from pieces
        yield ""

    check_transform(flushed, tape=chat(*["word "] * 3_000), batch=str, forbidden=SECRET)
