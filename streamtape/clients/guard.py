"""The network beyond this machine, closed to clients that streamtape doesn't know.

A client that streamtape serves never connects while its requests are answered from a cassette. Any
other would reach the real server, unseen. So sockets are guarded: `socket.socket.connect` and
``connect_ex``, which asyncio's and trio's clients call too. Names are looked up through
`socket.getaddrinfo`, which is listened to, since a socket connects to an address and people know
names.

What a guard in Python can't see: sockets of C, C++ and Rust (pycurl, curl_cffi, grpc, uvloop's
loop), QUIC and other datagrams, and child processes.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from types import FrameType


class NetworkClosedError(RuntimeError):
    """A connection beyond this machine was refused, since a cassette answers in its place.

    Not an OSError: clients take those for the network's failures, and try again.
    """


class UnguardedClientWarning(RuntimeWarning):
    """A client is loaded whose connections no guard in Python sees."""


NATIVE_CLIENTS = (
    "curl_cffi",
    "grpc",
    "primp",
    "pycurl",
    "pyreqwest",
    "rnet",
)
"""Modules that bring sockets of their own, in C, C++ or Rust."""

# The rest of the way from a client to its socket: not to be named as the one that connects.
_PLUMBING = frozenset({*sys.stdlib_module_names, "anyio", "streamtape", "trio", "vcr"})


def _proxies() -> frozenset[tuple[str, int]]:
    """The addresses of the environment's proxies: who connects there means to go further."""
    found = set()
    for name, value in os.environ.items():
        if name.lower().endswith("_proxy") and name.lower() != "no_proxy" and value:
            try:
                parts = urlsplit(value if "//" in value else f"//{value}")
                port = parts.port or {"https": 443}.get(parts.scheme, 80)
            except ValueError:
                continue
            if parts.hostname:
                found.add((parts.hostname, port))
    return frozenset(found)


@dataclass(eq=False)
class Guard:
    """One reason to keep the network closed: an open cassette.

    ``name``: whose. ``trouble`` is told of each connection that was refused; ``allowed``: names and
    addresses that may be connected to all the same.
    """

    name: str
    trouble: Callable[[Exception], object]
    allowed: frozenset[str] = frozenset()
    proxies: frozenset[tuple[str, int]] = field(default_factory=_proxies)


_lock = threading.RLock()
_guards: list[Guard] = []
_openings = 0
_patches = ExitStack()
_told: set[str] = set()
# By address: the names that were looked up and led there.
_names: dict[str, set[str]] = {}
_permitted: ContextVar[bool] = ContextVar("streamtape_network_permitted", default=False)


@contextmanager
def closed(guard: Guard) -> Iterator[None]:
    """Keep the network beyond this machine closed inside the block.

    Opening a cassette that may record opens the network too, see `opened`.
    """
    with _lock:
        if not _guards:
            _patch()
        _guards.append(guard)
    try:
        yield
    finally:
        with _lock:
            _guards.remove(guard)
            if not _guards:
                _patches.close()
                _names.clear()
        _warn_of_native_clients(guard.name)


@contextmanager
def opened() -> Iterator[None]:
    """Open the network inside the block, whoever closed it: something is being recorded."""
    global _openings  # noqa: PLW0603 - a count beside the list that it overrules
    with _lock:
        _openings += 1
    try:
        yield
    finally:
        with _lock:
            _openings -= 1


@contextmanager
def permitted() -> Iterator[None]:
    """Let the connections through that are made inside the block, by this task or thread.

    For a request that a cassette was asked about, and which it leaves to the network.
    """
    token = _permitted.set(True)
    try:
        yield
    finally:
        _permitted.reset(token)


def _patch() -> None:
    """Put the guard into `socket`, until ``_patches`` is closed."""
    owner = socket.socket
    for name in ("connect", "connect_ex"):
        if name in vars(owner):
            _patches.callback(setattr, owner, name, vars(owner)[name])
        else:  # inherited from C: taking ours off uncovers it
            _patches.callback(delattr, owner, name)
        setattr(owner, name, _guarding(getattr(owner, name)))
    real = socket.getaddrinfo
    _patches.callback(setattr, socket, "getaddrinfo", real)
    socket.getaddrinfo = _listening(real)


def _guarding(real: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def connect(self: socket.socket, address: Any, /) -> Any:
        _check(self, address)
        return real(self, address)

    return connect


def _listening(real: Callable[..., Any]) -> Callable[..., Any]:
    def getaddrinfo(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        try:
            found = real(host, port, *args, **options)
        except socket.gaierror:
            # Where there is no network this is as far as a client comes.
            _refuse_lookup(host, port)
            raise
        if host:
            name = host.decode() if isinstance(host, bytes) else host
            for *_, address in found:
                _names.setdefault(address[0], set()).add(name)
        return found

    return getaddrinfo


def _check(sock: socket.socket, address: Any) -> None:
    """Raise `NetworkClosedError` where *sock* is to connect beyond this machine."""
    if (
        sock.family not in {socket.AF_INET, socket.AF_INET6}
        or sock.type != socket.SOCK_STREAM
        or not isinstance(address, tuple)
    ):
        return
    host, port = str(address[0]), int(address[1])
    try:
        _refuse(host, port, _names.get(host, set()) - {host})
    except NetworkClosedError:
        sock.close()  # clients do that where they expect what goes wrong
        raise


def _refuse_lookup(host: Any, port: Any) -> None:
    """Tell of a name that couldn't be looked up; the client hears of that in its own way."""
    if host is None or not str(port or "").isdecimal():
        return
    try:
        _refuse(host.decode() if isinstance(host, bytes) else host, int(port), set())
    except NetworkClosedError:
        return


def _refuse(host: str, port: int, names: Iterable[str]) -> None:
    with _lock:
        if _openings or not _guards or _permitted.get():
            return
        guard = _guards[-1]
        if {host, *names} & guard.allowed:
            return
        proxy = (host, port) in guard.proxies or any(
            (name, port) in guard.proxies for name in names
        )
        if _is_local(host) and not proxy:
            return
    named = sorted(names)
    where = f"{' = '.join([*named, host])} port {port}" + (", a proxy" if proxy else "")
    allow = named[0] if named else host
    error = NetworkClosedError(
        f"{_client()} would connect to {where}, while {guard.name} answers in the network's place"
        " and may not record. It was refused: streamtape has no tape for a client that it doesn't"
        " know. Use one that it serves (httpx, httpx2, aiohttp, urllib3, requests), or point this"
        f" one at a replay server (fixture stream_server); if it is to connect, say allow_hosts="
        f"({allow!r},) to use_cassette or the marker, streamtape_allow_hosts in the ini file, or"
        " guard=False"
    )
    guard.trouble(error)
    raise error


def _is_local(host: str) -> bool:
    """Whether *host*, an address or a name, is this machine's own."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")  # RFC 6761, section 6.3
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


def _client() -> str:
    """Who is about to connect: the nearest code that isn't only the way to a socket."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the stack is the only witness
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in _PLUMBING:
            return f"{package} ({frame.f_code.co_filename}:{frame.f_lineno})"
        frame = frame.f_back
    return "a thread of its own"


def _warn_of_native_clients(name: str) -> None:
    loaded = [module for module in NATIVE_CLIENTS if module in sys.modules and module not in _told]
    if not loaded:
        return
    _told.update(loaded)
    warnings.warn(
        f"{', '.join(loaded)}: loaded while {name} was open. What it connects to, no guard in"
        " Python sees: its requests are neither answered from a cassette nor refused. Point it at a"
        " replay server (fixture stream_server, `streamtape serve`), or say guard=False, and no"
        " more of this is said",
        UnguardedClientWarning,
        stacklevel=2,
    )
