"""Which deliveries a program is run under, and in which order.

A run costs a process, and a chunk over a socket about a millisecond. So single cuts come first, at
seams of every kind, and what cuts a body to pieces later.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING

from streamtape.delivery import Delivery, rewrites
from streamtape.delivery.order import every_seam, told_anew
from streamtape.delivery.seams import KINDS, seams
from streamtape.wire.sse import BOM

if TYPE_CHECKING:
    from streamtape.delivery.change import Level, Rewrite
    from streamtape.delivery.seams import SeamKind
    from streamtape.tape import Tape

BYTEWISE = 4096
"""A longer body never comes byte by byte."""

_NEW_SEAMS = 2
"""So many seams of each kind that only a rewrite brings are cut at once."""

_MOST_CUTS = 1_000
"""So many seams are cut at once."""

_LINE_ENDS = ("crlf", "cr")

_MOST_DOUBLINGS = 5
_MOST_REWRITES = 2
_ENOUGH_TRIES = 200
"""So often in a row chance may give what was tried before: then there is nothing else."""


def in_order(tapes: Sequence[Tape], *, level: Level | None, seed: int) -> Iterator[Delivery]:
    """The deliveries of *tapes* that keep the meaning, in the order to try them; no two are equal.

    A single cut at the first seam of each kind; an event at a time, all at once, a byte at a time;
    each rewrite down to *level* (None: no rewrites) alone, and where it brings
    seams of other kinds, cut at these; at all seams of a kind. And then in turn the other seams,
    what is drawn by *seed*, and other cuts of what is rewritten, without end as long as there is
    something new. The same *seed* gives the same.
    """
    seen = {Delivery()}
    for delivery in _in_order(tapes, level, seed, seen):
        if delivery not in seen and deliverable(delivery, tapes):
            seen.add(delivery)
            yield delivery


def deliverable(delivery: Delivery, tapes: Iterable[Tape]) -> bool:
    """Whether it is worth its time over a socket: no long body byte by byte."""
    return delivery.cuts != "bytes" or all(
        len(told_anew(tape, delivery).body) <= BYTEWISE for tape in tapes
    )


def _in_order(
    tapes: Sequence[Tape], level: Level | None, seed: int, seen: set[Delivery]
) -> Iterator[Delivery]:
    single = _single(tapes, Delivery())
    kinds = {kind for tape in tapes for _, kind in seams(tape.body)}
    yield from islice(single, len(kinds))
    for word in ("events", "whole", "bytes"):
        yield Delivery(cuts=word)
    every = _every_rewrite(tapes, level)
    changed = [Delivery(rewrites=(rewrite,)) for rewrite in every]
    fragile = []
    for base in changed:
        yield base
        if at_new := list(_at_new_seams(tapes, base, kinds)):
            fragile.append(base)
            yield from (*at_new, replace(base, cuts="bytes"))
    yield from _all_of_a_kind(tapes)
    # One seam of each form, then another one of each. What brings no seams has the cuts of others.
    cut = _in_turn(_single(tapes, base) for base in fragile)
    in_pieces = (replace(base, cuts="bytes") for base in changed)
    yield from _in_turn([single, _drawn(tapes, every, seed, seen), cut, in_pieces])


def _single(tapes: Sequence[Tape], base: Delivery) -> Iterator[Delivery]:
    """*base* with one cut, at each seam."""
    for offset, _ in every_seam(told_anew(tape, base).body for tape in tapes):
        yield replace(base, cuts=(offset,))


def _all_of_a_kind(tapes: Sequence[Tape]) -> Iterator[Delivery]:
    """Cuts at all seams of a kind, for what goes wrong at few of them."""
    offsets: dict[SeamKind, list[int]] = {kind: [] for kind in KINDS}
    for offset, kind in every_seam(tape.body for tape in tapes):
        offsets[kind].append(offset)
    for found in offsets.values():
        if len(found) > 1:
            yield Delivery(cuts=tuple(sorted(found[:_MOST_CUTS])))


def _every_rewrite(tapes: Sequence[Tape], level: Level | None) -> tuple[Rewrite, ...]:
    """Those of any of *tapes*, but for content codings."""
    if level is None:
        return ()
    every = (rewrites.every(tape, level) for tape in tapes)
    turns = chain.from_iterable(zip_longest(*every))
    # Who doesn't say what codings it takes may be sent any, and yet no server does that.
    kept = dict.fromkeys(one for one in turns if one is not None and one.name != "coding")
    # Few runs may be all there are, and a server is likelier to end lines otherwise than to begin
    # with a byte order mark.
    return tuple(sorted(kept, key=lambda one: one.name not in _LINE_ENDS))


def _at_new_seams(
    tapes: Sequence[Tape], base: Delivery, known: Collection[SeamKind]
) -> Iterator[Delivery]:
    """*base* cut at the first seams of each kind that is not *known*, and at all of that kind."""
    offsets: dict[SeamKind, list[int]] = {kind: [] for kind in KINDS if kind not in known}
    bodies = [told_anew(tape, base).body for tape in tapes]
    marked = any(body.startswith(BOM) for body in bodies)
    for offset, kind in every_seam(bodies):
        # The mark is a character as well, and its kind that of any other.
        named: SeamKind = "bom" if marked and offset <= len(BOM) else kind
        if named in offsets:
            offsets[named].append(offset)
    for found in offsets.values():
        for offset in found[:_NEW_SEAMS]:
            yield replace(base, cuts=(offset,))
        if len(found) > _NEW_SEAMS:
            yield replace(base, cuts=tuple(sorted(found[:_MOST_CUTS])))


def _in_turn(series: Iterable[Iterable[Delivery]]) -> Iterator[Delivery]:
    """The first of each of *series*, then the second of each, and so on."""
    rounds = zip_longest(*series)
    return (one for one in chain.from_iterable(rounds) if one is not None)


def _drawn(
    tapes: Sequence[Tape], every: Sequence[Rewrite], seed: int, seen: set[Delivery]
) -> Iterator[Delivery]:
    """Deliveries drawn by *seed*: up to 32 cuts, half of them seams, in two of three rewritten."""
    generator = random.Random(seed)  # noqa: S311 - a seed draws the same again, and no secret
    offsets: dict[tuple[int, tuple[Rewrite, ...]], tuple[int, list[int]]] = {}
    in_vain = 0
    while in_vain < _ENOUGH_TRIES:
        number = generator.randint(0, min(len(every), _MOST_REWRITES))
        base = Delivery(rewrites=tuple(generator.sample(every, number)))
        place = generator.randrange(len(tapes))
        key = place, base.rewrites
        if key not in offsets:
            body = told_anew(tapes[place], base).body
            offsets[key] = len(body), [offset for offset, _ in seams(body)]
        length, found = offsets[key]
        if length < 2:
            in_vain += 1
            continue
        cuts = {
            generator.choice(found)
            if found and generator.random() < 1 / 2
            else generator.randrange(1, length)
            for _ in range(2 ** generator.randint(0, _MOST_DOUBLINGS))
        }
        delivery = replace(base, cuts=tuple(sorted(cuts)))
        in_vain = in_vain + 1 if delivery in seen else 0
        yield delivery
