"""Secrets in bodies, by the way in which a body is written."""

from __future__ import annotations

import re
import struct
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamtape.cassette.redaction.shapes import replace_shapes
from streamtape.cassette.redaction.skim import skim
from streamtape.wire.eventstream import (
    build_message,
    parse_headers,
    read_messages,
    starts_message,
)

if TYPE_CHECKING:
    from streamtape.cassette.redaction.fields import SecretFields
    from streamtape.cassette.redaction.values import SecretValues

_FORM = "application/x-www-form-urlencoded"
_FORM_BODY = re.compile(rb"[\w.%+*\[\]-]{1,64}=[^\s\"{}<>]*+\r?\n?")
_BOUNDARY = re.compile(r"boundary=(?:\"([^\"]+)\"|([^\s;]+))", re.IGNORECASE)
_FIRST_DELIMITER = re.compile(
    rb"--([^\r\n]{1,70})\r\ncontent-disposition:\s*+form-data", re.IGNORECASE
)
_ENCODED_PAYLOAD = re.compile(rb'("bytes"\s*+:\s*+")([A-Za-z0-9+/]++={0,2})"')
_STRING_HEADER = 7


@dataclass(frozen=True)
class SecretBodies:
    """Replaces secrets in bodies: known *values*, those in *fields*, and those of a known shape."""

    values: SecretValues
    fields: SecretFields

    def replace(self, data: bytes, content_type: str | None) -> bytes:
        """*data*, a whole body of *content_type* (None: unknown), without secrets."""
        kind = (content_type or "").partition(";")[0].strip().lower()
        # Whatever the type says: nothing else begins with the right checksum of its own length.
        if starts_message(data):
            return self._in_event_stream(data)
        if kind == _FORM or (not kind and _FORM_BODY.fullmatch(data)):
            data = self.fields.replace_form(data)
        elif boundary := _boundary(data, kind, content_type or ""):
            data = self.fields.replace_multipart(data, boundary)
        return self.in_text(data)

    def in_text(self, data: bytes) -> bytes:
        """*data* without secrets, whatever it is: JSON, events, text, or other bytes."""
        skimmed = skim(data)
        # Fields last: a value or a private key may have a line feed, at which a field's value ends.
        for replace in (self.values.replace, replace_shapes, self.fields.replace):
            replaced = replace(data, skimmed)
            if replaced is not data:
                data, skimmed = replaced, skim(replaced)
        return data

    def _in_event_stream(self, body: bytes) -> bytes:
        """*body* without secrets, the lengths and checksums of changed messages written anew.

        What is left of a message that was cut off has no checksum yet and is taken as text.
        """
        messages, rest = read_messages(body)
        # One pass over everything is much cheaper than one for each message, and mostly enough.
        parts = [part for message in messages for part in (message.headers, message.payload)]
        parts += [_decoded(match) for part in parts for match in _ENCODED_PAYLOAD.finditer(part)]
        joined = b"\n".join([*parts, rest])
        if self.in_text(joined) == joined:
            return body
        built = [
            build_message(
                self._in_message_headers(message.headers), self._in_payload(message.payload)
            )
            for message in messages
        ]
        return b"".join([*built, self._in_payload(rest)])

    def _in_payload(self, payload: bytes) -> bytes:
        # Bedrock's InvokeModelWithResponseStream wraps a model's JSON in base64.
        payload = _ENCODED_PAYLOAD.sub(self._in_base64, payload)
        return self.in_text(payload)

    def _in_base64(self, match: re.Match[bytes]) -> bytes:
        decoded = _decoded(match)
        replaced = self.in_text(decoded)
        return match[0] if replaced == decoded else match[1] + b64encode(replaced) + b'"'

    def _in_message_headers(self, raw: bytes) -> bytes:
        for value in parse_headers(raw).values():
            if isinstance(value, str):
                text = value.encode()
                replaced = self.in_text(text)
                if replaced != text:
                    raw = raw.replace(_string_header(text), _string_header(replaced))
        return raw


def _decoded(match: re.Match[bytes]) -> bytes:
    try:
        return b64decode(match[2], validate=True)
    except ValueError:  # no base64: the text round it is looked at anyway
        return b""


def _string_header(value: bytes) -> bytes:
    return struct.pack(">BH", _STRING_HEADER, len(value)) + value


def _boundary(data: bytes, kind: str, content_type: str) -> bytes | None:
    """The boundary of a multipart form, as the content type says, or without one the first line."""
    if kind.startswith("multipart/"):
        named = _BOUNDARY.search(content_type)
        return (named[1] or named[2]).encode() if named else None
    first = None if kind else _FIRST_DELIMITER.match(data)
    return first[1] if first else None
