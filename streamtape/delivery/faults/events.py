"""Events that are damaged, lost, or come twice or in another order."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from streamtape.delivery.arguments import EVENT, optional, whole
from streamtape.delivery.change import fault
from streamtape.delivery.faults.anatomy import (
    OK,
    OTHER,
    PART,
    Anatomy,
    anatomy,
    is_json,
    retold,
    with_inserted,
)
from streamtape.wire import eventstream
from streamtape.wire.sse import BOM

if TYPE_CHECKING:
    from streamtape.delivery.change import Allowed, Fault
    from streamtape.tape import Tape

_UNKNOWN: Allowed = OK | PART | OTHER
"""What is right where a client can't know that anything is wrong."""

_STRING_VALUE = re.compile(rb':\s*"((?:[^"\\]|\\.)*)"')
_DATA_VALUE = re.compile(rb"(?:\A|[\r\n])data: ?([^\r\n]*)")


def _event(tape: Tape, fault: Fault) -> tuple[Anatomy, int]:
    body, k = anatomy(tape), fault.given["k"]
    assert isinstance(k, int)
    return body, body.clamped(k)


def _glued(tape: Tape, fault: Fault) -> Allowed:
    """Whether the client can know: it sees a payload that is no JSON where it always is."""
    before = [one.event for one in anatomy(tape).events]
    after = [one.event for one in anatomy(fault.apply(tape)).events]
    known = {event.data for event in before}
    damaged = [event for event in after if event.data not in known]
    if damaged and not any(map(is_json, damaged)) and is_json(before[0]):
        return OK
    return _UNKNOWN


@fault(
    "the rest of event {k} is missing, and the next one is glued to the half of it",
    _glued,
    k=EVENT,
    at=optional(whole(1, what="a number of bytes")),
)
def glued(tape: Tape, k: int, at: int | None = None) -> Tape:
    """Of the frame of event *k* only *at* bytes come (without *at*: half of them), then the next.

    As where two writers share a connection, or a proxy loses a buffer.
    """
    body = anatomy(tape)
    k = min(k, len(body.events) - 1)
    if k < 1:
        return tape
    place = body.at(k).frame
    frame = body.frames[place]
    at = len(frame) // 2 if at is None else at
    return _with_frame(tape, body, place, frame[: min(max(at, 1), len(frame) - 1)])


@fault("the JSON of event {k} lacks its last bracket", OK, k=EVENT)
def broken_json(tape: Tape, k: int) -> Tape:
    """The payload of event *k* is no JSON any more. It comes whole where it never was any."""
    body = anatomy(tape)
    k = body.clamped(k)
    if not k or not is_json(body.at(k).event):
        return tape
    place = body.at(k).frame
    frame = body.frames[place]
    if body.framing == "eventstream":
        (message,), _ = eventstream.read_messages(frame)
        return _with_frame(
            tape, body, place, eventstream.build_message(message.headers, message.payload[:-1])
        )
    last = max(frame.rfind(b"}"), frame.rfind(b"]"))
    return _with_frame(tape, body, place, frame[:last] + frame[last + 1 :])


def _duplicated(tape: Tape, fault: Fault) -> Allowed:
    body, k = _event(tape, fault)
    if not k or body.provider is None or body.generic:
        return _UNKNOWN
    return OK if body.provider.carries_token(body.at(k).event) else _UNKNOWN


@fault("event {k} comes twice", _duplicated, k=EVENT)
def duplicated(tape: Tape, k: int) -> Tape:
    """Event *k* comes again right after itself, byte for byte."""
    body = anatomy(tape)
    k = body.clamped(k)
    if not k:
        return tape
    placed = body.at(k)
    again = _text(body.frames[placed.frame])
    if body.framing == "ndjson" and not again.endswith(b"\n"):
        again = body.line_end + again
    return with_inserted(tape, placed.end, again)


@fault("event {k} is lost", _UNKNOWN, k=EVENT)
def lost(tape: Tape, k: int) -> Tape:
    """Event *k* never comes."""
    body = anatomy(tape)
    k = body.clamped(k)
    return _with_frame(tape, body, body.at(k).frame, b"") if k else tape


@fault("event {k} and the one after it come in the other order", _UNKNOWN, k=EVENT)
def swapped(tape: Tape, k: int) -> Tape:
    """Event *k* + 1 comes before event *k*."""
    body = anatomy(tape)
    k = min(k, len(body.events) - 1)
    if k < 1:
        return tape
    first, second = body.at(k).frame, body.at(k + 1).frame
    frames = list(body.frames)
    bom = frames[first][: -len(_text(frames[first]))]
    after = frames[second]
    if body.framing == "ndjson" and not after.endswith(b"\n"):
        after += body.line_end
    frames[first], frames[second] = bom + after, _text(frames[first])
    return retold(tape, frames)


def _invalid(tape: Tape, fault: Fault) -> Allowed:
    return OK | OTHER if _event(tape, fault)[1] else OK


@fault("a byte that is no UTF-8 is in the payload of event {k}", _invalid, k=EVENT)
def invalid_utf8(tape: Tape, k: int) -> Tape:
    """A byte 0xFF stands in the payload of event *k*, in JSON at the end of a string.

    In an event stream it is read as U+FFFD (WHATWG); in JSON it is an error (RFC 8259, 8.1).
    """
    body = anatomy(tape)
    k = body.clamped(k)
    if not k or body.at(k).event.data.strip() == "[DONE]":
        return tape
    place = body.at(k).frame
    frame = body.frames[place]
    if body.framing == "eventstream":
        (message,), _ = eventstream.read_messages(frame)
        payload = _spoilt(message.payload, _token(body, k))
        return _with_frame(tape, body, place, eventstream.build_message(message.headers, payload))
    return _with_frame(tape, body, place, _spoilt(frame, _token(body, k)))


def _token(body: Anatomy, k: int) -> bytes:
    """The answer's text in event *k* as JSON writes it raw; empty where it has none."""
    text = body.provider.token_text(body.at(k).event) if body.provider is not None else ""
    return json.dumps(text, ensure_ascii=False).encode("utf-8", "replace") if text else b""


def _spoilt(frame: bytes, token: bytes) -> bytes:
    """*frame* with 0xFF at the end of its token's text, or of its last string, or of its data."""
    at = frame.rfind(token) + len(token) - 1 if token and token in frame else -1
    if at < 0:
        strings = list(_STRING_VALUE.finditer(frame)) or list(_DATA_VALUE.finditer(frame))
        at = strings[-1].end(1) if strings else len(frame.rstrip(b"\r\n"))
    return frame[:at] + b"\xff" + frame[at:]


def _text(frame: bytes) -> bytes:
    """*frame* without the byte order mark of the stream that it opens."""
    return frame.removeprefix(BOM)


def _with_frame(tape: Tape, body: Anatomy, place: int, frame: bytes) -> Tape:
    return retold(tape, [*body.frames[:place], frame, *body.frames[place + 1 :]])
