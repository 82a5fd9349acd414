"""What every test of a command gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import Commands

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Commands:
    """Commands in an empty folder, on 80 columns, whatever the terminal of the test run is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("FORCE_COLOR", "NO_COLOR", "LINES"):
        monkeypatch.delenv(name, raising=False)
    return Commands(capsys, tmp_path)
