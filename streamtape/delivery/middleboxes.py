"""Middleboxes: what stands between server and client and holds bytes back. Other cuts and times.

Used in place of cuts: ``Delivery(cuts=middleboxes.nginx(), pace="recorded")``. A chunk leaves when
the box lets it: no byte is ever early. Under an instant pace only the cuts remain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamtape.delivery.arguments import number, whole
from streamtape.delivery.change import middlebox
from streamtape.tape import Chunk

if TYPE_CHECKING:
    from streamtape.tape import Tape

_MS = 1_000_000
_BYTES = whole(1, what="a number of bytes")


@middlebox("a proxy hands over {size} bytes at a time, and the rest at the end", size=_BYTES)
def nginx(tape: Tape, size: int = 4096) -> Tape:
    """A proxy that buffers: nginx with ``proxy_buffering on`` waits until a buffer is full.

    *size* in bytes: nginx's ``proxy_buffer_size`` is one page, 4096 or 8192 by the platform
    (https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffer_size).
    """
    return _held_until_full(tape, size)


@middlebox("a compressor hands over {size} bytes at a time, and the rest at the end", size=_BYTES)
def gzip_window(tape: Tape, size: int = 32768) -> Tape:
    """A compressor that never flushes: nothing leaves before its window is full.

    *size* in bytes of text: DEFLATE's window is 32768 (RFC 1951, 2).
    """
    return _held_until_full(tape, size)


@middlebox(
    "what comes within {ms} ms of the first byte waiting leaves in one chunk",
    ms=number("a number of milliseconds"),
)
def coalescer(tape: Tape, ms: float = 200.0) -> Tape:
    """A sender that waits for more: what comes within *ms* of the first byte held leaves at once.

    Delayed acknowledgements and Nagle's algorithm (RFC 896) do so, with up to 200 ms.
    """
    held_ns = round(ms * _MS)
    chunks: list[Chunk] = []
    held = bytearray()
    leaves_ns = 0
    for chunk in tape.chunks:
        if held and chunk.at_ns > leaves_ns:
            chunks.append(Chunk(leaves_ns, bytes(held)))
            held.clear()
        if chunk.data and not held:
            leaves_ns = chunk.at_ns + held_ns
        held += chunk.data
    if held:  # the end of the stream sends the rest on its way
        at_ns = max(min(leaves_ns, tape.ending.at_ns), tape.chunks[-1].at_ns)
        chunks.append(Chunk(at_ns, bytes(held)))
    return tape.with_chunks(chunks)


@middlebox("everything arrives in one burst at the end")
def burst(tape: Tape) -> Tape:
    """A proxy or a function that reads the whole response before it passes it on."""
    return tape.with_chunks([Chunk(tape.ending.at_ns, tape.body)] if tape.body else [])


def _held_until_full(tape: Tape, size: int) -> Tape:
    chunks: list[Chunk] = []
    held = bytearray()
    for chunk in tape.chunks:
        held += chunk.data
        while len(held) >= size:
            chunks.append(Chunk(chunk.at_ns, bytes(held[:size])))
            del held[:size]
    if held:
        chunks.append(Chunk(tape.ending.at_ns, bytes(held)))
    return tape.with_chunks(chunks)
