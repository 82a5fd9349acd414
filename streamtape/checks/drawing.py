"""Examples from Hypothesis, without a test of its own."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

T = TypeVar("T")


def drawn(
    strategy: SearchStrategy[T],
    fails: Callable[[T], bool],
    *,
    key: str,
    shrink: bool = False,
    most: int | None = None,
) -> T | None:
    """What Hypothesis draws from *strategy* and *fails* says yes to; None where nothing is found.

    The settings are those of the profile in force, without deadline and health checks; *shrink*
    tells whether Hypothesis makes it small, *most* how many examples are enough, where the profile
    has more. *key* names the check in Hypothesis' example database.
    Inside a test of Hypothesis' own nothing is drawn: that would multiply its examples.
    """
    from hypothesis import Phase, currently_in_test_context, find, settings
    from hypothesis.errors import Flaky, NoSuchExample

    if most == 0 or currently_in_test_context():
        return None
    found: list[T] = []

    def kept(value: T) -> bool:
        if not fails(value):
            return False
        found.append(value)
        return True

    unwanted = {Phase.explain, Phase.explicit, *(() if shrink else (Phase.shrink,))}
    phases = tuple(phase for phase in settings().phases if phase not in unwanted)
    count = least(settings().max_examples, most)
    options = settings(phases=phases, max_examples=count, deadline=None, print_blob=False)
    try:
        return find(strategy, kept, settings=options, database_key=sha256(key.encode()).digest())
    except NoSuchExample:
        return None
    except Flaky:
        return found[0]  # it failed once, and that is what gets told


def least(limit: int, other: int | None) -> int:
    """The lower of two limits, where the other one is set."""
    return limit if other is None else min(limit, other)
