"""What is being recorded of one response, while the client reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from streamtape import codings
from streamtape.clock import now_ns
from streamtape.tape import Chunk, Ending, EndingKind, ErrorKind, Headers, Request, Tape
from streamtape.wire.framing import detect

if TYPE_CHECKING:
    from collections.abc import Iterable

# What a read adds to `Take.reads`.
_READ = 3
_AWAY_NS = 1_000_000
# An ending is nothing but late: noted only where it could be taken for a stall.
_AWAY_AT_END_NS = 100_000_000
# What lies in the client's buffers comes within 0.1 ms as a rule, on a loaded machine within 0.4.
_WAITING_NS = 1_000_000


class Reads(Protocol):
    """Where the reads of a take are: a list, or what has the same few methods."""

    def extend(self, read: Iterable[Any], /) -> None:
        """Add the three items of one read."""

    def clear(self) -> None:
        """Forget them all."""

    def __len__(self) -> int: ...

    def __getitem__(self, wanted: slice, /) -> list[Any]:
        """The items of whole reads."""


class Take:
    """One response in the making.

    For each read the tee extends ``reads`` by three items: when the client asked for a chunk, when
    it got it (both on the take's clock), and the chunk. In one step, so that no thread sees half of
    a read, and flat, since a tuple kept for each read costs the client as much as all else that a
    tee does. It does so until there is an ``ending``; whoever ends it first decides how.

    ``done`` is called once, with the take, when it ends or is withdrawn; it must not raise.
    ``sent`` is the request's place in the order of sending. ``withdrawn``: it is not to be kept.
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
        self.reads: Reads = []
        self.ending: Ending | None = None
        self.withdrawn = False
        self._done = done
        self._first: dict[str, Ending | None] = {}
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

    @property
    def count(self) -> int:
        """How many reads there were."""
        return len(self.reads) // _READ

    def whole(self, body: bytes) -> None:
        """The body lay ready with the head, and that was all."""
        now = self.clock()
        if body:
            self.reads.extend((now, now, body))
        self.finish("eof")

    def withdraw(self) -> None:
        """Nothing was sent, so there is nothing to keep. Changes nothing after an ending."""
        if self._first.setdefault("ending", None) is None and not self.withdrawn:
            self.withdrawn = True
            self._done(self)

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
        last = self.reads[-_READ:]
        before = last[1] if len(last) == _READ else self._started_ns + (self._head_ns or 0)
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
        raw = reads[2::_READ]
        coding, pieces = _decoded(headers, raw, ending)
        if coding is not None:
            headers = codings.without_coding(headers)
        chunks = self._chunks(zip(reads[0::_READ], reads[1::_READ], raw, pieces, strict=True))
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

    def _chunks(self, reads: Iterable[tuple[int, int, bytes, bytes]]) -> list[Chunk]:
        """The chunks of *reads*: each with what it decodes to."""
        start = self._started_ns
        before = start + (self._head_ns or 0)
        chunks = []
        for asked, got, data, piece in reads:
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
