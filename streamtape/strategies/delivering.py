"""Whole deliveries: cuts and whatever else may happen to a tape, together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from hypothesis import strategies as st

from streamtape.delivery import Delivery
from streamtape.delivery.change import Change
from streamtape.delivery.order import told_anew
from streamtape.strategies.changes import contents as some_content
from streamtape.strategies.changes import faults as some_fault
from streamtape.strategies.changes import one_or_many
from streamtape.strategies.changes import rewrites as some_rewrite
from streamtape.strategies.cutting import cuts_of_any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamtape.delivery.change import Level
    from streamtape.tape import Tape

C = TypeVar("C", bound=Change)

_MOST_REWRITES = 3
_AS_RECORDED = (True, False, False, False)
"""Whether what is changed already keeps its chunks: one in four, and what is simplest."""


def deliveries(
    tape_or_tapes: Tape | Iterable[Tape],
    *,
    cuts: bool = True,
    rewrites: bool | Level = True,
    contents: bool = False,
    faults: bool = False,
) -> st.SearchStrategy[Delivery]:
    """A way in which the network could deliver a tape, or each of several.

    By default every delivery keeps the meaning: the same bytes cut elsewhere, and up to three
    rewrites at once. *rewrites* may name a level, as for `strategies.rewrites`; True is
    ``"wire"``. With *contents* the text may be another one, with *faults* the stream may go wrong:
    ask ``delivery.keeps_meaning``. The pace is always ``"instant"``.

    Shrinks to no fault, no content and no rewrite, then to those that the other strategies shrink
    to; to the recorded chunks where one of them is to blame, else to one chunk, and otherwise to
    cuts as `strategies.cuts` does. What is left as recorded in every respect, ``Delivery()``, is
    drawn where *cuts* is false.
    """
    tapes = one_or_many(tape_or_tapes)
    level: Level = rewrites if isinstance(rewrites, str) else "wire"
    changed = st.builds(
        Delivery,
        contents=_up_to(1, some_content(tapes) if contents else st.nothing()),
        rewrites=_up_to(_MOST_REWRITES, some_rewrite(tapes, level) if rewrites else st.nothing()),
        fault=st.none() | some_fault(tapes) if faults else st.none(),
    )
    if level == "text" and contents:
        changed = changed.filter(_is_small)
    return _recut(changed, tapes) if cuts else changed


def _up_to(most: int, changes: st.SearchStrategy[C]) -> st.SearchStrategy[tuple[C, ...]]:
    return st.deferred(
        lambda: (
            st.just(()) if changes.is_empty else st.lists(changes, max_size=most).map(_once_each)
        )
    )


def _once_each(changes: list[C]) -> tuple[C, ...]:
    """The first of each name. A list that is drawn unique would shrink less well."""
    return tuple({change.name: change for change in reversed(changes)}.values())[::-1]


def _is_small(delivery: Delivery) -> bool:
    """Whether it doesn't make an event of 64 KiB and cut that into a thousand.

    Drawing cuts in what comes of it, and reading it, would take longer than an example should.
    """
    large = any(content.name == "large_event" for content in delivery.contents)
    return not (large and any(rewrite.name == "text_cuts" for rewrite in delivery.rewrites))


def _recut(
    changed: st.SearchStrategy[Delivery], tapes: tuple[Tape, ...]
) -> st.SearchStrategy[Delivery]:
    @st.composite
    def deliveries(draw: st.DrawFn) -> Delivery:
        delivery = draw(changed)
        bodies = dict.fromkeys(told_anew(tape, delivery).body for tape in tapes)
        # Drawn in any case: Hypothesis begins with what takes few choices, and that would be this.
        cuts = draw(cuts_of_any(tuple(bodies)))
        if draw(st.sampled_from(_AS_RECORDED)) and delivery != Delivery():
            return delivery
        return replace(delivery, cuts=cuts or "whole")

    return deliveries()
