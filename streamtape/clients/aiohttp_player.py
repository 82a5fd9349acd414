"""A connection of aiohttp's that hands over a tape: a real protocol on a transport of its own.

aiohttp puts whatever has come in into one buffer, so pieces that come too early merge. Therefore
the next piece is fed only when the buffer is empty and somebody waits for more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp.client_proto import ResponseHandler
from aiohttp.streams import StreamReader
from multidict import CIMultiDict, CIMultiDictProxy

from streamtape.clients.aiohttp_errors import exception_of, was_unheard
from streamtape.clients.http1 import ResponseBytes
from streamtape.clients.playback import Playback, PlayedError

if TYPE_CHECKING:
    from streamtape.tape import Headers

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class PlayedTransport(asyncio.Transport):
    """Takes what the client writes, and forgets it: the request was known before."""

    def __init__(self, protocol: PlayedHandler, *, expected: bool) -> None:
        """*expected*: the client waits for a 100 Continue before it writes its body."""
        super().__init__()
        self._protocol = protocol
        self._expected = expected
        self._closing = False

    def write(self, data: Any) -> None:  # noqa: ARG002 - as said above
        if self._expected:
            self._expected = False
            self._protocol.feed_soon(_CONTINUE)

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        for data in list_of_data:
            self.write(data)

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is buffered."""

    def pause_reading(self) -> None:
        """Nothing comes that wasn't asked for."""

    def resume_reading(self) -> None:
        """As `pause_reading`."""

    def is_reading(self) -> bool:
        return not self._closing

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._protocol.transport_closed()

    def abort(self) -> None:
        self.close()


class PlayedReader(StreamReader):
    """The body's reader, which tells when it waits."""

    __slots__ = ()

    _protocol: PlayedHandler

    async def _wait(self, func_name: str) -> None:
        self._protocol.wanted()
        await super()._wait(func_name)

    async def wait_eof(self) -> None:
        self._protocol.wanted()
        await super().wait_eof()

    @property
    def waiting(self) -> bool:
        """Whether somebody waits for what isn't there yet."""
        return self._waiter is not None or self._eof_waiter is not None


class PlayedHandler(ResponseHandler):
    """The protocol of a connection on which one response is played.

    Never goes back into the connector's pool.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        playback: Playback,
        key: Any,
        method: str,
        *,
        expected: bool = False,
    ) -> None:
        """*key*: of the connection, which an exception may name. *method*: the request's.

        *expected*: as in `PlayedTransport`.
        """
        super().__init__(loop)
        self._playback = playback
        self._key = key
        self._bytes = ResponseBytes(playback, method)
        self._sent = False
        self._reader: PlayedReader | None = None
        self._head_came = False
        self._step: asyncio.Handle | None = None
        self.connection_made(PlayedTransport(self, expected=expected))

    @property
    def should_close(self) -> bool:
        return True

    def _reschedule_timeout(self) -> None:
        """The playback minds the read timeout: nothing comes here while nobody waits."""

    def start_timeout(self) -> None:
        """The request was sent: an answer may come."""
        self._sent = True
        if self._waiter is not None:
            self.wanted()

    def feed_soon(self, data: bytes) -> None:
        """What the client gets before the tape."""
        self._loop.call_soon(self._feed, data)

    def _feed(self, data: bytes) -> None:
        if self.transport is not None:
            self.data_received(data)

    # ---- what the client asks for

    async def read(self) -> Any:
        """The next head: of aiohttp's messages, with the tape's own headers."""
        if not self._buffer:
            self.wanted()
        message, payload = await super().read()
        if message.code < HTTPStatus.OK:
            return message, payload
        if type(payload) is StreamReader:
            # The parser makes them, and knows no other class.
            payload.__class__ = PlayedReader
            self._reader = payload  # type: ignore[assignment]  # as of the line before
        return _told(message, self._playback), payload

    def wanted(self) -> None:
        """Somebody waits: go on when it is time."""
        if self._sent and self._step is None and self.transport is not None:
            self._step = self._loop.call_soon(self._look)

    def transport_closed(self) -> None:
        """The client has left."""
        self._rest()
        if not self._loop.is_closed():
            self._loop.call_soon(self.connection_lost, None)

    def _rest(self) -> None:
        """Nothing more is handed over, whatever happens."""
        if self._step is not None:
            self._step.cancel()
        self._step = None
        self._playback.close()

    # ---- what it gets

    def _look(self) -> None:
        """Wait until the next thing is due."""
        playback = self._playback
        if not self._head_came:
            wait_ns, error = playback.head_due()
        elif playback.waits:
            wait_ns, error = playback.due(round(self._loop.time() * 1e9))
        else:
            wait_ns, error = 0, None
        act = self._hand_over if error is None else partial(self._break, error)
        if wait_ns > 0:
            self._step = self._loop.call_later(wait_ns / 1e9, self._act, act)
        else:
            self._act(act)

    def _act(self, act: Callable[[], None]) -> None:
        self._step = None
        try:
            act()
        except PlayedError as error:
            self._break(error)

    def _hand_over(self) -> None:
        if not self._head_came:
            self._playback.hand_over_head()
            self._head_came = True
            self.data_received(self._bytes.head)
            return
        piece = self._playback.hand_over()
        if piece is None:
            self._playback.end()
            self._end()
            return
        sent = self._bytes.piece(piece)
        if self._bytes.end and self._playback.ends_in_this_read:
            # Else who reads chunk by chunk would see the ends of empty ones.
            sent += self._bytes.piece(self._playback.hand_over() or b"")
            self._playback.end()
            self.data_received(sent + self._bytes.end)
            return
        if sent:
            self.data_received(sent)
        # An empty piece, or one that decodes to nothing, is no answer to who waits.
        if self._reader is not None and self._reader.waiting:
            self.wanted()

    def _end(self) -> None:
        if self._bytes.end:
            self.data_received(self._bytes.end)
        else:
            self._rest()
            self.connection_lost(None)

    def _break(self, error: PlayedError) -> None:
        if self._head_came and was_unheard(error):
            self._end()
            return
        exc = exception_of(error, self._key, head=self._head_came)
        exc.__cause__ = error
        self._rest()
        self.set_exception(exc, error)
        if self._reader is not None:
            self._reader.set_exception(exc, error)


def _told(message: Any, playback: Playback) -> Any:
    """*message* with the headers of the tape, in place of those that frame it here."""
    headers: Headers = list(playback.tape.headers)
    if playback.coding is not None:
        headers.append(("content-encoding", playback.coding))
    return type(message)(
        message.version,
        message.code,
        message.reason,
        CIMultiDictProxy(CIMultiDict(headers)),
        tuple((_raw(name), _raw(value)) for name, value in headers),
        message.should_close,
        message.compression,
        message.upgrade,
        message.chunked,
    )


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")  # as aiohttp decodes them
