"""A tape's times as a table for people and as JSON for programs, both in milliseconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.text import Text

from streamtape.metrics import Spread, Timing, timing
from streamtape.report.text import counted, heading, put

if TYPE_CHECKING:
    from rich.console import Console

    from streamtape.tape import Tape

_MOMENTS = (
    "time_to_headers",
    "time_to_first_chunk",
    "time_to_first_event",
    "time_to_first_token",
    "duration",
    "time_per_output_token",
)
_SPREADS = ("inter_chunk", "inter_event", "inter_token")
_COLUMNS = ("min", "p50", "p90", "p99", "max", "mean")
_LABEL = 24
_UNKNOWN = "-"


def show(tape: Tape, console: Console, *, number: int = 1) -> None:
    """Print the times of *tape*, the interaction of that *number*."""
    times = timing(tape)
    heading(tape, number, console)
    if tape.timed:
        for name in _MOMENTS:
            value = getattr(times, name)
            label = f"   {name.replace('_', ' '):<{_LABEL}}"
            unit = "" if value is None else " ms"
            put(console, Text.assemble((label, "dim"), f"{_ms(value):>9}{unit}"))
        columns = "".join(f"{name:>8}" for name in _COLUMNS)
        put(console, Text(f"   {'gaps in ms':<{_LABEL - 8}}{columns}", "dim"))
        for name in _SPREADS:
            put(console, _spread_line(name, getattr(times, name)))
        for stall in times.stalls():
            put(console, _stall_line(stall.at, stall.length, stall.chunk, late=stall.late))
    if counts := list(_counts(tape, times)):
        put(console, Text(f"   {', '.join(counts)}"))


def as_json(tape: Tape) -> dict[str, Any]:
    """The same for programs: names that end in ``_ms`` are milliseconds, null is unknown."""
    times = timing(tape)
    request = tape.request
    found: dict[str, Any] = {
        "method": None if request is None else request.method,
        "url": None if request is None else request.url,
        "status": tape.status,
        "framing": tape.framing,
        "coding": tape.coding,
        "timed": tape.timed,
        "ending": tape.ending.kind,
        "error": tape.ending.error,
    }
    found |= {f"{name}_ms": _milliseconds(getattr(times, name)) for name in _MOMENTS}
    for name in _SPREADS:
        spread: Spread | None = getattr(times, name)
        found[f"{name}_ms"] = None if spread is None else _spread(spread)
    found["stalls"] = [
        {
            "at_ms": _milliseconds(stall.at),
            "length_ms": _milliseconds(stall.length),
            # As `show` counts them: from 1.
            "chunk": stall.chunk + 1,
            "late": stall.late,
        }
        for stall in times.stalls()
    ]
    for name in (
        "events",
        "chunks",
        "late_chunks",
        "events_per_chunk",
        "bytes",
        "output_tokens",
    ):
        found[name] = getattr(times, name)
    return found


def _spread(spread: Spread) -> dict[str, Any]:
    return {
        name: value if name == "count" else _milliseconds(value)
        for name, value in asdict(spread).items()
    }


def _milliseconds(seconds: float | None) -> float | None:
    # To the nanosecond, which is what is known: the rest is binary fractions.
    return None if seconds is None else round(seconds * 1000, 6)


def _ms(seconds: float | None) -> str:
    return _UNKNOWN if seconds is None else f"{seconds * 1000:,.1f}"


def _spread_line(name: str, spread: Spread | None) -> Text:
    line = Text.assemble((f"   {name.replace('_', '-'):<{_LABEL - 8}}", "dim"))
    for column in _COLUMNS:
        value = None if spread is None else getattr(spread, column)
        line.append(f"{_ms(value):>8}")
    return line


def _stall_line(at: float, length: float, chunk: int, *, late: bool) -> Text:
    line = Text("   ").append("stall", "bold red")
    line.append(f" of {_ms(length)} ms after {_ms(at)} ms, before chunk {chunk + 1}")
    return line.append(" (at most: the client was away)" if late else "")


def _counts(tape: Tape, times: Timing) -> Iterator[str]:
    if tape.timed and times.events_per_chunk is not None and tape.framing != "raw":
        yield f"{times.events_per_chunk:.2f} events per chunk"
    if times.late_chunks:
        yield f"{counted(times.late_chunks, 'chunk')} that had lain waiting"
    if times.output_tokens is not None:
        yield f"{counted(times.output_tokens, 'output token')} reported"
