"""What a search came to, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from streamtape.checks import Failure, Scorecard
    from streamtape.programs.outcome import Outcome

UNSTABLE = "unstable"
"""The kind of a failure that came once, and then not again."""

Problem = Literal["not asked", "fails as recorded", "not deterministic"]

FOUND, REFUSED, UNSTEADY, BROKEN, INTERRUPTED = 1, 2, 3, 4, 130
"""Exit statuses: a delivery to blame was found; nothing could be tried; the program isn't
deterministic; it fails as recorded; Ctrl-C."""


@dataclass
class Result:
    """What `Fuzzing` found so far.

    ``recorded``: the two runs as recorded. ``problem``: why no other were made, if so. In
    ``failures``, the first of each kind, ``expected`` and ``got`` are outcomes. ``scorecard`` is
    None unless faults were tried. ``runs`` are those of the search, ``other_runs`` those as
    recorded, and those spent on making failures small and sure. ``left_out`` deliveries were not
    tried, since they hold what was found to fail.
    """

    recorded: list[Outcome] = field(default_factory=list)
    problem: Problem | None = None
    failures: list[Failure] = field(default_factory=list)
    scorecard: Scorecard | None = None
    runs: int = 0
    other_runs: int = 0
    left_out: int = 0
    interrupted: bool = False

    @property
    def exit_status(self) -> int:
        """0 where every run was right."""
        if self.interrupted:
            return INTERRUPTED
        if self.problem is not None:
            return {
                "not asked": REFUSED,
                "fails as recorded": BROKEN,
                "not deterministic": UNSTEADY,
            }[self.problem]
        if any(failure.kind != UNSTABLE for failure in self.failures):
            return FOUND
        return UNSTEADY if self.failures else 0
