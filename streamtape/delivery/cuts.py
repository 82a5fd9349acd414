"""The same bytes in other chunks."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from streamtape.tape import Chunk, Tape, cuts_of, recut

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def recut_tape(tape: Tape, cuts: str | Sequence[int]) -> Tape:
    """*tape* with its body cut by *cuts*, as in a `Delivery`.

    No byte is ever early: a chunk arrives when its last byte did; an empty one when the byte
    before it did.
    """
    if cuts == "recorded":
        return tape
    body = tape.body
    if not isinstance(cuts, str):
        cuts = [cut for cut in cuts if cut <= len(body)]
    pieces = recut(body, cuts_of(body, tape.framing, cuts))
    return tape.with_chunks(list(_arriving(pieces, tape)))


def _arriving(pieces: Iterable[bytes], tape: Tape) -> Iterator[Chunk]:
    """Each of *pieces*, which are the body of *tape*, when its last byte arrived there."""
    if not tape.chunks:
        yield from (Chunk(tape.ending.at_ns, piece) for piece in pieces)
        return
    sources = zip(accumulate(len(chunk.data) for chunk in tape.chunks), tape.chunks, strict=True)
    offset = arrived = 0
    at_ns, late = 0, False
    first = True
    for piece in pieces:
        offset += len(piece)
        while first or arrived < offset:
            arrived, (at_ns, _, late) = next(sources)
            first = False
        yield Chunk(at_ns, piece, late)
