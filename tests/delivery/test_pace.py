"""The same chunks at other times: factor, the longest gap, jitter; and what is refused."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtape import Chunk, Delivery, Ending, Tape
from streamtape.delivery import Pace

MS = 1_000_000
TAPE = Tape(
    (Chunk(10 * MS, b"a"), Chunk(5_010 * MS, b"b", late=True), Chunk(5_020 * MS, b"c")),
    Ending("eof", 9_020 * MS),
    head_ns=4 * MS,
)


def times(tape: Tape) -> list[float | None]:
    happenings = [tape.head_ns, *(chunk.at_ns for chunk in tape.chunks), tape.ending.at_ns]
    return [None if at_ns is None else at_ns / MS for at_ns in happenings]


def test_a_pace_as_recorded_changes_nothing() -> None:
    assert TAPE.deliver(Delivery(pace=Pace())) is TAPE
    assert TAPE.deliver(Delivery(pace="virtual")) is TAPE
    assert TAPE.deliver(Delivery(pace=Pace(virtual=True))) is TAPE


def test_a_factor_divides_every_time() -> None:
    assert times(TAPE.deliver(Delivery(pace=Pace(factor=2.0)))) == [2, 5, 2505, 2510, 4510]
    assert TAPE.deliver(Delivery(pace=2.0)) == TAPE.deliver(Delivery(pace=Pace(factor=2.0)))


def test_no_gap_is_longer_than_max_gap_and_the_others_stay() -> None:
    paced = TAPE.deliver(Delivery(pace=Pace(max_gap=1.0)))
    assert times(paced) == [4, 10, 1010, 1020, 2020]
    assert [chunk.late for chunk in paced.chunks] == [False, True, False]


def test_max_gap_is_seconds_of_the_player_after_the_factor() -> None:
    assert times(TAPE.deliver(Delivery(pace=Pace(2.0, max_gap=1.0)))) == [2, 5, 1005, 1010, 2010]


def test_a_tape_without_a_head_keeps_none() -> None:
    broken = Tape((), Ending("error", 700 * MS, "connect"), status=599, head_ns=None)
    assert times(broken.deliver(Delivery(pace=Pace(max_gap=0.5)))) == [None, 500]


@given(
    st.lists(st.integers(0, 3_000 * MS), min_size=1, max_size=30),
    st.floats(0.001, 2.0),
    st.integers(0, 9),
)
def test_jitter_delays_within_its_bound_never_reorders_and_comes_again_with_its_seed(
    gaps: list[int], jitter: float, seed: int
) -> None:
    at_ns = 0
    chunks = []
    for gap in gaps:
        at_ns += gap
        chunks.append(Chunk(at_ns, b"x"))
    tape = Tape(tuple(chunks), Ending("eof", at_ns))
    delivery = Delivery(pace=Pace(jitter=jitter, seed=seed))
    delivered = tape.deliver(delivery)
    delays = [new.at_ns - old.at_ns for new, old in zip(delivered.chunks, chunks, strict=True)]
    assert all(0 <= delay <= round(jitter * 1e9) for delay in delays)
    assert all(one.at_ns <= next_.at_ns for one, next_ in pairwise(delivered.chunks))
    assert delivered.ending.at_ns >= delivered.chunks[-1].at_ns
    assert tape.deliver(delivery) == delivered


def test_another_seed_gives_other_delays() -> None:
    one, other = (TAPE.deliver(Delivery(pace=Pace(jitter=0.1, seed=seed))) for seed in (1, 2))
    assert times(one) != times(other)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"factor": True}, "pace must be a positive number, not True"),
        ({"factor": 0.0}, "pace must be a positive number, not 0.0"),
        ({"factor": float("inf")}, "pace must be a positive number, not inf"),
        ({"factor": float("nan")}, "pace must be a positive number, not nan"),
        ({"max_gap": -1.0}, "max_gap must be seconds, 0 or more, or None, not -1.0"),
        ({"max_gap": float("nan")}, "max_gap must be seconds, 0 or more, or None, not nan"),
        ({"jitter": -0.1}, "jitter must be seconds, 0 or more, not -0.1"),
        ({"jitter": float("inf")}, "jitter must be seconds, 0 or more, not inf"),
    ],
)
def test_a_pace_that_means_nothing_is_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Pace(**wrong)


def test_only_what_was_given_is_printed() -> None:
    assert repr(Pace()) == "Pace()"
    assert repr(Pace(2.0, max_gap=1.0)) == "Pace(factor=2.0, max_gap=1.0)"
    assert repr(Delivery(pace=Pace(jitter=0.5, seed=7))) == (
        "Delivery(pace=Pace(jitter=0.5, seed=7))"
    )


def test_a_delay_is_at_most_the_jitter_and_may_be_all_of_it_or_none() -> None:
    """One nanosecond of jitter leaves two times to draw from."""
    tape = Tape((Chunk(0, b"a"),), Ending("eof", 0), head_ns=None)
    drawn = {
        tape.deliver(Delivery(pace=Pace(jitter=1e-9, seed=seed))).chunks[0].at_ns
        for seed in range(20)
    }
    assert drawn == {0, 1}


def test_words_and_values_that_insist_on_a_virtual_clock() -> None:
    assert Delivery(pace="virtual").virtual
    assert Delivery(pace=Pace(max_gap=1.0, virtual=True)).virtual
    assert not Delivery(pace="recorded").virtual
    assert not Delivery(pace=Pace(max_gap=1.0)).virtual
    assert Delivery(pace="virtual").waits
