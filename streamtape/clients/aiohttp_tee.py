"""What a connection of aiohttp's brings, noted as it comes in.

aiohttp reads a socket as soon as there is something to read, whether or not its user waits. So a
chunk's time is the moment in which it came in, and not when it was asked for; the exceptions are a
connection that is held back (its reader is far behind) and a loop that had no time to look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamtape.clients.aiohttp_errors import kind_of, text_of, timed_out, unheard
from streamtape.clients.http1 import ResponseTee

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.streams import StreamReader

    from streamtape.clients.take import Take

_TAPPED = (
    *("data_received", "connection_lost", "resume_reading", "_on_read_timeout"),
    *("close", "abort"),
)


class Tap:
    """Stands before the methods of one connection for one response, and hears what they hear.

    Only of this connection: it may lie in a pool that is older than the cassette, and goes back to
    it as it was.
    """

    def __init__(self, connection: Connection, take: Take, method: str, timer: Any) -> None:
        """*timer*: what aiohttp's total timeout rings, for *connection*'s request."""
        protocol = connection.protocol
        assert protocol is not None
        self._protocol: ResponseHandler = protocol
        self._kind = type(protocol)
        self._loop = connection._loop  # noqa: SLF001 - the property warns
        self._take = take
        self._tee = ResponseTee(take, method)
        self._timer = timer
        self._asked_ns = take.clock()
        self._lost = False
        # A connection from the pool still has the body of the response before.
        self._stale = protocol._payload  # noqa: SLF001 - told nowhere else
        for name in _TAPPED:
            setattr(protocol, name, getattr(self, name))
        self._rebind()
        # Called when the response is closed or released, or was collected.
        connection.add_callback(self._left)

    def data_received(self, data: bytes) -> None:
        take = self._take
        if data and take.ending is None:  # without data it is called to parse what lies there
            got_ns = take.clock()
            self._tee.feed(self._asked_ns, got_ns, data)
            self._asked_ns = got_ns
        payload = self._payload()
        self._kind.data_received(self._protocol, data)
        if take.ending is None:
            # Its turn comes after the reader's, who may keep the loop busy for long.
            self._loop.call_soon(self._loop_is_free)
        broke = payload.exception() if payload is not None else self._protocol.exception()
        if broke is not None:
            self._end_with(broke)

    def _payload(self) -> StreamReader | None:
        """The response's body, once its head has come."""
        payload = self._protocol._payload  # noqa: SLF001 - told nowhere else
        return None if payload is self._stale else payload

    def _loop_is_free(self) -> None:
        self._asked_ns = self._take.clock()

    def resume_reading(self, *args: Any, **kwargs: Any) -> None:
        if self._protocol._reading_paused:  # noqa: SLF001 - as above
            self._asked_ns = self._take.clock()
        self._kind.resume_reading(self._protocol, *args, **kwargs)

    def connection_lost(self, exc: BaseException | None) -> None:
        protocol, self._lost = self._protocol, True
        payload = self._payload()
        self._kind.connection_lost(protocol, exc)
        broke = payload.exception() if payload is not None else protocol.exception()
        if exc is not None and broke is None:
            self._take.finish("error", "read", unheard(exc), asked=self._asked_ns)
        elif exc is not None:
            self._end_with(broke or exc, "read")
        elif broke is not None:
            self._end_with(broke)
        else:
            self._tee.eof()
        self._remove()

    def close(self) -> None:
        """The connector is closed, and all its connections with it."""
        self._left()
        self._kind.close(self._protocol)

    def abort(self) -> None:
        self._left()
        self._kind.abort(self._protocol)

    def _on_read_timeout(self) -> None:
        self._kind._on_read_timeout(self._protocol)  # noqa: SLF001 - what is tapped
        exc = self._protocol.exception()
        self._take.finish("error", "read-timeout", "" if exc is None else text_of(exc))

    def _end_with(self, exc: BaseException, kind: Any = None) -> None:
        self._take.finish("error", kind or kind_of(exc), text_of(exc), asked=self._asked_ns)

    def _left(self) -> None:
        """The response is done with its connection."""
        if self._lost:
            return
        exc = self._protocol.exception()
        if timed_out(self._timer):
            # The total timeout: who catches a TimeoutError gets one on replay too.
            self._take.finish("error", "read-timeout", "Timeout on reading data from socket")
        elif exc is not None:
            self._end_with(exc)
        else:
            self._take.finish("closed")
        self._remove()

    def _remove(self) -> None:
        for name in _TAPPED:
            self._protocol.__dict__.pop(name, None)
        self._rebind()

    def _rebind(self) -> None:
        """Let uvloop's transports look up anew what they call; they do it once for a protocol."""
        transport = self._protocol.transport
        if transport is not None and type(transport).__module__.startswith("uvloop"):
            transport.set_protocol(self._protocol)
