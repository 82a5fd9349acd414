"""The same bytes in other chunks."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

from streamtape.tape import Chunk, Tape, cuts_of, recut

if TYPE_CHECKING:
    from collections.abc import Sequence


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
    ends = list(accumulate(len(chunk.data) for chunk in tape.chunks))
    chunks = []
    offset = 0
    for piece in pieces:
        offset += len(piece)
        source = (
            tape.chunks[bisect_left(ends, offset)] if tape.chunks else Chunk(tape.ending.at_ns, b"")
        )
        chunks.append(Chunk(source.at_ns, piece, source.late))
    return tape.with_chunks(chunks)
