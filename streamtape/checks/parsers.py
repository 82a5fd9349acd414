"""The check of parsers: are they right about any event stream, however it is cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from streamtape.checks.calling import Caller
from streamtape.checks.conformance import CASES
from streamtape.checks.drawing import drawn
from streamtape.checks.failures import Failure, Findings
from streamtape.checks.features import OF_CHANGES, SENTENCES, features
from streamtape.checks.invariance import try_invariance
from streamtape.checks.probes import (
    DEVIATION,
    LEAK,
    LONG,
    PROBES,
    STREAMS,
    TO_CUT,
)
from streamtape.checks.rules import AFTERWARDS, LEAK_SENTENCE, WHOLE, Rules, tape_of
from streamtape.checks.search import bounded, cuts_of_changed, key_of
from streamtape.checks.shapes import JSON_PROBE, PLAIN, PLAIN_PROBES, PROBE, Shape, shape_of
from streamtape.delivery import Delivery, contents, rewrites
from streamtape.delivery.order import systematic
from streamtape.delivery.seams import seams, spread
from streamtape.tape import Tape
from streamtape.wire.sse import BOM

_TWICE = (BOM + AFTERWARDS, AFTERWARDS)
"""Read before all others and once more after them. The first one opens the very first stream."""

_MOST_PAIRS = 150
"""So many pairs of seams are cut in each of the short streams: the first ones of each kind."""

_PIECES_OF_LONG = tuple(range(16_384, len(LONG), 16_384))


def check_parser(
    parse: Callable[[Any], Any],
    *,
    tapes: Tape | bytes | Iterable[Tape | bytes] = (),
    allow: Iterable[str] = (),
    examples: int | None = None,
) -> None:
    """Check that *parse* reads event streams as the WHATWG standard says, however they are cut.

    *parse* takes an iterator of bytes and returns its events, or yields them. An async function or
    async generator function gets an async iterator. An event is an object, a mapping or a tuple
    with its data and, where the parser tells them, its type and its ID; or it is the data alone.
    Where the parser yields, an event has to be out before the chunk after it is asked for. An ID
    called ``last_event_id`` must be the standard's; one called ``id`` may be the event's own. Of a
    parser that reads nothing but JSON only this is checked: that it makes the same of streams of
    JSON however they are delivered and written.

    *tapes*: event streams of your own, as tapes or bytes, which are tried beside the ones that are
    built in. *allow*: kinds of failure that are known; one that doesn't occur any more fails too.
    *examples*: so many are tried at most, for a parser that takes long; by default about 4,000, and
    for each of *tapes* up to 1,000 more.

    Raises `CheckFailed` with the first failure of each kind, and ValueError for a tape that is no
    event stream.
    """
    streams = _streams(tapes)
    findings = Findings(most=examples)
    key = f"check_parser {key_of(parse)}"
    with Caller(parse) as caller:
        fresh = {body: _made_of(caller, body) for body in _TWICE}
        shape = _shape(caller, findings)
        if isinstance(shape, Shape):
            shape = _without_leak(caller, shape, fresh, findings)
            _Check(Rules(caller, shape, findings), findings, key).run(streams)
        elif _understands(caller, JSON_PROBE, lambda items: "probe-more" in repr(items)):
            findings = _of_json_reader(caller, streams, key, examples)
        else:
            findings.add(shape)
    findings.verdict("check_parser", allow)


def _streams(tapes: Tape | bytes | Iterable[Tape | bytes]) -> list[Tape]:
    given = [tapes] if isinstance(tapes, (Tape, bytes)) else list(tapes)
    streams = [Tape.of(one) if isinstance(one, bytes) else one for one in given]
    for number, tape in enumerate(streams):
        if tape.framing != "sse":
            raise ValueError(
                f"tapes[{number}] is no event stream but {tape.framing!r}: this check compares with"
                " what the standard says of event streams. Use check_invariant for other bodies"
            )
    return streams


def _shape(caller: Caller, findings: Findings) -> Shape | Failure:
    """How the parser's events are read; or, where it reads no plain stream, the failure."""
    found: object = None
    for body in (PROBE, PLAIN):
        try:
            found = list(caller([body]).value)
        except Exception as exc:  # noqa: BLE001 - whatever the parser raises is what it got
            found = exc
        else:
            shape = shape_of(found)
            if shape is not None:
                return shape
    names = (name for name, body in PLAIN_PROBES if _understands(caller, body, shape_of))
    name = next(names, "basic")
    expected = ["probe-data", "probe-more"]
    failure = Failure(
        DEVIATION + name, WHOLE, expected, found, 0, SENTENCES[name], "", tape_of(PLAIN)
    )
    return findings.tried(failure) or failure


def _made_of(caller: Caller, body: bytes) -> list[Any] | type[Exception]:
    """What the parser makes of *body*; of an exception the class, since two are never equal."""
    try:
        return list(caller([body]).value)
    except Exception as exc:  # noqa: BLE001 - whatever the parser raises is what it got
        return type(exc)


def _without_leak(
    caller: Caller,
    shape: Shape,
    fresh: Mapping[bytes, list[Any] | type[Exception]],
    findings: Findings,
) -> Shape:
    """*shape*; without IDs where a stream that was read to its end shows in those after it.

    *fresh* are results from before: an ID or the place of a BOM, once kept, can't be undone.
    """
    for body, before in sorted(fresh.items()):  # the simpler one first
        first, then = (
            shape.read(made) if isinstance(made, list) else made
            for made in (before, _made_of(caller, body))
        )
        if first != then:
            case = f"after {PROBE!r}"
            failure = Failure(LEAK, WHOLE, first, then, 0, LEAK_SENTENCE, case, tape_of(body))
            findings.add(findings.tried(failure) or failure)
            return replace(shape, id=None)
    return shape


def _understands(caller: Caller, body: bytes, look: Callable[[list[Any]], object]) -> bool:
    """Whether *look* finds something in what the parser makes of *body*."""
    try:
        return bool(look(list(caller([body]).value)))
    except Exception:  # noqa: BLE001 - whatever it raises, it doesn't understand
        return False


def _of_json_reader(
    caller: Caller, streams: Iterable[Tape], key: str, most: int | None
) -> Findings:
    """What is found of a parser that reads JSON only: whether it depends on how that is delivered.

    The classes have the names that they have for any parser.
    """
    findings = Findings(most=most)
    for tape in (*map(Tape.of, STREAMS.values()), *streams):
        try_invariance(caller, tape, findings, key, level="payload", contents=True)
    named = Findings(findings.examples)
    for kind, failure in findings.failures.items():
        name = OF_CHANGES.get(kind, "")
        sentence = SENTENCES.get(name, failure.sentence)
        named.add(replace(failure, kind=DEVIATION + name if name else kind, sentence=sentence))
    return named


class _Check:
    """The parts of the check, from those that show most with few examples to the thorough ones."""

    def __init__(self, rules: Rules, findings: Findings, key: str) -> None:
        self._rules = rules
        self._findings = findings
        self._key = key

    def run(self, streams: Sequence[Tape]) -> None:
        """Try everything, and *streams* too."""
        if not self._rules.reads_plain_events():
            return
        for probe in PROBES:
            self._rules.try_probe(probe)
        for case in sorted(CASES, key=lambda case: (len(features("sse", case.body)), case.body)):
            self._rules.try_tape(tape_of(case.body), case=case.id)
        self._rules.search(tape_of(LONG)).try_each([Delivery(cuts=_PIECES_OF_LONG)])
        for each in TO_CUT:
            body = each.removeprefix(BOM) if self._rules.is_broken(_TWICE[0]) else each
            self._rules.search(tape_of(body)).try_each(_cuts_of_short(body))
        for case in CASES:
            self._rules.search(tape_of(case.body), case.id).try_each(_few_cuts(case.body))
        for name, body in STREAMS.items():
            self._try_stream(Tape.of(body), name)
        self._try_tapes(streams)
        self._try_random()

    def _try_stream(self, tape: Tape, case: str) -> None:
        """Try *tape* as it is, rewritten, and with other contents, each of them whole and cut."""
        tape = self._understood(tape)
        if not self._rules.try_tape(tape, Delivery(), case=case):
            return
        self._rules.try_promptness(tape, Delivery(cuts="events"), case)
        bases = [
            Delivery(cuts="events", rewrites=(rewrite,))
            for rewrite in rewrites.every(tape, "wire")
            if rewrite.name != "coding"  # a parser gets what is decoded
        ]
        bases += [Delivery(cuts="events", contents=(content,)) for content in contents.every(tape)]
        for base in bases:
            if self._rules.try_tape(tape, base, case=case):
                self._rules.try_promptness(tape, base, case)
                cut = bounded(systematic([tape], base), [base.apply(tape)])
                self._rules.search(tape, case).try_each(islice(cut, cuts_of_changed([tape])))

    def _understood(self, tape: Tape) -> Tape:
        """*tape*, or where it needs what is broken, a simpler form of it that may not."""
        for simpler in (rewrites.lf(), rewrites.space_after_colon()):
            if self._rules.is_broken(tape.body):
                tape = simpler.apply(tape)
        return tape

    def _try_random(self) -> None:
        """Try arbitrary streams, whole and cut, until one shows something new."""
        from hypothesis import strategies as st

        from streamtape import strategies

        first: list[int] = []

        def fails(example: tuple[bytes, tuple[int, ...]]) -> bool:
            body, cuts = example
            tape = tape_of(body)
            if self._rules.is_broken(body):
                return False
            found = (
                self._findings.tried(self._rules.judged(tape)) is not None
                or self._rules.search(tape).new_failure(Delivery(cuts=cuts)) is not None
            )
            if found:
                first.append(self._findings.examples)
            return found

        example = drawn(
            strategies.streams().flatmap(
                lambda stream: st.tuples(st.just(stream.body), strategies.cuts(stream.body))
            ),
            fails,
            key=f"{self._key} streams",
            shrink=True,
            most=self._findings.left,
        )
        if example is not None:
            # Shrinking tried many more.
            self._findings.examples = first[0] - 1
            body, cuts = example
            if self._rules.try_tape(tape_of(body), case="a random stream"):
                self._rules.search(tape_of(body)).try_each([Delivery(cuts=cuts)])

    def _try_tapes(self, tapes: Sequence[Tape]) -> None:
        """Try each of *tapes*, then random deliveries of all."""
        for number, tape in enumerate(tapes):
            self._try_stream(tape, _name(number, tape))
            self._rules.search(tape, _name(number, tape)).try_systematic()
        from streamtape import strategies

        for number, tape in enumerate(tapes):
            search = self._rules.search(tape, _name(number, tape))
            search.try_random(strategies.deliveries(tape), key=f"{self._key} {_name(number, tape)}")


def _name(number: int, tape: Tape) -> str:
    return tape.request.url if tape.request else f"tapes[{number}]"


def _cuts_of_short(body: bytes) -> Iterator[Delivery]:
    """One byte at a time, every single cut, an empty chunk at each, every two seams."""
    yield from _few_cuts(body)
    for offset in range(len(body) + 1):
        yield Delivery(cuts=(offset,))
    offsets = [offset for offset, _ in spread(seams(body))]
    for offset in (0, *offsets):
        yield Delivery(cuts=(offset, offset))
    pairs = ((one, other) for n, other in enumerate(offsets) for one in offsets[:n])
    for pair in islice(pairs, _MOST_PAIRS):
        yield Delivery(cuts=tuple(sorted(pair)))


def _few_cuts(body: bytes) -> Iterator[Delivery]:
    """One byte at a time, and the same with an empty chunk after each."""
    yield Delivery(cuts="bytes")
    yield Delivery(cuts=tuple(sorted([*range(len(body) + 1)] * 2)))
