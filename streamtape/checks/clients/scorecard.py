"""What came of all that a client was tried on: a table to read, data to keep, and what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from streamtape.checks.clients.verdicts import FAILINGS
from streamtape.checks.failures import CheckFailed
from streamtape.checks.scorecard import delivered_chunks, difference
from streamtape.delivery.change import Fault
from streamtape.providers import GENERIC

if TYPE_CHECKING:
    from streamtape.checks.clients.verdicts import Verdict
    from streamtape.checks.failures import Failure
    from streamtape.delivery import Delivery
    from streamtape.providers import Provider

_RIGHT = ("equal", "raises", "tells of it", "part allowed", "other allowed", "as fault/", "closed")
_FAMILIES = (
    "connection",
    "requests",
    "as recorded",
    "cuts",
    "whole",
    "chunk-boundary/",
    "rewrite/",
    "content/",
)
"""How the names of rows begin, in the order in which they are shown; faults come last."""
_MARK = "x "
_HEAD = ("what was delivered", "what the client made of it")


@dataclass
class Row:
    """One kind of delivery: ``name``, how many ``examples`` there were, what came of them.

    ``outcomes`` are in the order in which they were met: ``"equal"``, ``"raises NAME"``,
    ``"tells of it"`` (the error is in the result), ``"part allowed"``, ``"other allowed"``,
    ``"as NAME"`` (of another row), ``"closed"``, or a failing, with the exception's name where
    there is one: ``"foreign exception KeyError"``.
    """

    name: str
    examples: int = 0
    outcomes: list[str] = field(default_factory=list)

    @property
    def failings(self) -> list[str]:
        """Those of the outcomes that are wrong."""
        return [outcome for outcome in self.outcomes if outcome.startswith(tuple(FAILINGS))]


@dataclass
class Scorecard:
    """What `check_client` found. ``rows`` by the kind of delivery, ``str()`` is a table.

    ``provider``: whose stream it was; None where nobody asked.
    """

    rows: list[Row] = field(default_factory=list)
    provider: Provider | None = None

    def note(self, name: str, verdict: Verdict | str, examples: int = 1) -> None:
        """Add *examples* whose outcome is *verdict* to the row *name*."""
        row = next((row for row in self.rows if row.name == name), None)
        if row is None:
            row = Row(name)
            self.rows.append(row)
        row.examples += examples
        outcome = verdict if isinstance(verdict, str) else verdict.outcome
        if outcome not in row.outcomes:
            row.outcomes.append(outcome)

    def sort(self) -> None:
        """Put the rows into the order in which they are shown."""
        first: dict[str, int] = {}
        for number, row in enumerate(self.rows):
            first.setdefault(row.name.split(" ")[0], number)

        def place(row: Row) -> tuple[int, int]:
            family = (n for n, start in enumerate(_FAMILIES) if row.name.startswith(start))
            return next(family, len(_FAMILIES)), first[row.name.split(" ")[0]]

        self.rows.sort(key=place)

    @property
    def examples(self) -> int:
        """How many deliveries were tried."""
        return sum(row.examples for row in self.rows)

    def as_dict(self) -> dict[str, list[str]]:
        """The outcomes by the kind of delivery: JSON can keep it, and ``expect=`` takes it."""
        return {row.name: list(row.outcomes) for row in self.rows}

    def __str__(self) -> str:
        """As a table, what goes wrong marked with an x."""
        wrong = sum(bool(row.failings) for row in self.rows)
        kinds = f"{wrong} of {len(self.rows)} kinds of delivery go wrong"
        lines = [f"{kinds} ({self.examples:,} deliveries tried)"]
        if self.provider is GENERIC:
            lines.append(f"provider: {GENERIC.name}, so the end of the stream is not known")
        lines.append("")
        width = max(len(name) for name in [_HEAD[0], *(row.name for row in self.rows)])
        lines.append(f"{'':{len(_MARK)}}{_HEAD[0]:{width}}  {_HEAD[1]}")
        for row in self.rows:
            mark = _MARK if row.failings else ""
            lines.append(f"{mark:{len(_MARK)}}{row.name:{width}}  {', '.join(row.outcomes)}")
        return "\n".join(lines)


Expected = Scorecard | Mapping[str, str | Iterable[str]]
"""A baseline: the scorecard of another time, what its `as_dict` gave, or only what goes wrong."""


class ClientFailed(CheckFailed):
    """A `CheckFailed` with the whole ``scorecard``."""

    def __init__(
        self, scorecard: Scorecard, failures: Sequence[Failure], gone: Sequence[str]
    ) -> None:
        super().__init__(failures, check="check_client", gone=gone)
        self.scorecard = scorecard
        blocks = [f"check_client: {scorecard}", *map(_told, failures)]
        blocks += [
            f"{name}: expected, but no longer occurs. Take it out of expect." for name in gone
        ]
        self.args = ("\n\n".join(blocks),)


def _told(failure: Failure) -> str:
    """*failure* in a few lines: what was delivered, and what differs, or what was raised."""
    lines = [f"{failure.kind}: {failure.sentence}"]
    lines.append(f"    delivery  {failure.delivery!r} (example {failure.examples})")
    if failure.delivery.cuts != "recorded" and failure.tape is not None:
        chunks = delivered_chunks(failure.delivery.apply(failure.tape))
        lines += [f"    chunks    {line}" for line in chunks]
    told = difference(failure.expected, failure.got)
    if isinstance(failure.got, BaseException):
        told = told[-1:]
    return "\n".join([*lines, *(f"    {line}" for line in told)])


def expected_failings(expect: Expected | None) -> list[tuple[str, str]]:
    """``(kind of delivery, failing)`` for each failing that *expect* names.

    Raises ValueError for words that are no outcome.
    """
    if expect is None:
        return []
    given = expect.as_dict() if isinstance(expect, Scorecard) else expect
    found = []
    for name, outcomes in given.items():
        for outcome in [outcomes] if isinstance(outcomes, str) else outcomes:
            if outcome.startswith(tuple(FAILINGS)):
                found.append((name, outcome))
            elif not outcome.startswith(_RIGHT):
                raise ValueError(
                    f"expect[{name!r}] has {outcome!r}, which is no outcome: the failings are"
                    f" {', '.join(map(repr, FAILINGS))}, each of which may have an exception's name"
                    " after it"
                )
    return found


def is_expected(expected: str, outcome: str) -> bool:
    """Whether *outcome* is what a baseline calls *expected*: the same, or with more detail."""
    return f"{outcome} ".startswith(f"{expected} ")


def row_of(delivery: Delivery) -> str:
    """The row of a delivery that keeps the meaning: its first change, else its cuts."""
    change = next(chain(delivery.contents, delivery.rewrites), None)
    return "cuts" if change is None else f"{change.family.removesuffix('s')}/{change.name}"


def row_of_fault(fault: Fault) -> str:
    """The row of *fault*: its name, and what else tells it from others, but where it strikes."""
    words = [f"fault/{fault.name}"]
    for name, value in fault.arguments:
        if isinstance(value, Fault):
            words.append(value.name)
        elif isinstance(value, str):
            words.append(value)
        elif value is True:
            words.append(name)
    return " ".join(words)
