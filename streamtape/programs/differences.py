"""What differs in the output of two runs, as a unified diff that stays readable."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff
from itertools import takewhile

from streamtape.report.printable import of_bytes, one_line

_WIDTH = 120
_LEAD = 30
"""A line that is longer is shown from so many characters before the first difference."""

_MOST = 40
"""So many lines of a difference are shown."""

_CONTEXT = 2
_MOST_COMPARED = 2_000
"""So many lines are compared: what that takes grows with their square."""


def difference(recorded: bytes | None, delivered: bytes | None) -> list[str]:
    """The lines of a unified diff, bytes that are no text as escapes. Empty where both are equal.

    None stands for a file that wasn't written.
    """
    if recorded == delivered:
        return []
    if recorded is None or delivered is None:
        written = "recorded" if delivered is None else "delivered"
        return [f"the file was written as {written} only"]
    one, other = _lines(recorded), _lines(delivered)
    same = max(_common(one, other) - _CONTEXT, 0)
    one, other = one[same : same + _MOST_COMPARED], other[same : same + _MOST_COMPARED]
    lines = list(unified_diff(one, other, "as recorded", "as delivered", lineterm="", n=_CONTEXT))
    lines = [*lines[:2], *_windowed(_moved(line, same) for line in lines[2:])]
    more = len(lines) - _MOST
    return lines if more <= 0 else [*lines[:_MOST], f"… and {more:,} more lines"]


def _lines(output: bytes) -> list[str]:
    """The lines of *output*; that the last one has no end is told as GNU diff does."""
    lines = [one_line(of_bytes(line)) for line in output.split(b"\n")]
    if lines[-1] == "":
        lines.pop()
    else:
        lines.append("\\ No newline at the end")
    return lines


def _common(one: list[str], other: list[str]) -> int:
    same = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in same)


def _moved(line: str, by: int) -> str:
    """*line*, where it is the head of a hunk of what begins *by* lines later."""
    if not by or not line.startswith("@@"):
        return line
    mark, *ranges, end = line.split(" ")
    moved = []
    for each in ranges:
        start, comma, length = each[1:].partition(",")
        moved.append(f"{each[0]}{int(start) + by}{comma}{length}")
    return " ".join([mark, *moved, end])


def _windowed(lines: Iterator[str]) -> Iterator[str]:
    """*lines*, the long ones of each change cut to where they differ from their counterparts."""
    removed: list[str] = []
    added: list[str] = []
    for line in lines:
        if line.startswith("-") and not added:
            removed.append(line)
        elif line.startswith("+"):
            added.append(line)
        else:
            yield from _change(removed, added)
            removed, added = ([line], []) if line.startswith("-") else ([], [])
            if not removed:
                yield _window(line, 0)
    yield from _change(removed, added)


def _change(removed: list[str], added: list[str]) -> Iterator[str]:
    starts = [
        _common(list(one[1:]), list(other[1:])) for one, other in zip(removed, added, strict=False)
    ]
    for lines in (removed, added):
        for place, line in enumerate(lines):
            yield _window(line, starts[place] if place < len(starts) else 0)


def _window(line: str, differs_at: int) -> str:
    mark, text = line[:1], line[1:]
    start = max(differs_at - _LEAD, 0) if len(text) > _WIDTH else 0
    left = "…" if start else ""
    right = "…" if len(text) > start + _WIDTH else ""
    return f"{mark}{left}{text[start : start + _WIDTH]}{right}"
