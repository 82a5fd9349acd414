"""A server around a block of code, in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
import warnings
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import anyio

from streamtape.server.queues import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from streamtape.server.log import Exchange
    from streamtape.server.service import Service

_BACKLOG = 1024


class BeyondLoopbackWarning(UserWarning):
    """Other machines can reach a server."""


class Background(ABC):
    """A context manager for plain and for asynchronous code; the server runs inside its block."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._service: Service | None = None
        self._thread: threading.Thread | None = None
        self._running = threading.Event()
        self._stop: Callable[[], object] = lambda: None
        self._url = ""
        self._broken: BaseException | None = None

    @abstractmethod
    def _admit(self, host: str) -> None:
        """Warn where others can connect to *host*, an address. Raises ValueError to refuse it."""

    @abstractmethod
    def _opened(self, listener: socket.socket) -> Service:
        """What serves those who connect to *listener*."""

    @property
    def url(self) -> str:
        """``http://HOST:PORT``, no slash at the end. Raises RuntimeError before the block."""
        if not self._url:
            raise RuntimeError("the server has no address yet: enter its block, `with … as server`")
        return self._url

    @property
    def log(self) -> list[Exchange]:
        """Every request so far, in the order in which they were complete.

        One that isn't over has ``how`` None: wait for it with ``log[0].wait()``. After the block
        all of them are.
        """
        return [] if self._service is None else list(self._service.log)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return 0 if self._service is None else len(self._service.open)

    def stop(self) -> None:
        """Stop before the block ends: what is being written breaks off, and nobody is let in."""
        if self._thread is not None:
            with suppress(RuntimeError):  # it has stopped already
                self._stop()
            self._thread.join()

    def __enter__(self) -> Self:
        """Begin to serve. Raises OSError where the address can't be had."""
        if self._url:
            raise RuntimeError("a server runs once: make another one for another block")
        [(family, _, _, _, address), *_] = socket.getaddrinfo(
            *self._address, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        self._admit(str(address[0]))
        listener = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
        try:
            host, port = listener.getsockname()[:2]
            service = self._opened(listener)
        except BaseException:
            listener.close()
            raise
        self._service = service
        self._url = f"http://{_reachable(host)}:{port}"
        self._thread = threading.Thread(
            target=self._run, args=(service, listener), name=f"replay-{port}", daemon=True
        )
        self._thread.start()
        self._running.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop: what is being written breaks off. Raises the first error of the server's own."""
        assert self._service is not None
        self.stop()
        errors = [*self._service.errors, *([self._broken] if self._broken else [])]
        if errors and exc is None:
            raise errors[0]

    # A few milliseconds, and no wait for anything that runs in this loop: under a virtual clock
    # a thread to wait in would cost hours.

    async def __aenter__(self) -> Self:
        """As ``with`` does."""
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """As ``with`` does."""
        self.__exit__(kind, exc, traceback)

    def _run(self, service: Service, listener: socket.socket) -> None:
        async def main() -> None:
            with anyio.CancelScope() as scope:
                loop = asyncio.get_running_loop()
                self._stop = lambda: loop.call_soon_threadsafe(scope.cancel)
                self._running.set()
                await service.run()

        try:
            # A loop of the plain kind, whatever policy the tests have set: its time is real.
            anyio.run(main, backend_options={"loop_factory": asyncio.SelectorEventLoop})
        except BaseException as error:  # noqa: BLE001 - raised where the block ends
            self._broken = error
        finally:
            self._running.set()
            listener.close()
            service.close()


def warn_beyond_loopback(host: str, what: str) -> None:
    """Warn that other machines can do *what*, where *host* lets them in."""
    if not is_loopback(host):
        warnings.warn(
            f"the server listens on {host}, so other machines can {what}: leave out host= unless"
            " they have to",
            BeyondLoopbackWarning,
            stacklevel=4,
        )


def _reachable(host: str) -> str:
    """An address for clients on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not to bind to
    return f"[{host}]" if ":" in host else host
