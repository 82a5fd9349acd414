"""The recording proxy: it passes requests on, and what comes back as it comes, and records that."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import anyio
import httpx2

from streamtape.clients import guard, routing
from streamtape.clients.httpx_streams import AsyncTee, end_without_response, of_module, told_by
from streamtape.clients.spool import Spool
from streamtape.clock import now_ns
from streamtape.server.answer import NO_BODY, SILENT, head_bytes
from streamtape.server.requests import BadRequestError
from streamtape.server.service import Reply, Service
from streamtape.server.upstream import passed_on
from streamtape.server.wire import LAST_CHUNK
from streamtape.tape import Request

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from streamtape.cassette.recording import Recording
    from streamtape.clients.take import Take
    from streamtape.server.answer import Then
    from streamtape.server.connection import Connection
    from streamtape.server.log import Exchange
    from streamtape.server.requests import Received
    from streamtape.server.upstream import Upstream
    from streamtape.server.wire import Framing
    from streamtape.tape import ErrorKind, Headers

_REQUEST_TIMEOUT = 300.0
"""Seconds that a request may take to arrive: a long one from afar takes its time."""


class Forwarding(Service):
    """Passes what comes to *listener* on to *upstream*, and records the responses.

    A body above *max_body* bytes passes, and is not recorded: ``lost`` counts those responses.
    """

    def __init__(
        self,
        listener: socket.socket,
        upstream: Upstream,
        recording: Recording,
        *,
        max_body: int,
        heard: Callable[[Exchange], object] | None,
    ) -> None:
        super().__init__(listener, request_timeout=_REQUEST_TIMEOUT, heard=heard)
        self.lost = 0
        self._upstream = upstream
        self._recording = recording
        self._max_body = max_body

    async def run(self) -> None:
        """As `Service.run`. No cassette that is open answers the proxy's own requests."""
        with routing.aside(), guard.permitted():
            async with self._upstream.client:
                await super().run()

    async def answer(self, connection: Connection, received: Received, exchange: Exchange) -> Then:
        """As `Service.answer`."""
        exchange.body = b""  # the cassette has it, and the log is for as long as the proxy runs
        try:
            request = self._upstream.request(received)
        except BadRequestError as refused:
            exchange.trouble = refused.text
            return await self.say(
                connection, received, exchange, Reply.text(refused.status, refused.text, [])
            )
        take = self._recording.take(
            Request(
                request.method,
                str(request.url),
                list(request.headers.multi_items()),
                received.request.body,
            )
        )
        take.reads = spool = Spool(most=self._max_body)
        passage = Passage(connection, received, exchange)
        try:
            return await self._forward(passage, request, take, spool)
        except httpx2.LocalProtocolError as error:
            exchange.trouble = f"can't be passed on: {error}"
            reply = Reply.text(HTTPStatus.BAD_REQUEST, exchange.trouble, [])
            return await self.say(connection, received, exchange, reply)
        except httpx2.TransportError as error:
            return await passage.break_off(*told_by(httpx2, error))
        finally:
            if spool.lost:
                self.lost += 1
                lost = f"not recorded: {spool.lost}"
                exchange.trouble = "\n".join(filter(None, (exchange.trouble, lost)))

    async def _forward(self, passage: Passage, request: Any, take: Take, spool: Spool) -> Then:
        """Raises what httpx2 raises where the upstream breaks."""
        take.start()
        try:
            response = await self._upstream.client.send(
                request, stream=True, follow_redirects=False
            )
        except BaseException as error:
            end_without_response(httpx2, take, error)
            raise
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in response.headers.raw
        ]
        take.head(
            response.status_code,
            response.reason_phrase,
            [(name.lower(), value) for name, value in headers],
            response.http_version,
        )
        tee = of_module(AsyncTee, httpx2)(httpx2, response.stream, take)
        try:
            host = passage.received.header("host") or "localhost"
            await passage.head(response, self._upstream.seen_from(host, passed_on(headers)))
            async for chunk in tee:
                if spool.lost:
                    take.withdraw()
                await passage.chunk(chunk)
        finally:
            # Its connection to the upstream is closed, however this one ends.
            with anyio.CancelScope(shield=True):
                await tee.aclose()
        return await passage.end()


class Passage:
    """The way of one response to the client."""

    def __init__(self, connection: Connection, received: Received, exchange: Exchange) -> None:
        self.received = received
        self._connection = connection
        self._exchange = exchange
        self._before = connection.written
        self._framing: Framing = "close"
        self._bodiless = False
        self._keep = received.keeps_alive

    async def head(self, response: httpx2.Response, headers: Headers) -> None:
        """Send the head of *response*, with *headers* and those of the client's connection."""
        status = response.status_code
        self._exchange.status = status
        self._bodiless = self.received.request.method == "HEAD" or status in NO_BODY
        if "content-length" in response.headers and "transfer-encoding" not in response.headers:
            self._framing = "content-length"
        elif self.received.takes_chunked:
            self._framing = "chunked"
        self._keep = self._keep and (self._bodiless or self._framing != "close")
        if self._framing != "content-length":
            headers = [pair for pair in headers if pair[0].lower() != "content-length"]
        if self._framing == "chunked" and status not in NO_BODY:
            headers = [*headers, ("transfer-encoding", "chunked")]
        if not self._keep:
            headers = [*headers, ("connection", "close")]
        await self._send(head_bytes(status, response.reason_phrase, headers))
        self._exchange.head_ns = now_ns()

    async def chunk(self, data: bytes) -> None:
        """Send a chunk: as one transfer chunk where the body is in chunks."""
        if self._bodiless or not data:
            return
        self._exchange.chunks += 1
        chunked = self._framing == "chunked"
        await self._send(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)

    async def end(self) -> Then:
        """Say that this was all, and wait until the client has read it."""
        self._exchange.whole = True
        if self._framing == "chunked" and not self._bodiless:
            await self._send(LAST_CHUNK)
        await self._taken()
        self._exchange.end("complete", now_ns())
        return "again" if self._keep else "finish"

    async def break_off(self, error: ErrorKind, text: str) -> Then:
        """Leave the client alone as the upstream left the proxy."""
        self._exchange.trouble = f"{error}: {text}" if text else error
        if error in SILENT:
            await self._connection.stalled()
        if self._exchange.written:
            await self._taken()
        self._exchange.end("server closed" if error == "protocol" else "server reset", now_ns())
        return "finish" if error == "protocol" else "reset"

    async def _taken(self) -> None:
        await self._connection.taken()
        self._exchange.all_taken()

    async def _send(self, data: bytes) -> None:
        try:
            await self._connection.send(data)
        finally:
            self._exchange.written = self._connection.written - self._before
