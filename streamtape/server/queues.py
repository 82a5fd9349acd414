"""Whether the other end of a connection on this machine has read what was sent to it.

Writes that a client has not read yet merge in its receive queue, and its next read gets them all as
one. Linux tells how long that queue is, for sockets of this network namespace: at once when asked
through netlink (sock_diag(7)), or in the tables ``/proc/net/tcp`` and ``/proc/net/tcp6``, whose
making may take the kernel 20 ms. Where nobody tells, a pause has to do.
"""

from __future__ import annotations

import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Literal, Protocol

from streamtape.clock import now_ns

Reading = Literal["taken", "waiting", "gone"]
"""What the other end did: it has read everything, it has not, or nobody is there to read."""

Address = tuple[str, int]

_ESTABLISHED, _FIN_WAIT_1, _FIN_WAIT_2, _CLOSE_WAIT, _LISTEN = 1, 4, 5, 8, 10


@dataclass(frozen=True, slots=True)
class End:
    """One end of a connection: what it hasn't read, and what of its own isn't acknowledged."""

    state: int
    unread: int
    unacknowledged: int
    inode: int

    @property
    def is_held(self) -> bool:
        """Whether a program has it open: one that it closed lives on for a while."""
        if self.state in (_FIN_WAIT_1, _FIN_WAIT_2):
            return self.inode != 0
        return self.state in (_ESTABLISHED, _CLOSE_WAIT)


class Source(Protocol):
    """Where the kernel tells of its connections."""

    def end(self, local: Address, remote: Address, since_ns: int) -> End | None:
        """The end at *local*, not as it was before *since_ns*; None where there is none."""

    def close(self) -> None:
        """Free what it holds."""


class Queues:
    """Asks the kernel about the clients of *listener*, in the best way that there is."""

    def __init__(self, listener: socket.socket) -> None:
        self._source: Source | None = None
        if sys.platform == "linux":
            name = listener.getsockname()[:2]
            for kind in (Netlink, Tables):
                if _shows(kind, name):
                    self._source = kind()
                    break

    @property
    def visible(self) -> bool:
        """Whether the kernel tells."""
        return self._source is not None

    def look(self, connection: socket.socket, since_ns: int) -> tuple[Reading, int]:
        """What the client of *connection* did with what was sent until *since_ns*.

        And how many bytes it hasn't acknowledged. Those may have been read already, since a kernel
        may wait for 40 ms before it says so.

        Raises OSError where *connection* is broken.
        """
        assert self._source is not None
        ours, theirs = connection.getsockname()[:2], connection.getpeername()[:2]
        client = self._source.end(theirs, ours, since_ns)
        own = self._source.end(ours, theirs, since_ns)
        unacknowledged = 0 if own is None else own.unacknowledged
        if client is None or not client.is_held:
            return "gone", unacknowledged
        return ("waiting" if client.unread else "taken"), unacknowledged

    def close(self) -> None:
        """Ask no more."""
        if self._source is not None:
            self._source.close()


class Netlink:
    """sock_diag(7): one question and one answer for each socket."""

    _PROTOCOL = 4  # NETLINK_SOCK_DIAG
    _BY_FAMILY, _REQUEST = 20, 1
    _HEADER = struct.Struct("=IHHII")
    _QUESTION = struct.Struct("=BBBBI")
    _ANSWER = struct.Struct("=BBBB48xIIIII")
    _NO_COOKIE = b"\xff" * 8

    def __init__(self) -> None:
        self._socket = socket.socket(
            getattr(socket, "AF_NETLINK"),  # noqa: B009  # only Linux has it
            socket.SOCK_RAW,
            self._PROTOCOL,
        )
        self._socket.settimeout(1.0)  # it answers within the call that asks

    def end(self, local: Address, remote: Address, since_ns: int) -> End | None:
        """As `Source`. Raises OSError where the kernel doesn't answer."""
        del since_ns
        here, there = _address(local[0]), _address(remote[0])
        family = socket.AF_INET if isinstance(here, IPv4Address) else socket.AF_INET6
        question = self._QUESTION.pack(family, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF) + b"".join(
            (
                struct.pack("!HH", local[1], remote[1]),
                here.packed.ljust(16, b"\0"),
                there.packed.ljust(16, b"\0"),
                bytes(4),
                self._NO_COOKIE,
            )
        )
        length = self._HEADER.size + len(question)
        self._socket.send(
            self._HEADER.pack(length, self._BY_FAMILY, self._REQUEST, 0, 0) + question
        )
        answer = self._socket.recv(8192)
        _, kind, *_ = self._HEADER.unpack_from(answer)
        if kind != self._BY_FAMILY:
            return None
        _, state, _, _, _, unread, unacknowledged, _, inode = self._ANSWER.unpack_from(
            answer, self._HEADER.size
        )
        return End(state, unread, unacknowledged, inode)

    def close(self) -> None:
        """Free the socket."""
        self._socket.close()


class Tables:
    """The tables of procfs, read when asked and not more often than needed."""

    _PATHS = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
    # Many that wait share one look.
    _FRESH_NS = 300_000

    def __init__(self) -> None:
        self._text = b""
        self._read_ns = 0

    def end(self, local: Address, remote: Address, since_ns: int) -> End | None:
        """As `Source`."""
        if self._read_ns < max(since_ns, now_ns() - self._FRESH_NS):
            self._read_ns = now_ns()
            self._text = b""
            for path in self._PATHS:
                with suppress(OSError):
                    self._text += path.read_bytes()
        # A socket for both families is in the other table, under its address of IPv6.
        for mapped in (False, True):
            ends = _written(local, mapped=mapped), _written(remote, mapped=mapped)
            at = self._text.find(b" %b %b " % ends)
            if at >= 0:
                fields = self._text[at : self._text.find(b"\n", at)].split()
                unacknowledged, unread = (int(field, 16) for field in fields[3].split(b":"))
                return End(int(fields[2], 16), unread, unacknowledged, int(fields[8]))
        return None

    def close(self) -> None:
        """Nothing is held."""


def is_loopback(host: str) -> bool:
    """Whether *host*, an address, is of this machine only."""
    return _address(host).is_loopback


def _shows(kind: type[Netlink | Tables], name: Address) -> bool:
    """Whether a listener of that *name* is seen: a sandbox may have no sockets to show."""
    nobody = "0.0.0.0" if isinstance(_address(name[0]), IPv4Address) else "::"  # noqa: S104 - not to bind to
    try:
        source = kind()
    except OSError:
        return False
    try:
        found = source.end(name, (nobody, 0), now_ns())
    except OSError:
        return False
    finally:
        source.close()
    return found is not None and found.state == _LISTEN


def _address(host: str) -> IPv4Address | IPv6Address:
    """An address without its zone; one of IPv4 as such, also where a socket maps it to IPv6."""
    found = ip_address(host.partition("%")[0])
    return (isinstance(found, IPv6Address) and found.ipv4_mapped) or found


def _written(address: Address, *, mapped: bool) -> bytes:
    """An address as the tables write it: words in the machine's byte order."""
    found = _address(address[0])
    packed = found.packed
    if mapped and isinstance(found, IPv4Address):
        packed = b"\0" * 10 + b"\xff\xff" + packed
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return b"%b:%04X" % (b"".join(b"%08X" % word for word in words), address[1])
