"""The columns of a tape's table: what fits where, at any width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Self

from rich.cells import cell_len
from rich.text import Text

from streamtape.report.printable import one_line

if TYPE_CHECKING:
    from rich.console import Console

    from streamtape.report.rows import Row
    from streamtape.tape import Tape

_GAP = "  "
_TIME = 9
"""Columns for milliseconds: up to 99,999.9, which is a minute and a half. Longer ones push."""
_MAX_TOKEN = 12
_LIVE_TYPE = 20
_MIN_DATA = 8
_BRACKETS = {(False, True): "┐", (True, True): "│", (True, False): "┘", (False, False): ""}
"""What stands beside a row, by whether it shares its chunk with the one above and below."""
_LABELS = {"comment": "(comment)", "silent": "(no event)", "unfinished": "(unfinished)"}


def milliseconds(ns: int) -> str:
    """Nanoseconds as milliseconds, to a tenth."""
    return f"{ns / 1_000_000:,.1f}"


def quoted(token: str) -> str:
    """A token's text, with its white space to be seen."""
    return f'"{one_line(token)}"'


@dataclass(frozen=True, slots=True)
class Layout:
    """Widths in terminal columns. 0 stands for a column that is left out."""

    width: int
    time: int = _TIME
    chunk: int = 0
    type: int = 0
    token: int = 0
    full: bool = False

    @classmethod
    def of(cls, tape: Tape, rows: Sequence[Row], width: int, *, full: bool = False) -> Self:
        """The columns that *rows* of *tape* need, in *width*."""
        types = {_label(row) for row in rows}
        kinds = {row.kind for row in rows}
        widest = max([cell_len(one_line(each)) for each in types], default=0)
        tokens = [cell_len(quoted(row.token)) for row in rows if _has_token(row)]
        return cls(
            width=width,
            time=_TIME if tape.timed else 0,
            chunk=max(map(len, ["chunk", *_marks(rows)])) if tape.timed and rows else 0,
            # Where all are of type "message", and nothing else came, the type says nothing.
            type=0
            if types <= {"message"} or kinds == {"chunk"}
            else max(min(widest, width // 4), len("event")),
            token=0 if full else min(max(tokens, default=0), _MAX_TOKEN),
            full=full,
        )

    @classmethod
    def live(cls, width: int, *, typed: bool, tokens: bool) -> Self:
        """The columns for rows whose number and chunks nobody knows yet."""
        return cls(
            width=width,
            type=min(_LIVE_TYPE, width // 4) if typed else 0,
            token=_MAX_TOKEN if tokens else 0,
        )

    @property
    def data(self) -> int:
        """The width that is left for the data."""
        columns = [self.time, self.time, self.chunk, self.type]
        used = sum(column + len(_GAP) for column in columns if column)
        return max(self.width - used, _MIN_DATA)

    def heading(self) -> Text:
        """The names of the columns."""
        line = Text(style="dim")
        if self.time:
            line.append(f"{'time ms':>{self.time}}{_GAP}{'gap ms':>{self.time}}{_GAP}")
        for width, name in ((self.chunk, "chunk"), (self.type, "event")):
            if width:
                line.append(f"{name[:width]:<{width}}{_GAP}")
        line.append("data")
        return line

    def row(self, row: Row, mark: str, console: Console) -> Text:
        """One row; *mark* is what stands in the column for chunks."""
        line = self._times(row.at_ns, row.gap_ns, late=row.late, stalled=row.stalled)
        if self.chunk:
            line.append(f"{mark:<{self.chunk}}{_GAP}", "dim")
        label = one_line(_label(row))
        if self.type:
            # The end of a long type says more: response.function_call_arguments.delta
            over = cell_len(label) > self.type
            shown = Text("…" + label[1 - self.type :] if over else label)
            shown.truncate(self.type, pad=True)
            shown.stylize("cyan" if row.kind == "event" else "yellow")
            line.append_text(shown).append(_GAP)
        self._append_data(line, self._data(row), console)
        return line

    def mark(self, at_ns: int, gap_ns: int, text: Text, console: Console) -> Text:
        """A row that isn't of the body: the head, the ending."""
        line = self._times(at_ns, gap_ns)
        for width in (self.chunk, self.type):
            if width:
                line.append(" " * width + _GAP)
        self._append_data(line, text, console)
        return line

    def _times(self, at_ns: int, gap_ns: int, *, late: bool = False, stalled: bool = False) -> Text:
        line = Text()
        if self.time:
            time = f"≤{milliseconds(at_ns)}" if late else milliseconds(at_ns)
            gap = f"{milliseconds(gap_ns)}!" if stalled else f"{milliseconds(gap_ns)} "
            line.append(f"{time:>{self.time}}{_GAP}", "bold" if stalled else "")
            # The mark stands in the space between the columns, so that numbers stay aligned.
            line.append(f"{gap:>{self.time + 1}}{_GAP[1:]}", "bold red" if stalled else "dim")
        return line

    def _data(self, row: Row) -> Text:
        data = row.data if self.full else row.data[: 4 * self.width]
        shown = Text()
        has_token = bool(self.token) and _has_token(row)
        if has_token:
            token = quoted(row.token)
            room = self.token - cell_len(token)
            shown.append(token + " " * max(room, 0) + " ", "green")
        elif self.token:
            shown.append(" " * (self.token + 1))
        label = _label(row)
        if not self.type and label not in ("", "message"):
            shown.append(f"{one_line(label)} ", "yellow")
        shown.append(one_line(data), "dim" if has_token or row.kind == "comment" else "")
        return shown

    def _append_data(self, line: Text, data: Text, console: Console) -> None:
        if not self.full:
            data.truncate(self.data, overflow="ellipsis")
            line.append_text(data)
            return
        indent = "\n" + " " * (self.width - self.data)
        pieces = data.wrap(console, self.data, overflow="fold")
        for n, piece in enumerate(pieces):
            if n:
                line.append(indent)
            piece.rstrip()
            line.append_text(piece)


def chunk_marks(rows: Iterable[Row]) -> list[str]:
    """What stands in the column for chunks.

    ``3``, or ``2-3`` where a frame was cut, and a bracket beside frames that one chunk completed.
    """
    return _marks(list(rows))


def _marks(rows: Sequence[Row]) -> list[str]:
    names = [
        f"{row.last_chunk}"
        if row.first_chunk == row.last_chunk
        else f"{row.first_chunk}-{row.last_chunk}"
        for row in rows
    ]
    with_next = [before.last_chunk == after.last_chunk for before, after in pairwise(rows)]
    neighbours = zip([False, *with_next], [*with_next, False], strict=False)
    brackets = [_BRACKETS[pair] for pair in neighbours]
    # One below the other, whatever stands before them.
    width = max(
        (len(name) for name, bracket in zip(names, brackets, strict=False) if bracket), default=0
    )
    return [
        f"{name:<{width}} {bracket}" if bracket else name
        for name, bracket in zip(names, brackets, strict=False)
    ]


def _has_token(row: Row) -> bool:
    """Whether the token is worth a column beside the data."""
    return row.token not in ("", row.data)


def _label(row: Row) -> str:
    return row.type if row.kind == "event" else _LABELS.get(row.kind, "")
