"""Which pieces a renderer is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from streamtape.checks.drawing import drawn
from streamtape.checks.renderers.budget import Budget
from streamtape.checks.renderers.judging import CHUNKING, CONVERGES, Judge
from streamtape.checks.renderers.session import so_far
from streamtape.checks.renderers.smaller import Smaller
from streamtape.checks.renderers.source import Source
from streamtape.checks.renderers.telling import RendererFailure
from streamtape.checks.search import MAX_DELIVERIES

if TYPE_CHECKING:
    from streamtape.checks.failures import Failure, Findings
    from streamtape.checks.renderers.session import Run

MAX_FRAMES = 2_000
"""A renderer is looked at so many times in one run: of more pieces not after each."""

SEARCH_S = 10.0
"""So long cuts are tried. A terminal application takes a tenth of a second for each."""

SHRINK_S = 30.0
"""So long the first failure is made small, and so long all others are."""

DRAWN = 60
"""So many cuts are drawn: those that one cut shows have been tried by then."""

_MORE = 0.2
"""Once the cuts matter, other kinds of failure are looked for in so much of the time."""

_S = 1_000_000_000


class Search:
    """Tries a stream in many cuts on *judge*, and puts what fails into *findings*."""

    def __init__(self, judge: Judge, source: Source, findings: Findings) -> None:
        self._judge = judge
        self._source = source
        self._findings = findings
        self._first: dict[str, tuple[Failure, bool]] = {}
        """The example with the fewest pieces of each kind; and whether they are those recorded."""
        self._budget = Budget(SEARCH_S)
        self._is_brief = False
        self.not_judged: dict[str, str] = {}

    def recorded(self) -> Run:
        """Try nothing at all, and then the pieces as they came, at their times."""
        source = self._source
        self._try(())
        every = -(-len(source.recorded) // MAX_FRAMES)
        if every > 1:
            self.not_judged["frames"] = f"{len(source.recorded):,} pieces: one frame for {every}"
        run = self._judge.run(source.recorded, times=source.times, every=every)
        self._found(self._judge.judged(source.recorded, recorded=True, run=run), recorded=True)
        return run

    def cuts(self, run_ns: int, key: str) -> None:
        """Try other cuts, for some time; *run_ns*: how long the recorded pieces took."""
        self._budget = Budget(SEARCH_S)
        each_ns = run_ns / len(self._source.recorded)
        for tried, pieces in enumerate(self._systematic(each_ns)):
            if not self._budget.is_left:
                self.not_judged[CHUNKING] = f"{tried} cuts tried in {SEARCH_S:g} s, not all"
                return
            self._try(pieces)
            if tried > 2 and CHUNKING in self._first and not self._is_brief:
                self._is_brief = True
                self._budget = Budget(SEARCH_S * _MORE)
        self._random(key)

    def shrunk(self) -> None:
        """Make what was found small."""
        also: Failure | None = None
        lines: tuple[str, ...] = ()
        for number, (kind, (first, recorded)) in enumerate(self._first.items()):
            budget = Budget(SHRINK_S if number == 0 else SHRINK_S / (len(self._first) - 1))
            same_as = ""
            if kind == CHUNKING and also is not None:
                small = self._elsewhere(also, lines, budget)
                same_as = CONVERGES if small.pieces == also.pieces else ""
            else:
                smaller = Smaller(self._judge, self._source, kind, budget, recorded=recorded)
                small = smaller.of(first)
                if kind == CONVERGES:
                    also, lines = smaller.also.get(CHUNKING), smaller.lines
            told = RendererFailure.of(small, same_as)
            self._findings.add(replace(told, examples=first.examples))

    def _elsewhere(self, known: Failure, lines: Sequence[str], budget: Budget) -> Failure:
        """Another failure by the cuts, in what is left of the text without *lines*; or *known*.

        A text often has more than one thing that cuts hurt, and one example hides the others.
        """
        text = self._source.text if lines else ""
        for line in lines:
            text = text.replace(line, "", 1)
        if not text.strip():
            return known
        rest = Source(None, [text], "text")
        brief = Budget(SEARCH_S * _MORE)
        by_line = [at for at, char in enumerate(text, start=1) if char == "\n"]
        single = ([offset] for offset in rest.hurting(MAX_DELIVERIES // 4))
        for cuts in chain([by_line], single):
            if not brief.is_left:
                return known
            found = self._judge.judged(rest.cut(cuts)).get(CHUNKING)
            if found is not None:
                return Smaller(self._judge, rest, CHUNKING, budget, recorded=False).of(found)
        return known

    def _systematic(self, each_ns: float) -> Iterator[Sequence[Any]]:
        source, length = self._source, self._source.length
        most = min(MAX_FRAMES, round(SEARCH_S / 4 * _S / each_ns) + 1)
        yield source.cut(())
        yield source.cut(range(1, min(length, most)))
        if source.unit != "event":
            some, rest = source.recorded[:most], source.recorded[most:]
            apart = list(chain.from_iterable((piece[:0], piece) for piece in some))
            yield [*apart, so_far(rest, len(rest))] if rest else apart
            yield source.cut((0, length))
        for offset in source.hurting(MAX_DELIVERIES):
            yield source.cut((offset,))

    def _random(self, key: str) -> None:
        source = self._source
        known = set(self._first)

        def fails(cuts: Sequence[int]) -> bool:
            if not self._budget.is_left:
                return False
            found = self._judge.judged(source.cut(cuts))
            self._findings.examples += 1
            self._found(found)
            return not known.issuperset(found)

        drawn(source.strategy(), fails, key=key, most=DRAWN)

    def _try(self, pieces: Sequence[Any]) -> None:
        self._findings.examples += 1
        self._found(self._judge.judged(pieces))

    def _found(self, failures: dict[str, Failure], *, recorded: bool = False) -> None:
        for kind, failure in failures.items():
            best, was_recorded = self._first.get(kind, (None, recorded))
            if best is None:
                new = replace(failure, examples=self._findings.examples)
                self._first[kind] = new, recorded
            elif was_recorded >= recorded and len(failure.pieces or ()) < len(best.pieces or ()):
                self._first[kind] = replace(failure, examples=best.examples), recorded
