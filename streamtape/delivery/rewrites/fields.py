"""Rewrites of what stands inside an event: its fields, and lines that are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from streamtape.delivery.arguments import EVERY, FLAG, LINE
from streamtape.delivery.change import rewrite
from streamtape.delivery.rewrites.blocks import (
    FIELDS,
    Block,
    Line,
    Stream,
    in_groups,
    rewritten,
)

if TYPE_CHECKING:
    from streamtape.tape import Tape


@rewrite("a space after the colon of every field")
def space_after_colon(tape: Tape) -> Tape:
    """A space after the colon where there is none. A value that starts with one has its own too."""

    def spaced(line: Line) -> Line:
        name, colon, value = line.text.partition(b":")
        if not colon or value.startswith(b" "):
            return line
        return line._replace(text=name + b": " + value)

    return _with_fields(tape, spaced)


@rewrite("no space after the colon of a field, unless its value starts with one")
def no_space_after_colon(tape: Tape) -> Tape:
    """No space after the colon, except where the value itself starts with a space."""

    def unspaced(line: Line) -> Line:
        name, colon, value = line.text.partition(b":")
        if not value.startswith(b" ") or value.startswith(b"  "):
            return line
        return line._replace(text=name + colon + value[1:])

    return _with_fields(tape, unspaced)


def _with_fields(tape: Tape, change: Callable[[Line], Line]) -> Tape:
    def change_block(block: Block) -> Block:
        lines = (change(line) if line.name in FIELDS else line for line in block.lines)
        return replace(block, lines=tuple(lines))

    return rewritten(tape, lambda stream: stream.with_blocks(change_block))


@rewrite("the fields of every event in another order")
def reordered_fields(tape: Tape) -> Tape:
    """The fields by name, the name that came last first; those of one name stay in their order.

    So data keeps its lines in order, and of two types or IDs the same one counts. Comments and
    unknown fields stay where they are.
    """

    def reordered(block: Block) -> Block:
        turned = chain.from_iterable(reversed(in_groups(block.lines)))
        lines = [
            # Each line end stays in its place, so that no CR comes before a LF that it didn't.
            line._replace(text=next(turned).text) if line.name in FIELDS else line
            for line in block.lines
        ]
        return replace(block, lines=tuple(lines))

    return rewritten(tape, lambda stream: stream.with_events(reordered))


@rewrite("an unknown field in 1 event of each {every}", every=EVERY)
def unknown_fields(tape: Tape, every: int = 1) -> Tape:
    """A field whose name neither the standard nor the stream knows, first in the event."""

    def change(stream: Stream) -> Stream:
        taken = {line.name for block in stream.blocks for line in block}
        names = (b"x-unknown" + b"-x" * number for number in range(len(taken) + 1))
        field = next(name for name in names if name not in taken) + b": 1"

        def with_field(block: Block) -> Block:
            return replace(block, lines=(Line(field, block.lines[0].end), *block.lines))

        return stream.with_events(with_field, every)

    return rewritten(tape, change)


@rewrite(
    'comments, ":{text}", before every line of 1 event of each {every}', every=EVERY, text=LINE
)
def comment_lines(tape: Tape, every: int = 1, text: str = "") -> Tape:
    """Comments inside an event: before each of its lines, and before its blank line."""
    comment = b":" + text.encode()

    def commented(block: Block) -> Block:
        lines = [new for line in block.lines for new in (Line(comment, line.end), line)]
        return replace(block, lines=(*lines, Line(comment, lines[-1].end)))

    return rewritten(tape, lambda stream: stream.with_events(commented, every))


@rewrite('"event: message" spelled out where that is the type: {spelled}', spelled=FLAG)
def message_type(tape: Tape, *, spelled: bool = True) -> Tape:
    """The type that events without one have: written out in each of them, or left out of each."""
    change = _with_type if spelled else _without_type
    return rewritten(tape, lambda stream: stream.with_events(change))


def _type(block: Block) -> bytes:
    return [b"", *block.values(b"event")][-1] or b"message"


def _with_type(block: Block) -> Block:
    if _type(block) != b"message" or b"message" in block.values(b"event"):
        return block
    # In front: where an empty type follows it counts, and means the same.
    return replace(block, lines=(Line(b"event: message", block.lines[0].end), *block.lines))


def _without_type(block: Block) -> Block:
    lines = [line for line in block.lines if (line.name, line.value) != (b"event", b"message")]
    left = replace(block, lines=tuple(lines))
    # Where another type came before it, it has work to do.
    return left if _type(left) == _type(block) else block


__all__ = [
    "comment_lines",
    "message_type",
    "no_space_after_colon",
    "reordered_fields",
    "space_after_colon",
    "unknown_fields",
]
