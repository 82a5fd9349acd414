"""Another response in the stream's place, and more than one attempt to get it."""

from __future__ import annotations

import json
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal, get_args

from streamtape.delivery.arguments import EVENT, LINE, Argument, number, one_of, whole
from streamtape.delivery.change import Fault, fault
from streamtape.delivery.faults.anatomy import OK, OTHER, PART, anatomy, cut_off, retold, settled
from streamtape.delivery.faults.endings import RESET
from streamtape.delivery.faults.insertions import MESSAGE
from streamtape.tape import Chunk, Ending
from streamtape.wire.framing import detect

if TYPE_CHECKING:
    from streamtape.delivery.change import Allowed
    from streamtape.tape import Headers, Tape

Kind = Literal["html", "json"]
Then = Literal["resume", "all", "skip", "204"]

_HTML = (
    b"<!doctype html>\n<html><head><title>502 Bad Gateway</title></head>\n"
    b"<body><h1>Bad Gateway</h1></body></html>\n"
)
_TYPES = {429: "rate_limit_error", 529: "overloaded_error"}


@fault(
    "the server answers {code} and sends no stream",
    OK,
    code=whole(400, 599, what="the status of an error"),
    retry_after=number("a number of seconds"),
    content_type=LINE,
)
def status(
    tape: Tape, code: int = 429, retry_after: float = 0.001, content_type: str = "application/json"
) -> Tape:
    """An error response in the stream's place: its status, and a body that tells of the error.

    *retry_after*: seconds, in ``retry-after`` (whole ones) and ``retry-after-ms``, which OpenAI's
    and Anthropic's SDKs prefer; so small that a client which tries again loses no time.
    *content_type*: some servers say ``text/event-stream`` and send JSON.
    """
    head_ns = tape.head_ns or 0
    body = _error_body(tape, code)
    known = {each.value: each.phrase for each in HTTPStatus}
    return replace(
        tape,
        chunks=(Chunk(head_ns, body),),
        ending=Ending("eof", head_ns),
        status=code,
        reason=known.get(code, "Overloaded"),
        headers=[
            ("content-type", content_type),
            ("retry-after", f"{int(retry_after)}"),
            ("retry-after-ms", f"{retry_after * 1000:g}"),
        ],
        head_ns=head_ns,
        framing=detect(body, content_type),
        coding=None,
    )


def _error_body(tape: Tape, code: int) -> bytes:
    """The JSON with which the provider of *tape* tells of an error, outside a stream."""
    body = anatomy(tape)
    error = {"type": _TYPES.get(code, "server_error"), "message": MESSAGE}
    match body.provider.name if body.provider is not None else "":
        case "anthropic" | "anthropic-completions":
            found: object = {"type": "error", "error": error}
        case "ollama":
            found = {"error": MESSAGE}
        case "gemini":
            found = {"error": {"code": code, "message": MESSAGE, "status": "UNAVAILABLE"}}
        case "mistral" | "cohere-v1" | "cohere-v2" | "bedrock-converse" | "bedrock-invoke":
            found = {"message": MESSAGE}
        case _:
            found = {"error": {**error, "param": None, "code": None}}
    return json.dumps(found).encode()


def _document(tape: Tape, fault: Fault) -> Allowed:  # noqa: ARG001 - as `Fault.judge`
    return OK if anatomy(tape).terminals else OK | PART


@fault(
    "the body is a document, {kind}, under the stream's content type",
    _document,
    kind=one_of(*get_args(Kind)),
)
def wrong_body(tape: Tape, kind: Kind = "html") -> Tape:
    """A gateway's page or a JSON object with the status and the headers of the stream."""
    body = _HTML if kind == "html" else _error_body(tape, 500)
    head_ns = tape.head_ns or 0
    return replace(
        settled(tape),
        chunks=(Chunk(head_ns, body),),
        ending=Ending("eof", head_ns),
        head_ns=head_ns,
        framing=detect(body, tape.content_type),
        coding=None,
    )


def _first(tape: Tape, fault: Fault) -> Allowed:
    inner = fault.given["fault"]
    assert isinstance(inner, Fault)
    return inner.allowed(tape) | OK


@fault(
    "on the first attempt {fault.sentence}; the second one is whole",
    _first,
    fault=Argument("one of streamtape.delivery.faults", lambda value: isinstance(value, Fault)),
)
def first_attempt(tape: Tape, fault: Fault) -> tuple[Tape, ...]:
    """Only a client's first request meets with *fault*. Who tries again gets the whole stream."""
    broken = fault.apply(tape)
    return (tape,) if broken is tape else (broken, tape)


def _reconnected(tape: Tape, fault: Fault) -> Allowed:
    del tape
    # Who asks again without saying what it has takes the rest for the whole, and is right to.
    more: dict[object, Allowed] = {"resume": OK | OTHER, "skip": OK | PART | OTHER}
    return more.get(fault.given["then"], OK)


@fault(
    "the connection is reset after event {k}; who connects again gets: {then}",
    _reconnected,
    k=EVENT,
    then=one_of(*get_args(Then)),
)
def reconnect(tape: Tape, k: int, then: Then = "resume") -> tuple[Tape, ...]:
    """As an ``EventSource`` meets it (SSE only): a reset after event *k*, and another connection.

    *then*: what the next request gets, which should have ``Last-Event-ID``. ``"resume"`` are the
    events after *k*, ``"all"`` the whole stream again, ``"skip"`` the events after *k* + 1,
    ``"204"`` no content. Every later request gets a 204, by which the standard tells a client to
    stop. ``retry: 1`` in the first event lets it try again after a millisecond.
    """
    body = anatomy(tape)
    k = min(k, len(body.events) - 1)
    if body.framing != "sse" or k < 1:
        return (tape,)
    quick = _with_retry(tape)
    broken = cut_off(quick, anatomy(quick).end_of(k), "error", "read", RESET)
    stop = _no_content(tape)
    skipped = {"resume": k, "all": 0, "skip": k + 1, "204": None}[then]
    if skipped is None:
        return broken, stop
    rest = [*body.frames]
    if skipped:
        last = body.at(skipped).frame
        rest[: last + 1] = [b""] * (last + 1)
    return broken, retold(tape, rest), stop


def _with_retry(tape: Tape) -> Tape:
    body = anatomy(tape)
    frames = list(body.frames)
    place = body.at(1).frame
    frame = frames[place]
    at = len(frame) - len(frame.lstrip(b"\xef\xbb\xbf\r\n"))
    frames[place] = frame[:at] + b"retry: 1" + body.line_end + frame[at:]
    return retold(tape, frames)


def _no_content(tape: Tape) -> Tape:
    head_ns = tape.head_ns or 0
    headers: Headers = []
    return replace(
        tape,
        chunks=(),
        ending=Ending("eof", head_ns),
        status=204,
        reason="No Content",
        headers=headers,
        framing="raw",
        coding=None,
    )
