"""How a server broke HTTP/1.1, as far as the text of a tape's ending tells: noted and read back.

The texts are h11's, whatever client was recorded.
"""

from __future__ import annotations

import ast
import re

# What http.client takes for one: with less it breaks off before the head is whole.
_STATUS_LINE = re.compile(rb"HTTP/(1\.|0\.9)\S*\s+[1-9]\d\d(\s|$)")
_ILLEGAL_LINE = re.compile(r"illegal (status line|chunk header): bytearray\((b.*)\)", re.DOTALL)
_SHORT = re.compile(r"received (\d+)(?: bytes, expected| of) (\d+)")


def no_status_line(came: bytes) -> str | None:
    """The text of the ending where *came*, the start of a head, can't become one; else None."""
    line, line_end, _ = came.partition(b"\n")
    begun = not line_end and b"HTTP/".startswith(line[:5])
    if not came or begun or _STATUS_LINE.match(line):
        return None
    return f"illegal status line: {bytearray(line + line_end)}"


def illegal_line(text: str, *, head: bool) -> bytes:
    """The line for which a client broke off, where an ending's *text* names it; b"" elsewhere.

    A status line before the *head*, a chunk's size after it. Who gets it again breaks off again.
    """
    match = _ILLEGAL_LINE.fullmatch(text)
    if match is None or (match[1] == "chunk header") is not head:
        return b""
    try:
        line: bytes = ast.literal_eval(match[2])
    except (SyntaxError, ValueError):
        return b""
    return line if line.endswith(b"\n") else line + b"\r\n"


def cut_short(text: str) -> tuple[int, int] | None:
    """How much of a promised length came, and how much was promised, where *text* tells it."""
    match = _SHORT.search(text)
    return None if match is None else (int(match[1]), int(match[2]))
