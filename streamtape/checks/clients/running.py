"""One run of a client, under one delivery, in bounded time."""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import inspect
import threading
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamtape.clients.play import Player, opened

if TYPE_CHECKING:
    from streamtape.clients.routing import Play
    from streamtape.delivery import Delivery
    from streamtape.tape import Request, Tape

# What cancels itself gets so many seconds more before its thread is stopped.
_GRACE = 1.0
# So many turns of the loop are enough for async generators that nobody holds any more to close.
_TURNS = 5


class NotFinishedError(Exception):
    """A run that did not end in time."""


class _StopError(BaseException):
    """Raised inside a thread that hangs. No client catches it by chance."""


@dataclass
class Outcome:
    """What one run came to: what it returned, or the exception it raised.

    ``left_open``: how many streams were neither closed by then, nor by the client that opened them
    being closed, nor let go of. One that only the cycle collector would find is left open.
    ``asked``: how many requests the tape answered; None where nobody counted. ``trouble``: what the
    tape could not answer.
    """

    value: Any = None
    error: BaseException | None = None
    left_open: int = 0
    trouble: tuple[str, ...] = ()
    asked: int | None = None

    @property
    def hung(self) -> bool:
        """Whether it did not end in time."""
        return isinstance(self.error, NotFinishedError)

    @property
    def unasked(self) -> bool:
        """Whether it came to an end, and the tape had no part in it."""
        return self.asked == 0 and not self.hung


class _Counter(Player):
    """A player that counts what it is asked for."""

    asked = 0

    def answer(self, request: Request) -> Play:
        """As any player does."""
        self.asked += 1
        return super().answer(request)


class Runner:
    """Runs *run* while *tape* is played, each time in a thread (and a loop) of its own.

    A run that takes longer than *within* seconds is cancelled, its thread stopped.
    """

    def __init__(self, run: Callable[[], Any], tape: Tape, within: float) -> None:
        self._run = run
        self._tape = tape
        self._within = within
        self._is_async = False

    def under(self, delivery: Delivery) -> Outcome:
        """What *delivery* leads to. Exceptions that are no `Exception` pass, but cancellations."""
        outcome = self._once(delivery)
        if outcome.hung:  # or the machine was busy
            outcome = self._once(delivery)
        error = outcome.error
        if error is not None and not isinstance(error, (Exception, asyncio.CancelledError)):
            raise error
        return outcome

    def _once(self, delivery: Delivery) -> Outcome:
        player = _Counter([self._tape], delivery, directed=False)
        outcome = Outcome()
        with opened(player):
            context = contextvars.copy_context()
            thread = threading.Thread(
                target=context.run, args=(self._into, outcome, player), daemon=True
            )
            thread.start()
            thread.join(self._within)
            if thread.is_alive() and self._is_async:
                thread.join(_GRACE)
            if thread.is_alive():
                _stop(thread)
                outcome = Outcome(error=self._not_finished())
        outcome.trouble = tuple(player.failures)
        outcome.asked = player.asked
        return outcome

    def _into(self, outcome: Outcome, player: Player) -> None:
        """Put into *outcome* what becomes of a run. Nothing is raised."""
        try:
            value = self._run()
            if inspect.isawaitable(value) or isinstance(value, AsyncIterator):
                self._is_async = True
                asyncio.run(self._await_into(outcome, value, player))
                return
            outcome.value = list(value) if inspect.isgenerator(value) else value
            del value
        except BaseException as exc:  # noqa: BLE001 - whatever is raised is what came of it
            outcome.error = _let_go(exc)
        outcome.left_open = len(player.streams)

    async def _await_into(
        self, outcome: Outcome, value: Awaitable[Any] | AsyncIterator[Any], player: Player
    ) -> None:
        deadline = asyncio.timeout(self._within)
        try:
            async with deadline:
                if isinstance(value, AsyncIterator):
                    outcome.value = [item async for item in value]
                else:
                    outcome.value = await value
        except BaseException as exc:  # noqa: BLE001 - as above
            hung = deadline.expired() and isinstance(exc, TimeoutError)
            outcome.error = self._not_finished() if hung else _let_go(exc)
        del value
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        outcome.left_open = len(player.streams)

    def _not_finished(self) -> NotFinishedError:
        return NotFinishedError(f"not finished within {self._within:g} s, nor when tried again")


def _let_go(error: BaseException) -> BaseException:
    """*error*, whose frames hold nothing any more: what only they held is closed now."""
    for each in _chain(error, set()):
        traceback.clear_frames(each.__traceback__)
    return error


def _chain(error: BaseException | None, seen: set[int]) -> Iterator[BaseException]:
    """*error*, and those that it came of or that are in it."""
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    yield error
    yield from _chain(error.__cause__, seen)
    yield from _chain(error.__context__, seen)
    for each in getattr(error, "exceptions", ()):
        yield from _chain(each, seen)


def _stop(thread: threading.Thread) -> None:
    """Raise an exception inside *thread*, so that it neither burns time nor asks the network.

    It is raised when the thread runs Python code again; one that is blocked for ever stays so.
    """
    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(_StopError)
        )
    thread.join(_GRACE)
