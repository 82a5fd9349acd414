"""One interaction of a cassette, as vcrpy holds it in memory, and the tape that it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any

from vcr.request import Request as VcrRequest
from vcr.util import read_body

from streamtape import codings
from streamtape.cassette.timeline import Timeline
from streamtape.tape import Chunk, Ending, Headers, Request, Tape, recut
from streamtape.wire.framing import detect, frame_ends

if TYPE_CHECKING:
    from streamtape.cassette.filters import Secrets

ANY = "*"
"""Method and URI, in a file, of a tape that answers any request."""

Response = dict[str, Any]
"""vcrpy's response: ``status`` (``code``, ``message``), ``headers`` (name to list of values),
``body`` (``string``: bytes), and where streamtape recorded it ``timeline`` (a `Timeline`) and,
other than HTTP/1.1, ``http_version``."""

Interaction = tuple[VcrRequest, Response]


def answers_anything(request: VcrRequest) -> bool:
    """Whether *request*, as stored in a cassette, stands for a tape without a request."""
    return bool(request.method == ANY and request.uri == ANY)


def request_of(request: VcrRequest) -> Request | None:
    """vcrpy's request as streamtape's; None for one that answers anything."""
    if answers_anything(request):
        return None
    body = read_body(request) or b""
    if isinstance(body, str):
        body = body.encode()
    elif not isinstance(body, (bytes, bytearray)):
        body = json.dumps(body).encode()  # vcrpy keeps a dict as one
    headers = [(name, _text(value)) for name, value in request.headers.items()]
    return Request(request.method, request.uri, headers, bytes(body))


def vcr_request_of(request: Request | None) -> VcrRequest:
    """streamtape's request as vcrpy's. vcrpy keeps one value for each header name: the first."""
    if request is None:
        return VcrRequest(ANY, ANY, b"", {})
    headers: dict[str, str] = {}
    for name, value in request.headers:
        headers.setdefault(name, value)
    return VcrRequest(request.method, request.url, request.body, headers)


def tape_of(request: VcrRequest, response: Response) -> Tape:
    """The tape that an interaction is.

    Without a timeline its timing is unknown: a body kept in its content coding is decoded, the
    framing looked up, each frame is one chunk, and all times are 0.
    """
    headers = _pairs(response.get("headers") or {})
    body = (response.get("body") or {}).get("string") or b""
    if isinstance(body, str):
        body = body.encode()
    timeline: Timeline | None = response.get("timeline")
    timed = timeline is not None
    if timeline is None:
        timeline, headers, body = _untimed(headers, body)
    status = response["status"]
    found, text = timeline, body
    return Tape.deferred(
        lambda: (found.chunks(text), found.ending),
        body=text,
        request=request_of(request),
        status=int(status["code"]),
        reason=status.get("message") or "",
        headers=headers,
        head_ns=timeline.head_ns,
        framing=timeline.framing,
        coding=timeline.coding,
        http_version=response.get("http_version") or "HTTP/1.1",
        timed=timed,
    )


def interaction_of(tape: Tape) -> tuple[VcrRequest, Response]:
    """The interaction that holds *tape*: vcrpy's request and response."""
    headers: dict[str, list[str]] = {}
    for name, value in tape.headers:
        headers.setdefault(name, []).append(value)
    response: Response = {
        "status": {"code": tape.status, "message": tape.reason},
        "headers": headers,
    }
    if tape.http_version != "HTTP/1.1":
        response["http_version"] = tape.http_version
    response["body"] = {"string": tape.body}
    if tape.timed:
        response["timeline"] = Timeline.of(tape)
    return vcr_request_of(tape.request), response


def without_secrets(pair: Interaction, secrets: Secrets) -> Interaction:
    """*pair* as it may be written."""
    return secrets.request(pair[0]), response_without_secrets(pair[1], secrets)


def response_without_secrets(response: Response, secrets: Secrets) -> Response:
    """*response* as it may be written: head, body, and the text of an error."""
    response = secrets.response(response)
    if isinstance(timeline := response.get("timeline"), Timeline):
        response = {**response, "timeline": timeline.with_error_text(secrets.text)}
    return response


def _text(value: Any) -> str:
    """A header's value, which some recorders keep as bytes (RFC 9110, 5.5: read as Latin-1)."""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _pairs(headers: dict[str, Any]) -> Headers:
    return [
        (_text(name), _text(value))
        for name, values in headers.items()
        for value in (values if isinstance(values, (list, tuple)) else [values])
    ]


def _untimed(headers: Headers, body: bytes) -> tuple[Timeline, Headers, bytes]:
    coding = codings.named_in(headers)
    if coding is not None:
        # Else the recorder had decoded it already and left the header: vcrpy takes it so too.
        with suppress(codings.CodingError):
            body = codings.decode_body(coding, body)
        headers = codings.without_coding(headers)
    content_type = next((value for name, value in headers if name.lower() == "content-type"), None)
    framing = detect(body, content_type)
    pieces = recut(body, [end for end in frame_ends(framing, body) if end < len(body)])
    tape = Tape(
        chunks=tuple(Chunk(0, piece) for piece in pieces),
        ending=Ending("eof", 0),
        framing=framing,
        coding=coding,
    )
    return Timeline.of(tape), headers, body


def keeping_timeline(hook: Callable[..., Any]) -> Callable[..., Any]:
    """*hook*, whose fresh response dict gets the timeline back that it left out."""

    @wraps(hook)
    def keeping(request: VcrRequest, response: Response, *rest: Any) -> Any:
        timeline = response.get("timeline")
        result = hook(request, response, *rest)
        if timeline is not None and isinstance(result, (tuple, list)) and len(result) == 2:
            result[1].setdefault("timeline", timeline)
        return result

    return keeping
