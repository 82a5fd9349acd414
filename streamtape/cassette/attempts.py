"""What the later requests for one interaction get, where a fault strikes some attempts only."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streamtape.delivery import Delivery
    from streamtape.tape import Tape


class Attempts:
    """By the index of an interaction: the attempts at its stream that are still to come."""

    def __init__(self) -> None:
        self._left: dict[int, tuple[Delivery | None, list[Tape]]] = {}

    def begin(self, index: int, delivery: Delivery | None, tape: Tape) -> Tape:
        """The first attempt at *tape* under *delivery*; the others, if there are any, are kept."""
        first, *others = (tape,) if delivery is None else delivery.attempts(tape)
        if others:
            self._left[index] = (delivery, others)
        return first

    def following(self, indexes: Iterable[int]) -> tuple[Delivery | None, Tape] | None:
        """The next attempt at the first of *indexes* that has one. The last attempt stays."""
        for index in indexes:
            if index in self._left:
                delivery, (tape, *others) = self._left[index]
                if others:
                    self._left[index] = (delivery, others)
                return delivery, tape
        return None

    def mark(self) -> Callable[[], None]:
        """A function that puts everything back to where it stands now."""
        left = dict(self._left)

        def rewind() -> None:
            self._left = dict(left)

        return rewind
