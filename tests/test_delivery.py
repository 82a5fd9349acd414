"""Deliveries: the same bytes in other chunks, at another speed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.vendor.pretty import pretty

from streamtape import Chunk, Delivery, Ending, Tape
from streamtape.delivery import contents, faults, rewrites

MS = 1_000_000
TAPE = Tape(
    (
        Chunk(10 * MS, b"data: a\n\nda"),
        Chunk(30 * MS, b"ta: b\n\n", late=True),
        Chunk(40 * MS, b""),
    ),
    Ending("eof", 50 * MS),
    framing="sse",
)


def pieces(tape: Tape) -> list[tuple[float, bytes]]:
    return [(chunk.at_ns / MS, chunk.data) for chunk in tape.chunks]


def test_a_delivery_as_recorded_is_the_tape_itself() -> None:
    assert TAPE.deliver(Delivery()) == TAPE


@pytest.mark.parametrize(
    ("cuts", "expected"),
    [
        ("whole", [(30, b"data: a\n\ndata: b\n\n")]),
        ("events", [(10, b"data: a\n\n"), (30, b"data: b\n\n")]),
        ((4,), [(10, b"data"), (30, b": a\n\ndata: b\n\n")]),
        ((0, 4), [(10, b""), (10, b"data"), (30, b": a\n\ndata: b\n\n")]),
        ((11,), [(10, b"data: a\n\nda"), (30, b"ta: b\n\n")]),
        ((12, 12), [(30, b"data: a\n\ndat"), (30, b""), (30, b"a: b\n\n")]),
        ((4, 999), [(10, b"data"), (30, b": a\n\ndata: b\n\n")]),  # past the end: ignored
        ((18,), [(30, b"data: a\n\ndata: b\n\n"), (30, b"")]),
    ],
)
def test_a_recut_chunk_arrives_when_its_last_byte_did(
    cuts: str | tuple[int, ...], expected: list[tuple[float, bytes]]
) -> None:
    assert pieces(TAPE.deliver(Delivery(cuts=cuts))) == expected


@given(
    st.lists(st.tuples(st.integers(0, 100), st.binary(max_size=5)), max_size=8),
    st.lists(st.integers(0, 40)),
)
def test_no_byte_is_ever_early_and_none_is_lost(
    gaps: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    at_ns = 0
    chunks = []
    for gap, data in gaps:
        at_ns += gap
        chunks.append(Chunk(at_ns, data))
    tape = Tape(tuple(chunks), Ending("eof", at_ns))
    recut = tape.deliver(Delivery(cuts=tuple(sorted(cuts))))
    assert recut.body == tape.body
    # The oracle: each byte with its own time.
    arrived = [chunk.at_ns for chunk in tape.chunks for _ in chunk.data]
    delivered = [chunk.at_ns for chunk in recut.chunks for _ in chunk.data]
    assert all(later >= earlier for earlier, later in zip(arrived, delivered, strict=True))
    ends = [sum(len(c.data) for c in recut.chunks[: n + 1]) for n in range(len(recut.chunks))]
    for chunk, end in zip(recut.chunks, ends, strict=True):
        if chunk.data:
            assert chunk.at_ns == arrived[end - 1]


def test_a_chunk_that_lay_waiting_still_says_so_when_it_is_cut() -> None:
    recut = TAPE.deliver(Delivery(cuts="bytes"))
    assert [chunk.late for chunk in recut.chunks] == [False] * 11 + [True] * 7


def test_a_factor_multiplies_the_speed() -> None:
    tape = TAPE.deliver(Delivery(pace=2.0))
    assert pieces(tape) == [(5, b"data: a\n\nda"), (15, b"ta: b\n\n"), (20, b"")]
    assert tape.ending == Ending("eof", 25 * MS)
    assert tape.head_ns == 0


@pytest.mark.parametrize(("pace", "waits"), [("instant", False), ("recorded", True), (0.5, True)])
def test_whether_a_player_waits(*, pace: str | float, waits: bool) -> None:
    assert Delivery(pace=pace).waits is waits


@pytest.mark.parametrize(
    "delivery", [Delivery(), Delivery(cuts=(1, 2)), Delivery(cuts="bytes", pace=2.0)]
)
def test_a_repr_evaluates_to_itself(delivery: Delivery) -> None:
    assert eval(repr(delivery)) == delivery


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cuts": "letters"}, "'recorded', 'whole', 'bytes', 'events'"),
        ({"pace": "fast"}, "'instant', 'recorded'"),
        ({"pace": 0}, "positive"),
        ({"pace": float("nan")}, "positive"),
    ],
)
def test_a_delivery_that_is_none(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Delivery(**options)  # type: ignore[arg-type]


def test_cuts_that_decrease_are_refused() -> None:
    with pytest.raises(ValueError, match="must not decrease"):
        TAPE.deliver(Delivery(cuts=(5, 3)))


def test_cuts_may_be_given_as_a_list() -> None:
    assert Delivery(cuts=[1, 2]).cuts == (1, 2)  # type: ignore[arg-type]


def test_rewrites_and_contents_may_be_given_as_lists() -> None:
    delivery = Delivery(rewrites=[rewrites.crlf()], contents=[contents.nul()])  # type: ignore[arg-type]
    assert delivery == Delivery(rewrites=(rewrites.crlf(),), contents=(contents.nul(),))
    assert hash(delivery)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rewrites": rewrites.crlf()}, r"stands alone: write a tuple, \(rewrites.crlf\(\),\)"),
        ({"rewrites": (contents.nul(),)}, "is none of streamtape.delivery.rewrites"),
        ({"contents": (rewrites.crlf(),)}, "is none of streamtape.delivery.contents"),
        ({"fault": rewrites.crlf()}, "is none of streamtape.delivery.faults"),
        ({"fault": "reset"}, "'reset' is none of streamtape.delivery.faults"),
    ],
)
def test_a_change_in_the_wrong_place_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Delivery(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("delivery", "keeps"),
    [
        (Delivery(), True),
        (Delivery(cuts="bytes", pace="recorded", rewrites=(rewrites.crlf(),)), True),
        (Delivery(contents=(contents.nul(),)), False),
        (Delivery(fault=faults.reset_after(1)), False),
    ],
)
def test_contents_and_faults_change_the_meaning(delivery: Delivery, *, keeps: bool) -> None:
    assert delivery.keeps_meaning is keeps


def test_only_the_first_attempt_is_what_a_delivery_hands_over() -> None:
    broken = faults.first_attempt(faults.reset_after(1))
    assert TAPE.deliver(Delivery(fault=broken)) == TAPE.deliver(
        Delivery(fault=faults.reset_after(1))
    )
    assert broken.apply(TAPE) == broken.attempts(TAPE)[0] != broken.attempts(TAPE)[1]


@pytest.mark.parametrize("value", [rewrites.comments(every=2), Delivery(cuts="bytes")])
def test_hypothesis_and_ipython_print_the_expression(value: object) -> None:
    assert pretty(value) == repr(value)
