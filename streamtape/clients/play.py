"""Tapes played to in-process clients without a cassette: no file, no matching, no vcrpy."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from streamtape.clients import httpx as httpx_clients
from streamtape.clients import routing
from streamtape.clients.routing import Play
from streamtape.delivery import Delivery
from streamtape.tape import Request, Tape


class _Player:
    def __init__(self, tapes: list[Tape], *, waits: bool) -> None:
        self._tapes = tapes
        self._waits = waits
        self._next = 0
        self._lock = threading.Lock()
        self.failures: list[str] = []

    def answer(self, request: Request) -> Play:  # noqa: ARG002 - whatever is asked for
        with self._lock:
            tape = self._tapes[min(self._next, len(self._tapes) - 1)]
            self._next += 1
        return Play(tape, self._waits, self.failures.append)


@contextmanager
def play(tapes: Tape | Iterable[Tape], delivery: Delivery | None = None) -> Iterator[None]:
    """Answer every request of the block with *tapes*, in order, and then the last one for ever.

    Raises ValueError where there are no tapes, and when the block ends AssertionError where a
    client read past the end of a tape that does not say what follows.
    """
    played = [tapes] if isinstance(tapes, Tape) else list(tapes)
    if not played:
        raise ValueError("no tapes to play: pass one tape, or at least one in a list")
    delivery = delivery or Delivery()
    player = _Player([tape.deliver(delivery) for tape in played], waits=delivery.waits)
    with routing.opened(player, (httpx_clients.patches,)):
        yield
    if player.failures:
        raise AssertionError(player.failures[0])
