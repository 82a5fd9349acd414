"""Streams that run, and those that have ended, kept safe from whatever their client does."""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue
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

    A stream may end in a finalizer, which the garbage collector runs inside any line of any thread.
    So what happens then takes no lock: the queue is one that finalizers may put into.
    """

    def __init__(self, record: Callable[[Take], None]) -> None:
        self._record = record
        self._running: set[Take] = set()
        self._ended: SimpleQueue[Take | threading.Event | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self.closed = False

    def take(self, request: Request, sent: int) -> Take:
        """Begin to record the answer to *request*, the *sent*-th of its cassette."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name="streamtape-recorder", daemon=True
            )
            self._thread.start()
        take = Take(request, sent, self._on_end)
        self._running.add(take)
        return take

    def _on_end(self, take: Take) -> None:
        self._running.discard(take)
        if not (self.closed or take.withdrawn):
            self._ended.put(take)

    def _run(self) -> None:
        while (item := self._ended.get()) is not None:
            if isinstance(item, threading.Event):
                item.set()
                continue
            if item.count > _LONG:
                time.sleep(_HEAD_START)
            try:
                self._record(item)
            except Exception as error:  # noqa: BLE001 - a user's hook, raised by settle()
                self._error = self._error or error

    def settle(self) -> None:
        """Wait until every stream that has ended is recorded.

        Raises the first thing that went wrong, each time: a failure to record fails the test, not
        the stream. In the recorder's own thread (a hook that looks at the cassette) it waits for
        nothing.
        """
        if self._thread is None or self._thread is threading.current_thread():
            return
        if self._thread.is_alive():
            reached = threading.Event()
            self._ended.put(reached)
            reached.wait()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """End what still runs as ``closed``; streams that go on from here just pass through."""
        for take in list(self._running):
            take.finish("closed")
        self.closed = True
        if self._thread is not None:
            self._ended.put(None)
            self._thread.join()
