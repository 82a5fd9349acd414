"""How a body travels: its transfer coding, and the sizes of its transfer chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Framing = Literal["chunked", "content-length", "close"]


@dataclass(frozen=True)
class Wire:
    """What HTTP/1.1 leaves open, as a value. The body's bytes and their writes are the tape's.

    ``framing``: ``"chunked"``; ``"content-length"``; ``"close"``, where the end of the connection
    is the end of the body. By default a content length where the tape has one, else chunked.

    ``chunk_size``: the size of all transfer chunks but the last, whatever the writes are; by
    default each write is one transfer chunk.

    ``keep_alive``: whether a connection serves more than one request. ``half_close``: after the
    response the server sends no more, but leaves its side open for reading until the client closes.

    With ``"close"`` nothing tells a body that was cut off from a whole one. HTTP/1.0 clients always
    get that instead of ``"chunked"``.

    Raises ValueError for another framing, for a size below 1, and for a size without chunks.
    """

    framing: Framing | None = None
    chunk_size: int | None = None
    keep_alive: bool = True
    half_close: bool = False

    def __post_init__(self) -> None:
        if self.framing is not None and self.framing not in get_args(Framing):
            raise ValueError(
                f"unknown framing {self.framing!r}: use one of"
                f" {', '.join(map(repr, get_args(Framing)))}"
            )
        if self.chunk_size is not None:
            if self.chunk_size < 1:
                raise ValueError(f"chunk_size must be 1 or more, not {self.chunk_size!r}")
            if self.framing in ("content-length", "close"):
                raise ValueError(f"a body framed by {self.framing} has no chunks of chunk_size")

    @property
    def persists(self) -> bool:
        """Whether a connection may serve another request."""
        return self.keep_alive and not self.half_close

    @classmethod
    def parse(cls, written: str) -> Wire:
        """The value of words with commas between: a framing, ``chunk-size=N``, ``no-keep-alive``,
        ``half-close``.

        Raises ValueError for others.
        """  # noqa: D205  # the first sentence has no room on one line
        given: dict[str, object] = {}
        for word in filter(None, (part.strip() for part in written.split(","))):
            name, _, value = word.partition("=")
            if word in get_args(Framing):
                given["framing"] = word
            elif name == "chunk-size" and value.isdecimal():
                given["chunk_size"] = int(value)
            elif word == "no-keep-alive":
                given["keep_alive"] = False
            elif word == "half-close":
                given["half_close"] = True
            else:
                raise ValueError(
                    f"unknown word {word!r}: use chunked, content-length, close, chunk-size=N,"
                    " no-keep-alive or half-close"
                )
        return cls(**given)  # type: ignore[arg-type]  # each by its own name


def chunked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Each of *pieces* as one transfer chunk; an empty one as nothing (RFC 9112, 7.1)."""
    for piece in pieces:
        yield b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""


def rechunked(pieces: list[bytes], size: int) -> Iterator[bytes]:
    """*pieces* in transfer chunks of *size* bytes, the last one shorter.

    What frames a byte comes with it: a chunk's head with its first, its end with its last.
    """
    left = sum(map(len, pieces))
    inside = 0  # bytes that the open chunk still lacks
    for piece in pieces:
        written = bytearray()
        at = 0
        while at < len(piece):
            if not inside:
                inside = min(size, left)
                written += b"%x\r\n" % inside
            part = piece[at : at + inside]
            written += part
            at += len(part)
            inside -= len(part)
            left -= len(part)
            if not inside:
                written += b"\r\n"
        yield bytes(written)


LAST_CHUNK = b"0\r\n\r\n"
