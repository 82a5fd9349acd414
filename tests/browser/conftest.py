"""One browser for all tests of a worker: it takes a second to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streamtape.views import Chromium
from streamtape.views.chromium import find
from tests.browser.reading import READER, Reader, without_a_browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    if find() is None:
        without_a_browser()
    with Chromium() as browser:
        yield browser


@pytest.fixture
def reader(browser: Chromium) -> Iterator[Reader]:
    with browser.open(READER) as page:
        yield Reader(page)
