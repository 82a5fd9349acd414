"""Other frames in place of a tape's own, each of them arriving when the old one did."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from streamtape.tape import Chunk
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

    A chunk that ended with a frame ends with it still, and one that ended inside a frame ends
    before the new one is complete: no event is out before the old one was. A frame that stays is
    cut where it was. A ``content-length`` of another length is taken out.

    Raises ValueError where the number of frames is another.
    """
    told = frames_of(tape)
    old = [0, *accumulate(map(len, told))]
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
            instead = frames[frame - 1]
            most = into if instead == told[frame - 1] else _incomplete(instead)
            cuts.append(new[frame - 1] + min(into, most))
    if not cuts:
        return tape
    body = b"".join(frames)
    edges = pairwise([0, *cuts[:-1], len(body)])
    return tape.with_chunks(
        [
            Chunk(chunk.at_ns, body[start:end], chunk.late)
            for chunk, (start, end) in zip(tape.chunks, edges, strict=True)
        ],
        headers=[
            (name, value)
            for name, value in tape.headers
            if name.lower() != "content-length" or value == str(len(body))
        ],
    )


def _incomplete(frame: bytes) -> int:
    """How many bytes of *frame* at most leave it incomplete: a CR ends a line without its LF."""
    return max(len(frame) - (2 if frame.endswith(b"\r\n") else 1), 0)
