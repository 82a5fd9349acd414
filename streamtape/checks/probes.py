"""The shortest streams that show one class of failure each, in the order to try them.

The classes that released parsers have most often come first, so that few examples are needed to
find them. A class is judged by these streams alone where it might explain another failure.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamtape.wire.sse import BOM

DEVIATION = "spec-deviation/"
BOUNDARY = "chunk-boundary/"
LATE = "timing/late-delivery"
LEAK = "state/leak"


@dataclass(frozen=True)
class Probe:
    """A stream that shows one class, ``kind``: whole, or cut by ``cuts``, as in a `Delivery`.

    That of a leak shows it in the stream after it.
    """

    kind: str
    body: bytes
    cuts: str | tuple[int, ...] = "whole"


def _rule(name: str, *bodies: bytes) -> tuple[Probe, ...]:
    return tuple(Probe(DEVIATION + name, body) for body in bodies)


def _cut(name: str, body: bytes, *cuts: tuple[int, ...]) -> tuple[Probe, ...]:
    return tuple(Probe(BOUNDARY + name, body, each) for each in cuts)


SIMPLY_LATE = tuple(
    Probe(LATE, body, "events")
    for body in (
        b"data: a\n\ndata: b\n\n",
        b"data: a\r\n\r\ndata: b\r\n\r\n",
        b"data: a\r\rdata: b\r\r",
        b"data: a\n\r\ndata: b\n\r\n",
        b"data: a\r\n\ndata: b\r\n\n",
        b"data: a\r\n\rdata: b\r\n\r",
    )
)
"""One way to end lines in each, the commonest first: which of them makes a parser late."""

_LINES = b"data: a\ndata: b\n\n"
_CRLF_LINES = b"data: a\r\ndata: b\r\n\r\n"

LONG = b"data: " + b"x" * 600_000 + b"\n\n"
"""Longer than the buffers that line readers allow by default."""

MANY = b"".join(b"data: %d\n\n" % number for number in range(300))
"""More events than a reader takes that takes only so many from each chunk."""

FEWER = (3, 10, 30, 100, 150)
"""So many of them may be enough; the last is half of all."""

BROKEN_OFF = (
    b"event: t\ndata: a\n\nevent: left\ndata: over\xe2\x82",
    b"data: a\n\nevent: left\ndata: over\n",
    b"data: a\n\nevent: left\r",
    b"\xef\xbb",
)
"""Streams that ended before their time: in a character, in an event, in a CRLF, in a BOM."""


PROBES: tuple[Probe, ...] = (
    *_rule("basic", b"data: a\n\ndata: b\n\n"),
    *_cut("utf8-split", "data: \u00e9\n\n".encode(), (7,)),
    *_rule("unicode-line-separator", "data: a\u2028b\n\n".encode()),
    *_cut("crlf-split", _CRLF_LINES, (8,)),
    Probe(LATE, b"data: a\r\rdata: b\r\n\ndata: c\n\r\n", "events"),
    *_rule("multi-line-data", _LINES),
    *_rule("bom", BOM + b"data: a\n\n"),
    *_rule("cr", b"data: a\r\rdata: b\r\r"),
    *_rule("optional-space", b"data:a\n\n"),
    *_rule("empty-event-after-id", b"id: 1\ndata: a\n\n\n"),
    *_rule("mixed-eol", b"data: a\n\r\ndata: b\n\ndata: c\n\r\n"),
    *_rule("leading-space", b"data:  a\n\n"),
    *_cut("early-dispatch", _LINES, (8,), (7, 8)),
    *_rule("comments", b": c\n\ndata: a\n\n"),
    *_rule("crlf", b"data: a\r\n\r\ndata: b\r\n\r\n"),
    *_rule("retry-bogus", b"retry: x\ndata: a\n\n"),
    *_rule("invalid-utf8", b"data: a\xffb\n\n"),
    *_rule("last-event-id", b"id: 1\ndata: a\n\ndata: b\n\n"),
    *_rule("empty-data-line", b"data: \ndata: a\n\n", b"data: a\ndata: \n\n"),
    *_cut("bom-split", BOM + b"data: a\n\n", (1,), (2,), (0,)),
    Probe(BOUNDARY + "events-merged", MANY),
    *_rule("long-line", LONG),
    *SIMPLY_LATE,
    *_rule("non-ascii", "data: \u00e9\n\n".encode()),
    *_rule("event-type", b"event: t\ndata: a\n\n"),
    *_rule("id", b"id: 1\ndata: a\n\n"),
    *_rule("unknown-field", b"foo: bar\ndata: a\n\n"),
    *_rule("id-block", b"id: 1\n\ndata: a\n\n"),
    *_rule("event-without-data", b"event: ping\n\ndata: a\n\n"),
    *_rule("empty-data", b"data: \n\n"),
    *_rule("no-colon", b"data\ndata\n\n", b"event: t\nevent\ndata: a\n\n"),
    *_rule("blank-lines", b"\ndata: a\n\n\n\ndata: b\n\n"),
    *_rule("retry", b"retry: 10\ndata: a\n\n"),
    *_rule("trailing-space", b"data: a \n\n"),
    *_rule("colon-in-value", b"data: a:b: c\n\n", b"data: data: a\n\n", b"data: : a\n\n"),
    *_rule("control-character", b"data: a\0b\n\n"),
    *_rule("sentinel", b"data: [DONE]\n\ndata: a\n\n"),
    *_rule("field-order", b"data: a\nevent: t\nid: 1\n\n"),
    *_rule("repeated-field", b"event: t\nevent: u\ndata: a\n\n"),
    *_rule("empty-type", b"event: \ndata: a\n\n"),
    *_rule("empty-id", b"id: 1\ndata: a\n\nid: \ndata: b\n\n"),
    *_rule("id-nul", b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n"),
    *_rule("inner-bom", b"data: \xef\xbb\xbfa\n\n"),
    *_rule("mixed-eol", b"data: a\r\n\ndata: b\n\r\n", b"data: a\n\rdata: b\r\n\r"),
    *_cut("blank-line-split", _LINES, (16,)),
    *_cut("line-split", _LINES, (3,), (5,), (6,), (7,)),
    *_cut("between-events", b"data: a\n\ndata: b\n\n", (9,)),
    *_cut("empty-chunk", b"data: a\n\n", (0,), (9,), (4, 4), (8, 8)),
    *(Probe(LEAK, body) for body in BROKEN_OFF),
    # Last, because what is left over of it would show in the streams after it.
    *_rule("unfinished-event", b"data: a\n\ndata: b\n"),
)

_EVENTS = "id: 1\nevent: t\ndata: caf\u00e9\ndata: b\n\n: c\ndata: \U0001f469\n\n".encode()

TO_CUT = (
    _EVENTS,
    _EVENTS.replace(b"\n", b"\r\n"),
    _EVENTS.replace(b"\n", b"\r"),
    BOM + b"event:t\r\ndata:a\r\r\ndata\ndata: b\n\r\n\ndata:\xe2\x82\xac\r\rid\ndata: c\n\n",
    b"retry: 10\nfoo\nevent\ndata\ndata\n\n\nid: 2\n\ndata:  a:b \xff\n\n",
)
"""Short streams that are cut everywhere, and at every two seams."""

_DELTAS = ("The ", "Caf", "\u00e9", " is", " open", " \U0001f469\u200d\U0001f467", "!")

STREAMS = {
    "a chat completion": "".join(
        f'data: {{"object":"chat.completion.chunk","choices":[{{"index":0,"delta":'
        f'{{"content":"{text}"}}}}]}}\n\n'
        for text in _DELTAS
    ).encode(),
    "events with types and IDs": "".join(
        f'event: delta\nid: {number}\ndata: {{"text": "{text}"}}\n\n'
        for number, text in enumerate(_DELTAS, 1)
    ).encode(),
}
"""Longer streams, such as servers send, which are rewritten in every way."""
