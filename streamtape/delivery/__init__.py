"""How a tape is handed to a client: the same bytes in other chunks, another form, or broken.

``rewrites``, ``contents``, ``faults`` and ``middleboxes`` hold the values for a `Delivery`;
``seams`` tells where to cut, and ``expression`` reads a delivery from its repr.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from streamtape.delivery.arguments import is_whole
from streamtape.delivery.change import Change, Content, Fault, Middlebox, Rewrite
from streamtape.delivery.cuts import recut_tape
from streamtape.delivery.pace import Pace

if TYPE_CHECKING:
    from streamtape.tape import Tape

__all__ = ["Content", "Delivery", "Fault", "Middlebox", "Pace", "Rewrite"]

CUTS = ("recorded", "whole", "bytes", "events")
PACES = ("instant", "recorded", "virtual")


@dataclass(frozen=True, repr=False)
class Delivery:
    """A way in which the network could have delivered a tape. Its repr evaluates to itself.

    ``cuts``: ``"recorded"``, ``"whole"`` (one chunk), ``"bytes"`` (one each), ``"events"`` (one
    frame each), or a tuple of offsets in the decoded body, ascending; a repeated offset is an empty
    chunk, and offsets past the end are ignored. Or one of ``middleboxes``, which hold bytes back.

    ``pace``: ``"instant"`` (no waiting), ``"recorded"``, a number by which the recorded speed is
    multiplied (2.0 halves every time), a `Pace`, or ``"virtual"``: as recorded, under a virtual
    clock only.

    ``rewrites``, ``contents``: values of `streamtape.delivery.rewrites` and ``contents``, applied
    in this order. ``fault``: one of ``faults``, or None.

    Contents come first, then rewrites, cuts, pace, and the fault: so the offsets of the cuts are
    those of the rewritten body, and the fault strikes what would have been delivered.

    Raises ValueError for anything else.
    """

    cuts: str | tuple[int, ...] | Middlebox = "recorded"
    pace: str | float | Pace = "instant"
    rewrites: tuple[Rewrite, ...] = ()
    contents: tuple[Content, ...] = ()
    fault: Fault | None = None

    def __post_init__(self) -> None:
        if isinstance(self.cuts, str):
            if self.cuts not in CUTS:
                raise _unknown_cuts(self.cuts)
        elif not isinstance(self.cuts, Middlebox):
            object.__setattr__(self, "cuts", _offsets(self.cuts))
        if isinstance(self.pace, int | float):
            Pace(self.pace)  # refuses what is no speed
        elif not isinstance(self.pace, Pace) and self.pace not in PACES:
            raise ValueError(
                f"unknown pace {self.pace!r}: use one of {', '.join(map(repr, PACES))}"
                ", a number by which the recorded speed is multiplied, or a Pace"
            )
        object.__setattr__(self, "rewrites", _all_are(Rewrite, self.rewrites))
        object.__setattr__(self, "contents", _all_are(Content, self.contents))
        _all_are(Fault, () if self.fault is None else (self.fault,))

    def __repr__(self) -> str:
        """As an expression that makes it; what is as by default is left out."""
        given = [
            f"{field.name}={value!r}"
            for field in fields(self)
            if (value := getattr(self, field.name)) != field.default
        ]
        return f"Delivery({', '.join(given)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001, ARG002 - as `Change`
        printer.text(repr(self))

    @property
    def waits(self) -> bool:
        """Whether a player lets the tape's time pass, or hands over each chunk at once."""
        return self.pace != "instant"

    @property
    def virtual(self) -> bool:
        """Whether a player insists on a virtual clock."""
        return self.pace == "virtual" or (isinstance(self.pace, Pace) and self.pace.virtual)

    @property
    def keeps_meaning(self) -> bool:
        """Whether a right client gives an equal result: the stream says what was recorded."""
        return not self.contents and self.fault is None

    def apply(self, tape: Tape) -> Tape:
        """*tape* as this delivery hands it over. Pure; behind `Tape.deliver`."""
        return self.attempts(tape)[0]

    def attempts(self, tape: Tape) -> tuple[Tape, ...]:
        """What a client's first request gets, what its next one, and so on.

        More than one only where the fault strikes some of the attempts; the last one is for all
        that follow.
        """
        for change in (*self.contents, *self.rewrites):
            tape = change.apply(tape)
        if isinstance(self.cuts, Middlebox):
            tape = self.cuts.apply(tape)
        else:
            tape = recut_tape(tape, self.cuts)
        if not isinstance(self.pace, str):
            tape = (self.pace if isinstance(self.pace, Pace) else Pace(self.pace)).apply(tape)
        return (tape,) if self.fault is None else self.fault.attempts(tape)


def _offsets(cuts: object) -> tuple[int, ...]:
    if not isinstance(cuts, Sequence) or isinstance(cuts, bytes):
        raise _unknown_cuts(cuts)
    for offset in cuts:
        if not is_whole(offset, 0):
            raise ValueError(
                f"cuts must be offsets in the body, whole numbers from 0 on, not {offset!r} as in"
                f" {tuple(cuts)!r}"
            )
    if any(later < earlier for earlier, later in pairwise(cuts)):
        raise ValueError(f"cuts must not decrease, these do: {tuple(cuts)!r}")
    return tuple(cuts)


def _unknown_cuts(cuts: object) -> ValueError:
    return ValueError(
        f"unknown cuts {cuts!r}: use one of {', '.join(map(repr, CUTS))}, a tuple of offsets in the"
        " body, or one of streamtape.delivery.middleboxes"
    )


def _all_are(kind: type[Change], changes: tuple[Change, ...]) -> tuple[Change, ...]:
    if isinstance(changes, Change):
        raise ValueError(f"{changes!r} stands alone: write a tuple, ({changes!r},)")  # noqa: TRY004 - as for every other field
    if not isinstance(changes, tuple | list):
        raise ValueError(  # noqa: TRY004 - as for every other field
            f"{kind.family} must be a tuple of streamtape.delivery.{kind.family}, not {changes!r}"
        )
    for change in changes:
        if not isinstance(change, kind):
            raise ValueError(  # noqa: TRY004 - as for every other field
                f"{change!r} is none of streamtape.delivery.{kind.family}"
            )
    return tuple(changes)
