"""Other frames in place of a tape's own, each of them arriving when the old one did."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from streamtape.tape import Chunk, recut
from streamtape.wire.framing import frame_ends

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamtape.tape import Tape


def frames_of(tape: Tape) -> list[bytes]:
    """The frames of *tape*'s body, which they make up whole. A raw body is one frame."""
    body = tape.body
    if tape.framing == "raw":
        return [body] if body else []
    return [body[start:end] for start, end in pairwise([0, *frame_ends(tape.framing, body)])]


def with_frames(tape: Tape, frames: Sequence[bytes]) -> Tape:
    """*tape* with *frames* in place of its own, one for one; an empty one takes a frame out.

    A chunk that ended with a frame ends with it still, and one that ended inside a frame still ends
    inside it, so no frame is complete before the old one was.

    Raises ValueError where the number of frames is another.
    """
    old = [0, *accumulate(map(len, frames_of(tape)))]
    if len(frames) != len(old) - 1:
        raise ValueError(f"{len(frames)} frames in place of {len(old) - 1}: give one for each")
    if tape.framing == "raw" and not frames:
        return tape
    new = [0, *accumulate(map(len, frames))]
    cuts = []
    for end in accumulate(len(chunk.data) for chunk in tape.chunks):
        frame = bisect_left(old, end)
        if old[frame] == end:
            cuts.append(new[frame])
        else:
            into = end - old[frame - 1]
            cuts.append(new[frame - 1] + max(min(into, len(frames[frame - 1]) - 1), 0))
    if not cuts:
        return tape
    pieces = recut(b"".join(frames), cuts[:-1])
    return tape.with_chunks(
        [
            Chunk(chunk.at_ns, piece, chunk.late)
            for chunk, piece in zip(tape.chunks, pieces, strict=True)
        ]
    )
