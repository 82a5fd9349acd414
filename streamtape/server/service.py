"""What every server here does: it accepts, reads requests, has them answered, and keeps the log."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import anyio

from streamtape.clock import now_ns
from streamtape.server.answer import PHRASES, head_bytes
from streamtape.server.connection import Connection, LeftError
from streamtape.server.log import Exchange
from streamtape.server.queues import Queues
from streamtape.server.requests import BadRequestError, Reader

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from anyio.abc import TaskGroup

    from streamtape.server.answer import Then
    from streamtape.server.log import How
    from streamtape.server.requests import Received
    from streamtape.tape import Headers

_BACKLOG_PAUSE = 0.05
_TEXT = ("content-type", "text/plain; charset=utf-8")


class Service(ABC):
    """Serves whoever connects to *listener*, until `run` is cancelled.

    *request_timeout* is in seconds, from a request's first byte to its last; *heard* is called with
    each exchange that is over; *half_close*: a connection that ends stays open for reading.
    """

    def __init__(
        self,
        listener: socket.socket,
        *,
        request_timeout: float,
        heard: Callable[[Exchange], object] | None,
        half_close: bool = False,
    ) -> None:
        listener.settimeout(0)
        self.log: list[Exchange] = []
        self.errors: list[Exception] = []
        self.open: set[Connection] = set()
        self._listener = listener
        self._request_timeout = request_timeout
        self._heard = heard
        self._half_close = half_close
        self._queues = Queues(listener)
        self._connected = 0

    @abstractmethod
    async def answer(self, connection: Connection, received: Received, exchange: Exchange) -> Then:
        """Answer one request; cancelled when its client is gone. Raises `LeftError` then too."""

    async def run(self) -> None:
        """Accept connections, each with a task of its own."""
        async with anyio.create_task_group() as group:
            while True:
                await anyio.wait_readable(self._listener)
                try:
                    # All who wait at once: those already served would come between.
                    while True:
                        self._admit(self._listener.accept()[0], group)
                except (BlockingIOError, InterruptedError, ConnectionError):
                    continue  # that was all, or whoever it was has gone again
                except OSError:
                    await anyio.sleep(_BACKLOG_PAUSE)  # no file descriptors are left

    def _admit(self, accepted: socket.socket, group: TaskGroup) -> None:
        self._connected += 1
        try:
            connection = Connection(accepted, self._connected, self._queues)
        except OSError:  # its client has gone again
            accepted.close()
            return
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
        reader = Reader(connection, within=self._request_timeout)
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
            await connection.finish(wait=self._half_close)

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
                    then = await self.answer(connection, received, exchange)
                group.cancel_scope.cancel()
        finally:
            self._over(connection, exchange)
        if connection.left is not None:
            raise LeftError
        return then

    def _over(self, connection: Connection, exchange: Exchange) -> None:
        """The last word in the log on how it ended."""
        if exchange.how is None and exchange.whole and connection.has_taken():
            # The server is stopped between the client's last read and the next look at it.
            exchange.all_taken()
            exchange.end("complete", now_ns())
        if connection.left == "closed":
            # Who closes with something unread resets the connection: nothing was unread.
            if exchange.how is None:
                exchange.all_taken()
            exchange.end("complete" if exchange.whole else "client closed", connection.left_ns)
        left: How = "stopped" if connection.left is None else "client reset"
        exchange.end(left, connection.left_ns or now_ns())
        if self._heard is not None:
            self._heard(exchange)

    async def say(
        self,
        connection: Connection,
        received: Received,
        exchange: Exchange,
        reply: Reply,
        *,
        persists: bool = True,
    ) -> Then:
        """Answer with words of the server's own. *persists*: more requests may come after it."""
        keep = received.keeps_alive and persists
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
    """A response in the server's own words."""

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


TEXT = [_TEXT]
"""The headers of a `Reply.text` that are its own."""
