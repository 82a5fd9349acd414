"""A body in its content coding, decoded and encoded as its chunks come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamtape.codings.libraries import codec_of
from streamtape.codings.names import CodingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamtape.codings.libraries import Decompressor

_SLICE = 1 << 16


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a coded body, in the chunks it came in, decodes to.

    ``pieces`` has one piece for each chunk: what a decoder knows once it has seen that chunk, maybe
    ``b""``. ``complete`` is true where the coded stream reached its own end; that of an empty body
    never began. ``trailing`` is true where bytes came after the end, which are in no piece.
    ``members`` counts the members of a gzip stream or the frames of zstd that were read to their
    end; their contents are joined. Not every client does so: httpx reads a gzip stream's first
    member only.
    """

    pieces: list[bytes]
    complete: bool
    trailing: bool
    members: int


def decode_chunks(coding: str, chunks: Sequence[bytes]) -> Decoded:
    """Decode *chunks*, the body as it came, each as far as the bytes up to its end allow.

    *coding* is one of `CODINGS`, as `normalise` gives it. A body that breaks off is no error:
    ``complete`` is then false.

    Raises CodingError for a body that is not *coding*, MissingCodingError where its library is not
    installed, UnsupportedCodingError for any other name.
    """
    decoder = Decoder(coding)
    pieces = [decoder.chunk(chunk) for chunk in chunks]
    return Decoded(pieces, decoder.complete, decoder.trailing, decoder.members)


def decode_body(coding: str, body: bytes) -> bytes:
    """Decode a whole *body*, without what may come after its end. An empty one stays empty.

    Raises as `decode_chunks` does, and CodingError for a body that breaks off.
    """
    decoder = Decoder(coding)
    decoded = decoder.chunk(body)
    if body and not decoder.complete:
        raise CodingError(
            f"the body breaks off after {len(body)} bytes, before the end of its {coding} coding;"
            " decode_chunks() gives the part that can be decoded"
        )
    return decoded


class Decoder:
    """Takes the content coding off a stream, chunk by chunk.

    It takes and raises what `decode_chunks` does. ``complete``, ``trailing`` and ``members`` are as
    in `Decoded`, for the chunks so far.
    """

    def __init__(self, coding: str) -> None:
        self._codec = codec_of(coding)
        self._member: Decompressor | None = None
        self._held = b""  # too few bytes to tell what they start
        self._stray = False
        self.members = 0

    @property
    def complete(self) -> bool:
        """Whether the coded stream has reached its own end."""
        return self.members > 0 and self._member is None

    @property
    def trailing(self) -> bool:
        """Whether there were bytes after the end of the coded stream."""
        return self._stray or (self.complete and bool(self._held))

    def chunk(self, data: bytes) -> bytes:
        """Decode as much as is known with *data*."""
        try:
            # In slices, because each end of a member copies what is left of the slice.
            return b"".join(
                [self._decode(data[at : at + _SLICE]) for at in range(0, len(data), _SLICE)]
            )
        except self._codec.error as error:
            raise CodingError(
                f"the body is not valid {self._codec.name}: {error};"
                " keep it as it came, with its content-encoding header"
            ) from error

    def _decode(self, data: bytes) -> bytes:
        pieces = []
        rest = data
        while rest and not self._stray:
            if self._member is None:
                rest = self._held + rest
                self._held = b""
                if len(rest) < self._codec.head:
                    self._held = rest
                    break
                head = rest[: self._codec.head]
                if self.members and not self._codec.follows(head):
                    self._stray = True
                    break
                self._member = self._codec.decompressor(head)
            pieces.append(self._member.decompress(rest))
            rest = b""
            if self._member.eof:
                rest = self._member.unused_data
                self._member = None
                self.members += 1
        return b"".join(pieces)


class Encoder:
    """Puts a content coding, one of `CODINGS`, on a stream, flushed at each chunk.

    The same chunks always give the same bytes, with the same version of the library. Raises
    MissingCodingError and UnsupportedCodingError as `decode_chunks` does.
    """

    def __init__(self, coding: str) -> None:
        self._stream = codec_of(coding).compressor()

    def chunk(self, data: bytes) -> bytes:
        """Encode *data* and flush: a decoder that has read this far can give all of it.

        An empty chunk stays empty.
        """
        return self._stream.compress(data) + self._stream.flush() if data else b""

    def finish(self) -> bytes:
        """End the coded stream. These bytes decode to nothing. Call it once."""
        return self._stream.finish()
