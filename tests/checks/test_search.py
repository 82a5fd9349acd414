"""The engine of the checks: what it tries, how it names what it finds, when it stops."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamtape import Delivery, Tape, strategies
from streamtape.checks.cut_kinds import kinds_of, name_of
from streamtape.checks.drawing import drawn
from streamtape.checks.failures import Failure, Findings
from streamtape.checks.search import (
    MAX_BYTEWISE,
    MAX_DELIVERIES,
    Search,
    bounded,
    in_order,
    key_of,
)
from streamtape.delivery import contents, middleboxes, rewrites
from streamtape.delivery.order import systematic
from tests.wire.test_eventstream import wire

BODY = 'data: {"text":"caf\u00e9"}\r\n\r\ndata: {"text":"\U0001f469"}\r\n\r\n'.encode()
TAPE = Tape.of(BODY)
Judge = Callable[[Delivery], Failure | None]


def judged_by(
    fails: Callable[[list[bytes]], object], tape: Tape = TAPE, *, kind: str = ""
) -> tuple[Search, Findings]:
    """A search for deliveries whose chunks *fails* says yes to."""
    findings = Findings()

    def judge(delivery: Delivery) -> Failure | None:
        chunks = [chunk.data for chunk in delivery.apply(tape).chunks]
        return Failure(kind, delivery, "right", "wrong") if fails(chunks) else None

    return Search([tape], judge, findings), findings


def cuts_a_character(chunks: Iterable[bytes]) -> bool:
    return any(b"\x80" <= chunk[:1] < b"\xc0" for chunk in chunks)


def cuts_a_crlf(chunks: Iterable[bytes]) -> bool:
    return any(chunk.startswith(b"\n") for chunk in chunks)


def test_what_fails_is_shrunk_named_and_counted() -> None:
    search, findings = judged_by(cuts_a_character)
    search.try_systematic()
    (failure,) = findings.failures.values()
    assert failure.kind == "chunk-boundary/utf8-split"
    assert failure.delivery == Delivery(cuts=(BODY.index(b"\xa9"),))
    assert failure.examples == 1
    assert failure.sentence
    # Shrinking is not counted: these are the deliveries that were tried.
    assert findings.examples == len(list(systematic([TAPE])))


def test_two_causes_are_two_failures() -> None:
    search, findings = judged_by(lambda chunks: cuts_a_character(chunks) or cuts_a_crlf(chunks))
    search.try_systematic()
    assert set(findings.failures) == {"chunk-boundary/utf8-split", "chunk-boundary/crlf-split"}


def test_who_fails_at_every_cut_in_a_line_fails_by_that() -> None:
    lines = ("\n", "\r", "")
    search, findings = judged_by(
        lambda chunks: any(c[-1:].decode("latin-1") not in lines for c in chunks)
    )
    search.try_systematic()
    assert set(findings.failures) == {"chunk-boundary/line-split"}


def test_who_can_not_tell_events_apart_fails_by_that() -> None:
    search, findings = judged_by(lambda chunks: any(c.count(b"data") > 1 for c in chunks))
    search.try_systematic()
    assert {kind: f.delivery for kind, f in findings.failures.items()} == {
        "chunk-boundary/events-merged": Delivery(cuts="whole")
    }


def test_a_kind_that_the_judge_gives_is_kept() -> None:
    search, findings = judged_by(cuts_a_character, kind="hang")
    search.try_systematic()
    (failure,) = findings.failures.values()
    assert (failure.kind, failure.delivery.cuts) == ("hang", (BODY.index(b"\xa9"),))


def test_a_rewrite_is_named_and_explains_those_that_need_as_much() -> None:
    tape = Tape.of(BODY.replace(b"\r\n", b"\n"))
    search, findings = judged_by(lambda chunks: b"\r" in b"".join(chunks), tape)
    search.try_each(in_order([tape], level="wire"))
    assert set(findings.failures) == {"rewrite/crlf", "rewrite/cr"}
    assert findings.failures["rewrite/crlf"].delivery == Delivery(rewrites=(rewrites.crlf(),))


def test_a_middlebox_is_tried_as_the_cuts_that_it_makes() -> None:
    search, findings = judged_by(cuts_a_character)
    search.try_each([Delivery(cuts=middleboxes.nginx(size=BODY.index(b"\xa9")))])
    assert set(findings.failures) == {"chunk-boundary/utf8-split"}


def test_what_fails_only_once_is_unstable() -> None:
    answers = iter([True])
    search, findings = judged_by(lambda chunks: next(answers, False))  # noqa: ARG005 - by turns
    search.try_each([Delivery(cuts="bytes")])
    (failure,) = findings.failures.values()
    assert (failure.kind, failure.delivery) == ("unstable", Delivery(cuts="bytes"))


def test_what_fails_without_any_change_fails_as_recorded() -> None:
    search, findings = judged_by(lambda chunks: True)  # noqa: ARG005 - always
    search.try_each([Delivery()])
    assert set(findings.failures) == {"as-recorded"}


def test_what_hypothesis_draws_is_found_shrunk_and_counted_to_the_first() -> None:
    def two_cuts(chunks: list[bytes]) -> bool:
        return len(chunks) > 2 and chunks[1] == b"data"

    search, findings = judged_by(two_cuts)
    with_cuts = st.just(Delivery(cuts=(0, 4, 9, 12))) | strategies.deliveries(TAPE, rewrites=False)
    search.try_random(with_cuts, key="a test")
    (failure,) = findings.failures.values()
    assert failure.delivery == Delivery(cuts=(0, 4))
    assert failure.examples <= findings.examples <= 100


def test_what_is_flaky_under_hypothesis_is_unstable() -> None:
    answers = iter([False, True])
    search, findings = judged_by(lambda chunks: next(answers, False))  # noqa: ARG005 - by turns
    search.try_random(strategies.deliveries(TAPE), key="a flaky test")
    assert set(findings.failures) == {"unstable"}


def test_nothing_is_drawn_where_nothing_is_left_nor_within_a_property() -> None:
    def fails(value: object) -> bool:
        raise AssertionError(value)

    assert drawn(st.none(), fails, key="none left", most=0) is None

    @settings(max_examples=1, database=None, suppress_health_check=[*HealthCheck])
    @given(st.none())
    def prop(value: None) -> None:
        assert drawn(st.just(value), fails, key="within") is None

    prop()


def test_a_search_ends_where_so_many_were_tried() -> None:
    search, findings = judged_by(lambda chunks: False)  # noqa: ARG005 - never
    findings.most = 7
    search.try_systematic()
    assert findings.examples == 7


def test_large_bodies_get_fewer_deliveries_and_no_single_bytes() -> None:
    large = Tape.of(b"data: abc\n\n" * 200_000)
    tried = list(bounded(systematic([large]), [large]))
    assert 10 <= len(tried) <= 20
    assert tried[0] == Delivery(cuts="whole")
    middle = Tape.of(b"data: abcdefgh\n\n" * (MAX_BYTEWISE // 16))
    assert next(bounded(systematic([middle]), [middle])) == Delivery(cuts="bytes")
    assert len(list(bounded(systematic([middle]), [middle]))) == MAX_DELIVERIES


def test_the_order_begins_with_what_shows_most_and_has_nothing_twice() -> None:
    order = list(in_order([TAPE], level="payload", contents=True))
    assert order[:3] == [Delivery(cuts="bytes"), Delivery(cuts="whole"), Delivery(cuts="events")]
    assert order[3] == Delivery(rewrites=(rewrites.bom(),))
    assert Delivery(contents=(contents.line_separators(),)) in order[:8]
    assert len(set(map(repr, order))) == len(order)
    assert not any(r.name == "coding" for delivery in order for r in delivery.rewrites)
    coded = in_order([TAPE], level="wire", codings=True)
    assert any(r.name == "coding" for delivery in coded for r in delivery.rewrites)
    assert all(not delivery.rewrites for delivery in in_order([TAPE]))


def test_a_function_and_an_object_have_a_name_that_stays() -> None:
    class Callee:
        def __call__(self) -> None:
            """Nothing."""

    assert key_of(in_order) == "streamtape.checks.search.in_order"
    assert key_of(Callee()).endswith("Callee")


CUT_KINDS = [
    (b"data: a\n\ndata: b\n\n", (3,), "line-split"),
    (b"data: a\n\ndata: b\n\n", (7,), "early-dispatch"),
    (b"data: a\ndata: b\n\n", (8,), "early-dispatch"),
    (b"data: a\n\ndata: b\n\n", (8,), "blank-line-split"),
    (b"data: a\n\ndata: b\n\n", (9,), "between-events"),
    (b"\n\ndata: a\n\n", (1,), "between-events"),
    (b"\n\ndata: a\n\n", (2,), "between-events"),
    (b"data: a\r\n\r\n", (8,), "crlf-split"),
    (b"data: a\r\n\r\n", (10,), "crlf-split"),
    (b"data: a\r\n\n", (8,), "mixed-eol"),
    (b"data: a\r\r\ndata: b\n\n", (8,), "mixed-eol"),
    ("data: \u00e9\n\n".encode(), (7,), "utf8-split"),
    (b"data: \xe2\x82\n\n", (8,), "utf8-split"),
    (b"\xef\xbb\xbfdata: a\n\n", (1,), "bom-split"),
    (b"\xef\xbb\xbfdata: a\n\n", (3,), "bom-split"),
    (b"\xef\xbb\xbfdata: a\n\n", (0,), "bom-split"),
    (b"data: a\n\n", (0,), "empty-chunk"),
    (b"data: a\n\n", (9,), "empty-chunk"),
    (b"data: a\n\n", (4, 4), "empty-chunk"),
    (b"data: a\n\ndata: b\n\n", (), "events-merged"),
    (b"data: a\n\ndata: b\n\n", "events", "between-events"),
]


@pytest.mark.parametrize(("body", "cuts", "kind"), CUT_KINDS)
def test_a_cut_is_named_by_where_it_is(body: bytes, cuts: str | tuple[int, ...], kind: str) -> None:
    assert name_of(kinds_of([Tape.of(body)], cuts)) == f"chunk-boundary/{kind}"


def test_recorded_cuts_are_named_by_where_they_are() -> None:
    tape = Tape.of("data: \u00e9\n\n".encode(), cuts=(7,))
    assert name_of(kinds_of([tape], "recorded")) == "chunk-boundary/utf8-split"
    assert kinds_of([Tape.of(b"data: a\n\n")], "recorded") == frozenset()


def test_single_bytes_may_show_anything() -> None:
    assert "chunk-boundary/bom-split" in kinds_of([TAPE], "bytes")


def test_cuts_of_the_messages_of_an_event_stream() -> None:
    messages = wire(b"", b"one") + wire(b"", b"two")
    tape = Tape.of(messages, content_type="application/vnd.amazon.eventstream")
    names = [name_of(kinds_of([tape], (cut,))) for cut in (5, len(messages) // 2)]
    assert names == ["chunk-boundary/message-split", "chunk-boundary/between-events"]


def test_cuts_of_ndjson() -> None:
    lines = Tape.of(b'{"a": 1}\r\n{"a": 2}\r\n', content_type="application/x-ndjson")
    names = [name_of(kinds_of([lines], (cut,))) for cut in (4, 9, 10)]
    assert names == [
        "chunk-boundary/line-split",
        "chunk-boundary/crlf-split",
        "chunk-boundary/between-events",
    ]
