"""A server in a process of its own, so that its work is not counted as the client's.

``GET /?events=N&gap_ms=G`` is answered by N events of 200 bytes, each one transfer chunk and one
write, and G milliseconds before each event but the first.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from benchmarks.streams import events


@cache
def _transfer_chunks(count: int) -> list[bytes]:
    return [b"%x\r\n%b\r\n" % (len(event), event) for event in events(count)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        gap = float(query.get("gap_ms", ["0"])[0]) / 1000
        chunks = _transfer_chunks(int(query["events"][0]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        with suppress(ConnectionError):
            for number, chunk in enumerate(chunks):
                if gap and number:
                    time.sleep(gap)
                self.wfile.write(chunk)
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: the table is on the same terminal."""


@contextmanager
def serving() -> Iterator[str]:
    """The URL of a server that runs until the block is left."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
        finally:
            process.terminate()


def _serve() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(server.server_port, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()  # ends when whoever started this is gone, however that happened
    os._exit(0)


if __name__ == "__main__":
    _serve()
