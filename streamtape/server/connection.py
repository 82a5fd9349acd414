"""One connection of a client: bytes in, bytes out, and every way to end it."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

import anyio

from streamtape.clock import now_ns
from streamtape.server.queues import is_loopback

if TYPE_CHECKING:
    from streamtape.server.queues import Queues

_READ = 1 << 16
# What a client may send ahead while it is being answered: more has to wait in its own kernel.
_AHEAD = 1 << 20
_UNTOLD_PAUSE = 0.02
_SPINS = 5
_FIRST_PAUSE, _LAST_PAUSE = 0.0005, 0.02
# So long and so much a client may go on sending after the last answer, before it is cut off.
_LINGER_SECONDS = 1.0
_LINGER_BYTES = 1 << 20

Gone = Literal["closed", "reset"]


class LeftError(Exception):
    """The client is gone."""


class Connection:
    """An accepted socket. ``left`` tells how the client left, once that is known."""

    def __init__(self, accepted: socket.socket, number: int, queues: Queues) -> None:
        accepted.settimeout(0)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = accepted
        self.number = number
        self.left: Gone | None = None
        self.left_ns = 0
        self.written = 0
        self._queues = queues
        self._told = queues.visible and is_loopback(accepted.getpeername()[0])
        self._ahead = bytearray()
        self._finished = anyio.Event()
        self._sent_ns = now_ns()

    # ---- bytes in

    async def receive(self) -> bytes:
        """What has come, waiting for it if need be; empty once the client sends no more.

        Raises `LeftError` where it reset the connection.
        """
        if not self._ahead and not self._finished.is_set():
            await self._read()
        data = bytes(self._ahead)
        self._ahead.clear()
        return data

    async def watch(self) -> None:
        """Return when the client is gone: run beside what answers it. Reads what it sends ahead.

        One that sends no more may still read (a half-closed connection). Whether it is there the
        kernel's tables tell; where there are none, the next write to it does.
        """
        try:
            while not self._finished.is_set():
                if len(self._ahead) >= _AHEAD:
                    await anyio.sleep_forever()
                await self._read()
        except LeftError:
            return
        pause = _FIRST_PAUSE
        while self.left is None:
            if not self._told:
                await anyio.sleep_forever()
            if self._look()[0] == "gone":
                self._see_off()
            else:
                await anyio.sleep(pause)
                pause = min(pause * 2, 0.1)

    async def stalled(self) -> None:
        """Wait until the client sends no more, while `watch` runs, and raise `LeftError`.

        Who is given nothing shows by that that it left, even if it could still read.
        """
        await self._finished.wait()
        self._leave("closed")
        raise LeftError

    async def _read(self) -> None:
        """Read once. What is there already is read without a turn of the event loop."""
        while True:
            try:
                data = self.socket.recv(_READ)
                break
            except (BlockingIOError, InterruptedError):
                await anyio.wait_readable(self.socket)
            except OSError as error:
                self._leave("reset")
                raise LeftError from error
        self._ahead += data
        if not data:
            self._finished.set()

    # ---- bytes out

    async def send(self, data: bytes) -> None:
        """Hand *data* to the kernel, all of it in one call unless that takes less.

        Raises `LeftError`.
        """
        view = memoryview(data)
        while view:
            try:
                sent = self.socket.send(view)
            except (BlockingIOError, InterruptedError):
                await anyio.wait_writable(self.socket)
                continue
            except OSError as error:
                self._leave("closed" if self._finished.is_set() else "reset")
                raise LeftError from error
            self.written += sent
            view = view[sent:]
        self._sent_ns = now_ns()

    async def taken(self) -> None:
        """Wait until the client has read all that was sent. 20 ms where that can't be known.

        Raises `LeftError` where it will read no more.
        """
        if not self._told:
            await anyio.sleep(_UNTOLD_PAUSE)
            return
        pause, looks, before = _FIRST_PAUSE, 0, -1
        while True:
            reading, unacknowledged = self._look()
            if reading == "gone":
                self._see_off()
                raise LeftError
            # Twice the same: only the acknowledgement is missing, nothing is on its way.
            if reading == "taken" and unacknowledged in (0, before):
                return
            before = unacknowledged if reading == "taken" else -1
            looks += 1
            if looks <= _SPINS:
                await anyio.lowlevel.checkpoint()
            else:
                await anyio.sleep(pause)
                pause = min(pause * 1.5, _LAST_PAUSE)

    def has_taken(self) -> bool:
        """Whether the client has read all that was sent, as far as can be known without waiting."""
        if self.left is None and self._told:
            reading, _ = self._look()
            if reading == "taken":
                return True
            if reading == "gone":
                self._see_off()
        return self.left == "closed"

    def _look(self) -> tuple[str, int]:
        try:
            return self._queues.look(self.socket, self._sent_ns)
        except OSError:  # no peer any more
            return "gone", 0

    def _see_off(self) -> None:
        """The other end is gone: the last that it sent tells how."""
        try:
            while data := self.socket.recv(_READ):
                self._ahead += data
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._leave("reset")
        self._leave("closed")

    def _leave(self, how: Gone) -> None:
        if self.left is None:
            self.left, self.left_ns = how, now_ns()

    # ---- ends

    def reset(self) -> None:
        """End it with a reset (RST)."""
        with suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    async def finish(self, *, wait: bool = False) -> None:
        """Send no more, and close when the client has closed too, or soon.

        A socket that is closed while something lies in it unread is reset by the kernel, and the
        client may then lose what was sent. *wait*: without a limit.
        """
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
        left = _LINGER_BYTES
        with anyio.move_on_after(None if wait else _LINGER_SECONDS), suppress(LeftError):
            while not self._finished.is_set() and (wait or left > 0):
                left -= len(self._ahead)
                self._ahead.clear()
                await self._read()
                await anyio.lowlevel.checkpoint()  # others have their turn, and the limit its say
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()
