"""Rewrites of payloads: the same JSON written otherwise, the same text in other deltas."""

from __future__ import annotations

import re
from bisect import bisect
from itertools import pairwise
from typing import TYPE_CHECKING

from streamtape.delivery.arguments import Argument, is_whole, whole
from streamtape.delivery.change import rewrite
from streamtape.delivery.rewrites.data import with_each
from streamtape.delivery.rewrites.deltas import recut
from streamtape.providers import payload_of
from streamtape.wire.sse import Event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamtape.tape import Tape

_NON_ASCII = re.compile(r"[^\x00-\x7f]")
_ESCAPE = re.compile(
    r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|.)"
)
_STRING_OR_MARK = re.compile(r'"(?:[^"\\]|\\.)*"|([\[{:,])')


@rewrite(
    "every character that is not ASCII written as \\u escapes in JSON payloads", level="payload"
)
def json_escapes(tape: Tape) -> Tape:
    r"""``\u00e9`` for ``é``, and two escapes for a character of four bytes, as many servers do."""
    return with_each(tape, lambda data: _NON_ASCII.sub(_escaped, data) if _is_json(data) else data)


@rewrite("every character raw that JSON payloads need not escape", level="payload")
def json_raw(tape: Tape) -> Tape:
    r"""``é`` for ``\u00e9``, ``/`` for ``\/``: what JSON must escape stays escaped (RFC 8259, 7).

    So line separators such as U+2028 stand in the payload as they are.
    """
    return with_each(tape, lambda data: _ESCAPE.sub(_raw, data) if _is_json(data) else data)


@rewrite(
    "each JSON payload over {lines} data lines, cut between its tokens",
    level="payload",
    lines=whole(1),
)
def split_data(tape: Tape, lines: int = 2) -> Tape:
    """A line feed is white space of JSON, and in an event stream it divides data into fields.

    The pieces are about equally long; a payload with few tokens has fewer of them. In other
    framings a line feed would end the frame, so they stay as they are.
    """
    if tape.framing != "sse":
        return tape
    return with_each(tape, lambda data: _split(data, lines) if _is_json(data) else data)


def _cuts_text(at: object) -> bool:
    offsets = at if isinstance(at, tuple) else ()
    return is_whole(at, 1) or (isinstance(at, tuple) and all(is_whole(one, 0) for one in offsets))


@rewrite(
    "the answer's text in other deltas, cut at {at} (a length, or offsets)",
    level="text",
    at=Argument("a number of characters from 1 on, or a tuple of offsets from 0 on", _cuts_text),
)
def text_cuts(tape: Tape, at: int | tuple[int, ...] = 1) -> Tape:
    """*at*: the code points in each delta, or the offsets in the text at which deltas end.

    A stream with several answers (choices, content blocks) has each of them cut so. A piece of text
    comes in the place of the delta that had its last character: several pieces make several events
    there, and a delta for which nothing is left is taken out. All other events stay, but for the
    numbers that OpenAI's responses give them. A stream whose deltas can't safely be cut otherwise
    (of a provider that is not known well enough) stays as it is.

    A length cuts at most the first 1,024 deltas of an answer so; the text after them keeps the
    deltas that it has, less what was cut off the first. So a long text, such as that of
    ``contents.large_event()``, doesn't become a stream of many megabytes. Offsets cut wherever they
    say.
    """
    return recut(tape, at)


def _is_json(data: str) -> bool:
    """Whether *data* is a JSON object or array: a token of plain text is not written otherwise."""
    return isinstance(payload_of(Event(data=data)), dict | list)


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[n : n + 4]}" for n in range(0, len(units), 4))


def _raw(found: re.Match[str]) -> str:
    high, low, unit = found.groups()
    if high is not None:
        return bytes.fromhex(high + low).decode("utf-16-be")
    if unit is None:
        return "/" if found[0] == "\\/" else found[0]
    character = chr(int(unit, 16))
    kept = character < " " or character in '"\\' or "\ud800" <= character <= "\udfff"
    return found[0] if kept else character


def _nearest(marks: Sequence[int], place: float) -> int:
    """Of *marks*, ascending, the one that is nearest to *place*; of two the first."""
    after = bisect(marks, place)
    return min(marks[max(after - 1, 0) : after + 1], key=lambda mark: abs(mark - place))


def _split(data: str, lines: int) -> str:
    marks = [found.end() for found in _STRING_OR_MARK.finditer(data) if found[1]]
    wanted = (len(data) * n / lines for n in range(1, lines))
    cuts = sorted({_nearest(marks, place) for place in wanted})
    edges = [0, *cuts, len(data)]
    return "\n".join(data[start:end] for start, end in pairwise(edges))
