"""Tapes played to in-process clients without a cassette: no file, no matching, no vcrpy."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from streamtape.clients import PATCHERS, routing, virtual_time
from streamtape.clients.guard import Guard, closed
from streamtape.clients.routing import Play
from streamtape.delivery import Delivery
from streamtape.tape import Request, Tape


class Player:
    """The session behind `play`.

    ``failures``: what a test must not miss. ``streams``: responses that a client has and didn't
    close yet. ``handed`` is called before each piece goes to the client.
    """

    def __init__(self, tapes: Iterable[Tape], delivery: Delivery, *, directed: bool = True) -> None:
        """*directed*: a whole test run has a say in the delivery, see `routing.director`.

        Raises ValueError where there are no tapes, and where *delivery* can't be made of one.
        """
        self._tapes = [(tape, delivery.attempts(tape)) for tape in tapes]
        if not self._tapes:
            raise ValueError("no tapes to play: pass one tape, or at least one in a list")
        self._delivery = delivery
        self._directed = directed
        self._next = 0  # which of the tapes comes when the attempts at this one are used up
        self._left: list[Play] = []
        self._lock = threading.Lock()
        self.failures: list[str] = []
        self.streams: set[object] = set()
        self.handed: Callable[[], object] | None = None

    @property
    def virtual(self) -> bool:
        """Whether tapes are played in virtual time only."""
        return self._delivery.virtual

    def answer(self, request: Request) -> Play:  # noqa: ARG002 - whatever is asked for
        """The next attempt at this tape, else the next tape, else what came last."""
        with self._lock:
            if len(self._left) > 1:
                del self._left[0]
            elif self._next < len(self._tapes):
                self._left = self._plays(*self._tapes[self._next])
                self._next += 1
            return self._left[0]

    def _plays(self, tape: Tape, attempts: tuple[Tape, ...]) -> list[Play]:
        delivery: Delivery | None = self._delivery
        if self._directed and routing.director is not None:
            delivery = routing.directed(self, tape, self._delivery)
            attempts = (tape,) if delivery is None else delivery.attempts(tape)
        return [
            Play.under(
                delivery, each, self.failures.append, streams=self.streams, handed=self.handed
            )
            for each in attempts
        ]

    def mark(self) -> Callable[[], None]:
        """A function that takes back what was played, and what went wrong, from now on."""
        stood, failures = (self._next, [*self._left]), len(self.failures)

        def rewind() -> None:
            with self._lock:
                self._next, self._left = stood[0], [*stood[1]]
                del self.failures[failures:]

        return rewind


@contextmanager
def opened(player: Player) -> Iterator[Player]:
    """Let *player* answer every request of the block."""
    with ExitStack() as stack:
        stack.enter_context(routing.opened(player, PATCHERS))
        if player.virtual:
            stack.enter_context(virtual_time.refused(player.failures.append))
        yield player


@contextmanager
def play(
    tapes: Tape | Iterable[Tape], delivery: Delivery | None = None, *, guard: bool = True
) -> Iterator[None]:
    """Answer every request of the block with *tapes*, in order, and then the last one for ever.

    Where the fault of *delivery* is in some attempts only, a tape answers as many requests as it
    has attempts: the first request gets the first attempt, an SDK's retry the second one. Then
    comes the next tape. What the last request of all got, every later one gets too.

    *guard*: refuse connections beyond this machine, which clients would make that streamtape
    doesn't know (`NetworkClosedError`).

    Raises ValueError where there are no tapes, and when the block ends AssertionError where a
    client read past the end of a tape that does not say what follows.
    """
    played = [tapes] if isinstance(tapes, Tape) else tapes
    with opened(Player(played, delivery or Delivery())) as player:
        if not guard:
            yield
        else:
            refused = Guard("play()", lambda error: player.failures.append(str(error)))
            with closed(refused):
                yield
    if player.failures:
        raise AssertionError(player.failures[0])
