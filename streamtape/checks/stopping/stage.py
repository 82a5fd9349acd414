"""What is stopped in each way, and what it does where nobody stops it."""

from __future__ import annotations

import contextvars
import inspect
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from streamtape.checks.collection import without_collection
from streamtape.checks.completing import alike, ended
from streamtape.checks.results import same
from streamtape.checks.stopping.coroutines import WAYS_ASYNC, Stop
from streamtape.checks.stopping.leftovers import (
    GRACE_S,
    SERVER_GRACE_S,
    Exchange,
    Left,
    Server,
    await_none,
    noted_threads,
    noted_warnings,
)
from streamtape.checks.stopping.plain import (
    BETWEEN_ITEMS,
    INSIDE,
    Strike,
    StrikingClock,
    stop_between,
    stop_inside,
)
from streamtape.checks.watching import Reader, Reading, read
from streamtape.clients.play import Player, opened
from streamtape.clock import SteppedClock
from streamtape.delivery import Delivery

if TYPE_CHECKING:
    import threading

    from streamtape.tape import Tape

_Open = Callable[[], int]
_Way = Callable[[Left, Player, _Open], None]

_MORE = 10
"""One that goes on may give the stream a second time, and so many items, before it is believed."""


def delivery_for(at: float) -> Delivery:
    """How the tape is played to what is stopped at *at*."""
    return Delivery(pace="recorded" if isinstance(at, float) else "instant")


@dataclass
class Stage:
    """Something to stop at *at*, as `check_stop` takes it, and what it gives for the *whole*."""

    run: Reader
    tape: Tape
    at: float
    result: Callable[[], Any] | None
    server: Server | None
    whole: Reading

    def __post_init__(self) -> None:
        self._in_time = isinstance(self.at, float)
        self._most = 2 * len(self.whole.items) + _MORE
        self._grace = SERVER_GRACE_S if self.server else GRACE_S

    def ways(self) -> Iterator[tuple[str, _Way]]:
        """Each way of stopping by its name; one name may have several."""
        if inspect.isasyncgen(self.run()):
            for way in WAYS_ASYNC:
                yield way, partial(self._stop_async, way)
            return
        for way in BETWEEN_ITEMS:
            yield way, partial(self._stop_between, way)
        if self.server is None:
            for way in INSIDE:
                yield way, partial(self._stop_inside, way)
        if self.server is not None or not self._in_time:
            yield "interrupt", partial(self._stop_between, "interrupt")

    def stopped(self, stop: _Way) -> Left:
        """What *stop* leaves. Raises ValueError where the stream ended before."""
        player = Player([self.tape], delivery_for(self.at), directed=False)
        left = Left()
        asked = len(self.server.log) if self.server else 0

        def handed() -> None:
            if not left.struck:
                left.chunks += 1

        player.handed = handed
        with without_collection(), noted_warnings(left), noted_threads(left, _is_ours):
            with nullcontext() if self.server else opened(player):
                stop(left, player, partial(self._open, player, asked))
                # A loop that is closed closes what was left in it: that counts.
                left.streams = left.streams or await_none(
                    partial(self._open, player, asked), self._grace
                )
            left.drained = any(each.how == "complete" for each in self._exchanges(asked))
        self._require_stopped(left)
        if self.result is not None:
            left.result = _tried(self.result)
        return left

    def complaints(self, left: Left) -> Iterator[tuple[str, object, object]]:
        """What is wrong with what was left: its kind, what was expected, and what was seen."""
        if not left.struck:
            return  # it had all of the stream before it could be told
        wrong: list[tuple[str, object, object, object]] = [
            ("raises", left.error is not None, "what stopped it", left.error),
            ("swallowed", left.swallowed, "the end, by what stopped it", "it went on or returned"),
            ("left-open", left.streams, "no open stream", f"{left.streams} open"),
            ("drained", left.drained, "gone before the end", "it took the whole stream"),
            ("leaked-task", left.tasks, "no task", left.tasks),
            ("leaked-thread", left.threads, "no thread", left.threads),
            ("warning", left.warnings, "no warning", left.warnings),
        ]
        for kind, is_wrong, expected, got in wrong:
            if is_wrong:
                yield kind, expected, got
        part = self.whole.values[: len(left.items)]
        if not same(part, left.items):
            yield "other-part", part, left.items
        if self.result is not None:
            right = self._result_after(left)
            if not _alike(right, left.result):
                yield "other-result", right, left.result

    def behind(self) -> Iterator[tuple[list[Any], list[Any]]]:
        """What had to be out when it is stopped and what was, where that is less."""
        count = self._arrived()
        if self.server is not None or not 0 < count < len(self.tape.chunks):
            return
        must = alike(read(self.run, self._sooner(count)).values, self.whole.values)
        out = self.whole.after(count)
        if len(out) < must:
            yield self.whole.values[:must], out

    def _arrived(self) -> int:
        """How many chunks have come by the time it is stopped."""
        if self._in_time:
            return sum(1 for chunk in self.tape.chunks if chunk.at_ns <= self.at * 1e9)
        return self.whole.items[int(self.at) - 1].chunks

    def _sooner(self, chunks: int) -> Tape:
        return ended(self.tape, [chunk.data for chunk in self.tape.chunks[:chunks]])

    def _result_after(self, left: Left) -> Any:
        """The result where the stream ends with the chunks that came, or after as many items."""
        assert self.result is not None
        sooner = self._sooner(left.chunks)
        if len(read(self.run, sooner).items) > len(left.items):
            read(self.run, sooner, first=len(left.items))  # it was stopped before it gave them all
        return _tried(self.result)

    def _stop_between(self, way: str, left: Left, player: Player, streams: _Open) -> None:  # noqa: ARG002 - as each way
        with nullcontext() if self.server else SteppedClock().running():
            stop_between(self.run, self.at, way, left)

    def _stop_inside(self, way: str, left: Left, player: Player, streams: _Open) -> None:  # noqa: ARG002 - as each way
        strike = Strike(way)
        count = player.handed

        def handed() -> None:
            if not self._in_time:
                strike()
            if count is not None:
                count()

        player.handed = handed
        clock = StrikingClock(strike, round(self.at * 1e9)) if self._in_time else SteppedClock()
        with clock.running():
            stop_inside(self.run, self.at, strike, left, self._most)

    def _stop_async(self, way: str, left: Left, player: Player, streams: _Open) -> None:  # noqa: ARG002 - as each way
        seconds = self.tape.ending.at_ns / 1e9 if self._in_time else 0.0
        stop = Stop(*(self.run, self.at, way, left, streams, self._most, seconds, self._grace))
        virtual = self._in_time and self.server is None
        context = contextvars.copy_context()
        with ThreadPoolExecutor(1, _THREAD) as pool:
            pool.submit(context.run, partial(stop.in_loop, virtual=virtual)).result()

    def _exchanges(self, asked: int) -> Sequence[Exchange]:
        return () if self.server is None else self.server.log[asked:]

    def _open(self, player: Player, asked: int) -> int:
        """How many streams are open: to the player, or to the server."""
        if self.server is None:
            return len(player.streams)
        return sum(1 for each in self._exchanges(asked) if each.how is None)

    def _require_stopped(self, left: Left) -> None:
        if left.struck:
            return
        if left.error is not None:
            raise ValueError(
                f"the reader raised {type(left.error).__name__} ({left.error}) before it was"
                f" stopped, after {len(left.items)} items: mend that first, or stop it sooner"
            ) from left.error
        if self._in_time:
            raise ValueError(
                f"the stream was over before {self.at:g} s of the tape had passed, so nothing was"
                " stopped: stop it sooner"
            )


_THREAD = "check_stop"


def _is_ours(thread: threading.Thread) -> bool:
    return thread.name.startswith(_THREAD)


def _tried(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as exc:  # noqa: BLE001 - whatever it raises is what it gave
        return exc


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, Exception) and isinstance(other, Exception):
        return type(one) is type(other)
    return same(one, other)
