"""What a connection of urllib3's has for a socket while a session is open.

It collects what the client sends. When a request is complete, its session answers: a tape is handed
over in memory, and only where there is none to play a real connection is made, which a tee reads.
"""

from __future__ import annotations

import socket
import weakref
from contextlib import suppress
from io import DEFAULT_BUFFER_SIZE, BufferedReader, TextIOWrapper
from typing import TYPE_CHECKING, Any, Protocol, cast

from streamtape.clients.guard import permitted
from streamtape.clients.http1 import NotHTTPError, RequestReader
from streamtape.clients.routing import Play, current, sessions
from streamtape.clients.urllib3_sources import Failed, Live, Replay, Source
from streamtape.clock import SystemClock, VirtualClockError, plain_clock

if TYPE_CHECKING:
    from streamtape.clients.playback import PlayedError
    from streamtape.clients.take import Take
    from streamtape.tape import ErrorKind, Request

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Seam(Protocol):
    """What the stand-in needs to know of the connection that it stands in."""

    def base(self) -> str:
        """Scheme, host and port of the URLs that are asked for: ``https://example.test``."""

    def dial(self, stand_in: StandIn) -> Any:
        """A real, connected socket, made as the connection itself makes it.

        *stand_in* stays the connection's socket.
        """

    def address(self) -> tuple[str, int]:
        """Where the connection goes to."""

    def reached(self, error: ErrorKind | None) -> None:
        """A tape answers; *error*: with what it breaks before there is a head."""

    def told_by(self, exc: Exception) -> tuple[ErrorKind, str] | None:
        """What *exc*, raised before there was an answer, means; None: nothing was sent."""

    def exception(self, played: PlayedError) -> Exception:
        """What is raised where a tape breaks so."""


class StandIn:
    """A socket object without a socket, until one is needed."""

    def __init__(self, seam: Seam, *, timeout: float | None, real: Any = None) -> None:
        """*real*: the connected socket in whose place this stands, where there is one."""
        self._seam = seam
        self._timeout = timeout
        self._real = real
        self._reader: RequestReader | None = None
        self._sent: list[bytes] = []
        self._through = False
        self._refused: TypeError | None = None
        self._source: Source | None = None
        self._continue = b""
        self._signal: Signal | None = None
        self._files = 0
        self._closed = False

    # --- what the client sends

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Collect until a request is whole, then let the session that is open answer it."""
        if self._refused is not None:
            raise self._refused
        data = bytes(data)
        if self._reader is None:
            self._reader = RequestReader(self._seam.base())
        if not self._reader.begun:
            self._through = current() is None
            self._leave()
        if self._through:
            self._connected().sendall(data, flags)
            with suppress(NotHTTPError):  # nobody's business here
                self._reader.feed(data)
            return
        self._sent.append(data)
        for request in self._reader.feed(data):
            raw, self._sent = b"".join(self._sent), []
            self._continue = b""  # who waited for it has given up
            try:
                self._answer(request, raw)
            except TypeError as exc:
                # The standard library takes it for an iterable and goes on with each of the bytes.
                self._refused = exc
                raise
        if self._reader.begun and self._reader.waits_for_continue:
            self._continue = _CONTINUE

    def send(self, data: Any, flags: int = 0) -> int:
        self.sendall(data, flags)
        return len(data)

    def _answer(self, request: Request, raw: bytes) -> None:
        session = current()
        answer = None if session is None else session.answer(request)
        if isinstance(answer, Play):
            tape = answer.tape
            broken = tape.ending.error if tape.head_ns is None else None
            self._seam.reached(broken)
            self._source = Replay(answer, request, self._seam.exception)
            if broken == "write":
                self._source.read(0, None)
            return
        if not isinstance(plain_clock(), SystemClock):
            if answer is not None:
                answer.withdraw()
            raise VirtualClockError(
                "a request to a real server in virtual time, which stands still while the server is"
                " at work. Play it from a cassette, or record it in a test without a virtual clock"
            )
        if answer is None:
            with permitted():
                self._connected().sendall(raw)
        else:
            answer.start()
            self._record(answer, raw)

    def _record(self, take: Take, raw: bytes) -> None:
        try:
            real = self._connected()
        except BaseException as exc:
            told = self._seam.told_by(exc) if isinstance(exc, Exception) else None
            if told is not None:
                take.finish("error", *told)
            elif isinstance(exc, Exception):
                take.withdraw()
            else:
                take.finish("closed")
            if isinstance(exc, OSError):
                # Raised where the client awaits the answer: it takes it there as it does while it
                # connects, which it believes that it has done.
                self._source = Failed(exc)
                return
            raise
        self._source = Live(real, take)
        try:
            real.sendall(raw)
        except (BrokenPipeError, ConnectionResetError):
            raise  # the client looks for an answer nevertheless, and how that ends is the ending
        except BaseException as exc:
            if isinstance(exc, OSError):
                take.finish("error", "write", str(exc))
            else:
                take.finish("closed")
            raise

    def _connected(self) -> Any:
        if self._real is None:
            self._real = self._seam.dial(self)
            self._real.settimeout(self._timeout)
        return self._real

    # --- what it reads

    def recv(self, size: int, flags: int = 0) -> bytes:
        if self._continue:
            data, self._continue = self._continue[:size], self._continue[size:]
            return data
        if self._source is not None:
            return self._source.read(size, self._timeout)
        if self._real is not None:
            real: bytes = self._real.recv(size, flags)
            return real
        return b""

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        view = memoryview(buffer).cast("B")
        data = self.recv(size or len(view), flags)
        view[: len(data)] = data
        return len(data)

    def makefile(self, mode: str = "r", buffering: int | None = None, **text: Any) -> Any:
        """As a socket's: to read from, which is all that HTTP clients want of one."""
        raw = socket.SocketIO(cast("socket.socket", self), "r")
        self._files += 1
        if buffering == 0:
            return raw
        size = DEFAULT_BUFFER_SIZE if buffering is None or buffering < 0 else buffering
        buffered = BufferedReader(raw, size)
        return buffered if "b" in mode else TextIOWrapper(buffered, **text)

    # --- what a pool asks

    def fileno(self) -> int:
        """A descriptor that is readable where the next read returns at once.

        A pool takes an idle connection that is readable for one that was dropped. So is one that
        outlived its session: nothing would answer.
        """
        source = self._source
        ready = source is not None and source.ready
        if self._real is not None and (self._closed or not ready):
            descriptor: int = self._real.fileno()
            return descriptor
        if self._closed:
            return -1
        if self._signal is None:
            self._signal = Signal()
        self._signal.set(bool(self._continue) or ready or not sessions())
        return self._signal.fileno()

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = timeout
        if self._real is not None:
            self._real.settimeout(timeout)

    def gettimeout(self) -> float | None:
        return self._timeout

    def getpeername(self) -> Any:
        return self._seam.address() if self._real is None else self._real.getpeername()

    def setsockopt(self, *args: Any) -> None:
        if self._real is not None:
            self._real.setsockopt(*args)

    def __getattr__(self, name: str) -> Any:
        real = self.__dict__.get("_real")
        if real is None:
            raise AttributeError(f"no connection was made, so its socket has no {name!r}")
        return getattr(real, name)

    # --- its end

    def shutdown(self, how: int) -> None:
        """Both sides, whatever *how* says: a client that calls it wants a reader to wake up."""
        self._leave()
        if self._real is not None:
            self._real.shutdown(how)

    def close(self) -> None:
        """As a socket's: files made of it stay readable until they are closed too."""
        self._closed = True
        if not self._files:
            self._release()

    def _decref_socketios(self) -> None:
        """A file was closed: called by it, as in the standard library."""
        self._files -= 1
        if self._closed and not self._files:
            self._release()

    def _leave(self) -> None:
        """The client is done with the response that it has."""
        source, self._source = self._source, None
        if source is not None:
            source.leave()

    def _release(self) -> None:
        self._leave()
        if self._real is not None:
            self._real.close()
        if self._signal is not None:
            self._signal.close()


class Signal:
    """A descriptor that is readable, or not, as told."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._is_set = False
        self.close = weakref.finalize(self, _close, self._ours, self._theirs)

    def fileno(self) -> int:
        return self._ours.fileno()

    def set(self, wanted: bool) -> None:  # noqa: FBT001 - what a setter is given
        if wanted and not self._is_set:
            self._theirs.send(b"!")
        elif self._is_set and not wanted:
            self._ours.recv(1)
        self._is_set = wanted


def _close(*sockets: socket.socket) -> None:
    for each in sockets:
        each.close()
