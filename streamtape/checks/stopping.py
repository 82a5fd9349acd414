"""The check of stopping: who leaves a stream early leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import sys
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from streamtape.checks.collection import without_collection
from streamtape.checks.failures import Failure, Findings
from streamtape.checks.results import same
from streamtape.checks.watching import Reader, read
from streamtape.clients.play import Player, opened
from streamtape.clock import SteppedClock, plain_clock
from streamtape.delivery import Delivery

if TYPE_CHECKING:
    from streamtape.tape import Tape

WAYS = ("break", "close", "interrupt")
WAYS_ASYNC = ("break", "close", "cancel", "timeout")

# So many turns of the loop are enough for what is under way to end.
_TURNS = 8
_SENTENCES = {
    "left-open": "the stream is still open after the client has stopped, and nothing is under way",
    "leaked-task": "a task is still there after the client has stopped",
    "leaked-thread": "a thread is still there after the client has stopped",
    "warning": "stopping gives a warning",
    "swallowed": "it goes on after it was told to stop",
    "raises": "stopping raises something else than what stopped it",
    "other-part": "what it gave until then is not the beginning of what it gives for the whole",
}


@dataclass
class _Left:
    """What a stopped client gave, and what it left behind."""

    items: list[Any] = field(default_factory=list)
    error: BaseException | None = None
    swallowed: bool = False
    streams: int = 0
    tasks: list[str] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check_stop(run: Reader, tape: Tape, *, at: float) -> None:
    """Check that *run*, stopped in the middle, closes its stream at once and leaves nothing behind.

    *run* is a generator function or an async generator function that reads an HTTP client of its
    own, to which *tape* is played. It is stopped after *at* items, or where *at* is a float, once
    so many seconds of the tape have passed (in virtual time: a stepped clock, or looptime's loop
    where that is installed). Each way of stopping is tried: plain code breaks out of the loop and
    drops the generator, closes it, and is interrupted (KeyboardInterrupt); a coroutine breaks and
    drops it, awaits its ``aclose``, is cancelled, and runs into a timeout.

    Garbage collection is off meanwhile: what only it would close is left open. What was given until
    then has to be the beginning of what the whole stream gives.

    Raises `CheckFailed` with one failure for each kind and way, such as ``"left-open/break"``, and
    ValueError where there is nothing to stop: *run* ends before, or gives no items one by one.
    """
    whole = read(run, tape)
    if isinstance(at, int) and not 0 < at < len(whole.items):
        raise ValueError(
            f"stopping after {at} items of {len(whole.items)} stops nothing: at must be 1 or more,"
            " and less than the number of items that the whole stream gives"
        )
    findings = Findings()
    ways = WAYS_ASYNC if inspect.isasyncgenfunction(run) else WAYS
    for way in ways:
        left = _stopped(run, tape, at, way)
        if not left.items and isinstance(at, float):
            raise ValueError(f"nothing had come after {at:g} s of the tape: stop it later")
        findings.examples += 1
        for kind, expected, got in _complaints(left, whole.values):
            findings.add(
                Failure(
                    *(f"{kind}/{way}", Delivery(), expected, got, findings.examples),
                    sentence=_SENTENCES[kind],
                    case=f"stopped after {len(left.items)} items by {way}",
                )
            )
    findings.verdict("check_stop")


def _complaints(left: _Left, whole: list[Any]) -> Iterator[tuple[str, object, object]]:
    if left.error is not None:
        yield "raises", "what stopped it", left.error
    if left.swallowed:
        yield "swallowed", "the end", "another item"
    if left.streams:
        yield "left-open", "no open stream", f"{left.streams} open"
    if left.tasks:
        yield "leaked-task", "no task", left.tasks
    if left.threads:
        yield "leaked-thread", "no thread", left.threads
    if left.warnings:
        yield "warning", "no warning", left.warnings
    part = whole[: len(left.items)]
    if not same(part, left.items):
        yield "other-part", part, left.items


def _stopped(run: Reader, tape: Tape, at: float, way: str) -> _Left:
    in_time = isinstance(at, float)
    player = Player([tape], Delivery(pace="recorded" if in_time else "instant"), directed=False)
    left = _Left()
    with without_collection(), _noted_warnings(left), ExitStack() as stack:
        threads = set(threading.enumerate())
        stack.enter_context(opened(player))
        if inspect.isasyncgenfunction(run):
            context = contextvars.copy_context()
            with ThreadPoolExecutor(1, "check_stop") as pool:
                threads.update(threading.enumerate())
                loop = _stop_async(run, at, way, left, player)
                pool.submit(context.run, lambda: _run_loop(loop, virtual=in_time)).result()
                threads.update(one for one in threading.enumerate() if _is_ours(one))
        else:
            stack.enter_context(SteppedClock().running())
            _stop_plain(run, at, way, left)
        left.streams = max(left.streams, len(player.streams))
        left.threads = [one.name for one in threading.enumerate() if one not in threads]
    return left


def _is_ours(thread: threading.Thread) -> bool:
    return thread.name.startswith("check_stop")


def _stop_plain(run: Reader, at: float, way: str, left: _Left) -> None:
    generator = run()
    now = plain_clock().now_ns
    started = now()
    for item in generator:
        left.items.append(item)
        if _is_due(at, len(left.items), now() - started):
            break
    try:
        if way == "close":
            generator.close()
        elif way == "interrupt":
            with suppress(StopIteration):
                generator.throw(KeyboardInterrupt())
                left.swallowed = True
    except KeyboardInterrupt:
        pass
    except Exception as exc:  # noqa: BLE001 - whatever stopping raises is told
        left.error = exc
    del generator


async def _stop_async(run: Reader, at: float, way: str, left: _Left, player: Player) -> None:
    before = asyncio.all_tasks()
    try:
        await asyncio.create_task(_consume(run, at, way, left))
    except (asyncio.CancelledError, TimeoutError):
        pass
    except Exception as exc:  # noqa: BLE001 - as above
        left.error = exc
    else:
        left.swallowed = way in {"cancel", "timeout"}
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    left.streams = len(player.streams)
    left.tasks = [repr(task.get_coro()) for task in asyncio.all_tasks() - before]


async def _consume(run: Reader, at: float, way: str, left: _Left) -> None:
    generator: AsyncIterator[Any] = run()
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with asyncio.timeout(None) as limit:
        async for item in generator:
            left.items.append(item)
            if not _is_due(at, len(left.items), round((loop.time() - started) * 1e9)):
                continue
            if way == "cancel":
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            elif way == "timeout":
                limit.reschedule(loop.time())
            else:
                break
    if way == "close":
        await generator.aclose()  # type: ignore[attr-defined]  # an async generator


def _is_due(at: float, items: int, passed_ns: int) -> bool:
    return passed_ns >= at * 1e9 if isinstance(at, float) else items == at


def _run_loop(main: Any, *, virtual: bool) -> None:
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if virtual and find_spec("looptime") is not None:
        import looptime

        factory = looptime.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


@contextmanager
def _noted_warnings(left: _Left) -> Iterator[None]:
    """Warnings, and exceptions that nobody can catch, go into *left*."""
    hook = sys.unraisablehook

    def note(unraisable: Any) -> None:
        left.warnings.append(f"{unraisable.err_msg}: {unraisable.exc_value!r}")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sys.unraisablehook = note
        try:
            yield
        finally:
            sys.unraisablehook = hook
            left.warnings += [f"{one.category.__name__}: {one.message}" for one in caught]
