"""The content codings of HTTP, chunk by chunk: gzip, deflate, br and zstd.

A tape keeps its body decoded and remembers the coding; on replay the body is encoded again, flushed
at each chunk.
"""

from __future__ import annotations

from streamtape.codings.headers import named_in, normalise, without_coding
from streamtape.codings.libraries import available
from streamtape.codings.names import (
    CODINGS,
    CodingError,
    MissingCodingError,
    UnsupportedCodingError,
)
from streamtape.codings.streams import Decoded, Decoder, Encoder, decode_body, decode_chunks

__all__ = [
    "CODINGS",
    "CodingError",
    "Decoded",
    "Decoder",
    "Encoder",
    "MissingCodingError",
    "UnsupportedCodingError",
    "available",
    "decode_body",
    "decode_chunks",
    "named_in",
    "normalise",
    "without_coding",
]
