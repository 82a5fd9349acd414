"""The engine of the checks: which deliveries are tried, and what is made of one that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING, TypeVar

from streamtape.checks import cut_kinds
from streamtape.checks.drawing import drawn, least
from streamtape.checks.features import features
from streamtape.delivery import Delivery, rewrites
from streamtape.delivery import contents as all_contents
from streamtape.delivery.change import Content, Middlebox, Rewrite
from streamtape.delivery.order import AS_RECORDED, systematic, told_anew
from streamtape.delivery.shrinking import shrunk

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from streamtape.checks.failures import Failure, Findings
    from streamtape.delivery.change import Level
    from streamtape.tape import Tape

T = TypeVar("T")
Judge = Callable[[Delivery], "Failure | None"]
"""What a delivery leads to: None where the client is right. ``kind`` may be empty: the search then
names the failure by the cuts or the rewrites that it takes."""

MAX_DELIVERIES = 400
"""So many deliveries of a systematic order are tried. Those that show most come first."""

MAX_BYTES = 32_000_000
"""And only until so many bytes were delivered: 1.6 MB are delivered 20 times."""

MAX_BYTEWISE = 16_384
"""A body longer than this is never delivered one byte at a time: where each chunk costs a client
time in proportion to what came before, that would take minutes."""

_CUTS_OF_CHANGED = 24
"""So many cuts are tried of each rewritten stream, the first seams of each kind; fewer where the
body is so long that fewer than `MAX_DELIVERIES` are tried of that."""

SHRINK_BUDGET = 200
"""So many runs may be spent on making one failure small, unless it is said how many."""


_UNSTABLE = "the same chunks give one result now and another one then"


class Search:
    """Tries deliveries of *tapes* on *judge*, and puts what fails into *findings*, by its kind.

    A failure whose delivery holds what a kind already found needs is taken for the same one. So
    many runs as *shrink_budget* says may be spent on making each small.
    """

    def __init__(
        self,
        tapes: Iterable[Tape],
        judge: Judge,
        findings: Findings,
        *,
        shrink_budget: int = SHRINK_BUDGET,
    ) -> None:
        self._tapes = tuple(tapes)
        self._shrink_budget = shrink_budget
        self._judge = judge
        self._findings = findings

    def try_each(self, deliveries: Iterable[Delivery]) -> None:
        """Try *deliveries* in order, and keep the first failure of each kind, made small."""
        for delivery in deliveries:
            if self._findings.left == 0:
                return
            failure = self.new_failure(delivery)
            if failure is not None:
                self.keep(failure)

    def try_systematic(self, base: Delivery = AS_RECORDED) -> None:
        """Try *base* with other cuts: as `systematic` orders them, up to the bounds above."""
        self.try_each(bounded(systematic(self._tapes, base), self._tapes))

    def try_random(self, strategy: SearchStrategy[Delivery], *, key: str) -> None:
        """Try what *strategy* draws, as `drawn` does, until something new fails."""
        failures: list[Failure] = []

        def fails(delivery: Delivery) -> bool:
            failure = self.new_failure(delivery)
            if failure is not None:
                failures.append(failure)
            return failure is not None

        most = most_deliveries(self._tapes)
        drawn(strategy, fails, key=key, most=least(most, self._findings.left))
        if failures:
            self.keep(failures[0])

    def new_failure(self, delivery: Delivery) -> Failure | None:
        """The failure under *delivery*, unless what was found before explains it."""
        failure = self._findings.tried(self._judge(delivery))
        return None if failure is None or self._explained(failure) else failure

    def keep(self, failure: Failure) -> None:
        """Make *failure* small, name it if its judge hasn't, and put it into the findings."""
        alike = self._fails_alike(failure)
        small = shrunk(failure.delivery, self._tapes, alike, self._shrink_budget)
        again = self._judge(small)
        if again is None:
            again = replace(failure, delivery=small, kind="unstable", sentence=_UNSTABLE)
        elif not again.kind:
            again = self._named(again)
        self._findings.add(replace(again, examples=failure.examples))

    def _fails_alike(self, failure: Failure) -> Callable[[Delivery], bool]:
        def fails(delivery: Delivery) -> bool:
            other = self._judge(delivery)
            if other is None or other.kind != failure.kind:
                return False
            # A failure of a class already found is simpler, and another one.
            return bool(other.kind) or not self._explained(other)

        return fails

    def _named(self, failure: Failure) -> Failure:
        delivery = failure.delivery
        kinds = self._kinds(delivery)
        if not kinds:
            return _named_by_change(failure)
        told = [told_anew(tape, delivery) for tape in self._tapes]
        kind = cut_kinds.name_of(kinds)
        for cuts, cause in cut_kinds.simpler_causes(told, kinds):
            simpler = self._judge(replace(delivery, cuts=cuts))
            if simpler is not None:
                failure, kind = simpler, cause
                break
        return replace(failure, kind=kind, sentence=cut_kinds.SENTENCES[kind])

    def _explained(self, failure: Failure) -> bool:
        """Whether what was found before may be the reason for *failure*."""
        found = self._findings.failures
        if failure.kind:
            return failure.kind in found
        changes = (*failure.delivery.rewrites, *failure.delivery.contents)
        return (
            any(kind in found for kind in self._kinds(failure.delivery))
            or any(_name(change.family, change.name) in found for change in changes)
            or self._needs_what_is_broken(failure.delivery)
        )

    def _needs_what_is_broken(self, delivery: Delivery) -> bool:
        """Whether *delivery* adds every feature to the streams that one which fails adds."""
        if not delivery.rewrites and not delivery.contents:
            return False
        families = tuple(_name(kind.family, "") for kind in (Rewrite, Content))
        broken = (
            self._added(one.delivery)
            for kind, one in self._findings.failures.items()
            if kind.startswith(families)
        )
        added = self._added(delivery)
        return any(one and one <= added for one in broken)

    def _added(self, delivery: Delivery) -> frozenset[str]:
        """The features that the streams have when told as *delivery* tells them, and else not."""
        found: set[str] = set()
        for tape in self._tapes:
            told = told_anew(tape, delivery)
            found |= features(told.framing, told.body) - features(tape.framing, tape.body)
        return frozenset(found)

    def _kinds(self, delivery: Delivery) -> frozenset[str]:
        """The kinds that the cuts of *delivery* may show; none where they are as recorded."""
        if delivery.cuts == "recorded":
            return frozenset()
        if isinstance(delivery.cuts, Middlebox):
            at_once = replace(delivery, pace="instant", fault=None)
            return cut_kinds.kinds_of([at_once.apply(tape) for tape in self._tapes], "recorded")
        told = [told_anew(tape, delivery) for tape in self._tapes]
        return cut_kinds.kinds_of(told, delivery.cuts)


def in_order(
    tapes: Sequence[Tape],
    *,
    level: Level | None = None,
    contents: bool = False,
    codings: bool = False,
) -> Iterator[Delivery]:
    """The deliveries that keep the meaning, in the order to try them. None comes twice.

    Those that show most come first, one change at a time: cuts, and between them the rewrites (down
    to *level*; None means none, *codings* whether content codings are among them) and contents,
    each as recorded. Then each change with cuts, and last all other seams.
    """
    return _in_order(tapes, level, contents=contents, codings=codings)


def _in_order(
    tapes: Sequence[Tape], level: Level | None, *, contents: bool, codings: bool
) -> Iterator[Delivery]:
    changed = _changed(tapes, level, codings=codings) if level else []
    if contents:
        every = dict.fromkeys(content for tape in tapes for content in all_contents.every(tape))
        other = [Delivery(contents=(content,)) for content in every]
        turns = chain.from_iterable(zip_longest(changed, other))
        changed = [one for one in turns if one is not None]
    cuts = bounded(systematic(tapes), tapes)
    yield from islice(cuts, 3)
    for base in changed:
        yield base
        yield from islice(cuts, 1)
    for base in changed if cuts_of_changed(tapes) else ():
        told = [told_anew(tape, base) for tape in tapes]
        yield from islice(bounded(systematic(tapes, base), told), cuts_of_changed(tapes))
    yield from cuts


def cuts_of_changed(tapes: Iterable[Tape]) -> int:
    """How many cuts are worth their time in each of the many forms that *tapes* may have."""
    return most_deliveries(tapes) * _CUTS_OF_CHANGED // MAX_DELIVERIES


def _changed(tapes: Sequence[Tape], level: Level, *, codings: bool) -> list[Delivery]:
    found = dict.fromkeys(rewrite for tape in tapes for rewrite in rewrites.every(tape, level))
    return [Delivery(rewrites=(one,)) for one in found if codings or one.name != "coding"]


def key_of(function: Callable[..., object]) -> str:
    """A name for *function* that stays from run to run."""
    module = getattr(function, "__module__", "")
    return f"{module}.{getattr(function, '__qualname__', type(function).__qualname__)}"


def bounded(deliveries: Iterable[Delivery], tapes: Sequence[Tape]) -> Iterator[Delivery]:
    """The first of *deliveries*, as many as are worth their time for bodies as long as *tapes*'."""
    length = sum(len(tape.body) for tape in tapes)
    left = most_deliveries(tapes)
    for delivery in deliveries:
        if delivery.cuts == "bytes" and length > MAX_BYTEWISE:
            continue
        if left == 0:
            return
        left -= 1
        yield delivery


def most_deliveries(tapes: Iterable[Tape]) -> int:
    """How many deliveries are worth their time for bodies as long as those of *tapes*."""
    length = sum(len(tape.body) for tape in tapes)
    return min(MAX_DELIVERIES, MAX_BYTES // max(length, 1) or 1)


def _named_by_change(failure: Failure) -> Failure:
    """*failure* by the name of the first rewrite or content: it needs no cut."""
    delivery = failure.delivery
    change = next(iter((*delivery.contents, *delivery.rewrites)), None)
    if change is None:
        return replace(failure, kind="as-recorded", sentence="it fails as recorded")
    return replace(failure, kind=_name(change.family, change.name), sentence=change.sentence)


def _name(family: str, name: str) -> str:
    return f"{family.removesuffix('s')}/{name}"
