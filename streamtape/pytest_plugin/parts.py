"""The part files of tests that failed while recording, in the terminal summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


class PartFiles:
    """The recordings of tests that failed, collected in the process that prints the summary."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the file that *report* carries."""
        if part := getattr(report, "streamtape_part", None):
            self.found.append((report.nodeid, part))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name the files."""
        if not self.found:
            return
        terminalreporter.section("streamtape")
        terminalreporter.line(
            "Failed while recording: the cassette stays as it was, and what was recorded is in a"
            " part file, a cassette itself (streamtape show FILE)."
        )
        for nodeid, part in self.found:
            terminalreporter.line(f"  {nodeid}")
            terminalreporter.line(f"    {part}")
