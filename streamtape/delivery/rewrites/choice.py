"""Which rewrites to try on a tape, and in what order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamtape import codings
from streamtape.delivery.rewrites.between import (
    blank_lines,
    comments,
    empty_named_events,
    id_blocks,
    passing_ids,
    retry_blocks,
)
from streamtape.delivery.rewrites.coded import coding
from streamtape.delivery.rewrites.fields import (
    comment_lines,
    message_type,
    no_space_after_colon,
    reordered_fields,
    space_after_colon,
    unknown_fields,
)
from streamtape.delivery.rewrites.lines import bom, cr, crlf, lf, mixed_line_ends
from streamtape.delivery.rewrites.payloads import json_escapes, json_raw, split_data, text_cuts

if TYPE_CHECKING:
    from streamtape.delivery.change import Level, Rewrite
    from streamtape.tape import Tape

_LEVELS: tuple[Level, ...] = ("wire", "payload", "text")

_LIKELIEST_FIRST: tuple[Rewrite, ...] = (
    bom(),
    crlf(),
    cr(),
    mixed_line_ends(),
    no_space_after_colon(),
    comments(),
    comment_lines(),
    id_blocks(),
    passing_ids(),
    retry_blocks(),
    split_data(),
    blank_lines(),
    empty_named_events(),
    reordered_fields(),
    unknown_fields(),
    message_type(),
    message_type(spelled=False),
    json_escapes(),
    json_raw(),
    text_cuts(),
    comments(text=""),
    comments(text=" OPENROUTER PROCESSING"),
    mixed_line_ends(seed=1),
    space_after_colon(),
    lf(),
)
"""By what released readers were found to get wrong."""


def every(tape: Tape, level: Level = "wire") -> tuple[Rewrite, ...]:
    """The rewrites worth trying on *tape*, the one likeliest to hurt a reader first.

    All of them change the tape, no two in the same way, and they keep its meaning at *level* or
    better: ``"wire"`` leaves every event equal, ``"payload"`` the JSON in it, ``"text"`` the text
    of the answer. Content codings whose library is not installed are left out.

    Raises ValueError for another level.
    """
    if level not in _LEVELS:
        raise ValueError(f"there is no level {level!r}: use one of {', '.join(_LEVELS)}")
    reached = _LEVELS[: _LEVELS.index(level) + 1]
    candidates = [
        *(rewrite for rewrite in _LIKELIEST_FIRST if rewrite.level in reached),
        *(coding(name=name) for name in codings.CODINGS if codings.available(name)),
    ]
    found: dict[Tape, Rewrite] = {tape: bom()}
    for rewrite in candidates:
        found.setdefault(rewrite.apply(tape), rewrite)
    del found[tape]
    return tuple(found.values())
