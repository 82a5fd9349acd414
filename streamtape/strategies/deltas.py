"""A text in pieces, as a model streams it: also cut where a reader sees one character."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

from hypothesis import event
from hypothesis import strategies as st

_MOST = 8
_ZERO_WIDTH_JOINER = "\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_TAGS = range(0xE0020, 0xE0080)
_REGIONAL_INDICATORS = range(0x1F1E6, 0x1F200)
_HANGUL_LETTERS = range(0x1100, 0x1200)

_INSIDE = "inside a character"
_EMPTY = "an empty piece"
_EACH = "one code point each"
_WAYS = (*[_INSIDE] * 5, *["anywhere"] * 3, _EMPTY, _EACH)
"""What stands first is what a cut shrinks to."""


def deltas(text: str) -> st.SearchStrategy[list[str]]:
    """*text* in pieces, which joined give it again; some of them are empty.

    Half of the cuts are inside what a reader sees as one character, where *text* has any: before a
    combining mark or a skin tone, at a zero width joiner, between the letters of a flag or of a
    Hangul syllable, in CRLF. A code point is never cut, so no piece has half a surrogate pair that
    *text* doesn't have.

    Shrinks to one piece, and each cut to the first one inside a character.
    """
    return text_cuts(text).map(
        lambda cuts: [text[start:end] for start, end in pairwise((0, *cuts, len(text)))]
    )


def text_cuts(text: str) -> st.SearchStrategy[tuple[int, ...]]:
    """Where `deltas` cuts *text*: offsets in code points, ascending."""
    inside = [at for at in range(1, len(text)) if _is_inside(text[at - 1], text[at])]
    ways = [way for way in _WAYS if inside or way != _INSIDE]

    # The text is no argument of a strategy: Hypothesis writes those out.
    @st.composite
    def offsets(draw: st.DrawFn) -> tuple[int, ...]:
        found: list[int] = []
        for way in draw(st.lists(st.sampled_from(ways), max_size=_MOST)):
            offset = draw(st.integers(0, len(inside) - 1 if way == _INSIDE else len(text)))
            found.append(inside[offset] if way == _INSIDE else offset)
            event(f"delta cut: {way}")
            if way == _EMPTY:
                found.append(offset)
            elif way == _EACH:
                found += range(offset + 1, min(offset + _MOST, len(text)))
        return tuple(sorted(found))

    return offsets()


def _is_inside(before: str, after: str) -> bool:
    """Whether no reader sees a boundary between two code points.

    That is, for the cases which a look at two of them decides, Unicode Standard Annex 29, rules GB3
    and GB6 to GB13.
    """
    pair = (ord(before), ord(after))
    return (
        unicodedata.category(after).startswith("M")
        or _ZERO_WIDTH_JOINER in (before, after)
        or pair[1] in _SKIN_TONES
        or pair[1] in _TAGS
        or all(each in _REGIONAL_INDICATORS for each in pair)
        or all(each in _HANGUL_LETTERS for each in pair)
        or before + after == "\r\n"
    )
