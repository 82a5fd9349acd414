"""Clients that are loaded while a session is open: patched then, and none is loaded for it."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from streamtape import Delivery, Tape
from streamtape.clients import routing
from streamtape.clients.loading import loaded
from streamtape.clients.play import Player

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

TAPE = Tape.of(b"data: one\n\n")

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


def test_a_session_waits_for_a_client_that_another_thread_is_loading(
    library: str, tmp_path: Path
) -> None:
    """It was patched half loaded, and had no class to patch."""
    (tmp_path / f"{library}.py").write_text(
        "import threading\nBEGUN = threading.Event()\nGO_ON = threading.Event()\n"
        "BEGUN.set()\nGO_ON.wait(20)\nclass Client:\n    def get(self): return 'real'\n"
    )

    def patcher(module: ModuleType) -> Iterator[tuple[type, str, Callable[..., object]]]:
        yield module.Client, "get", lambda _: "played"

    importing = threading.Thread(target=importlib.import_module, args=(library,))
    importing.start()
    while not hasattr(sys.modules.get(library), "GO_ON"):
        importing.join(0.01)
    module = sys.modules[library]
    assert module.BEGUN.wait(20)
    got: list[str] = []

    def play() -> None:
        with routing.opened(Player([TAPE], Delivery()), {library: patcher}):
            got.append(module.Client().get())

    playing = threading.Thread(target=play)
    playing.start()
    playing.join(0.05)
    assert playing.is_alive()
    module.GO_ON.set()
    importing.join()
    playing.join()
    assert got == ["played"]
    assert module.Client().get() == "real"


def test_a_client_that_loads_itself_inside_a_session_of_its_own_is_left_alone(
    library: str, tmp_path: Path
) -> None:
    (tmp_path / f"{library}.py").write_text(
        "import streamtape\n"
        "from streamtape.clients import routing\n"
        "from streamtape.clients.play import Player\n"
        "def patcher(module): raise AssertionError('half loaded')\n"
        "tape = streamtape.Tape.of(b'data: x\\n\\n')\n"
        "with routing.opened(Player([tape], streamtape.Delivery()), {__name__: patcher}):\n"
        "    VALUE = 1\n"
    )
    assert importlib.import_module(library).VALUE == 1


def test_a_spec_that_was_found_inside_tells_nobody_outside(library: str) -> None:
    seen: list[str] = []
    with loaded({library: lambda: seen.append(library)}):
        spec = importlib.util.find_spec(library)
        assert spec is not None
        assert spec.loader is not None
        assert spec.loader.get_filename() == spec.origin  # type: ignore[attr-defined]
        assert spec.loader.get_source(library) == "VALUE = 1\n"  # type: ignore[attr-defined]
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (module.VALUE, seen) == (1, [])
