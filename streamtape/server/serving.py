"""A replay server around a block of code, in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Self, cast

import anyio

from streamtape.delivery import Delivery
from streamtape.server.queues import is_loopback
from streamtape.server.replay import Replay, Settings, not_virtual
from streamtape.server.wire import Wire
from streamtape.tape import Tape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from streamtape.server.log import Exchange

    Served = Tape | str | os.PathLike[str]

_BACKLOG = 1024


class BeyondLoopbackWarning(UserWarning):
    """Other machines can reach a server."""


class ReplayServer:
    """What `serve` gives: a context manager for plain and for asynchronous code."""

    def __init__(
        self, tapes: list[Tape], settings: Settings, *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        if not tapes:
            raise ValueError("no tapes to serve: give one tape or cassette at least")
        self.tapes = tapes
        """What is served, in order."""
        self._settings = settings
        self._address = (host, port)
        self._replay: Replay | None = None
        self._thread: threading.Thread | None = None
        self._running = threading.Event()
        self._stop: Callable[[], object] = lambda: None
        self._url = ""
        self._broken: BaseException | None = None

    @property
    def url(self) -> str:
        """``http://HOST:PORT``, no slash at the end. Raises RuntimeError before the block."""
        if not self._url:
            raise RuntimeError("the server has no address yet: enter `with serve(…) as server`")
        return self._url

    @property
    def log(self) -> list[Exchange]:
        """Every request so far, in the order in which they were complete.

        One that isn't over has ``how`` None: wait for it with ``log[0].wait()``. After the block
        all of them are.
        """
        return [] if self._replay is None else list(self._replay.log)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return 0 if self._replay is None else len(self._replay.open)

    def stop(self) -> None:
        """Stop before the block ends: what is being written breaks off, and nobody is let in."""
        if self._thread is not None:
            with suppress(RuntimeError):  # it has stopped already
                self._stop()
            self._thread.join()

    def __enter__(self) -> Self:
        """Begin to serve. Raises OSError where the address can't be had."""
        if self._url:
            raise RuntimeError("a server runs once: call serve() again for another block")
        listener = _listening(*self._address)
        try:
            host, port = listener.getsockname()[:2]
            self._replay = Replay(listener, self.tapes, self._settings)
        except BaseException:
            listener.close()
            raise
        if not is_loopback(host):
            warnings.warn(
                f"the server listens on {host}, so other machines can read the tapes: leave out"
                " host= unless they have to",
                BeyondLoopbackWarning,
                stacklevel=2,
            )
        self._url = f"http://{_reachable(host)}:{port}"
        self._thread = threading.Thread(
            target=self._run, args=(self._replay, listener), name=f"replay-{port}", daemon=True
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
        assert self._replay is not None
        self.stop()
        errors = [*self._replay.errors, *([self._broken] if self._broken else [])]
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

    def _run(self, replay: Replay, listener: socket.socket) -> None:
        async def main() -> None:
            with anyio.CancelScope() as scope:
                loop = asyncio.get_running_loop()
                self._stop = lambda: loop.call_soon_threadsafe(scope.cancel)
                self._running.set()
                await replay.run()

        try:
            # A loop of the plain kind, whatever policy the tests have set: its time is real.
            anyio.run(main, backend_options={"loop_factory": asyncio.SelectorEventLoop})
        except BaseException as error:  # noqa: BLE001 - raised where the block ends
            self._broken = error
        finally:
            self._running.set()
            listener.close()
            replay.close()


def serve(  # noqa: PLR0913  # options, by name
    tapes_or_paths: Served | Iterable[Served],
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    delivery: Delivery | None = None,
    wire: Wire | None = None,
    control: bool = False,
    fuzz: int | None = None,
    cors: bool = True,
    request_timeout: float = 30.0,
    heard: Callable[[Exchange], object] | None = None,
) -> ReplayServer:
    """A server of tapes, and of those that cassettes hold, over HTTP/1.1, inside a block.

    ``with serve(path) as server``: it has ``.url`` and ``.log``. It runs in a thread with a loop of
    its own, beside plain code and, in ``async with``, beside asyncio and trio.

    A request is answered by the tapes that have its method, path and query, in turns; where several
    have, by those with its body, if any. Scheme, host and port don't count. A tape without a
    request answers all. Nothing that matches: 404, and the text names what comes nearest.

    *port* 0 takes a free one. A *host* that isn't loopback is warned of. *delivery*: how tapes are
    handed over. At the pace ``"instant"`` each chunk is one write, and the next one follows when
    the client has read it; where the system doesn't tell (other than Linux, or another machine)
    after 20 ms. At any other pace each chunk is written at its time after the request. A fault that
    strikes some attempts only counts the requests. *wire*: how bodies are framed.

    *control*: a client may choose the delivery of a response by the header
    ``x-streamtape-delivery``, whose value is an expression such as ``Delivery(cuts='bytes')``.
    *fuzz*: a seed by which the cuts of each response, and rewrites, are drawn; the log has their
    expressions. *cors*: pages of any origin may read the responses. *request_timeout*: seconds
    that a request may take from its first byte to its last. *heard* is called with each exchange
    that is over, in the server's thread.

    Raises ValueError where there is nothing to serve, and for a virtual pace; what `load` raises;
    OSError on entering the block where the address can't be had.
    """
    delivery = delivery or Delivery()
    not_virtual(delivery)
    settings = Settings(
        delivery=delivery,
        wire=wire or Wire(),
        control=control,
        fuzz=fuzz,
        cors=cors,
        request_timeout=request_timeout,
        heard=heard,
    )
    return ReplayServer(_tapes(tapes_or_paths), settings, host=host, port=port)


def _tapes(served: Served | Iterable[Served]) -> list[Tape]:
    from streamtape.cassette.library import load

    if isinstance(served, (str, os.PathLike)):
        return load(served)
    if isinstance(served, Tape):
        return [served]
    # A tape has `__getattr__`, so the type checker takes it for iterable.
    return [tape for each in cast("Iterable[Served]", served) for tape in _tapes(each)]


def _listening(host: str, port: int) -> socket.socket:
    [(family, _, _, _, address), *_] = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    return socket.create_server(address[:2], family=family, backlog=_BACKLOG)


def _reachable(host: str) -> str:
    """An address for clients on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not to bind to
    return f"[{host}]" if ":" in host else host
