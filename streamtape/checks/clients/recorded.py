"""What a client makes of the tape as recorded: all its other results are held against that."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from streamtape.checks.clients.likeness import quietly_same
from streamtape.checks.clients.verdicts import is_own
from streamtape.clients import PATCHED_HERE
from streamtape.delivery import Delivery

if TYPE_CHECKING:
    from streamtape.checks.clients.running import Outcome

_PLAYED_TO = f"that streamtape plays to ({', '.join(PATCHED_HERE)})"


def recorded_result(
    run: Callable[[Delivery], Outcome], errors: tuple[type[BaseException], ...]
) -> object:
    """The result of *run* under the tape as recorded, twice the same. *errors* as for `is_own`.

    Raises ValueError where there is no such result, or where the tape has no part in it.
    """
    first, second = (run(Delivery()) for _ in range(2))
    for outcome in (first, second):
        if outcome.error is not None or outcome.trouble:
            raise ValueError(
                f"run does not succeed under the tape as recorded: {_what_went_wrong(outcome)}."
                f" {_advice(outcome, errors)}"
            ) from outcome.error
    if first.asked == 0:
        raise ValueError(
            f"run asked for nothing {_PLAYED_TO}, so its result says nothing of the tape. Let run"
            " itself send the request, with one of these, in this process"
        )
    if second.asked == 0:
        raise ValueError(
            f"run asked for nothing {_PLAYED_TO} when it was called again: an answer that was kept"
            " is no test. Take the cache off, such as functools.lru_cache"
        )
    if not quietly_same(first.value, second.value):
        raise ValueError(
            f"run isn't deterministic: under the tape as recorded it gave {first.value!r}, and"
            f" when called again {second.value!r}. Leave out what differs, such as times and"
            " random ids, or return what `==` compares"
        )
    return first.value


def _what_went_wrong(outcome: Outcome) -> str:
    if outcome.trouble:
        return outcome.trouble[0]
    if outcome.hung:
        return f"it was {outcome.error}"
    error = outcome.error
    raised = f"it raised {type(error).__name__}: {error}".removesuffix(": ")
    return raised if outcome.asked else f"{raised}, and had asked for nothing {_PLAYED_TO}"


def _advice(outcome: Outcome, errors: tuple[type[BaseException], ...]) -> str:
    error = outcome.error
    may_be_the_tape = outcome.asked and (
        outcome.trouble or outcome.hung or (error is not None and is_own(error, errors))
    )
    if may_be_the_tape:
        return "Check it on a tape of a stream that it reads to its end"
    return "Without a result there is nothing to compare: mend run first"
