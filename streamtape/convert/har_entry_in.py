"""One entry of an HTTP archive as a tape: streamtape's own, Chrome's, or anybody's."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from vcr.request import Request as VcrRequest

from streamtape.cassette.interaction import tape_of
from streamtape.cassette.timeline import Timeline
from streamtape.tape import Chunk, Ending, ErrorKind, recut
from streamtape.wire.framing import frame_ends
from streamtape.wire.sse import Event, decode, encode

if TYPE_CHECKING:
    from streamtape.convert.notes import Notes
    from streamtape.tape import Tape

Entry = dict[str, Any]

_NO_RESPONSE = 599
"""The status that a cassette has where there was no response."""

_VERSIONS = {"h2": "HTTP/2", "http/2.0": "HTTP/2", "http/2": "HTTP/2", "h3": "HTTP/3"}

# Chrome's names of what went wrong, by how they begin.
_ERRORS: tuple[tuple[str, ErrorKind], ...] = (
    ("net::ERR_CONNECTION_TIMED_OUT", "connect-timeout"),
    ("net::ERR_TIMED_OUT", "read-timeout"),
    ("net::ERR_CONNECTION_REFUSED", "connect"),
    ("net::ERR_NAME_NOT_RESOLVED", "connect"),
    ("net::ERR_INCOMPLETE_CHUNKED_ENCODING", "protocol"),
    ("net::ERR_CONTENT_LENGTH_MISMATCH", "protocol"),
    ("net::ERR_HTTP2_PROTOCOL_ERROR", "protocol"),
)
_UNTIL_HEAD = ("blocked", "dns", "connect", "send", "wait")
_CLIENT_LEFT = "net::ERR_ABORTED"


def is_websocket(entry: Entry) -> bool:
    """Whether *entry* is no HTTP exchange but a WebSocket's."""
    return "_webSocketMessages" in entry or entry["request"]["url"].startswith(("ws:", "wss:"))


def tape_of_entry(entry: Entry, number: int, notes: Notes) -> Tape:
    """The tape that *entry* is, the interaction of that *number*.

    Raises KeyError, TypeError, AttributeError and ValueError for an entry that is not as HAR 1.2
    has it.
    """
    own = entry.get("_streamtape") or {}
    request = _request(entry["request"], own)
    response = entry["response"]
    headers = _headers(response)
    body = _body(entry, number, notes)
    found: dict[str, Any] = {
        "status": {"code": response["status"] or _NO_RESPONSE, "message": response["statusText"]},
        "headers": headers,
        "body": {"string": body},
        "http_version": _version(response),
    }
    if "timeline" in own:
        timeline = Timeline.parse(own["timeline"])
        if timeline.coding is not None:
            _remove(headers, "content-encoding", "content-length")
        return tape_of(request, {**found, "timeline": timeline})
    ending = _ending(entry)
    if not response["status"]:
        # Chrome's sign that nothing came at all.
        return replace(
            tape_of(request, found),
            chunks=(),
            ending=replace(ending, kind="error", error=ending.error or "connect"),
            head_ns=None,
            timed=True,
        )
    _mend_lengths(headers, body)
    tape = tape_of(request, found)
    messages = entry.get("_eventSourceMessages") or []
    if messages and len(messages) == len(tape.events()):
        notes.add(
            number,
            "an event's time is Chrome's, to a millisecond; how the stream was cut into chunks is"
            " unknown: one chunk for each event is assumed",
        )
        return _timed(tape, entry, messages, ending)
    notes.add(number, "a HAR doesn't say when which part of a body came: its times stay unknown")
    if ending.kind != "eof":
        notes.add(number, f"its ending is not kept, for want of times: {ending.text}")
    return tape


def _request(request: Entry, own: Entry) -> VcrRequest:
    headers: dict[str, str] = {}
    for each in request["headers"]:
        if not each["name"].startswith(":"):  # the pseudo headers of HTTP/2
            headers.setdefault(each["name"], each["value"])
    post = request.get("postData") or {}
    if "requestBody" in own:
        body = base64.b64decode(own["requestBody"])
    elif post.get("text"):
        body = post["text"].encode()
    else:
        params = [(each["name"], each.get("value", "")) for each in post.get("params") or []]
        body = urlencode(params).encode()
    return VcrRequest(request["method"], request["url"], body, headers)


def _headers(response: Entry) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    for each in response["headers"]:
        if not each["name"].startswith(":"):
            headers.setdefault(each["name"], []).append(each["value"])
    mime_type = response["content"].get("mimeType")
    if mime_type and mime_type != "x-unknown" and not _has(headers, "content-type"):
        headers["content-type"] = [mime_type]
    return headers


def _body(entry: Entry, number: int, notes: Notes) -> bytes:
    content = entry["response"]["content"]
    text = content.get("text") or ""
    if content.get("encoding") == "base64":
        # Polly.JS writes a list of pieces, in JSON, under the same name.
        pieces = json.loads(text) if text.startswith("[") else [text]
        return b"".join([base64.b64decode(piece) for piece in pieces])
    messages = entry.get("_eventSourceMessages")
    if messages and not text:
        notes.add(
            number,
            "the archive has the stream's events but not its bytes: the body is written anew from"
            " them, without comments",
        )
        return encode(_event(message) for message in messages)
    body: bytes = text.encode()
    return body


def _event(message: Entry) -> Event:
    return Event(message["eventName"] or "message", message["data"], message["eventId"] or "")


def _version(response: Entry) -> str:
    version = str(response.get("httpVersion") or "HTTP/1.1")
    version = _VERSIONS.get(version.lower(), version.upper())
    return version if version.startswith("HTTP/") else "HTTP/1.1"


def _ending(entry: Entry) -> Ending:
    at_ns = round(max(entry["time"], 0) * 1_000_000)
    text = entry["response"].get("_error")
    if not text:
        return Ending("eof", at_ns)
    if text.startswith(_CLIENT_LEFT):
        return Ending("closed", at_ns)
    error = next((error for name, error in _ERRORS if text.startswith(name)), None)
    return Ending("error", at_ns, error or "read", text)


def _timed(tape: Tape, entry: Entry, messages: list[Entry], ending: Ending) -> Tape:
    """*tape* with the times of its events, each of which ends a chunk.

    What brings no event (a comment) goes with the event that follows, so that it is never early.
    """
    started_s = datetime.fromisoformat(entry["startedDateTime"]).timestamp()
    times_ns = [round((message["time"] - started_s) * 1e9) for message in messages]
    # `ssl` is part of `connect`, and -1 stands for what does not apply.
    phases = [entry["timings"].get(name) or 0 for name in _UNTIL_HEAD]
    head_ns = min(round(sum(max(phase, 0) for phase in phases) * 1_000_000), max(times_ns[0], 0))
    pieces = recut(tape.body, _event_ends(tape.body))
    chunks, at_ns = [], head_ns
    for n, piece in enumerate(pieces):
        at_ns = max(at_ns, times_ns[n] if n < len(times_ns) else ending.at_ns)
        if piece:
            chunks.append(Chunk(at_ns, piece))
    return tape.with_chunks(
        chunks,
        head_ns=head_ns,
        ending=replace(ending, at_ns=max(ending.at_ns, at_ns)),
        timed=True,
    )


def _event_ends(body: bytes) -> list[int]:
    """The offsets at which the frames that bring an event end."""
    ends = frame_ends("sse", body)
    return [end for start, end in pairwise([0, *ends]) if decode(body[start:end])]


def _mend_lengths(headers: dict[str, list[str]], body: bytes) -> None:
    """Take away a length that is not the body's: it counted the bytes on the wire."""
    if not _has(headers, "content-encoding"):
        for name in [name for name in headers if name.lower() == "content-length"]:
            if headers[name] != [str(len(body))]:
                del headers[name]


def _has(headers: dict[str, list[str]], name: str) -> bool:
    return any(each.lower() == name for each in headers)


def _remove(headers: dict[str, list[str]], *names: str) -> None:
    for name in [name for name in headers if name.lower() in names]:
        del headers[name]
