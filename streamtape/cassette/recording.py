"""A cassette that is only written, for recordings that take long: nothing of it stays in memory."""

from __future__ import annotations

import errno
import os
import threading
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from streamtape.cassette.filters import Secrets
from streamtape.cassette.interaction import interaction_of, without_secrets
from streamtape.cassette.part_file import PartFile
from streamtape.cassette.recorder import Recorder
from streamtape.cassette.serializer import HEADER, dump_pieces
from streamtape.cassette.storage import item_pieces, read, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamtape.cassette.interaction import Interaction
    from streamtape.clients.take import Take
    from streamtape.tape import Request

_PIECE = 1 << 20


class Recording:
    """Writes takes as interactions: each to ``NAME.yaml.part`` when it ends, all of them in `save`.

    Between the two only their places in the part file are kept. *append*: those that the cassette
    *path* has stay before those that are recorded; without it they are replaced, if there is
    something to replace them with. The part file of a run that was killed is renamed, and warned of
    (`LeftoverWarning`).

    Raises `CassetteError` for a file that is no whole cassette, which stays as it is, and OSError
    where nothing can be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        secrets: Secrets | None = None,
        append: bool = False,
    ) -> None:
        self.path = Path(path)
        self._secrets = secrets or Secrets()
        self._before: list[Interaction] = []
        if self.path.exists():
            found = read(self.path).interactions
            self._before = list(found) if append else []
        _require_writable(self.path)
        self._part = PartFile(self.path)
        self._part.make_way()
        self._part.tell_leftover()
        self._recorder = Recorder(self._record)
        self._lock = threading.Lock()
        self._sent = 0
        # Where each interaction lies in the part file, by its place in the order of sending.
        self._places: dict[int, tuple[int, int]] = {}
        self._end = len(HEADER)

    def take(self, request: Request) -> Take:
        """Begin to record the answer to *request*, which is sent now. From any thread."""
        with self._lock:
            self._sent += 1
            return self._recorder.take(request, self._sent)

    @property
    def count(self) -> int:
        """How many interactions were recorded so far."""
        return len(self._places)

    @property
    def part(self) -> Path | None:
        """The part file, where there is one by now."""
        return self._part.path if self._part.begun else None

    def close(self) -> None:
        """End what still runs as ``closed``; streams that go on from here just pass through."""
        self._recorder.close()

    def save(self) -> bool:
        """Write the cassette in one piece, and remove the part; False where nothing was recorded.

        Raises what went wrong with recording.
        """
        self._recorder.settle()
        if not self._places:
            return False
        before = (
            piece
            for pair in self._before
            for piece in item_pieces(*without_secrets(pair, self._secrets))
        )
        write_whole(self.path, dump_pieces(chain(before, self._recorded())))
        self._part.remove()
        return True

    def _record(self, take: Take) -> None:
        tape = take.tape()
        take.reads.clear()
        pieces = list(item_pieces(*without_secrets(interaction_of(tape), self._secrets)))
        self._part.append(pieces)
        length = sum(map(len, pieces))
        self._places[take.sent] = self._end, length
        self._end += length

    def _recorded(self) -> Iterator[bytes]:
        with self._part.path.open("rb") as part:
            for _, (start, length) in sorted(self._places.items()):
                part.seek(start)
                left = length
                while left:
                    piece = part.read(min(left, _PIECE))
                    if not piece:
                        raise OSError(errno.EIO, "somebody shortened it", str(part.name))
                    left -= len(piece)
                    yield piece


def _require_writable(path: Path) -> None:
    """Find out before anything is sent, which may cost money."""
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
