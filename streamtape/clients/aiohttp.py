"""The tee and the player inside aiohttp's client.

The seam is where a connector gives a connection for a request: above it lie redirects, retries,
middlewares and all reading styles, below it the pool, proxies and TLS. A tape is played on a
connection of its own (`aiohttp_player`); what is recorded comes over a real one, pooled or new,
that is listened to for the length of one response (`aiohttp_tee`). The request is told from
aiohttp's own object, its body read whole before anything is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any

from streamtape.clients.guard import permitted
from streamtape.clients.playback import Playback, PlayedError
from streamtape.clients.routing import Play, current
from streamtape.clock import LoopClock, VirtualClockError, VirtualLoopClock, loop_is_virtual
from streamtape.tape import Request

if TYPE_CHECKING:
    from types import ModuleType

    from streamtape.clients.take import Take

# Before there is a connection, nothing but these can go wrong.
_CONNECTING = frozenset({"connect", "connect-timeout", "pool"})


def patches(module: ModuleType) -> Iterator[tuple[type, str, Callable[..., object]]]:
    """What to put in place of the connectors' method in *module*, which is aiohttp."""
    connector = module.BaseConnector
    yield connector, "connect", _connecting(connector.__dict__["connect"])


def _connecting(real: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(real)
    async def connect(connector: Any, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ASYNC109 - aiohttp's
        session = current()
        if session is None or _is_no_exchange(req):
            return await real(connector, req, traces, timeout)
        answer = session.answer(await _request_of(req))
        if isinstance(answer, Play):
            return await _play(connector, req, traces, timeout, answer)
        if loop_is_virtual():
            if answer is not None:
                answer.withdraw()
            raise VirtualClockError(
                "a request to a real server in virtual time, which jumps to the next timeout while"
                " the server is at work. Play it from a cassette, or record it in a test without a"
                " virtual clock"
            )
        if answer is None:
            with permitted():
                return await real(connector, req, traces, timeout)
        return await _record(connector, req, answer, lambda: real(connector, req, traces, timeout))

    return connect


def _is_no_exchange(req: Any) -> bool:
    """Whether more comes of *req* than one response: a WebSocket, another protocol, a tunnel."""
    return "upgrade" in req.headers or req.method == "CONNECT"


async def _request_of(req: Any) -> Request:
    headers = [(name.lower(), value) for name, value in req.headers.items()]
    if req.compress:  # aiohttp compresses while it sends: what is kept is what it was given
        headers = [(name, value) for name, value in headers if name != "content-encoding"]
    return Request(req.method, str(req.url), headers, await _body_of(req))


async def _body_of(req: Any) -> bytes:
    """The whole body. What can be read only once is kept in *req* for when it is sent."""
    body = req.body
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    if hasattr(body, "as_bytes"):  # of payloads, since aiohttp 3.12
        content: bytes = await body.as_bytes()
        return content
    written = _Written()
    await body.write(written)
    req.body = whole = bytes(written.data)
    return whole


class _Written:
    """A stream that a payload writes to."""

    def __init__(self) -> None:
        self.data = bytearray()

    async def write(self, data: bytes) -> None:
        self.data += data


async def _record(connector: Any, req: Any, take: Take, connect: Callable[[], Any]) -> Any:
    from streamtape.clients.aiohttp_tee import Tap

    take.start()
    try:
        connection = await connect()
    except BaseException as exc:
        _end_unconnected(connector, req, take, exc)
        raise
    Tap(connection, take, req.method, req._timer)  # noqa: SLF001 - aiohttp keeps it nowhere else
    return connection


def _end_unconnected(connector: Any, req: Any, take: Take, exc: BaseException) -> None:
    """End *take* with what *exc* means, where there is no connection.

    What aiohttp itself refuses to send was never on the network: it isn't recorded.
    """
    import aiohttp

    from streamtape.clients.aiohttp_errors import kind_of, text_of, timed_out

    if timed_out(req._timer):  # noqa: SLF001 - as above
        take.finish("error", "connect-timeout", "Connection timeout")
    elif not isinstance(exc, Exception):
        take.finish("closed")  # a cancellation: the client leaves
    elif isinstance(exc, TimeoutError):
        full = connector._available_connections(req.connection_key) <= 0  # noqa: SLF001 - as above
        take.finish("error", "pool" if full else "connect-timeout", str(exc))
    elif isinstance(exc, (aiohttp.ClientError, OSError)):
        kind = kind_of(exc)
        take.finish("error", "connect" if kind == "read" else kind, text_of(exc))
    else:
        take.withdraw()


async def _play(connector: Any, req: Any, traces: Any, limits: Any, play: Play) -> Any:
    from aiohttp.connector import Connection

    from streamtape.clients.aiohttp_errors import exception_of
    from streamtape.clients.aiohttp_player import PlayedHandler

    try:
        clock = VirtualLoopClock() if play.virtual else LoopClock()
    except VirtualClockError as exc:
        play.trouble(str(exc))
        raise
    key, loop = req.connection_key, connector._loop  # noqa: SLF001 - the property warns
    playback = Playback(
        play,
        accept_encoding=req.headers.get("accept-encoding"),
        read_timeout=limits.sock_read or None,
        start_ns=clock.now_ns(),
    )
    for trace in traces:
        await trace.send_connection_create_start()
    if play.tape.head_ns is None and play.tape.ending.error in _CONNECTING:
        wait_ns, _ = playback.head_due()
        await clock.sleep_ns(wait_ns)
        try:
            playback.hand_over_head()
        except PlayedError as played:
            raise exception_of(played, key, head=False) from played
    for trace in traces:
        await trace.send_connection_create_end()
    expected = req._continue is not None  # noqa: SLF001 - aiohttp tells it nowhere else
    handler = PlayedHandler(loop, playback, key, req.method, expected=expected)
    # Closed with the connector, as a real one is.
    connector._acquired.add(handler)  # noqa: SLF001 - what BaseConnector.connect does
    if connector._limit_per_host:  # noqa: SLF001 - as above
        connector._acquired_per_host[key].add(handler)  # noqa: SLF001 - as above
    return Connection(connector, key, handler, loop)
