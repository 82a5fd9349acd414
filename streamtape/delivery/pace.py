"""The same chunks at other times."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from streamtape.tape import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streamtape.tape import Tape

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, repr=False)
class Pace:
    """How a tape's times are changed before they are played. Its repr evaluates to itself.

    ``factor``: the recorded speed is multiplied by it (2.0 halves every time). ``max_gap``: seconds
    that no gap exceeds, so that a long silence needn't be waited for; None for no limit.
    ``jitter``: seconds by which each chunk is delayed at most, drawn evenly from a generator with
    this ``seed``; chunks keep their order. ``virtual``: play under a virtual clock only, as the
    word ``"virtual"`` does.

    The three apply in this order, to the head, each chunk and the ending. Times are those of the
    player: a cassette's file never changes.

    Raises ValueError for a factor that isn't positive, and for negative seconds.
    """

    factor: float = 1.0
    max_gap: float | None = None
    jitter: float = 0.0
    seed: int = 0
    virtual: bool = False

    def __post_init__(self) -> None:
        # True counts as 1: who writes it means something else.
        is_word = isinstance(self.factor, bool)
        if is_word or not (self.factor > 0 and math.isfinite(self.factor)):
            raise ValueError(f"pace must be a positive number, not {self.factor!r}")
        if self.max_gap is not None and not self.max_gap >= 0:
            raise ValueError(f"max_gap must be seconds, 0 or more, or None, not {self.max_gap!r}")
        if not (self.jitter >= 0 and math.isfinite(self.jitter)):
            raise ValueError(f"jitter must be seconds, 0 or more, not {self.jitter!r}")

    def __repr__(self) -> str:
        given = [
            f"{name}={value!r}"
            for name, value in vars(self).items()
            if value != getattr(_AS_RECORDED, name)
        ]
        return f"Pace({', '.join(given)})"

    def apply(self, tape: Tape) -> Tape:
        """*tape* at this pace. Pure."""
        if replace(self, virtual=False) == _AS_RECORDED:
            return tape
        head_ns = [] if tape.head_ns is None else [tape.head_ns]
        times = [*head_ns, *(chunk.at_ns for chunk in tape.chunks), tape.ending.at_ns]
        if self.factor != 1.0:
            times = [round(at_ns / self.factor) for at_ns in times]
        if self.max_gap is not None:
            times = list(_without_long_gaps(times, round(self.max_gap * _SECOND_NS)))
        if self.jitter:
            times = list(_delayed(times, round(self.jitter * _SECOND_NS), self.seed))
        *head, ending_ns = times
        chunks_ns = head[len(head_ns) :]
        return tape.with_chunks(
            [
                Chunk(at_ns, chunk.data, chunk.late)
                for at_ns, chunk in zip(chunks_ns, tape.chunks, strict=True)
            ],
            head_ns=head[0] if head_ns else None,
            ending=replace(tape.ending, at_ns=ending_ns),
        )


_AS_RECORDED = Pace()


def _without_long_gaps(times: Iterable[int], max_gap_ns: int) -> Iterator[int]:
    before = at_ns = 0
    for time in times:
        at_ns += min(time - before, max_gap_ns)
        before = time
        yield at_ns


def _delayed(times: Iterable[int], jitter_ns: int, seed: int) -> Iterator[int]:
    # Not for secrets: a seed makes the same delays again.
    generator = random.Random(seed)  # noqa: S311 - as said above
    at_ns = 0
    for time in times:
        at_ns = max(at_ns, time + generator.randrange(jitter_ns + 1))
        yield at_ns
