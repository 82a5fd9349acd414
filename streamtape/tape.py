"""Bytes in time: what one response delivered, chunk by chunk, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from dataclasses import fields as dataclass_fields
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from streamtape.wire.framing import Framing, detect, event_reader, frame_ends

if TYPE_CHECKING:
    from streamtape.delivery import Delivery
    from streamtape.wire.sse import Event

Headers = list[tuple[str, str]]
"""Header names and values in order; a name may come again. Treat as read-only."""

EndingKind = Literal["eof", "closed", "error", "unfinished"]
ErrorKind = Literal[
    "connect", "connect-timeout", "read", "read-timeout", "write", "pool", "protocol"
]


@dataclass(frozen=True)
class Request:
    """The request that a tape answers."""

    method: str
    url: str
    headers: Headers = field(default_factory=list, hash=False)
    body: bytes = b""


class Chunk(NamedTuple):
    """One piece of the body as it reached the client, content coding removed.

    ``at_ns`` counts nanoseconds from the request being handed to the transport to the chunk being
    handed over. Where ``late`` is true the consumer had been away and the chunk lay waiting:
    ``at_ns`` is then an upper bound.
    """

    at_ns: int
    data: bytes
    late: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """How a stream ended, and when (``at_ns`` as in `Chunk`).

    ``kind`` is ``"eof"`` (the server ended it properly), ``"closed"`` (the client left first),
    ``"error"`` (it broke: ``error`` is the class of failure, ``text`` its message) or
    ``"unfinished"`` (the recorder died while the stream ran). ``late`` is as in `Chunk`: the end
    lay waiting for a consumer that had been away.
    """

    kind: EndingKind
    at_ns: int
    error: ErrorKind | None = None
    text: str = ""
    late: bool = False


@dataclass(frozen=True)
class Tape:
    """One response body's chunks in order of arrival, with its request, head and ending.

    The body is kept without its content coding; ``coding`` names the one it travelled in, and
    ``headers`` are then without ``content-encoding`` and ``content-length``. A tape whose
    ``request`` is None answers any request. ``timed`` is false where the times are unknown (a
    cassette by another recorder): all of them are then 0 and each frame is one chunk. ``head_ns``
    is None where the stream broke before there was a response.
    """

    chunks: tuple[Chunk, ...]
    ending: Ending
    request: Request | None = None
    status: int = 200
    reason: str = ""
    headers: Headers = field(default_factory=list, hash=False)
    head_ns: int | None = 0
    framing: Framing = "raw"
    coding: str | None = None
    http_version: str = "HTTP/1.1"
    timed: bool = True

    @classmethod
    def deferred(
        cls, resolve: Callable[[], tuple[tuple[Chunk, ...], Ending]], **fields: Any
    ) -> Self:
        """A tape whose chunks and ending *resolve* gives when one of them is first asked for.

        Making the chunks of a long stream costs more than reading its cassette, and most tapes of a
        cassette are never looked at. *fields* are the others, and may include ``body``.
        """
        tape = cls.__new__(cls)
        defaults = {each.name: each.default for each in dataclass_fields(cls)}
        del defaults["chunks"], defaults["ending"]
        if fields.get("headers") is None:
            fields["headers"] = []
        tape.__dict__.update(defaults, **fields, _resolve=resolve)
        return tape

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a pickle takes along: never the promise, only what it gives."""
        state = {name: value for name, value in self.__dict__.items() if name != "_resolve"}
        return {**state, "chunks": self.chunks, "ending": self.ending}

    def __getattr__(self, name: str) -> Any:
        """The chunks and the ending of a deferred tape. Only called for what isn't there."""
        if name in ("chunks", "ending") and "_resolve" in self.__dict__:
            chunks, ending = self.__dict__["_resolve"]()
            self.__dict__.update(chunks=chunks, ending=ending)
            return self.__dict__[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @cached_property
    def body(self) -> bytes:
        """The whole body, decoded."""
        return b"".join([chunk.data for chunk in self.chunks])

    @cached_property
    def content_type(self) -> str | None:
        """The value of the first ``content-type`` header, or None."""
        return next((value for name, value in self.headers if name.lower() == "content-type"), None)

    def events(self) -> tuple[tuple[int, Event], ...]:
        """``(at_ns, event)`` for each event, at the arrival of the byte that completed it.

        NDJSON lines and messages of an AWS event stream are events too, their payload in
        ``data``. An unframed body has none.
        """
        reader = event_reader(self.framing)
        if reader is None:
            return ()
        found = [(chunk.at_ns, event) for chunk in self.chunks for event in reader.feed(chunk.data)]
        found += [(self.ending.at_ns, event) for event in reader.finish()]
        return tuple(found)

    @classmethod
    def of(
        cls,
        body: bytes,
        *,
        content_type: str = "text/event-stream",
        cuts: str | Sequence[int] = "events",
        gap_ms: float = 0.0,
        request: Request | None = None,
    ) -> Self:
        """A tape without a cassette: *body* cut by *cuts*, *gap_ms* milliseconds before each chunk.

        *cuts* is ``"events"``, ``"whole"``, ``"bytes"`` or offsets in the body, as in a `Delivery`.

        Raises ValueError for offsets that decrease or lie outside the body.
        """
        framing = detect(body, content_type)
        gap_ns = round(gap_ms * 1_000_000)
        pieces = recut(body, cuts_of(body, framing, cuts))
        chunks = tuple(Chunk(gap_ns * (n + 1), piece) for n, piece in enumerate(pieces))
        return cls(
            chunks=chunks,
            ending=Ending("eof", gap_ns * len(chunks)),
            request=request,
            reason="OK",
            headers=[("content-type", content_type)],
            framing=framing,
        )

    def deliver(self, delivery: Delivery) -> Tape:
        """This tape as *delivery* hands it over. Pure: the tape itself stays as it is."""
        return delivery.apply(self)

    def with_chunks(self, chunks: Sequence[Chunk], **changes: object) -> Self:
        """A copy with other chunks (and other fields, as in `dataclasses.replace`)."""
        return replace(self, chunks=tuple(chunks), **changes)  # type: ignore[arg-type]  # fields checked by replace


def cuts_of(body: bytes, framing: Framing, cuts: str | Sequence[int]) -> list[int]:
    """The offsets at which *cuts* cuts *body*, ascending; its ends only where they were asked for.

    Raises ValueError for an unknown word, and for offsets that decrease or lie outside the body.
    """
    if cuts == "whole":
        return []
    if cuts == "bytes":
        return list(range(1, len(body)))
    if cuts == "events":
        return [end for end in frame_ends(framing, body) if end < len(body)]
    if isinstance(cuts, str):
        raise ValueError(  # noqa: TRY004 - a wrong word, of the right type
            f"unknown cuts {cuts!r}: use 'whole', 'bytes', 'events' or a tuple of offsets"
        )
    offsets = list(cuts)
    if any(later < earlier for earlier, later in pairwise(offsets)):
        raise ValueError(f"cuts must not decrease, these do: {tuple(offsets)!r}")
    if offsets and not 0 <= offsets[0] <= offsets[-1] <= len(body):
        raise ValueError(
            f"cuts must lie in the body of {len(body)} bytes (0 to {len(body)}), not"
            f" {tuple(offsets)!r}"
        )
    return offsets


def recut(body: bytes, offsets: Sequence[int]) -> list[bytes]:
    """*body* cut at the ascending *offsets*. One that is repeated, or at an end, gives b""."""
    if not body and not offsets:
        return []
    edges = [0, *offsets, len(body)]
    return [body[start:end] for start, end in pairwise(edges)]
