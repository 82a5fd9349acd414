"""When the chunks of a stream arrived, and where in its frames each of them ended."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Self

from streamtape.tape import Chunk
from streamtape.wire.framing import frame_ends

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamtape.tape import Tape
    from streamtape.wire.framing import Framing


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The ends of a stream's chunks, in order: a column for each thing that is known of them.

    Columns and no object for each chunk, since a long stream has tens of thousands. Chunk number i
    arrived at ``at_ns[i]`` and ends ``extras[i]`` bytes into the frame that follows frame number
    ``frames[i]`` (1-based; 0: none yet). ``late`` is as in `Chunk`.
    """

    at_ns: Sequence[int]
    frames: Sequence[int]
    extras: Sequence[int]
    late: Sequence[bool]

    def __len__(self) -> int:
        return len(self.at_ns)

    @classmethod
    def of(cls, tape: Tape) -> Self:
        """The ends of the chunks of *tape*."""
        at_ns = [chunk.at_ns for chunk in tape.chunks]
        late = [chunk.late for chunk in tape.chunks]
        ends = frame_ends(tape.framing, tape.body)
        offsets = list(accumulate([len(chunk.data) for chunk in tape.chunks]))
        if offsets == ends:  # each frame is one chunk
            return cls(at_ns, range(1, len(ends) + 1), bytes(len(ends)), late)
        frame_at = {end: frame for frame, end in enumerate(ends, 1)}
        # Without a frame that ends there: a cut inside a frame, or nothing yet.
        frames = [frame_at.get(offset) or bisect_right(ends, offset) for offset in offsets]
        starts = [0, *ends]
        extras = [offset - starts[frame] for offset, frame in zip(offsets, frames, strict=True)]
        return cls(at_ns, frames, extras, late)

    def chunks(self, framing: Framing, body: bytes) -> tuple[Chunk, ...]:
        """*body* cut where the chunks ended. It may be longer or shorter than the recorded one.

        An offset beyond its frame is taken as the frame's end, positions never decrease, and the
        last chunk runs to the end of the body. There must be a chunk.
        """
        offsets = self._offsets(frame_ends(framing, body), len(body))
        pieces = [body[start:end] for start, end in pairwise((0, *offsets))]
        return tuple(map(Chunk._make, zip(self.at_ns, pieces, self.late, strict=True)))

    def _offsets(self, ends: list[int], length: int) -> list[int]:
        if self.frames_are_chunks and len(ends) == len(self):
            return ends
        # Frame number n begins at edges[n]; there is nothing behind the last one.
        edges = [0, *ends, length]
        count = len(ends)
        offsets = []
        before = 0
        for frame, extra in zip(self.frames, self.extras, strict=True):
            offset = edges[frame] if frame <= count else length
            if extra and frame <= count:
                offset = min(offset + extra, edges[frame + 1])
            before = max(before, offset)
            offsets.append(before)
        offsets[-1] = length
        return offsets

    @property
    def frames_are_chunks(self) -> bool:
        """Whether each chunk is one frame, as in most streams."""
        return not any(self.extras) and list(self.frames) == list(range(1, len(self) + 1))
