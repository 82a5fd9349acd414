"""Events told in other ways: split in parts, with fields that come again, in other orders."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import combinations, groupby, pairwise
from typing import Any

from streamtape.checks.folds.members import has_place, members_at, with_member

_MOST_SPLITS = 60
_LATEST = object()


def splits(count: int) -> Iterator[tuple[int, ...]]:
    """Where to split *count* events: in two everywhere, in three, into single ones."""
    step = max(count // _MOST_SPLITS, 1)
    places = range(1, count, step)
    yield from ((place,) for place in places)
    yield from list(combinations(places[:: max(len(places) // 8, 1)], 2))
    if count > 1:
        yield tuple(range(1, count))


def filled(
    path: str,
    key: Callable[[Any], Hashable] | None,
    events: list[Any],
    *,
    before: bool = True,
) -> tuple[list[Any], bool]:
    """*events*, changed in place, with the field wherever it may come again; whether any has it.

    *before*: where none comes after one that has it, the one before gets it.
    """
    last: dict[Hashable, Any] = {}
    any_filled = False
    first = len(events)
    for place, event in enumerate(events):
        owner = None if key is None else key(event)
        found = [value for value in members_at(event, path) if value is not None]
        if found:
            first = min(first, place)
            last[owner] = last[_LATEST] = found[-1]
        elif last and has_place(event, path):
            with_member(event, path, copy.deepcopy(last.get(owner, last[_LATEST])))
            any_filled = True
    if any_filled or not last or not before:
        return events, any_filled
    for event in reversed(events[:first]):
        if has_place(event, path):
            with_member(event, path, copy.deepcopy(last[_LATEST]))
            return events, True
    return events, False


def has_value(event: Any, path: str) -> bool:
    """Whether *event* has something other than None at *path*."""
    return any(value is not None for value in members_at(event, path))


def interleavings(key: Callable[[Any], Hashable], events: Sequence[Any]) -> Iterator[list[Any]]:
    """Other orders: one run of events with keys, between two without, is told in another way."""
    start = 0
    for keyed, run in groupby(events, lambda event: key(event) is not None):
        some = list(run)
        end = start + len(some)
        if keyed:
            for other in _orders(key, some):
                yield [*events[:start], *other, *events[end:]]
        start = end


def _orders(key: Callable[[Any], Hashable], events: Sequence[Any]) -> Iterator[list[Any]]:
    """Other orders that keep that of the events of each key."""
    by_key: dict[Hashable, list[Any]] = {}
    for event in events:
        by_key.setdefault(key(event), []).append(event)
    if len(by_key) < 2:
        return
    groups = list(by_key.values())
    yield [event for group in groups for event in group]
    yield [event for group in reversed(groups) for event in group]
    yield list(_in_turn(groups))
    yield list(_in_turn(groups[::-1]))
    keys = [key(event) for event in events]
    for place, (one, other) in enumerate(pairwise(keys)):
        if one != other:
            swapped = list(events)
            swapped[place], swapped[place + 1] = swapped[place + 1], swapped[place]
            yield swapped


def _in_turn(groups: Sequence[Sequence[Any]]) -> Iterator[Any]:
    for place in range(max(map(len, groups))):
        yield from (group[place] for group in groups if place < len(group))
