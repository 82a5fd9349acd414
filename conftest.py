"""pytest's own test tools for the plugin's tests, and the documentation's pages as tests."""

from __future__ import annotations

import asyncio

from tests.pages import PAGES

pytest_plugins = ["pytester"]
pytest_collect_file = PAGES.pytest()


def pytest_configure() -> None:
    """Start without a current event loop.

    pytest-asyncio asks for it; Python 3.11 to 3.13 then make one, and nobody closes that.
    """
    asyncio.set_event_loop(None)
