"""One tape, written to one client."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

from streamtape.clients.playback import Playback, PlayedError
from streamtape.clients.routing import Play
from streamtape.clock import now_ns
from streamtape.server import cors
from streamtape.server.pauses import pauses
from streamtape.server.wire import LAST_CHUNK, chunked, rechunked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamtape.server.connection import Connection
    from streamtape.server.log import Exchange, How
    from streamtape.server.requests import Received
    from streamtape.server.wire import Framing, Wire
    from streamtape.tape import ErrorKind, Headers, Tape

Then = Literal["again", "finish", "reset"]
"""What becomes of the connection."""

PHRASES = {status.value: status.phrase for status in HTTPStatus}
# Of the connection on which the tape was recorded (RFC 9110, 7.6.1), or said anew here.
_NOT_KEPT = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
NO_BODY = (204, 304)
"""Statuses whose responses have no body (RFC 9110, 6.4.1)."""

SILENT: frozenset[ErrorKind] = frozenset({"read-timeout", "connect-timeout", "pool"})
"""No answer is as if there were nobody: a client can only give up."""


def head_bytes(status: int, reason: str, headers: Headers) -> bytes:
    """The head of a response."""
    lines = [f"HTTP/1.1 {status} {_on_one_line(reason)}"]
    lines += [f"{name}: {_on_one_line(value)}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _on_one_line(text: str) -> str:
    return text.translate({13: " ", 10: " ", 0: " "})


@dataclass(frozen=True)
class Manner:
    """How a tape is written, and whether pages may read it (``cors``).

    ``waits``: each chunk at its time after the request. Else, each when the client has taken the
    one before, and the tape's time has passed between the two.
    """

    waits: bool
    wire: Wire
    cors: bool


class Answer:
    """A tape being written as the answer to a request."""

    def __init__(
        self,
        connection: Connection,
        received: Received,
        tape: Tape,
        exchange: Exchange,
        manner: Manner,
    ) -> None:
        self._connection = connection
        self._received = received
        self._tape = tape
        self._exchange = exchange
        self._wire = manner.wire
        self._cors = manner.cors
        self._waits = manner.waits
        self._pauses = pauses(tape)
        self._started_ns = received.at_ns
        self._before = connection.written
        self._playback = Playback(
            Play(tape, manner.waits, self._trouble),
            accept_encoding=received.header("accept-encoding"),
            read_timeout=None,
            start_ns=self._started_ns,
        )
        self._bodiless = received.request.method == "HEAD" or tape.status in NO_BODY
        self._framing: Framing = self._chosen()
        self._encoded: list[bytes] | None = None
        self._promised: int | None = None  # bytes of the body that are still to come
        keep = self._wire.persists and self._framing != "close"
        self._keep = keep and received.keeps_alive

    async def run(self) -> Then:
        """Write it, and say what becomes of the connection. Ends the exchange.

        Raises `LeftError` where the client left.
        """
        try:
            await self._until(self._playback.head_due()[0] - (now_ns() - self._started_ns))
            self._playback.hand_over_head()
        except PlayedError as broken:
            return await self._break(broken.error)
        head = self._head()
        self._exchange.whole = self._bodiless or self._promised == 0
        await self._write(head, chunk=False)
        self._exchange.head_ns = now_ns()
        await self._paced()
        try:
            if not self._bodiless:
                await self._body()
        except PlayedError as broken:
            return await self._break(broken.error)
        self._exchange.whole = True
        await self._taken()
        self._exchange.end("complete", now_ns())
        return "again" if self._keep else "finish"

    async def _body(self) -> None:
        writes = self._writes()
        while True:
            await self._until(self._playback.due(now_ns())[0])
            written = next(writes, None)
            if self._encoded is not None:
                self._playback.hand_over()  # goes on, although its pieces were taken before
            if written is None:
                break
            if written:
                await self._write(written, chunk=True)
                await self._paced()
            else:
                self._exchange.chunks += 1
        self._playback.end()
        if self._framing == "chunked":
            await self._write(LAST_CHUNK, chunk=False)

    def _writes(self) -> Iterator[bytes]:
        if self._wire.chunk_size is not None and self._framing == "chunked":
            return rechunked(self._all_pieces(), self._wire.chunk_size)
        pieces = iter(self._playback.hand_over, None) if self._encoded is None else self._encoded
        return chunked(pieces) if self._framing == "chunked" else iter(pieces)

    def _all_pieces(self) -> list[bytes]:
        """All of them before their time: what frames a body may tell its length."""
        if self._encoded is None:
            self._encoded = list(self._playback.pieces)
        return self._encoded

    # ---- the head

    def _chosen(self) -> Framing:
        named = {name.lower() for name, _ in self._tape.headers}
        as_recorded: Framing = "content-length" if "content-length" in named else "chunked"
        framing = self._wire.framing or as_recorded
        if self._wire.chunk_size is not None:
            framing = "chunked"
        return "close" if framing == "chunked" and not self._received.takes_chunked else framing

    def _head(self) -> bytes:
        tape = self._tape
        headers = [
            (name, value)
            for name, value in tape.headers
            if name.lower() not in _NOT_KEPT and not (self._cors and _is_cors(name))
        ]
        if tape.coding is None:  # a body that stays in a coding nobody here can take off
            headers += [pair for pair in tape.headers if pair[0].lower() == "content-encoding"]
        elif self._playback.coding is not None:
            headers.append(("content-encoding", self._playback.coding))
        if self._cors:
            headers += cors.headers_for(self._received, headers)
        if tape.status not in NO_BODY:
            if self._framing == "chunked":
                headers.append(("transfer-encoding", "chunked"))
            elif self._framing == "content-length":
                self._promised = self._length()
                headers.append(("content-length", str(self._promised)))
        if not self._keep:
            headers.append(("connection", "close"))
        return head_bytes(tape.status, tape.reason or PHRASES.get(tape.status, ""), headers)

    def _length(self) -> int:
        """What the head promises: more than there is, where the body is never whole."""
        tape = self._tape
        length = sum(map(len, self._all_pieces()))
        if tape.ending.kind == "eof":
            return length
        recorded = next((v for name, v in tape.headers if name.lower() == "content-length"), "")
        if recorded.isdecimal() and int(recorded) > length:
            return int(recorded)
        return length if self._ends_well() else length + 1

    def _ends_well(self) -> bool:
        """Whether the tape just ends, asked before its time has come."""
        asked = Playback(
            Play(self._tape, waits=False, trouble=lambda _: None),
            accept_encoding=None,
            read_timeout=None,
            start_ns=0,
        )
        try:
            asked.end()
        except PlayedError:
            return False
        return True

    # ---- time

    async def _until(self, gap_ns: int) -> None:
        if not self._waits:
            gap_ns = next(self._pauses, 0)
        if gap_ns <= 0:
            return
        due_ns = now_ns() + gap_ns
        while (left_ns := due_ns - now_ns()) > 0:  # noqa: ASYNC110  # a loop may wake a bit early
            # The loop is always asyncio's, and anyio's sleep takes as long as a write to a socket.
            await asyncio.sleep(left_ns / 1e9)

    async def _paced(self) -> None:
        """Without times of its own, a chunk comes when the client has taken the one before."""
        if not self._waits:
            await self._taken()

    async def _taken(self) -> None:
        await self._connection.taken()
        self._exchange.all_taken()

    async def _write(self, data: bytes, *, chunk: bool) -> None:
        if chunk:
            self._exchange.chunks += 1
            if self._promised is not None:
                # The client knows, and may leave before the time of the end has come.
                self._promised -= len(data)
                self._exchange.whole = self._promised == 0
        try:
            await self._connection.send(data)
        finally:
            self._exchange.written = self._connection.written - self._before

    # ---- the end

    async def _break(self, error: ErrorKind) -> Then:
        """Leave the client alone as the tape says."""
        if error in SILENT:
            await self._connection.stalled()
        if self._exchange.written:
            await self._taken()
        how: How = "server closed" if error == "protocol" else "server reset"
        self._exchange.end(how, now_ns())
        return "finish" if error == "protocol" else "reset"

    def _trouble(self, what: str) -> None:
        self._exchange.trouble = what


def _is_cors(name: str) -> bool:
    return name.lower().startswith(cors.PREFIX)
