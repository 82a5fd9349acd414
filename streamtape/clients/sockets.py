"""Who connects to where, in this process: Python's sockets, listened to.

``socket.socket.connect`` and ``connect_ex`` are what asyncio's and trio's clients call too. Names
are looked up through `socket.getaddrinfo`, since a socket connects to an address and people know
names.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol


class Watcher(Protocol):
    """Is told before a TCP connection is made; what it raises, the client gets in its place."""

    def connecting(self, host: str, port: int, names: frozenset[str]) -> None:
        """A socket is to be connected; *names* are those that were looked up and led to *host*."""

    def not_found(self, host: str, port: int) -> None:
        """*host* couldn't be looked up. The client hears of that, and not what this raises."""


_lock = threading.RLock()
_watchers: list[Watcher] = []
_patches = ExitStack()
_ours: set[Callable[..., Any]] = set()
# By address: the names that were looked up and led there.
_names: dict[str, set[str]] = {}


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Tell *watcher* of every connection inside the block, in whatever thread."""
    with _lock:
        if not _watchers:
            _patch()
        _watchers.append(watcher)
    try:
        yield
    finally:
        with _lock:
            _watchers.remove(watcher)
            if not _watchers:
                _patches.close()
                _names.clear()


def _patch() -> None:
    """Listen to `socket`, until ``_patches`` is closed."""
    for name in ("connect", "connect_ex"):
        _put(socket.socket, name, _told_of)
    _put(socket, "getaddrinfo", _listening)


def _put(owner: Any, name: str, wrapper: Callable[[Callable[..., Any]], Any]) -> None:
    """Wrap what *owner* has under *name*, until ``_patches`` is closed.

    Others patch the same, a test suite's own guard for one, and not always inside of our block:
    what they put in place of ours stays, and where they put ours back it is not wrapped again.
    """
    before = getattr(owner, name)
    if before in _ours:
        return
    inherited = name not in vars(owner)  # from C: taking ours off uncovers it
    ours = wrapper(before)
    _ours.add(ours)
    setattr(owner, name, ours)

    def restore() -> None:
        if vars(owner).get(name) is not ours:
            return
        _ours.discard(ours)
        if inherited:
            delattr(owner, name)
        else:
            setattr(owner, name, before)

    _patches.callback(restore)


def _told_of(real: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def connect(self: socket.socket, address: Any, /) -> Any:
        if (
            self.family in {socket.AF_INET, socket.AF_INET6}
            and self.type == socket.SOCK_STREAM
            and isinstance(address, tuple)
        ):
            host, port = str(address[0]), int(address[1])
            names = frozenset(_names.get(host, ())) - {host}
            try:
                for watcher in tuple(_watchers):
                    watcher.connecting(host, port, names)
            except BaseException:
                self.close()  # clients do that where they expect what goes wrong
                raise
        return real(self, address)

    return connect


def _listening(real: Callable[..., Any]) -> Callable[..., Any]:
    def getaddrinfo(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        try:
            found = real(host, port, *args, **options)
        except socket.gaierror:
            # Where there is no network this is as far as a client comes.
            if name and str(port or "").isdecimal():
                for watcher in tuple(_watchers):
                    watcher.not_found(name, int(port))
            raise
        if name:
            for *_, address in found:
                _names.setdefault(address[0], set()).add(name)
        return found

    return getaddrinfo
