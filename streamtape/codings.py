"""The content codings of HTTP, chunk by chunk: gzip, deflate, br and zstd.

A tape keeps its body decoded and remembers the coding; on replay the body is encoded again, flushed
at each chunk. gzip and deflate (RFC 1952, RFC 1950, RFC 1951) need the standard library only. br
(RFC 7932) needs brotli or brotlicffi, zstd (RFC 8878) needs Python 3.14, backports.zstd or
zstandard. They are imported by this module alone, when they are first needed.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import ModuleType

CODINGS = ("gzip", "deflate", "br", "zstd")
"""The names of the codings, as they stand in a timeline and in ``content-encoding``."""


class CodingError(ValueError):
    """A body is not what its content coding says."""


class UnsupportedCodingError(CodingError):
    """A coding that is not one of `CODINGS`, or more than one at a time."""


class MissingCodingError(CodingError):
    """A coding whose library is not installed."""


def normalise(content_encoding: str | None) -> str | None:
    """Give the coding that a ``content-encoding`` header names: one of `CODINGS`, or None.

    Case and spaces don't count, ``x-gzip`` is ``gzip`` (RFC 9110, 8.4.1.3), ``identity`` is none.

    Raises UnsupportedCodingError for any other name, and for more than one coding.
    """
    names = [name.strip().lower() for name in (content_encoding or "").split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if not names:
        return None
    name = "gzip" if names[0] == "x-gzip" else names[0]
    if len(names) > 1 or name not in CODINGS:
        raise UnsupportedCodingError(
            f"content coding {content_encoding!r}: only one of {', '.join(CODINGS)} can be decoded;"
            " keep such a body as it came, with its content-encoding header"
        )
    return name


def named_in(headers: Iterable[tuple[str, str]]) -> str | None:
    """Give the one coding that *headers* name and that can be decoded here, or None."""
    named = [value for name, value in headers if name.lower() == "content-encoding"]
    try:
        coding = normalise(",".join(named))
    except UnsupportedCodingError:
        return None
    return coding if coding is not None and available(coding) else None


def without_coding(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Give *headers* for the decoded body: no ``content-encoding``, no ``content-length``."""
    gone = ("content-encoding", "content-length")
    return [(name, value) for name, value in headers if name.lower() not in gone]


def available(coding: str) -> bool:
    """Whether the library for *coding*, one of `CODINGS`, is installed."""
    try:
        _codec(coding)
    except MissingCodingError:
        return False
    return True


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
        self._codec = _codec(coding)
        self._member: _Decompressor | None = None
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
        self._stream = _codec(coding).compressor()

    def chunk(self, data: bytes) -> bytes:
        """Encode *data* and flush: a decoder that has read this far can give all of it.

        An empty chunk stays empty.
        """
        return self._stream.compress(data) + self._stream.flush() if data else b""

    def finish(self) -> bytes:
        """End the coded stream. These bytes decode to nothing. Call it once."""
        return self._stream.finish()


_SLICE = 1 << 16


class _Decompressor(Protocol):
    """One member of a coded stream: the shape of `zlib.decompressobj` and of the zstd libraries."""

    def decompress(self, data: bytes, /) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Compressor:
    compress: Callable[[bytes], bytes]
    flush: Callable[[], bytes]
    finish: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class _Codec:
    """A coding through its library, which reports bad data with *error*.

    The first *head* bytes of a member are what *decompressor* opens it by, and what tells whether
    it *follows* another one.
    """

    name: str
    error: type[Exception]
    head: int
    decompressor: Callable[[bytes], _Decompressor]
    follows: Callable[[bytes], bool]
    compressor: Callable[[], _Compressor]


def _codec(coding: str) -> _Codec:
    match coding:
        case "gzip":
            return _GZIP_CODEC
        case "deflate":
            return _DEFLATE_CODEC
        case "br":
            return _brotli()
        case "zstd":
            return _zstd()
        case _:
            raise UnsupportedCodingError(
                f"{coding!r} is none of the content codings {', '.join(CODINGS)}:"
                " normalise() gives one of these names from a header"
            )


_ZLIB, _GZIP, _RAW = zlib.MAX_WBITS, zlib.MAX_WBITS | 16, -zlib.MAX_WBITS


def _zlib_compressor(wbits: int) -> _Compressor:
    stream = zlib.compressobj(wbits=wbits)
    return _Compressor(stream.compress, lambda: stream.flush(zlib.Z_SYNC_FLUSH), stream.flush)


_GZIP_CODEC = _Codec(
    name="gzip",
    error=zlib.error,
    head=2,
    decompressor=lambda _head: zlib.decompressobj(_GZIP),
    follows=lambda head: head == b"\x1f\x8b",
    compressor=lambda: _zlib_compressor(_GZIP),
)


def _inflater(head: bytes) -> _Decompressor:
    # The coding is the zlib format, and some servers send raw deflate (RFC 9110, 8.4.1.2). As raw
    # deflate, a zlib header is a stored block whose padding isn't zero: no compressor writes that.
    zlib_header = head[0] & 0x0F == 8 and int.from_bytes(head, "big") % 31 == 0
    return zlib.decompressobj(_ZLIB if zlib_header else _RAW)


_DEFLATE_CODEC = _Codec(
    name="deflate",
    error=zlib.error,
    head=2,
    decompressor=_inflater,
    follows=lambda _head: False,
    compressor=lambda: _zlib_compressor(_ZLIB),
)


class _BrotliMember:
    """The libraries refuse bytes after the end themselves, so there are never unused ones."""

    unused_data = b""

    def __init__(self, library: ModuleType) -> None:
        self._stream = library.Decompressor()

    @property
    def eof(self) -> bool:
        return bool(self._stream.is_finished())

    def decompress(self, data: bytes) -> bytes:
        pieces: list[bytes] = [self._stream.process(data)]
        # Since 1.2 brotli gives at most 32 KiB at a time, and brotlicffi may keep a few bytes back.
        # Before, asking again makes brotlicffi loop for ever.
        if hasattr(self._stream, "can_accept_more_data"):
            while pieces[-1]:
                pieces.append(self._stream.process(b""))
        return b"".join(pieces)


_BROTLI_QUALITY = 5  # the default, 11, is meant for files and thirty times slower


@cache
def _brotli() -> _Codec:
    library = _first_installed("br", "brotli", ("brotli", "brotlicffi"))

    def refuse(_head: bytes) -> bool:
        # The libraries do so where the bytes come in one chunk with the end.
        raise library.error("there are bytes after its end")

    def compressor() -> _Compressor:
        stream = library.Compressor(quality=_BROTLI_QUALITY)
        return _Compressor(stream.process, stream.flush, stream.finish)

    return _Codec(
        name="br",
        error=library.error,
        head=1,
        decompressor=lambda _head: _BrotliMember(library),
        follows=refuse,
        compressor=compressor,
    )


def _zstd_follows(head: bytes) -> bool:
    frame = head == b"\x28\xb5\x2f\xfd"
    skippable = head[0] & 0xF0 == 0x50 and head[1:] == b"\x2a\x4d\x18"
    return frame or skippable


@cache
def _zstd() -> _Codec:
    library = _first_installed("zstd", "zstd", ("compression.zstd", "backports.zstd", "zstandard"))
    in_standard_form = library.__name__ != "zstandard"

    def decompressor(_head: bytes) -> _Decompressor:
        stream = library.ZstdDecompressor()
        opened: _Decompressor = stream if in_standard_form else stream.decompressobj()
        return opened

    def compressor() -> _Compressor:
        if in_standard_form:
            stream = library.ZstdCompressor()
            end_block = stream.FLUSH_BLOCK
        else:
            stream = library.ZstdCompressor().compressobj()
            end_block = library.COMPRESSOBJ_FLUSH_BLOCK
        return _Compressor(stream.compress, lambda: stream.flush(end_block), stream.flush)

    return _Codec(
        name="zstd",
        error=library.ZstdError,
        head=4,
        decompressor=decompressor,
        follows=_zstd_follows,
        compressor=compressor,
    )


def _first_installed(coding: str, extra: str, modules: Sequence[str]) -> ModuleType:
    for module in modules:
        try:
            return import_module(module)
        except ImportError:
            continue
    raise MissingCodingError(
        f"content coding {coding!r} needs one of the modules {', '.join(modules)}, and none is"
        f' installed: pip install "pytest-streamtape[{extra}]"'
    )
