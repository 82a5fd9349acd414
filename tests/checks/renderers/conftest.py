"""What the tests of renderers share."""

from __future__ import annotations

import pytest

from streamtape.checks.renderers import search


@pytest.fixture(autouse=True)
def fewer_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as the short texts of these tests need."""
    monkeypatch.setattr(search, "MAX_DELIVERIES", 100)
    monkeypatch.setattr(search, "DRAWN", 15)
