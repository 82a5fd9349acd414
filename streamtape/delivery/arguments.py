"""What the arguments of a change may be: each kind in words, and as a test.

A decorator of `streamtape.delivery.change` takes one for each argument of the function below it,
and a value is refused when it is made, not when it is delivered::

    @fault("the stream ends after event {k}", k=whole(0))
    def end_after(tape: Tape, k: int) -> Tape: ...
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import NamedTuple

_NO_LINE = re.compile("[\r\n\ud800-\udfff]")


class Argument(NamedTuple):
    """What an argument may be: ``what`` goes on from "must be"; ``allows`` tells for a value."""

    what: str
    allows: Callable[[object], bool]

    def check(self, called: str, name: str, value: object) -> None:
        """Raise ValueError where *value* isn't allowed for the argument *name* of *called*."""
        if not self.allows(value):
            raise ValueError(f"{called}: {name} must be {self.what}, not {value!r}")


def whole(least: int, most: int | None = None, *, what: str = "a whole number") -> Argument:
    """A whole number from *least* on, up to *most* where there is one."""
    return Argument(
        f"{what}, {least} or more" if most is None else f"{what} from {least} to {most}",
        lambda value: is_whole(value, least) and (most is None or value <= most),  # type: ignore[operator]  # a number by then
    )


def number(what: str, *, above: float | None = None) -> Argument:
    """A finite number, 0 or more, or greater than *above*. *what* says what it counts."""
    if above is None:
        return Argument(f"{what}, 0 or more", lambda value: is_finite(value) and value >= 0)  # type: ignore[operator]  # as above
    return Argument(
        f"{what}, more than {above:g}",
        lambda value: is_finite(value) and value > above,  # type: ignore[operator]  # as above
    )


def one_of(*words: str) -> Argument:
    """One of some words."""
    return Argument(
        f"one of {', '.join(map(repr, words))}",
        lambda value: isinstance(value, str) and value in words,
    )


def optional(argument: Argument) -> Argument:
    """None, or what *argument* says."""
    return Argument(
        f"{argument.what}, or None", lambda value: value is None or argument.allows(value)
    )


def is_whole(value: object, least: int | None = None) -> bool:
    """Whether *value* is an int, at least *least*. True and False are none, here and below."""
    return (
        isinstance(value, int) and not isinstance(value, bool) and (least is None or value >= least)
    )


def is_finite(value: object) -> bool:
    """Whether *value* is a number that is neither infinite nor NaN."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_line(value: object) -> bool:
    # Half a surrogate pair has no UTF-8.
    return isinstance(value, str) and _NO_LINE.search(value) is None


FLAG = Argument("True or False", lambda value: isinstance(value, bool))
INTEGER = Argument("a whole number", is_whole)
LINE = Argument("one line of text (no CR, LF or half of a surrogate pair)", _is_line)
EVERY = Argument(
    "a whole number from 1 on (1 for each, 2 for each second)", lambda value: is_whole(value, 1)
)
BEFORE = Argument(
    "the number of an event, 1 or more, or 0 (before the first)", lambda value: is_whole(value, 0)
)
"""``k`` where something comes after event k."""
EVENT = whole(1, what="the number of an event")
"""``k`` where something happens to event k."""
