"""Where to cut a body."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain

from hypothesis import event
from hypothesis import strategies as st

from streamtape.delivery.order import every_seam
from streamtape.delivery.seams import KINDS

Cuts = tuple[int, ...]

_FEW = 5
"""Half of the examples have up to so many cuts, and tell apart what hurts; half have more, up to
five times as many, so that two cuts that are needed together meet."""
_WORST = KINDS[:4]
"""Kinds of which twice as many are drawn."""
_HOW = ("once",) * 6 + ("twice",) + ("in a row",) * 3
_LONGEST_ROW = 32


class _Offsets:
    """Every offset of some bodies, with a number: the simplest cut has the lowest.

    First come the seams by their kind and the ends, then all offsets from 0 on, seams among them
    again. ``places`` are the numbers of each kind of seam, of the ends, and of all, as often as
    they should be drawn.
    """

    def __init__(self, bodies: tuple[bytes, ...]) -> None:
        of_kind: dict[str, list[int]] = {kind: [] for kind in KINDS}
        for offset, seam_kind in every_seam(bodies):
            of_kind[seam_kind].append(offset)
        self._special: list[int] = []
        found: list[tuple[str, range]] = []
        end = max(map(len, bodies), default=0)
        for kind, offsets in [*of_kind.items(), ("the ends", [0, end])]:
            if offsets:
                start = len(self._special)
                self._special += sorted(offsets)
                found.append((kind, range(start, len(self._special))))
        found += [(kind, numbers) for kind, numbers in found if kind in _WORST]
        anywhere = range(len(self._special) + end + 1)
        self.places = [*found, *[("anywhere", anywhere)] * len(found)]

    def __getitem__(self, number: int) -> int:
        special = len(self._special)
        return self._special[number] if number < special else number - special


def cuts(body: bytes) -> st.SearchStrategy[Cuts]:
    """Offsets at which to cut *body*, ascending, as `Delivery` takes them.

    Half of them are at seams or at the ends, where a kind of which *body* has few comes about as
    often as one of which it has many; the others lie anywhere. Some are made twice, for an empty
    chunk. Some come in a row: many seams of one kind, or many chunks of one byte.

    Shrinks to fewer cuts, none in the end, and each cut to a seam of a kind that stands earlier in
    ``streamtape.delivery.seams.KINDS``, then to a lower offset.
    """
    return cuts_of_any((body,))


def cuts_of_any(bodies: tuple[bytes, ...]) -> st.SearchStrategy[Cuts]:
    """Offsets as `cuts` draws them, for several bodies that are all cut there."""

    # Neither bodies nor offsets are arguments of a strategy: Hypothesis writes those out.
    @st.composite
    def cut(draw: st.DrawFn) -> Cuts:
        offsets = _offsets(bodies)
        name, numbers = offsets.places[draw(st.integers(0, len(offsets.places) - 1))]
        last = draw(st.integers(numbers.start, numbers.stop - 1))
        how = draw(_A_WAY)
        event(f"cut: {name}")
        if how == "in a row":
            # Up to the last one: so a lower one with fewer before it is what it shrinks to.
            first = max(last - draw(_A_LENGTH), numbers.start)
            return tuple(offsets[number] for number in range(first, last + 1))
        if how == "twice":
            event("cut: an empty chunk")
        return (offsets[last],) * (2 if how == "twice" else 1)

    few, many = (st.lists(cut(), min_size=n, max_size=4 * n + _FEW) for n in (0, _FEW))
    return (few | many).map(lambda cuts: tuple(sorted(chain.from_iterable(cuts))))


_A_WAY = st.sampled_from(_HOW)
_A_LENGTH = st.integers(1, _LONGEST_ROW)


@lru_cache(maxsize=32)  # a body is drawn from hundreds of times, and deliveries make a few bodies
def _offsets(bodies: tuple[bytes, ...]) -> _Offsets:
    return _Offsets(bodies)
