"""The tee and the player inside urllib3, and so inside requests and botocore.

The seam is a connection's socket: `urllib3_socket.StandIn`. Above it lies everything that urllib3
and its users do to a response, below it the network.
"""

from __future__ import annotations

import builtins
import errno
import importlib
import importlib.util
import re
import ssl
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any

from streamtape.clients.breaks import cut_short
from streamtape.clients.routing import current
from streamtape.clients.urllib3_socket import StandIn

if TYPE_CHECKING:
    from types import ModuleType

    from streamtape.clients.playback import PlayedError
    from streamtape.tape import ErrorKind

_here = threading.local()
"""``dialing``: this thread makes a real connection."""


def patches(module: ModuleType) -> Iterator[tuple[type, str, Callable[..., object]]]:
    """What to put in place of the methods of the connections in *module*, which is urllib3."""
    if (why := _unserved(module)) is not None:
        pool = importlib.import_module("urllib3.connectionpool").HTTPConnectionPool
        yield pool, "urlopen", _refusing(pool.__dict__["urlopen"], why)
        return
    connection = importlib.import_module("urllib3.connection")
    for owner in (connection.HTTPConnection, connection.HTTPSConnection):
        yield owner, "connect", _connecting(owner.__dict__["connect"])
    owner = connection.HTTPConnection
    yield owner, "putrequest", _requesting(owner.__dict__["putrequest"])


def _unserved(module: ModuleType) -> str | None:
    """Why what is installed as urllib3 can't be served, or None where it can."""
    if hasattr(module, "AsyncPoolManager"):
        return (
            "urllib3-future stands in the place of urllib3 here, as niquests installs it. Install"
            " it beside urllib3, with URLLIB3_NO_OVERRIDE=1 and --no-binary urllib3-future"
        )
    if module.__version__.startswith("1."):
        return f"urllib3 {module.__version__} is installed here. Install urllib3 2"
    return None


def _refusing(real: Callable[..., Any], why: str) -> Callable[..., Any]:
    @wraps(real)
    def urlopen(pool: Any, *args: Any, **kwargs: Any) -> Any:
        if current() is not None:
            raise RuntimeError(
                "streamtape can't record or replay what urllib3 sends, and requests with it: it"
                f" would go past the cassette. {why}"
            )
        return real(pool, *args, **kwargs)

    return urlopen


def _connecting(real: Callable[..., None]) -> Callable[..., None]:
    @wraps(real)
    def connect(connection: Any) -> None:
        if current() is None or getattr(_here, "dialing", False):
            real(connection)
            return
        _stand_in(connection)
        if connection.default_port == 443:
            # What a real connection would find, so that a pool warns as it would.
            required = importlib.import_module("urllib3.util.ssl_").resolve_cert_reqs
            connection.is_verified = bool(
                connection.assert_fingerprint or required(connection.cert_reqs) != ssl.CERT_NONE
            )

    return connect


def _requesting(real: Callable[..., None]) -> Callable[..., None]:
    """Before a request: a connection that was made otherwise gets its stand-in now.

    One that a pool kept from before the session, and one of a class that connects in its own way.
    """

    @wraps(real)
    def putrequest(connection: Any, *args: Any, **kwargs: Any) -> None:
        if current() is not None and not isinstance(connection.sock, StandIn):
            _stand_in(connection, connection.sock)
        real(connection, *args, **kwargs)

    return putrequest


def _stand_in(connection: Any, sock: Any = None) -> None:
    connection.sock = StandIn(_Seam(connection), timeout=connection.timeout, real=sock)


class _Seam:
    """A connection, as its stand-in sees it."""

    def __init__(self, connection: Any) -> None:
        # Weakly: a response that is dropped with its connection must not wait for a collection.
        self._reference = weakref.ref(connection)

    @property
    def _connection(self) -> Any:
        """Alive whenever something is sent or read."""
        return self._reference()

    def base(self) -> str:
        connection = self._connection
        scheme = "https" if connection.default_port == 443 else "http"
        # A tunnel is to where the request goes, the connection itself to a proxy.
        host, port = connection.host, connection.port
        if connection._tunnel_host:  # noqa: SLF001 - urllib3 tells nobody
            host, port = connection._tunnel_host, connection._tunnel_port  # noqa: SLF001 - as above
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        default = {"http": 80, "https": 443}[scheme]
        return f"{scheme}://{host}" if port in {None, default} else f"{scheme}://{host}:{port}"

    def dial(self, stand_in: StandIn) -> Any:
        connection = self._connection
        _here.dialing, connection.sock = True, None
        try:
            connection.connect()
        except BaseException:
            if connection.sock is not None:
                connection.sock.close()
            raise
        finally:
            _here.dialing = False
            real, connection.sock = connection.sock, stand_in
        return real

    def address(self) -> tuple[str, int]:
        connection = self._connection
        return connection.host, connection.port

    def reached(self, error: ErrorKind | None) -> None:
        connection = self._connection
        # Else urllib3 blames the proxy for what comes later.
        connection._has_connected_to_proxy = bool(connection.proxy) and error not in {  # noqa: SLF001 - as above
            "connect",
            "connect-timeout",
        }

    def told_by(self, exc: Exception) -> tuple[ErrorKind, str] | None:
        return told_by(exc)

    def exception(self, played: PlayedError) -> Exception:
        return raised_for(played.error, played.text, self._connection)


_ERRNO = re.compile(r"\[Errno (\d+)\] (.*)", re.DOTALL)
_NAMED = re.compile(r"(\w+): (.*)", re.DOTALL)
_UNRESOLVED = re.compile(r"Failed to resolve '(.*)' \((.*)\)", re.DOTALL)
_NOT_CONNECTED = "Failed to establish a new connection: "


def told_by(exc: Exception) -> tuple[ErrorKind, str] | None:
    """What *exc*, raised while a connection was made, means; None: the client refused to make one.

    The text of an exception that isn't urllib3's begins with its class.
    """
    exceptions = importlib.import_module("urllib3.exceptions")
    text = str(exc.args[-1] if exc.args else exc)
    if isinstance(exc, exceptions.NewConnectionError):
        # What stands before names the connection object.
        return "connect", text.partition(": ")[2] or text
    if isinstance(exc, exceptions.ConnectTimeoutError):
        return "connect-timeout", text
    if isinstance(exc, TimeoutError):
        return "connect-timeout", f"TimeoutError: {exc}"
    if isinstance(exc, (OSError, exceptions.ProxyError, exceptions.SSLError)):
        return "connect", f"{type(exc).__name__}: {exc}"
    return None


def raised_for(error: ErrorKind, text: str, connection: Any) -> Exception:
    """What a socket raises where a stream breaks so, or urllib3 where it makes a connection.

    urllib3 and requests make their own errors of it. ``protocol`` is none, they see it themselves,
    unless a length was cut short that isn't promised again.
    """
    exceptions = importlib.import_module("urllib3.exceptions")
    raised: Exception
    if error in {"connect", "connect-timeout"}:
        raised = _connect_error(exceptions, error, text, connection)
    elif error == "read-timeout":
        raised = TimeoutError(text or "timed out")
    elif error == "protocol" and (short := cut_short(text)):
        came, promised = short
        raised = exceptions.IncompleteRead(came, promised - came)
    elif error == "pool":
        raised = exceptions.EmptyPoolError(connection, text)
    elif match := _ERRNO.fullmatch(text):
        raised = OSError(int(match[1]), match[2])
    elif text.startswith("[SSL"):
        raised = ssl.SSLError(1, text)
    elif error == "write":
        timed_out = "timed out" in text
        raised = TimeoutError(text) if timed_out else BrokenPipeError(errno.EPIPE, text)
    else:
        raised = ConnectionResetError(errno.ECONNRESET, text or "Connection reset by peer")
    return raised


def _connect_error(
    exceptions: ModuleType, error: ErrorKind, text: str, connection: Any
) -> Exception:
    raised: Exception
    if match := _NAMED.fullmatch(text):
        kind = getattr(builtins, match[1], None) or getattr(ssl, match[1], None)
        if isinstance(kind, type) and issubclass(kind, OSError):
            numbered = _ERRNO.fullmatch(match[2])
            if numbered:
                return kind(int(numbered[1]), numbered[2])
            return kind(1, match[2]) if issubclass(kind, ssl.SSLError) else kind(match[2])
    if error == "connect-timeout":
        raised = exceptions.ConnectTimeoutError(connection, text)
    elif match := _UNRESOLVED.fullmatch(text):
        raised = exceptions.NameResolutionError(match[1], connection, match[2])
    else:
        named = text if text.startswith(_NOT_CONNECTED) else _NOT_CONNECTED + text
        raised = exceptions.NewConnectionError(connection, named)
    return raised
