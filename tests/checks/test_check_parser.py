"""`check_parser`: each fault by its own name and nothing else by any, and no false alarm."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import streamtape
from streamtape import Delivery, Event, Tape, checks
from streamtape.checks import CheckFailed, Failure
from streamtape.checks.calling import EndlessError
from tests.checks import faulty_parsers as faulty
from tests.streams import STREAMS

if TYPE_CHECKING:
    from types import ModuleType

TABLES = 1_700
"""So many take in the probes, the conformance table, and the short streams cut everywhere."""


def failures_of(parse: Callable[[Any], Any], **options: Any) -> dict[str, Failure]:
    """What is found of *parse*, by its kind."""
    options.setdefault("examples", TABLES)
    with pytest.raises(CheckFailed) as caught:
        checks.check_parser(parse, **options)
    return {failure.kind: failure for failure in caught.value.failures}


# ---- right ones


def name_of(parse: Callable[[Any], Any]) -> str:
    return getattr(parse, "__name__", type(parse).__name__)


@pytest.mark.parametrize("parse", faulty.RIGHT, ids=name_of)
def test_a_right_parser_passes_in_any_shape(parse: Callable[[Any], Any]) -> None:
    checks.check_parser(parse, examples=TABLES)


def decoder_events(chunks: Iterable[bytes]) -> Iterator[Event]:
    decoder = streamtape.Decoder()
    for chunk in chunks:
        yield from decoder.feed(chunk)


def test_our_own_decoder_passes_all_of_it() -> None:
    bodies = [b"".join(make()) for make, kind in STREAMS.values() if kind.startswith("text/")]
    assert len(bodies) == 4
    checks.check_parser(decoder_events, tapes=bodies)


def test_a_right_parser_of_another_make_passes_all_of_it() -> None:
    checks.check_parser(faulty.Parser())


# ---- wrong ones

WRONG: dict[type[faulty.Parser], dict[str, Delivery]] = {
    faulty.DecodesEachChunk: {"chunk-boundary/utf8-split": Delivery(cuts=(7,))},
    faulty.DecodesEachChunkStrictly: {
        "chunk-boundary/utf8-split": Delivery(cuts=(7,)),
        "spec-deviation/invalid-utf8": Delivery(cuts="whole"),
    },
    faulty.ForgetsCr: {"chunk-boundary/crlf-split": Delivery(cuts=(8,))},
    faulty.LooksForBomInFirstChunk: {"chunk-boundary/bom-split": Delivery(cuts=(1,))},
    faulty.TakesEndOfChunkForBlankLine: {"chunk-boundary/early-dispatch": Delivery(cuts=(9,))},
    faulty.WantsWholeLines: {"chunk-boundary/line-split": Delivery(cuts=(5,))},
    faulty.EndsAtEmptyChunk: {"chunk-boundary/empty-chunk": Delivery(cuts=(9, 9))},
    faulty.OneEventForEachChunk: {"chunk-boundary/events-merged": Delivery(cuts="whole")},
    faulty.SplitsAtEverySeparator: {
        "spec-deviation/unicode-line-separator": Delivery(cuts="whole")
    },
    faulty.WantsSpace: {"spec-deviation/optional-space": Delivery(cuts="whole")},
    faulty.KeepsComments: {"spec-deviation/comments": Delivery(cuts="whole")},
    faulty.KnowsLfOnly: {
        "spec-deviation/cr": Delivery(cuts="whole"),
        "spec-deviation/crlf": Delivery(cuts="whole"),
    },
    faulty.KnowsNoCr: {"spec-deviation/cr": Delivery(cuts="whole")},
    faulty.WantsEqualPairs: {"spec-deviation/mixed-eol": Delivery(cuts="whole")},
    faulty.KeepsBom: {"spec-deviation/bom": Delivery(cuts="whole")},
    faulty.KeepsLastDataLine: {"spec-deviation/multi-line-data": Delivery(cuts="whole")},
    faulty.DropsEmptyDataLines: {"spec-deviation/empty-data-line": Delivery(cuts="whole")},
    faulty.StripsAllSpaces: {"spec-deviation/leading-space": Delivery(cuts="whole")},
    faulty.StripsBothEnds: {"spec-deviation/trailing-space": Delivery(cuts="whole")},
    faulty.DispatchesOnceAnIdWasSeen: {
        "spec-deviation/empty-event-after-id": Delivery(cuts="whole")
    },
    faulty.ForgetsId: {"spec-deviation/last-event-id": Delivery(cuts="whole")},
    faulty.ReadsAnyRetry: {"spec-deviation/retry-bogus": Delivery(cuts="whole")},
    faulty.StrictAboutUtf8: {"spec-deviation/invalid-utf8": Delivery(cuts="whole")},
    faulty.LimitsLines: {"spec-deviation/long-line": Delivery(cuts="whole")},
    faulty.KeepsNulIds: {"spec-deviation/id-nul": Delivery(cuts="whole")},
    faulty.DropsEmptyEvents: {"spec-deviation/empty-data": Delivery(cuts="whole")},
    faulty.DispatchesTypeAlone: {"spec-deviation/event-without-data": Delivery(cuts="whole")},
    faulty.StopsAtDone: {"spec-deviation/sentinel": Delivery(cuts="whole")},
    faulty.FinishesWhatIsUnfinished: {"spec-deviation/unfinished-event": Delivery(cuts="whole")},
    faulty.HoldsCrBack: {"timing/late-delivery": Delivery(cuts="events")},
    faulty.WaitsForTheEnd: {"timing/late-delivery": Delivery(cuts="events")},
    faulty.SharesItsState: {"state/leak": Delivery(cuts="whole")},
}


@pytest.mark.parametrize("parser", WRONG, ids=lambda parser: parser.__name__)
def test_a_fault_is_one_class_with_the_smallest_example(parser: type[faulty.Parser]) -> None:
    found = failures_of(parser())
    assert {kind: failure.delivery for kind, failure in found.items()} == WRONG[parser]
    for failure in found.values():
        # What is pasted fails again, and differs from what a right one gives.
        assert failure.tape is not None
        assert failure.examples <= 75
        assert failure.sentence


def test_every_faulty_parser_is_in_the_table() -> None:
    kinds = [each for each in vars(faulty).values() if isinstance(each, type)]
    wrong = {each for each in kinds if issubclass(each, faulty.Parser)} - {faulty.Parser}
    assert wrong == set(WRONG)


def test_what_released_parsers_get_wrong_most_is_found_within_ten_examples() -> None:
    common = (
        *(faulty.DecodesEachChunk, faulty.ForgetsCr, faulty.SplitsAtEverySeparator),
        *(faulty.KeepsLastDataLine, faulty.KeepsBom, faulty.KnowsNoCr, faulty.WantsSpace),
        *(faulty.DispatchesOnceAnIdWasSeen, faulty.HoldsCrBack),
    )
    for parser in common:
        (failure,) = failures_of(parser(), examples=10).values()
        assert failure.examples <= 10


# ---- one cause is one class


def test_a_decoder_for_all_streams_leaks() -> None:
    """It was called a plain stream that is not read, and nothing else was looked at."""
    decoder = streamtape.Decoder()

    def parse(chunks: Iterable[bytes]) -> Iterator[Event]:
        for chunk in chunks:
            yield from decoder.feed(chunk)

    (failure,) = failures_of(parse, examples=None).values()
    assert (failure.kind, failure.examples) == ("state/leak", 1)
    assert failure.expected == [Event(data="b")]
    assert failure.got == [Event(data="b", last_event_id="probe-id")]
    assert failure.case.startswith("after b'event: probe-type")


def test_a_place_in_the_stream_that_is_kept_for_the_next_one_leaks() -> None:
    """It tells no ID, but it takes the BOM of a second stream for text."""
    parser = faulty.Parser()

    def parse(chunks: Iterable[bytes]) -> Iterator[str]:
        for chunk in chunks:
            for line in parser.lines(parser.text(chunk)):
                yield from (message.data for message in parser.take(line))

    (failure,) = failures_of(parse).values()
    assert (failure.kind, failure.got) == ("state/leak", [])
    assert failure.tape is not None
    assert failure.tape.body == b"\xef\xbb\xbfdata: b\n\n"


def test_what_else_is_wrong_is_found_beside_a_leak() -> None:
    class KeepsAll(faulty.DecodesEachChunk, faulty.KeepsLastDataLine):
        def __call__(self, chunks: Iterable[bytes]) -> Iterator[faulty.Message]:
            for chunk in chunks:
                for line in self.lines(self.text(chunk)):
                    yield from self.take(line)

    assert set(failures_of(KeepsAll())) == {
        "state/leak",
        "chunk-boundary/utf8-split",
        "spec-deviation/multi-line-data",
    }


@pytest.mark.parametrize(("most", "shown"), [(20, 30), (4, 10), (200, 300)])
def test_who_takes_only_so_many_events_from_a_chunk(most: int, shown: int) -> None:
    def parse(chunks: Iterable[bytes]) -> Iterator[Event]:
        decoder = streamtape.Decoder()
        for chunk in chunks:
            yield from decoder.feed(chunk)[:most]

    (failure,) = failures_of(parse).values()
    assert (failure.kind, failure.delivery) == (
        "chunk-boundary/events-merged",
        Delivery(cuts="whole"),
    )
    assert failure.tape is not None
    assert failure.tape.body.count(b"data") == shown
    assert failure.examples < 40


def test_who_takes_only_so_many_events_in_all_does_not_read_a_plain_stream() -> None:
    def parse(chunks: Iterable[bytes]) -> Iterator[Event]:
        yield from islice(decoder_events(chunks), 200)

    assert set(failures_of(parse)) == {"spec-deviation/basic"}


SDKS = {
    openai: {
        "spec-deviation/bom",
        "spec-deviation/empty-event-after-id",
        "spec-deviation/invalid-utf8",
    },
    anthropic: {
        "spec-deviation/bom",
        "spec-deviation/empty-event-after-id",
        "spec-deviation/invalid-utf8",
        "timing/late-delivery",
    },
}


@pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.__name__)
def test_what_dispatches_an_event_without_data_is_told_once(sdk: ModuleType) -> None:
    """Not a second time for a type, nor for the blank line that a cut in CR CR LF makes."""

    def parse(chunks: Iterable[bytes]) -> Iterator[Any]:
        decoder: Any = vars(sdk._streaming)["SSEDecoder"]()
        yield from decoder.iter_bytes(chunks)

    assert set(failures_of(parse, examples=None)) == SDKS[sdk]


def test_an_event_without_data_that_changes_the_next_one_is_told_beside() -> None:
    class KeepsTypes(faulty.DispatchesOnceAnIdWasSeen):
        def dispatch(self) -> Iterable[faulty.Message]:
            kept = "" if self.data else self.type
            yield from super().dispatch()
            self.type = kept

    assert set(failures_of(KeepsTypes())) == {
        "spec-deviation/empty-event-after-id",
        "spec-deviation/event-without-data",
    }


def test_a_cut_that_makes_up_for_what_is_broken_shows_nothing_new() -> None:
    """As in sseclient-py 1.9.0: CR CR ends an event, and CR CR LF does only where it is cut."""

    def parse(chunks: Iterable[bytes]) -> Iterator[str]:
        block: list[bytes] = []
        for chunk in chunks:
            for line in chunk.splitlines(keepends=True):
                block.append(line)
                if b"".join(block).endswith((b"\r\r", b"\n\n", b"\r\n\r\n")):
                    yield from read(block)
                    block = []

    def read(block: list[bytes]) -> Iterator[str]:
        parser = faulty.Parser()
        for line in b"".join(block).splitlines():
            if line:
                list(parser.take(line.decode(errors="replace")))
        yield from (message.data for message in parser.dispatch())

    found = failures_of(parse, examples=None)
    assert found.keys() - {"timing/late-delivery"} == {
        "spec-deviation/bom",
        "spec-deviation/mixed-eol",
    }
    assert found["spec-deviation/mixed-eol"].examples == 11


def test_mixed_line_ends_that_are_right_byte_by_byte_depend_on_the_cuts() -> None:
    """As in eventsource 2.0.2: it scans its buffer from the start, and an old CR eats a LF."""

    class ScansAgain(faulty.Parser):
        def lines(self, text: str) -> Iterable[str]:
            lines: list[str] = []
            text, self.rest = self.rest + text, ""
            start = 0
            while start < len(text):
                if self.skip_line_feed:
                    start += text[start] == "\n"
                    self.skip_line_feed = False
                end = next((n for n in range(start, len(text)) if text[n] in "\r\n"), None)
                self.skip_line_feed = "\r" in text[: len(text) if end is None else end + 1]
                if end is None:
                    break
                lines.append(text[start:end])
                start = end + 1
            self.rest = text[start:]
            return lines

    found = failures_of(ScansAgain())
    assert set(found) == {"chunk-boundary/mixed-eol"}
    assert found["chunk-boundary/mixed-eol"].examples == 11


def test_several_faults_are_found_beside_each_other() -> None:
    class Both(faulty.DecodesEachChunk, faulty.KeepsLastDataLine):
        pass

    assert set(failures_of(Both())) == {
        "chunk-boundary/utf8-split",
        "spec-deviation/multi-line-data",
    }


def test_an_id_of_its_own_is_allowed_where_none_is_none() -> None:
    class OwnIds(faulty.ForgetsId):
        def __call__(self, chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:  # type: ignore[override]
            for message in super().__call__(chunks):
                yield {"data": message.data, "id": message.last_event_id or None}

    checks.check_parser(OwnIds(), examples=TABLES)


def test_a_last_event_id_that_is_not_kept_is_a_fault_by_whatever_name() -> None:
    def parse(chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        for message in faulty.ForgetsId()(chunks):
            yield {"data": message.data, "lastEventId": message.last_event_id or None}

    assert set(failures_of(parse)) == {"spec-deviation/last-event-id"}


def test_a_type_that_is_never_told_is_a_fault_where_there_is_a_place_for_it() -> None:
    def parse(chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        for message in faulty.Parser()(chunks):
            yield {"event": None, "data": message.data}

    assert set(failures_of(parse)) == {"spec-deviation/event-type"}


# ---- parsers that can't be checked in full


def test_who_reads_no_plain_event_fails_with_what_came_instead() -> None:
    (failure,) = failures_of(lambda chunks: []).values()  # noqa: ARG005 - it reads nothing
    assert (failure.kind, failure.got, failure.examples) == ("spec-deviation/basic", [], 1)


def test_who_knows_crlf_only_is_told_so() -> None:
    class KnowsCrlfOnly(faulty.Parser):
        def lines(self, text: str) -> Iterable[str]:
            *lines, self.rest = (self.rest + text).split("\r\n")
            return lines

    assert set(failures_of(KnowsCrlfOnly())) == {"spec-deviation/lf"}


def test_who_always_raises_fails_with_the_exception() -> None:
    def parse(chunks: Iterable[bytes]) -> list[object]:
        raise ConnectionError(f"closed after {len(list(chunks))}")

    (failure,) = failures_of(parse).values()
    assert failure.kind == "spec-deviation/basic"
    assert isinstance(failure.got, ConnectionError)
    assert "+ ConnectionError: closed after 1" in str(failure)


def test_a_parser_of_json_is_checked_on_json() -> None:
    found = failures_of(faulty.json_of_each_chunk)
    assert set(found) == {"chunk-boundary/utf8-split"}
    (failure,) = found.values()
    assert isinstance(failure.delivery.cuts, tuple)
    assert len(failure.delivery.cuts) == 1


def test_what_a_parser_of_json_gets_wrong_has_the_names_that_it_has_elsewhere() -> None:
    import json

    def parse(chunks: Iterable[bytes]) -> Iterator[Any]:
        return (json.loads(message.data) for message in faulty.KnowsNoCr()(chunks))

    assert set(failures_of(parse)) == {"spec-deviation/cr"}


def test_a_parser_without_end_is_stopped() -> None:
    class Endless(faulty.Parser):
        def dispatch(self) -> Iterable[faulty.Message]:
            if self.id and not self.data:
                while True:
                    yield faulty.Message("message", "", "")
            yield from super().dispatch()

    (failure,) = failures_of(Endless(), examples=30).values()
    assert failure.kind == "spec-deviation/empty-event-after-id"
    assert isinstance(failure.got, EndlessError)


# ---- its arguments


def test_what_is_allowed_does_not_fail() -> None:
    checks.check_parser(faulty.KnowsNoCr(), allow=["spec-deviation/cr"], examples=100)


def test_what_is_allowed_and_no_longer_occurs_fails() -> None:
    with pytest.raises(CheckFailed, match="allowed, but no longer occurs") as caught:
        checks.check_parser(faulty.Parser(), allow=["spec-deviation/cr"])
    assert caught.value.failures == ()
    assert caught.value.gone == ("spec-deviation/cr",)


def test_what_is_allowed_may_lie_beyond_what_was_tried() -> None:
    checks.check_parser(faulty.KnowsNoCr(), allow=["spec-deviation/cr"], examples=3)


def test_one_kind_without_a_collection_is_refused() -> None:
    with pytest.raises(ValueError, match="write a collection"):
        checks.check_parser(faulty.KeepsBom(), allow="spec-deviation/bom", examples=10)


def test_a_tape_that_is_no_event_stream_is_refused() -> None:
    tape = Tape.of(b'{"a": 1}\n{"a": 2}\n', content_type="application/x-ndjson")
    with pytest.raises(ValueError, match=r"tapes\[1\] is no event stream but 'ndjson'"):
        checks.check_parser(faulty.Parser(), tapes=[b"data: a\n\n", tape])


def test_the_users_own_streams_are_tried() -> None:
    class HatesTeapots(faulty.Parser):
        def field(self, name: str, value: str) -> None:
            if value == "teapot":
                raise ValueError(value)
            super().field(name, value)

    body = b"data: tea\n\ndata: teapot\n\n"
    (failure,) = failures_of(HatesTeapots(), tapes=body, examples=None).values()
    assert failure.case == "tapes[0]"
    assert failure.expected == [Event(data="tea"), Event(data="teapot")]


def test_a_stream_of_the_users_that_needs_what_is_broken_is_tried_in_another_form() -> None:
    class KnowsNoCrAndFailsAtTea(faulty.KnowsNoCr):
        def text(self, chunk: bytes) -> str:
            if chunk.endswith(b"tea"):
                raise ValueError(chunk)
            return super().text(chunk)

    found = failures_of(KnowsNoCrAndFailsAtTea(), tapes=[b"data: teapot\r\r"], examples=None)
    assert set(found) == {"spec-deviation/cr", "chunk-boundary/line-split"}


@pytest.fixture
def many_examples() -> Iterator[None]:
    """A profile with many examples, always the same."""
    before = settings.get_current_profile_name()
    settings.register_profile("many", max_examples=500, derandomize=True, database=None)
    settings.load_profile("many")
    yield
    settings.load_profile(before)


_ENDS = ("\u0301", "\u202e", "\U0001f467", "\U0001f1f7")
"""Ends of text that are in no table and no stream of ours."""


@pytest.mark.usefixtures("many_examples")
def test_random_streams_find_what_no_table_has() -> None:
    class HatesSomeEnds(faulty.Parser):
        def field(self, name: str, value: str) -> None:
            super().field(name, value if value[-1:] not in _ENDS else value[:-1])

    (failure,) = failures_of(HatesSomeEnds(), examples=None).values()
    assert failure.kind == "spec-deviation/non-ascii"
    assert failure.case == "a random stream"
    assert failure.tape is not None
    assert len(failure.tape.body) <= len("data: 👩‍👩‍👧\n\n".encode())


def test_inside_a_property_nothing_random_is_drawn() -> None:
    @settings(max_examples=1, deadline=None, database=None, suppress_health_check=[*HealthCheck])
    @given(st.booleans())
    def prop(value: bool) -> None:  # noqa: ARG001, FBT001 - drawn, not used
        checks.check_parser(faulty.as_list)

    prop()
