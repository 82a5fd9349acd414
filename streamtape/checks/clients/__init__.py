"""The check of HTTP clients and SDKs: right under every delivery, honest under every fault."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any

from streamtape import providers
from streamtape.checks.clients.likeness import plain
from streamtape.checks.clients.recorded import recorded_result
from streamtape.checks.clients.running import Outcome, Runner
from streamtape.checks.clients.scorecard import (
    ClientFailed,
    Expected,
    Row,
    Scorecard,
    expected_failings,
    is_expected,
    row_of,
    row_of_fault,
)
from streamtape.checks.clients.verdicts import (
    FAILINGS,
    HANG,
    LEAK,
    NOT_ASKED,
    Judge,
    Verdict,
    inner_of,
)
from streamtape.checks.failures import Failure, Findings
from streamtape.checks.search import Search, in_order
from streamtape.clients.certificates import loaded_late
from streamtape.delivery import Delivery
from streamtape.delivery import faults as all_faults
from streamtape.delivery.contents import substitutions
from streamtape.delivery.order import told_anew

if TYPE_CHECKING:
    from streamtape.delivery.change import Content, Fault
    from streamtape.tape import Tape

__all__ = ["Row", "Scorecard", "check_client"]

MOST = 1_000
"""So many deliveries that keep the meaning are tried, unless the caller says otherwise."""

CONNECTION = "connection"
REQUESTS = "requests"
AFTERWARDS = "as recorded, afterwards"
"""Rows of the scorecard that are no kind of delivery."""


def check_client(  # noqa: PLR0913 - each of them is a choice of its own
    run: Callable[[], Any],
    tape: Tape,
    *,
    faults: bool | Iterable[Fault] = True,
    within: float = 5.0,
    expect: Expected | None = None,
    rewrites: bool = True,
    contents: bool = False,
    errors: type[BaseException] | tuple[type[BaseException], ...] = (),
    examples: int = MOST,
) -> Scorecard:
    """Check that *run* gives one result however *tape* is delivered, and says so where it breaks.

    *run* is a function or a coroutine function that uses an HTTP client, takes nothing and returns
    what it read, as anything that ``==`` compares or that holds values in its fields. It is called
    once for each delivery; the tape answers whatever it asks for. What is expected is its own
    result under the tape as recorded. Turn retries off in the client (``max_retries=0``), or wait
    for its back-off each time.

    Where the meaning stays (cuts, and *rewrites* of the wire and of JSON, whose text is compared as
    what it says), or where other *contents* come, an equal result is right; of contents that is the
    recorded result with the texts replaced. Under each of *faults* (True: `faults.every`) an equal
    result is right, or an error of the client's own, or what the fault allows beside. Wrong is, by
    name: ``"silent truncation"``, ``"foreign exception"``, ``"hang"`` (not finished *within* so
    many seconds, twice), ``"duplicated text"``, ``"connection leaked"``, ``"other result"``, ``"not
    asked"`` (it sent no request, so its result says nothing), and ``"needless error"`` under a
    delivery that keeps the meaning.

    An exception is the client's own unless its class comes from the standard library, pydantic or a
    library for JSON; *errors* are classes that are its own too. So are those of the HTTP library
    that it stands on, built-in timeouts and connection errors. *examples*: so many deliveries
    beside the faults are tried at most.

    *expect*: a scorecard of an earlier time, its `as_dict()`, or a mapping of the kinds of delivery
    that go wrong to how. Then only a change fails: a new failing, or one that no longer occurs.

    Returns the `Scorecard`. Raises `CheckFailed` with each failing's smallest example and with the
    ``scorecard``, and ValueError where *run* raises or hangs under the tape as recorded, gives two
    results, or sends no request that the tape could answer.
    """
    expected = expected_failings(expect)
    given = errors if isinstance(errors, tuple) else (errors,)
    chosen = all_faults.every(tape) if faults is True else faults or ()
    meaning = in_order(
        [tape], level="payload" if rewrites else None, contents=contents, codings=rewrites
    )
    with loaded_late():  # run may make a client each time
        check = _Check(Runner(run, tape, within), tape, given)
        check.try_in_turn(islice(meaning, examples), chosen)
    return check.verdict(expected)


class _Check:
    """One check of one client on one tape."""

    def __init__(self, runner: Runner, tape: Tape, errors: tuple[type[BaseException], ...]) -> None:
        self._runner = runner
        self._tape = tape
        self._provider = providers.detect(event for _, event in tape.events())
        self._failures: dict[tuple[str, str], Failure] = {}
        self._hung: set[str] = set()
        self._card = Scorecard(provider=self._provider or providers.GENERIC)
        self._findings = Findings()
        self._recorded = recorded_result(self._run, errors)
        self._judge = Judge(tape, self._recorded, errors)
        self._search = Search([tape], self._judged, self._findings)
        self._expected = lru_cache(maxsize=64)(self._with_contents)

    def try_in_turn(self, meaning: Iterable[Delivery], faults: Iterable[Fault]) -> None:
        """Try a delivery and a fault, then the next of each, so that neither has to wait."""
        turns = zip_longest(meaning, faults)
        for delivery, fault in turns:
            if delivery is not None and row_of(delivery) not in self._hung:
                self._search.try_each([delivery])
            if fault is not None and row_of_fault(fault) not in self._hung:
                self._try_fault(fault)
        self._again()

    def verdict(self, expected: list[tuple[str, str]]) -> Scorecard:
        """The scorecard. Raises `CheckFailed` where it is not as *expected*."""
        for kind, failure in self._findings.failures.items():
            verdict = self._of_equal(failure)
            told = f"{verdict.outcome}; {failure.sentence}" if failure.sentence else verdict.outcome
            self._add(kind, verdict, replace(failure, sentence=told))
        if not any(row.name == CONNECTION for row in self._card.rows):
            self._card.note(CONNECTION, "closed", 0)
        self._card.sort()
        unexpected = [
            failure
            for (name, outcome), failure in self._failures.items()
            if not any(name == where and is_expected(what, outcome) for where, what in expected)
        ]
        gone = [
            f"{where}: {what}"
            for where, what in expected
            if not any(
                name == where and is_expected(what, outcome) for name, outcome in self._failures
            )
        ]
        if unexpected or gone:
            unexpected.sort(key=lambda failure: failure.examples)
            raise ClientFailed(self._card, unexpected, gone)
        return self._card

    # ---- the tape as recorded, once more

    def _again(self) -> None:
        """Nothing of a stream that broke may be left in the client."""
        outcome = self._run(Delivery())
        if outcome.unasked:
            return
        verdict = self._judge.of_equal(outcome, self._recorded)
        self._card.note(AFTERWARDS, verdict)
        if verdict.failing:
            failure = self._failure(verdict, Delivery(), self._recorded, outcome)
            sentence = "after all the others the stream as recorded gives another result"
            self._add(AFTERWARDS, verdict, replace(failure, sentence=sentence))

    # ---- deliveries that keep the meaning, and contents

    def _judged(self, delivery: Delivery) -> Failure | None:
        """The failure under *delivery*, which the search names."""
        expected, as_json = self._recorded, any(r.level != "wire" for r in delivery.rewrites)
        if delivery.contents:
            expected, as_json = self._expected(delivery.contents), True
        outcome = self._run(delivery)
        if outcome.unasked:
            return None
        verdict = self._judge.of_equal(outcome, expected, as_json=as_json)
        if not verdict.failing:
            self._card.note(row_of(delivery), verdict)
            return None
        if verdict.failing == HANG:
            self._hung.add(row_of(delivery))
        return replace(self._failure(verdict, delivery, expected, outcome), kind="")

    def _of_equal(self, failure: Failure) -> Verdict:
        """The verdict that led to *failure*."""
        as_json = bool(failure.delivery.contents) or any(
            rewrite.level != "wire" for rewrite in failure.delivery.rewrites
        )
        got = failure.got
        outcome = Outcome(error=got) if isinstance(got, BaseException) else Outcome(got)
        return self._judge.of_equal(outcome, failure.expected, as_json=as_json)

    def _with_contents(self, contents: tuple[Content, ...]) -> object:
        """The recorded result with other texts; where it shows none, what comes of the stream."""
        other = told_anew(self._tape, Delivery(contents=contents))
        became = substitutions(self._tape, other)
        expected = plain(self._recorded, as_json=True, became=became)
        if expected != plain(self._recorded, as_json=True):
            return expected
        outcome = self._run(Delivery(contents=contents))
        return outcome.value if outcome.error is None else outcome.error

    # ---- faults

    def _try_fault(self, fault: Fault) -> None:
        delivery = Delivery(fault=fault)
        outcome = self._run(delivery)
        self._findings.tried(None)
        if outcome.unasked:
            return
        verdict = self._judge.of_fault(outcome, fault, self._provider)
        name = row_of_fault(fault)
        inner = inner_of(fault)
        if inner is not None and (row_of_fault(inner), verdict.outcome) in self._failures:
            # It doesn't try again, and what it does then is known.
            self._card.note(name, f"as {row_of_fault(inner)}")
            return
        self._card.note(name, verdict)
        if verdict.failing:
            failure = self._failure(verdict, delivery, self._recorded, outcome)
            self._add(name, verdict, replace(failure, sentence=fault.sentence))
        if verdict.failing == HANG:
            self._hung.add(name)

    # ---- what is found

    def _run(self, delivery: Delivery) -> Outcome:
        outcome = self._runner.under(delivery)
        if outcome.left_open and not outcome.hung:
            left = f"{outcome.left_open} left open"
            self._beside(CONNECTION, LEAK, delivery, ("every response stream closed", left))
        if outcome.unasked:
            self._beside(REQUESTS, NOT_ASKED, delivery, ("a request", "none"))
        return outcome

    def _beside(self, name: str, kind: str, delivery: Delivery, told: tuple[str, str]) -> None:
        """Note what is wrong with a run whatever its result: *told* are what was due and came."""
        failure = Failure(kind, delivery, *told, sentence=FAILINGS[kind], tape=self._tape)
        failure = replace(failure, examples=self._findings.examples + 1)
        self._add(name, Verdict(kind, kind), failure)

    def _failure(
        self, verdict: Verdict, delivery: Delivery, expected: object, outcome: Outcome
    ) -> Failure:
        got = outcome.value if outcome.error is None else outcome.error
        return Failure(
            verdict.failing,
            delivery,
            expected,
            got,
            examples=self._findings.examples,
            tape=self._tape,
        )

    def _add(self, name: str, verdict: Verdict, failure: Failure) -> None:
        self._card.note(name, verdict, 0)
        self._failures.setdefault((name, verdict.outcome), failure)
