"""Seams: offsets in a body at which a cut is likely to hurt a client that reads it."""

from __future__ import annotations

import re
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Literal, get_args

from streamtape.wire import eventstream
from streamtape.wire.framing import detect
from streamtape.wire.sse import BOM

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SeamKind = Literal[
    "utf-8",
    "crlf",
    "blank line",
    "bom",
    "json escape",
    "sentinel",
    "colon",
    "field name",
    "line end",
    "line start",
    "prelude",
    "checksum",
]
"""What a seam lies in: a UTF-8 sequence, a CRLF, before the line end of a blank line, a byte order
mark, a JSON escape (or a pair of them that is one character), ``[DONE]``, behind the colon, a field
name, before a line's end, before a line that goes on with an event; and in the messages of Amazon's
event stream the prelude and the checksum."""

KINDS: tuple[SeamKind, ...] = get_args(SeamKind)
"""All of them: what hurts most clients comes first, and names an offset that is two of them."""

_LINE = re.compile(rb"([^\r\n]*)(\r\n|\r|\n|\Z)")
_FIELD = re.compile(rb"([^:]*)(:?)")
_UTF8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\[^u\r\n]"
)
_SENTINEL = re.compile(rb"\[DONE\]")
_PRELUDE_LENGTH = 12
_CHECKSUM_LENGTH = 4


def seams(body: bytes) -> tuple[tuple[int, SeamKind], ...]:
    """``(offset, kind)`` of every seam in *body*, ascending, one for each offset.

    The offset is where one chunk would end and the next begin. Linear in the length of *body*.
    """
    framing = detect(body, None)
    found: list[tuple[int, SeamKind]] = [*_inside(_UTF8, "utf-8", body)]
    found += _inside(_ESCAPE, "json escape", body)
    if framing == "eventstream":
        found += _messages(body)
    else:
        found += _lines(body, named=framing != "ndjson")
        found += _inside(_SENTINEL, "sentinel", body)
    rank = {kind: place for place, kind in enumerate(KINDS)}
    best: dict[int, SeamKind] = {}
    for offset, kind in found:
        if 0 < offset < len(body) and rank[kind] <= rank[best.get(offset, kind)]:
            best[offset] = kind
    return tuple(sorted(best.items()))


def spread(found: Iterable[tuple[int, SeamKind]]) -> Iterator[tuple[int, SeamKind]]:
    """The seams of *found* in the order to try them: the first of each kind, then the second, …."""
    by_kind: dict[SeamKind, list[tuple[int, SeamKind]]] = {kind: [] for kind in KINDS}
    for seam in found:
        by_kind[seam[1]].append(seam)
    rounds = zip_longest(*by_kind.values())
    return (seam for seam in chain.from_iterable(rounds) if seam is not None)


def _inside(
    pattern: re.Pattern[bytes], kind: SeamKind, body: bytes
) -> Iterator[tuple[int, SeamKind]]:
    for match in pattern.finditer(body):
        for offset in range(match.start() + 1, match.end()):
            yield offset, kind


def _lines(body: bytes, *, named: bool) -> Iterator[tuple[int, SeamKind]]:
    start = 0
    if body.startswith(BOM):
        start = len(BOM)
        for offset in range(1, start + 1):
            yield offset, "bom"
    inside = False  # whether a line of the event that this line belongs to came before
    while start < len(body):
        match = _LINE.match(body, start)
        assert match is not None
        content_end = match.end(1)
        if match.end() - content_end == 2:
            yield content_end + 1, "crlf"
        if content_end == start:
            if inside:
                yield start, "blank line"
            inside = False
        else:
            if inside:
                yield start, "line start"
            if named:
                yield from _field(match[1], start)
            yield content_end, "line end"
            inside = named
        start = match.end()


def _field(line: bytes, start: int) -> Iterator[tuple[int, SeamKind]]:
    match = _FIELD.match(line)
    assert match is not None
    name, colon = match.groups()
    if colon:
        yield start + match.end(), "colon"
        # A longer name is no field of the standard's, and in text without fields no name at all.
        for offset in range(1, min(len(name), len(b"event")) + 1):
            yield start + offset, "field name"


def _messages(body: bytes) -> Iterator[tuple[int, SeamKind]]:
    start = 0
    for end in eventstream.frame_ends(body):
        for offset in (4, 8, _PRELUDE_LENGTH):
            yield start + offset, "prelude"
        for offset in range(_CHECKSUM_LENGTH):
            yield end - _CHECKSUM_LENGTH + offset, "checksum"
        start = end
