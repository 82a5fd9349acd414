"""How a tape is handed to a client: the same bytes, cut and timed in another way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamtape.delivery.cuts import recut_tape
from streamtape.delivery.pace import scale

if TYPE_CHECKING:
    from streamtape.tape import Tape

__all__ = ["Delivery"]

CUTS = ("recorded", "whole", "bytes", "events")
PACES = ("instant", "recorded")


@dataclass(frozen=True)
class Delivery:
    """A way in which the network could have delivered a tape. Its repr evaluates to itself.

    ``cuts``: ``"recorded"``, ``"whole"`` (one chunk), ``"bytes"`` (one each), ``"events"`` (one
    frame each), or a tuple of offsets in the decoded body, ascending; a repeated offset is an empty
    chunk, and offsets past the end are ignored.

    ``pace``: ``"instant"`` (no waiting), ``"recorded"``, or a number by which the recorded speed is
    multiplied (2.0 halves every time).

    Raises ValueError for anything else.
    """

    cuts: str | tuple[int, ...] = "recorded"
    pace: str | float = "instant"

    def __post_init__(self) -> None:
        if isinstance(self.cuts, str):
            if self.cuts not in CUTS:
                raise ValueError(
                    f"unknown cuts {self.cuts!r}: use one of {', '.join(map(repr, CUTS))}"
                    " or a tuple of offsets in the body"
                )
        else:
            object.__setattr__(self, "cuts", tuple(self.cuts))
        if isinstance(self.pace, str):
            if self.pace not in PACES:
                raise ValueError(
                    f"unknown pace {self.pace!r}: use one of {', '.join(map(repr, PACES))}"
                    " or a number by which the recorded speed is multiplied"
                )
        elif not (self.pace > 0 and math.isfinite(self.pace)):
            raise ValueError(f"pace must be a positive number, not {self.pace!r}")

    @property
    def waits(self) -> bool:
        """Whether a player lets the tape's time pass, or hands over each chunk at once."""
        return self.pace != "instant"

    def apply(self, tape: Tape) -> Tape:
        """*tape* as this delivery hands it over. Pure; behind `Tape.deliver`."""
        tape = recut_tape(tape, self.cuts)
        return tape if isinstance(self.pace, str) else scale(tape, self.pace)
