"""The check of accumulators: what puts the events of a stream together into one result."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

from streamtape.checks.failures import Failure, Findings
from streamtape.checks.folds.refolding import filled, has_value, interleavings, splits
from streamtape.checks.search import SHRINK_BUDGET
from streamtape.delivery.order import AS_RECORDED
from streamtape.delivery.shrinking import ddmin

Judge = Callable[[Sequence[Any]], "Failure | None"]

RAISES = "raises"
DIFFERS = "differs"
UNSTABLE = "unstable"
MERGE = "not-associative"
REPEATED = "not-repeat-safe"
ORDER = "depends-on-order"

_SENTENCES = {
    RAISES: "it raises on events that it was given to put together",
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
      attributes. Where the field is missing or None it is filled with the value it had last, of
      the same key first. One that only the last event has is given to an event before that;
    * *key*: events of different keys may come interleaved in any way, such as tool calls by their
      index. The order of events of one key is kept, and an event whose key is None keeps its place
      among all others.

    Events are copied deeply before they are changed. Raises `CheckFailed` with one failure of each
    kind (``"raises"``, ``"differs"``, ``"unstable"``, ``"not-associative"``,
    ``"not-repeat-safe/PATH"``, ``"depends-on-order"``), whose ``pieces`` are the fewest events that
    show it. An accumulator that raises on all of *events*, where no reference does, is ``"raises"``
    and nothing else.

    Raises ValueError where something can't be judged: the reference raises on *events*, no event
    has a value at a path, no other event could have it too, or no two events of different keys
    stand next to each other.
    """
    given = list(events)
    findings = Findings()
    fold = _Fold(start, step, result)
    search = _Search(given, findings)
    paths = (repeated,) if isinstance(repeated, str) else tuple(repeated)
    _require_judgeable(given, reference, paths, key)
    search.judge_growing(fold.unstable)
    if search.judge(partial(fold.raises, reference)):
        findings.verdict("check_fold")
    if reference is not None:
        search.judge(partial(fold.unlike, reference))
    if merge is not None:
        search.judge(partial(fold.split, merge))
    for path in paths:
        # Fewer events must not be filled in another way than all of them.
        _, after = filled(path, key, copy.deepcopy(given), before=False)
        search.judge(partial(fold.repeated, path, key, not after))
    if key is not None:
        search.judge(partial(fold.interleaved, key))
    findings.verdict("check_fold")


def _require_judgeable(
    events: Sequence[Any],
    reference: Callable[[list[Any]], Any] | None,
    paths: Sequence[str],
    key: Callable[[Any], Hashable] | None,
) -> None:
    if reference is not None:
        expected = _tried(lambda: reference(copy.deepcopy(list(events))))
        if isinstance(expected, Exception):
            raise ValueError(
                f"the reference raised {type(expected).__name__} on the events ({expected}), so it"
                " is none for them: mend it, or leave it out"
            ) from expected
    for path in paths:
        if not any(has_value(event, path) for event in events):
            raise ValueError(
                f"repeated: no event has a value at {path!r}: is the path right? It leads over keys"
                " and attributes, with [] after a list, as in 'choices[].delta.role'"
            )
        if not filled(path, key, copy.deepcopy(list(events)))[1]:
            raise ValueError(
                f"repeated: {path!r} can be put into no other event than those that have it, so"
                " nothing is repeated: give events with such a place, or leave the path out"
            )
    if key is not None and next(interleavings(key, events), None) is None:
        raise ValueError(
            "key: no two events of different keys follow each other, so there is no other order to"
            " try: give events of two keys or more, or leave key out"
        )


class _Search:
    def __init__(self, events: Sequence[Any], findings: Findings) -> None:
        self._events = events
        self._findings = findings

    def judge_growing(self, judge: Judge) -> None:
        """As `judge`, of more and more events: of a state that outlives them all, the first."""
        count = 1
        while count < len(self._events):
            failure = self._findings.tried(judge(self._events[:count]))
            if failure is not None:
                self._findings.add(failure)
                return
            count *= 2
        self.judge(judge)

    def judge(self, judge: Judge) -> bool:
        """Put into the findings what *judge* says of all events, with as few as still show it."""
        failure = self._findings.tried(judge(self._events))
        if failure is None:
            return False
        left = SHRINK_BUDGET
        small = failure

        def fails(some: Sequence[Any]) -> bool:
            nonlocal left, small
            left -= 1
            again = judge(some) if left >= 0 else None
            if again is None or not _same_failure(again, failure):
                return False
            small = again
            return True

        ddmin(self._events, fails)
        self._findings.add(replace(small, examples=failure.examples))
        return True


def _same_failure(one: Failure, other: Failure) -> bool:
    """Whether both are of one kind, and of one class of exception where that is raised."""
    raised = isinstance(one.got, Exception) or isinstance(other.got, Exception)
    return one.kind == other.kind and (not raised or type(one.got) is type(other.got))


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

    def raises(
        self, reference: Callable[[list[Any]], Any] | None, events: Sequence[Any]
    ) -> Failure | None:
        """Whether it raises on *events*, and the reference, if any, doesn't."""
        got = self._of(events)
        expected: Any = "a result"
        if reference is not None:
            expected = _tried(lambda: reference(copy.deepcopy(list(events))))
        if not isinstance(got, Exception) or isinstance(expected, Exception):
            return None
        return self._compared(RAISES, expected, got, events)

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
        for cuts in splits(len(events)):
            parts = [events[a:b] for a, b in pairwise((0, *cuts, len(events)))]
            for grouping in (_from_left, _from_right):
                merged = _tried(lambda: self._result(grouping(merge, [*map(self._state, parts)])))  # noqa: B023 - called at once
                where = f"split into {' + '.join(str(len(part)) for part in parts)} events"
                failure = self._compared(MERGE, expected, merged, events, where)
                if failure is not None:
                    return failure
        return None

    def repeated(
        self,
        path: str,
        key: Callable[[Any], Hashable] | None,
        before: bool,  # noqa: FBT001 - bound by partial, in order
        events: Sequence[Any],
    ) -> Failure | None:
        """Whether the field at *path*, filled in where it is missing, changes the result."""
        expected = self._of(events)
        if isinstance(expected, Exception):
            return None
        again, _ = filled(path, key, copy.deepcopy(list(events)), before=before)
        failure = self._compared(REPEATED, expected, self._of(again), again, f"{path} repeated")
        return failure and replace(failure, kind=f"{REPEATED}/{path}")

    def interleaved(self, key: Callable[[Any], Hashable], events: Sequence[Any]) -> Failure | None:
        """Whether the result changes with the order of events of different keys."""
        expected = self._of(events)
        if isinstance(expected, Exception):
            return None
        for other in interleavings(key, events):
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
