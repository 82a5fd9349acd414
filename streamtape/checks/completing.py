"""Which chunk completes what a reader gives: it is asked for streams that end sooner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING, Any

from streamtape.checks.results import same
from streamtape.tape import Chunk, Ending, recut
from streamtape.wire.framing import frame_ends

if TYPE_CHECKING:
    from streamtape.tape import Tape


def prefixes(tape: Tape) -> Iterator[tuple[int, int, Tape]]:
    """How many events, how many chunks of *tape* complete them, and the stream that ends with them.

    That ends properly, and has an event in each chunk. Only where there are more chunks: what the
    end of the stream brings is no part of what must be out before it.
    """
    ends = frame_ends(tape.framing, tape.body)
    arrived = list(accumulate(len(chunk.data) for chunk in tape.chunks))
    chunks = 1
    for events, end in enumerate(ends[:-1], start=1):
        while arrived[chunks - 1] < end:
            chunks += 1
        if chunks == len(arrived):
            return
        pieces = recut(tape.body[:end], ends[: events - 1])
        yield events, chunks, ended(tape, pieces)


def ended(tape: Tape, pieces: Sequence[bytes]) -> Tape:
    """*tape* with nothing but *pieces*, all at once, and then a proper end."""
    return tape.with_chunks([Chunk(0, piece) for piece in pieces], ending=Ending("eof", 0))


def alike(one: Sequence[Any], other: Sequence[Any]) -> int:
    """How many items both begin with alike."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: same(*pair), pairs))
