"""What is being recorded of one response, while the client reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from streamtape import codings
from streamtape.clock import now_ns
from streamtape.tape import Chunk, Ending, EndingKind, ErrorKind, Headers, Request, Tape
from streamtape.wire.framing import detect

if TYPE_CHECKING:
    from collections.abc import Sequence

Read = tuple[int, int, bytes]
"""When the client asked for a chunk, when it got it (both on the take's clock), and the chunk."""

_AWAY_NS = 1_000_000
# An ending is nothing but late: noted only where it could be taken for a stall.
_AWAY_AT_END_NS = 100_000_000
# What lies in the client's buffers comes within 0.1 ms as a rule, on a loaded machine within 0.4.
_WAITING_NS = 1_000_000


class Take:
    """One response in the making.

    The tee appends to ``reads`` until there is an ``ending``; whoever ends it first decides how.

    ``done`` is called once, with the take, when it ends; it must not raise. ``sent`` is the
    request's place in the order of sending.
    """

    def __init__(
        self,
        request: Request,
        sent: int,
        done: Callable[[Take], None],
        *,
        clock: Callable[[], int] = now_ns,
    ) -> None:
        self.request = request
        self.sent = sent
        self.clock = clock
        self.reads: list[Read] = []
        self.ending: Ending | None = None
        self._done = done
        self._first: dict[str, Ending] = {}
        self._started_ns = clock()
        self._head: tuple[int, str, Headers, str] | None = None
        self._head_ns: int | None = None
        self._kept: int | None = None

    def start(self) -> None:
        """The request is handed to the transport now: time counts from here."""
        self._started_ns = self.clock()

    def head(self, status: int, reason: str, headers: Headers, http_version: str) -> None:
        """The response's head has arrived."""
        self._head_ns = self.clock() - self._started_ns
        self._head = (status, reason, headers, http_version)

    def finish(
        self,
        kind: EndingKind,
        error: ErrorKind | None = None,
        text: str = "",
        *,
        asked: int | None = None,
    ) -> None:
        """The stream has ended. Later endings change nothing: a close makes the reader fail too.

        *asked*: when the client asked for the read that ended so, if it did.
        """
        got = self.clock()
        before = self.reads[-1][1] if self.reads else self._started_ns + (self._head_ns or 0)
        late = asked is not None and _lay_waiting(before, asked, got, away_ns=_AWAY_AT_END_NS)
        ending = Ending(kind, got - self._started_ns, error, text, late)
        # Decided by one atomic step and no lock: a finalizer may run inside this very function.
        if self._first.setdefault("ending", ending) is not ending:
            return
        self._kept = len(self.reads)
        self.ending = ending
        self._done(self)

    def tape(self) -> Tape:
        """What was recorded, its content coding removed where that is possible."""
        ending = self.ending or Ending("unfinished", self.clock() - self._started_ns)
        if self._head is None:
            # vcrpy needs a status: 599 is the one that it replays and no server sends.
            return Tape((), ending, self.request, status=599, head_ns=None)
        status, reason, headers, http_version = self._head
        # What the reader got after another thread had ended the take doesn't belong to it.
        reads = self.reads[: self._kept]
        coding, pieces = _decoded(headers, [data for _, _, data in reads], ending)
        if coding is not None:
            headers = codings.without_coding(headers)
        chunks = self._chunks(reads, pieces)
        content_type = next((v for name, v in headers if name.lower() == "content-type"), None)
        return Tape(
            chunks=tuple(chunks),
            ending=ending,
            request=self.request,
            status=status,
            reason=reason,
            headers=headers,
            head_ns=self._head_ns,
            framing=detect(b"".join(pieces), content_type),
            coding=coding,
            http_version=http_version,
        )

    def _chunks(self, reads: Sequence[Read], pieces: Sequence[bytes]) -> list[Chunk]:
        start = self._started_ns
        before = start + (self._head_ns or 0)
        chunks = []
        for (asked, got, data), piece in zip(reads, pieces, strict=True):
            late = _lay_waiting(before, asked, got)
            before = got
            # Bytes that decode to nothing (a gzip header or trailer) are no chunk of their own.
            if piece or not data:
                chunks.append(Chunk(got - start, piece, late))
        return chunks


def _lay_waiting(before: int, asked: int, got: int, *, away_ns: int = _AWAY_NS) -> bool:
    """Whether the client had been away, and then got at once what it asked for."""
    return asked - before >= away_ns and got - asked <= _WAITING_NS


def _decoded(headers: Headers, raw: list[bytes], ending: Ending) -> tuple[str | None, list[bytes]]:
    """The content coding that was removed, or None, and the pieces without it.

    A body stays as it is where it can't be decoded, where its coding isn't installed, and where
    encoding it again would change what a client reads: the server ended it properly in the middle
    of the coding, or something came after the coding's end.
    """
    coding = codings.named_in(headers)
    if coding is None:
        return None, raw
    try:
        decoded = codings.decode_chunks(coding, raw)
    except codings.CodingError:
        return None, raw
    if decoded.trailing or decoded.members > 1 or (ending.kind == "eof" and not decoded.complete):
        return None, raw
    return coding, decoded.pieces
