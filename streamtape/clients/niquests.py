"""niquests, which streamtape doesn't serve: a request says so, and never goes past a cassette."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any

from streamtape.clients.routing import current

if TYPE_CHECKING:
    from types import ModuleType

_ADAPTERS = ("HTTPAdapter", "AsyncHTTPAdapter")


class UnservedClientError(RuntimeError):
    """A request by a client that streamtape can neither record nor play to."""


def patches(module: ModuleType) -> Iterator[tuple[type, str, Callable[..., object]]]:
    """What to put in place of the adapters' method in *module*, which is niquests."""
    for name in _ADAPTERS:
        adapter = getattr(module.adapters, name)
        yield adapter, "send", _refusing(adapter.__dict__["send"])


def _refusing(real: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(real)
    def send(adapter: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        if current() is None:
            return real(adapter, request, *args, **kwargs)
        raise UnservedClientError(
            f"niquests was about to send {request.method} {request.url} while a cassette or play()"
            " was open. streamtape can't see its streams: the request would go to the network"
            " unrecorded, whatever the record mode. Send it with requests, urllib3, httpx or"
            " aiohttp, or serve the cassette to it over a socket with streamtape.server.serve()"
        )

    return send
