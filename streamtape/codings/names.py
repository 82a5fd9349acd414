"""What the content codings are called, and what can be wrong with one."""

from __future__ import annotations

CODINGS = ("gzip", "deflate", "br", "zstd")
"""The names of the codings, as they stand in a timeline and in ``content-encoding``."""


class CodingError(ValueError):
    """A body is not what its content coding says."""


class UnsupportedCodingError(CodingError):
    """A coding that is not one of `CODINGS`, or more than one at a time."""


class MissingCodingError(CodingError):
    """A coding whose library is not installed."""
