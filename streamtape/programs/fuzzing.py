"""The search: as recorded twice, then under many deliveries, and what fails made small."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from streamtape.checks import Failure, Scorecard
from streamtape.checks.clients.scorecard import row_of_fault
from streamtape.checks.clients.verdicts import HANG, Verdict, inner_of
from streamtape.checks.failures import Findings
from streamtape.checks.search import Search
from streamtape.delivery import Delivery
from streamtape.delivery import faults as all_faults
from streamtape.programs.ahead import Ahead
from streamtape.programs.honesty import Honesty
from streamtape.programs.order import deliverable, in_order
from streamtape.programs.result import UNSTABLE, Result

if TYPE_CHECKING:
    from streamtape.delivery.change import Fault, Level
    from streamtape.programs.outcome import Outcome
    from streamtape.programs.program import Program
    from streamtape.tape import Tape

_UNSTABLE = "it failed once, and not when it was run again in the same way"


@dataclass(frozen=True)
class Plan:
    """How much to try.

    *runs* deliveries that keep the meaning, rewrites down to *level* among them (None: none),
    drawn by *seed* where chance draws; *jobs* runs at once; *shrink_runs* for each failure. And
    faults of every kind, where *faults* is true.
    """

    runs: int = 200
    jobs: int = 1
    shrink_runs: int = 100
    level: Level | None = None
    faults: bool = False
    seed: int = 0


class _Search(Search):
    """Makes sure of a failure before it makes it small. ``keeping`` meanwhile."""

    keeping = False

    def explains(self, delivery: Delivery) -> bool:
        """Whether a failure under *delivery* would be taken for one that was found before."""
        return self._explained(Failure("", delivery, None, None))

    def keep(self, failure: Failure) -> None:
        """As `Search.keep`, unless it doesn't fail again."""
        self.keeping = True
        try:
            if self._judge(failure.delivery) is None:
                self._findings.add(replace(failure, kind=UNSTABLE, sentence=_UNSTABLE))
            else:
                super().keep(failure)
        finally:
            self.keeping = False


class Fuzzing:
    """Runs *program* on *tapes*. ``result`` grows as it does, so it may be left at any time.

    *heard* is called after each run with what is being done and with how many of how many
    deliveries are tried.
    """

    def __init__(
        self,
        program: Program,
        tapes: Sequence[Tape],
        plan: Plan,
        heard: Callable[[str, int, int], object] = lambda *_: None,
    ) -> None:
        self.result = Result()
        self._program = program
        self._tapes = tuple(tapes)
        self._plan = plan
        self._heard = heard
        self._stop = threading.Event()
        self._ahead = Ahead(self._run, 1 if program.runs_alone else plan.jobs)
        self._findings = Findings(most=plan.runs)
        self._sure = _Search(
            self._tapes, self._judged, self._findings, shrink_budget=plan.shrink_runs
        )
        self._faults = self._chosen_faults()
        self._total = plan.runs + len(self._faults)

    def run(self) -> Result:
        """Do all of it. Raises OSError where the program can't be started."""
        with self._ahead.until_done(self._stop.set):
            if self._as_recorded():
                self._search()
                self._try_faults()
        return self.result

    def try_one(self, delivery: Delivery) -> Result:
        """Run it under *delivery* only, twice. Raises OSError where it can't be started."""
        with self._ahead.until_done(self._stop.set):
            if self._as_recorded():
                self._total = 2
                failures = [self._judged(delivery) for _ in range(2)]
                first = next((each for each in failures if each is not None), None)
                if first is not None and None in failures:
                    first = replace(first, kind=UNSTABLE, sentence=_UNSTABLE)
                self.result.failures += [] if first is None else [replace(first, examples=1)]
        return self.result

    # ---- runs

    def _run(self, delivery: Delivery) -> Outcome:
        return self._program.run(self._tapes, delivery, self._stop)

    def _tell(self, doing: str) -> None:
        self._heard(doing, self.result.runs + self.result.left_out, self._total)

    def _as_recorded(self) -> bool:
        """Whether it is worth going on."""
        result = self.result
        for _ in range(2):
            outcome = self._run(Delivery())
            result.recorded.append(outcome)
            result.other_runs += 1
            self._tell("as recorded")
            if outcome.end != "exit" or outcome.status != 0:
                result.problem = "fails as recorded"
            elif not outcome.answered:
                result.problem = "not asked"
            if result.problem is not None:
                break
        first, last = result.recorded[0], result.recorded[-1]
        if not first.equals(last):
            result.problem = "not deterministic"
        self._program = self._program.timed(result.recorded)
        return result.problem is None

    # ---- deliveries that keep the meaning

    def _search(self) -> None:
        some = in_order(self._tapes, level=self._plan.level, seed=self._plan.seed)
        try:
            self._sure.try_each(self._ahead.each(self._new(islice(some, self._plan.runs))))
        finally:
            self.result.failures += self._findings.failures.values()

    def _new(self, deliveries: Iterable[Delivery]) -> Iterator[Delivery]:
        """Those of *deliveries* that may show what is not known yet."""
        for delivery in deliveries:
            if self._sure.explains(delivery):
                self.result.left_out += 1
            else:
                yield delivery

    def _judged(self, delivery: Delivery) -> Failure | None:
        """The failure under *delivery*, which the search names."""
        if delivery.fault is not None:
            self._count()
            return self._judged_fault(delivery)[1]
        if not deliverable(delivery, self._tapes):  # the search for a small one may come to it
            return None
        outcome = self._ahead.outcome(delivery)
        self._count()
        if outcome.equals(self.result.recorded[0]):
            return None
        return Failure("", delivery, self.result.recorded[0], outcome, tape=self._tapes[0])

    def _count(self) -> None:
        searching = not self._sure.keeping
        self.result.runs += searching
        self.result.other_runs += not searching
        self._tell("deliveries" if searching else "making a failure small")

    # ---- faults

    def _chosen_faults(self) -> tuple[Fault, ...]:
        every = all_faults.every(self._streamed()) if self._plan.faults else ()
        # A server really waits, and longer than a program may run: that would be no news of it.
        return tuple(fault for fault in every if fault.name != "stall")

    def _streamed(self) -> Tape:
        """The tape that faults are chosen for, and judged by: the first one that is a stream."""
        return next((tape for tape in self._tapes if tape.framing != "raw"), self._tapes[0])

    def _try_faults(self) -> None:
        if not self._faults:
            return
        card = self.result.scorecard = Scorecard()
        found: set[tuple[str, str]] = set()
        hung: set[str] = set()

        def still(faults: Iterable[Fault]) -> Iterable[Delivery]:
            return (Delivery(fault=fault) for fault in faults if row_of_fault(fault) not in hung)

        for delivery in self._ahead.each(still(self._faults)):
            fault = delivery.fault
            assert fault is not None
            name = row_of_fault(fault)
            verdict, failure = self._judged_fault(delivery)
            self.result.runs += 1
            self._tell("faults")
            inner = inner_of(fault)
            if inner is not None and (row_of_fault(inner), verdict.outcome) in found:
                # It doesn't try again, and what it does then is known.
                card.note(name, f"as {row_of_fault(inner)}")
                continue
            if failure is not None and (name, verdict.outcome) not in found:
                again, _ = self._judged_fault(delivery)
                self.result.other_runs += 1
                if again != verdict:
                    failure = replace(failure, kind=UNSTABLE, sentence=_UNSTABLE)
                    verdict = again
                else:
                    found.add((name, verdict.outcome))
                self.result.failures.append(replace(failure, examples=self.result.runs))
            card.note(name, verdict)
            if verdict.failing == HANG:
                hung.add(name)
        card.sort()

    def _judged_fault(self, delivery: Delivery) -> tuple[Verdict, Failure | None]:
        assert delivery.fault is not None
        recorded = self.result.recorded[0]
        outcome = self._ahead.outcome(delivery)
        tape = self._streamed()
        verdict = Honesty(tape, recorded).verdict(outcome, delivery.fault)
        if not verdict.failing:
            return verdict, None
        kind = f"{row_of_fault(delivery.fault)}: {verdict.outcome}"
        sentence = delivery.fault.sentence
        return verdict, Failure(kind, delivery, recorded, outcome, sentence=sentence, tape=tape)
