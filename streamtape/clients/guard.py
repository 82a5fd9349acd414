"""The network beyond this machine, closed to clients that streamtape doesn't know.

A client that streamtape serves never connects while its requests are answered from a cassette. Any
other would reach the real server, unseen.

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from streamtape.clients.sockets import watched

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
_PLUMBING = frozenset(
    {*sys.stdlib_module_names, "aiohappyeyeballs", "anyio", "streamtape", "trio", "vcr"}
)
_PORTS = {
    "https": 443,
    "socks": 1080,
    "socks4": 1080,
    "socks4a": 1080,
    "socks5": 1080,
    "socks5h": 1080,
}
_LOOPBACK = "a loopback address"


def _proxies() -> frozenset[tuple[str, int]]:
    """The addresses of the environment's proxies: who connects there means to go further."""
    found = set()
    for name, value in os.environ.items():
        if name.lower().endswith("_proxy") and name.lower() != "no_proxy" and value:
            try:
                parts = urlsplit(value if "//" in value else f"//{value}")
                port = parts.port or _PORTS.get(parts.scheme.lower(), 80)
            except ValueError:
                continue
            if parts.hostname:
                found.add((_one_name(parts.hostname), port))
    return frozenset(found)


@dataclass(eq=False)
class Guard:
    """One reason to keep the network closed: an open cassette, or a tape that is played.

    ``name``: whose. ``trouble`` is told of each connection that was refused; ``allowed``: names and
    addresses that may be connected to all the same.
    """

    name: str
    trouble: Callable[[Exception], object]
    allowed: frozenset[str] = frozenset()

    def connecting(self, host: str, port: int, names: frozenset[str]) -> None:
        """Raise `NetworkClosedError` where *host* is beyond this machine, and not allowed."""
        with _lock:
            # Of cassettes inside each other the inner one answers.
            if _openings or _permitted.get() or not _guards or _guards[-1] is not self:
                return
        proxies = _proxies()
        proxy = any((_one_name(each), port) in proxies for each in (host, *names))
        if (_is_local(host) and not proxy) or self.allows({host, *names}):
            return
        named = sorted(names)
        where = f"{' = '.join([*named, host])} port {port}" + (", a proxy" if proxy else "")
        allow = named[0] if named else host
        error = NetworkClosedError(
            f"{_client()} would connect to {where}, while {self.refusal(allow)}"
        )
        self.trouble(error)
        raise error

    def allows(self, hosts: set[str]) -> bool:
        """Whether what has one of these names and addresses may be connected to."""
        return not hosts.isdisjoint(self.allowed)

    def refusal(self, host: str) -> str:
        """Why a connection was refused, and how to allow *host*: the end of a sentence."""
        return (
            f"{self.name} answers in the network's"
            " place and may not record. It was refused: streamtape has no tape for a client that it"
            " doesn't know. Use one that it serves (httpx, httpx2, aiohttp, urllib3, requests), or"
            " point this one at a replay server (fixture stream_server); if it is to connect, say"
            f" allow_hosts=({host!r},) to use_cassette or the marker, streamtape_allow_hosts in"
            " the ini file, or guard=False, which play() takes too"
        )

    def not_found(self, host: str, port: int) -> None:
        """Tell of it as of a connection; the client hears of it in its own way."""
        with suppress(NetworkClosedError):
            self.connecting(host, port, frozenset())


_lock = threading.RLock()
_guards: list[Guard] = []
_openings = 0
_told: set[str] = set()
_permitted: ContextVar[bool] = ContextVar("streamtape_network_permitted", default=False)


@contextmanager
def closed(guard: Guard, *, natives: bool = True) -> Iterator[None]:
    """Keep the network beyond this machine closed inside the block.

    Opening a cassette that may record opens the network too, see `opened`. *natives*: warn of
    clients that no guard sees.
    """
    with watched(guard):
        with _lock:
            _guards.append(guard)
        try:
            yield
        finally:
            with _lock:
                _guards.remove(guard)
    if natives:
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


def _one_name(host: str) -> str:
    """*host*, by the same name however a loopback address is spelled."""
    return _LOOPBACK if _is_loopback(host) else host


def _is_local(host: str) -> bool:
    """Whether *host*, an address or a name, is this machine's own."""
    return _is_loopback(host) or _is_own(host)


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")  # RFC 6761, section 6.3
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


@cache
def _is_own(host: str) -> bool:
    """Whether *host* is the address of one of this machine's interfaces: only then can one bind it.

    In a container the machine's own name leads to such an address.
    """
    try:
        family = {4: socket.AF_INET, 6: socket.AF_INET6}[ipaddress.ip_address(host).version]
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.bind((host, 0))
    except (OSError, ValueError):
        return False
    return True


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
