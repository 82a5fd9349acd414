"""What the plugin's tests share."""

from __future__ import annotations

import pytest

from tests.plugin.suite import TAPE, Suite


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Suite:
    return Suite(pytester)


@pytest.fixture
def chats(suite: Suite) -> Suite:
    """A suite whose marked tests all play the same stream, once each."""
    suite.cassette("chat.yaml", TAPE)
    (suite.folder / "conftest.py").write_text(
        "import pathlib, pytest\n"
        "@pytest.fixture\n"
        "def streamtape_config(): return {'cassette_dir': pathlib.Path(__file__).parent}\n"
    )
    return suite
