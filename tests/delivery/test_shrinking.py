"""Failing deliveries made simple: what is left, and how many tries it took."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtape import Delivery, Tape, seams
from streamtape.delivery import middleboxes
from streamtape.delivery.change import Content, Fault, Rewrite
from streamtape.delivery.shrinking import ddmin, shrunk
from tests.streams import anthropic_messages, gemini, openai_chat

CHAT = Tape.of(b"".join(openai_chat()))
CRLF = Tape.of(b"".join(gemini()))
SHORT = Tape.of("data: é\n\ndata: b\n\n".encode())


def _commented(tape: Tape, text: str = "ping") -> Tape:
    return Tape.of(f": {text}\n\n".encode() + tape.body)


def _capital(tape: Tape) -> Tape:
    return Tape.of(tape.body.upper())


def _shortened(tape: Tape) -> Tape:
    return tape.with_chunks(tape.chunks[:-1])


COMMENT = Rewrite("comment", (), "a comment in front", _commented)
ANOTHER = Rewrite("comment", (("text", "x"),), "another comment in front", _commented)
NOTHING = Rewrite("nothing", (), "nothing changes", lambda tape: tape)
CAPITALS = Content("capitals", (), "all in capital letters", _capital)
END_MISSING = Fault(
    "end_missing", (), "the end is missing", _shortened, judge=lambda *_: frozenset({"raises"})
)


class Client:
    """Fails where one of the chunks that it gets is in its way, and counts how often it is run."""

    def __init__(self, tapes: Sequence[Tape], fails: Callable[[list[bytes]], bool]) -> None:
        self.tapes = tapes
        self.runs: list[Delivery] = []
        self._fails = fails

    def __call__(self, delivery: Delivery) -> bool:
        self.runs.append(delivery)
        return any(
            self._fails([chunk.data for chunk in tape.deliver(delivery).chunks])
            for tape in self.tapes
        )

    def shrunk(self, delivery: Delivery, budget: int = 200) -> Delivery:
        assert self(delivery)
        self.runs.clear()
        result = shrunk(delivery, self.tapes, self, budget)
        assert len(self.runs) == len(set(self.runs)) <= budget
        assert Delivery() not in self.runs
        assert result == delivery or self(result)
        return result


def ends_inside_a_character(chunks: list[bytes]) -> bool:
    try:
        for chunk in chunks:
            chunk.decode()
    except UnicodeDecodeError:
        return True
    return False


def ends_inside_crlf(chunks: list[bytes]) -> bool:
    return any(
        first.endswith(b"\r") and second.startswith(b"\n") for first, second in pairwise(chunks)
    )


def first_of(kind: str, tape: Tape) -> int:
    return next(offset for offset, found in seams(tape.body) if found == kind)


@pytest.mark.parametrize("cuts", ["bytes", "scattered", "last"])
@pytest.mark.parametrize(
    ("tape", "fails", "kind"),
    [
        (CHAT, ends_inside_a_character, "utf-8"),
        (CRLF, ends_inside_crlf, "crlf"),
    ],
)
def test_one_cut_at_the_first_seam_of_its_kind_is_left(
    tape: Tape, fails: Callable[[list[bytes]], bool], kind: str, cuts: str
) -> None:
    last = [offset for offset, found in seams(tape.body) if found == kind][-1]
    offsets: dict[str, str | tuple[int, ...]] = {
        "bytes": "bytes",
        "scattered": tuple(sorted({*range(0, len(tape.body), 7), last})),
        "last": (last,),
    }
    client = Client([tape], fails)
    assert client.shrunk(Delivery(cuts=offsets[cuts])) == Delivery(cuts=(first_of(kind, tape),))
    assert len(client.runs) <= 30


def test_a_cut_that_is_no_seam_is_found_among_thousands() -> None:
    """And costs about twice the logarithm of their number, beside the tries at seams."""
    offset = next(n for n in range(1_500, 3_000) if n not in dict(seams(CHAT.body)))
    client = Client([CHAT], lambda chunks: offset in accumulate(map(len, chunks)))
    assert client.shrunk(Delivery(cuts="bytes")) == Delivery(cuts=(offset,))
    assert len(client.runs) <= 80


def test_a_cut_moves_to_a_simpler_seam_that_does_too() -> None:
    """Any cut hurts; the one that was drawn is no seam."""
    client = Client([CHAT], lambda chunks: len(chunks) > 1)
    plain = next(n for n in range(1_500, 3_000) if n not in dict(seams(CHAT.body)))
    best = Delivery(cuts=(first_of("utf-8", CHAT),))
    assert client.shrunk(Delivery(cuts=(plain,))) == best
    assert client.shrunk(Delivery(cuts=(plain, plain + 1, plain + 1))) == best


def test_a_recorded_cut_is_not_taken_for_the_cause() -> None:
    """As recorded all is well, so more than one chunk can't be what hurts."""
    client = Client([CHAT], lambda chunks: any(len(chunk) == 1 for chunk in chunks))
    result = client.shrunk(Delivery(cuts="bytes"))
    assert not isinstance(result.cuts, str)
    assert len(result.cuts) in (1, 2)


def test_two_cuts_that_are_needed_are_both_left() -> None:
    """It takes the line feed of a CRLF in a chunk of its own."""
    client = Client([CRLF], lambda chunks: b"\n" in chunks)
    result = client.shrunk(Delivery(cuts="bytes"))
    assert result.cuts == (len(CRLF.body) - 1,)  # the last byte needs one cut only

    client = Client([CRLF], lambda chunks: b"\n" in chunks[:-1])
    result = client.shrunk(Delivery(cuts="bytes"))
    assert isinstance(result.cuts, tuple)
    assert len(result.cuts) == 2
    assert CRLF.body[result.cuts[0] : result.cuts[1]] == b"\n"


def test_two_cuts_far_apart_are_both_left_and_nothing_else() -> None:
    needed = (first_of("utf-8", CHAT), len(CHAT.body) - 20)
    client = Client([CHAT], lambda chunks: set(needed) <= set(accumulate(map(len, chunks))))
    assert client.shrunk(Delivery(cuts="bytes"), budget=300).cuts == needed


@given(st.sets(st.integers(1, 17), min_size=1, max_size=4), st.sets(st.integers(0, 18)))
@settings(deadline=None)
def test_what_is_needed_is_what_is_left(needed: set[int], beside: set[int]) -> None:
    client = Client([SHORT], lambda chunks: needed <= set(accumulate(map(len, chunks))))
    delivery = Delivery(cuts=tuple(sorted(needed | beside)))
    assert client.shrunk(delivery, budget=10_000).cuts == tuple(sorted(needed))


def test_an_empty_chunk_at_the_start_stands_for_all() -> None:
    client = Client([CHAT], lambda chunks: b"" in chunks)
    assert client.shrunk(Delivery(cuts=(50, 700, 700, 900))).cuts == (0,)


def test_an_empty_chunk_between_others_goes_to_a_seam_as_a_whole() -> None:
    client = Client([CHAT], lambda chunks: b"" in chunks[1:-1])
    at = first_of("utf-8", CHAT)
    assert client.shrunk(Delivery(cuts=(50, 700, 700, 900))).cuts == (at, at)


def test_a_failure_of_one_chunk_stays_whole() -> None:
    client = Client([CHAT], lambda chunks: len(chunks) == 1)
    assert client.shrunk(Delivery(cuts="whole")) == Delivery(cuts="whole")
    assert client.runs == []


def test_cuts_that_do_no_harm_go() -> None:
    """Two events in one chunk: nothing has to be cut for that."""
    client = Client([CHAT], lambda chunks: any(chunk.count(b"\n\n") > 1 for chunk in chunks))
    assert client.shrunk(Delivery(cuts=(5, 700))) == Delivery(cuts="whole")


@pytest.mark.parametrize("word", ["bytes", "events"])
def test_a_failure_that_needs_every_cut_keeps_its_word(word: str) -> None:
    most = len(CHAT.deliver(Delivery(cuts=word)).chunks)
    client = Client([CHAT], lambda chunks: len(chunks) >= most)
    assert client.shrunk(Delivery(cuts=word), budget=40) == Delivery(cuts=word)


def test_events_are_shrunk_to_the_one_that_hurts() -> None:
    recorded = Tape.of(CHAT.body, cuts="whole")
    end = CHAT.body.index(b"data:", 10)
    client = Client([recorded], lambda chunks: end in accumulate(map(len, chunks)))
    assert client.shrunk(Delivery(cuts="events")) == Delivery(cuts=(end,))


def test_events_of_several_tapes_keep_their_word_where_offsets_do_other_harm() -> None:
    """Offsets cut every tape, so they can't say "where its events end"."""
    tapes = [Tape.of(each.body, cuts="whole") for each in (CHAT, CRLF)]

    def fails(delivery: Delivery) -> bool:
        return all(
            len(tape.deliver(delivery).chunks) == events
            for tape, events in zip(tapes, (len(CHAT.chunks), len(CRLF.chunks)), strict=True)
        )

    delivery = Delivery(cuts="events")
    assert fails(delivery)
    assert shrunk(delivery, tapes, fails, 100) == delivery


def test_what_a_middlebox_does_is_shrunk_to_the_cut_that_hurts() -> None:
    inside = first_of("utf-8", CHAT)
    client = Client([CHAT], ends_inside_a_character)
    box = Delivery(middleboxes.nginx(size=inside), rewrites=(NOTHING,))
    assert client.shrunk(box) == Delivery(cuts=(inside,))


def test_a_middlebox_stays_where_its_time_is_to_blame() -> None:
    slow = Tape.of(CHAT.body, gap_ms=10)
    burst = Delivery(middleboxes.burst(), pace="recorded")

    def fails(delivery: Delivery) -> bool:
        told = slow.deliver(delivery)
        return delivery.waits and told.chunks[0].at_ns == told.ending.at_ns

    assert fails(burst)
    assert shrunk(burst, [slow], fails, 100) in (burst, Delivery("whole", "recorded"))


def test_seams_of_any_of_the_tapes_will_do() -> None:
    client = Client([SHORT, CRLF], ends_inside_crlf)
    assert client.shrunk(Delivery(cuts="bytes")).cuts == (first_of("crlf", CRLF),)


def test_time_contents_and_rewrites_go_where_the_cut_alone_does_it() -> None:
    client = Client([CHAT], ends_inside_a_character)
    delivery = Delivery("bytes", 2.0, (NOTHING, COMMENT), (CAPITALS,))
    assert client.shrunk(delivery) == Delivery(cuts=(first_of("utf-8", CHAT),))


def test_offsets_in_a_rewritten_body_do_not_keep_the_rewrite() -> None:
    """What a cut hits is elsewhere without the rewrite, so all cuts are tried."""
    inside = first_of("utf-8", CHAT) + len(b": ping\n\n")
    client = Client([CHAT], ends_inside_a_character)
    delivery = Delivery(cuts=(inside,), rewrites=(COMMENT,))
    assert client.shrunk(delivery) == Delivery(cuts=(first_of("utf-8", CHAT),))


def test_cuts_go_where_a_rewrite_alone_does_it() -> None:
    client = Client([CHAT], lambda chunks: b"".join(chunks).startswith(b":"))
    delivery = Delivery((1, 3, 77), rewrites=(NOTHING, ANOTHER, NOTHING))
    assert client.shrunk(delivery) == Delivery(rewrites=(ANOTHER,))


def test_a_rewrite_and_a_cut_in_what_it_wrote_are_both_left() -> None:
    client = Client([CHAT], lambda chunks: len(chunks) > 1 and chunks[0] in (b":", b": p"))
    delivery = Delivery((3, 500), rewrites=(NOTHING, COMMENT))
    result = client.shrunk(delivery)
    assert result.rewrites == (COMMENT,)
    assert result.cuts in ((1,), (3,))


def test_a_content_that_is_needed_stays() -> None:
    client = Client([CHAT], lambda chunks: b"DATA" in b"".join(chunks))
    delivery = Delivery("bytes", contents=(CAPITALS, CAPITALS), rewrites=(COMMENT,))
    assert client.shrunk(delivery) == Delivery(contents=(CAPITALS,))


def test_a_fault_is_kept_and_the_rest_goes() -> None:
    client = Client([CHAT], lambda chunks: b"[DONE]" not in b"".join(chunks))
    delivery = Delivery("events", "recorded", (COMMENT,), (), END_MISSING)
    assert client.shrunk(delivery) == Delivery(fault=END_MISSING)


def test_time_stays_where_it_matters() -> None:
    slow = Tape.of(CHAT.body, gap_ms=10)

    def fails(delivery: Delivery) -> bool:
        return delivery.waits

    assert shrunk(Delivery("bytes", 3.0), [slow], fails, 50) == Delivery(pace=3.0)


@pytest.mark.parametrize("budget", [0, 1, 2, 5, 17])
def test_a_budget_is_kept_and_the_result_was_seen_failing(budget: int) -> None:
    runs: list[Delivery] = []

    def fails(delivery: Delivery) -> bool:
        runs.append(delivery)
        return CHAT.deliver(delivery).chunks[0].data == CHAT.body[:1234]

    delivery = Delivery(cuts=(1234, 2000, 2100), rewrites=(NOTHING,), pace=2.0)
    result = shrunk(delivery, [CHAT], fails, budget)
    assert len(runs) <= budget
    assert result == delivery or (result in runs and fails(result))


@pytest.mark.parametrize("seed", range(40))
def test_a_client_that_fails_only_now_and_then(seed: int) -> None:
    """Tried no more often for that, and what comes out was seen to fail."""
    dice = random.Random(seed)
    seen: dict[Delivery, bool] = {}
    delivery = Delivery("bytes", 2.0, (NOTHING, COMMENT))

    def fails(tried: Delivery) -> bool:
        assert tried not in seen
        seen[tried] = dice.random() < 0.3
        return seen[tried]

    result = shrunk(delivery, [SHORT, CRLF], fails, 60)
    assert len(seen) <= 60
    assert result == delivery or seen[result]


def test_a_huge_body_is_no_reason_to_go_on_without_tries() -> None:
    """The work between two tries is linear, and ends with the last one."""
    tape = Tape.of(b"".join(anthropic_messages()) * 40)
    client = Client([tape], lambda chunks: len(chunks) == len(tape.body))
    assert client.shrunk(Delivery(cuts="bytes"), 60) == Delivery(cuts="bytes")
    assert len(client.runs) == 60


def test_an_error_in_the_client_is_the_caller_s() -> None:
    def interrupted(chunks: list[bytes]) -> bool:
        raise KeyboardInterrupt(chunks)

    with pytest.raises(KeyboardInterrupt):
        shrunk(Delivery(cuts="bytes"), [SHORT], Client([SHORT], interrupted), 10)


@pytest.mark.parametrize("tapes", [[], [Tape.of(b"")]])
def test_nothing_to_cut(tapes: list[Tape]) -> None:
    for delivery in (Delivery(cuts="bytes"), Delivery(cuts=(3, 3)), Delivery(cuts="events")):
        assert shrunk(delivery, tapes, lambda tried: not tried, 10) == delivery  # never fails
        assert shrunk(delivery, tapes, bool, 10) == Delivery(cuts="whole")  # always fails


def test_as_recorded_is_as_simple_as_it_gets() -> None:
    assert shrunk(Delivery(), [SHORT], bool, 10) == Delivery()


@given(st.lists(st.integers(0, 9), max_size=30), st.sets(st.integers(0, 9), max_size=3))
def test_ddmin_leaves_one_of_each_that_is_needed(items: list[int], needed: set[int]) -> None:
    needed &= set(items)

    def fails(some: Sequence[int]) -> bool:
        return needed <= set(some)

    assert sorted(ddmin(items, fails)) == sorted(needed)


@given(st.sets(st.integers(0, 40), min_size=1), st.data())
def test_nothing_that_ddmin_leaves_can_be_left_out_alone(
    items: set[int], data: st.DataObject
) -> None:
    """For any predicate: one that says what it said before, and is true for all."""
    said: dict[tuple[int, ...], bool] = {tuple(sorted(items)): True}

    def fails(some: Sequence[int]) -> bool:
        key = tuple(sorted(some))
        return said[key] if key in said else said.setdefault(key, data.draw(st.booleans()))

    left = ddmin(sorted(items), fails)
    assert said[tuple(left)]
    for n in range(len(left)):
        assert not said[(*left[:n], *left[n + 1 :])]


def test_a_cut_behind_the_first_byte_is_found() -> None:
    tape = Tape.of(b"data: a\n\n")

    def fails(delivery: Delivery) -> bool:
        return len(tape.deliver(delivery).chunks[0].data) == 1

    assert shrunk(Delivery(cuts="bytes"), [tape], fails, 50) == Delivery(cuts=(1,))


def test_a_cut_never_moves_to_a_seam_that_is_less_simple() -> None:
    tape = Tape.of("data: €\n\n".encode())
    assert dict(seams(tape.body))[8] == "utf-8"
    assert dict(seams(tape.body))[9] == "line end"

    def fails(delivery: Delivery) -> bool:
        return delivery.cuts in {(8,), (9,)}

    assert shrunk(Delivery(cuts=(8,)), [tape], fails, 50) == Delivery(cuts=(8,))
