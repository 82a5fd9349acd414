"""What a client gets wrong where the cuts alone make it fail: a name for each kind of place."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from streamtape.wire.framing import frame_ends
from streamtape.wire.sse import BOM

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from streamtape.tape import Tape

LINE = "chunk-boundary/line-split"
_EVENT = "chunk-boundary/between-events"
_UTF8 = "chunk-boundary/utf8-split"
_CRLF = "chunk-boundary/crlf-split"
_BOM = "chunk-boundary/bom-split"
EARLY = "chunk-boundary/early-dispatch"
_BLANK = "chunk-boundary/blank-line-split"
_EMPTY = "chunk-boundary/empty-chunk"
MIXED = "chunk-boundary/mixed-eol"
_MESSAGE = "chunk-boundary/message-split"
MERGED = "chunk-boundary/events-merged"

SENTENCES = {
    _BOM: "a BOM is not dropped where a chunk ends before or inside it",
    _UTF8: "a character whose bytes come in two chunks is lost or refused",
    MIXED: "where line ends are mixed, the result depends on the cuts",
    _CRLF: "a CRLF whose CR and LF come in two chunks is not one line end",
    _BLANK: "the two line ends that end an event are not seen in two chunks",
    EARLY: "a line end at the edge of a chunk is taken for the end of the event",
    _EMPTY: "an empty chunk changes the result",
    _EVENT: "a chunk that ends where an event does changes the result",
    _MESSAGE: "a message that comes in two chunks is not put together",
    LINE: "a line that comes in two chunks is not put together",
    MERGED: "several events that come in one chunk are not told apart",
}
"""Every kind of failure that cuts alone can show, and what it says of the client.

The first of them that is there names a failure that needs several cuts."""

_PLAIN = re.compile(rb"[ -~]{2,}")
_BETWEEN_LINES = re.compile(rb"[^\r\n](?:\r\n|\r|\n)(?=[^\r\n])")
_AT_LINE_ENDS = (_CRLF, EARLY, _BLANK, _EVENT)
_LINE_END = re.compile(rb"\r\n|\r|\n")
_CR, _LF = b"\r\n"


def kinds_of(tapes: Iterable[Tape], cuts: str | Sequence[int]) -> frozenset[str]:
    """The kinds of failure that *cuts* in the bodies of *tapes* may show.

    A line that is cut can hide what the cut was made for, so that kind is always among them where
    there is any cut; and so is the one of merged events where there are few.
    """
    if cuts == "bytes":
        return frozenset(SENTENCES)
    found = {kind for tape in tapes for kind in _kinds(tape, cuts)}
    if found:
        found.add(LINE)
    if cuts not in ("events", "recorded"):
        found.add(MERGED)
    return frozenset(found)


def name_of(kinds: Collection[str]) -> str:
    """The most telling of *kinds*, all of which have been named here."""
    return next(kind for kind in SENTENCES if kind in kinds)


def simpler_causes(
    tapes: Iterable[Tape], kinds: frozenset[str]
) -> Iterator[tuple[tuple[int, ...], str]]:
    """Cuts to try where a failure may be one of *kinds*, each with what it is if they fail.

    Who can't put a line together fails at every cut in one; who takes an empty chunk for the end
    also does before a BOM; and who takes the end of a chunk for a blank line also does in a CRLF.
    """
    for tape in tapes:
        line = _PLAIN.search(tape.body)
        if line is not None:
            plain = line.end() - 1
            yield (plain,), LINE
            if not kinds.isdisjoint((_BOM, _EMPTY)):
                yield (plain, plain), _EMPTY
        if not kinds.isdisjoint((_CRLF, _BLANK)) and _is_uniform(tape.body):
            end = _BETWEEN_LINES.search(tape.body)
            if end is not None:
                yield (end.end(),), EARLY


def _kinds(tape: Tape, cuts: str | Sequence[int]) -> Iterator[str]:
    body = tape.body
    ends = set(frame_ends(tape.framing, body))
    if cuts == "recorded":
        offsets = list(accumulate(len(chunk.data) for chunk in tape.chunks))[:-1]
    elif isinstance(cuts, str):
        offsets = sorted(ends - {len(body)}) if cuts == "events" else []
    else:
        offsets = [cut for cut in cuts if cut <= len(body)]
    if any(one == other for one, other in pairwise(offsets)):
        yield _EMPTY
    mixed = not _is_uniform(body)
    for cut in dict.fromkeys(offsets):
        kind = _kind_at(tape, cut, ends)
        yield kind
        if mixed and kind in _AT_LINE_ENDS:
            yield MIXED
        if kind in (_CRLF, _BLANK):
            yield EARLY
        elif kind == _BOM:
            yield _UTF8 if cut in (1, 2) else _EMPTY
        elif _is_incomplete(body[max(cut - 3, 0) : cut]):
            yield _UTF8


def _kind_at(tape: Tape, cut: int, ends: Collection[int]) -> str:  # noqa: PLR0911 - a table
    body = tape.body
    if not 0 < cut < len(body):
        return _BOM if cut == 0 and body.startswith(BOM) else _EMPTY
    if tape.framing == "eventstream":
        return _EVENT if cut in ends else _MESSAGE
    if body.startswith(BOM) and cut <= len(BOM):
        return _BOM
    if 0x80 <= body[cut] <= 0xBF:
        return _UTF8
    if body[cut - 1] == _CR and body[cut] == _LF:
        return _CRLF
    if body[cut - 1] not in (_CR, _LF):
        return EARLY if body[cut] in (_CR, _LF) else LINE
    if cut in ends or tape.framing == "ndjson":
        return _EVENT
    before = _LINE_END.sub(b"\n", body[max(cut - 4, 0) : cut])
    if before.endswith(b"\n\n") or before == b"\n":
        return _EVENT  # among the blank lines before an event
    return _BLANK if body[cut] in (_CR, _LF) else EARLY


def _is_incomplete(end: bytes) -> bool:
    """Whether *end* ends with the beginning of a character, which may be all there is of it."""
    if end.isascii():
        return False
    decoder = getincrementaldecoder("utf-8")("replace")
    decoder.decode(end)
    return decoder.getstate()[0] != b""


def _is_uniform(body: bytes) -> bool:
    """Whether all line ends in *body* are of one kind."""
    crlf = body.count(b"\r\n")
    return (
        sum(count > 0 for count in (crlf, body.count(b"\r") - crlf, body.count(b"\n") - crlf)) <= 1
    )
