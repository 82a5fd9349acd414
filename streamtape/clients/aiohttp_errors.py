"""aiohttp's exceptions and the kinds of failure that a tape knows: one table, read both ways."""

from __future__ import annotations

import asyncio
import errno
import re
import textwrap
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

if TYPE_CHECKING:
    from streamtape.clients.playback import PlayedError
    from streamtape.tape import ErrorKind

# Those that aiohttp had under their base class's name only, before 3.10.
SocketTimeoutError: type[Exception] = getattr(
    aiohttp, "SocketTimeoutError", aiohttp.ServerTimeoutError
)
ConnectionTimeoutError: type[Exception] = getattr(
    aiohttp, "ConnectionTimeoutError", aiohttp.ServerTimeoutError
)

# For each kind: the exceptions that mean it, then what is raised on replay, before the head and in
# the body. From most to least specific.
_ERRORS: tuple[tuple[ErrorKind, tuple[type[Exception], ...], tuple[type[Exception], ...]], ...] = (
    (
        "connect",
        (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError),
        (aiohttp.ClientConnectorError, aiohttp.ClientPayloadError),
    ),
    (
        "connect-timeout",
        (() if ConnectionTimeoutError is SocketTimeoutError else (ConnectionTimeoutError,)),
        (ConnectionTimeoutError, ConnectionTimeoutError),
    ),
    ("pool", (), (ConnectionTimeoutError, ConnectionTimeoutError)),
    (
        "read-timeout",
        (SocketTimeoutError, aiohttp.ServerTimeoutError, asyncio.TimeoutError),
        (SocketTimeoutError, SocketTimeoutError),
    ),
    (
        "protocol",
        (
            aiohttp.ServerDisconnectedError,
            aiohttp.ClientPayloadError,
            aiohttp.ClientResponseError,
            HttpProcessingError,
        ),
        (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError),
    ),
    # No class of its own: what it says in place of a response tells it, see `kind_of`.
    ("write", (), (aiohttp.ClientOSError, aiohttp.ClientPayloadError)),
    (
        "read",
        (aiohttp.ClientConnectionError, OSError),
        (aiohttp.ClientOSError, aiohttp.ClientPayloadError),
    ),
)
# What is no HTTP, as aiohttp says it and as h11 does. It isn't asked for a second time, as it is
# where a server has gone.
_REFUSED = re.compile(r"(\d{3}), message:\n(.*)", re.DOTALL)
_ILLEGAL = "illegal "
# aiohttp takes a reset for the end of a body that nothing else ends: its user heard of none.
_UNHEARD = " (which aiohttp took for the end of the body)"
_UNWRITTEN = ("Can not write request body", "Failed to send bytes", "Cannot write to closing")


def kind_of(exc: BaseException) -> ErrorKind:
    """What *exc* of aiohttp's means for a stream."""
    if isinstance(exc, aiohttp.ClientConnectionError) and text_of(exc).startswith(_UNWRITTEN):
        return "write"
    return next((kind for kind, classes, _ in _ERRORS if isinstance(exc, classes)), "read")


def text_of(exc: BaseException) -> str:
    """What *exc* says, without what its class says before it (an errno, a host)."""
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    if isinstance(exc, aiohttp.ServerDisconnectedError):
        return exc.message if isinstance(exc.message, str) else "Server disconnected"
    return str(exc)


def exception_of(played: PlayedError, key: Any, *, head: bool) -> Exception:
    """What aiohttp raises where a stream breaks so: before its head, or after it (*head*).

    *key*: the connection's, whose host a failure to connect names.
    """
    if not head and (refused := _refused(played)) is not None:
        return refused
    early, late = next(classes for kind, _, classes in _ERRORS if kind == played.error)
    raised = late if head else early
    if raised is aiohttp.ClientConnectorError:
        return aiohttp.ClientConnectorError(key, OSError(errno.ECONNREFUSED, played.text))
    if raised is aiohttp.ClientOSError:
        code = errno.EPIPE if played.error == "write" else errno.ECONNRESET
        return aiohttp.ClientOSError(code, played.text)
    return raised(played.text)


def _refused(played: PlayedError) -> HttpProcessingError | None:
    if played.error != "protocol":
        return None
    if match := _REFUSED.fullmatch(played.text):
        message = textwrap.dedent(match[2])
        return HttpProcessingError(code=int(match[1]), message=message)
    if played.text.startswith(_ILLEGAL):
        return HttpProcessingError(code=400, message=played.text)
    return None


def unheard(exc: BaseException) -> str:
    """The text of a reset that aiohttp took for the end of a body."""
    return text_of(exc) + _UNHEARD


def was_unheard(played: PlayedError) -> bool:
    """Whether *played* is such a reset: aiohttp's user gets the end of the body."""
    return played.error == "read" and played.text.endswith(_UNHEARD)


def timed_out(timer: Any) -> bool:
    """Whether aiohttp's total timeout has struck, whose *timer* this is.

    It cancels whoever waits: what is seen from below looks like a client that leaves.
    """
    return bool(getattr(timer, "_cancelled", False))
