"""What was seen of a renderer that passed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from streamtape.checks.renderers.shown import characters_taken_back, text_of
from streamtape.checks.renderers.words import lags

if TYPE_CHECKING:
    from streamtape.checks.renderers.words import Words


@dataclass(frozen=True)
class RendererReport:
    """What a renderer that passed was seen to do with the pieces as they came.

    ``frames``: ``(t, view)`` after each piece. ``t`` is in seconds: the renderer's own virtual time
    where it is async, the tape is timed and looptime is installed; else when the tape's piece came,
    and 0.0 where no time is known. ``exponents``: how its work grows with the length of the stream,
    as ``{"calls": 1.0, "cpu": 1.1}``: 1 is in proportion to it, 2 to its square; None where that
    was not measured. ``not_judged`` says why, and what else was left out, by its name. ``examples``
    tells how many ways to cut the stream were tried, ``empty`` is the view before any piece.
    ``counts``: how many pieces each frame is after; ``arrivals``: when each piece came, in seconds.
    """

    frames: tuple[tuple[float, Any], ...]
    exponents: Mapping[str, float] | None = None
    not_judged: Mapping[str, str] = field(default_factory=dict)
    examples: int = 0
    empty: Any = None
    counts: tuple[int, ...] = field(default=(), repr=False)
    arrivals: tuple[float, ...] = field(default=(), repr=False)
    words: Words | None = field(default=None, repr=False, compare=False)

    @property
    def instability_depth(self) -> int:
        """The most characters that one frame took back of the one before."""
        return max(self._taken_back(), default=0)

    @property
    def retractions(self) -> int:
        """How many frames took back anything."""
        return sum(1 for back in self._taken_back() if back)

    @property
    def characters_rewritten(self) -> int:
        """How many characters all frames took back in all."""
        return sum(self._taken_back())

    @property
    def time_to_first_visible(self) -> float | None:
        """Seconds until a frame showed another text than the empty one; None: no frame did."""
        empty = text_of(self.empty)
        return next((at for at, view in self.frames if text_of(view) != empty), None)

    @property
    def staleness(self) -> float | None:
        """The longest time, in seconds, that a word that had come was not shown.

        Looked at are words that occur once. A word that no frame showed counts until the last one.
        None where there is no such word.
        """
        if self.words is None or not self.frames:
            return None
        shown = [(at, text_of(view, on_screen=True)) for at, view in self.frames]
        came = [self.arrivals[fed - 1] if self.arrivals else 0.0 for fed in self.counts]
        newest = [self.words.newest(fed) for fed in self.counts]
        return max(lags(newest, came, shown), default=None)

    def _taken_back(self) -> list[int]:
        views = [self.empty, *(view for _, view in self.frames)]
        return [characters_taken_back(old, new) for old, new in pairwise(views)]
