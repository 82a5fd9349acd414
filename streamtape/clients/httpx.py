"""The tee and the player inside httpx and httpx2, which share one transport interface.

Both modules are passed in, never imported by name. The seam is the transports' ``handle_request``
and ``handle_async_request``: below it lie sockets, above it everything that a client re-buffers, so
what passes here is one HTTP chunk (or the part of it in one socket read) at a time.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, TypeVar

from streamtape.clients.guard import permitted
from streamtape.clients.httpx_streams import (
    AsyncPlayer,
    AsyncTee,
    Player,
    Tee,
    end_without_response,
    of_module,
    raise_played,
)
from streamtape.clients.playback import Playback, PlayedError
from streamtape.clients.routing import Play, current
from streamtape.clock import (
    LoopClock,
    SystemClock,
    VirtualClockError,
    VirtualLoopClock,
    loop_is_virtual,
    plain_clock,
)
from streamtape.codings import without_coding
from streamtape.tape import Request

if TYPE_CHECKING:
    from types import ModuleType

    from streamtape.clients.take import Take

C = TypeVar("C")

_TRANSPORTS = {
    "handle_request": ("HTTPTransport", "WSGITransport", "MockTransport"),
    "handle_async_request": ("AsyncHTTPTransport", "ASGITransport", "MockTransport"),
}


def patches(module: ModuleType) -> Iterator[tuple[type, str, Callable[..., object]]]:
    """What to put in place of each transport's methods in *module*, httpx or httpx2."""
    for method, transports in _TRANSPORTS.items():
        wrap = _sync_handler if method == "handle_request" else _async_handler
        for transport in transports:
            owner = getattr(module, transport)
            yield owner, method, wrap(module, owner.__dict__[method])
    for owner, methods in (
        (module.HTTPTransport, ("close", "__exit__")),
        (module.AsyncHTTPTransport, ("aclose", "__aexit__")),
    ):
        for method in methods:
            yield owner, method, _freeing(owner.__dict__[method])


def _freeing(real: Callable[..., Any]) -> Callable[..., Any]:
    """*real*, which closes a client's connections, and with them the streams on them."""

    @wraps(real)
    def close(transport: Any, *args: Any) -> Any:
        streams: set[object] = getattr(current(), "streams", set())
        streams.clear()
        return real(transport, *args)

    return close


def _sync_handler(module: ModuleType, real: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(real)
    def handle_request(transport: Any, request: Any) -> Any:
        session = current()
        if session is None or _refuses(module, transport, request):
            return real(transport, request)
        request.read()
        answer = session.answer(_request_of(request))
        if isinstance(answer, Play):
            return _play(module, answer, request)
        _require_real_time(module, transport, answer)
        if answer is None:
            with permitted():
                return real(transport, request)
        answer.start()
        try:
            response = real(transport, request)
        except BaseException as exc:
            end_without_response(module, answer, exc)
            raise
        return _tee(module, answer, response, asynchronous=False)

    return handle_request


def _async_handler(module: ModuleType, real: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(real)
    async def handle_async_request(transport: Any, request: Any) -> Any:
        session = current()
        if session is None or _refuses(module, transport, request):
            return await real(transport, request)
        await request.aread()
        answer = session.answer(_request_of(request))
        if isinstance(answer, Play):
            return await _play_async(module, answer, request)
        _require_real_time(module, transport, answer)
        if answer is None:
            with permitted():
                return await real(transport, request)
        answer.start()
        try:
            response = await real(transport, request)
        except BaseException as exc:
            end_without_response(module, answer, exc)
            raise
        return _tee(module, answer, response, asynchronous=True)

    return handle_async_request


def _require_real_time(module: ModuleType, transport: Any, take: Take | None) -> None:
    """Raise `VirtualClockError` where a connection would be opened in virtual time.

    A server answers in real time, and meanwhile virtual time jumps to the next timeout. *take*,
    which would have recorded the request, is withdrawn then.
    """
    if isinstance(transport, module.HTTPTransport):
        virtual = not isinstance(plain_clock(), SystemClock)
    else:
        virtual = isinstance(transport, module.AsyncHTTPTransport) and loop_is_virtual()
    if virtual:
        if take is not None:
            take.withdraw()
        raise VirtualClockError(
            "a request to a real server in virtual time, which jumps to the next timeout while the"
            " server is at work. Play it from a cassette, or record it in a test without a virtual"
            " clock"
        )


# Of httpcore's connection pools, old and new.
_SCHEMES = frozenset({"http", "https", "ws", "wss"})


def _refuses(module: ModuleType, transport: Any, request: Any) -> bool:
    """Whether *transport* raises UnsupportedProtocol before it opens a connection.

    No tape can answer such a request, and none is made of it: it never leaves the client.
    """
    return request.url.scheme not in _SCHEMES and isinstance(
        transport, (module.HTTPTransport, module.AsyncHTTPTransport)
    )


def _request_of(request: Any) -> Request:
    return Request(
        request.method, str(request.url), list(request.headers.multi_items()), request.content
    )


def _tee(module: ModuleType, take: Take, response: Any, *, asynchronous: bool) -> Any:
    # Latin-1 takes every byte and gives it back; the names in small letters, as vcrpy has them.
    headers = [
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, value in response.headers.raw
    ]
    body, decoded = _body_held(module, response)
    if decoded:
        headers = without_coding(headers)
    take.head(response.status_code, response.reason_phrase, headers, response.http_version)
    if body is not None:
        # Whoever reads it asks the response, and never its stream.
        take.whole(body)
        return response
    stream = of_module(AsyncTee if asynchronous else Tee, module)(module, response.stream, take)
    # A sync response that is collected is never closed, and one never read gives no other sign.
    weakref.finalize(stream, take.finish, "closed").atexit = False
    response.stream = stream
    return response


def _body_held(module: ModuleType, response: Any) -> tuple[bytes | None, bool]:
    """The body that *response* came with, None if it is a stream; and whether it was decoded.

    A transport that is no network may make a response of bytes, or pass one on that it has read.
    """
    try:
        content: bytes = response.content
    except module.ResponseNotRead:
        return None, False
    if isinstance(response.stream, module.ByteStream):
        return b"".join(response.stream), False
    return content, True


def _play(module: ModuleType, play: Play, request: Any) -> Any:
    clock = _in_time(play, partial(plain_clock, virtual=play.virtual))
    playback = _playback(play, request, clock.now_ns())
    wait_ns, error = playback.head_due()
    if wait_ns:
        clock.sleep_ns(wait_ns)
    _hand_over_head(module, playback, request, error)
    stream = of_module(Player, module)(module, playback, request, clock)
    return _response(module, playback, stream)


async def _play_async(module: ModuleType, play: Play, request: Any) -> Any:
    clock = _in_time(play, VirtualLoopClock if play.virtual else LoopClock)
    playback = _playback(play, request, clock.now_ns())
    wait_ns, error = playback.head_due()
    await clock.sleep_ns(wait_ns)
    _hand_over_head(module, playback, request, error)
    stream = of_module(AsyncPlayer, module)(module, playback, request, clock)
    return _response(module, playback, stream)


def _in_time(play: Play, clock: Callable[[], C]) -> C:
    """The clock to play on. A test hears of one that is not virtual, whatever the client does."""
    try:
        return clock()
    except VirtualClockError as exc:
        play.trouble(str(exc))
        raise


def _hand_over_head(
    module: ModuleType, playback: Playback, request: Any, error: PlayedError | None
) -> None:
    try:
        if error is not None:
            raise error
        playback.hand_over_head()
    except PlayedError as played:
        raise_played(module, request, played)


def _playback(play: Play, request: Any, start_ns: int) -> Playback:
    return Playback(
        play,
        accept_encoding=request.headers.get("accept-encoding"),
        read_timeout=request.extensions.get("timeout", {}).get("read"),
        start_ns=start_ns,
    )


def _raw(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:  # by hand, or by another recorder
        return text.encode()


def _response(module: ModuleType, playback: Playback, stream: Any) -> Any:
    tape = playback.tape
    headers = [(_raw(name), _raw(value)) for name, value in tape.headers]
    if playback.coding is not None:
        headers.append((b"content-encoding", playback.coding.encode()))
    extensions = {"http_version": tape.http_version.encode("ascii", "replace")}
    if tape.reason or tape.timed:
        extensions["reason_phrase"] = tape.reason.encode("ascii", "replace")
    return module.Response(tape.status, headers=headers, stream=stream, extensions=extensions)
