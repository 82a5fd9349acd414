"""How a renderer's work grows with its stream: an exponent, never a time.

Only ``feed`` is measured (looking at a long text is itself work in proportion to it), on the first
quarter, half and all of the pieces, never on the same text twice. Calls are counted, which no other
program on the machine disturbs; CPU time shows what native code does inside one call. The exponent
is the slope over the three sizes on logarithmic scales, of whichever grows faster.
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from streamtape.checks.collection import without_collection
from streamtape.checks.renderers.budget import Budget
from streamtape.checks.renderers.session import Stage, so_far
from streamtape.clock import now_ns

if TYPE_CHECKING:
    from types import FrameType

COST_S = 15.0
"""Seconds of measuring. A stream that takes longer is measured as far as that goes."""

FEWEST = 64
"""Of fewer pieces nothing is told: what each costs is lost among what all streams cost."""

_SHORT_NS = 300_000_000
"""A run that takes longer is not repeated: nothing that lasts so long is noise."""
_NOISE_NS = 2_000_000
"""CPU time of a whole stream below which it says nothing."""
_RUNS = 3


@dataclass(frozen=True)
class Growth:
    """Exponents of growth, and the costs that they come from; ``sizes`` are numbers of pieces."""

    sizes: tuple[int, ...]
    calls: tuple[int, ...]
    cpu_ns: tuple[int, ...]

    @property
    def exponents(self) -> dict[str, float]:
        """The exponent of calls, and of CPU time where there is enough of that to tell."""
        found = {"calls": _slope(self.sizes, self.calls)}
        if self.cpu_ns[-1] >= _NOISE_NS:
            found["cpu"] = _slope(self.sizes, self.cpu_ns)
        return found

    @property
    def worst(self) -> float:
        """The larger exponent."""
        return max(self.exponents.values())

    def told(self) -> str:
        """The exponents, and what they come from."""
        found = ", ".join(f"{name} {value:.2f}" for name, value in self.exponents.items())
        sizes = ", ".join(f"{size:,}" for size in self.sizes)
        return f"{self.worst:.2f} ({found}) from {sizes} pieces"


def measured(stage: Stage, pieces: Sequence[Any], *, limit: float, view: bool) -> Growth | str:
    """How the work for *pieces* grows; or why it can't be told.

    What grows faster than *limit* is measured again, and the better result counts. *view*: looking
    at it after each piece is measured too.
    """
    if len(pieces) < FEWEST:
        return f"{len(pieces)} pieces: of fewer than {FEWEST} nothing is told"
    if sys.getprofile() is not None:
        return "another profiler is at work, so calls can't be counted"
    ladder: dict[int, tuple[int, int]] = {}
    size = _smallest(len(pieces))
    _cost(stage, pieces[:size], "calls", view=view)  # imports and caches are filled
    budget = Budget(COST_S)
    while size <= len(pieces):
        ladder[size] = _both(stage, pieces[:size], view=view)
        if not budget.has_room(4 if len(ladder) >= 3 else 0):
            break  # the next size takes four times as long, if it grows with the square
        size = _next(size, len(pieces))
    if len(ladder) < 3:
        return f"{max(ladder)} of {len(pieces):,} pieces took all of {COST_S:g} s"
    sizes = tuple(ladder)[-3:]
    first = _growth(sizes, [ladder[size] for size in sizes])
    if first.worst <= limit:
        return first
    again = _growth(sizes, [_both(stage, pieces[:size], view=view) for size in sizes])
    return min(first, again, key=lambda growth: growth.worst)


def _smallest(count: int) -> int:
    """*count* halved until it is as few as are worth measuring."""
    halvings = max(int(math.log2(count / (FEWEST / 4))), 2)
    return count >> halvings


def _next(size: int, count: int) -> int:
    """The next size on the ladder that ends exactly at *count*."""
    halvings = round(math.log2(count / size)) - 1
    return count + 1 if halvings < 0 else count >> halvings


def _growth(sizes: Sequence[int], costs: Sequence[tuple[int, int]]) -> Growth:
    return Growth(tuple(sizes), tuple(one for one, _ in costs), tuple(one for _, one in costs))


def _both(stage: Stage, pieces: Sequence[Any], *, view: bool) -> tuple[int, int]:
    """Calls, and nanoseconds of CPU time: the least of some runs, if they are short."""
    least = sys.maxsize
    for _ in range(_RUNS):
        began_ns = now_ns()
        least = min(least, _cost(stage, pieces, "cpu", view=view))
        if now_ns() - began_ns > _SHORT_NS:
            break
    return _cost(stage, pieces, "calls", view=view), least


def _cost(stage: Stage, pieces: Sequence[Any], what: str, *, view: bool) -> int:
    meter: Meter = _Calls() if what == "calls" else _Cpu()
    with without_collection():
        stage.run(lambda: _fed(stage, pieces, meter, view=view))
    return max(meter.total, 1)


async def _fed(stage: Stage, pieces: Sequence[Any], meter: Meter, *, view: bool) -> None:
    fed = False
    try:
        async with stage.opened() as handle:
            await _fed_each(stage, handle, pieces, meter, view=view)
            fed = True
            await stage.close(handle)
    except (Exception, asyncio.CancelledError):
        if not fed:  # closing may refuse the first part of a stream
            raise


async def _fed_each(
    stage: Stage, handle: Any, pieces: Sequence[Any], meter: Meter, *, view: bool
) -> None:
    renderer = stage.renderer
    text: Any = pieces[0][:0] if isinstance(pieces[0], str) else None
    for count, piece in enumerate(pieces, start=1):
        given = piece
        if renderer.feeds_all:
            text = text + piece if text is not None else so_far(pieces, count)
            given = text
        meter.start()
        try:
            await stage.call(renderer.feed, handle, given)
            if view:
                await stage.call(renderer.view, handle)
        finally:
            meter.stop()


class Meter(Protocol):
    """Adds up what is spent between ``start`` and ``stop``."""

    total: int

    def start(self) -> None:
        """Spending counts from here on."""

    def stop(self) -> None:
        """It no longer counts."""


class _Cpu:
    """Nanoseconds of this thread's CPU time."""

    def __init__(self) -> None:
        self.total = 0
        self._began = 0

    def start(self) -> None:
        self._began = time.thread_time_ns()

    def stop(self) -> None:
        self.total += time.thread_time_ns() - self._began


class _Calls:
    """Calls of functions, written in Python or in C."""

    def __init__(self) -> None:
        self.total = 0

    def start(self) -> None:
        sys.setprofile(self._count)

    def stop(self) -> None:
        sys.setprofile(None)

    def _count(self, _frame: FrameType, what: str, _: object) -> None:
        if what in ("call", "c_call"):
            self.total += 1


def _slope(sizes: Sequence[int], costs: Sequence[int]) -> float:
    """The slope of the line with the least squares through the logarithms."""
    points = [(math.log(x), math.log(max(y, 1))) for x, y in zip(sizes, costs, strict=True)]
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    over = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return over / sum((x - mean_x) ** 2 for x, _ in points)
