"""The tee and the player inside httpx and httpx2, which share one transport interface.

Both modules are passed in, never imported by name. The seam is the transports' ``handle_request``
and ``handle_async_request``: below it lie sockets, above it everything that a client re-buffers, so
what passes here is one HTTP chunk (or the part of it in one socket read) at a time.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import weakref
from collections.abc import Callable, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any

from streamtape.clients.httpx_streams import (
    AsyncPlayer,
    AsyncTee,
    Player,
    Tee,
    end_with,
    of_module,
    raise_played,
)
from streamtape.clients.playback import Playback, PlayedError
from streamtape.clients.routing import Play, current
from streamtape.clock import LoopClock, SystemClock
from streamtape.tape import Request

if TYPE_CHECKING:
    from types import ModuleType

    from streamtape.clients.take import Take

MODULES = ("httpx", "httpx2")
_TRANSPORTS = {
    "handle_request": ("HTTPTransport", "WSGITransport", "MockTransport"),
    "handle_async_request": ("AsyncHTTPTransport", "ASGITransport", "MockTransport"),
}


def patches() -> Iterator[tuple[type, str, Callable[..., object]]]:
    """What to put in place of each transport's method, for every one of the modules installed."""
    patched: set[tuple[type, str]] = set()
    for name in MODULES:
        if name not in sys.modules and importlib.util.find_spec(name) is None:
            continue
        module = importlib.import_module(name)
        for method, transports in _TRANSPORTS.items():
            wrap = _sync_handler if method == "handle_request" else _async_handler
            for transport in transports:
                owner = getattr(module, transport)
                # `httpx2.alias_httpx()` makes both names one module.
                if (owner, method) in patched:
                    continue
                patched.add((owner, method))
                yield owner, method, wrap(module, owner.__dict__[method])


def _sync_handler(module: ModuleType, real: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(real)
    def handle_request(transport: Any, request: Any) -> Any:
        session = current()
        if session is None:
            return real(transport, request)
        request.read()
        answer = session.answer(_request_of(request))
        if isinstance(answer, Play):
            return _play(module, answer, request)
        if answer is None:
            return real(transport, request)
        answer.start()
        try:
            response = real(transport, request)
        except BaseException as exc:
            end_with(module, answer, exc)
            raise
        return _tee(module, answer, response, asynchronous=False)

    return handle_request


def _async_handler(module: ModuleType, real: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(real)
    async def handle_async_request(transport: Any, request: Any) -> Any:
        session = current()
        if session is None:
            return await real(transport, request)
        await request.aread()
        answer = session.answer(_request_of(request))
        if isinstance(answer, Play):
            return await _play_async(module, answer, request)
        if answer is None:
            return await real(transport, request)
        answer.start()
        try:
            response = await real(transport, request)
        except BaseException as exc:
            end_with(module, answer, exc)
            raise
        return _tee(module, answer, response, asynchronous=True)

    return handle_async_request


def _request_of(request: Any) -> Request:
    return Request(
        request.method, str(request.url), list(request.headers.multi_items()), request.content
    )


def _tee(module: ModuleType, take: Take, response: Any, *, asynchronous: bool) -> Any:
    take.head(
        response.status_code,
        response.reason_phrase,
        # Latin-1 takes every byte and gives it back; the names in small letters, as vcrpy has them.
        [
            (name.decode("latin-1").lower(), value.decode("latin-1"))
            for name, value in response.headers.raw
        ],
        response.http_version,
    )
    stream = of_module(AsyncTee if asynchronous else Tee, module)(module, response.stream, take)
    # A sync response that is collected is never closed, and one never read gives no other sign.
    weakref.finalize(stream, take.finish, "closed").atexit = False
    response.stream = stream
    return response


def _play(module: ModuleType, play: Play, request: Any) -> Any:
    clock = SystemClock()
    playback = Playback(play, _read_timeout(request), clock.now_ns())
    wait_ns, error = playback.head_due()
    if wait_ns:
        clock.sleep_ns(wait_ns)
    _hand_over_head(module, playback, request, error)
    return _response(module, play, of_module(Player, module)(module, playback, request, clock))


async def _play_async(module: ModuleType, play: Play, request: Any) -> Any:
    clock = LoopClock()
    playback = Playback(play, _read_timeout(request), clock.now_ns())
    wait_ns, error = playback.head_due()
    await clock.sleep_ns(wait_ns)
    _hand_over_head(module, playback, request, error)
    return _response(module, play, of_module(AsyncPlayer, module)(module, playback, request, clock))


def _hand_over_head(
    module: ModuleType, playback: Playback, request: Any, error: PlayedError | None
) -> None:
    try:
        if error is not None:
            raise error
        playback.hand_over_head()
    except PlayedError as played:
        raise_played(module, request, played)


def _read_timeout(request: Any) -> float | None:
    timeout: float | None = request.extensions.get("timeout", {}).get("read")
    return timeout


def _raw(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:  # by hand, or by another recorder
        return text.encode()


def _response(module: ModuleType, play: Play, stream: Any) -> Any:
    tape = play.tape
    headers = [(_raw(name), _raw(value)) for name, value in tape.headers]
    if tape.coding is not None:
        headers.append((b"content-encoding", tape.coding.encode()))
    extensions = {"http_version": tape.http_version.encode("ascii", "replace")}
    if tape.reason or tape.timed:
        extensions["reason_phrase"] = tape.reason.encode("ascii", "replace")
    return module.Response(tape.status, headers=headers, stream=stream, extensions=extensions)
