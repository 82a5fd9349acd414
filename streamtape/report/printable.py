"""Text from anywhere, made fit for a terminal."""

from __future__ import annotations

import re

# What a terminal would obey rather than show: the control characters (an escape sequence in a
# model's answer could retitle the window or hide what follows), line breaks that the table must
# not have, marks that turn the writing direction, and halves of surrogate pairs, which have no
# UTF-8. Joiners and variation selectors stay: emoji are made with them.
_COMMANDS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_LINE_END = "↵"


def one_line(text: str) -> str:
    """*text* in one line: a line feed as ``↵``, what else a terminal would obey as an escape."""
    return _COMMANDS.sub(_shown, text)


def lines(text: str) -> str:
    """*text* with its line feeds and tabs; whatever else a terminal would obey is escaped."""
    return _COMMANDS.sub(lambda found: found[0] if found[0] in "\n\t" else _escaped(found[0]), text)


def of_bytes(data: bytes) -> str:
    """*data* as text where it is UTF-8, with escapes where it is not."""
    return data.decode(errors="backslashreplace")


def _shown(found: re.Match[str]) -> str:
    return _LINE_END if found[0] == "\n" else _escaped(found[0])


def _escaped(character: str) -> str:
    return character.encode("unicode-escape").decode()
