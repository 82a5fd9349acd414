"""Other frames in place of a tape's own: when they arrive, and what they may not be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtape import Chunk, Ending, Tape
from streamtape.delivery import Delivery, rewrites
from streamtape.delivery.retelling import frames_of, with_frames


def tape(*chunks: bytes, framing: str = "sse") -> Tape:
    return Tape(
        tuple(Chunk(number * 10, data) for number, data in enumerate(chunks, start=1)),
        Ending("eof", 10 * len(chunks) + 10),
        framing=framing,  # type: ignore[arg-type]  # one of the four words
    )


def pieces(told: Tape) -> list[bytes]:
    return [chunk.data for chunk in told.chunks]


def test_a_chunk_that_ended_with_a_frame_ends_with_the_new_one() -> None:
    told = with_frames(tape(b"data: a\n\n", b"data: b\n\n"), [b"data: longer\n\n", b":\n\n"])
    assert pieces(told) == [b"data: longer\n\n", b":\n\n"]


def test_a_chunk_that_ended_inside_a_frame_leaves_the_new_one_incomplete() -> None:
    told = with_frames(tape(b"data: abcdef\n", b"\ndata: b\n\n"), [b"data:a\n\n", b"data: b\n\n"])
    assert pieces(told) == [b"data:a\n", b"\ndata: b\n\n"]


def test_a_line_that_a_cr_ends_is_not_complete_before_its_time() -> None:
    delivered = tape(b"data: a\r\n", b"\r\n").deliver(
        Delivery(rewrites=(rewrites.no_space_after_colon(),))
    )
    assert pieces(delivered) == [b"data:a\r\n", b"\r\n"]
    assert [at_ns for at_ns, _ in delivered.events()] == [20]


def test_a_frame_that_is_taken_out_leaves_an_empty_chunk() -> None:
    told = with_frames(tape(b"data: a\n\n", b"data: b\n\n"), [b"", b"data: b\n\n"])
    assert pieces(told) == [b"", b"data: b\n\n"]


def test_frames_that_are_all_taken_out_leave_their_empty_chunks() -> None:
    assert pieces(with_frames(tape(b"data: a\n\n"), [b""])) == [b""]
    assert pieces(with_frames(tape(b"data:", b" a\n\n"), [b""])) == [b"", b""]


def test_a_frame_that_is_taken_out_takes_nothing_of_its_neighbours() -> None:
    told = with_frames(tape(b"da", b"ta: a\n\ndata: b\n\n"), [b"", b"data: b\n\n"])
    assert pieces(told) == [b"", b"data: b\n\n"]
    told = with_frames(
        tape(b"data: a\n\nda", b"ta: b\n\ndata: c\n\n"), [b"data: a\n\n", b"", b"data: c\n\n"]
    )
    assert pieces(told) == [b"data: a\n\n", b"data: c\n\n"]


def test_a_tape_without_chunks_stays() -> None:
    empty = tape()
    assert with_frames(empty, []) is empty


def test_a_raw_body_is_one_frame() -> None:
    raw = tape(b"abc", b"def", framing="raw")
    assert frames_of(raw) == [b"abcdef"]
    assert pieces(with_frames(raw, [b"xy"])) == [b"x", b"y"]
    empty = tape(framing="raw")
    assert with_frames(empty, []) is empty


def test_there_is_one_new_frame_for_each_old_one() -> None:
    with pytest.raises(ValueError, match="1 frames in place of 2: give one for each"):
        with_frames(tape(b"data: a\n\ndata: b\n\n"), [b""])


def test_a_content_length_stays_only_where_it_is_still_true() -> None:
    headers = [("Content-Length", "9"), ("x", "y")]
    told = with_frames(replace(tape(b"data: a\n\n"), headers=headers), [b"data: b\n\n"])
    assert told.headers == headers
    told = with_frames(replace(tape(b"data: a\n\n"), headers=headers), [b"data: bb\n\n"])
    assert told.headers == [("x", "y")]


@given(
    st.lists(st.sampled_from([b"data: a", b"\n", b"\r\n", b"\r", b":x", b"id", "é".encode()])),
    st.lists(st.integers(0, 60), max_size=6).map(sorted),
    st.sampled_from(
        ["crlf", "cr", "lf", "no_space_after_colon", "comments", "bom", "unknown_fields"]
    ),
)
def test_no_event_is_out_before_the_old_one_was(
    parts: list[bytes], cuts: list[int], name: str
) -> None:
    body = b"".join(parts)
    before = tape(*pieces(Tape.of(body, cuts=[min(cut, len(body)) for cut in cuts])))
    after = before.deliver(Delivery(rewrites=(getattr(rewrites, name)(),)))
    assert [event for _, event in after.events()] == [event for _, event in before.events()]
    for (new_ns, _), (old_ns, _) in zip(after.events(), before.events(), strict=True):
        assert new_ns >= old_ns
