"""An event stream taken apart into blocks and lines, to be changed and written back.

What is not changed is written back byte for byte: line ends, a BOM, comments, bytes that are no
UTF-8, and an event that never got its blank line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from streamtape.delivery.retelling import with_frames
from streamtape.wire.sse import BOM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from streamtape.tape import Tape

LF, CR, CRLF = b"\n", b"\r", b"\r\n"
LINE_ENDS = (LF, CR, CRLF)
FIELDS = (b"data", b"event", b"id", b"retry")
"""The names of the fields that the standard knows."""


class Line(NamedTuple):
    """One line. ``end`` is its line end, ``b""`` only in the last line of a stream."""

    text: bytes
    end: bytes

    @property
    def name(self) -> bytes:
        """The field's name, ``b""`` in a comment."""
        return self.text.partition(b":")[0]

    @property
    def value(self) -> bytes:
        """The field's value, less one leading space."""
        return self.text.partition(b":")[2].removeprefix(b" ")


@dataclass(frozen=True, slots=True)
class Block:
    """One frame of a stream: what stands before a block of lines, the block, and its blank line.

    ``before`` and ``after`` are blank lines as the stream has them; what a rewrite puts between two
    blocks may be any lines. ``lines`` are fields and comments. ``blank`` is None where the stream
    ends without one.
    """

    before: tuple[Line, ...] = ()
    lines: tuple[Line, ...] = ()
    blank: Line | None = None
    after: tuple[Line, ...] = ()

    @property
    def is_event(self) -> bool:
        """Whether the block dispatches an event: it has data, and it is whole."""
        return self.blank is not None and any(line.name == b"data" for line in self.lines)

    def values(self, name: bytes) -> list[bytes]:
        """The values of all fields of that name, in order."""
        return [line.value for line in self.lines if line.name == name]

    def __iter__(self) -> Iterator[Line]:
        """Every line, in order."""
        yield from self.before
        yield from self.lines
        if self.blank is not None:
            yield self.blank
        yield from self.after


@dataclass(frozen=True, slots=True)
class Stream:
    """A whole event stream: the BOM that it opens with, or ``b""``, and its blocks."""

    bom: bytes
    blocks: tuple[Block, ...]

    def frames(self) -> list[bytes]:
        """The stream's bytes, a piece for each block.

        Lines that a change made neighbours are kept from being read as another thing: a blank line
        that LF ends is written with CRLF after a CR, since CR and LF are one line end; and a first
        line that begins with a BOM gets another BOM in front, which is the one that a reader drops.
        """
        frames = []
        last_end = b""
        for block in self.blocks:
            pieces = []
            for text, end in block:
                pieces.append(text)
                pieces.append(CRLF if last_end == CR and not text and end == LF else end)
                last_end = end
            frames.append(b"".join(pieces))
        if frames:
            frames[0] = (self.bom or BOM * frames[0].startswith(BOM)) + frames[0]
        return frames

    def with_blocks(self, change: Callable[[Block], Block]) -> Stream:
        """The stream with every block changed."""
        return replace(self, blocks=tuple(map(change, self.blocks)))

    def with_events(self, change: Callable[[Block], Block], every: int = 1) -> Stream:
        """The stream with each of its events changed whose number *every* divides.

        An event is a block that dispatches one. They count from 1.
        """
        number = 0
        blocks = []
        for block in self.blocks:
            number += block.is_event
            chosen = block.is_event and number % every == 0
            blocks.append(change(block) if chosen else block)
        return replace(self, blocks=tuple(blocks))


def read(body: bytes) -> Stream:
    """Take an event stream apart. Its blocks are the frames of `streamtape.wire.sse.frame_ends`."""
    bom = BOM if body.startswith(BOM) else b""
    blocks = []
    before: list[Line] = []
    lines: list[Line] = []
    for line in _lines(body[len(bom) :]):
        if line.text:
            lines.append(line)
        elif lines:
            blocks.append(Block(tuple(before), tuple(lines), line))
            before, lines = [], []
        else:
            before.append(line)
    if before or lines or (bom and not blocks):
        blocks.append(Block(tuple(before), tuple(lines)))
    return Stream(bom, tuple(blocks))


def _lines(text: bytes) -> Iterator[Line]:
    for line in text.splitlines(keepends=True):  # that of bytes: LF, CR and CRLF, nothing else
        content = line.rstrip(CRLF)
        yield Line(content, line[len(content) :])


def rewritten(tape: Tape, change: Callable[[Stream], Stream]) -> Tape:
    """*tape* with its event stream changed; the same object where nothing is, or it has none."""
    if tape.framing != "sse":
        return tape
    return reframed(tape, change(read(tape.body)).frames())


def reframed(tape: Tape, frames: Sequence[bytes]) -> Tape:
    """*tape* with *frames* in place of its own; the same object where they are equal."""
    return tape if b"".join(frames) == tape.body else with_frames(tape, frames)


def in_groups(lines: Iterable[Line]) -> list[list[Line]]:
    """The fields among *lines* that the standard knows, by name, each name where it came first."""
    fields = [line for line in lines if line.name in FIELDS]
    first = {name: place for place, name in reversed(list(enumerate(f.name for f in fields)))}
    fields.sort(key=lambda line: first[line.name])
    return [list(group) for _, group in groupby(fields, key=lambda line: line.name)]
