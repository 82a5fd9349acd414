"""Tapes as text for a terminal: who asked, what came when, how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from itertools import accumulate
from typing import TYPE_CHECKING

from rich.cells import chop_cells
from rich.text import Text

from streamtape.report.layout import Layout, chunk_marks
from streamtape.report.printable import lines, of_bytes, one_line
from streamtape.report.rows import Row, rows

if TYPE_CHECKING:
    from rich.console import Console

    from streamtape.tape import Ending, Headers, Tape

_FIRST_CHARACTERS = 300
"""How much of an unframed body is shown."""

_ENDINGS = {
    "eof": ("the server ended it (eof)", "green"),
    "closed": ("the client closed it", "yellow"),
    "error": ("it broke", "bold red"),
    "unfinished": ("the recorder died while it ran", "bold red"),
}


def show(
    tape: Tape, console: Console, *, number: int = 1, full: bool = False, most: int | None = None
) -> None:
    """Print *tape*, the interaction of that *number*.

    *full*: nothing is shortened, and headers and the request's body are shown too. *most*: how
    many rows of the body are shown before those in the middle are left out.
    """
    heading(tape, number, console)
    if full:
        _show_heads(tape, console)
    if tape.framing == "raw" and not full:
        _show_beginning(tape, console)
        return
    table = rows(tape)
    layout = Layout.of(tape, table, console.width, full=full)
    put(console, layout.heading())
    if tape.timed and tape.head_ns is not None:
        head = Text("response head", "dim")
        put(console, layout.mark(tape.head_ns, tape.head_ns, head, console))
    _show_rows(table, layout, console, most)
    if tape.timed:
        gap_ns = tape.ending.at_ns - (table[-1].at_ns if table else tape.head_ns or 0)
        put(console, layout.mark(tape.ending.at_ns, gap_ns, ending_text(tape.ending), console))
    for note in _legend(tape, table):
        put(console, Text(note, "dim"))


def heading(tape: Tape, number: int, console: Console) -> None:
    """Print who asked for what, what came in all, and how it ended."""
    if tape.request is None:
        asked = Text("any request", "bold")
    else:
        asked = Text.assemble(
            (one_line(tape.request.method), "bold"), " ", (one_line(tape.request.url), "cyan")
        )
    put_exactly(console, f"{number:<3}", asked)
    if tape.head_ns is not None:
        put_folded(console, "   ", _answered(tape))
    put_folded(console, "   ", _came(tape))


def ending_text(ending: Ending) -> Text:
    """How a stream ended, in words."""
    words, style = _ENDINGS[ending.kind]
    text = Text(words, style)
    if ending.kind == "error":
        text.append(f" ({ending.error})", style)
        if ending.text:
            text.append(f": {one_line(ending.text)}", "red")
    return text


def status_text(status: int, reason: str) -> Text:
    """A status line, with a colour for how it is meant."""
    ok = status < HTTPStatus.BAD_REQUEST
    return Text().append(f"{status} {one_line(reason)}".strip(), "green" if ok else "red")


def summary(path: str, tapes: Sequence[Tape], console: Console) -> None:
    """Print one line on a whole cassette."""
    line = Text.assemble((one_line(path), "bold"), f": {counted(len(tapes), 'interaction')}")
    if path.endswith(".part"):
        line.append(", of a recording that didn't come to its end", "yellow")
    put_folded(console, "", line)


def size(count: int) -> str:
    """A number of bytes for people."""
    if count < 1000:
        return f"{count} byte{'' if count == 1 else 's'}"
    return f"{count / 1000:,.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:,.1f} MB"


def seconds(ns: int) -> str:
    """Nanoseconds as seconds, to the millisecond."""
    return f"{ns / 1_000_000_000:,.3f} s"


def counted(count: int, name: str) -> str:
    """``1 chunk``, ``2 chunks``."""
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def put(console: Console, line: Text) -> None:
    """Print *line* as it is, however wide the terminal."""
    console.print(line, no_wrap=True, crop=False, overflow="ignore", highlight=False)


def put_folded(console: Console, prefix: str, text: Text) -> None:
    """Print *text* after *prefix*, folded between words and indented as the first line."""
    width = max(console.width - len(prefix), 1)
    for line in text.wrap(console, width, overflow="fold", tab_size=4):
        line.rstrip()
        put(console, Text.assemble((prefix, "bold")).append_text(line))
        prefix = " " * len(prefix)


def put_exactly(console: Console, prefix: str, text: Text) -> None:
    """Print *text* after *prefix*, indented as the first line, and folded wherever the edge is.

    So nothing is lost: what is copied from the screen, a URL or a body, is what was there.
    """
    width = max(console.width - len(prefix), 1)
    for line in text.split(allow_blank=True):
        line.expand_tabs(4)
        pieces = chop_cells(line.plain, width) or [""]
        for piece in line.divide(list(accumulate(map(len, pieces)))[:-1]):
            put(console, Text.assemble((prefix, "bold")).append_text(piece))
            prefix = " " * len(prefix)


def _answered(tape: Tape) -> Text:
    parts = [one_line(tape.content_type or "no content type"), tape.framing]
    if tape.coding is not None:
        parts.append(tape.coding)
    if tape.http_version != "HTTP/1.1":
        parts.append(one_line(tape.http_version))
    return status_text(tape.status, tape.reason).append(" · " + " · ".join(parts))


def _came(tape: Tape) -> Text:
    line = Text()
    if tape.head_ns is None:
        line.append("no response · ")
    else:
        if tape.framing != "raw":
            line.append(f"{counted(len(tape.events()), 'event')}, ")
        if tape.timed:
            line.append(f"{counted(len(tape.chunks), 'chunk')}, ")
        line.append(f"{size(len(tape.body))} · ")
    if tape.timed:
        line.append(f"{seconds(tape.ending.at_ns)} · ").append_text(ending_text(tape.ending))
    else:
        line.append("no timeline: when and how it came is unknown", "yellow")
    return line


def _show_heads(tape: Tape, console: Console) -> None:
    if tape.request is not None:
        _show_headers("request", tape.request.headers, console)
        if tape.request.body:
            put(console, Text("   request body", "dim"))
            put_exactly(console, "     ", Text(lines(of_bytes(tape.request.body))))
    if tape.head_ns is not None:
        _show_headers("response", tape.headers, console)


def _show_headers(whose: str, headers: Headers, console: Console) -> None:
    put(console, Text(f"   {whose} headers", "dim"))
    for name, value in headers:
        put_exactly(console, "     ", Text(f"{one_line(name)}: {one_line(value)}"))


def _show_beginning(tape: Tape, console: Console) -> None:
    if not tape.body:
        return
    beginning = of_bytes(tape.body[: 4 * _FIRST_CHARACTERS])
    put_exactly(console, "   ", Text(lines(beginning[:_FIRST_CHARACTERS])))
    if len(beginning) > _FIRST_CHARACTERS:
        put(console, Text("   … (--full shows all)", "dim"))


def _show_rows(table: Sequence[Row], layout: Layout, console: Console, most: int | None) -> None:
    marked = list(zip(table, chunk_marks(table), strict=True))
    hidden = 0 if most is None else max(len(marked) - most, 0)
    first = len(marked) if most is None else most - most // 3
    for row, mark in marked[:first]:
        put(console, layout.row(row, mark, console))
    if hidden:
        put(console, Text(f"{'…':>9}  {counted(hidden, 'more row')}", "dim"))
    for row, mark in marked[first + hidden :]:
        put(console, layout.row(row, mark, console))


def _legend(tape: Tape, table: Iterable[Row]) -> list[str]:
    """What the marks mean, for those that are there."""
    notes = []
    table = list(table)
    if tape.timed and any(row.stalled for row in table):
        notes.append("!    a stall: nothing came for more than a second")
    if any(row.late for row in table):
        notes.append("≤    the client was away: the chunk may have come sooner")
    marks = chunk_marks(table) if tape.timed else []
    if any("┐" in mark for mark in marks):
        notes.append("┐┘   came together, in one chunk")
    if any("-" in mark for mark in marks):
        notes.append("2-3  was cut: begins in one chunk and is complete in another")
    return notes
