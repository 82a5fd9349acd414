"""The strategies: what they draw, what it shrinks to, and how soon it hurts what is wrong."""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from itertools import pairwise
from random import Random
from statistics import median
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, Phase, find, given, seed, settings
from hypothesis import strategies as st

from streamtape import Decoder, Delivery, Event, Tape, decode, providers, seams, strategies
from streamtape.delivery import contents, faults, rewrites
from streamtape.delivery.seams import KINDS
from tests.streams import PIECES, STREAMS, anthropic_messages, gemini, openai_chat
from tests.wire.test_conformance import reference

T = TypeVar("T")

CHAT = Tape.of(b"".join(openai_chat()))
CRLF = Tape.of(b"".join(gemini()))
NAMED_CRLF = Tape.of(b"".join(anthropic_messages()).replace(b"\n", b"\r\n"))
TEXT = Tape.of(b"plain", content_type="text/plain")
EVERY_SEAM = (
    b"\xef\xbb\xbfevent: x\r\nid: 1\r\n"
    + 'data: {"text": "é\\n"}\r\n\r\n: ping\n\ndata: [DONE]\n\n'.encode()
)

quick = settings(max_examples=50, deadline=None)


def drawn(strategy: st.SearchStrategy[T], number: int = 300) -> list[T]:
    """What the *strategy* gives: the same each time."""
    found: list[T] = []

    @seed(0)
    @settings(
        max_examples=number,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(value: T) -> None:
        found.append(value)

    draw()
    return found


def simplest(strategy: st.SearchStrategy[T], condition: Callable[[T], bool]) -> T:
    phases = (Phase.generate, Phase.shrink)
    options = settings(database=None, max_examples=5_000, phases=phases)
    return find(strategy, condition, settings=options, random=Random(0))


def anything(_: object) -> bool:
    return True


def first_of(kind: str, body: bytes) -> int:
    return next(offset for offset, found in seams(body) if found == kind)


def pieces_of(body: bytes, cuts: tuple[int, ...]) -> list[bytes]:
    return [body[start:end] for start, end in pairwise((0, *cuts, len(body)))]


# Cuts


@given(st.binary(max_size=50), st.data())
@quick
def test_cuts_are_offsets_in_the_body_ascending(body: bytes, data: st.DataObject) -> None:
    cuts = data.draw(strategies.cuts(body))
    assert list(cuts) == sorted(cuts)
    assert all(0 <= cut <= len(body) for cut in cuts)
    assert Tape.of(body, cuts=cuts).body == body


def told(monkeypatch: pytest.MonkeyPatch, body: bytes) -> Counter[str]:
    """What Hypothesis is told of the cuts that are drawn for *body*."""
    names: list[str] = []
    monkeypatch.setattr("streamtape.strategies.cutting.event", names.append)
    drawn(strategies.cuts(body))
    return Counter(name.removeprefix("cut: ") for name in names)


def test_half_of_the_cuts_are_at_seams_and_half_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    names = told(monkeypatch, CHAT.body)
    empty = names.pop("an empty chunk")
    assert 0.4 < names["anywhere"] / names.total() < 0.6
    assert 0.05 < empty / names.total() < 0.2


def test_rare_kinds_of_seam_are_cut_as_often_as_common_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = Counter(kind for _, kind in seams(CHAT.body))
    assert there["sentinel"] < 10 < there["field name"]
    names = told(monkeypatch, CHAT.body)
    assert {*there} < {*names}
    # Wide: Hypothesis also draws constants of whatever modules are loaded, which differ by run.
    assert 0.25 < names["sentinel"] / names["field name"] < 4


def test_every_kind_of_seam_is_cut_within_few_examples() -> None:
    kinds = dict(seams(EVERY_SEAM))
    hit = {
        kinds[cut]
        for cuts in drawn(strategies.cuts(EVERY_SEAM), 30)
        for cut in cuts
        if cut in kinds
    }
    assert hit == set(kinds.values())


def test_empty_chunks_and_chunks_of_one_byte_occur() -> None:
    cut = [pieces_of(CHAT.body, cuts) for cuts in drawn(strategies.cuts(CHAT.body), 100)]
    assert sum(b"" in pieces[1:-1] for pieces in cut) > 10
    assert sum(any(len(piece) == 1 for piece in pieces) for pieces in cut) > 10
    assert sum(pieces[0] == b"" for pieces in cut) >= 1
    assert sum(len(pieces) == 1 for pieces in cut) >= 1


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind in dict(seams(EVERY_SEAM)).values()]
)
def test_cuts_shrink_to_the_first_seam_of_the_kind_that_hurts(kind: str) -> None:
    kinds = dict(seams(EVERY_SEAM))
    cuts = simplest(
        strategies.cuts(EVERY_SEAM), lambda cuts: any(kinds.get(cut) == kind for cut in cuts)
    )
    assert cuts == (first_of(kind, EVERY_SEAM),)


def test_cuts_shrink_to_none_to_one_and_to_the_kind_that_comes_first() -> None:
    of_body = strategies.cuts(CHAT.body)
    assert simplest(of_body, anything) == ()
    assert simplest(of_body, lambda cuts: len(cuts) > 0) == (first_of("utf-8", CHAT.body),)
    two = simplest(of_body, lambda cuts: len(set(cuts)) > 1)
    assert two == tuple(cut for cut, kind in seams(CHAT.body) if kind == "utf-8")[:2]


def test_a_cut_that_is_no_seam_shrinks_to_the_lowest_that_hurts() -> None:
    body = b"x" * 1000
    assert seams(body) == ()
    assert simplest(strategies.cuts(body), lambda cuts: any(500 <= n < 1000 for n in cuts)) == (
        500,
    )


def test_an_empty_chunk_shrinks_to_one_at_the_first_seam() -> None:
    cuts = simplest(strategies.cuts(CHAT.body), lambda cuts: b"" in pieces_of(CHAT.body, cuts))
    assert cuts == (first_of("utf-8", CHAT.body),) * 2


def test_a_body_without_seams_is_cut_all_the_same() -> None:
    assert seams(b"ab") == ()
    assert {cut for cuts in drawn(strategies.cuts(b"ab")) for cut in cuts} == {0, 1, 2}
    assert {*drawn(strategies.cuts(b""))} >= {(), (0,), (0, 0)}


# How soon they hurt


def examples_to_failure(
    strategy: st.SearchStrategy[Delivery], fails: Callable[[Delivery], bool], number: int
) -> int:
    """How many deliveries it took until one failed, with the generator seeded by *number*."""
    count = 0

    @seed(number)
    @settings(max_examples=100, database=None, deadline=None, phases=[Phase.generate])
    @given(strategy)
    def test(delivery: Delivery) -> None:
        nonlocal count
        count += 1
        assert not fails(delivery)

    with suppress(AssertionError):
        test()
    return count


def splits_crlf(chunks: list[bytes]) -> list[Event]:
    """A decoder that takes the LF of a CRLF that was cut for a line end of its own."""
    text = b"".join(re.sub(rb"\r\n|\r", b"\n", chunk) for chunk in chunks)
    return decode(text)


def decodes_each_chunk(chunks: list[bytes]) -> list[Event]:
    """A decoder that decodes each chunk of bytes by itself."""
    return decode("".join(chunk.decode(errors="replace") for chunk in chunks).encode())


def stops_at_an_empty_chunk(chunks: list[bytes]) -> list[Event]:
    stop = chunks.index(b"") if b"" in chunks else len(chunks)
    return decode(b"".join(chunks[:stop]))


def wants_the_blank_line_in_one_chunk(chunks: list[bytes]) -> list[Event]:
    found: list[Event] = []
    buffer = b""
    for chunk in chunks:
        buffer += chunk
        if b"\r\n\r\n" in chunk:
            found += decode(buffer)
            buffer = b""
    return found


@pytest.mark.parametrize(
    ("decoder", "tape"),
    [
        (splits_crlf, NAMED_CRLF),
        (decodes_each_chunk, CRLF),
        (decodes_each_chunk, CHAT),
        (stops_at_an_empty_chunk, CHAT),
        (wants_the_blank_line_in_one_chunk, CRLF),
    ],
)
def test_a_wrong_decoder_fails_after_a_median_of_ten_examples_or_fewer(
    decoder: Callable[[list[bytes]], list[Event]], tape: Tape
) -> None:
    expected = decode(tape.body)
    assert decoder([tape.body]) == expected

    def fails(delivery: Delivery) -> bool:
        return decoder([chunk.data for chunk in tape.deliver(delivery).chunks]) != expected

    strategy = strategies.deliveries(tape, rewrites=False)
    counts = [examples_to_failure(strategy, fails, number) for number in range(31)]
    assert median(counts) <= 10, sorted(counts)


# Deliveries, rewrites, contents, faults


def test_deliveries_keep_the_meaning_unless_they_are_asked_not_to() -> None:
    every = drawn(strategies.deliveries(CHAT), 200)
    assert all(delivery.keeps_meaning and delivery.pace == "instant" for delivery in every)
    assert {len(delivery.rewrites) for delivery in every} == {0, 1, 2, 3}
    assert {rewrite.level for delivery in every for rewrite in delivery.rewrites} == {"wire"}
    assert Delivery() not in every
    assert any(delivery.cuts == "recorded" for delivery in every)


@given(strategies.deliveries([CHAT, CRLF]))
@quick
def test_events_are_equal_under_every_delivery(delivery: Delivery) -> None:
    """The oracle is another decoder, by the letter of the standard."""
    for tape in (CHAT, CRLF):
        told = tape.deliver(delivery)
        decoder = Decoder()
        events = [event for chunk in told.chunks for event in decoder.feed(chunk.data)]
        assert events == reference(told.body)[0]
        texts = [(event.type, event.data) for event in events]
        assert texts == [(event.type, event.data) for event in reference(tape.body)[0]]


@given(strategies.deliveries(CHAT, rewrites="text"))
@quick
def test_the_text_is_equal_under_rewrites_of_deltas(delivery: Delivery) -> None:
    events = decode(CHAT.deliver(delivery).body)
    assert providers.stream_text(events) == "".join(PIECES)


def test_what_is_switched_on_is_drawn_and_nothing_else() -> None:
    plain = drawn(strategies.deliveries(CHAT, rewrites=False), 50)
    assert not any(delivery.rewrites or delivery.contents or delivery.fault for delivery in plain)
    uncut = drawn(strategies.deliveries(CHAT, cuts=False), 50)
    assert {delivery.cuts for delivery in uncut} == {"recorded"}
    assert Delivery() in uncut
    every = drawn(strategies.deliveries(CHAT, rewrites="text", contents=True, faults=True), 200)
    assert any(delivery.contents for delivery in every)
    assert any(delivery.fault is not None for delivery in every)
    assert any(delivery.contents and delivery.fault for delivery in every)
    names = [rewrite.name for delivery in every for rewrite in delivery.rewrites]
    assert {"text_cuts", "crlf"} <= set(names)


def test_no_large_event_is_cut_into_deltas_of_one_character() -> None:
    every = strategies.deliveries(CHAT, cuts=False, rewrites="text", contents=True)
    largest = max(len(CHAT.deliver(delivery).body) for delivery in drawn(every, 400))
    assert 65_536 < largest < 500_000


@pytest.mark.parametrize("name", STREAMS)
def test_all_that_is_drawn_fits_the_tape(name: str) -> None:
    stream, content_type = STREAMS[name]
    tape = Tape.of(b"".join(stream()), content_type=content_type)
    for level in ("wire", "payload", "text"):
        for rewrite in drawn(strategies.rewrites(tape, level), 40):
            assert rewrite.apply(tape) != tape or rewrite.name == "text_cuts"
    assert {*drawn(strategies.contents(tape), 100)} == {*contents.every(tape)}
    known = {fault.name for fault in faults.every(tape)}
    some = drawn(strategies.faults(tape), 200)
    assert {fault.name for fault in some} <= known
    assert all(fault.allowed(tape) for fault in some)
    last = len(tape.events())
    assert {fault.given["k"] for fault in some if "k" in fault.given} <= {*range(last + 1)}


def test_faults_strike_at_any_event() -> None:
    tape = Tape.of(b"".join(openai_chat()) * 3)
    struck = {fault.given.get("k") for fault in drawn(strategies.faults(tape), 400)}
    known = {fault.given.get("k") for fault in faults.every(tape)}
    assert len(struck) > 2 * len(known)


def test_rewrites_contents_and_faults_shrink_to_the_first_of_their_kind() -> None:
    assert simplest(strategies.rewrites(CHAT), anything) == rewrites.every(CHAT)[0]
    assert simplest(strategies.contents(CHAT), anything) == contents.every(CHAT)[0]
    assert simplest(strategies.faults(CHAT), anything).name == faults.every(CHAT)[0].name
    broken = simplest(strategies.faults(CHAT), lambda fault: fault.name == "duplicated")
    assert broken == faults.duplicated(1)
    late = simplest(strategies.faults(CHAT), lambda fault: fault == faults.duplicated(4))
    assert late.given["k"] == 4


@pytest.mark.parametrize(
    ("switches", "hurts", "left"),
    [
        ({}, anything, Delivery(cuts="whole")),
        (
            {"faults": True},
            lambda delivery: isinstance(delivery.cuts, tuple),
            Delivery(cuts=(first_of("utf-8", CHAT.body),)),
        ),
        (
            {"rewrites": "payload"},
            lambda delivery: rewrites.crlf() in delivery.rewrites,
            Delivery(rewrites=(rewrites.crlf(),)),
        ),
        (
            {"contents": True},
            lambda delivery: contents.zwj() in delivery.contents,
            Delivery(contents=(contents.zwj(),)),
        ),
        (
            {"faults": True},
            lambda delivery: getattr(delivery.fault, "name", "") == "duplicated",
            Delivery(fault=faults.duplicated(1)),
        ),
    ],
)
def test_deliveries_shrink_to_what_hurts_and_nothing_beside(
    switches: dict[str, bool], hurts: Callable[[Delivery], bool], left: Delivery
) -> None:
    assert simplest(strategies.deliveries(CHAT, **switches), hurts) == left


def test_a_cut_in_what_a_rewrite_wrote_shrinks_to_both() -> None:
    def splits_a_crlf(delivery: Delivery) -> bool:
        chunks = [chunk.data for chunk in CHAT.deliver(delivery).chunks]
        return any(
            one.endswith(b"\r") and other.startswith(b"\n") for one, other in pairwise(chunks)
        )

    found = simplest(strategies.deliveries(CHAT), splits_a_crlf)
    (rewrite,) = found.rewrites
    assert rewrite in (
        rewrites.crlf(),
        rewrites.mixed_line_ends(),
        rewrites.mixed_line_ends(seed=1),
    )
    assert found.cuts == (first_of("crlf", rewrite.apply(CHAT).body),)


@pytest.mark.parametrize("tapes", [[], [Tape.of(b"")], TEXT])
def test_a_tape_that_little_can_be_done_with_still_has_deliveries(tapes: Tape | list[Tape]) -> None:
    every = drawn(strategies.deliveries(tapes, rewrites="text", contents=True, faults=True), 50)
    assert every
    assert strategies.contents(tapes).is_empty


# Streams


@cache
def some_streams() -> list[strategies.Stream]:
    # Many: what is drawn also depends on the constants of whatever modules are loaded.
    return drawn(strategies.streams(), 1000)


@given(strategies.streams())
@settings(max_examples=80, deadline=None)
def test_a_stream_means_its_events(stream: strategies.Stream) -> None:
    decoder = Decoder()
    assert decoder.feed(stream.body) == stream.events
    assert decode(stream.body) == stream.events
    assert decoder.retry == stream.retry
    assert decoder.last_event_id == stream.last_event_id


@given(strategies.streams())
@settings(max_examples=80, deadline=None)
def test_a_third_reading_agrees(stream: strategies.Stream) -> None:
    assert reference(stream.body) == (stream.events, stream.retry, stream.last_event_id)


@given(strategies.streams(), st.data())
@quick
def test_a_stream_has_a_tape_to_deliver(stream: strategies.Stream, data: st.DataObject) -> None:
    assert stream.tape.framing == "sse"
    told = stream.tape.deliver(Delivery(cuts=data.draw(strategies.cuts(stream.body))))
    assert [event for _, event in told.events()] == stream.events


@pytest.mark.parametrize(
    "seen",
    [
        lambda stream: stream.body.startswith(b"\xef\xbb\xbf"),
        lambda stream: stream.body.count(b"\xef\xbb\xbf") > 1,
        lambda stream: b"\r\n" in stream.body,
        lambda stream: b"\r" in stream.body.replace(b"\r\n", b""),
        lambda stream: b"\r\r\n" in stream.body,
        lambda stream: any("\n" in event.data for event in stream.events),
        lambda stream: any(event.data == "" for event in stream.events),
        lambda stream: any(event.data.startswith(" ") for event in stream.events),
        lambda stream: any(event.type != "message" for event in stream.events),
        lambda stream: any("\0" in event.data for event in stream.events),
        lambda stream: any("\ufffd" in event.data for event in stream.events),
        lambda stream: any("\u2028" in event.data for event in stream.events),
        lambda stream: any(event.last_event_id for event in stream.events),
        lambda stream: len({event.last_event_id for event in stream.events}) > 1,
        lambda stream: re.search(rb"(\A|[\r\n])id:? ?[^\r\n]*\0", stream.body),
        lambda stream: re.search(rb"(\A|[\r\n])data[\r\n]", stream.body),
        lambda stream: re.search(rb"(\A|[\r\n])data:[^ \r\n]", stream.body),
        lambda stream: re.search(rb"(\A|[\r\n]):", stream.body),
        lambda stream: stream.retry is not None and b"retry:0" in stream.body,
        lambda stream: stream.retry is None and b"retry: " in stream.body,
        lambda stream: stream.body and not stream.body.endswith((b"\n", b"\r")),
        lambda stream: len(stream.events) > 2,
    ],
)
def test_streams_have_every_shape(seen: Callable[[strategies.Stream], object]) -> None:
    assert any(map(seen, some_streams()))


@pytest.mark.parametrize(
    ("seen", "body"),
    [
        (anything, b""),
        (lambda stream: stream.events, b"data: \n\n"),
        (lambda stream: len(stream.events) > 1, b"data: \n\ndata: \n\n"),
        (lambda stream: any("\n" in event.data for event in stream.events), b"data: \ndata: \n\n"),
        (lambda stream: stream.body.startswith(b"\xef"), b"\xef\xbb\xbf"),
        (lambda stream: stream.retry, b"retry: 1\n"),
        (lambda stream: b"\r\n" in stream.body, b"\r\n"),
        (lambda stream: b":" in stream.body, b"data: \n"),
    ],
)
def test_streams_shrink_to_the_simplest_one(
    seen: Callable[[strategies.Stream], object], body: bytes
) -> None:
    assert simplest(strategies.streams(), lambda stream: bool(seen(stream))).body == body


# Deltas

FAMILY = "a👩‍👩‍👧e\u0301🇫🇷!"


@given(st.text(max_size=20), st.data())
@quick
def test_deltas_make_up_the_text(text: str, data: st.DataObject) -> None:
    pieces = data.draw(strategies.deltas(text))
    assert "".join(pieces) == text
    assert len(pieces) >= 1


def test_deltas_cut_inside_characters_and_are_empty_now_and_then() -> None:
    every = drawn(strategies.deltas(FAMILY))
    starts = {piece[0] for pieces in every for piece in pieces[1:] if piece}
    assert {"\u200d", "\u0301"} <= starts
    assert any(unicodedata.combining(piece[0]) for pieces in every for piece in pieces if piece)
    assert any(piece.endswith("\u200d") for pieces in every for piece in pieces)
    assert any(piece.endswith("🇫") for pieces in every for piece in pieces)
    assert any(piece == "" for pieces in every for piece in pieces[1:-1])
    in_a_row = [sum(len(piece) == 1 for piece in pieces) for pieces in every]
    assert max(in_a_row) >= 6


def test_half_of_the_cuts_are_inside_a_character_however_long_the_text() -> None:
    text = "x" * 400 + "e\u0301" + "x" * 400
    every = drawn(strategies.deltas(text), 200)
    assert sum(any(piece.startswith("\u0301") for piece in pieces) for pieces in every) > 100


def test_deltas_never_make_half_a_surrogate_pair() -> None:
    for pieces in drawn(strategies.deltas("👩🏽‍🚀" * 3)):
        "".join(pieces).encode()
        assert all(piece.encode().decode() == piece for piece in pieces)


@pytest.mark.parametrize("text", ["", "plain", FAMILY])
def test_deltas_shrink_to_one_piece(text: str) -> None:
    assert simplest(strategies.deltas(text), anything) == [text]


def test_deltas_shrink_to_one_cut_inside_a_character() -> None:
    cut = simplest(strategies.deltas(FAMILY), lambda pieces: len(pieces) > 1)
    assert cut == ["a👩", FAMILY[2:]]
    flag = simplest(
        strategies.deltas(FAMILY), lambda pieces: any(piece.endswith("🇫") for piece in pieces)
    )
    assert flag == [FAMILY[:-2], FAMILY[-2:]]


# What is around them


def test_the_module_is_there_without_more_and_hypothesis_only_with_it() -> None:
    code = (
        "import sys, streamtape\n"
        "assert 'hypothesis' not in sys.modules\n"
        "from streamtape import strategies\n"
        "assert 'hypothesis' in sys.modules\n"
        "print(sorted(strategies.__all__), streamtape.strategies is strategies)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    names = ["Stream", "contents", "cuts", "deliveries", "deltas", "faults", "rewrites", "streams"]
    assert result.stdout == f"{names} True\n"


def test_statistics_show_the_kinds_of_seam_that_were_cut(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from hypothesis import given
        from streamtape import Tape, strategies

        TAPE = Tape.of(b'data: {"text": "caf\\xc3\\xa9"}\\r\\n\\r\\n')

        @given(strategies.deliveries(TAPE))
        def test(delivery):
            assert TAPE.deliver(delivery).events() or True
        """
    )
    result = pytester.runpytest_subprocess("--hypothesis-show-statistics", "-p", "no:cacheprovider")
    for shown in ("cut: utf-8", "cut: crlf", "cut: an empty chunk", "rewrite: bom"):
        result.stdout.fnmatch_lines([f"*%, {shown}"])


def test_a_long_body_is_not_written_out(recwarn: pytest.WarningsRecorder) -> None:
    """Hypothesis writes out the arguments of a strategy, and warns where they are long."""
    tape = Tape.of(b"data: " + b"\xff" * 100_000 + b"\n\n")
    every = strategies.deliveries(tape, contents=True, faults=True)
    drawn(every, 3)
    assert len(repr(every)) + len(repr(strategies.cuts(tape.body))) < 5_000
    assert len(repr(strategies.deltas("x" * 100_000))) < 1_000
    assert not recwarn.list
