"""Events that the answer doesn't have: errors, keep-alives, events of a type nobody knows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, get_args

from streamtape import providers
from streamtape.delivery.arguments import BEFORE, one_of
from streamtape.delivery.change import fault
from streamtape.delivery.faults.anatomy import (
    OK,
    OTHER,
    PART,
    Anatomy,
    anatomy,
    cut_off,
    frame_of,
    with_inserted,
)
from streamtape.wire.sse import Event

if TYPE_CHECKING:
    from streamtape.delivery.change import Allowed, Fault
    from streamtape.tape import Tape

Form = Literal["data", "event", "bare", "provider"]
"""How an error is told in a stream."""

MESSAGE = "The server had an error while processing your request."
UNKNOWN_TYPE = "streamtape.notice"
"""The type of an event that no client knows."""

NOTICE = "routed elsewhere"
KEEPALIVE = ": keepalive"
"""The payload where a keep-alive comment is mistaken for data."""

_ERROR = {"message": MESSAGE, "type": "server_error", "param": None, "code": None}


def _ended(tape: Tape, fault: Fault) -> Allowed:
    body, k = anatomy(tape), fault.given["k"]
    assert isinstance(k, int)
    if body.generic:  # nobody knows how an error would look
        return OK | PART | OTHER
    return OK | PART if body.ended_by(body.clamped(k)) else OK


@fault(
    "after event {k} the stream tells of an error, in the form {form!r}, and ends",
    _ended,
    k=BEFORE,
    form=one_of(*get_args(Form)),
)
def error_event(tape: Tape, k: int, form: Form = "provider") -> Tape:
    """An error in the stream in place of the events after *k*.

    *form*: ``"provider"`` is how the provider of this stream tells it; ``"data"`` an event without
    a type whose data is ``{"error": {…}}``; ``"event"`` the same with the type ``error``;
    ``"bare"`` is ``event: error`` whose data is the error itself, not under a key ``error``. What
    a framing can't carry leaves the tape as it is.
    """
    body = anatomy(tape)
    event = _error(body, form)
    if event is None:
        return tape
    end = body.end_of(body.clamped(k))
    return with_inserted(cut_off(tape, end), end, frame_of(event, body))


def _error(body: Anatomy, form: Form) -> Event | None:
    if body.framing == "raw":
        return None
    if form == "provider":
        provider = body.provider or providers.GENERIC
        return provider.error_event(MESSAGE, [one.event for one in body.events])
    if body.framing == "eventstream" or (body.framing == "ndjson" and form != "data"):
        return None
    data = json.dumps(_ERROR if form == "bare" else {"error": _ERROR}, separators=(",", ":"))
    return Event("message" if form == "data" else "error", data)


def _foreign(tape: Tape, fault: Fault) -> Allowed:  # noqa: ARG001 - as `Fault.judge`
    # In a stream of any kind the event may well mean something.
    return OK | OTHER if anatomy(tape).generic else OK


@fault("after event {k} comes the data ': keepalive'", _foreign, k=BEFORE)
def keepalive_data(tape: Tape, k: int) -> Tape:
    """``data: : keepalive``: a comment that a server's library wrapped as data (SSE only)."""
    return _inserted(tape, k, Event(data=KEEPALIVE))


@fault("after event {k} comes a ping with empty data", _foreign, k=BEFORE)
def empty_event(tape: Tape, k: int) -> Tape:
    """``event: ping`` with an empty ``data`` field (SSE only)."""
    return _inserted(tape, k, Event("ping", ""))


@fault("after event {k} comes an event of an unknown type", _foreign, k=BEFORE)
def unknown_event(tape: Tape, k: int) -> Tape:
    """``event: streamtape.notice`` with a JSON object (SSE only)."""
    return _inserted(tape, k, Event(UNKNOWN_TYPE, json.dumps({"notice": NOTICE})))


def _inserted(tape: Tape, k: int, event: Event) -> Tape:
    body = anatomy(tape)
    if body.framing != "sse" or not body.events:
        return tape
    return with_inserted(tape, body.end_of(body.clamped(k)), frame_of(event, body))
