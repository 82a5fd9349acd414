"""Patches that wait for their client: nobody's program pays for libraries that it doesn't use.

To load every client that is installed takes half a second, more than most tests. So a client that
isn't loaded yet is patched right after it was, should the program load it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType


def being_loaded(names: Iterable[str]) -> list[str]:
    """Those of *names* that some thread is importing right now: modules without all they have."""
    return [name for name in names if _is_partial(sys.modules.get(name))]


def _is_partial(module: ModuleType | None) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def wait_for(names: Iterable[str]) -> None:
    """Wait until the modules of *names* are loaded, or can't be.

    Hold no lock meanwhile that an import may need.
    """
    for name in names:
        try:
            importlib.import_module(name)  # waits for the module's own lock
        except ImportError:
            continue  # whoever imports it hears of that


@contextmanager
def loaded(told: Mapping[str, Callable[[], object]]) -> Iterator[None]:
    """Call each function of *told* when the module of its name is loaded, now or in the block."""
    waiting = _Waiting({name: call for name, call in told.items() if name not in sys.modules})
    for name, call in told.items():
        if name not in waiting.told:
            call()
    sys.meta_path.insert(0, cast("Any", waiting))
    try:
        yield
    finally:
        sys.meta_path.remove(cast("Any", waiting))
        waiting.told.clear()  # what was found and not loaded yet


class _Waiting:
    """A finder that finds nothing itself: lets the others find, and is told when it is loaded."""

    def __init__(self, told: Mapping[str, Callable[[], object]]) -> None:
        self.told = dict(told)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self.told:
            return None
        for finder in sys.meta_path:
            if isinstance(finder, _Waiting):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    telling = _Telling(spec.loader, partial(self._tell, fullname))
                    spec.loader = cast("Loader", telling)
                return spec
        return None

    def _tell(self, name: str) -> None:
        # Not when it was found: who only asks whether there is such a module doesn't load it.
        call = self.told.pop(name, None)
        if call is not None:
            call()


class _Telling:
    """A module's own loader, which tells when it has done its work."""

    def __init__(self, loader: Loader, call: Callable[[], object]) -> None:
        self._loader = loader
        self._call = call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)  # who looks for a module's source asks it too

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None:  # what looks at a module's loader finds the real one
            spec.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._call()
