"""What stands between server and client: the same bytes in other chunks, none of them early."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtape import Chunk, Delivery, Ending, Tape
from streamtape.delivery import Middlebox, middleboxes
from streamtape.delivery.expression import parse

MS = 1_000_000
EVERY = (
    middleboxes.nginx(),
    middleboxes.nginx(7),
    middleboxes.gzip_window(),
    middleboxes.gzip_window(size=3),
    middleboxes.coalescer(),
    middleboxes.coalescer(ms=0),
    middleboxes.burst(),
)


def tape(*chunks: tuple[int, bytes], end: int) -> Tape:
    return Tape(
        tuple(Chunk(at_ms * MS, data) for at_ms, data in chunks), Ending("eof", end * MS), head_ns=0
    )


def through(box: Middlebox, played: Tape) -> list[tuple[float, bytes]]:
    delivered = played.deliver(Delivery(cuts=box, pace="recorded"))
    return [(chunk.at_ns / MS, chunk.data) for chunk in delivered.chunks]


def test_a_buffer_is_handed_over_when_it_is_full_and_the_rest_at_the_end() -> None:
    played = tape((10, b"abc"), (20, b"defgh"), (30, b"i"), end=90)
    assert through(middleboxes.nginx(4), played) == [(20, b"abcd"), (20, b"efgh"), (90, b"i")]


def test_a_coalescer_sends_what_came_within_its_time_of_the_first_byte() -> None:
    played = tape((10, b"a"), (60, b"b"), (111, b"c"), (300, b"d"), end=330)
    assert through(middleboxes.coalescer(100), played) == [
        (110, b"ab"),
        (211, b"c"),
        (330, b"d"),  # the end of the stream sends the rest on its way
    ]


def test_a_coalescer_of_no_time_joins_only_what_came_at_once() -> None:
    played = tape((10, b"a"), (10, b"b"), (11, b""), (12, b"c"), end=12)
    assert through(middleboxes.coalescer(0), played) == [(10, b"ab"), (12, b"c")]


def test_a_burst_is_one_chunk_at_the_end() -> None:
    assert through(middleboxes.burst(), tape((10, b"a"), (20, b"b"), end=90)) == [(90, b"ab")]
    assert through(middleboxes.burst(), tape(end=90)) == []


@given(
    st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=20)), max_size=12),
    st.integers(0, 50),
    st.sampled_from(EVERY),
)
def test_no_byte_is_early_none_is_lost_and_time_goes_on(
    gaps: list[tuple[int, bytes]], quiet: int, box: Middlebox
) -> None:
    at_ms = 0
    chunks = []
    for gap, data in gaps:
        at_ms += gap
        chunks.append((at_ms, data))
    played = tape(*chunks, end=at_ms + quiet)
    delivered = played.deliver(Delivery(cuts=box, pace="recorded"))
    assert delivered.body == played.body
    sent = [chunk.at_ns for chunk in played.chunks for _ in chunk.data]
    got = [chunk.at_ns for chunk in delivered.chunks for _ in chunk.data]
    assert all(new >= old for new, old in zip(got, sent, strict=True))
    ends = [*(chunk.at_ns for chunk in delivered.chunks), delivered.ending.at_ns]
    assert all(one <= next_ for one, next_ in pairwise(ends))


@pytest.mark.parametrize("box", EVERY, ids=repr)
def test_a_delivery_through_one_is_printed_as_it_is_written(box: Middlebox) -> None:
    delivery = Delivery(cuts=box, pace="recorded")
    assert parse(repr(delivery)) == delivery


def test_sizes_and_times_that_mean_nothing_are_refused() -> None:
    for make, size in ((middleboxes.nginx, 0), (middleboxes.gzip_window, -1)):
        with pytest.raises(ValueError, match="size must be a number of bytes, 1 or more"):
            make(size)
    with pytest.raises(ValueError, match="ms must be a number of milliseconds, 0 or more, not -1"):
        middleboxes.coalescer(-1)


@pytest.mark.parametrize(
    ("box", "size"), [(middleboxes.nginx(), 4096), (middleboxes.gzip_window(), 32768)]
)
def test_a_buffer_has_the_size_of_the_real_one(box: Middlebox, size: int) -> None:
    full, short = b"x" * size, b"x" * (size - 1)
    assert through(box, tape((10, full), end=90)) == [(10, full)]
    assert through(box, tape((10, short), end=90)) == [(90, short)]


def test_a_coalescer_waits_for_200_ms() -> None:
    played = tape((0, b"a"), (200, b"b"), (401, b"c"), (1000, b"d"), end=2000)
    assert through(middleboxes.coalescer(), played) == [
        *((200, b"ab"), (601, b"c")),
        (1200, b"d"),
    ]


def test_an_end_that_is_before_the_last_byte_makes_no_byte_early() -> None:
    played = tape((10, b"a"), (15, b"b"), (20, b"c"), end=12)
    assert through(middleboxes.coalescer(100), played) == [(20, b"abc")]
