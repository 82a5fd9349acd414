"""A small HTTP/2 server on loopback: plaintext, prior knowledge, the scripts of `tests.script`.

Each chunk is one DATA frame. The end of a script is an empty DATA frame that ends the stream, as
common servers send it. ``reset()`` resets the stream, ``cut()`` closes the connection; steps behind
them may still wait and call functions, and send nothing.
"""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    RequestReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import ProtocolError

from tests.script import Break, Chunk, Gate, Head, Raw, Response, changed


@dataclass(eq=False)
class Request:
    """A request and what was sent in answer: the data of each DATA frame, the last one included."""

    stream: int
    connection: int
    headers: dict[str, str]
    body: bytes = b""
    frames: list[bytes] = field(default_factory=list)
    gone: bool = False

    @property
    def path(self) -> str:
        return self.headers[":path"]


class Server:
    """Use `serve`."""

    def __init__(self, answers: Mapping[str, Response]) -> None:
        self.answers = answers
        self.requests: list[Request] = []
        self.errors: list[BaseException] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._connections: list[_Connection] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def connected(self) -> int:
        """How many connections there were."""
        return len(self._connections)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                accepted, _ = self._listener.accept()
                self._connections.append(_Connection(self, accepted, len(self._connections)))

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        for connection in self._connections:
            connection.close()


@contextmanager
def serve(answers: Mapping[str, Response]) -> Iterator[Server]:
    """Answer requests by their path until the block is left; raise what went wrong by then."""
    server = Server(answers)
    try:
        yield server
    finally:
        server.close()
    if server.errors:
        raise server.errors[0]


class _Connection:
    def __init__(self, server: Server, accepted: socket.socket, number: int) -> None:
        self._server = server
        self._socket = accepted
        self._number = number
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._lock = threading.Lock()
        self._requests: dict[int, Request] = {}
        self._scripts: list[threading.Thread] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reading.join()
        for script in self._scripts:
            script.join()
        self._socket.close()

    def _read(self) -> None:
        try:
            with self._lock:
                self._h2.initiate_connection()
                self._flush()
            while data := self._socket.recv(1 << 16):
                with self._lock:
                    for event in self._h2.receive_data(data):
                        self._handle(event)
                    self._flush()
        except (OSError, ProtocolError):
            pass  # the client has gone, or the script has closed the connection under it
        except Exception as error:  # noqa: BLE001  # it is raised where the server is closed
            self._server.errors.append(error)
        self._leave(*self._requests.values())

    def _handle(self, event: object) -> None:
        match event:
            case RequestReceived():
                request = Request(event.stream_id, self._number, dict(event.headers))
                self._requests[event.stream_id] = request
            case DataReceived():
                self._requests[event.stream_id].body += event.data
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case StreamEnded():
                request = self._requests[event.stream_id]
                script = threading.Thread(target=self._run, args=(request,), daemon=True)
                self._scripts.append(script)
                self._server.requests.append(request)
                script.start()
            case StreamReset():
                self._leave(self._requests[event.stream_id])
            case ConnectionTerminated():
                self._leave(*self._requests.values())

    def _leave(self, *requests: Request) -> None:
        with changed:
            for request in requests:
                request.gone = True
            changed.notify_all()

    def _flush(self) -> None:
        self._socket.sendall(self._h2.data_to_send())

    def _run(self, request: Request) -> None:
        """Run the script that answers *request*, in a thread of its own."""
        headed = over = False
        try:
            for step in itertools.chain(self._server.answers[request.path].flat(), [None]):
                if isinstance(step, Gate):
                    self._wait(step, request)
                if request.gone:
                    return
                with self._lock:
                    if not headed:
                        self._send_head(request, step)
                        headed = True
                    if not over:
                        over = self._send(request, step)
        except (OSError, ProtocolError):
            pass  # the client has gone
        except Exception as error:  # noqa: BLE001  # it is raised where the server is closed
            self._server.errors.append(error)

    def _wait(self, opened: Gate, request: Request) -> None:
        with changed:
            changed.wait_for(lambda: opened.is_set() or request.gone)

    def _send_head(self, request: Request, step: object) -> None:
        head = step if isinstance(step, Head) else Head()
        self._h2.send_headers(request.stream, [(":status", str(head.status)), *head.headers])
        self._flush()

    def _send(self, request: Request, step: object) -> bool:
        """Send *step*, or the end for None; whether it is the last one."""
        match step:
            case Chunk(data) | Raw(data):
                request.frames.append(data)
                self._h2.send_data(request.stream, data)
            case None:
                request.frames.append(b"")
                self._h2.send_data(request.stream, b"", end_stream=True)
            case Break(reset=True):
                self._h2.reset_stream(request.stream, ErrorCodes.INTERNAL_ERROR)
            case Break(reset=False):
                self._socket.shutdown(socket.SHUT_RDWR)
                return True
        self._flush()
        return step is None or isinstance(step, Break)
