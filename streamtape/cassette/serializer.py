"""Interactions as YAML that a person can read and vcrpy can load.

vcrpy's own dumper folds and escapes a stream's body beyond reading, so the body is written here as
a literal block wherever YAML can carry it exactly. Everything around it is PyYAML's.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

import yaml
from vcr.serializers import yamlserializer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

HEADER = b"version: 1\ninteractions:\n"

# What a literal block can hold: what YAML 1.1 calls printable, without its own line breaks (CR,
# NEL, U+2028, U+2029), a BOM, and a space at a line's end, which editors remove. Looked for in
# several cheap passes, each over the form (bytes or str) in which Python finds it fastest: one
# character class over everything costs ten times as much.
_ASCII_OR_MULTIBYTE = b"\t\n" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
_C1_CONTROL = re.compile(rb"\xc2[\x80-\x9f]")
_NO_LITERAL = "\u2028\u2029\ufeff\ufffe\uffff"
_SPACE_AT_END = re.compile(rb"\n(?<= \n)")
_LINE_BEFORE_TEXT = re.compile(rb"\n(?!\n|\Z)")
_STARTS_INDENTED = re.compile(rb"\n*[ \t]")

_SLICE = 1 << 16
"""Bytes that stay in a processor's cache from one pass to the next."""


# libyaml's, where PyYAML was built with it.
class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # either
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        """Always: the same header list met twice is written twice, not as ``&id001``."""
        return True


def dump(interactions: Iterable[bytes], metadata: Mapping[str, Any] | None = None) -> bytes:
    """A whole cassette from its interactions, each by `dump_interaction`. UTF-8."""
    return b"".join(dump_pieces(interactions, metadata))


def dump_pieces(
    pieces: Iterable[bytes], metadata: Mapping[str, Any] | None = None
) -> Iterator[bytes]:
    """`dump` in pieces, from those of all interactions: so that nothing long is copied to join."""
    given = iter(pieces)
    first = next(given, None)
    if first is None:
        yield b"version: 1\ninteractions: []\n"
    else:
        yield HEADER
        yield first
    yield from given
    if metadata:
        yield _fragment({"metadata": dict(metadata)}, "")


def dump_interaction(request: Mapping[str, Any], response: Mapping[str, Any]) -> Iterator[bytes]:
    """One item of the list of interactions, in reading order, as UTF-8 in pieces.

    *request* has vcrpy's ``method``, ``uri``, ``body`` and ``headers``; *response* has vcrpy's keys
    with, as text, ``timeline``. Keys that a hook added are kept.
    """
    yield b"- request:\n"
    yield _fragment({"method": request["method"], "uri": request["uri"]}, "    ")
    yield from _entry("body", request["body"], "    ")
    yield _fragment({"headers": request["headers"]}, "    ")
    yield b"  response:\n"
    rest = {key: value for key, value in response.items() if key not in ("body", "timeline")}
    yield _fragment(rest, "    ")
    if "body" in response:
        yield from _body(response["body"])
    if "timeline" in response:
        yield from _entry("timeline", response["timeline"], "    ")


def _body(body: Any) -> Iterator[bytes]:
    if not isinstance(body, dict) or "string" not in body:
        yield _fragment({"body": body}, "    ")
        return
    yield b"    body:\n"
    yield from _entry("string", body["string"], "      ")
    if others := {key: value for key, value in body.items() if key != "string"}:
        yield _fragment(others, "      ")


def _entry(key: str, value: Any, indent: str) -> Iterator[bytes]:
    encoded = value.encode() if isinstance(value, str) else value
    if not isinstance(encoded, bytes):
        yield _fragment({key: value}, indent)
    elif not encoded:
        yield _fragment({key: ""}, indent)
    elif encoded.endswith(b" ") or not all(map(_fits_literal, _slices(encoded))):
        yield _fragment({key: _text_or_bytes(encoded)}, indent)
    else:
        style = "|2" if _STARTS_INDENTED.match(encoded) else "|"
        if not encoded.endswith(b"\n"):
            style += "-"
        elif encoded.endswith(b"\n\n") or encoded == b"\n":
            style += "+"
        yield f"{indent}{key}: {style}\n".encode()
        yield from _literal(encoded, f"{indent}  ".encode())


def _text_or_bytes(encoded: bytes) -> str | bytes:
    try:
        return encoded.decode()
    except UnicodeDecodeError:
        return encoded  # PyYAML's !!binary


def _literal(encoded: bytes, indent: bytes) -> Iterator[bytes]:
    """*encoded* indented, ending in a line end; empty lines stay empty, lest editors strip them."""
    for lines in _slices(encoded):
        if not lines.startswith(b"\n"):
            yield indent
        if b"\n\n" in lines:
            yield _LINE_BEFORE_TEXT.sub(b"\n" + indent, lines)
        else:  # no empty lines, as in a timeline
            count = lines.count(b"\n") - lines.endswith(b"\n")
            yield lines.replace(b"\n", b"\n" + indent, count)
    if not encoded.endswith(b"\n"):
        yield b"\n"


def _slices(encoded: bytes) -> Iterator[bytes]:
    """*encoded* in slices of whole lines."""
    start = 0
    while start < len(encoded):
        end = encoded.find(b"\n", start + _SLICE) + 1 or len(encoded)
        yield encoded[start:end]
        start = end


def _fits_literal(lines: bytes) -> bool:
    if lines.translate(None, _ASCII_OR_MULTIBYTE) or _SPACE_AT_END.search(lines):
        return False
    if lines.isascii():
        return True
    try:
        text = lines.decode()
    except UnicodeDecodeError:
        return False
    return not (any(character in text for character in _NO_LITERAL) or _C1_CONTROL.search(lines))


def _fragment(mapping: dict[str, Any], indent: str) -> bytes:
    text: str
    try:
        text = yaml.dump(mapping, Dumper=_Dumper, sort_keys=False)
    except yaml.representer.RepresenterError:
        # A tuple, a file, an iterator: vcrpy's dumper knows which of them its loader takes.
        text = yamlserializer.serialize(mapping)
    return (textwrap.indent(text, indent) if indent else text).encode()
