"""The replay server: it accepts, reads requests, chooses what answers them, and keeps the log."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import anyio

from streamtape.clock import now_ns
from streamtape.delivery.expression import parse
from streamtape.server import cors
from streamtape.server.answer import PHRASES, Answer, Manner, head_bytes
from streamtape.server.chance import drawn
from streamtape.server.connection import Connection, LeftError
from streamtape.server.log import Exchange
from streamtape.server.matching import NoTapeError, Shelf
from streamtape.server.queues import Queues
from streamtape.server.requests import BadRequestError, Reader

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from streamtape.delivery import Delivery
    from streamtape.server.answer import Then
    from streamtape.server.log import How
    from streamtape.server.requests import Received
    from streamtape.server.wire import Wire
    from streamtape.tape import Headers, Tape

CONTROL = "x-streamtape-delivery"
"""The header by which a client may choose the delivery of its own response."""

_BACKLOG_PAUSE = 0.05
_TEXT = ("content-type", "text/plain; charset=utf-8")


@dataclass(frozen=True)
class Settings:
    """How a server serves; see `streamtape.server.serve`."""

    delivery: Delivery
    wire: Wire
    control: bool
    fuzz: int | None
    cors: bool
    request_timeout: float
    heard: Callable[[Exchange], object] | None


class Replay:
    """Answers whoever connects to *listener*, until `run` is cancelled."""

    def __init__(self, listener: socket.socket, tapes: list[Tape], settings: Settings) -> None:
        listener.settimeout(0)
        self.log: list[Exchange] = []
        self.errors: list[Exception] = []
        self.open: set[Connection] = set()
        self._listener = listener
        self._shelf = Shelf(tapes)
        self._settings = settings
        self._queues = Queues(listener)
        self._connected = 0

    async def run(self) -> None:
        """Accept connections, each with a task of its own."""
        async with anyio.create_task_group() as group:
            while True:
                await anyio.wait_readable(self._listener)
                try:
                    accepted, _ = self._listener.accept()
                except (BlockingIOError, InterruptedError, ConnectionError):
                    continue  # whoever it was has gone again
                except OSError:
                    await anyio.sleep(_BACKLOG_PAUSE)  # no file descriptors are left
                    continue
                self._connected += 1
                try:
                    connection = Connection(accepted, self._connected, self._queues)
                except OSError:  # as above
                    accepted.close()
                    continue
                self.open.add(connection)
                group.start_soon(self._serve, connection)

    def close(self) -> None:
        """Free what is held, after `run`."""
        self._queues.close()

    async def _serve(self, connection: Connection) -> None:
        try:
            await self._converse(connection)
        except LeftError:
            pass
        except Exception as error:  # noqa: BLE001 - told when the server is closed
            self.errors.append(error)
        finally:
            connection.close()
            self.open.discard(connection)

    async def _converse(self, connection: Connection) -> None:
        reader = Reader(connection, within=self._settings.request_timeout)
        then: Then = "again"
        while then == "again":
            try:
                received = await reader.next()
            except BadRequestError as refused:
                await self._refuse(connection, refused)
                then = "finish"
                break
            if received is None:
                return
            then = await self._exchange(connection, received)
        if then == "reset":
            connection.reset()
        else:
            await connection.finish(wait=self._settings.wire.half_close)

    async def _exchange(self, connection: Connection, received: Received) -> Then:
        """Answer one request, and stop as soon as its client is gone."""
        request = received.request
        exchange = Exchange(
            connection.number,
            request.method,
            received.target,
            request.headers,
            request.body,
            received.at_ns,
        )
        self.log.append(exchange)
        then: Then = "finish"
        try:
            async with anyio.create_task_group() as group:

                async def watch() -> None:
                    await connection.watch()
                    group.cancel_scope.cancel()

                group.start_soon(watch)
                with suppress(LeftError):
                    then = await self._answer(connection, received, exchange)
                group.cancel_scope.cancel()
        finally:
            self._over(connection, exchange)
        if connection.left is not None:
            raise LeftError
        return then

    def _over(self, connection: Connection, exchange: Exchange) -> None:
        """The last word in the log on how it ended."""
        if connection.left == "closed":
            # Who closes with something unread resets the connection: nothing was unread.
            if exchange.how is None:
                exchange.all_taken()
            exchange.end("complete" if exchange.whole else "client closed", connection.left_ns)
        left: How = "stopped" if connection.left is None else "client reset"
        exchange.end(left, connection.left_ns or now_ns())
        if self._settings.heard is not None:
            self._settings.heard(exchange)

    async def _answer(self, connection: Connection, received: Received, exchange: Exchange) -> Then:
        if self._settings.cors and cors.is_preflight(received):
            preflight = Reply(HTTPStatus.NO_CONTENT, cors.preflight_headers(received))
            return await self._say(connection, received, exchange, preflight)
        try:
            delivery = self._delivery_for(received)
            choose, key = self._chosen(delivery)
            turn = self._shelf.turn(received.request, choose, key)
        except (NoTapeError, BadRequestError, ValueError) as error:
            status = 404 if isinstance(error, NoTapeError) else getattr(error, "status", 500)
            exchange.trouble = str(error)
            headers = cors.headers_for(received, [_TEXT]) if self._settings.cors else []
            reply = Reply.text(status, str(error), headers)
            return await self._say(connection, received, exchange, reply)
        exchange.interaction, exchange.attempt = turn.number, turn.attempt
        exchange.delivery = turn.delivery
        exchange.status = turn.tape.status if turn.tape.head_ns is not None else None
        manner = Manner(
            waits=(delivery or self._settings.delivery).waits,
            wire=self._settings.wire,
            cors=self._settings.cors,
        )
        return await Answer(connection, received, turn.tape, exchange, manner).run()

    def _delivery_for(self, received: Received) -> Delivery | None:
        """The delivery that the request itself asks for. Raises `BadRequestError`."""
        written = received.header(CONTROL) if self._settings.control else None
        if written is None:
            return None
        try:
            delivery = parse(written)
            not_virtual(delivery)
        except ValueError as error:
            raise BadRequestError(HTTPStatus.BAD_REQUEST, f"{CONTROL}: {error}") from error
        return delivery

    def _chosen(self, delivery: Delivery | None) -> tuple[Callable[[Tape], Delivery], str]:
        seed = self._settings.fuzz
        if delivery is not None:
            return (lambda _: delivery), repr(delivery)
        if seed is None:
            return (lambda _: self._settings.delivery), ""
        number = len(self.log)
        return (lambda tape: drawn(tape, self._settings.delivery, seed, number)), ""

    async def _say(
        self, connection: Connection, received: Received, exchange: Exchange, reply: Reply
    ) -> Then:
        """Answer with something that is on no tape."""
        keep = received.keeps_alive and self._settings.wire.persists
        whole = reply.head(keep=keep)
        if received.request.method != "HEAD":
            whole += reply.body
        exchange.status = reply.status
        exchange.head_ns = now_ns()
        await connection.send(whole)
        exchange.written = len(whole)
        exchange.whole = True
        await connection.taken()
        exchange.all_taken()
        exchange.end("complete", now_ns())
        return "again" if keep else "finish"

    async def _refuse(self, connection: Connection, refused: BadRequestError) -> None:
        """Say what is wrong with something that is no request."""
        exchange = Exchange(connection.number, "", "", [], b"", now_ns(), trouble=refused.text)
        exchange.status = refused.status
        self.log.append(exchange)
        reply = Reply.text(refused.status, refused.text, [])
        whole = reply.head(keep=False) + reply.body
        try:
            await connection.send(whole)
            exchange.written = len(whole)
            exchange.end("complete", now_ns())
        finally:
            self._over(connection, exchange)


@dataclass(frozen=True)
class Reply:
    """A response that is on no tape."""

    status: int
    headers: Headers
    body: bytes = b""

    @classmethod
    def text(cls, status: int, text: str, headers: Headers) -> Reply:
        """*text* for a person."""
        return cls(status, [_TEXT, *headers], f"{text}\n".encode())

    def head(self, *, keep: bool) -> bytes:
        """Its head. *keep*: the connection stays open."""
        headers = list(self.headers)
        if self.status != HTTPStatus.NO_CONTENT:
            headers.append(("content-length", str(len(self.body))))
        if not keep:
            headers.append(("connection", "close"))
        return head_bytes(self.status, PHRASES.get(self.status, ""), headers)


def not_virtual(delivery: Delivery) -> None:
    """Raise ValueError where *delivery* insists on virtual time."""
    if delivery.virtual:
        raise ValueError(
            "a server's time is real, so no delivery over a socket is virtual: use the pace"
            " 'recorded', or 'instant'"
        )
