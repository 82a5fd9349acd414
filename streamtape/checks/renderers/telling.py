"""A renderer's failure as text."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

from streamtape.checks.failures import Failure


@dataclass(frozen=True)
class RendererFailure(Failure):
    """A failure whose views are told as lines where they have some.

    ``same_as``: the kind of another failure that has the same example and the same views.
    """

    same_as: str = ""

    @classmethod
    def of(cls, failure: Failure, same_as: str = "") -> Self:
        """*failure*, told so."""
        return cls(
            **{one.name: getattr(failure, one.name) for one in fields(failure)}, same_as=same_as
        )

    def __str__(self) -> str:
        """As a person reads it; in one line what another failure tells already."""
        if self.same_as:
            return f"{self.kind}: {self.sentence} (the example of {self.same_as})"
        expected, got = _lines(self.expected), _lines(self.got)
        if expected is None or got is None or expected == got:
            return super().__str__()
        return Failure.__str__(replace(self, expected=expected, got=got))


def _lines(view: object) -> list[str] | None:
    lines = getattr(view, "lines", None)
    return None if lines is None or callable(lines) else list(lines)
