"""The fewest and shortest pieces that still show a failure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate, compress
from typing import TYPE_CHECKING, Any

from streamtape.checks.renderers import json_text
from streamtape.checks.renderers.judging import (
    CHUNKING,
    EXACT,
    NOT_ENCODABLE,
    RAISES,
    UNSTABLE,
    Judge,
)
from streamtape.checks.renderers.session import so_far
from streamtape.checks.renderers.source import cut_at
from streamtape.delivery.shrinking import ddmin

if TYPE_CHECKING:
    from streamtape.checks.failures import Failure
    from streamtape.checks.renderers.budget import Budget
    from streamtape.checks.renderers.source import Source

MAX_RUNS = 400
"""So many runs may be spent on making one failure small."""

_SHORT = 120
"""A text that is down to so many characters is made smaller by the character."""
_TINY = 6
"""A text of so few characters is tried with every cut."""
_MOST_PIECES = 2_000

_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
_CHARACTERS = re.compile(r"(?s).")
_VARYING = re.compile(r"\d+|'.*'|\".*\"", re.DOTALL)


class Smaller:
    """Makes the example of one failure small, for as long as there is a *budget*.

    Lines go first, since a run of fewer is quicker; then cuts, and then less text. What is JSON
    stays JSON. ``also`` are the other failures that the smallest example shows, ``lines`` those of
    the stream that it takes.
    """

    def __init__(
        self, judge: Judge, source: Source, kind: str, budget: Budget, *, recorded: bool
    ) -> None:
        self._judge = judge
        self._source = source
        self._kind = kind
        self._recorded = recorded
        self._left = MAX_RUNS
        self._budget = budget
        self._best: Failure | None = None
        self.also: dict[str, Failure] = {}
        self.lines: tuple[str, ...] = ()

    def of(self, failure: Failure) -> Failure:
        """*failure*, or the same with less."""
        self._best = failure
        if self._source.unit == "event":
            if self._kind in EXACT:
                self._fails(failure.pieces or ())
            elif self._kind == CHUNKING:
                at = range(1, self._source.length)
                ddmin(at, lambda cuts: self._fails(self._source.cut(cuts)))
            return self._best
        root = json_text.document(self._source.text) if self._source.unit == "text" else None
        if root is not None:
            self._json(root)
            self._fewer_cuts()
            return self._best
        self._drop(_LINES)
        if self._source.unit == "text":
            self.lines = tuple(_LINES.findall("".join(self._pieces)))
        self._fewer_cuts()
        for atoms in (_LINES, _WORDS, _CHARACTERS):
            self._drop(atoms)
        while self._moved():
            pass
        return self._best

    @property
    def _pieces(self) -> tuple[Any, ...]:
        """Those of the smallest example by now."""
        assert self._best is not None
        return self._best.pieces or ()

    def _fewer_cuts(self) -> None:
        pieces = self._pieces
        whole = so_far(pieces, len(pieces))
        ends = tuple(accumulate(map(len, pieces)))[:-1]
        ddmin(ends, lambda cuts: self._fails(cut_at(whole, cuts)))

    def _drop(self, pattern: re.Pattern[str]) -> None:
        """Leave out what is not needed of the text in the pieces: lines, words, characters."""
        pieces = self._pieces
        if not all(isinstance(piece, str) for piece in pieces):
            return
        text = "".join(pieces)
        if pattern is _CHARACTERS and len(text) > _SHORT:
            return
        atoms = [match.span() for match in pattern.finditer(text)]

        def rebuilt(some: Iterable[tuple[int, int]]) -> list[str]:
            kept = bytearray(len(text))
            for start, end in some:
                kept[start:end] = b"\1" * (end - start)
            ends = accumulate(map(len, pieces))
            parts = (
                (one, kept[end - len(one) : end]) for one, end in zip(pieces, ends, strict=True)
            )
            left = ((one, "".join(compress(one, part))) for one, part in parts)
            return [new for old, new in left if new or not old]

        ddmin(atoms, lambda some: self._fails(rebuilt(some)))

    def _moved(self) -> bool:
        """Leave out one character of two short pieces where the cut is elsewhere then."""
        pieces = self._pieces
        text = so_far(pieces, len(pieces))
        if len(pieces) != 2 or not isinstance(text, str) or len(text) > _TINY:
            return False
        shorter = [text[:at] + text[at + 1 :] for at in range(len(text))]
        return any(
            self._fails(cut_at(some, (cut,))) for some in shorter for cut in range(1, len(some))
        )

    def _json(self, root: json_text.Node) -> None:
        """Make the whole document smaller, given in one piece or by the character."""
        # A first part of the stream is the shorter the more often it is looked at.
        ways = (_by_character, _whole) if self._kind in EXACT else (_whole, _by_character)
        cut = next((cut for cut in ways if self._fails(cut(str(root)))), None)
        if cut is None:
            return
        bracket, first = root.raw, self._best

        def fails(text: str) -> bool:
            before = self._best
            if not self._fails(cut(text)):
                return False
            # A parser may refuse arrays where objects are due: that would be another failure.
            if text[0] != bracket and not self._is_like(first):
                self._best = before
                return False
            return True

        json_text.shrink(root, fails)

    def _is_like(self, first: Failure | None) -> bool:
        """Whether the failure has the reason of the *first* one, as far as that can be told."""
        assert self._best is not None
        assert first is not None
        if self._kind != RAISES:
            return self._kind in (UNSTABLE, NOT_ENCODABLE)
        reasons = [(type(one.got), _VARYING.sub("", str(one.got))) for one in (first, self._best)]
        return reasons[0] == reasons[1]

    def _fails(self, pieces: Sequence[Any]) -> bool:
        self._left -= 1
        if self._left < 0 or not self._budget.is_left:
            return False
        found = self._judge.judged(pieces, recorded=self._recorded)
        again = found.get(self._kind)
        if again is None:
            return False
        self._best, self.also = again, found
        return True


def _whole(text: str) -> list[str]:
    return [text]


def _by_character(text: str) -> list[str]:
    return [*text[:_MOST_PIECES], *filter(None, [text[_MOST_PIECES:]])]
