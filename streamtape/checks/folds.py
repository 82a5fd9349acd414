"""The check of accumulators: what puts the events of a stream together into one result."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations, groupby, pairwise
from typing import Any

from streamtape.checks.failures import Failure, Findings
from streamtape.checks.members import members_at, with_member
from streamtape.checks.search import SHRINK_BUDGET
from streamtape.delivery.order import AS_RECORDED
from streamtape.delivery.shrinking import ddmin

Judge = Callable[[Sequence[Any]], "Failure | None"]

DIFFERS = "differs"
UNSTABLE = "unstable"
MERGE = "not-associative"
REPEATED = "not-repeat-safe"
ORDER = "depends-on-order"

_MOST_SPLITS = 60
_SENTENCES = {
    DIFFERS: "the result is not the reference's",
    UNSTABLE: "the same events, put together again, give another result",
    MERGE: "parts put together and merged are not what all events put together are",
    REPEATED: "a field that comes again changes the result",
    ORDER: "the result depends on how events of different keys are interleaved",
}


def check_fold(  # noqa: PLR0913 - an accumulator has as many parts, all but one of them named
    events: Iterable[Any],
    *,
    start: Callable[[], Any],
    step: Callable[[Any, Any], Any],
    result: Callable[[Any], Any],
    merge: Callable[[Any, Any], Any] | None = None,
    reference: Callable[[list[Any]], Any] | None = None,
    repeated: Iterable[str] = (),
    key: Callable[[Any], Hashable] | None = None,
) -> None:
    """Check an accumulator: ``start`` gives a new state, ``step`` takes one of *events* into it.

    *step* returns the state, or None where it changed the one it was given. *result* turns a state
    into anything with ``==``. What is checked, each only where its argument is given:

    * *reference*, from a list of events to the result: the same for the whole stream;
    * the same events again give the same result: no state outlives ``start``, and no event is
      changed by being taken in;
    * *merge*, of two states, the earlier one first: parts of the stream, put together on their own
      and merged, in whatever grouping, are what the whole gives (associativity);
    * *repeated*: fields that may come again in every event of their kind, as a server that says
      ``role`` in each delta does: a path such as ``"choices[].delta.role"``, over keys and
      attributes. Where the field is missing or None it is filled with the value it had last;
    * *key*: events of different keys may come interleaved in any way, such as tool calls by their
      index. The order of events of one key is kept, and an event whose key is None keeps its place
      among all others.

    Events are copied deeply before they are changed. Raises `CheckFailed` with one failure of each
    kind (``"differs"``, ``"unstable"``, ``"not-associative"``, ``"not-repeat-safe"``,
    ``"depends-on-order"``), whose ``pieces`` are the fewest events that show it.
    """
    given = list(events)
    findings = Findings()
    fold = _Fold(start, step, result)
    search = _Search(given, findings)
    search.judge(fold.unstable)
    if reference is not None:
        search.judge(partial(fold.unlike, reference))
    if merge is not None:
        search.judge(partial(fold.split, merge))
    for path in repeated:
        search.judge(partial(fold.repeated, path))
    if key is not None:
        search.judge(partial(fold.interleaved, key))
    findings.verdict("check_fold")


class _Search:
    def __init__(self, events: Sequence[Any], findings: Findings) -> None:
        self._events = events
        self._findings = findings

    def judge(self, judge: Judge) -> None:
        """Put into the findings what *judge* says of all events, with as few as still show it."""
        failure = self._findings.tried(judge(self._events))
        if failure is None:
            return
        left = SHRINK_BUDGET
        small = failure

        def fails(some: Sequence[Any]) -> bool:
            nonlocal left, small
            left -= 1
            again = judge(some) if left >= 0 else None
            if again is None or again.kind != failure.kind:
                return False
            small = again
            return True

        ddmin(self._events, fails)
        self._findings.add(replace(small, examples=failure.examples))


class _Fold:
    """An accumulator, and what it may do wrong with some events."""

    def __init__(
        self,
        start: Callable[[], Any],
        step: Callable[[Any, Any], Any],
        result: Callable[[Any], Any],
    ) -> None:
        self._start = start
        self._step = step
        self._result = result

    def unlike(
        self, reference: Callable[[list[Any]], Any], events: Sequence[Any]
    ) -> Failure | None:
        """Whether the result for *events* is another than the *reference*'s."""
        expected = _tried(lambda: reference(copy.deepcopy(list(events))))
        if isinstance(expected, Exception):
            return None  # no stream that the reference knows: nothing is known of it
        return self._compared(DIFFERS, expected, self._of(events), events)

    def unstable(self, events: Sequence[Any]) -> Failure | None:
        """Whether *events*, not copied, give another result when they are put together again."""
        own = copy.deepcopy(list(events))
        once = copy.deepcopy(self._of(own, copied=True))
        return self._compared(UNSTABLE, once, self._of(own, copied=True), events)

    def split(self, merge: Callable[[Any, Any], Any], events: Sequence[Any]) -> Failure | None:
        """Whether parts that are merged differ from the whole."""
        expected = self._of(events)
        if isinstance(expected, Exception):
            return None
        for cuts in _splits(len(events)):
            parts = [events[a:b] for a, b in pairwise((0, *cuts, len(events)))]
            for grouping in (_from_left, _from_right):
                merged = _tried(lambda: self._result(grouping(merge, [*map(self._state, parts)])))  # noqa: B023 - called at once
                where = f"split into {' + '.join(str(len(part)) for part in parts)} events"
                failure = self._compared(MERGE, expected, merged, events, where)
                if failure is not None:
                    return failure
        return None

    def repeated(self, path: str, events: Sequence[Any]) -> Failure | None:
        """Whether the field at *path*, filled in wherever it is missing, changes the result."""
        expected = self._of(events)
        if isinstance(expected, Exception):
            return None
        filled = list(_filled(path, copy.deepcopy(list(events))))
        return self._compared(REPEATED, expected, self._of(filled), filled, f"{path} repeated")

    def interleaved(self, key: Callable[[Any], Hashable], events: Sequence[Any]) -> Failure | None:
        """Whether the result changes with the order of events of different keys."""
        expected = self._of(events)
        if isinstance(expected, Exception):
            return None
        for other in _interleavings(key, events):
            failure = self._compared(ORDER, expected, self._of(other), other)
            if failure is not None:
                return failure
        return None

    def _state(self, events: Sequence[Any], *, copied: bool = False) -> Any:
        state = self._start()
        for event in events if copied else copy.deepcopy(list(events)):
            following = self._step(state, event)
            state = state if following is None else following
        return state

    def _of(self, events: Sequence[Any], *, copied: bool = False) -> Any:
        """The result for *events*, or the exception that was raised."""
        return _tried(lambda: self._result(self._state(events, copied=copied)))

    def _compared(
        self, kind: str, expected: Any, got: Any, events: Sequence[Any], where: str = ""
    ) -> Failure | None:
        if isinstance(expected, Exception) and isinstance(got, Exception):
            same = type(expected) is type(got)
        else:
            same = not isinstance(got, Exception) and bool(expected == got)
        if same:
            return None
        return Failure(
            *(kind, AS_RECORDED, expected, got),
            sentence=_SENTENCES[kind],
            case=where,
            pieces=tuple(events),
        )


def _tried(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as exc:  # noqa: BLE001 - whatever it raises is what it gave
        return exc


def _from_left(merge: Callable[[Any, Any], Any], states: Sequence[Any]) -> Any:
    merged = states[0]
    for state in states[1:]:
        merged = merge(merged, state)
    return merged


def _from_right(merge: Callable[[Any, Any], Any], states: Sequence[Any]) -> Any:
    merged = states[-1]
    for state in states[-2::-1]:
        merged = merge(state, merged)
    return merged


def _splits(count: int) -> Iterator[tuple[int, ...]]:
    """Where to split *count* events: in two everywhere, in three, into single ones."""
    step = max(count // _MOST_SPLITS, 1)
    places = range(1, count, step)
    yield from ((place,) for place in places)
    yield from list(combinations(places[:: max(len(places) // 8, 1)], 2))
    if count > 1:
        yield tuple(range(1, count))


def _filled(path: str, events: Sequence[Any]) -> Iterator[Any]:
    last: Any = None
    for event in events:
        found = [value for value in members_at(event, path) if value is not None]
        if found:
            last = found[-1]
            yield event
        elif last is None:
            yield event
        else:
            yield with_member(event, path, last)


def _interleavings(key: Callable[[Any], Hashable], events: Sequence[Any]) -> Iterator[list[Any]]:
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
