"""A shorter text in which whatever a body holds can still be found.

A stream repeats itself: nine bytes in ten of a chat stream are the same keys, ids and model name in
every event. Prefixes of secrets and names of fields are looked for in the skimmed text first, which
takes a fraction of the time, and in the body only where one is there.
"""

from __future__ import annotations

from itertools import groupby, pairwise

_LONG_ENOUGH = 1 << 15
"""Bytes below which looking for what repeats costs more than it saves."""

_SAMPLE = 1 << 16
_PIECE = 40
"""Bytes that a repeated piece needs: taking out shorter ones costs more than searching them."""


def skim(data: bytes) -> bytes:
    """*data* with the pieces that its events share kept only once.

    Whatever stands between two quotation marks, line feeds or ends of *data* stands so in the
    result too: what is taken out begins at a quotation mark or a line feed and ends at a quotation
    mark, these stay in its place, and one copy of it is kept. So a string without ``"`` and line
    feed is in *data* just when it is in the result; one with them has to be looked for in *data*
    itself.
    """
    if len(data) < _LONG_ENOUGH:
        return data
    pieces = sorted(_repeated(data), key=lambda piece: (-len(piece), piece))
    rest = data
    for piece in pieces:
        rest = rest.replace(piece, b'\n"' if piece.startswith(b"\n") else b'"')
    return b"".join([*pieces, rest])


def _repeated(data: bytes) -> set[bytes]:
    """Pieces that neighbouring events share, at three places of *data*."""
    separator = next((blank for blank in (b"\n\n", b"\r\n\r\n") if blank in data), b"\n")
    pieces: set[bytes] = set()
    for quarter in (1, 2, 3):
        start = data.find(separator, len(data) * quarter // 4)
        if start < 0:
            break
        _first, *events = data[start : start + _SAMPLE].split(separator)[:5]
        # Two events at a time, since much of what they share lies across the end of one.
        pairs = [separator.join(pair) for pair in pairwise(events)]
        for event, following in (*pairwise(events), *pairwise(pairs)):
            pieces.update(_shared(event, following))
    return pieces


def _shared(event: bytes, following: bytes) -> list[bytes]:
    """What two events have in common, from one ``"`` (or the start of the event) to another."""
    # The line feed before an event belongs to its first piece, which so does not begin in a line.
    parts = (b"\n" + event).split(b'"')
    others = (b"\n" + following).split(b'"')
    if len(parts) != len(others):
        return []
    shared = []
    numbered = enumerate(zip(parts, others, strict=True))
    for same, group in groupby(numbered, key=lambda item: item[1][0] == item[1][1]):
        run = list(group)
        first, last = run[0][0], run[-1][0]
        if not same or last == len(parts) - 1:
            continue
        piece = b'"'.join(part for _, (part, _) in run) + b'"'
        if first:
            piece = b'"' + piece
        if len(piece) >= _PIECE:
            shared.append(piece)
    return shared
