"""How late the replay server's writes reach many clients at once, at the recorded pace.

The servers run in a process of their own, the clients in this one. A chunk's time is that of the
tape after the client has sent its request; how much later it is read is its lateness, which holds
the clients' own slowness too. The clients begin one after the other.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.paired import Section, measured, section
from benchmarks.streams import EVENT_BYTES, events
from streamtape import Chunk, Delivery, Ending, Tape
from streamtape.server import serve

if TYPE_CHECKING:
    from benchmarks.paired import Size

STREAMS = 200
EVENTS = 1_000
GAP_MS = 20.0
GOAL_MS = 20.0
BARE = "a bare asyncio server"

_BETWEEN_NS = 1_000_000
_REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
_FRAME = b"%x\r\n%b\r\n"
_WIRE_BYTES = len(_FRAME % (EVENT_BYTES, bytes(EVENT_BYTES)))


def serving(size: Size) -> Iterator[Section]:
    """The 99th percentile of the lateness of all chunks of all streams, in each round."""
    count = max(1, min(EVENTS, size.events // 20))
    streams = STREAMS if count == EVENTS else STREAMS // 10
    latest: dict[str, list[float]] = {}

    def run(kind: str) -> float:
        late = _lateness(kind, streams, count)
        latest[kind] = late
        return _percentile(late, 99)

    kinds = {BARE: "bare", "streamtape": "streamtape"}
    cases = {name: partial(run, kind) for name, kind in kinds.items()}
    values = measured(cases, min(3, size.process_rounds))
    notes = {
        name: f"median {_percentile(latest[kind], 50):.1f}, most {latest[kind][-1]:.1f}"
        for name, kind in kinds.items()
    }
    yield section(
        f"p99 lateness of {streams} streams of {count} events, {GAP_MS:g} ms apart"
        f" (goal {GOAL_MS:g} ms)",
        "ms",
        values,
        BARE,
        notes=notes,
    )


def _percentile(ordered: list[float], percent: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def _lateness(kind: str, streams: int, count: int) -> list[float]:
    """Of every chunk, in milliseconds, in ascending order."""
    late: list[float] = []
    with _running(kind, count) as address, selectors.DefaultSelector() as selector:
        waiting = [socket.create_connection(address) for _ in range(streams)]
        next_ns = 0
        while waiting or selector.get_map():
            if waiting and time.perf_counter_ns() >= next_ns:
                client = waiting.pop()
                client.settimeout(0)
                client.sendall(_REQUEST)
                selector.register(client, selectors.EVENT_READ, _Client(time.perf_counter_ns()))
                next_ns = time.perf_counter_ns() + _BETWEEN_NS
            for key, _ in selector.select(_BETWEEN_NS / 1e9 if waiting else None):
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(1 << 16)
                key.data.read(data, late)
                if not data:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
    assert len(late) == streams * count
    return sorted(late)


class _Client:
    def __init__(self, sent_ns: int) -> None:
        self._sent_ns = sent_ns
        self._head = b""
        self._body = -1
        self._seen = 0

    def read(self, data: bytes, late: list[float]) -> None:
        """Add the lateness of the chunks that *data* makes whole."""
        now = time.perf_counter_ns()
        if self._body >= 0:
            self._body += len(data)
        else:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end >= 0:
                self._body = len(self._head) - end - 4
        while (self._seen + 1) * _WIRE_BYTES <= self._body:
            self._seen += 1
            late.append((now - self._sent_ns) / 1e6 - self._seen * GAP_MS)


@contextmanager
def _running(kind: str, count: int) -> Iterator[tuple[str, int]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.serving", kind, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        try:
            yield "127.0.0.1", int(process.stdout.readline())
        finally:
            process.terminate()


def _streamtape(count: int) -> None:
    gap_ns = round(GAP_MS * 1e6)
    chunks = tuple(Chunk(n * gap_ns, event) for n, event in enumerate(events(count), 1))
    tape = Tape(
        chunks,
        Ending("eof", chunks[-1].at_ns),
        headers=[("content-type", "text/event-stream")],
        framing="sse",
    )
    with serve(tape, delivery=Delivery(pace="recorded")) as server:
        print(server.url.rpartition(":")[2], flush=True)
        sys.stdin.read()  # until whoever started this is gone


def _bare(count: int) -> None:
    frames = [_FRAME % (len(event), event) for event in events(count)]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        began = time.perf_counter()
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        )
        for number, frame in enumerate(frames, 1):
            await asyncio.sleep(began + number * GAP_MS / 1e3 - time.perf_counter())
            writer.write(frame)
        writer.write(b"0\r\n\r\n")
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=STREAMS)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(main())


if __name__ == "__main__":
    {"streamtape": _streamtape, "bare": _bare}[sys.argv[1]](int(sys.argv[2]))
