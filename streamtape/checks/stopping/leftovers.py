"""What a client that was stopped gave, and what it left behind."""

from __future__ import annotations

import gc
import inspect
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import asyncio

GRACE_S = 1.0
"""What ends within this time after a client was stopped was on its way out."""

SERVER_GRACE_S = 5.0
"""A server of another thread may take longer to see that a client has gone."""

PAUSE_S = 0.01


class Exchange(Protocol):
    """What a server says of one request: ``how`` is None while it isn't over."""

    @property
    def how(self) -> str | None:
        """How it ended, None while it hasn't."""


class Server(Protocol):
    """A running replay server, as `streamtape.server.serve` gives it."""

    @property
    def log(self) -> Sequence[Exchange]:
        """Every request so far."""


@dataclass
class Left:
    """What a stopped client gave, and what it left behind.

    ``struck``: what stops it reached it; where not, the stream ended before. ``chunks``: so many
    were handed over by then. ``result``: what ``result()`` said afterwards.
    """

    items: list[Any] = field(default_factory=list)
    struck: bool = False
    error: BaseException | None = None
    swallowed: bool = False
    chunks: int = 0
    result: Any = None
    streams: int = 0
    drained: bool = False
    tasks: list[str] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def await_none(count: Callable[[], int], within: float) -> int:
    """What *count* tells after *within* seconds, or 0 as soon as it does."""
    started = time.perf_counter()
    while (left := count()) and time.perf_counter() - started < within:
        time.sleep(PAUSE_S)
    return left


def let_go(error: BaseException) -> BaseException:
    """*error*, and what it came of, whose frames hold nothing any more."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        traceback.clear_frames(each.__traceback__)
        each.__traceback__ = None
        each = each.__cause__ or each.__context__
    return error


def told_task(task: asyncio.Task[Any]) -> str:
    """What *task* does, in a few words: the function, or the generator that it closes."""
    coro = task.get_coro()
    name = getattr(coro, "__qualname__", None)
    if name is None:
        # What `aclose` and `asend` give names nothing, and holds the generator.
        generators = filter(inspect.isasyncgen, gc.get_referents(coro))
        name = next((f"closing {each.__qualname__}" for each in generators), type(coro).__name__)
    return f"{task.get_name()} ({name})"


@contextmanager
def noted_threads(left: Left, is_ours: Callable[[threading.Thread], bool]) -> Iterator[None]:
    """Threads that the block started and that don't end go into *left*, unless they *is_ours*."""
    before = set(threading.enumerate())
    yield

    def new() -> list[threading.Thread]:
        return [one for one in threading.enumerate() if one not in before and not is_ours(one)]

    await_none(lambda: len(new()), GRACE_S)
    left.threads = [one.name for one in new()]


@contextmanager
def noted_warnings(left: Left) -> Iterator[None]:
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
