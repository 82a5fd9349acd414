"""Where the bytes of a response come from that a connection of urllib3's reads."""

from __future__ import annotations

import http.client
import io
import weakref
from collections.abc import Callable, Iterator
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from streamtape.clients.breaks import cut_short, illegal_line
from streamtape.clients.http1 import ResponseBytes, ResponseTee
from streamtape.clients.playback import Playback, PlayedError
from streamtape.clock import VirtualClockError, plain_clock

if TYPE_CHECKING:
    from streamtape.clients.routing import Play
    from streamtape.clients.take import Take
    from streamtape.clock import Clock
    from streamtape.tape import Request

# A read of less would show in the tape how the client reads, and not what the server sent.
_READ_SIZE = 65_536


class Source(Protocol):
    """Where a response's bytes come from."""

    @property
    def ready(self) -> bool:
        """Whether there is something to read here; what lies in a real socket doesn't count."""

    def read(self, size: int, timeout: float | None) -> bytes:
        """At most *size* bytes, b"" at the end; blocks until there are some.

        *timeout*: the socket's, in seconds.
        """

    def leave(self) -> None:
        """The client closed its side."""


class Replay:
    """A tape, handed over one wire piece for one read."""

    def __init__(
        self, play: Play, request: Request, exception: Callable[[PlayedError], Exception]
    ) -> None:
        """*exception*: what is raised where the tape breaks."""
        self._exception = exception
        self._play = play
        self._request = request
        try:
            self._clock: Clock = plain_clock(virtual=play.virtual)
        except VirtualClockError as exc:
            play.trouble(str(exc))  # a test hears of it, whatever the client does
            raise
        self._start_ns = self._clock.now_ns()
        self._playback: Playback | None = None
        self._pieces: Iterator[bytes] = iter(())
        self._left = b""
        self._whole = False
        self._chunked = False
        self._broken: Exception | None = None

    @property
    def ready(self) -> bool:
        return bool(self._left) or not self._whole

    def read(self, size: int, timeout: float | None) -> bytes:
        if self._broken is not None:
            raise self._broken
        if self._playback is None:
            # Not sooner: while a request is sent, the socket has the timeout for connecting.
            self._playback = self._begin(timeout)
            self._pieces = self._made(self._playback)
        if not self._left:
            try:
                self._left = next(self._pieces, b"")
            except PlayedError as played:
                self._playback.close()
                if played.error != "protocol" or (self._chunked and cut_short(played.text)):
                    self._broken = self._exception(played)
                    raise self._broken from played
                # The client finds out by itself, and says so in its own way.
                head = self._playback.tape.head_ns is not None
                if self._chunked or not head:
                    self._left = illegal_line(played.text, head=head)
        piece, self._left = self._left[:size], self._left[size:]
        return piece

    def _begin(self, timeout: float | None) -> Playback:
        accepted = [
            value for name, value in self._request.headers if name.lower() == "accept-encoding"
        ]
        return Playback(
            self._play,
            accept_encoding=", ".join(accepted) if accepted else None,
            read_timeout=timeout,
            start_ns=self._start_ns,
        )

    def _made(self, playback: Playback) -> Iterator[bytes]:
        """The response as bytes, in time; nothing empty."""
        wait_ns, error = playback.head_due()
        if wait_ns:
            self._clock.sleep_ns(wait_ns)
        if error is not None:
            raise error
        playback.hand_over_head()
        sent = ResponseBytes(playback, self._request.method)
        self._chunked = sent.chunked
        left = 0 if sent.bodiless else sent.length
        if left == 0:
            self._end(playback)
        yield sent.head
        if sent.bodiless:
            return
        for data in playback.in_time(self._clock) if playback.waits else playback.pieces:
            if left is not None:
                left -= len(data)
                if left <= 0:
                    self._end(playback)  # the client reads no further
            if piece := sent.piece(data):
                yield piece
        playback.end()
        self._end(playback)
        if sent.end:
            yield sent.end

    def _end(self, playback: Playback) -> None:
        self._whole = True
        playback.close()

    def leave(self) -> None:
        if self._playback is not None:
            self._playback.close()


class Live:
    """A real connection, read through a tee."""

    def __init__(self, real: Any, take: Take) -> None:
        self._real = real
        self._left = memoryview(b"")
        final = _hints_are_final()
        self._tee = ResponseTee(take, take.request.method, hints_are_final=final)
        # A response that is collected with its connection says nothing.
        weakref.finalize(self, take.finish, "closed").atexit = False

    @property
    def ready(self) -> bool:
        return bool(self._left)

    def read(self, size: int, timeout: float | None) -> bytes:  # noqa: ARG002 - the real one's is set
        if not self._left and size:
            self._left = memoryview(self._received(size))
        data, self._left = bytes(self._left[:size]), self._left[size:]
        return data

    def _received(self, size: int) -> bytes:
        take = self._tee.take
        asked = take.clock()
        try:
            data: bytes = self._real.recv(max(size, _READ_SIZE))
        except TimeoutError as exc:
            self._tee.error("read-timeout", str(exc), asked)
            raise
        except OSError as exc:
            self._tee.error("read", str(exc), asked)
            raise
        except BaseException:
            self._tee.closed()  # a KeyboardInterrupt: the client leaves
            raise
        if data:
            self._tee.feed(asked, take.clock(), data)
        else:
            self._tee.eof(asked)
        return data

    def leave(self) -> None:
        self._tee.closed()


class Failed:
    """No connection came about: what waits for an answer hears why."""

    def __init__(self, exc: OSError) -> None:
        self._exc = exc

    ready = True

    def read(self, size: int, timeout: float | None) -> bytes:  # noqa: ARG002 - nothing at any time
        raise self._exc

    def leave(self) -> None:
        """Nothing is open."""


@cache
def _hints_are_final() -> bool:
    """Whether this Python's ``http.client`` takes a ``103 Early Hints`` for the answer."""
    response = http.client.HTTPResponse(_Said(b"HTTP/1.1 103 -\r\n\r\nHTTP/1.1 200 -\r\n\r\n"))  # type: ignore[arg-type]  # all that it asks of a socket
    response.begin()
    return response.status != HTTPStatus.OK


class _Said:
    """A socket on which this has come."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:  # noqa: ARG002 - as a socket's
        return io.BytesIO(self._data)
