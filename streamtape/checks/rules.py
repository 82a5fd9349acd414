"""Is a parser right? Its events against the standard's, and each failure put down to one class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from streamtape.checks import cut_kinds
from streamtape.checks.delivering import Delivered
from streamtape.checks.failures import Failure, Findings
from streamtape.checks.features import SENTENCES, features, name_of
from streamtape.checks.probes import DEVIATION, FEWER, LATE, LEAK, PROBES, SIMPLY_LATE, Probe
from streamtape.checks.search import Search
from streamtape.delivery import Delivery
from streamtape.tape import Tape
from streamtape.wire.sse import Decoder, Event, frame_ends

if TYPE_CHECKING:
    from streamtape.checks.calling import Caller
    from streamtape.checks.shapes import Shape

WHOLE = Delivery(cuts="whole")
_LONG = 16_384
AFTERWARDS = b"data: b\n\n"
"""What is read after another stream, to see whether that one left something over."""

_AT_THE_END = (LEAK, cut_kinds.EARLY, cut_kinds.LINE)
"""What also goes wrong where a stream ends in an event: the end of the stream ends a chunk too."""

_EMPTY_EVENTS = (DEVIATION + "empty-event-after-id", DEVIATION + "event-without-data")
"""Two ways into one flaw: a blank line dispatches an event that has no data."""

LEAK_SENTENCE = "what one stream left over shows in the next one"
_LATE_SENTENCE = "an event is given only after more of the stream than completes it was asked for"


class Out(NamedTuple):
    """An event, and after how many chunks it was out; the end of the stream counts as one more."""

    event: Event
    after_chunks: int


class Parsed(NamedTuple):
    """What a parser made of chunks: events or an exception; and where it yields them, when."""

    events: list[Event] | Exception
    after_chunks: tuple[int, ...] | None = None


class Rules:
    """What is known of one parser so far: which classes it is right in and which are broken.

    A stream that needs what is broken tells nothing new, so it is not tried. Where a stream fails,
    each class that it needs is settled first, by its probes, and only what those don't explain is a
    new class.
    """

    def __init__(self, caller: Caller, shape: Shape, findings: Findings) -> None:
        self._caller = caller
        self._shape = shape
        self._findings = findings
        self._whole: dict[bytes, Parsed] = {}
        self._last_long = b""
        self._tried: set[Probe] = set()

    def parsed(self, chunks: Sequence[bytes]) -> Parsed:
        """What the parser makes of *chunks*; its exceptions are results."""
        try:
            result = self._caller(chunks)
            items = list(result.value)
            events = self._shape.read(items)
        except Exception as exc:  # noqa: BLE001 - whatever the parser raises is what it got
            return Parsed(exc)
        if result.asked is None:
            return Parsed(events)
        pairs = zip(items, result.asked, strict=True)
        return Parsed(events, tuple(asked for item, asked in pairs if self._shape.is_event(item)))

    def is_broken(self, body: bytes) -> bool:
        """Whether *body* needs what is known to be broken."""
        failures = self._findings.failures
        needed = features("sse", body)
        if "unfinished-event" in needed and not failures.keys().isdisjoint(_AT_THE_END):
            return True
        if "mixed-eol" in needed and cut_kinds.MIXED in failures:
            return True
        if "bom" in needed and LEAK in failures:  # where a stream opens may not be known
            return True
        return any(DEVIATION + name in failures for name in needed)

    def _leaks_from(self, body: bytes) -> bool:
        """Whether what is left over of *body* would show in the streams after it."""
        return LEAK in self._findings.failures and "unfinished-event" in features("sse", body)

    def try_probe(self, probe: Probe) -> None:
        """Try *probe*, once."""
        if probe in self._tried:
            return
        self._tried.add(probe)
        tape = tape_of(probe.body)
        delivery = Delivery(cuts=probe.cuts)
        if probe.kind == LEAK:
            self._try_leak(probe.body)
        elif probe.kind == LATE:
            self.try_promptness(tape, delivery)
        elif probe.kind == cut_kinds.MERGED:
            self._try_many(tape)
        elif probe.kind.startswith(DEVIATION):
            self.try_tape(tape, delivery, kind=probe.kind)
        else:
            self.search(tape).try_each([delivery])

    def reads_plain_events(self) -> bool:
        """Whether two plain events are read. Where they aren't, nothing more can be told."""
        basic = PROBES[0]
        self.try_probe(basic)
        failure = self._findings.failures.pop(basic.kind, None)
        if failure is None:
            return True
        if LEAK in self._findings.failures:  # which explains it
            return False
        apart = Delivery(cuts="events")
        if self.judged(tape_of(basic.body), apart) is None:
            kind = cut_kinds.MERGED
            failure = replace(failure, kind=kind, sentence=cut_kinds.SENTENCES[kind])
        self._findings.add(failure)
        return False

    def try_tape(
        self, tape: Tape, delivery: Delivery = WHOLE, *, case: str = "", kind: str = ""
    ) -> bool:
        """Whether the parser is right about *tape* under *delivery*, as far as that can be told."""
        body = delivery.apply(tape).body
        if self.is_broken(body) or self._findings.left == 0:
            return False
        failure = self._findings.tried(self.judged(tape, delivery, case))
        if failure is None:
            return True
        if self._is_known(body, failure):
            return False
        needed = features("sse", body)
        self._settle(needed - {kind.removeprefix(DEVIATION)})
        if not self.is_broken(body):
            name = kind.removeprefix(DEVIATION) or name_of(needed)
            kind, sentence = DEVIATION + name, SENTENCES[name]
            if name == "mixed-eol" and self.judged(tape, replace(delivery, cuts="bytes")) is None:
                kind, sentence = cut_kinds.MIXED, cut_kinds.SENTENCES[cut_kinds.MIXED]
            self._findings.add(replace(failure, kind=kind, sentence=sentence))
        return False

    def try_promptness(self, tape: Tape, delivery: Delivery, case: str = "") -> None:
        """See that each event is out before the chunk after the one that completes it.

        Says nothing where events don't come one by one, or aren't right.
        """
        if LATE in self._findings.failures or self._findings.left == 0:
            return
        if self.is_broken(delivery.apply(tape).body):
            return
        failure = self._findings.tried(self._late(tape, delivery, case))
        if failure is not None:
            simple = (self._late(tape_of(p.body), Delivery(cuts=p.cuts)) for p in SIMPLY_LATE)
            simplest = next((one for one in simple if one is not None), failure)
            self._findings.add(replace(simplest, examples=failure.examples))

    def _late(self, tape: Tape, delivery: Delivery, case: str = "") -> Failure | None:
        delivered = delivery.apply(tape)
        chunks = [chunk.data for chunk in delivered.chunks]
        events, after_chunks = self.parsed(chunks)
        if isinstance(events, Exception) or after_chunks is None:
            return None
        if not self._shape.is_right(delivered.body, events):
            return None
        due = due_after(chunks)
        if all(one <= other for one, other in zip(after_chunks, due, strict=True)):
            return None
        expected = [Out(event, count) for event, count in zip(events, due, strict=True)]
        got = [Out(event, count) for event, count in zip(events, after_chunks, strict=True)]
        return Failure(LATE, delivery, expected, got, 0, _LATE_SENTENCE, case, tape)

    def _try_many(self, tape: Tape) -> None:
        """See that the events of *tape* are read where many of them come in one chunk."""
        if self._findings.left == 0:
            return
        failure = self._findings.tried(self.judged(tape))
        if failure is None:
            middle = frame_ends(tape.body)[FEWER[-1]]
            self.search(tape).try_each([Delivery(cuts=(middle,)), Delivery(cuts="events")])
            return
        for count in FEWER:
            fewer = self.judged(tape_of(tape.body[: frame_ends(tape.body)[count - 1]]))
            if fewer is not None:
                failure = replace(fewer, examples=failure.examples)
                break
        kind, sentence = PROBES[0].kind, SENTENCES["basic"]
        if self.judged(tape, Delivery(cuts="events")) is None:
            kind, sentence = cut_kinds.MERGED, cut_kinds.SENTENCES[cut_kinds.MERGED]
        self._findings.add(replace(failure, kind=kind, sentence=sentence))

    def _is_known(self, body: bytes, failure: Failure) -> bool:
        """Whether what is known to be broken is all that *failure* shows, by another way in."""
        expected, got = failure.expected, failure.got
        if not isinstance(expected, list) or not isinstance(got, list):
            return False
        if not self._findings.failures.keys().isdisjoint(_EMPTY_EVENTS):
            with_data = [[event for event in each if event.data] for each in (expected, got)]
            if with_data[0] == with_data[1] or self._shape.is_right(body, with_data[1]):
                return True
        # These cuts are lucky: it is the whole stream that is read in a wrong way.
        return self.is_broken(body) and self._shape.is_right(body, got)

    def _try_leak(self, broken_off: bytes) -> None:
        """See that nothing of *broken_off* shows in the stream after it."""
        if LEAK in self._findings.failures:
            return
        tape = tape_of(AFTERWARDS)
        before = self.parsed([AFTERWARDS]).events
        self.parsed([broken_off])
        after = self.parsed([AFTERWARDS]).events
        failure = None
        if after != before:
            self.parsed([b"\n\n"])  # uses up what is left over
            case = f"after {broken_off!r}"
            failure = Failure(LEAK, WHOLE, before, after, 0, LEAK_SENTENCE, case, tape)
        failure = self._findings.tried(failure)
        if failure is not None:
            self._findings.add(failure)

    def search(self, tape: Tape, case: str = "") -> Search:
        """A search for cuts of *tape* under which the parser gives another result than whole.

        Where it raises an exception on the whole body, nothing is said of its parts.
        """
        delivered_tape = Delivered(tape)

        def judge(delivery: Delivery) -> Failure | None:
            delivered = delivered_tape.by(delivery)
            if self._leaks_from(delivered.body):
                return None
            whole = self._result_whole(delivered.body)
            if isinstance(whole.events, Exception):
                return None
            got = self.parsed([chunk.data for chunk in delivered.chunks]).events
            if got == whole.events:
                return None
            failure = Failure("", delivery, whole.events, got, case=case, tape=tape)
            return None if self._is_known(delivered.body, failure) else failure

        return Search([tape], judge, self._findings)

    def judged(self, tape: Tape, delivery: Delivery = WHOLE, case: str = "") -> Failure | None:
        """The failure without a name, where the events are not those of the standard."""
        delivered = delivery.apply(tape)
        body = delivered.body
        got = self.parsed([chunk.data for chunk in delivered.chunks])
        if delivery.cuts == "whole":
            self._keep_whole(body, got)
        if not isinstance(got.events, Exception) and self._shape.is_right(body, got.events):
            return None
        expected = self._shape.expected(body)
        return Failure("", delivery, expected, got.events, case=case, tape=tape)

    def _result_whole(self, body: bytes) -> Parsed:
        if body not in self._whole:
            self._keep_whole(body, self.parsed([body] if body else []))
        return self._whole[body]

    def _keep_whole(self, body: bytes, parsed: Parsed) -> None:
        """Keep what *body* gave whole; of long ones the last only, to save memory."""
        if len(body) > _LONG:
            self._whole.pop(self._last_long, None)
            self._last_long = body
        self._whole[body] = parsed

    def _settle(self, names: frozenset[str]) -> None:
        """Try the probes of the classes *names*."""
        for probe in PROBES:
            if probe.kind.removeprefix(DEVIATION) in names:
                self.try_probe(probe)


def tape_of(body: bytes) -> Tape:
    """A tape of *body*, which is an event stream, whatever it looks like."""
    tape = Tape.of(body, cuts="whole")
    return tape if tape.framing == "sse" else replace(tape, framing="sse")


def due_after(chunks: Sequence[bytes]) -> list[int]:
    """For each event in *chunks* how many of them complete it."""
    decoder = Decoder()
    counts = [len(decoder.feed(chunk)) for chunk in chunks]
    return [number for number, count in enumerate(counts, 1) for _ in range(count)]
