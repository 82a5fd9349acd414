"""The forms in which recorders write requests and responses, brought to vcrpy's in memory."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from vcr.request import Request

from streamtape.cassette.reading.places import names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamtape.cassette.reading.places import Place

Response = dict[str, Any]
"""A response in vcrpy's form in memory, except that a ``timeline`` is still text."""

_MAX_DIGITS = 3
_GZIP_MAGIC = b"\x1f\x8b"

# Scalars that YAML takes for something else than text, and that are meant as they are written.
_WRITTEN = (bool, int, float, dt.date)

# Ways in which clients write JSON: httpx and the SDKs on it; the same in ASCII; json.dumps; and
# json.dumps with ensure_ascii=False.
_JSON_SPELLINGS: tuple[dict[str, Any], ...] = (
    {"separators": (",", ":"), "ensure_ascii": False},
    {"separators": (",", ":"), "ensure_ascii": True},
    {"separators": (", ", ": "), "ensure_ascii": True},
    {"separators": (", ", ": "), "ensure_ascii": False},
)


def request_of(place: Place) -> Request:
    """The request that stands at *place*. Raises CassetteError for what is none."""
    fields = place.mapping("the request")
    for name, each in fields.items():
        if name not in ("method", "uri", "body", "headers", "parsed_body"):
            raise each.fail(
                f"a request has no `{name}` (it has method, uri, body and headers), so this is not"
                " vcrpy's and cannot be matched; remove it, or record the cassette again"
            )
    for name in ("method", "uri"):
        if name not in fields:
            raise place.fail(
                f"this request has no `{name}`{names(fields)}, so it cannot be matched; add it, or"
                " record the cassette again"
            )
    headers = _headers(fields.get("headers"))
    if "parsed_body" in fields:
        body: Any = _json(fields["parsed_body"], headers)
    else:
        body = _request_body(fields.get("body"))
    method, uri = _text(fields["method"], "method"), _text(fields["uri"], "uri")
    # vcrpy takes the first value of a list, so it needs one.
    headers = {name: values for name, values in headers.items() if values}
    try:
        return Request(method, uri, body, headers)
    except (ValueError, TypeError) as error:
        raise place.fail(
            f"vcrpy cannot make a request of this ({error}), so it cannot be matched; mend it, or"
            " record the cassette again"
        ) from error


def _request_body(place: Place | None) -> Any:
    """Text, bytes, None, or what a client was given in their place (a mapping, a buffer, ...)."""
    value = None if place is None else place.value()
    if place is not None and isinstance(value, _WRITTEN):
        return _text(place, "body")
    return value


def response_of(place: Place, fields: Mapping[str, Place]) -> Response:
    """The response that stands at *place*, a mapping with *fields*; the form is `Parsed`'s.

    Raises CassetteError for what is none.
    """
    if "status_code" in fields:
        return _old_httpx(place, fields)
    if "status" not in fields:
        raise place.fail(
            f"this response has no `status`{names(fields)}, so it cannot be played; add it, or"
            " record the cassette again"
        )
    response: Response = {"body": {"string": b""}}
    for name, each in fields.items():
        if name == "status":
            response[name] = _status(each)
        elif name == "body":
            response[name] = _body(each)
        elif name == "timeline":
            response[name] = _text(each, "timeline")
        elif name not in ("headers", "parsed_body"):
            response[name] = each.value()
    response["headers"] = _headers(fields.get("headers"))
    if "parsed_body" in fields:
        response["body"] = {"string": _json(fields["parsed_body"], response["headers"])}
    return response


def _old_httpx(place: Place, fields: Mapping[str, Place]) -> Response:
    """What vcrpy wrote for httpx before 4.2, brought to today's form.

    It kept the decoded text beside headers that spoke of the coded body: vcrpy mends them when it
    plays the response, and so do we here. Bytes that are gzip data are left to be decoded.
    """
    if "content" not in fields:
        raise place.fail(
            f"this response has `status_code` but no `content`{names(fields)}, so it cannot be"
            " played; record the cassette again"
        )
    content = _bytes(fields["content"], "content")
    headers = _headers(fields.get("headers"))
    coding = next((name for name in headers if name.lower() == "content-encoding"), None)
    if coding is not None and not content.startswith(_GZIP_MAGIC):
        headers = {
            name: values
            for name, values in headers.items()
            if name.lower() not in ("content-encoding", "content-length")
        }
        headers["content-length"] = [str(len(content))]
    rest = {
        name: each.value()
        for name, each in fields.items()
        if name not in ("status_code", "content", "headers", "timeline")
    }
    if "timeline" in fields:
        rest["timeline"] = _text(fields["timeline"], "timeline")
    status = {"code": _code(fields["status_code"]), "message": None}
    return {**rest, "status": status, "headers": headers, "body": {"string": content}}


def _status(place: Place) -> dict[str, Any]:
    fields = place.entries()
    if fields is None or "code" not in fields:
        raise place.fail(
            f"a status is a mapping with `code` and `message`, and this is {place.seen()}"
            f"{names(fields)}, so the response cannot be played; write the code, or 599"
            " where there was no response at all"
        )
    status = {
        name: each.value() for name, each in fields.items() if name not in ("code", "message")
    }
    message = fields.get("message")
    status["code"] = _code(fields["code"])
    status["message"] = (
        None if message is None or message.value() is None else _text(message, "message")
    )
    return status


def _code(place: Place) -> int:
    code = place.value()
    if isinstance(code, str) and code.isascii() and code.isdecimal() and len(code) <= _MAX_DIGITS:
        code = int(code)
    if isinstance(code, int) and not isinstance(code, bool) and 0 <= code < 10**_MAX_DIGITS:
        return code
    raise place.fail(
        f"a status code is a number of at most three digits, and this is {place.seen()}, so the"
        " response cannot be played; mend it, or record the cassette again"
    )


def _headers(place: Place | None) -> dict[str, list[Any]]:
    """A list of values for each name; a value of null is none."""
    if place is None:
        return {}
    value = place.value()
    if value is None:
        return {}
    if isinstance(value, dict):
        if all(
            type(name) is str
            and type(values) is list
            and all(type(each) in (str, bytes) for each in values)
            for name, values in value.items()
        ):
            # Copied, since two names can share one list in the file.
            return {name: [*values] for name, values in value.items()}
        fields = place.entries()
        if fields is not None:
            return {
                name: _header_values(each) for name, each in fields.items() if not each.is_null()
            }
    raise place.fail(
        f"headers are a mapping of names to texts, and this is {place.seen()}, so they cannot be"
        " played; mend them, or record the cassette again"
    )


def _header_values(place: Place) -> list[Any]:
    listed = place.elements()
    values = []
    for each in [place] if listed is None else listed:
        value = each.value()
        if isinstance(value, (str, bytes)):
            values.append(value)
        elif value is not None:
            values.append(_text(each, "header"))
    return values


def _body(place: Place) -> dict[str, Any]:
    """A body, without ``string`` an empty one, as vcrpy plays it for aiohttp."""
    if place.is_null():
        return {"string": b""}
    fields = place.entries()
    if fields is None or (fields and "string" not in fields):
        raise place.fail(
            f"a response's body is a mapping with `string`, and this is {place.seen()}"
            f"{names(fields)}, so it cannot be played; write `body: {{string: ...}}`, or record the"
            " cassette again"
        )
    body = {name: each.value() for name, each in fields.items() if name != "string"}
    body["string"] = _bytes(fields["string"], "body") if fields else b""
    return body


def _json(place: Place, headers: Mapping[str, list[Any]]) -> bytes:
    """A ``parsed_body`` as the bytes that were parsed, as far as they can be known."""
    value = place.value()
    try:
        bodies = [json.dumps(value, **spelling).encode() for spelling in _JSON_SPELLINGS]
    except (TypeError, ValueError, RecursionError) as error:
        raise place.fail(
            f"this `parsed_body` cannot be written as JSON ({error}), so the body is unknown; quote"
            " what is text in it, or record the cassette again"
        ) from error
    lengths = next(
        (values for name, values in headers.items() if name.lower() == "content-length"), []
    )
    length = str(lengths[0]) if lengths else ""
    return next((body for body in bodies if str(len(body)) == length), bodies[0])


def _bytes(place: Place, what: str) -> bytes:
    """Text or bytes as bytes, null as none at all, as vcrpy plays it."""
    value = place.value()
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    try:
        return (value if isinstance(value, str) else _text(place, what)).encode()
    except UnicodeEncodeError as error:
        raise place.fail(
            f"this {what} has half of a surrogate pair, which has no bytes, so it cannot be played;"
            " record the cassette again"
        ) from error


def _text(place: Place, what: str) -> str:
    """A scalar as text, as written where YAML takes it for something else (``no``, ``12``)."""
    value = place.value()
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if value is None or not place.written:
        raise place.fail(
            f"a {what} is text, and this is {place.seen()}, so the interaction cannot be played;"
            " mend it, or record the cassette again"
        )
    return place.written
