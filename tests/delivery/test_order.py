"""Which deliveries are tried, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtape import Delivery, Tape, seams
from streamtape.delivery.change import Content, Rewrite
from streamtape.delivery.order import every_seam, systematic
from streamtape.delivery.seams import KINDS, spread
from tests.streams import STREAMS

BODY = 'data: {"text":"é\\n"}\r\n\r\nevent: x\ndata: [DONE]\n\n'.encode()
TAPE = Tape.of(BODY)


def _commented(tape: Tape) -> Tape:
    return Tape.of(b": ping\n\n" + tape.body)


def _told_differently(tape: Tape) -> Tape:
    return Tape.of(tape.body.replace("é".encode(), "👩".encode()))


COMMENT = Rewrite("comment", (), "a comment in front", _commented)
OTHER = Content("other", (), "another text", _told_differently)


def cuts(tapes: list[Tape], base: Delivery | None = None) -> list[object]:
    return [each.cuts for each in systematic(tapes, base or Delivery())]


def test_words_come_first_then_empty_chunks_then_each_seam() -> None:
    tried = cuts([TAPE])
    assert tried[:3] == ["bytes", "whole", "events"]
    first_end = BODY.index(b"event: x")
    assert tried[3] == (0, 0, first_end, first_end, len(BODY), len(BODY))
    assert tried[4:] == [(offset,) for offset, _ in spread(seams(BODY))]
    assert {kind for _, kind in seams(BODY)} == {
        *("utf-8", "crlf", "blank line", "json escape", "sentinel"),
        *("colon", "field name", "line end", "line start"),
    }


def test_an_empty_chunk_is_on_both_sides_of_every_event() -> None:
    empty = next(islice(systematic([TAPE]), 3, None))
    data = [chunk.data for chunk in TAPE.deliver(empty).chunks]
    frames = [chunk.data for chunk in TAPE.chunks]
    assert data == [b"", b"", frames[0], b"", frames[1], b"", b""]


@pytest.mark.parametrize("name", STREAMS)
def test_no_delivery_comes_twice(name: str) -> None:
    stream, content_type = STREAMS[name]
    tape = Tape.of(b"".join(stream()), content_type=content_type)
    shorter = Tape.of(b"".join(stream()[:3]), content_type=content_type)
    tried = cuts([tape, shorter, TAPE, tape])
    assert len(set(tried)) == len(tried)
    assert {(offset,) for each in (tape, shorter, TAPE) for offset, _ in seams(each.body)} <= set(
        tried
    )


def test_the_seams_of_several_bodies_come_in_turn() -> None:
    one = b"data: aaaaa\r\n\r\ndata: b\r\n\r\n"
    two = "data: é\n\ndata: €\n\n".encode()
    found = list(every_seam([one, two, one]))
    kinds = [kind for _, kind in found]
    assert kinds[0] == "utf-8"  # only the second body has one
    assert kinds[1] == "crlf"  # only the first
    blank = [offset for offset, kind in found if kind == "blank line"]
    assert blank == [13, 9, 24]  # 20 came as a colon of the first body
    assert (20, "colon") in found


def test_what_comes_first_is_the_first_of_each_kind() -> None:
    there = set(dict(seams(BODY)).values())
    first = [kind for _, kind in islice(every_seam([BODY]), len(there))]
    assert first == [kind for kind in KINDS if kind in there]


def test_seams_are_looked_for_only_when_their_turn_comes() -> None:
    class Telling(Tape):
        asked = 0

        @property
        def body(self) -> bytes:  # type: ignore[override]  # looked at by the test
            Telling.asked += 1
            return BODY

    order = systematic([Telling(TAPE.chunks, TAPE.ending, framing="sse")])
    assert isinstance(order, Iterator)
    assert [next(order).cuts for _ in range(3)] == ["bytes", "whole", "events"]
    assert Telling.asked == 0


def test_cuts_are_those_of_the_body_that_the_delivery_makes() -> None:
    base = Delivery(cuts=(3,), pace=2.0, contents=(OTHER,), rewrites=(COMMENT,))
    body = b": ping\n\n" + BODY.replace("é".encode(), "👩".encode())
    tried = list(systematic([TAPE], base))
    assert {(each.pace, each.contents, each.rewrites) for each in tried} == {
        (2.0, (OTHER,), (COMMENT,))
    }
    assert [each.cuts for each in tried[4:]] == [(offset,) for offset, _ in spread(seams(body))]


@pytest.mark.parametrize("tapes", [[], [Tape.of(b"")]])
def test_without_bytes_there_are_only_words(tapes: list[Tape]) -> None:
    assert cuts(tapes) == ["bytes", "whole", "events"]


def test_a_body_without_frames_has_empty_chunks_at_its_ends() -> None:
    raw = Tape.of(b"plain text", content_type="text/plain")
    assert raw.framing == "raw"
    assert cuts([raw])[3] == (0, 0, 10, 10)


@given(st.binary(max_size=60))
def test_one_body_is_tried_as_its_seams_are_spread(body: bytes) -> None:
    assert list(every_seam([body])) == list(spread(seams(body)))
