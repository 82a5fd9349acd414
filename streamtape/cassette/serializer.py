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
    from collections.abc import Iterable, Mapping

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


# libyaml's, where PyYAML was built with it.
class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # either
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        """Always: the same header list met twice is written twice, not as ``&id001``."""
        return True


def dump(interactions: Iterable[bytes], metadata: Mapping[str, Any] | None = None) -> bytes:
    """A whole cassette from its interactions, each by `dump_interaction`. UTF-8."""
    parts = [HEADER, *interactions]
    if len(parts) == 1:
        parts = [b"version: 1\ninteractions: []\n"]
    if metadata:
        parts.append(_fragment({"metadata": dict(metadata)}, ""))
    return b"".join(parts)


def dump_interaction(request: Mapping[str, Any], response: Mapping[str, Any]) -> bytes:
    """One item of the list of interactions, in reading order, as UTF-8.

    *request* has vcrpy's ``method``, ``uri``, ``body`` and ``headers``; *response* has vcrpy's keys
    with, as text, ``timeline``. Keys that a hook added are kept.
    """
    parts = [
        b"- request:\n",
        _fragment({"method": request["method"], "uri": request["uri"]}, "    "),
        *_entry("body", request["body"], "    "),
        _fragment({"headers": request["headers"]}, "    "),
        b"  response:\n",
    ]
    rest = {key: value for key, value in response.items() if key not in ("body", "timeline")}
    parts.append(_fragment(rest, "    "))
    if "body" in response:
        parts += _body(response["body"])
    if "timeline" in response:
        parts += _entry("timeline", response["timeline"], "    ")
    return b"".join(parts)


def _body(body: Any) -> list[bytes]:
    if not isinstance(body, dict) or "string" not in body:
        return [_fragment({"body": body}, "    ")]
    others = {key: value for key, value in body.items() if key != "string"}
    parts = [b"    body:\n", *_entry("string", body["string"], "      ")]
    return [*parts, _fragment(others, "      ")] if others else parts


def _entry(key: str, value: Any, indent: str) -> list[bytes]:
    encoded = value.encode() if isinstance(value, str) else value
    if not isinstance(encoded, bytes):
        return [_fragment({key: value}, indent)]
    if not encoded:
        return [_fragment({key: ""}, indent)]
    try:
        text = encoded.decode()
    except UnicodeDecodeError:
        return [_fragment({key: value}, indent)]  # PyYAML's !!binary
    if not _fits_literal(encoded, text):
        return [_fragment({key: text}, indent)]
    style = "|2" if _STARTS_INDENTED.match(encoded) else "|"
    if not encoded.endswith(b"\n"):
        style += "-"
    elif encoded.endswith(b"\n\n") or encoded == b"\n":
        style += "+"
    return [f"{indent}{key}: {style}\n".encode(), *_indented(encoded, f"{indent}  ".encode())]


def _fits_literal(encoded: bytes, text: str) -> bool:
    if (
        encoded.translate(None, _ASCII_OR_MULTIBYTE)
        or encoded.endswith(b" ")
        or _SPACE_AT_END.search(encoded)
    ):
        return False
    return encoded.isascii() or not (
        any(character in text for character in _NO_LITERAL) or _C1_CONTROL.search(encoded)
    )


def _indented(encoded: bytes, indent: bytes) -> list[bytes]:
    """*encoded* indented, ending in a line end; empty lines stay empty, lest editors strip them."""
    if b"\n\n" in encoded:
        lines = _LINE_BEFORE_TEXT.sub(b"\n" + indent, encoded)
    else:
        count = encoded.count(b"\n") - encoded.endswith(b"\n")
        lines = encoded.replace(b"\n", b"\n" + indent, count)
    first = b"" if encoded.startswith(b"\n") else indent
    return [first, lines] if encoded.endswith(b"\n") else [first, lines, b"\n"]


def _fragment(mapping: dict[str, Any], indent: str) -> bytes:
    text: str
    try:
        text = yaml.dump(mapping, Dumper=_Dumper, sort_keys=False)
    except yaml.representer.RepresenterError:
        # A tuple, a file, an iterator: vcrpy's dumper knows which of them its loader takes.
        text = yamlserializer.serialize(mapping)
    return (textwrap.indent(text, indent) if indent else text).encode()
