"""One tape as an entry of an HTTP archive."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from streamtape.cassette.interaction import ANY
from streamtape.cassette.timeline import Timeline

if TYPE_CHECKING:
    from streamtape.convert.notes import Notes
    from streamtape.tape import Headers, Request, Tape

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def entry_of(tape: Tape, number: int, notes: Notes) -> dict[str, Any]:
    """The entry that holds *tape*, the interaction of that *number*."""
    started = _started(tape, number, notes)
    head_ns = tape.head_ns or 0
    wait, receive = head_ns / 1e6, (tape.ending.at_ns - head_ns) / 1e6
    if not tape.timed:
        notes.add(number, "its times are unknown: HAR wants some, and they are written as 0")
    entry: dict[str, Any] = {
        "startedDateTime": started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "time": wait + receive,
        "request": _request(tape, number, notes),
        "response": _response(tape),
        "cache": {},
        "timings": {"send": 0, "wait": wait, "receive": receive},
    }
    if tape.framing == "sse" and tape.timed:
        entry["_eventSourceMessages"] = [
            {
                "time": started.timestamp() + at_ns / 1e9,
                "eventName": event.type,
                "eventId": event.last_event_id,
                "data": event.data,
            }
            for at_ns, event in tape.events()
        ]
    own: dict[str, Any] = {}
    if tape.timed:
        own["timeline"] = Timeline.of(tape).text()
    if tape.request is not None and not _is_text(tape.request.body):
        own["requestBody"] = base64.b64encode(tape.request.body).decode()
    return {**entry, "_streamtape": own} if own else entry


def _started(tape: Tape, number: int, notes: Notes) -> datetime:
    """When the request was sent, as far as the server's clock tells."""
    date = next((value for name, value in tape.headers if name.lower() == "date"), None)
    try:
        answered = parsedate_to_datetime(date or "")
        return answered.astimezone(UTC) - timedelta(microseconds=(tape.head_ns or 0) // 1000)
    except (ValueError, OverflowError):
        notes.add(
            number,
            "its date is unknown (a tape counts from its request, and there is no Date header): it"
            " is written as 1970-01-01",
        )
        return _EPOCH


def _request(tape: Tape, number: int, notes: Notes) -> dict[str, Any]:
    request = tape.request
    if request is None:
        notes.add(number, "it answers any request: its method and URL are written as *")
        method = url = ANY
        headers: Headers = []
        body = b""
    else:
        method, url, headers, body = request.method, request.url, request.headers, request.body
    found: dict[str, Any] = {
        "method": method,
        "url": url,
        "httpVersion": tape.http_version,
        "cookies": [],
        "headers": _pairs(headers),
        "queryString": _pairs(parse_qsl(urlsplit(url).query, keep_blank_values=True)),
        "headersSize": -1,
        "bodySize": len(body),
    }
    if request is not None and body:
        found["postData"] = _post_data(request)
    return found


def _post_data(request: Request) -> dict[str, Any]:
    content_type = next((v for name, v in request.headers if name.lower() == "content-type"), "")
    return {"mimeType": content_type, "text": request.body.decode(errors="replace")}


def _response(tape: Tape) -> dict[str, Any]:
    headers = list(tape.headers)
    if tape.coding is not None:
        # As on the wire; the content is decoded none the less, as in every HAR.
        headers.append(("content-encoding", tape.coding))
    redirect = next((value for name, value in headers if name.lower() == "location"), "")
    content: dict[str, Any] = {
        "size": len(tape.body),
        "mimeType": tape.content_type or "x-unknown",
    }
    if _is_text(tape.body):
        content["text"] = tape.body.decode()
    else:
        content["text"] = base64.b64encode(tape.body).decode()
        content["encoding"] = "base64"
    found: dict[str, Any] = {
        "status": 0 if tape.head_ns is None else tape.status,
        "statusText": tape.reason,
        "httpVersion": tape.http_version,
        "cookies": [],
        "headers": _pairs(headers),
        "content": content,
        "redirectURL": redirect,
        "headersSize": -1,
        "bodySize": -1,
    }
    if tape.ending.kind != "eof":
        found["_error"] = " ".join(
            filter(None, (tape.ending.kind, tape.ending.error, tape.ending.text))
        )
    return found


def _pairs(pairs: Headers) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
