"""Secrets that are known by the name of their field: in JSON, in forms, in URLs.

A body is not parsed and written anew, since then more would change than the secret: each value is
found by its name, and its bytes alone are replaced. So a name is seen wherever it stands: in a
JSON body, an event's data, a line of NDJSON, a broken or cut-off piece of JSON, and in JSON that is
text within JSON, at any depth (an argument of a tool call).

Values that are strings, numbers, or lists of these are replaced. ``true``, ``false``, ``null``
and empty strings say nothing and stay. Objects stay too, since a JSON schema has
``"password": {"type": …}``, but the fields in them are looked at by their own names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from streamtape.cassette.redaction.probes import Probe
from streamtape.cassette.redaction.shapes import REDACTED

if TYPE_CHECKING:
    from streamtape.cassette.redaction.names import SecretNames

Edit = tuple[int, int, bytes]
"""Replace the bytes from the first offset to the second."""

_NAME_WINDOW = 64
"""Bytes of a name that are looked at, from its end."""

_NAME_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-." + bytes(
    range(0x80, 0x100)
)

_NAME_ENDS = (b'"', b"\\", b"=")
"""What stands behind a name: a quotation mark, or backslashes and one, or that of a parameter."""

_SPACE = rb"(?:\s|\\++[nrt])*+"  # in JSON within JSON a line feed is a backslash and an n
_COLON = re.compile(_SPACE + rb":" + _SPACE + rb"(?:data:" + _SPACE + rb")?+")
_COMMA = re.compile(_SPACE + rb",?+" + _SPACE + rb"(?:data:" + _SPACE + rb")?+")
_OPEN_LIST = re.compile(rb"\[" + _SPACE)
_QUOTE = re.compile(rb'(\\*+)"')
_NUMBER = re.compile(rb"-?\d[0-9.eE+-]*+(?![^\s,\]}\\])")
_STRING_STOP = re.compile(rb'["\r\n]')
_URL_VALUE = re.compile(rb"[^&#\s\"'<>\\]++")
_BEFORE_PARAMETER = (b"?", b"&", b"&amp;")
_ESCAPED_PARAMETER = re.compile(rb"u00(?:26|3[fF])")


class SecretFields:
    """Replaces the values of fields in a body.

    *names* count in JSON, *url_names* in URLs, *form_names* in a form, where bare ``token`` can't
    be anything else than a token.
    """

    def __init__(
        self, names: SecretNames, *, url_names: SecretNames, form_names: SecretNames
    ) -> None:
        self._names = names
        self._url_names = url_names
        self._form_names = form_names
        last_words = sorted(names.last_words | url_names.last_words)
        self._probes = [_probe(end, last_words, url_names) for end in _NAME_ENDS if last_words]
        starts = sorted({word[:3] for word in last_words})
        self._finders = [
            _finder([word for word in last_words if word[:3] == start], url_names)
            for start in starts
        ]

    def replace(self, data: bytes, skimmed: bytes) -> bytes:
        """*data* with the values replaced, whatever it is; *skimmed* is its skimmed text."""
        if not any(probe.found(skimmed) for probe in self._probes):
            return data
        folded = data.lower()
        ends = sorted(
            {match.end() for finder in self._finders for match in finder.finditer(folded)}
        )
        return _edited(data, ends, self._values_at)

    def replace_form(self, data: bytes) -> bytes:
        """*data*, of type ``application/x-www-form-urlencoded``, with the values replaced."""
        pairs = data.split(b"&")
        for n, pair in enumerate(pairs):
            name, equals, value = pair.partition(b"=")
            secret = value.rstrip()
            if equals and self._hides(name, secret):
                pairs[n] = name + b"=" + REDACTED + value[len(secret) :]
        return b"&".join(pairs)

    def replace_multipart(self, data: bytes, boundary: bytes) -> bytes:
        """The multipart body *data* with the contents of secret fields replaced (RFC 7578)."""
        delimiter = b"--" + boundary
        parts = data.split(delimiter)
        for n, part in enumerate(parts):
            head, blank, content = part.partition(b"\r\n\r\n")
            name = re.search(rb';\s*name="?([^";\r\n]*)', head[:4096], re.IGNORECASE)
            end = b"\r\n" if content.endswith(b"\r\n") else b""
            secret = content.removesuffix(end)
            if blank and name and self._hides(name[1], secret):
                parts[n] = head + blank + REDACTED + end
        return delimiter.join(parts)

    def _hides(self, name: bytes, value: bytes) -> bool:
        name_text, value_text = (
            unquote_plus(text.decode("utf-8", "replace")) for text in (name, value)
        )
        return self._form_names.hides(name_text, value_text)

    def _values_at(self, data: bytes, end: int) -> Iterator[Edit]:
        """The edits for the name that ends at *end*."""
        window = data[max(0, end - _NAME_WINDOW) : end]
        name = window[len(window.rstrip(_NAME_CHARACTERS)) :]
        decoded = name.decode("utf-8", "replace")
        if data[end : end + 1] == b"=":
            if decoded in self._url_names and _starts_parameter(data, end - len(name), name):
                value = _URL_VALUE.match(data, end + 1)
                if value and value[0] != REDACTED:
                    yield value.start(), value.end(), REDACTED
        elif decoded in self._names:
            quote = _QUOTE.match(data, end)
            colon = quote and _COLON.match(data, quote.end())
            if quote and colon:
                yield from _json_values(data, colon.end(), quote[1])


def _probe(end: bytes, words: list[str], names: SecretNames) -> Probe:
    """Tells whether one of *words* stands at the end of a name, before *end*, in any letters."""
    pivot = re.escape(end)
    # Most names are refused by their last two letters, or by the last where a word has just one.
    columns = [
        bytes(column) for column in zip(*(word.encode()[:-3:-1] for word in words), strict=False)
    ]
    quick = b"".join(b"[%b]" % re.escape(each + each.upper()) for each in reversed(columns))
    patterns = [
        rb"(?<=%b%b%b)" % (_before(word, names), re.escape(word.encode()), pivot) for word in words
    ]
    rest = rb"(?<=%b%b)(?i:%b)" % (quick, pivot, b"|".join(patterns))
    return Probe(end, rest + rb'(?=\\*+")' if end == b"\\" else rest)


def _before(word: str, names: SecretNames) -> bytes:
    """A pattern of what has to stand before *word* for a name to end in it.

    Where the word alone is none of *names* there has to be more, so that the thousand ``"token"``
    of logprobs cost nothing.
    """
    return b"" if word in names else rb"[A-Za-z0-9_.\x80-\xff-]"


def _finder(words: list[str], names: SecretNames) -> re.Pattern[bytes]:
    """Finds each of *words*, in lower case and alike in three letters, at the end of a name.

    The pattern begins with what the words share, since `re` searches for a literal start at the
    speed of `bytes.find`.
    """
    patterns = []
    for word in words:
        before = _before(word, names)
        longer = rb"(?<=%b%b)" % (before, re.escape(word.encode())) if before else b""
        patterns.append(re.escape(word[3:].encode()) + longer)
    start = re.escape(words[0][:3].encode())
    return re.compile(rb'%b(?:%b)(?=\\*+"|=)' % (start, b"|".join(patterns)))


def _edited(
    data: bytes, ends: list[int], edits_at: Callable[[bytes, int], Iterator[Edit]]
) -> bytes:
    pieces: list[bytes] = []
    done = 0
    for end in ends:
        if end < done:  # within a value that is gone
            continue
        for start, stop, text in edits_at(data, end):
            pieces += (data[done:start], text)
            done = stop
    return b"".join([*pieces, data[done:]]) if pieces else data


def _starts_parameter(data: bytes, start: int, name: bytes) -> bool:
    """Whether the *name* at *start* begins a parameter of a query, or a body that is a form."""
    if start == 0 or data[max(0, start - 5) : start].endswith(_BEFORE_PARAMETER):
        return True
    # Go writes & and ? in JSON as escapes.
    return data[start - 1 : start] == b"\\" and _ESCAPED_PARAMETER.match(name) is not None


def _json_values(data: bytes, at: int, escapes: bytes) -> Iterator[Edit]:
    """The edits for the JSON value at *at*; *escapes* stand before its quotation marks."""
    opening = _OPEN_LIST.match(data, at)
    if opening is None:
        yield from _json_value(data, at, escapes)[0]
        return
    at = opening.end()
    while True:
        edits, after = _json_value(data, at, escapes)
        yield from edits
        comma = _COMMA.match(data, after)
        if after == at or comma is None:
            return
        at = comma.end()


def _json_value(data: bytes, at: int, escapes: bytes) -> tuple[list[Edit], int]:
    """The edit for the string or number at *at*, if there is one, and the offset after it."""
    number = _NUMBER.match(data, at)
    if number:
        # A string: it is as valid here as a number, and says what happened.
        return [(at, number.end(), b'%b"%b%b"' % (escapes, REDACTED, escapes))], number.end()
    quote = _QUOTE.match(data, at)
    if quote is None or quote[1] != escapes:
        return [], at
    start = quote.end()
    end = _string_end(data, start, _depth(len(escapes)))
    after = end + len(escapes) + 1
    if data[start:end] in (b"", REDACTED):
        return [], after
    return [(start, end, REDACTED)], after


def _depth(backslashes: int) -> int:
    r"""How deep in JSON within JSON the string is that a quotation mark after *backslashes* ends.

    ``"`` ends a string of the body's own JSON, ``\"`` one in JSON that is the text of such a
    string, ``\\\"`` one more deep: 2**depth - 1 backslashes. A backslash that is the string's own
    last character adds 2**(depth+1). So the depth is the number of ones at the end of the binary
    number.
    """
    return ((backslashes + 1) & -(backslashes + 1)).bit_length() - 1


def _string_end(data: bytes, start: int, depth: int) -> int:
    """Where the string that starts at *start* ends: before the backslashes of its quotation mark.

    A string that was cut off ends with its line, or with *data*, or with the string that it is a
    part of.
    """
    at = start
    while (stop := _STRING_STOP.search(data, at)) is not None:
        if stop[0] != b'"':
            return stop.start()
        before = data[at : stop.start()]
        found = _depth(len(before) - len(before.rstrip(b"\\")))
        if found <= depth:
            return stop.start() - ((1 << found) - 1)
        at = stop.end()
    return len(data)
