"""Which deliveries to try, and in which order: few that show most, then every seam."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from streamtape.delivery import Delivery
from streamtape.delivery.seams import KINDS, SeamKind, seams
from streamtape.wire.framing import frame_ends

if TYPE_CHECKING:
    from streamtape.tape import Tape

Seam = tuple[int, SeamKind]

AS_RECORDED = Delivery()


def systematic(tapes: Iterable[Tape], base: Delivery = AS_RECORDED) -> Iterator[Delivery]:
    """*base* with its cuts replaced: the deliveries that are worth trying before random ones.

    One byte at a time, all at once, an event at a time, the same with an empty chunk before and
    after each event, and then one cut at each seam of the bodies: the first seam of each kind, the
    second, and so on. No delivery comes twice. Found as they are asked for.

    One delivery is for all of *tapes*, so a seam of one of them cuts the others where it may. The
    bodies are those that *base* makes with its contents and rewrites.
    """
    for word in ("bytes", "whole", "events"):
        yield replace(base, cuts=word)
    told = [told_anew(tape, base) for tape in tapes]
    edges = event_edges(told)
    if edges:
        yield replace(base, cuts=tuple(sorted(edges * 2)))
    for offset, _ in every_seam(tape.body for tape in told):
        yield replace(base, cuts=(offset,))


def told_anew(tape: Tape, delivery: Delivery) -> Tape:
    """*tape* with the contents and rewrites of *delivery* only: what its cuts are offsets in."""
    return replace(delivery, cuts="recorded", pace="instant", fault=None).apply(tape)


def event_edges(tapes: Iterable[Tape]) -> list[int]:
    """Where a body or a frame of it begins or ends in any of *tapes*, ascending."""
    edges: set[int] = set()
    for tape in tapes:
        if tape.body:
            edges.update((0, *frame_ends(tape.framing, tape.body), len(tape.body)))
    return sorted(edges)


def every_seam(bodies: Iterable[bytes]) -> Iterator[tuple[int, SeamKind]]:
    """The seams of all *bodies* in the order to try them, as `spread` tells it for one.

    Of one kind the first seam of each body comes before the second of any. An offset that is a seam
    in several bodies comes once.
    """
    by_kind: dict[SeamKind, list[list[Seam]]] = {kind: [] for kind in KINDS}
    for body in dict.fromkeys(bodies):
        found = seams(body)
        for kind, of_kind in by_kind.items():
            of_kind.append([seam for seam in found if seam[1] == kind])
    seen: set[int] = set()
    for seam in _in_turn(_in_turn(lists) for lists in by_kind.values()):
        if seam[0] not in seen:
            seen.add(seam[0])
            yield seam


def _in_turn(series: Iterable[Iterable[Seam]]) -> Iterator[Seam]:
    """The first of each of *series*, then the second of each, and so on."""
    rounds = zip_longest(*series)
    return (one for one in chain.from_iterable(rounds) if one is not None)
