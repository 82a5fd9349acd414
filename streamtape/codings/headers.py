"""What headers say of a content coding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamtape.codings.libraries import available
from streamtape.codings.names import CODINGS, UnsupportedCodingError

if TYPE_CHECKING:
    from collections.abc import Iterable


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
