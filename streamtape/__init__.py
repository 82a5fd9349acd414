"""Record live event streams with the time of every chunk, and replay them with any delivery."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamtape.cassette.errors import CassetteError
    from streamtape.cassette.filters import Secrets
    from streamtape.cassette.library import NoMatchError, load, save, use_cassette
    from streamtape.clients.play import play
    from streamtape.delivery import Delivery
    from streamtape.delivery.seams import seams
    from streamtape.metrics import Timing, timing
    from streamtape.tape import Chunk, Ending, Request, Tape
    from streamtape.wire.sse import Decoder, Event, decode, encode

__version__ = "0.1.0"

# Loaded when first used (PEP 562): pytest imports this package in every session, also where no
# test records anything.
_HOMES = {
    "CassetteError": "streamtape.cassette.errors",
    "Chunk": "streamtape.tape",
    "Decoder": "streamtape.wire.sse",
    "Delivery": "streamtape.delivery",
    "Ending": "streamtape.tape",
    "Event": "streamtape.wire.sse",
    "NetworkClosedError": "streamtape.clients.guard",
    "NoMatchError": "streamtape.cassette.library",
    "Request": "streamtape.tape",
    "Secrets": "streamtape.cassette.filters",
    "Tape": "streamtape.tape",
    "Timing": "streamtape.metrics",
    "decode": "streamtape.wire.sse",
    "encode": "streamtape.wire.sse",
    "load": "streamtape.cassette.library",
    "play": "streamtape.clients.play",
    "save": "streamtape.cassette.library",
    "seams": "streamtape.delivery.seams",
    "timing": "streamtape.metrics",
    "use_cassette": "streamtape.cassette.library",
}

__all__ = [
    "CassetteError",
    "Chunk",
    "Decoder",
    "Delivery",
    "Ending",
    "Event",
    "NetworkClosedError",
    "NoMatchError",
    "Request",
    "Secrets",
    "Tape",
    "Timing",
    "decode",
    "encode",
    "load",
    "play",
    "save",
    "seams",
    "timing",
    "use_cassette",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
