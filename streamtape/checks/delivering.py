"""Many deliveries of one tape: what they have in common is done once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from streamtape.delivery.order import told_anew

if TYPE_CHECKING:
    from streamtape.delivery import Content, Delivery, Rewrite
    from streamtape.tape import Tape

_KEPT = 8
"""So many forms of the tape are kept: the deliveries of one form are tried one after another."""


class Delivered:
    """A tape, as deliveries hand it over."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self._told: dict[tuple[tuple[Content, ...], tuple[Rewrite, ...]], Tape] = {}

    def by(self, delivery: Delivery) -> Tape:
        """``delivery.apply(tape)``: contents and rewrites are not worked out again each time."""
        changes = delivery.contents, delivery.rewrites
        if changes not in self._told:
            if len(self._told) == _KEPT:
                del self._told[next(iter(self._told))]
            self._told[changes] = told_anew(self.tape, delivery)
        return replace(delivery, contents=(), rewrites=()).apply(self._told[changes])
