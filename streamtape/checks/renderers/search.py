"""Which pieces a renderer is given, and the fewest and shortest that still show a failure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any

from streamtape.checks.renderers.judging import CHUNKING, EXACT, Judge
from streamtape.checks.renderers.session import so_far
from streamtape.checks.renderers.source import cut_at
from streamtape.checks.search import MAX_DELIVERIES, SHRINK_BUDGET, drawn
from streamtape.clock import now_ns
from streamtape.delivery.shrinking import ddmin

if TYPE_CHECKING:
    from streamtape.checks.failures import Failure, Findings
    from streamtape.checks.renderers.session import Run
    from streamtape.checks.renderers.source import Source

MAX_FRAMES = 2_000
"""A renderer is looked at so many times in one run: of more pieces not after each."""

SEARCH_S = 10.0
"""So long cuts are tried. A terminal application takes a tenth of a second for each."""

SHRINK_S = 6.0
"""So long one failure is made small."""

DRAWN = 60
"""So many cuts are drawn: those that one cut shows have been tried by then."""

_S = 1_000_000_000
_SHORT = 120
"""A text that is down to so many characters is made smaller by the character."""

_ATOMS = (re.compile(r"[^\n]*\n|[^\n]+"), re.compile(r"\s+|\w+|[^\w\s]"), re.compile(r"(?s)."))


class Search:
    """Tries a stream in many cuts on *judge*, and puts what fails into *findings*."""

    def __init__(self, judge: Judge, source: Source, findings: Findings) -> None:
        self._judge = judge
        self._source = source
        self._findings = findings
        self._ends_ns = 0
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
        self._ends_ns = now_ns() + round(SEARCH_S * _S)
        each_ns = run_ns / len(self._source.recorded)
        for tried, pieces in enumerate(self._systematic(each_ns)):
            if now_ns() > self._ends_ns:
                self.not_judged[CHUNKING] = f"{tried} cuts tried in {SEARCH_S:g} s, not all"
                return
            self._try(pieces)
            if tried > 2 and CHUNKING in self._findings.failures:
                return
        self._random(key)

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

        def fails(cuts: Sequence[int]) -> bool:
            if now_ns() > self._ends_ns:
                return False
            found = self._judge.judged(source.cut(cuts))
            self._findings.examples += 1
            self._found(found)
            return CHUNKING in found

        drawn(source.strategy(), fails, key=key, most=DRAWN)

    def _try(self, pieces: Sequence[Any]) -> None:
        self._findings.examples += 1
        self._found(self._judge.judged(pieces))

    def _found(self, failures: dict[str, Failure], *, recorded: bool = False) -> None:
        for kind, failure in failures.items():
            if kind not in self._findings.failures:
                first = replace(failure, examples=self._findings.examples)
                small = _Smaller(self._judge, self._source, kind, recorded=recorded).of(first)
                self._findings.add(replace(small, examples=first.examples))


class _Smaller:
    """Makes the example of one failure small: fewer pieces first, then less text."""

    def __init__(self, judge: Judge, source: Source, kind: str, *, recorded: bool) -> None:
        self._judge = judge
        self._source = source
        self._kind = kind
        self._recorded = recorded
        self._left = SHRINK_BUDGET
        self._ends_ns = now_ns() + round(SHRINK_S * _S)
        self._best: Failure | None = None

    def of(self, failure: Failure) -> Failure:
        """*failure*, or the same with less."""
        self._best = failure
        pieces = failure.pieces or ()
        if self._source.unit == "event":
            if self._kind in EXACT:
                self._fails(pieces)
            elif self._kind == CHUNKING:
                at = range(1, self._source.length)
                ddmin(at, lambda cuts: self._fails(self._source.cut(cuts)))
            return self._best
        whole = so_far(pieces, len(pieces))
        sizes = [len(piece) for piece in self._best.pieces or () if isinstance(piece, str | bytes)]
        ends = tuple(accumulate(sizes))[:-1]
        ddmin(ends, lambda cuts: self._fails(cut_at(whole, cuts)))
        if not _is_json(self._source.text):
            for atoms in _ATOMS:
                self._drop(atoms)
        return self._best

    def _drop(self, pattern: re.Pattern[str]) -> None:
        """Leave out what is not needed of the text in the pieces: lines, words, characters."""
        pieces = (self._best and self._best.pieces) or ()
        if not all(isinstance(piece, str) for piece in pieces):
            return
        texts = [str(piece) for piece in pieces]
        if pattern is _ATOMS[-1] and sum(map(len, texts)) > _SHORT:
            return
        atoms = [(n, atom) for n, text in enumerate(texts) for atom in pattern.findall(text)]

        def rebuilt(some: Iterable[tuple[int, str]]) -> list[str]:
            left = ["" for _ in texts]
            for number, atom in some:
                left[number] += atom
            return [new for old, new in zip(texts, left, strict=True) if new or not old]

        ddmin(atoms, lambda some: self._fails(rebuilt(some)))

    def _fails(self, pieces: Sequence[Any]) -> bool:
        self._left -= 1
        if self._left < 0 or now_ns() > self._ends_ns:
            return False
        again = self._judge.judged(pieces, recorded=self._recorded).get(self._kind)
        if again is None:
            return False
        self._best = again
        return True


def _is_json(text: object) -> bool:
    """Whether *text* is a JSON object or array: with less of it, it would be none."""
    if not isinstance(text, str) or text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
