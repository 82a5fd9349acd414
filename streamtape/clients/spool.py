"""The reads of a take that may be long: its chunks lie in a file once they are many."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterable
from tempfile import SpooledTemporaryFile
from typing import Any

IN_MEMORY = 1 << 20
"""Bytes of a body up to which no file is made."""

_READ = 3


class Spool:
    """`streamtape.clients.take.Reads` whose chunks move to a file after *in_memory* bytes.

    The file has no name and is gone with the process: until the recording is written nothing of the
    body is filtered. A body longer than *most* bytes is dropped, and so is one for which the disk
    has no room: ``lost`` then tells why, and nothing more is taken. `extend` never raises.
    """

    def __init__(self, *, most: int, in_memory: int = IN_MEMORY) -> None:
        self.lost = ""
        self._most = most
        # For each read when it was asked for, when it was there, and where its chunk ends.
        self._marks = array("q")
        self._end = 0
        self._file = SpooledTemporaryFile(max_size=in_memory)  # noqa: SIM115 - closed with the spool
        self._lock = threading.Lock()

    def extend(self, read: Iterable[Any]) -> None:
        """Add one read: when it was asked for, when it was there, and its chunk."""
        asked, got, data = read
        with self._lock:
            if self.lost:
                return
            if self._end + len(data) > self._most:
                self._lose(f"the body is longer than {self._most} bytes")
                return
            try:
                self._file.write(data)
            except OSError as error:
                self._lose(f"no room for what is being recorded: {error}")
                return
            self._end += len(data)
            self._marks.extend((asked, got, self._end))

    def __len__(self) -> int:
        return len(self._marks)

    def __getitem__(self, wanted: slice) -> list[Any]:
        """Whole reads, as the list would give them, their chunks in memory."""
        found: list[Any] = []
        with self._lock:
            first, stop, _ = wanted.indices(len(self._marks))
            if first >= stop:
                return found
            at = self._marks[first - 1] if first else 0
            self._file.seek(at)
            for place in range(first, stop, _READ):
                asked, got, end = self._marks[place : place + _READ]
                found += (asked, got, self._file.read(end - at))
                at = end
            self._file.seek(self._end)
        return found

    def clear(self) -> None:
        """Free it all."""
        with self._lock:
            self._drop()

    def __del__(self) -> None:
        # Not every take is turned into a tape, and an open file that is collected is warned of.
        self._file.close()

    def _lose(self, why: str) -> None:
        self.lost = why
        self._drop()

    def _drop(self) -> None:
        del self._marks[:]
        self._end = 0
        self._file.close()
