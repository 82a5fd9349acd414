r"""A loopback HTTP/1.1 server for tests: it writes what a script says and remembers when it did.

A response is a `Response` of steps. What the client has seen can steer the script through gates, so
a test needs no sleeps to keep two chunks apart::

    opened = gate()
    script = Response(chunk("data: a\n\n"), opened, chunk("data: b\n\n"))
    with serve(script) as server, httpx.stream("GET", server.url) as response:
        pieces = response.iter_raw()
        assert next(pieces) == b"data: a\n\n"
        opened.set()
        assert next(pieces) == b"data: b\n\n"
    first, second = server.requests[0].writes

Times are `time.perf_counter_ns()`. One thread accepts and reads, so that it sees a client leave at
any time; each connection has a thread of its own that writes.
"""

from __future__ import annotations

import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Literal

from tests.exchange import Exchange, LeftError, Request, Write, parse, wait_until
from tests.script import (
    Gate,
    Response,
    Transfer,
    apart,
    changed,
    chunk,
    cut,
    forever,
    gate,
    gated,
    hang,
    head,
    json_response,
    pause,
    raw,
    reset,
    taken,
)

__all__ = [
    "Answer",
    "Answers",
    "Gate",
    "Request",
    "Response",
    "Server",
    "Transfer",
    "Write",
    "apart",
    "chunk",
    "cut",
    "forever",
    "gate",
    "gated",
    "hang",
    "head",
    "json_response",
    "pause",
    "raw",
    "refused",
    "reset",
    "serve",
    "taken",
    "wait_until",
]

Handler = Callable[[Request], Response]
Answer = Response | Sequence[Response] | Handler
Answers = Answer | Mapping[str, Answer]


class Server:
    """Use `serve`. ``requests`` holds all requests, in the order in which they were complete."""

    def __init__(self, answers: Answers) -> None:
        self._handler = _handler_of(answers)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.requests: list[Request] = []
        self.errors: list[BaseException] = []
        self.stopping = False
        self._connections: set[_Connection] = set()
        self._connected = 0
        self._done: deque[_Connection] = deque()
        self._wake, self._woken = socket.socketpair()
        self._reader = threading.Thread(target=self._read, name=f"server-{self.port}", daemon=True)
        self._reader.start()

    @property
    def connected(self) -> int:
        """How many connections there were."""
        return self._connected

    @property
    def open(self) -> int:
        """How many connections neither side has closed."""
        return sum(connection.gone is None for connection in list(self._connections))

    def wait_request(self, number: int = 0, timeout: float = 10.0) -> Request:
        """Wait until there is a request of that number, counted from 0."""
        wait_until(lambda: len(self.requests) > number, timeout, what=f"request {number}")
        return self.requests[number]

    def wait_closed(self, timeout: float = 10.0) -> None:
        """Wait until the clients have closed all connections that the server left open."""
        wait_until(lambda: not self.open, timeout, what="close of all connections")

    def close(self) -> None:
        """Break off what is still running, close every socket, and wait for every thread.

        Raises the first error in a function or a script.
        """
        with changed:
            self.stopping = True
            changed.notify_all()
        self._wake.send(b"!")
        self._reader.join()
        for connection in list(self._connections):
            connection.abandon()
        for connection in list(self._connections):
            connection.thread.join()
            connection.close()
        for each in (self._listener, self._wake, self._woken):
            each.close()
        if self.errors:
            raise self.errors[0]

    def answer(self, request: Request) -> Response:
        return self._handler(request)

    def finished(self, connection: _Connection) -> None:
        """The connection's own thread is done: the reader may close it."""
        self._done.append(connection)
        self._wake.send(b"!")

    def _read(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self.stopping:
                for key, _ in selector.select():
                    if key.fileobj is self._listener:
                        connection = self._accept()
                        selector.register(connection.socket, selectors.EVENT_READ, connection)
                    elif key.fileobj is self._woken:
                        self._woken.recv(4096)
                    elif not key.data.read():
                        selector.unregister(key.fileobj)
                while self._done:
                    connection = self._done.popleft()
                    if connection.socket in selector.get_map():
                        selector.unregister(connection.socket)
                    connection.thread.join()
                    connection.close()
                    with changed:
                        self._connections.discard(connection)
                        changed.notify_all()

    def _accept(self) -> _Connection:
        accepted, address = self._listener.accept()
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(self, accepted, address, self._connected)
        self._connected += 1
        self._connections.add(connection)
        connection.thread.start()
        return connection


@contextmanager
def serve(answers: Answers) -> Iterator[Server]:
    """Serve on a free port of 127.0.0.1 until the block is left.

    *answers* is a `Response` for every request; or several, one for each request in order of
    arrival, the last one again and again; or a function from `Request` to `Response`; or a mapping
    from paths to any of these, where other paths get a 404. A function is called by the thread that
    reads, so waiting is the script's job.

    An error in a function or a script closes its connection, and is raised at the end if the block
    raised none.
    """
    server = Server(answers)
    try:
        yield server
    except BaseException:
        with suppress(Exception):
            server.close()
        raise
    server.close()


@contextmanager
def refused() -> Iterator[str]:
    """The URL of a port that refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def _handler_of(answers: Answers) -> Handler:
    if isinstance(answers, Response):
        return lambda _request: answers
    if isinstance(answers, Mapping):
        handlers = {path: _handler_of(each) for path, each in answers.items()}

        def missing(request: Request) -> Response:
            return json_response({"error": f"nothing is served at {request.path}"}, 404)

        return lambda request: handlers.get(request.path, missing)(request)
    if callable(answers):
        return answers
    left = deque(answers)
    return lambda _request: left.popleft() if len(left) > 1 else left[0]


# --- one connection -------------------------------------------------------------------------------


class _Connection:
    def __init__(
        self, server: Server, accepted: socket.socket, address: tuple[str, int], number: int
    ) -> None:
        self.server = server
        self.socket = accepted
        self.number = number
        self.addresses = (accepted.getsockname(), address)
        self.gone: Literal["closed", "reset"] | None = None
        self._requests: list[Request] = []
        self._waiting: deque[tuple[Request, Response]] = deque()
        self._received = bytearray()
        self._resets = False
        self.thread = threading.Thread(
            target=self._run, name=f"server-{server.port}-{number}", daemon=True
        )

    # In the thread that reads.

    def read(self) -> bool:
        """Take what the client has sent; false when it is gone."""
        try:
            data = self.socket.recv(1 << 16)
        except OSError:
            return self._leave("reset")
        if not data:
            return self._leave("closed")
        self._received += data
        try:
            while parsed := parse(self._received, self.number):
                request, length = parsed
                del self._received[:length]
                self._requests.append(request)
                self.server.requests.append(request)
                answer = self.server.answer(request)
                with changed:
                    self._waiting.append((request, answer))
                    changed.notify_all()
        except Exception as error:  # noqa: BLE001  # it is raised where the server is closed
            self.server.errors.append(error)
            return self._leave("closed")
        return True

    def _leave(self, gone: Literal["closed", "reset"]) -> Literal[False]:
        now = time.perf_counter_ns()
        with changed:
            if self.gone is None:
                self.gone = gone
                for request in self._requests:
                    if request.end_ns is None:
                        request.gone, request.gone_ns = gone, now
            changed.notify_all()
        return False

    # In the thread that closes: the reader, or at the end the one that called `Server.close`.

    def abandon(self) -> None:
        """Let a `send` that waits for the client fail."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._resets:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # In the connection's own thread.

    def _run(self) -> None:
        try:
            then = "again"
            while then == "again":
                self.wait(lambda: bool(self._waiting))
                then = Exchange(self, *self._waiting.popleft()).run()
            self._resets = then == "reset"
        except LeftError:
            pass
        except Exception as error:  # noqa: BLE001  # it is raised where the server is closed
            self.server.errors.append(error)
        for request in self._requests:
            request.finish()
        self.server.finished(self)

    def _left(self) -> bool:
        return self.gone is not None or self.server.stopping

    def wait(self, condition: Callable[[], bool], timeout: float | None = None) -> None:
        """Wait for *condition*, or for *timeout* seconds. Raises LeftError."""
        with changed:
            changed.wait_for(lambda: condition() or self._left(), timeout)
        if self._left():
            raise LeftError

    def send(self, data: bytes) -> None:
        if self._left():
            raise LeftError
        try:
            self.socket.sendall(data)
        except OSError as error:
            if not self.server.stopping:
                self._leave("reset")
            raise LeftError from error
