"""The library behind each content coding.

gzip and deflate (RFC 1952, RFC 1950, RFC 1951) need the standard library only. br (RFC 7932) needs
brotli or brotlicffi, zstd (RFC 8878) needs Python 3.14, backports.zstd or zstandard. They are
imported by this module alone, when they are first needed.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from streamtape.codings.names import CODINGS, MissingCodingError, UnsupportedCodingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType


def available(coding: str) -> bool:
    """Whether the library for *coding*, one of `CODINGS`, is installed."""
    try:
        codec_of(coding)
    except MissingCodingError:
        return False
    return True


class Decompressor(Protocol):
    """One member of a coded stream: the shape of `zlib.decompressobj` and of the zstd libraries."""

    def decompress(self, data: bytes, /) -> bytes:
        """What is known with *data*, the next bytes."""
        ...

    @property
    def eof(self) -> bool:
        """Whether the member has reached its end."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What came after the end."""
        ...


@dataclass(frozen=True, slots=True)
class Compressor:
    """A coded stream in the making: *flush* and *finish* give what they add to it."""

    compress: Callable[[bytes], bytes]
    flush: Callable[[], bytes]
    finish: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Codec:
    """A coding through its library, which reports bad data with *error*.

    The first *head* bytes of a member are what *decompressor* opens it by, and what tells whether
    it *follows* another one.
    """

    name: str
    error: type[Exception]
    head: int
    decompressor: Callable[[bytes], Decompressor]
    follows: Callable[[bytes], bool]
    compressor: Callable[[], Compressor]


def codec_of(coding: str) -> Codec:
    """The codec of *coding*.

    Raises MissingCodingError where its library is not installed, UnsupportedCodingError for a name
    that is none of `CODINGS`.
    """
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


def _zlib_compressor(wbits: int) -> Compressor:
    stream = zlib.compressobj(wbits=wbits)
    return Compressor(stream.compress, lambda: stream.flush(zlib.Z_SYNC_FLUSH), stream.flush)


_GZIP_CODEC = Codec(
    name="gzip",
    error=zlib.error,
    head=2,
    decompressor=lambda _head: zlib.decompressobj(_GZIP),
    follows=lambda head: head == b"\x1f\x8b",
    compressor=lambda: _zlib_compressor(_GZIP),
)


def _inflater(head: bytes) -> Decompressor:
    # The coding is the zlib format, and some servers send raw deflate (RFC 9110, 8.4.1.2). As raw
    # deflate, a zlib header is a stored block whose padding isn't zero: no compressor writes that.
    zlib_header = head[0] & 0x0F == 8 and int.from_bytes(head, "big") % 31 == 0
    return zlib.decompressobj(_ZLIB if zlib_header else _RAW)


_DEFLATE_CODEC = Codec(
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
def _brotli() -> Codec:
    library = _first_installed("br", "brotli", ("brotli", "brotlicffi"))

    def refuse(_head: bytes) -> bool:
        # The libraries do so where the bytes come in one chunk with the end.
        raise library.error("there are bytes after its end")

    def compressor() -> Compressor:
        stream = library.Compressor(quality=_BROTLI_QUALITY)
        return Compressor(stream.process, stream.flush, stream.finish)

    return Codec(
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
def _zstd() -> Codec:
    library = _first_installed("zstd", "zstd", ("compression.zstd", "backports.zstd", "zstandard"))
    in_standard_form = library.__name__ != "zstandard"

    def decompressor(_head: bytes) -> Decompressor:
        stream = library.ZstdDecompressor()
        opened: Decompressor = stream if in_standard_form else stream.decompressobj()
        return opened

    def compressor() -> Compressor:
        if in_standard_form:
            stream = library.ZstdCompressor()
            end_block = stream.FLUSH_BLOCK
        else:
            stream = library.ZstdCompressor().compressobj()
            end_block = library.COMPRESSOBJ_FLUSH_BLOCK
        return Compressor(stream.compress, lambda: stream.flush(end_block), stream.flush)

    return Codec(
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
