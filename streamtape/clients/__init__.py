"""The tee and the player inside each HTTP client.

``routing`` decides who answers a request, ``take`` holds what is being recorded, ``playback`` where
a player stands in a tape; each other module is the seam of one client library, or belongs to one.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

_SERVED = {
    "httpx": ("streamtape.clients.httpx", ("httpx",)),
    "httpx2": ("streamtape.clients.httpx", ("httpx2",)),
    "urllib3": ("streamtape.clients.urllib3", ("urllib3", "requests", "boto3")),
    "aiohttp": ("streamtape.clients.aiohttp", ("aiohttp",)),
    "niquests": ("streamtape.clients.niquests", ()),  # refused
}
"""By the library: the module of its seam, and what vcrpy calls the clients that stand on it."""

PATCHED_HERE = tuple(name for _, names in _SERVED.values() for name in names)
"""Clients that streamtape's own tee serves; vcrpy's patches for them stay off."""


Patcher = Callable[["ModuleType"], Iterator[tuple[type, str, Callable[..., object]]]]
"""Yields ``(class, method name, replacement)`` for one client library, which is loaded."""


def _patches(seam: str, library: ModuleType) -> Iterator[tuple[type, str, Callable[..., object]]]:
    yield from importlib.import_module(seam).patches(library)


PATCHERS: Mapping[str, Patcher] = {
    library: partial(_patches, seam) for library, (seam, _) in _SERVED.items()
}
"""By the name of the library: what is to be put in place of its methods."""
