"""What the plugin's tests share."""

from __future__ import annotations

import importlib
import pkgutil

import httpcore2  # noqa: F401 - see `loaded`
import pytest

import streamtape
from tests.plugin.suite import TAPE, Suite


@pytest.fixture(scope="session", autouse=True)
def loaded() -> None:
    """What a session inside this process would load, and pytester would then unload again.

    Two copies of a module have two copies of each class.
    """
    for module in pkgutil.walk_packages(streamtape.__path__, "streamtape."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


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
