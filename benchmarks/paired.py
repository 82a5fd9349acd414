"""Measuring in pairs: every case once a round, and ratios only within a round.

A machine that is busy, warm or throttled slows all cases of a round alike, so a ratio holds where a
time does not.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

Value = TypeVar("Value")

GOAL_EVENTS = 20_000
"""Events that a stream needs for the goals to be meant for it."""


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    events: int
    """In a stream, of 200 bytes each."""
    rounds: int
    """How often each case is measured inside this process."""
    process_rounds: int
    """The same for cases that are a process each."""
    paused_events: int = 5
    gap_ms: float = 40.0
    """The pause before each event of a stream with pauses, but the first."""
    deliveries: int = 1_000
    """In how many ways a short stream is played."""

    def goals(self, goals: dict[str, float]) -> dict[str, float]:
        """*goals*, as `section` takes them; none for short streams, where the start costs most."""
        return goals if self.events >= GOAL_EVENTS else {}


def measured(cases: Mapping[str, Callable[[], Value]], rounds: int) -> dict[str, list[Value]]:
    """What each case returned in each round, after one round that does not count.

    The order turns from round to round, and is reversed in every other one, so that no case always
    runs after the same neighbour. A single round is no measurement, and has none before it.
    """
    if rounds > 1:
        for case in cases.values():
            case()
    names = list(cases)
    values: dict[str, list[Value]] = {name: [] for name in names}
    for number in range(rounds):
        turn = number // 2 % len(names)
        order = names[turn:] + names[:turn]
        for name in reversed(order) if number % 2 else order:
            gc.collect()
            values[name].append(cases[name]())
    return values


@dataclass(frozen=True)
class Row:
    """One case: the median of its figures, and of their ratios to the base's in the same round.

    ``low`` and ``high`` are the quartiles of the ratios. All are None where the case's package is
    not installed, and the ratios are None where the base's isn't.
    """

    name: str
    figure: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""
    goal: float | None = None

    @property
    def missed(self) -> bool:
        """Whether the ratio is above the goal."""
        return self.goal is not None and self.ratio is not None and self.ratio > self.goal


@dataclass(frozen=True)
class Section:
    """Cases that are compared. *base* names the row that all ratios refer to."""

    title: str
    unit: str
    base: str
    rows: Sequence[Row]
    better: Literal["less", "more"] = "less"


def section(
    title: str,
    unit: str,
    values: Mapping[str, Sequence[float]],
    base: str,
    *,
    absent: Sequence[str] = (),
    notes: Mapping[str, str] | None = None,
    goals: Mapping[str, float] | None = None,
    better: Literal["less", "more"] = "less",
) -> Section:
    """The section of *values* (as from `measured`). *absent* names the cases not installed."""
    notes, goals = notes or {}, goals or {}
    rows = []
    for name, figures in values.items():
        ratios = [
            figure / unit_figure
            for figure, unit_figure in zip(figures, values.get(base, ()), strict=False)
            if unit_figure
        ]
        low, ratio, high = _quartiles(ratios) if ratios else (None, None, None)
        rows.append(
            Row(
                name=name,
                figure=statistics.median(figures),
                ratio=ratio,
                low=low,
                high=high,
                note=notes.get(name, ""),
                goal=goals.get(name),
            )
        )
    rows += [Row(name, note="not installed") for name in absent]
    return Section(title, unit, base, rows, better)


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high
