"""Deliveries drawn by a seed, one for each request."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from streamtape.delivery import rewrites
from streamtape.delivery.order import told_anew
from streamtape.delivery.seams import seams

if TYPE_CHECKING:
    from streamtape.delivery import Delivery, Rewrite
    from streamtape.tape import Tape

BYTEWISE = 4096
"""Up to so many bytes a body may come one by one: a socket needs a millisecond for each."""

_WORDS = ("whole", "events", "recorded")
_MOST_CUTS = 8


def drawn(tape: Tape, base: Delivery, seed: int, number: int) -> Delivery:
    """The delivery for request *number* that is answered with *tape*: *base*, cut anew.

    Most are cut at up to eight offsets, half of them seams, and one in three has a rewrite of the
    wire that keeps the meaning. The same *seed* and *number* give the same delivery.
    """
    # Not for secrets: a seed draws the same again.
    generator = random.Random(f"{seed}/{number}")  # noqa: S311 - as said above
    if tape.framing == "sse" and generator.random() < 1 / 3:
        one: Rewrite = generator.choice(
            (rewrites.crlf(), rewrites.cr(), rewrites.bom(), rewrites.comments())
        )
        base = replace(base, rewrites=(*base.rewrites, one))
    body = told_anew(tape, base).body
    if len(body) <= BYTEWISE and generator.random() < 1 / 8:
        return replace(base, cuts="bytes")
    if len(body) < 2 or generator.random() < 1 / 8:
        return replace(base, cuts=generator.choice(_WORDS))
    offsets = [offset for offset, _ in seams(body)] or [len(body) // 2]
    cuts = {
        generator.choice(offsets)
        if generator.random() < 1 / 2
        else generator.randrange(1, len(body))
        for _ in range(generator.randint(1, _MOST_CUTS))
    }
    return replace(base, cuts=tuple(sorted(cuts)))
