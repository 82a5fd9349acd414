"""The simplest delivery under which something still fails.

Many things are to be made fewer, and each try costs a run of somebody's test. So what is simple by
kind is tried first (no rewrites, one cut, a seam), and only then delta debugging takes away what
isn't needed: ``ddmin`` of Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing
Input", IEEE Transactions on Software Engineering 28 (2), 2002.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate, chain, islice
from typing import TYPE_CHECKING, TypeVar

from streamtape.delivery import Delivery
from streamtape.delivery.order import AS_RECORDED, event_edges, every_seam, told_anew
from streamtape.delivery.seams import KINDS, seams

if TYPE_CHECKING:
    from streamtape.delivery.seams import SeamKind
    from streamtape.tape import Chunk, Tape

T = TypeVar("T")
Cuts = tuple[int, ...]

_SINGLE = 2 * len(KINDS)
"""So many single cuts are tried for one that is enough: where there is one, `ddmin` finds it too,
in twice the logarithm of their number, but seldom the simplest."""


def shrunk(
    delivery: Delivery, tapes: Iterable[Tape], fails: Callable[[Delivery], bool], budget: int
) -> Delivery:
    """The simplest delivery found under which *fails* is true, as it is under *delivery*.

    Simpler is: at once instead of in time, without contents, with fewer rewrites, with the recorded
    cuts where there is something else to blame, with fewer cuts, with cuts at seams of kinds that
    stand earlier in ``KINDS``, and at lower offsets. A fault is kept. *tapes* are those that the
    delivery is for.

    *fails* is called at most *budget* times, never twice for the same delivery, and never for
    ``Delivery()``: what fails as recorded needs no delivery to make it fail. The result was seen to
    fail, even if *fails* doesn't always say the same.
    """
    search = _Search(delivery, tuple(tapes), fails, budget)
    with suppress(_NoTriesLeftError):
        search.drop_pace()
        search.drop_changes()
        search.drop_cuts()
    return search.best


class _NoTriesLeftError(Exception):
    """What was found so far is the result."""


class _Search:
    """The simplest failing delivery so far, and what may still be tried."""

    def __init__(
        self,
        delivery: Delivery,
        tapes: Sequence[Tape],
        fails: Callable[[Delivery], bool],
        budget: int,
    ) -> None:
        self.best = delivery
        self._tapes = tapes
        self._left = budget
        self._fails = fails
        self._known = {AS_RECORDED: False, delivery: True}

    def fails(self, delivery: Delivery) -> bool:
        """Whether *delivery* fails; it is then the best."""
        if delivery not in self._known:
            if self._left <= 0:
                raise _NoTriesLeftError
            self._left -= 1
            self._known[delivery] = self._fails(delivery)
        if self._known[delivery]:
            self.best = delivery
        return self._known[delivery]

    def drop_pace(self) -> None:
        """No waiting."""
        self.fails(replace(self.best, pace="instant"))

    def drop_changes(self) -> None:
        """Contents, then rewrites: all of them, else as many as may go."""
        if self._without(contents=(), rewrites=()):
            return
        ddmin(self.best.contents, lambda some: self._without(contents=tuple(some)))
        ddmin(self.best.rewrites, lambda some: self._without(rewrites=tuple(some)))

    def drop_cuts(self) -> None:
        """The recorded cuts, one chunk, one cut, a few."""
        if self.best.cuts == "recorded" or self.fails(replace(self.best, cuts="recorded")):
            return
        if self.best.cuts == "whole" or self._cut(()):
            return
        told = [told_anew(tape, self.best) for tape in self._tapes]
        bodies = tuple(dict.fromkeys(tape.body for tape in told))
        ranks = _ranks(bodies)
        offsets = self._offsets(told)
        order = [offset for offset, _ in every_seam(bodies)]
        if not self._drop_to_one(offsets, order, max(map(len, bodies), default=0)):
            self._drop_some(offsets, ranks)
        self._move(order, ranks)

    def _without(self, **fewer: tuple[object, ...]) -> bool:
        """Whether the best delivery fails with fewer changes.

        Offsets mean something else in another body. So where the same ones don't hurt, all do.
        """
        simpler = replace(self.best, **fewer)  # type: ignore[arg-type]  # fields checked by replace
        return self.fails(simpler) or (
            isinstance(simpler.cuts, tuple) and self.fails(replace(simpler, cuts="bytes"))
        )

    def _cut(self, cuts: Iterable[int]) -> bool:
        """Whether the best delivery fails with these *cuts* in place of its own."""
        return self.fails(replace(self.best, cuts=tuple(sorted(cuts)) or "whole"))

    def _offsets(self, told: Sequence[Tape]) -> Cuts:
        """The cuts of the best delivery as offsets."""
        longest = max((len(tape.body) for tape in told), default=0)
        if self.best.cuts == "bytes":
            return tuple(range(1, longest))
        if self.best.cuts == "events":
            return tuple(edge for edge in event_edges(told) if 0 < edge < longest)
        if isinstance(self.best.cuts, tuple):
            return tuple(cut for cut in self.best.cuts if cut <= longest)
        apart = Delivery(cuts=self.best.cuts)
        ends = {end for tape in told for end in accumulate(map(_length, apart.apply(tape).chunks))}
        return tuple(sorted(ends - {longest}))

    def _drop_to_one(self, offsets: Cuts, order: Sequence[int], end: int) -> bool:
        """Whether one of *offsets* is enough: a seam, or an end where there are empty chunks."""
        distinct = set(offsets)
        empty = len(distinct) < len(offsets) or not distinct.isdisjoint((0, end))
        seams_cut = (offset for offset in order if offset in distinct)
        tries = min(self._left // 2, _SINGLE)
        single = chain((0, end) if empty else (), islice(seams_cut, tries))
        return any(self._cut((offset,)) for offset in single)

    def _drop_some(self, offsets: Cuts, ranks: dict[int, int]) -> None:
        """Keep of *offsets* only those that are needed, the simplest kind of seam first."""
        given = self.best
        written_out = replace(given, cuts=offsets)
        if given.cuts == "bytes" or (given.cuts == "events" and len(self._tapes) == 1):
            self._known[written_out] = True  # the same chunks
        try:
            if not self.fails(written_out):
                return
            kinds = sorted({ranks[offset] for offset in offsets if offset in ranks})
            groups = [[one for one in offsets if ranks.get(one) == kind] for kind in kinds]
            groups.append([one for one in offsets if one in ranks])
            enough = next((group for group in groups if self._cut(group)), offsets)
            ddmin(enough, self._cut)
        finally:
            if self.best == written_out:
                self.best = given  # one word says as much as many offsets

    def _move(self, order: Sequence[int], ranks: dict[int, int]) -> None:
        """Put each cut that is left at a simpler seam, if that does too."""
        if not isinstance(self.best.cuts, tuple):
            return
        for cut in dict.fromkeys(self.best.cuts):
            simpler = (seam for seam in order if _simplicity(seam, ranks) < _simplicity(cut, ranks))
            kept = self.best.cuts
            any(
                self._cut(seam if offset == cut else offset for offset in kept)
                for seam in islice(simpler, _SINGLE)
            )


def _ranks(bodies: Iterable[bytes]) -> dict[int, int]:
    """The place in ``KINDS`` of each offset that is a seam in any of *bodies*: the first one."""
    places: dict[SeamKind, int] = {kind: place for place, kind in enumerate(KINDS)}
    ranks: dict[int, int] = {}
    for body in dict.fromkeys(bodies):
        for offset, kind in seams(body):
            ranks[offset] = min(places[kind], ranks.get(offset, len(KINDS)))
    return ranks


def _length(chunk: Chunk) -> int:
    return len(chunk.data)


def _simplicity(offset: int, ranks: dict[int, int]) -> tuple[int, int]:
    return ranks.get(offset, len(KINDS)), offset


def ddmin(items: Sequence[T], fails: Callable[[Sequence[T]], bool]) -> Sequence[T]:
    """The fewest of *items* for which *fails* is true, as it is for all of them.

    None of the result can be left out alone, unless *fails* was false only because it wouldn't be
    asked any more. It is asked for no items too.
    """
    if not items or fails(()):
        return ()
    parts = 2
    while len(items) > 1:
        size = len(items)
        edges = [size * n // parts for n in range(parts + 1)]
        spans = [(edges[n], edges[n + 1]) for n in range(parts)]
        subset = next((items[a:b] for a, b in spans if fails(items[a:b])), None)
        if subset is not None:
            items, parts = subset, 2
            continue
        rest = next(
            (other for a, b in spans if parts > 2 and fails(other := (*items[:a], *items[b:]))),
            None,
        )
        if rest is not None:
            items, parts = rest, max(parts - 1, 2)
        elif parts < size:
            parts = min(parts * 2, size)
        else:
            break
    return items
