"""vcrpy's own patches, for the clients that it serves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from vcr.patch import CassettePatcherBuilder

if TYPE_CHECKING:
    from streamtape.cassette.stream_cassette import StreamCassette

_lock = threading.RLock()
_stack: list[tuple[StreamCassette, ExitStack]] = []
_closed: set[StreamCassette] = set()


@contextmanager
def patched(cassette: StreamCassette) -> Iterator[None]:
    """vcrpy's patches are on inside the block.

    They save what they find and put it back, so they must come off in the reverse order. Cassettes
    that overlap (two tasks) may close in any order: one that lies under another waits for it.
    """
    with _lock, ExitStack() as stack:
        for patcher in CassettePatcherBuilder(cassette).build():
            stack.enter_context(patcher)
        _stack.append((cassette, stack.pop_all()))
    try:
        yield
    finally:
        with _lock:
            _closed.add(cassette)
            while _stack and _stack[-1][0] in _closed:
                top, patches = _stack.pop()
                _closed.discard(top)
                patches.close()
