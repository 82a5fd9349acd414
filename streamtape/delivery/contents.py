"""Contents: the same stream with other text. A right client gives exactly that text.

Each name makes a value for a `Delivery`. What a token's text becomes depends on that text alone,
and a stream that says its text again says the new one: `substitutions` tells what became of each
string. A tape without token text comes back as it is. `every` gives those that change a tape.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from streamtape import providers
from streamtape.delivery.arguments import EVERY, FLAG, whole
from streamtape.delivery.change import content
from streamtape.delivery.retelling import frames_of, with_frames
from streamtape.delivery.rewrites.data import events_of
from streamtape.delivery.rewrites.deltas import with_pieces
from streamtape.delivery.substitution import substitutions, with_texts
from streamtape.providers import payload_of

if TYPE_CHECKING:
    from streamtape.delivery.change import Content
    from streamtape.tape import Tape
    from streamtape.wire.sse import Event

__all__ = [
    "bidi",
    "blank_lines",
    "combining",
    "empty_deltas",
    "every",
    "four_bytes",
    "large_event",
    "line_separators",
    "nul",
    "spaces",
    "substitutions",
    "wire_text",
    "zwj",
]

_SEPARATORS = "\u2028\u2029\x85\v\f\x1c\x1d\x1e\x1f"
"""All that `str.splitlines` takes for a line's end beside LF and CR, and US."""

_WIRE = (
    '\n\ndata: [DONE]\n\nevent: error\ndata: {"error":{"message":"none"}}\n\n'
    "id: 7\nretry: 1\n: ping\n\n"
)


@content("after each token's text all that some take for a line end: U+2028, U+2029, NEL, VT, FF …")
def line_separators(tape: Tape) -> Tape:
    """U+2028, U+2029 and U+0085 raw; VT, FF and FS to US, which JSON must escape, as escapes."""
    return with_texts(tape, lambda text: text + _SEPARATORS)


@content("each token's text between characters of four bytes")
def four_bytes(tape: Tape) -> Tape:
    """Characters beyond U+FFFF: two units of UTF-16, two escapes in JSON."""
    return with_texts(tape, lambda text: f"𠮷{text}🦀")


@content("each token's text between combining marks, which belong to the character before")
def combining(tape: Tape) -> Tape:
    """So a token begins with a mark that joins the last character of the token before it."""
    return with_texts(tape, lambda text: f"\u0301{text}e\u0323\u0302")


@content("each token's text between halves of an emoji that a zero-width joiner makes one")
def zwj(tape: Tape) -> Tape:
    """So the end of a token and the beginning of the next one are one grapheme."""
    return with_texts(tape, lambda text: f"\u200d👧{text}👩🏽")


@content("each token's text between marks that turn the direction of writing")
def bidi(tape: Tape) -> Tape:
    """A right-to-left mark, an override that ends, an isolate that doesn't, and Hebrew."""
    return with_texts(tape, lambda text: f"\u200f\u202eאב\u202c{text}\u2067")


@content("after each token's text a NUL (escaped={escaped})", escaped=FLAG)
def nul(tape: Tape, escaped: bool = True) -> Tape:  # noqa: FBT001, FBT002 - read by name in a repr
    """In JSON payloads, where it must be an escape, or raw in tokens of plain text."""

    def where(event: Event) -> bool:
        return escaped != (payload_of(event) == event.data)

    return with_texts(tape, lambda text: text + "\0", where=where)


@content("each token's text between spaces and tabs, all of which count")
def spaces(tape: Tape) -> Tape:
    """Of the spaces after a field's colon only the first is no part of the value."""
    return with_texts(tape, lambda text: f"  \t{text}\t ")


@content("each token's text between pieces of event streams: data:, [DONE], blank lines, an error")
def wire_text(tape: Tape) -> Tape:
    """Line feeds are escapes in JSON; in plain text they divide the data into fields."""
    return with_texts(tape, lambda text: f"data: {text}{_WIRE}")


@content("a delta without text after every delta number {every}", every=EVERY)
def empty_deltas(tape: Tape, every: int = 1) -> Tape:
    """A copy of the delta that says nothing, such as providers send between others.

    Only where the provider is known well enough to copy a delta. Deltas count from 1.
    """
    events = events_of(tape)
    provider = providers.detect(event for event in events if event is not None)
    if provider is None or provider.deltas is None:
        return tape
    texts = [
        (index, text)
        for index, event in enumerate(events)
        if event is not None and (text := provider.token_text(event))
    ]
    return with_pieces(
        tape, provider, {index: [text, ""] for index, text in texts[every - 1 :: every]}
    )


@content("a token's text made {size} bytes long", size=whole(1, what="a number of bytes"))
def large_event(tape: Tape, size: int = 65_536) -> Tape:
    """Numbers after the text of a token: the first whose text no other token has, else the first.

    Tokens with an equal text become as long. *size* counts the text in UTF-8; the line that it
    stands in is longer. Many line readers stop at 64 KiB, some at 512 KiB or more.
    """
    events = [event for event in events_of(tape) if event is not None]
    provider = providers.detect(events)
    if provider is None:
        return tape
    texts = [text for event in events if (text := provider.token_text(event))]
    counts = Counter(texts)
    chosen = next((text for text in texts if counts[text] == 1), "".join(texts[:1]))
    missing = max(size - len(chosen.encode("utf-8", "surrogatepass")), 0)
    numbers = " ".join(map(str, range(missing // 2 + 1)))[:missing]
    return with_texts(tape, lambda text: text + numbers if text == chosen else text)


@content("a blank line before every line of NDJSON but the first")
def blank_lines(tape: Tape) -> Tape:
    """Lines without anything but white space say nothing; some servers keep alive with them."""
    if tape.framing != "ndjson":
        return tape
    frames = frames_of(tape)
    after_first = [(b"\r\n" if frame.endswith(b"\r\n") else b"\n") + frame for frame in frames[1:]]
    return with_frames(tape, [*frames[:1], *after_first])


_LIKELIEST_FIRST = (
    line_separators(),
    blank_lines(),
    large_event(),
    four_bytes(),
    wire_text(),
    spaces(),
    empty_deltas(),
    combining(),
    zwj(),
    bidi(),
    nul(),
    nul(escaped=False),
)
"""By what released readers were found to get wrong."""


def every(tape: Tape) -> tuple[Content, ...]:
    """The contents worth trying on *tape*, which they change, the likeliest to hurt first."""
    found: dict[Tape, Content] = {}
    for each in _LIKELIEST_FIRST:
        changed = each.apply(tape)
        if changed != tape:
            found.setdefault(changed, each)
    return tuple(found.values())
