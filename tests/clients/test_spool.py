"""A spool gives what the list gives that it stands for, wherever its chunks lie."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtape.clients.spool import Spool
from streamtape.clients.take import Reads, Take
from streamtape.tape import Request

READS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.binary(max_size=9)))


@given(READS, st.integers(0, 40), st.integers(0, 12))
def test_it_reads_as_a_list(reads: list[tuple[int, int, bytes]], in_memory: int, kept: int) -> None:
    plain: list[Any] = []
    spool = Spool(most=1000, in_memory=in_memory)
    for number, read in enumerate(reads):
        plain.extend(read)
        spool.extend(read)
        if number % 3 == 0:  # a look between two reads changes nothing
            assert spool[-3:] == plain[-3:]
    assert len(spool) == len(plain)
    assert spool[:None] == plain
    assert spool[: 3 * kept] == plain[: 3 * kept]
    assert spool.lost == ""
    spool.clear()
    assert (len(spool), spool[-3:], spool[:]) == (0, [], [])


@pytest.mark.parametrize("in_memory", [4, 1000])
def test_a_take_makes_the_same_tape_of_it(in_memory: int) -> None:
    takes = []
    both: tuple[Reads, ...] = ([], Spool(most=1000, in_memory=in_memory))
    for reads in both:
        ticks = iter(range(0, 10_000, 7))
        clock = ticks.__next__
        take = Take(Request("GET", "http://x.test/"), 1, lambda _: None, clock=clock)
        take.reads = reads
        take.start()
        take.head(200, "OK", [("content-type", "text/event-stream")], "HTTP/1.1")
        for data in (b"data: caf\xc3", b"", b"\xa9\n\n", b"data: [DONE]\n\n"):
            take.reads.extend((next(ticks), next(ticks), data))
        take.finish("eof", asked=next(ticks))
        take.reads.extend((0, 0, b"after the end"))
        takes.append(take.tape())
    assert takes[0] == takes[1]
    assert takes[0].body == b"data: caf\xc3\xa9\n\ndata: [DONE]\n\n"


def test_too_long_a_body_is_dropped_for_good() -> None:
    spool = Spool(most=10)
    spool.extend((0, 0, b"x" * 10))
    assert len(spool) == 3
    spool.extend((0, 0, b"y"))
    spool.extend((0, 0, b""))
    assert spool.lost == "the body is longer than 10 bytes"
    assert len(spool) == 0
