"""Rewrites of line ends, and the BOM."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from streamtape.delivery.arguments import INTEGER
from streamtape.delivery.change import rewrite
from streamtape.delivery.retelling import frames_of
from streamtape.delivery.rewrites.blocks import (
    CR,
    CRLF,
    LF,
    LINE_ENDS,
    Block,
    Line,
    Stream,
    reframed,
    rewritten,
)
from streamtape.wire.sse import BOM

if TYPE_CHECKING:
    from streamtape.tape import Tape

_ANY_LINE_END = re.compile(rb"\r\n|\r|\n")
# In NDJSON only LF ends a line, and one CR before it is not part of the line. A second CR is.
_LF_ALONE = re.compile(rb"(?<!\r)\n")
_CRLF_ALONE = re.compile(rb"(?<!\r)\r\n")


@rewrite("LF at the end of every line")
def lf(tape: Tape) -> Tape:
    """LF alone at the end of every line. NDJSON too."""
    if tape.framing == "ndjson":
        return reframed(tape, [_CRLF_ALONE.sub(LF, frame) for frame in frames_of(tape)])
    return _ended_by(LF, tape)


@rewrite("CRLF at the end of every line")
def crlf(tape: Tape) -> Tape:
    """CRLF at the end of every line. NDJSON too, where the CR is white space of JSON."""
    if tape.framing == "ndjson":
        return reframed(tape, [_LF_ALONE.sub(CRLF, frame) for frame in frames_of(tape)])
    return _ended_by(CRLF, tape)


@rewrite("CR at the end of every line")
def cr(tape: Tape) -> Tape:
    """CR alone at the end of every line."""
    return _ended_by(CR, tape)


def _ended_by(end: bytes, tape: Tape) -> Tape:
    if tape.framing != "sse":
        return tape
    return reframed(tape, [_ANY_LINE_END.sub(end, frame) for frame in frames_of(tape)])


@rewrite(
    "LF, CR and CRLF at the ends of lines, mixed, also in the two that end an event", seed=INTEGER
)
def mixed_line_ends(tape: Tape, seed: int = 0) -> Tape:
    """Line ends drawn from LF, CR and CRLF, always the same ones for the same *seed*.

    The first event's blank line ends unlike the line before it, so that a reader which looks for
    two equal line ends misses it. In later events they may be equal, too.
    """

    def change(stream: Stream) -> Stream:
        draw = Random(seed).random  # noqa: S311 - no secret; `random` is the same in every Python
        last_end = b""
        event_ended = False

        def drawn(line: Line) -> Line:
            nonlocal last_end
            alike = line.text or event_ended
            ends = [end for end in LINE_ENDS if alike or end != last_end]
            if line.end:
                last_end = ends[int(draw() * len(ends))]
            return Line(line.text, last_end if line.end else b"")

        def change_block(block: Block) -> Block:
            nonlocal event_ended
            before = tuple(map(drawn, block.before))
            lines = tuple(map(drawn, block.lines))
            blank = None if block.blank is None else drawn(block.blank)
            event_ended = event_ended or blank is not None
            return Block(before, lines, blank)

        return stream.with_blocks(change_block)

    return rewritten(tape, change)


@rewrite("a byte order mark in front")
def bom(tape: Tape) -> Tape:
    """U+FEFF in front, which a reader drops. A body that has one stays: a second one is text."""

    def change(stream: Stream) -> Stream:
        return replace(stream, bom=BOM)

    return rewritten(tape, change)
