"""Patches that wait for their client: nobody's program pays for libraries that it doesn't use.

To load every client that is installed takes half a second, more than most tests. So a client that
isn't loaded yet is patched right after it was, should the program load it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.abc import Loader, MetaPathFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType


@contextmanager
def loaded(told: Mapping[str, Callable[[], object]]) -> Iterator[None]:
    """Call each function of *told* when the module of its name is loaded, now or in the block."""
    waiting = _Waiting({name: call for name, call in told.items() if name not in sys.modules})
    for name, call in told.items():
        if name not in waiting.told:
            call()
    sys.meta_path.insert(0, waiting)
    try:
        yield
    finally:
        sys.meta_path.remove(waiting)


class _Waiting(MetaPathFinder):
    """Finds nothing itself: lets the others find, and is told when the module is there."""

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
                    spec.loader = _Telling(spec.loader, partial(self._tell, fullname))
                return spec
        return None

    def _tell(self, name: str) -> None:
        # Not when it was found: who only asks whether there is such a module doesn't load it.
        call = self.told.pop(name, None)
        if call is not None:
            call()


class _Telling(Loader):
    """A module's own loader, which tells when it has done its work."""

    def __init__(self, loader: Loader, call: Callable[[], object]) -> None:
        self._loader = loader
        self._call = call

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None:  # what looks at a module's loader finds the real one
            spec.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._call()
