"""What a delivery does to a tape, in words: where its cuts fall, what is rewritten, what breaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from streamtape.delivery import Middlebox, Pace
from streamtape.delivery.order import told_anew
from streamtape.delivery.seams import seams
from streamtape.report.offsets import excerpt, field_at, frame_at, part_at
from streamtape.report.printable import of_bytes, one_line

if TYPE_CHECKING:
    from streamtape.delivery import Delivery
    from streamtape.delivery.seams import SeamKind
    from streamtape.tape import Tape

_SHOWN_CUTS = 3
_INDENT = "    "
_WIDTH = 76
"""Columns for an excerpt with its indent: on a terminal of 80 it may stand a little further in."""

_WORDS = {
    "bytes": "one byte at a time",
    "whole": "all at once, in one chunk",
    "events": "one event at a time, each in a chunk of its own",
}


def explain(delivery: Delivery, tape: Tape) -> list[str]:
    """What *delivery* does to *tape*, as lines to stand under its repr.

    Contents, rewrites and the fault by their sentences; the cuts by what they fall in, each with an
    excerpt of the body and ``|`` for the cut. Of many cuts the first three. Nothing is said of what
    is as recorded.
    """
    lines = [change.sentence for change in (*delivery.contents, *delivery.rewrites)]
    match delivery.cuts:
        case Middlebox() as middlebox:
            lines.append(middlebox.sentence)
        case str() as word:
            lines += [_WORDS[word]] if word in _WORDS else []
        case offsets:
            lines += _explained_cuts(offsets, told_anew(tape, delivery))
    match delivery.pace:
        case "instant":
            pass
        case "recorded" | "virtual":
            lines.append("in the time that was recorded")
        case Pace() as pace:
            lines.append(f"at the pace {pace!r}")
        case factor:
            lines.append(f"{factor:g} times as fast as recorded")
    if delivery.fault is not None:
        lines.append(delivery.fault.sentence)
    return lines


def _explained_cuts(cuts: Sequence[int], tape: Tape) -> Iterator[str]:
    if not cuts:
        yield _WORDS["whole"]
    kinds = dict(seams(tape.body))
    shown = list(dict.fromkeys(cuts))[:_SHOWN_CUTS]
    for cut in shown:
        times = cuts.count(cut)
        often = "twice" if times == 2 else f"{times} times"
        again = "" if times == 1 else f", made {often} for an empty chunk,"
        yield from _explained_cut(f"cut {cut}{again}", cut, tape, kinds)
    more = len([cut for cut in cuts if cut not in shown])
    if more:
        yield f"and {more:,} more cut{'' if more == 1 else 's'}"


def _explained_cut(name: str, cut: int, tape: Tape, kinds: Mapping[int, SeamKind]) -> Iterator[str]:
    end = len(tape.body)
    if cut > end:
        yield f"{name} lies past the end of the body, at {end}: nothing is cut"
    elif cut == 0:
        yield f"{name} puts an empty chunk before the first byte"
    elif cut == end:
        yield f"{name} puts an empty chunk after the last byte"
    else:
        yield f"{name} falls {_where(cut, tape, kinds)}:"
        yield _INDENT + excerpt(tape, cut, _WIDTH - len(_INDENT))


def _where(cut: int, tape: Tape, kinds: Mapping[int, SeamKind]) -> str:
    frame, inside = frame_at(tape, cut)
    if not inside:
        return f"between {frame}"
    kind = kinds.get(cut)
    at_seam = _at_seam(kind, cut, tape, kinds)
    part = "" if kind in _WITHOUT_PART or at_seam == _IN_BOM else part_at(tape, cut)
    return ", ".join(filter(None, (f"{at_seam}, {frame}" if at_seam else f"inside {frame}", part)))


_IN_BOM = "inside the byte order mark"
_PHRASES = {
    "crlf": "between CR and LF",
    "blank line": "before the blank line",
    "bom": "after the byte order mark",
    "colon": "after the colon",
    "line end": "before the line end",
    "line start": "before a line",
}
"""How to say where a seam is that isn't inside a sequence of bytes. Of those in the messages of an
event stream the part tells enough."""
_WITHOUT_PART = ("field name", "blank line", "bom")


def _at_seam(
    kind: SeamKind | None, cut: int, tape: Tape, kinds: Mapping[int, SeamKind]
) -> str | None:
    if kind == "field name":
        name = field_at(tape, cut)
        return (
            f"{'after' if tape.body[cut : cut + 1] == b':' else 'inside'} the field name '{name}'"
        )
    if kind not in ("utf-8", "json escape", "sentinel"):
        return _PHRASES.get(kind or "")
    sequence, start = _pierced(cut, tape.body, kinds)
    if kind == "utf-8":
        return _IN_BOM if start == 0 and sequence == "\ufeff" else _character(sequence)
    return f"inside {'the JSON escape ' if kind == 'json escape' else ''}{one_line(sequence)}"


def _pierced(cut: int, body: bytes, kinds: Mapping[int, SeamKind]) -> tuple[str, int]:
    """The sequence that is cut, and its start: all offsets inside are seams of one kind."""
    kind = kinds[cut]
    start = end = cut
    while kinds.get(start) == kind:
        start -= 1
    while kinds.get(end) == kind:
        end += 1
    return of_bytes(body[start:end]), start


def _character(character: str) -> str:
    shown = repr(character) if character.isprintable() else f"U+{ord(character):04X}"
    return f"inside the UTF-8 sequence of {shown}"
