"""Clients that are loaded while a session is open: patched then, and none is loaded for it."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from streamtape.clients.loading import loaded

if TYPE_CHECKING:
    from pathlib import Path

CLIENTS = ["aiohttp", "httpx", "httpx2", "niquests", "requests", "urllib3"]
SCRIPT = f"""
import sys
import streamtape

with streamtape.play(streamtape.Tape.of(b"data: one\\n\\n")):
    print(sorted(set({CLIENTS}) & set(sys.modules)))
    import importlib.util
    assert importlib.util.find_spec("urllib3") is not None  # asks, and loads nothing
    import httpx, httpx2, requests
    for get in (httpx.get, httpx2.get, requests.get):
        print(get("http://x.test/").text.strip())
    import asyncio, aiohttp
    async def main():
        async with aiohttp.ClientSession() as session, session.get("http://x.test/") as response:
            print((await response.text()).strip())
    asyncio.run(main())
print(any("streamtape" in type(finder).__module__ for finder in sys.meta_path))
"""


def test_no_client_is_loaded_for_a_session_and_each_is_served_when_it_is() -> None:
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["[]", *["data: one"] * 4, "False"]


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that nobody has loaded."""
    name = f"library_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


def test_told_once_when_the_module_is_whole(library: str) -> None:
    seen: list[int] = []
    with loaded({library: lambda: seen.append(sys.modules[library].VALUE)}):
        assert importlib.util.find_spec(library) is not None
        assert seen == []
        module = importlib.import_module(library)
        assert seen == [1]
        importlib.reload(module)
    assert seen == [1]


def test_what_is_loaded_already_is_told_at_once() -> None:
    seen: list[str] = []
    with loaded({"sys": lambda: seen.append("sys")}):
        assert seen == ["sys"]


def test_a_module_keeps_its_own_loader(library: str) -> None:
    with loaded({library: lambda: None}):
        module = importlib.import_module(library)
    assert type(module.__loader__).__module__.startswith(("importlib", "_frozen_importlib"))
    assert module.__spec__ is not None
    assert module.__spec__.loader is module.__loader__


def test_one_that_fails_to_load_and_one_that_is_not_installed_are_never_told(
    library: str, tmp_path: Path
) -> None:
    (tmp_path / f"{library}.py").write_text("raise OSError('broken')\n")
    seen: list[str] = []
    with loaded({library: lambda: seen.append(library), "no_such_module": lambda: seen.append("")}):
        with pytest.raises(OSError, match="broken"):
            importlib.import_module(library)
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("no_such_module")
    assert seen == []


def test_after_the_block_nobody_is_told(library: str) -> None:
    seen: list[str] = []
    with loaded({library: lambda: seen.append(library)}):
        pass
    importlib.import_module(library)
    assert seen == []
