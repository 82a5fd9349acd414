"""A replay server around a block of code."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from streamtape.delivery import Delivery
from streamtape.server.background import Background, warn_beyond_loopback
from streamtape.server.replay import Replay, Settings, not_virtual
from streamtape.server.wire import Wire
from streamtape.tape import Tape

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from streamtape.server.log import Exchange
    from streamtape.server.service import Service

    Served = Tape | str | os.PathLike[str]


class ReplayServer(Background):
    """What `serve` gives: a context manager for plain and for asynchronous code."""

    def __init__(
        self, tapes: list[Tape], settings: Settings, *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        if not tapes:
            raise ValueError("no tapes to serve: give one tape or cassette at least")
        super().__init__(host, port)
        self.tapes = tapes
        """What is served, in order."""
        self._settings = settings

    def _admit(self, host: str) -> None:
        warn_beyond_loopback(host, "read the tapes")

    def _opened(self, listener: socket.socket) -> Service:
        return Replay(listener, self.tapes, self._settings)


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
    after 20 ms; a fault's own `stall` is really waited for. At any other pace each chunk is written
    at its time after the request. A fault that strikes some attempts only counts the requests.
    *wire*: how bodies are framed.

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
