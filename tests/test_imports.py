"""What importing the package loads, and what it offers: pytest imports it in every session."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

import streamtape

PROJECT = Path(__file__).parents[1]
HEAVY = (
    "aiohttp",
    "anyio",
    "httpx",
    "httpx2",
    "hypothesis",
    "rich",
    "trio",
    "vcr",
    "yaml",
)


def loaded_by(statement: str) -> set[str]:
    """The top-level modules and those of streamtape that a fresh Python holds after *statement*.

    Without `site`'s packages at start: what a `.pth` file imports would be counted too.
    """
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "before = set(sys.modules)\n"
        f"{statement}\n"
        "import json; print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    result = subprocess.run(
        [sys.executable, "-S", "-c", code], check=True, capture_output=True, text=True
    )
    return set(json.loads(result.stdout))


@pytest.mark.parametrize("module", ["streamtape", "streamtape.pytest_plugin"])
def test_importing_loads_no_client_and_no_parser(module: str) -> None:
    loaded = loaded_by(f"import {module}")
    assert module in loaded
    assert not loaded.intersection(HEAVY)


def test_importing_the_package_loads_none_of_its_modules() -> None:
    assert [name for name in loaded_by("import streamtape") if "streamtape" in name] == [
        "streamtape"
    ]


def test_importing_the_plugin_loads_no_other_module_of_the_package() -> None:
    loaded = loaded_by("import pytest, streamtape.pytest_plugin")
    assert {name for name in loaded if "streamtape" in name} == {
        "streamtape",
        "streamtape.pytest_plugin",
    }


def test_the_oracle_sees_what_is_loaded() -> None:
    """The check above would pass for ever if it looked in the wrong place."""
    assert {"vcr", "yaml"} <= loaded_by("from streamtape import use_cassette")


def test_every_public_name_is_there() -> None:
    for name in streamtape.__all__:
        assert getattr(streamtape, name).__name__ == name


def test_a_public_name_is_the_one_object_of_its_module() -> None:
    assert streamtape.Tape is importlib.import_module("streamtape.tape").Tape
    assert (
        streamtape.use_cassette
        is importlib.import_module("streamtape.cassette.library").use_cassette
    )


def test_dir_shows_the_public_names_before_they_are_used() -> None:
    code = "import streamtape; print(set(streamtape.__all__) - set(dir(streamtape)))"
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert result.stdout == "set()\n"


def test_star_import_gives_the_public_names() -> None:
    namespace: dict[str, object] = {}
    exec("from streamtape import *", namespace)
    assert set(streamtape.__all__) <= set(namespace)


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match=r"module 'streamtape' has no attribute 'tapes'"):
        streamtape.tapes  # noqa: B018
    assert not hasattr(streamtape, "_HOME")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this checkout, built without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=PROJECT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_has_every_module_and_says_that_it_is_typed(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    modules = {
        path.relative_to(PROJECT).as_posix() for path in (PROJECT / "streamtape").rglob("*.py")
    }
    assert "streamtape/py.typed" in names
    assert modules <= names
    top = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert top == {"streamtape"}


def test_the_wheel_announces_the_plugin_and_the_command(wheel: zipfile.ZipFile) -> None:
    (info,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    entry_points = ConfigParser()
    entry_points.read_string(wheel.read(info).decode())
    assert entry_points["pytest11"]["streamtape"] == "streamtape.pytest_plugin"
    assert entry_points["console_scripts"]["streamtape"] == "streamtape.cli:main"


def test_the_version_is_that_of_the_distribution(wheel: zipfile.ZipFile) -> None:
    (info,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    assert f"Version: {streamtape.__version__}\n" in wheel.read(info).decode()
