"""What was tried on each test, in numbers, and all of it in the terminal summary."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streamtape.delivery.seams import KINDS, seams

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pytest

    from streamtape.delivery import Delivery
    from streamtape.tape import Tape

_ATTRIBUTE = "streamtape_fuzz"
"""Of a report. Attributes of reports travel from pytest-xdist's workers to the controller."""

NAMED = 20
"""So many tests that played no stream are named without ``-v``."""


@dataclass
class Tally:
    """What was tried on one test."""

    deliveries: int = 0
    rewritten: int = 0
    skipped: int = 0
    seams: Counter[str] = field(default_factory=Counter)
    why_not: str = ""
    """Why there was nothing to try."""

    def count(self, tried: Sequence[Delivery], tapes: Sequence[Tape]) -> None:
        """Count *tried*, and of those that only cut the seams that they cut alone or together."""
        self.deliveries = len(tried)
        self.rewritten = sum(bool(delivery.rewrites) for delivery in tried)
        plain = [delivery.cuts for delivery in tried if not delivery.rewrites]
        cut = {offset for cuts in plain if isinstance(cuts, tuple) for offset in cuts}
        for body in {tape.body for tape in tapes}:
            self.seams.update(
                kind for offset, kind in seams(body) if offset in cut or "bytes" in plain
            )

    def put_on(self, report: pytest.TestReport) -> None:
        """Let *report* carry this, in types that any channel takes."""
        vars(report)[_ATTRIBUTE] = {**vars(self), "seams": dict(self.seams)}


class Summary:
    """Collects tallies in the process that prints the summary."""

    def __init__(self) -> None:
        self._tallies: dict[str, Tally] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the tally off *report*; of a test that is repeated, the last one."""
        carried: dict[str, Any] | None = getattr(report, _ATTRIBUTE, None)
        if carried is not None:
            self._tallies[report.nodeid] = Tally(**{**carried, "seams": Counter(carried["seams"])})

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print what was tried, and which tests there was nothing to try on."""
        if terminalreporter.config.option.collectonly:
            return
        terminalreporter.section("streamtape fuzz")
        for line in self._lines(verbose=terminalreporter.verbosity > 0):
            terminalreporter.line(line)

    def _lines(self, *, verbose: bool) -> Iterable[str]:
        tried = [tally for tally in self._tallies.values() if tally.deliveries]
        rewritten = sum(tally.rewritten for tally in tried)
        cut = sum((tally.seams for tally in tried), Counter[str]())
        yield (
            f"{_many(len(tried), 'test')} under"
            f" {_many(sum(tally.deliveries for tally in tried), 'delivery', 'deliveries')}"
            + (f", {rewritten:,} of them with rewrites" if rewritten else "")
        )
        if cut:
            kinds = ", ".join(f"{kind} {cut[kind]:,}" for kind in KINDS if kind in cut)
            yield f"{_many(cut.total(), 'seam')} of {_many(len(cut), 'kind')} cut: {kinds}"
        skipped = {each: tally for each, tally in self._tallies.items() if tally.skipped}
        if skipped:
            yield "skipped under some of its deliveries, which counts as passed there:"
            for nodeid, tally in sorted(skipped.items()):
                yield f"  {nodeid} ({tally.skipped:,} of {tally.deliveries:,})"
        reasons: dict[str, list[str]] = {}
        for nodeid, tally in self._tallies.items():
            if tally.why_not:
                reasons.setdefault(tally.why_not, []).append(nodeid)
        for reason, nodeids in sorted(reasons.items()):
            yield f"{reason}:"
            shown = nodeids if verbose else nodeids[:NAMED]
            yield from (f"  {nodeid}" for nodeid in sorted(shown))
            if len(shown) < len(nodeids):
                yield f"  and {len(nodeids) - len(shown):,} more (-v names them)"


def _many(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
