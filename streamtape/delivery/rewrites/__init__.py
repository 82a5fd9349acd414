"""Rewrites: other wire forms with the same meaning. A right client gives an equal result.

Each name makes a value for a `Delivery`. They change event streams, some of them NDJSON and any
body; a tape that a rewrite doesn't concern comes back as it is. `every` gives those that change a
tape.
"""

from __future__ import annotations

from streamtape.delivery.rewrites.between import (
    blank_lines,
    comments,
    empty_named_events,
    id_blocks,
    passing_ids,
    retry_blocks,
)
from streamtape.delivery.rewrites.choice import every
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

__all__ = [
    "blank_lines",
    "bom",
    "coding",
    "comment_lines",
    "comments",
    "cr",
    "crlf",
    "empty_named_events",
    "every",
    "id_blocks",
    "json_escapes",
    "json_raw",
    "lf",
    "message_type",
    "mixed_line_ends",
    "no_space_after_colon",
    "passing_ids",
    "reordered_fields",
    "retry_blocks",
    "space_after_colon",
    "split_data",
    "text_cuts",
    "unknown_fields",
]
