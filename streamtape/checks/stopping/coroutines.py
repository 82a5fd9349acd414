"""Ways in which a coroutine leaves a stream: by itself, cancelled, timed out, interrupted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

from streamtape.checks.stopping.leftovers import PAUSE_S, Left, let_go, told_task

WAYS_ASYNC = ("break", "close", "cancel", "timeout", "interrupt")

_PATIENCE_S = 30.0
"""One that doesn't end in so long, after all of its tape, goes on for ever."""


@dataclass(frozen=True)
class Stop:
    """One way of stopping one run: after *at* items, or at so many seconds where that is a float.

    *streams* counts those that are open. One that goes on gives up to *most* items, in *duration*
    seconds. *grace* is how long it may take to close.
    """

    run: Callable[[], Any]
    at: float
    way: str
    left: Left
    streams: Callable[[], int]
    most: int
    duration: float
    grace: float

    def in_loop(self, *, virtual: bool) -> None:
        """Run it in a loop of its own, whose time is virtual where that can be had."""
        factory: Callable[[], asyncio.AbstractEventLoop] | None = None
        if virtual and find_spec("looptime") is not None:
            import looptime

            factory = partial(looptime.new_event_loop, noop_cycles=1)
        with asyncio.Runner(loop_factory=factory) as runner:
            if self.way == "interrupt":
                self._interrupted(runner)
            else:
                runner.run(self._stopped())

    def _interrupted(self, runner: asyncio.Runner) -> None:
        """As `asyncio.Runner` does at Ctrl-C: it cancels the main task, and closes the loop."""
        try:
            runner.run(self._patient())
        except asyncio.CancelledError as exc:
            if not self.left.struck:
                self.left.error = let_go(exc)
        except Exception as exc:  # noqa: BLE001 - whatever stopping raises is told
            self.left.error = let_go(exc)
        else:
            self.left.swallowed |= self.left.struck

    async def _patient(self) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None

        def give_up() -> None:
            self.left.swallowed = True
            task.cancel()

        late = loop.call_later(self.duration + _PATIENCE_S, give_up)
        try:
            await self._consume()
        finally:
            late.cancel()

    async def _stopped(self) -> None:
        before = asyncio.all_tasks()
        left = self.left
        task = asyncio.create_task(self._consume())
        done, _ = await asyncio.wait({task}, timeout=self.duration + _PATIENCE_S)
        if not done:
            left.swallowed = True
            task.cancel()
            await asyncio.wait({task}, timeout=_PATIENCE_S)
        else:
            self._judge(task)
        del task, done
        await self._settle(before)
        left.streams = self.streams()
        left.tasks = [told_task(each) for each in asyncio.all_tasks() - before]

    def _judge(self, task: asyncio.Task[None]) -> None:
        """What ended *task*, against what was to end it."""
        left = self.left
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None:
            let_go(error)
        expected = {"cancel": asyncio.CancelledError, "timeout": TimeoutError}.get(self.way)
        if error is None:
            left.swallowed |= expected is not None and left.struck
        elif expected is None or not left.struck or not isinstance(error, expected):
            left.error = error

    async def _settle(self, before: set[asyncio.Task[Any]]) -> None:
        """Wait until nothing is under way: in the loop's time, and for threads in real time too."""
        loop = asyncio.get_running_loop()
        began, started = loop.time(), time.perf_counter()
        while self.streams() or asyncio.all_tasks() - before:
            if loop.time() - began < self.grace:
                await asyncio.sleep(PAUSE_S)
            elif time.perf_counter() - started < self.grace:
                time.sleep(PAUSE_S)  # noqa: ASYNC251 - a virtual loop's time must not pass here
                await asyncio.sleep(0)
            else:
                return

    async def _consume(self) -> None:
        at, way, left = self.at, self.way, self.left
        generator = self.run()
        loop = asyncio.get_running_loop()
        due = loop.time() + at if isinstance(at, float) else None
        # Who leaves by itself in the middle of a wait does it by a timeout of its own.
        by_limit = way in {"break", "close", "timeout"}
        strike = None if due is None or by_limit else loop.call_at(due, self._cancel())
        try:
            async with asyncio.timeout_at(due if by_limit else None) as limit:
                try:
                    await self._read(generator, limit)
                finally:
                    left.struck |= limit.expired()
            left.swallowed |= limit.expired()
        except TimeoutError:
            if way == "timeout" or not limit.expired():
                raise
        finally:
            if strike is not None:
                strike.cancel()
        if way == "close":
            await generator.aclose()

    def _cancel(self) -> Callable[[], None]:
        left, task = self.left, asyncio.current_task()
        assert task is not None

        def cancel() -> None:
            left.struck = True
            task.cancel()

        return cancel

    async def _read(self, generator: Any, limit: asyncio.Timeout) -> None:
        at, left = self.at, self.left
        by_time = isinstance(at, float)
        async for item in generator:
            left.items.append(item)
            if len(left.items) > self.most:
                return
            if by_time or len(left.items) != at:
                continue
            if self.way == "timeout":
                limit.reschedule(asyncio.get_running_loop().time())
            elif self.way in {"break", "close"}:
                left.struck = True
                return
            else:
                self._cancel()()
