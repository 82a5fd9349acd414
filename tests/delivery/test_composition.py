"""Deliveries as a whole: what each part may change, in which order, and that they are values."""

from __future__ import annotations

import pickle
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtape import Chunk, Delivery, Ending, Tape, strategies
from streamtape.delivery import Middlebox, Pace, contents, faults, middleboxes, rewrites
from streamtape.delivery.expression import parse
from streamtape.delivery.order import systematic, told_anew
from tests.streams import STREAMS, anthropic_messages, ollama, openai_chat

MS = 1_000_000
TAPES = {
    name: Tape.of(b"".join(stream()), content_type=content_type, gap_ms=10)
    for name, (stream, content_type) in STREAMS.items()
}
CHAT = TAPES["openai_chat"]

PACES: st.SearchStrategy[str | float | Pace] = st.one_of(
    st.sampled_from(["instant", "recorded", "virtual"]),
    st.floats(0.01, 100.0),
    st.builds(
        Pace,
        factor=st.floats(0.01, 100.0),
        max_gap=st.none() | st.floats(0.0, 10.0),
        jitter=st.floats(0.0, 0.1),
        seed=st.integers(0, 9),
        virtual=st.booleans(),
    ),
)
BOXES: st.SearchStrategy[Middlebox] = st.one_of(
    st.builds(middleboxes.nginx, size=st.integers(1, 10_000)),
    st.builds(middleboxes.gzip_window),
    st.builds(middleboxes.coalescer, ms=st.floats(0.0, 100.0)),
    st.just(middleboxes.burst()),
)
WORDS = st.sampled_from(["recorded", "whole", "bytes", "events"])

some = settings(max_examples=25, deadline=None)


@st.composite
def anything(draw: st.DrawFn) -> tuple[Tape, Delivery]:
    """A tape and a delivery with any of its parts."""
    tape = draw(st.sampled_from([*TAPES.values()]))
    plain = draw(strategies.deliveries(tape, rewrites="text", contents=True, faults=True))
    cuts = draw(st.just(plain.cuts) | WORDS | BOXES)
    return tape, Delivery(cuts, draw(PACES), plain.rewrites, plain.contents, plain.fault)


@st.composite
def timed_tapes(draw: st.DrawFn) -> Tape:
    """Any event stream in any chunks at any times."""
    body = draw(strategies.streams()).body
    offsets = draw(strategies.cuts(body))
    at_ns = 0
    chunks = []
    for start, end in pairwise((0, *offsets, len(body))):
        at_ns += draw(st.integers(0, 50 * MS))
        chunks.append(Chunk(at_ns, body[start:end], draw(st.booleans())))
    return Tape(tuple(chunks), Ending("eof", at_ns + draw(st.integers(0, MS))), framing="sse")


def arrivals(tape: Tape) -> list[int]:
    """When each byte arrived."""
    return [chunk.at_ns for chunk in tape.chunks for _ in chunk.data]


# Values


@given(anything())
@some
def test_a_repr_is_read_back_as_an_equal_delivery(case: tuple[Tape, Delivery]) -> None:
    tape, delivery = case
    again = parse(repr(delivery))
    assert again == delivery
    assert hash(again) == hash(delivery)
    assert repr(again) == repr(delivery)
    assert again.attempts(tape) == delivery.attempts(tape)


@pytest.mark.parametrize("name", TAPES)
def test_every_change_that_is_worth_trying_is_read_back(name: str) -> None:
    tape = TAPES[name]
    changed = [
        *(Delivery(rewrites=(each,)) for each in rewrites.every(tape, "text")),
        *(Delivery(contents=(each,)) for each in contents.every(tape)),
        *(Delivery(fault=each) for each in faults.every(tape)),
        *systematic([tape]),
    ]
    assert [parse(repr(delivery)) for delivery in changed] == changed


@given(anything())
@some
def test_delivering_changes_nothing_but_what_comes_out(case: tuple[Tape, Delivery]) -> None:
    tape, delivery = case
    before = pickle.dumps(tape)
    first = delivery.attempts(tape)
    assert pickle.loads(before) == tape
    assert delivery.attempts(pickle.loads(before)) == first
    assert tape.deliver(delivery) == first[0]


# Order


@given(anything())
@some
def test_contents_come_first_then_rewrites_cuts_pace_and_the_fault(
    case: tuple[Tape, Delivery],
) -> None:
    tape, delivery = case
    step = tape
    for content in delivery.contents:
        step = content.apply(step)
    for rewrite in delivery.rewrites:
        step = rewrite.apply(step)
    step = step.deliver(Delivery(cuts=delivery.cuts))
    step = step.deliver(Delivery(pace=delivery.pace))
    attempts = (step,) if delivery.fault is None else delivery.fault.attempts(step)
    assert delivery.attempts(tape) == attempts


def test_contents_are_rewritten() -> None:
    """The other way round, the new text would stand raw."""
    both = Delivery(contents=(contents.four_bytes(),), rewrites=(rewrites.json_escapes(),))
    assert CHAT.deliver(both).body.isascii()
    assert not CHAT.deliver(Delivery(contents=(contents.four_bytes(),))).body.isascii()


def test_cuts_are_offsets_in_the_rewritten_body() -> None:
    told = CHAT.deliver(Delivery((3, 6), rewrites=(rewrites.bom(),)))
    assert [chunk.data for chunk in told.chunks][:2] == [b"\xef\xbb\xbf", b"dat"]


def test_a_fault_strikes_what_would_have_been_delivered() -> None:
    """What came before it is cut as it would have been."""
    whole = CHAT.deliver(Delivery((3, 9)))
    broken = CHAT.deliver(Delivery((3, 9), fault=faults.reset_after(2)))
    assert [chunk.data for chunk in broken.chunks][:2] == [chunk.data for chunk in whole.chunks][:2]
    assert whole.body.startswith(broken.body)
    assert broken.ending.kind == "error"
    assert broken.body.count(b"\n\n") == 2


def test_a_stall_is_as_long_as_it_says_whatever_the_pace() -> None:
    """The fault comes after the pace."""
    stalled = CHAT.deliver(Delivery(pace=10.0, fault=faults.stall(2, seconds=7.0)))
    times = [chunk.at_ns for chunk in stalled.chunks]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert max(gaps) >= 7_000 * MS
    assert sum(gap < 10 * MS for gap in gaps) == len(gaps) - 1


# Time


@given(timed_tapes(), st.data())
@settings(max_examples=40, deadline=None)
def test_no_byte_is_ever_early_and_none_is_lost_under_other_cuts(
    tape: Tape, data: st.DataObject
) -> None:
    cuts = data.draw(strategies.cuts(tape.body) | WORDS | BOXES)
    told = tape.deliver(Delivery(cuts))
    assert told.body == tape.body
    assert told.ending == tape.ending
    recorded, delivered = arrivals(tape), arrivals(told)
    assert all(late >= early for early, late in zip(recorded, delivered, strict=True))
    assert delivered == sorted(delivered)
    assert all(at_ns <= tape.ending.at_ns for at_ns in delivered)


@given(timed_tapes(), st.data())
@settings(max_examples=40, deadline=None)
def test_a_chunk_arrives_when_its_last_byte_did(tape: Tape, data: st.DataObject) -> None:
    told = tape.deliver(Delivery(data.draw(strategies.cuts(tape.body))))
    recorded = arrivals(tape)
    ends = accumulate(len(chunk.data) for chunk in told.chunks)
    for chunk, end in zip(told.chunks, ends, strict=True):
        if chunk.data:
            assert chunk.at_ns == recorded[end - 1]


@given(anything())
@some
def test_no_event_is_early_whatever_it_is_rewritten_to(case: tuple[Tape, Delivery]) -> None:
    """An event is the same in all wire forms, and known when it was known, or later."""
    tape, delivery = case
    wire = tuple(rewrite for rewrite in delivery.rewrites if rewrite.level == "wire")
    told = tape.deliver(Delivery(delivery.cuts, rewrites=wire))
    recorded, delivered = tape.events(), told.events()
    named = [(event.type, event.data) for _, event in recorded]
    assert [(event.type, event.data) for _, event in delivered] == named
    assert all(late >= early for (early, _), (late, _) in zip(recorded, delivered, strict=True))


@given(anything())
@some
def test_pace_and_cuts_leave_the_body_alone(case: tuple[Tape, Delivery]) -> None:
    tape, delivery = case
    told = tape.deliver(
        Delivery(delivery.cuts, delivery.pace, delivery.rewrites, delivery.contents)
    )
    assert told.body == told_anew(tape, delivery).body
    times = [chunk.at_ns for chunk in told.chunks]
    assert times == sorted(times)
    assert all(time <= told.ending.at_ns for time in times)


@pytest.mark.parametrize("events", [anthropic_messages, ollama, openai_chat])
def test_every_systematic_delivery_keeps_the_bytes(events: object) -> None:
    assert callable(events)
    tape = Tape.of(b"".join(events()))
    for delivery in systematic([tape]):
        assert tape.deliver(delivery).body == tape.body
