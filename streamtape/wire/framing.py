"""How a body is divided into frames: which framing it has, where its frames end, who reads them.

A frame is the smallest piece of a body with a meaning of its own: a block of an SSE stream, a line
of NDJSON, a message of Amazon's event stream. A body of any other kind is ``"raw"``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, Protocol

from streamtape.wire import eventstream, ndjson, sse

Framing = Literal["sse", "ndjson", "eventstream", "raw"]
"""The names of the framings, as a timeline's ``head`` line writes them."""

_DECLARED: dict[str, Framing] = {
    "text/event-stream": "sse",
    "application/vnd.amazon.eventstream": "eventstream",
    "application/json-lines": "ndjson",
    "application/jsonl": "ndjson",
    "application/jsonlines": "ndjson",
    "application/ndjson": "ndjson",
    "application/stream+json": "ndjson",
    "application/x-json-lines": "ndjson",
    "application/x-json-stream": "ndjson",
    "application/x-jsonl": "ndjson",
    "application/x-jsonlines": "ndjson",
    "application/x-ndjson": "ndjson",
    "text/jsonl": "ndjson",
    "text/ndjson": "ndjson",
    "text/x-ndjson": "ndjson",
}
"""Content types that name a framing, in lower case and without parameters."""

_WHITE_SPACE = b" \t\r\n"
_HTML = (b"<!doctype", b"<html")
_DATA_LINE = re.compile(rb"(?:\A|[\r\n])data:")
_SSE_LINE = re.compile(rb":|(?:data|event|id|retry)(?:[:\r\n]|\Z)")
"""What a line must match to speak for SSE: a comment, or a field that the standard knows."""


class EventReader(Protocol):
    """Turns the bytes of one body into events. Never raises, whatever the bytes are."""

    def feed(self, data: bytes, /) -> list[sse.Event]:
        """The events that *data*, the next bytes of the body, completes."""
        ...

    def finish(self) -> list[sse.Event]:
        """The events that the end of the body completes."""
        ...


_READERS: dict[Framing, Callable[[], EventReader]] = {
    "sse": sse.Decoder,
    "ndjson": ndjson.Reader,
    "eventstream": eventstream.Reader,
}
_FRAME_ENDS: dict[Framing, Callable[[bytes], list[int]]] = {
    "sse": sse.frame_ends,
    "ndjson": ndjson.frame_ends,
    "eventstream": eventstream.frame_ends,
}


def detect(body: bytes, content_type: str | None) -> Framing:
    """The framing of *body*: by *content_type* where the body suits it, else by its look.

    A declared type does not suit a body that plainly is something else, such as the JSON document
    or the HTML page of an error under a stream's type. Without a type that names a framing (none,
    a wrong one, one that was filtered away) the body has to speak clearly for itself: the prelude
    of a message, data among nothing but the fields of SSE, or two lines that are JSON objects. So
    text, JSON (a streamed JSON array too), HTML and binary are ``"raw"``. An empty body is what
    its type says.
    """
    declared = _declared(content_type)
    if declared != "raw" and _suits(declared, body):
        return declared
    if eventstream.starts_message(body):
        return "eventstream"
    text = body.removeprefix(sse.BOM)
    if _looks_like_sse(text):
        return "sse"
    if _looks_like_ndjson(text):
        return "ndjson"
    return "raw"


def frame_ends(framing: Framing, body: bytes) -> list[int]:
    """The offset at which each frame of *body* ends, ascending.

    What is left after the last whole frame is a frame too, so the last offset is the length of
    *body*. A raw body has no frames, nor has an empty one.
    """
    ends = _FRAME_ENDS.get(framing)
    return ends(body) if ends else []


def event_reader(framing: Framing) -> EventReader | None:
    """A new reader for one body of this *framing*; None for a raw one, which has no events."""
    reader = _READERS.get(framing)
    return reader() if reader else None


def _declared(content_type: str | None) -> Framing:
    # Two headers joined by a comma: the first counts.
    essence = re.split("[;,]", content_type or "", maxsplit=1)[0]
    return _DECLARED.get(essence.strip().lower(), "raw")


def _suits(declared: Framing, body: bytes) -> bool:
    """Whether *body* may be what its content type says."""
    if declared == "eventstream":
        if len(body) >= eventstream.PRELUDE_LENGTH:
            return eventstream.starts_message(body)
        return not _is_document(body)
    if eventstream.starts_message(body):
        return False
    text = body.removeprefix(sse.BOM)
    if declared == "sse":
        return not _is_document(text)
    lines = text.lstrip(_WHITE_SPACE).split(b"\n", 1)
    cut_off = len(lines) == 1 and lines[0].startswith(b"{")
    return not lines[0] or cut_off or ndjson.is_json(lines[0])


def _is_document(text: bytes) -> bool:
    """Whether *text* plainly is one document, JSON or HTML, and no stream of events."""
    head = text.lstrip(_WHITE_SPACE)
    if head[:16].lower().startswith(_HTML):
        return True
    if head.startswith((b"{", b"[", b"<")):
        # No field of SSE starts so. But a stream may have one odd line in front.
        return _DATA_LINE.search(text) is None
    # A string, a number, true, false or null: no field of SSE begins so, and a body may be long.
    return head[:1] in b'"-0123456789tfn' and ndjson.is_json(head)


def _looks_like_sse(text: bytes) -> bool:
    """Whether *text* is an event stream beyond reasonable doubt.

    There must be data, and every line up to the end of the first block that has some must be a
    comment or a known field. That is enough where the data opens a JSON object or array (``[DONE]``
    too). Otherwise, since plain text and YAML may look so, a blank line must end the block, and the
    lines after it must be comments and known fields as well.
    """
    if not _SSE_LINE.match(text.lstrip(b"\r\n")):
        return False  # without splitting megabytes of something else into lines
    lines = text.splitlines()
    if not text.endswith((b"\r", b"\n")) and not lines[-1].startswith(b"data:"):
        lines.pop()  # it may have been cut off anywhere, so it says nothing
    first = next((n for n, line in enumerate(lines) if line.startswith(b"data:")), None)
    if first is None:
        return False
    end = next((n for n in range(first, len(lines)) if not lines[n]), None)
    if lines[first][5:].lstrip(b" ").startswith((b"{", b"[")):
        lines = lines[:end]
    elif end is None:
        return False
    return all(not line or _SSE_LINE.match(line) for line in lines)


def _looks_like_ndjson(text: bytes) -> bool:
    """Whether *text* is two or more lines, each a JSON object; the last one may be cut off.

    The first two are parsed, of the others only the braces are looked at.
    """
    text = text.strip(_WHITE_SPACE)
    if not text.startswith(b"{") or b"\n" not in text:
        return False
    lines = [line for line in map(_strip, text.split(b"\n")) if line]
    return (
        all(ndjson.is_json(line, dict) for line in lines[:2])
        and all(line.startswith(b"{") for line in lines)
        and all(line.endswith(b"}") for line in lines[:-1])
    )


def _strip(line: bytes) -> bytes:
    return line.strip(_WHITE_SPACE)
