"""What never reaches the disk: secrets are taken out before requests and responses are written.

Four things mark a secret: the name of a header, a parameter or a field; a value that is in the
environment or that the user names; and a shape that only keys have (each a module in
`streamtape.cassette.redaction`). Headers, parameters and the user information of a URL are removed;
in bodies, in values of headers and in error texts ``REDACTED`` takes a secret's place, and every
other byte stays.

A body is seen whole, when it is written, so a secret that was cut over two chunks is seen. Not seen
is what is not there as text:

* a body that is still in its content coding (a ``content-encoding`` header stands beside it),
* a secret that a model writes over several events, a piece in each,
* base64, other than of a known value and of payloads in an event stream of AWS.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vcr.request import HeadersDict, Request

from streamtape.cassette.redaction import names
from streamtape.cassette.redaction.bodies import SecretBodies
from streamtape.cassette.redaction.fields import SecretFields
from streamtape.cassette.redaction.names import SecretNames
from streamtape.cassette.redaction.shapes import REDACTED
from streamtape.cassette.redaction.urls import clean_url, clean_urls
from streamtape.cassette.redaction.values import SecretValues, environment_secrets

_URL_HEADERS = frozenset({"location", "content-location", "referer"})
"""Headers that are a URL, perhaps a relative one. In others only absolute ones are looked for."""

_SURROGATES = "surrogatepass"
"""How text that is no Unicode goes to bytes and comes back the same."""

_CREDENTIALS = re.compile(rb"\b((?:bearer|basic)\s{1,4})([A-Za-z0-9._~+/=-]{16,}+)", re.IGNORECASE)


@dataclass(frozen=True)
class Secrets:
    """What is filtered on writing.

    *headers*, *query* and *fields* (of JSON and forms) are names that are filtered beside the
    defaults, in any spelling. *values* are secrets themselves, of 4 characters or more. *keep*
    names defaults to leave alone: headers, parameters, fields and environment variables. *environ*
    is where the secrets of the environment are, `os.environ` where it is None; it is read once,
    when the object is made.

    The filter that is put on what is written is put on an incoming request too, before that is
    compared with the stored ones. So it depends on nothing else, and filtering twice is filtering
    once. A request with a secret of the environment in its body or path is found again only where
    the environment has that secret too.

    Raises TypeError for one string in place of several, ValueError for a name without letters or
    digits, and for a value that can't be replaced safely.
    """

    headers: Iterable[str] = ()
    query: Iterable[str] = ()
    fields: Iterable[str] = ()
    values: Iterable[str] = field(default=(), repr=False)
    keep: Iterable[str] = ()
    environ: Mapping[str, str] | None = field(default=None, repr=False, compare=False)

    _headers: SecretNames = field(init=False, repr=False, compare=False)
    _query: SecretNames = field(init=False, repr=False, compare=False)
    _names: SecretNames = field(init=False, repr=False, compare=False)
    _bodies: SecretBodies = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for option in ("headers", "query", "fields", "values", "keep"):
            given = getattr(self, option)
            if isinstance(given, (str, bytes)):
                raise TypeError(
                    f"{option} is one string, so each of its characters would be filtered: write"
                    f" {option}=[…]"
                )
            self._set(option, tuple(given))
        fields = (*names.FIELDS, *self.fields)
        self._set(
            "_headers",
            SecretNames(
                (*names.FIELDS, *names.HEADERS),
                whole=self.headers,
                public=names.PLACES,
                keep=self.keep,
            ),
        )
        self._set("_query", self._secret_names(fields, (*names.QUERY, *self.query)))
        self._set("_names", self._secret_names(fields))
        environ = os.environ if self.environ is None else self.environ
        known = environment_secrets(environ, url_names=self._query, keep=self.keep)
        bodies = SecretBodies(
            SecretValues([*self.values, *known]),
            SecretFields(
                self._names,
                url_names=self._secret_names((*names.URL_FIELDS, *self.fields)),
                form_names=self._secret_names(fields, names.FORM),
            ),
        )
        self._set("_bodies", bodies)

    def request(self, request: Request) -> Request:
        """A copy of *request* without secrets. Its body stays bytes, a file or an iterator."""
        filtered = copy.copy(request)
        filtered.uri = self.url(request.uri)
        headers = self._in_headers(request.headers)
        if not _is_encoded(headers):
            content_type = _header(headers, "content-type")
            # vcrpy's `body` is a new file or iterator each time, made of what it stores.
            stored = request._body  # noqa: SLF001 - vcrpy hides it
            is_pieces = isinstance(stored, list) and request._was_iter  # noqa: SLF001 - vcrpy hides it
            replace = self._in_pieces if is_pieces else self._in_request_body
            body = replace(stored, content_type)
            filtered._body = body  # noqa: SLF001 - vcrpy hides it
            if body != stored:
                _correct_length(headers, body)
        filtered.headers = HeadersDict(headers)
        return filtered

    def response(self, response: dict[str, Any]) -> dict[str, Any]:
        """A copy of vcrpy's *response* without secrets. What does not change is shared."""
        filtered = dict(response)
        headers = self._in_headers(response.get("headers") or {})
        if "headers" in response:
            filtered["headers"] = headers
        status = response.get("status")
        if isinstance(status, dict) and isinstance(status.get("message"), str):
            filtered["status"] = {**status, "message": self.text(status["message"])}
        body = response.get("body")
        stored = body.get("string") if isinstance(body, dict) else None
        if isinstance(stored, (bytes, str)) and not _is_encoded(headers):
            string = self._in_string(stored, _header(headers, "content-type"))
            if string != stored:
                filtered["body"] = {**response["body"], "string": string}
                _correct_length(headers, string)
        return filtered

    def url(self, url: str) -> str:
        """*url*, perhaps a relative one, without secrets."""
        return self._in_url(_to_bytes(url)).decode("utf-8", _SURROGATES)

    def text(self, text: str) -> str:
        """*text*, such as the message of an error, without secrets."""
        return self._in_line(_to_bytes(text)).decode("utf-8", _SURROGATES)

    def body(self, data: bytes, framing_hint: str | None = None) -> bytes:
        """*data*, a whole body of content type *framing_hint* (None: unknown), without secrets.

        Lengths and checksums in an event stream of AWS are written anew.
        """
        return self._bodies.replace(data, framing_hint)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _secret_names(self, endings: Iterable[str], whole: Iterable[str] = ()) -> SecretNames:
        return SecretNames(endings, whole=whole, sometimes=names.SOMETIMES, keep=self.keep)

    def _in_url(self, url: bytes) -> bytes:
        return self._settled(clean_url, url)

    def _in_line(self, line: bytes) -> bytes:
        return _CREDENTIALS.sub(_without_credentials, self._settled(clean_urls, line))

    def _settled(self, clean: Callable[[str, SecretNames], str], data: bytes) -> bytes:
        """*data* cleaned by *clean* and as text, until nothing changes any more.

        Mostly at once. But without a secret that had a space in it a URL in a text is longer.
        """
        while True:
            text = clean(data.decode("utf-8", "surrogateescape"), self._query)
            replaced = self._bodies.in_text(text.encode("utf-8", "surrogateescape"))
            if replaced == data:
                return data
            data = replaced

    def _in_headers(self, headers: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: self._in_header(_lower(name), value)
            for name, value in headers.items()
            if _lower(name) not in self._headers
        }

    def _in_header(self, name: str, value: Any) -> Any:
        """*value* without secrets: text, bytes (botocore) or a list of these."""
        if isinstance(value, (list, tuple)):
            return [self._in_header(name, item) for item in value]
        if not isinstance(value, (str, bytes)):
            return value
        replace = self._in_url if name in _URL_HEADERS else self._in_line
        return _as_bytes(replace, value)

    def _in_request_body(self, body: Any, content_type: str | None) -> Any:
        """*body*, as vcrpy stores it, without secrets: text, or what a client makes a form of."""
        if isinstance(body, (bytes, str)):
            return self._in_string(body, content_type)
        if isinstance(body, Mapping):
            return {key: self._in_field(key, value) for key, value in body.items()}
        if isinstance(body, bytearray):
            return self._bodies.replace(bytes(body), content_type)
        if isinstance(body, (list, tuple)):
            return [self._in_request_body(item, None) for item in body]
        return body

    def _in_pieces(self, pieces: list[Any], content_type: str | None) -> list[Any]:
        """What an iterator gave, without secrets: in one piece where one was found."""
        # A secret may lie across the pieces.
        whole = _joined(pieces)
        filtered = whole and self._bodies.replace(whole, content_type)
        if not filtered or filtered == whole:
            return pieces
        if isinstance(pieces[0], int):
            return list(filtered)
        is_text = isinstance(pieces[0], str)
        return [filtered.decode("utf-8", _SURROGATES) if is_text else filtered]

    def _in_field(self, name: Any, value: Any) -> Any:
        secret = isinstance(name, str) and name in self._names
        if secret and isinstance(value, (str, bytes, int)) and not isinstance(value, bool):
            return REDACTED.decode()
        return self._in_request_body(value, None)

    def _in_string(self, body: bytes | str, content_type: str | None) -> bytes | str:
        return _as_bytes(lambda data: self._bodies.replace(data, content_type), body)


def _as_bytes(replace: Callable[[bytes], bytes], text: bytes | str) -> bytes | str:
    """What *replace* makes of *text*, in its own type."""
    if isinstance(text, bytes):
        return replace(text)
    return replace(_to_bytes(text)).decode("utf-8", _SURROGATES)


def _to_bytes(text: str) -> bytes:
    return text.encode("utf-8", _SURROGATES)


def _lower(name: str | bytes) -> str:
    return (name if isinstance(name, str) else name.decode("latin-1")).lower()


def _joined(pieces: list[Any]) -> bytes | None:
    """The body that an iterator gave in pieces: bytes, text or numbers. None for other lists."""
    try:
        return b"".join(
            _to_bytes(piece)
            if isinstance(piece, str)
            else bytes([piece])
            if isinstance(piece, int)
            else piece
            for piece in pieces
        )
    except (TypeError, ValueError):
        return None


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _header(headers: Mapping[str, Any], wanted: str) -> str | None:
    """The first value of the header *wanted*, or None."""
    values = (_first(value) for name, value in headers.items() if _lower(name) == wanted)
    value = next(values, None)
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _is_encoded(headers: Mapping[str, Any]) -> bool:
    return (_header(headers, "content-encoding") or "identity").strip().lower() != "identity"


def _correct_length(headers: dict[str, Any], body: Any) -> None:
    """Make a content-length in *headers* that of *body*, in the type in which it was given."""
    whole = _joined(body if isinstance(body, list) else [body])
    if whole is None:
        return
    length = str(len(whole))
    for name, value in headers.items():
        if _lower(name) == "content-length":
            text = length.encode() if isinstance(_first(value), bytes) else length
            headers[name] = [text] if isinstance(value, list) else text


def _without_credentials(match: re.Match[bytes]) -> bytes:
    """Replaces what follows Bearer or Basic, unless it is a word ("basic telecommunications")."""
    is_word = re.search(rb"[0-9=]|[a-z][A-Z]", match[2]) is None
    return match[0] if is_word else match[1] + REDACTED
