"""Streams that run, and those that have ended, kept safe from whatever their client does."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from streamtape.clients.take import Take

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamtape.tape import Request

# Converting a long stream takes tens of milliseconds, and Python lets one thread run at a time: the
# client, which has just been told of the end, goes first.
_LONG = 1_000
_HEAD_START = 0.01


class Recorder:
    """Holds every take while its stream runs, and hands it on when it has ended.

    While a stream runs its take belongs to the recorder, so that whatever becomes of the client's
    own objects, what came is kept. Once it has ended, one background thread calls *record* with it:
    the client never waits for that.
    """

    def __init__(self, record: Callable[[Take], None]) -> None:
        self._record = record
        self._lock = threading.Lock()
        self._running: set[Take] = set()
        self._thread: ThreadPoolExecutor | None = None
        self._recordings: list[Future[None]] = []
        self.closed = False

    def take(self, request: Request, sent: int) -> Take:
        """Begin to record the answer to *request*, the *sent*-th of its cassette."""
        take = Take(request, sent, self._ended)
        with self._lock:
            self._running.add(take)
        return take

    def _ended(self, take: Take) -> None:
        with self._lock:
            self._running.discard(take)
            if self.closed:
                return
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, "streamtape-recorder")
            self._recordings.append(self._thread.submit(self._convert, take))

    def _convert(self, take: Take) -> None:
        if len(take.reads) > _LONG:
            time.sleep(_HEAD_START)
        self._record(take)

    def settle(self) -> None:
        """Wait until every stream that has ended is recorded.

        Raises what went wrong with one: a failure to record fails the test, not the stream.
        """
        with self._lock:
            recordings, self._recordings = self._recordings, []
        for recording in recordings:
            recording.result()

    def close(self) -> None:
        """End what still runs as ``closed``; streams that go on from here just pass through."""
        for take in list(self._running):
            take.finish("closed")
        with self._lock:
            self.closed = True
        if self._thread is not None:
            self._thread.shutdown()
