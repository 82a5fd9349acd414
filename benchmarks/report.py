"""The results as one table of 100 columns, or as JSON."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import platform
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.paired import Row, Section

WIDTH = 100
_FIGURE, _RATIO, _RANGE, _NOTE = 11, 8, 15, 32
_NAME = WIDTH - _FIGURE - _RATIO - _RANGE - _NOTE

PACKAGES = ("httpx2", "httpx", "openai", "pytest", "vcrpy", "pytest-recording", "cassetter")


def environment() -> dict[str, str]:
    """What was measured on: Python, processors, releases."""
    found = {"Python": platform.python_version(), "processors": str(os.cpu_count())}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def head() -> str:
    """The table's head, and what it was measured on."""
    words = [f"{name} {value}" for name, value in environment().items()]
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) + 3 > WIDTH:
            lines.append("")
        lines[-1] += f"{' · ' if lines[-1] else ''}{word}"
    columns = f"{'':{_NAME}}{'median':>{_FIGURE}}{'ratio':>{_RATIO}}{'its quartiles':>{_RANGE}}"
    return "\n".join([*lines, "", columns, "─" * WIDTH])


def table(section: Section) -> str:
    """One section: its title with the unit, then a line for each case."""
    unit = section.unit + (" (more is better)" if section.better == "more" else "")
    return "\n".join([f"{section.title}, {unit}", *map(_line, section.rows)])


def _line(row: Row) -> str:
    def cell(value: float | None, width: int) -> str:
        return f"{'' if value is None else _number(value):>{width}}"

    between = "" if row.low is None else f"{_number(row.low)} … {_number(row.high or 0)}"
    goal = "" if row.goal is None else f"goal {row.goal:.2f}{' missed' if row.missed else ''}"
    note = ", ".join(filter(None, [goal, row.note]))
    line = (
        f"  {row.name:{_NAME - 2}}{cell(row.figure, _FIGURE)}{cell(row.ratio, _RATIO)}"
        f"{between:>{_RANGE}}  {note}"
    )
    return line.rstrip()


def _number(value: float) -> str:
    digits = 2 if abs(value) < 100 else 1 if abs(value) < 1000 else 0
    return f"{value:,.{digits}f}"


def as_json(sections: Sequence[Section]) -> str:
    """All figures, unrounded."""
    return json.dumps(
        {
            "environment": environment(),
            "sections": [dataclasses.asdict(section) for section in sections],
        },
        ensure_ascii=False,
        indent=2,
    )
