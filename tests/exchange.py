"""One request to a test server, and the run of the script that answers it."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from streamtape.codings import Encoder
from tests.script import Break, Chunk, Gate, Head, Pause, Raw, Response, Taken, changed


@dataclass(frozen=True)
class Write:
    """One `chunk` or `raw` step: when it was sent, its data, and the bytes on the wire.

    The time is taken, and the record made, just before the `send`: the client has no byte of it.
    """

    at_ns: int
    data: bytes
    wire: bytes


@dataclass(eq=False)
class Request:
    """A request, and how the response to it went.

    ``received_ns`` is when its last byte was read. ``end_ns`` is when the response was over: just
    before its last byte was sent, or when it broke off. ``gone_ns`` is when the client was seen to
    leave before that; ``gone`` says whether it closed its connection or reset it (as the kernel
    does where bytes were left unread).
    """

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    received_ns: int
    connection: int
    head_ns: int | None = None
    writes: list[Write] = field(default_factory=list)
    end_ns: int | None = None
    gone_ns: int | None = None
    gone: Literal["closed", "reset"] | None = None

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> str:
        return urlsplit(self.target).query

    def header(self, name: str) -> str | None:
        """The first value of a header, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self) -> Any:
        return json.loads(self.body)

    def finish(self) -> None:
        """Set ``end_ns``, unless it was set before."""
        with changed:
            self.end_ns = self.end_ns or time.perf_counter_ns()
            changed.notify_all()

    def wait_end(self, timeout: float = 10.0) -> None:
        """Wait until the response is over."""
        wait_until(lambda: self.end_ns is not None, timeout, what="end of a response")

    def wait_gone(self, timeout: float = 10.0) -> None:
        """Wait until the client has left before the response was over."""
        wait_until(lambda: self.gone_ns is not None, timeout, what="client that leaves")


def wait_until(condition: Callable[[], bool], timeout: float = 10.0, what: str = "event") -> None:
    """Wait for what a server's threads do. Raises AssertionError after *timeout* seconds."""
    with changed:
        assert changed.wait_for(condition, timeout), f"no {what} within {timeout} s"


def parse(received: bytearray, connection: int) -> tuple[Request, int] | None:
    """The first request in *received* and its length, or None while it isn't complete."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = received[:end].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    fields = {name.lower(): value for name, value in headers}
    start = end + 4
    if "transfer-encoding" in fields:
        whole = _parse_chunked(received, start)
        if whole is None:
            return None
        body, length = whole
    else:
        length = start + int(fields.get("content-length", 0))
        body = bytes(received[start:length])
    if len(received) < length:
        return None
    request = Request(method, target, headers, body, time.perf_counter_ns(), connection)
    return request, length


def _parse_chunked(received: bytearray, start: int) -> tuple[bytes, int] | None:
    body = b""
    while (line_end := received.find(b"\r\n", start)) >= 0:
        size = int(received[start:line_end].split(b";")[0], 16)
        end = line_end + 2 + size + 2
        if len(received) < end:
            return None
        body += received[line_end + 2 : end - 2]
        start = end
        if size == 0:
            return body, end
    return None


class LeftError(Exception):
    """The script has nobody to go on for: the client is gone, or the server is being closed."""


class Connection(Protocol):
    """The server's side of a connection."""

    addresses: tuple[tuple[str, int], tuple[str, int]]

    def send(self, data: bytes) -> None:
        """Send all of *data*. Raises LeftError."""

    def wait(self, condition: Callable[[], bool], timeout: float | None = None) -> None:
        """Wait for *condition*, or for *timeout* seconds. Raises LeftError."""


_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Exchange:
    """One run of a script."""

    def __init__(self, connection: Connection, request: Request, response: Response) -> None:
        self._connection = connection
        self._request = request
        self._response = response
        self._encoder = Encoder(response.coding) if response.coding else None
        self._head: Head | None = None
        self._bodiless = request.method == "HEAD"
        self._left: int | None = None  # bytes of a body of known length

    def run(self) -> Literal["again", "close", "reset"]:
        """Run the script, and say what shall become of the connection. Raises LeftError."""
        for step in self._response.flat():
            match step:
                case Head():
                    self._send_head(step)
                case Chunk(data):
                    self._send_chunk(data)
                case Raw(data):
                    self._write(data, data)
                case Pause(seconds):
                    self._connection.wait(lambda: False, seconds)
                case Gate():
                    self._connection.wait(step.is_set)
                case Taken():
                    self._wait_taken()
                case Break(resets):
                    return "reset" if resets else "close"
        return "again" if self._end() else "close"

    def _send_head(self, step: Head) -> None:
        self._head = step
        self._bodiless = self._bodiless or step.status in (204, 304)
        names = {name.lower() for name, _ in step.headers}
        headers = list(step.headers)
        if self._response.coding and "content-encoding" not in names:
            headers.append(("content-encoding", self._response.coding))
        if self._response.transfer == "close":
            headers.append(("connection", "close"))
        elif not names & {"content-length", "transfer-encoding"} and step.status not in (204, 304):
            if self._response.transfer == "chunked":
                headers.append(("transfer-encoding", "chunked"))
            else:
                self._left = self._response.length()
                headers.append(("content-length", str(self._left)))
        reason = _PHRASES.get(step.status, "") if step.reason is None else step.reason
        lines = [
            f"HTTP/1.1 {step.status} {reason}",
            *(f"{name}: {value}" for name, value in headers),
        ]
        self._request.head_ns = time.perf_counter_ns()
        if self._bodiless or self._left == 0:
            self._request.finish()
        self._connection.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    def _send_chunk(self, data: bytes) -> None:
        if self._head is None:
            self._send_head(Head())
        if not self._bodiless:
            wire = self._framed(self._encoder.chunk(data) if self._encoder else data)
            if self._left is not None:
                self._left -= len(wire)
            self._write(data, wire)

    def _framed(self, data: bytes) -> bytes:
        if self._response.transfer == "chunked":
            return b"%x\r\n%b\r\n" % (len(data), data)
        return data

    def _write(self, data: bytes, wire: bytes) -> None:
        self._connection.wait(lambda: True)  # a write is only recorded where somebody is there
        with changed:
            self._request.writes.append(Write(time.perf_counter_ns(), data, wire))
            changed.notify_all()
        if self._left == 0:
            self._request.finish()
        self._connection.send(wire)

    def _end(self) -> bool:
        if self._head is None:
            if self._request.writes:  # raw ones only, so they were the response
                return False
            self._send_head(Head())
        if not self._bodiless:
            last = b"0\r\n\r\n" if self._response.transfer == "chunked" else b""
            if self._encoder:
                last = self._framed(self._encoder.finish()) + last
            self._request.finish()
            self._connection.send(last)
        return self._response.transfer != "close" and not any(
            name.lower() == "connection" and "close" in value.lower()
            for name, value in (*self._request.headers, *(self._head or Head()).headers)
        )

    def _wait_taken(self) -> None:
        if sys.platform != "linux":
            self._connection.wait(lambda: False, 0.02)
            return
        while not _queues_are_empty(*self._connection.addresses):
            self._connection.wait(lambda: False, 0.0005)


def _queues_are_empty(ours: tuple[str, int], theirs: tuple[str, int]) -> bool:
    """Whether the kernel holds nothing that was sent from *ours* to *theirs* and not read there."""

    def address(of: tuple[str, int]) -> str:
        return f"{int.from_bytes(socket.inet_aton(of[0]), sys.byteorder):08X}:{of[1]:04X}"

    ends = {(address(ours), address(theirs)): 0, (address(theirs), address(ours)): 1}
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines():
        _, local, remote, _, queues, *_ = line.split()
        which = ends.get((local, remote))
        # The client's receive queue, and our send queue: what is not yet acknowledged.
        if which is not None and int(queues.split(":")[which], 16):
            return False
    return True
