"""A small HTTP/1.1 server on loopback that speaks what language model SDKs expect.

`POST /v1/chat/completions` is OpenAI's, `POST /v1/messages` Anthropic's, each streamed or whole and
with any key; `GET /events` is a plain event stream that a client can resume.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any

from streamtape.demo.replies import BadRequestError, Reply, Stream, event_stream


@dataclass(frozen=True)
class DemoServer:
    """Where the server listens: ``http://127.0.0.1:PORT``, without a slash at the end."""

    url: str

    @property
    def openai_url(self) -> str:
        """The base URL for OpenAI's SDK."""
        return f"{self.url}/v1"

    @property
    def anthropic_url(self) -> str:
        """The base URL for Anthropic's SDK."""
        return self.url


@contextmanager
def demo_server(*, port: int = 0, speed: float = 1.0, seed: int = 1) -> Iterator[DemoServer]:
    """Serve on 127.0.0.1 in threads of its own until the block is left.

    *port* 0 takes a free one. At a *speed* of 2.0 everything comes twice as fast, at 0 without any
    pause. The *seed* chooses the rhythm.

    Raises OSError where the port is taken.
    """
    with _Server(port, 1 / speed if speed else 0.0, seed) as server:
        accepting = threading.Thread(target=server.serve_forever, args=(0.05,), name="demo-server")
        accepting.start()
        try:
            yield DemoServer(f"http://127.0.0.1:{server.server_address[1]}")
        finally:
            server.stop()
            accepting.join()


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, slowness: float, seed: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.seed = seed
        self._slowness = slowness
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()

    def pause(self, seconds: float) -> None:
        """Wait, unless the server is being stopped. Raises ConnectionAbortedError then."""
        if self._stopping.wait(seconds * self._slowness):
            raise ConnectionAbortedError

    def stop(self) -> None:
        """Accept nothing more and end all connections: closing waits for their threads."""
        self.shutdown()
        self._stopping.set()
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def finish_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        # A connection accepted just before the server stopped finds out by itself.
        if not self._stopping.is_set():
            super().finish_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report an error, unless it is that the client left."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path == "/events":
            self._send_stream(event_stream(self.headers.get("last-event-id", "")))
        else:
            self._send_json(404, {"error": {"message": f"There is nothing at {self.path}."}})

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not length.isdecimal():
            self.close_connection = True
            self._send_json(411, {"error": {"message": "A content-length is needed."}})
            return
        body = self.rfile.read(int(length))  # in any case, or the next request starts inside it
        path = self.path.partition("?")[0]
        try:
            if path == "/v1/chat/completions":
                self._openai(_parsed(body))
            elif path == "/v1/messages":
                self._anthropic(_parsed(body))
            else:
                self._send_json(404, {"error": {"message": f"There is nothing at {path}."}})
        except BadRequestError as error:
            problem = {"type": "invalid_request_error", "message": str(error)}
            self._send_json(400, {"type": "error", "error": problem})

    def _openai(self, request: dict[str, Any]) -> None:
        limit = "max_tokens" if "max_tokens" in request else "max_completion_tokens"
        reply = Reply.to(request, limit, self.server.seed)
        if request.get("stream"):
            options = request.get("stream_options") or {}
            self._send_stream(reply.openai_stream(usage=bool(options.get("include_usage"))))
        else:
            self._send_json(200, reply.openai())

    def _anthropic(self, request: dict[str, Any]) -> None:
        reply = Reply.to(request, "max_tokens", self.server.seed)
        if request.get("stream"):
            self._send_stream(reply.anthropic_stream())
        else:
            self._send_json(200, reply.anthropic())

    def _send_json(self, status: int, value: object) -> None:
        body = json.dumps(value, ensure_ascii=False).encode()
        self.server.pause(0.3)
        self.send_response_only(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send_stream(self, stream: Stream) -> None:
        self.server.pause(stream.head_after)
        # Without date and server, which would make each recording of the same stream another one.
        self.send_response_only(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("cache-control", "no-store")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for write in stream.writes:
            self.server.pause(write.after)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(write.data), write.data))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's name
        """Say nothing: the client shows what arrives."""


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError as error:
        raise BadRequestError(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadRequestError("the body is not a JSON object")
    return value
