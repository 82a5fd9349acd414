"""Which rules of the standard a body needs its reader to know, each by the name of its class.

A reader that breaks one rule fails on every body that needs it. So what is known to be broken
explains a failure, and only a failure that nothing explains is a new class.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from streamtape.wire.sse import BOM

if TYPE_CHECKING:
    from streamtape.wire.framing import Framing

LONG_LINE = 1 << 16

SENTENCES = {
    "id-block": "an ID in a block without data is not kept",
    "empty-event-after-id": "once an ID was seen, a block without data dispatches an event",
    "ndjson-blank-line": "a blank line between lines of JSON is no line of JSON",
    "unicode-line-separator": "a character such as U+2028, NEL, VT or FF is taken for a line end",
    "invalid-utf8": "bytes that are no UTF-8 are not replaced by U+FFFD",
    "long-line": "a line of 64 KiB or more is refused or comes back changed",
    "mixed-eol": "where line ends are mixed, lines or events are lost or torn",
    "inner-bom": "a BOM that does not open the stream is not text",
    "bom": "a BOM that opens the stream is not dropped",
    "id-nul": "an ID that has a NUL is not ignored",
    "empty-id": "an empty ID does not reset the last event ID",
    "last-event-id": "an ID is not kept for the events that follow",
    "retry-bogus": "a reconnection time that is no number is not ignored",
    "retry": "a reconnection time changes the events",
    "empty-type": "an empty event type does not mean message",
    "empty-data-line": "an empty data line does not count as a line",
    "empty-data": "an event whose data is empty is not dispatched",
    "no-colon": "a field name without a colon is not a field without a value",
    "repeated-field": "of two types or IDs in one event the last one does not count",
    "unknown-field": "a field of another name is not ignored",
    "event-without-data": "a block without data dispatches an event or changes the next one",
    "comments": "a comment is not ignored",
    "leading-space": "of the spaces after the colon not exactly one is removed",
    "trailing-space": "white space at the end of a value is lost",
    "colon-in-value": "a value that has a colon is not taken whole",
    "control-character": "a control character in a value does not stay as it is",
    "sentinel": "[DONE] is not an event like any other",
    "optional-space": "a field without a space after its colon is lost or changed",
    "unfinished-event": "an event whose blank line never came is not discarded",
    "multi-line-data": "several data lines are not one data, joined by LF",
    "field-order": "fields in another order make another event",
    "blank-lines": "more blank lines than one between events change the result",
    "id": "an ID does not go with its event",
    "event-type": "the event's type is lost or changed",
    "cr": "CR alone does not end a line",
    "crlf": "CRLF does not end a line",
    "non-ascii": "text beyond ASCII does not stay as it is",
    "lf": "LF does not end a line",
    "basic": "a plain event stream is not read",
}
"""Every class: a name, and what is wrong with a reader that breaks the rule.

The more a class takes for granted, the earlier it stands, so that the first of those that a body
needs is the likeliest one to be broken where the others are not known to be."""

OF_CHANGES = {
    "rewrite/blank_lines": "blank-lines",
    "rewrite/bom": "bom",
    "rewrite/comment_lines": "comments",
    "rewrite/comments": "comments",
    "rewrite/cr": "cr",
    "rewrite/crlf": "crlf",
    "rewrite/empty_named_events": "event-without-data",
    "rewrite/id_blocks": "id-block",
    "rewrite/lf": "lf",
    "rewrite/message_type": "event-type",
    "rewrite/mixed_line_ends": "mixed-eol",
    "rewrite/no_space_after_colon": "optional-space",
    "rewrite/passing_ids": "id",
    "rewrite/reordered_fields": "field-order",
    "rewrite/retry_blocks": "retry",
    "rewrite/space_after_colon": "leading-space",
    "rewrite/split_data": "multi-line-data",
    "rewrite/unknown_fields": "unknown-field",
    "content/line_separators": "unicode-line-separator",
    "content/large_event": "long-line",
}
"""The class that a rewrite or content shows which is all that makes a reader fail."""

_LINE = re.compile(rb"([^\r\n]*)(\r\n|\r|\n)")
_KNOWN = (b"data", b"event", b"id", b"retry")
_SEPARATOR = re.compile("[\x0b\x0c\x1c-\x1f\x85\u2028\u2029]")
_OTHERWISE = re.compile("[\x85\u2028\u2029\ufeff\ufffd]")
"""What is beyond ASCII and has a class of its own."""
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1b\x7f]")
_LINE_ENDS = {b"\n": "lf", b"\r": "cr", b"\r\n": "crlf"}


def features(framing: Framing, body: bytes) -> frozenset[str]:
    """The classes that *body* can show. Linear in its length, and remembered."""
    return (_features_of_long if len(body) > _LONG else _features)(framing, body)


def _found(framing: Framing, body: bytes) -> frozenset[str]:
    found = set(_text(body))
    if framing == "sse":
        found |= set(_Stream(body).found)
    elif framing == "ndjson":
        found |= set(_ndjson(body))
    return frozenset(found)


_LONG = 16_384
_features = lru_cache(maxsize=1024)(_found)
_features_of_long = lru_cache(maxsize=8)(_found)  # a cache keeps the bodies too


def name_of(found: frozenset[str]) -> str:
    """The most telling of the classes *found*."""
    return next((name for name in SENTENCES if name in found), "basic")


def _text(body: bytes) -> Iterator[str]:
    if body.startswith(BOM):
        yield "bom"
    if body.find(BOM, 1) > 0:
        yield "inner-bom"
    try:
        text = body.decode()
    except UnicodeDecodeError:
        yield "invalid-utf8"
        text = body.decode(errors="replace")
    if not _OTHERWISE.sub("", text).isascii():
        yield "non-ascii"
    if _SEPARATOR.search(text):
        yield "unicode-line-separator"
    if _CONTROL.search(body):
        yield "control-character"
    if any(len(line) >= LONG_LINE for line in body.splitlines()):
        yield "long-line"


def _ndjson(body: bytes) -> Iterator[str]:
    if b"\r\n" in body:
        yield "crlf"
    if any(not line.strip() for line in body.split(b"\n")[:-1]):
        yield "ndjson-blank-line"


class _Stream:
    """The rules that one event stream needs, found line by line."""

    def __init__(self, body: bytes) -> None:
        self.found: set[str] = set()
        self._has_id = False
        self._names: list[bytes] = []
        self._values: list[bytes] = []
        self._comment = False
        ends: set[str] = set()
        body = body.removeprefix(BOM)
        end = 0
        for match in _LINE.finditer(body):
            end = match.end()
            ends.add(_LINE_ENDS[match[2]])
            self._line(match[1])
        if self._names or body[end:]:
            self.found.add("unfinished-event")
        self.found |= ends - {"lf"}
        if len(ends) > 1:
            self.found.add("mixed-eol")

    def _line(self, line: bytes) -> None:
        if not line:
            self._block()
        elif line.startswith(b":"):
            self.found.add("comments")
            self._comment = True
        else:
            name, colon, value = line.partition(b":")
            self._names.append(name)
            self._values.append(value.removeprefix(b" "))
            if name in _KNOWN:
                self._field(name, value, has_colon=bool(colon))
            else:
                self.found.add("unknown-field")

    def _field(self, name: bytes, value: bytes, *, has_colon: bool) -> None:
        text = value.removeprefix(b" ")
        if not has_colon:
            self.found.add("no-colon")
        elif text == value:
            self.found.add("optional-space")
        if text[:1] in (b" ", b"\t") or text.startswith("\u00a0".encode()):
            self.found.add("leading-space")
        if text[-1:] in (b" ", b"\t"):
            self.found.add("trailing-space")
        if name == b"event":
            self.found |= {"event-type", *(() if text else ("empty-type",))}
        elif name == b"id":
            self.found |= {"id", *(("id-nul",) if b"\0" in text else () if text else ("empty-id",))}
            self._has_id = True
        elif name == b"retry":
            self.found |= {"retry", *(() if text.isdigit() else ("retry-bogus",))}
        if b":" in text:
            self.found.add("colon-in-value")
        if text == b"[DONE]":
            self.found.add("sentinel")

    def _block(self) -> None:
        """What the block that a blank line ends has shown; a blank line alone is one."""
        names, values = self._names, self._values
        data = [value for name, value in zip(names, values, strict=True) if name == b"data"]
        if not names and not self._comment:
            self.found.add("blank-lines")
        if not data:
            if self._has_id:
                self.found.add("empty-event-after-id")
            if b"id" in names:
                self.found.add("id-block")
            if names:
                self.found.add("event-without-data")
        elif not any(data):
            self.found.add("empty-data")
        if len(data) > 1:
            self.found.add("multi-line-data")
            if not all(data):
                self.found.add("empty-data-line")
        ids = [value for name, value in zip(names, values, strict=True) if name == b"id"]
        if data and self._has_id and all(b"\0" in value for value in ids):
            self.found.add("last-event-id")
        self._order(names)
        self._names, self._values, self._comment = [], [], False

    def _order(self, names: list[bytes]) -> None:
        if names.count(b"event") > 1 or names.count(b"id") > 1:
            self.found.add("repeated-field")
        if b"data" in names and names.index(b"data") < max(map(names.index, names)):
            self.found.add("field-order")
