"""A renderer at work: opened, fed piece by piece, looked at after each, closed."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from streamtape.checks.renderers.shown import shows_alike

if TYPE_CHECKING:
    from types import TracebackType

T = TypeVar("T")

MISSING = object()
"""Stands for a view that could not be had."""

_PLAIN = (str, bytes, int, float, type(None))


class NeedsLoopError(BaseException):
    """Something async came out of what looked plain; no ``except Exception`` may swallow it."""


@dataclass(frozen=True)
class Renderer:
    """The functions by which a renderer is used. Each may be async; ``feeds_all``: see `feed`."""

    open: Callable[[], Any]
    feed: Callable[[Any, Any], Any]
    view: Callable[[Any], Any]
    close: Callable[[Any], Any] | None = None
    feeds_all: bool = False
    """Whether ``feed`` is given all that came so far in place of one piece."""

    def looks_async(self) -> bool:
        """Whether one of the functions is known to be async before it is called."""
        return any(
            inspect.iscoroutinefunction(one)
            or inspect.iscoroutinefunction(getattr(one, "__call__", None))  # noqa: B004 - an object's method may be async
            for one in (self.open, self.feed, self.view, self.close)
        )


@dataclass
class Run:
    """What was seen of a renderer that got ``pieces``.

    ``views``: ``(how many pieces it had got, seconds, view)``, the first of them before any.
    ``closed``: the view after closing, where there is one. ``error`` was raised at ``stage``, one
    of ``"open"``, ``"feed"`` and ``"view"``, with ``fed`` pieces given by then; ``close_error`` in
    closing or at the end of the block.
    """

    pieces: tuple[Any, ...]
    views: list[tuple[int, float, Any]] = field(default_factory=list)
    closed: Any = MISSING
    error: BaseException | None = None
    close_error: BaseException | None = None
    stage: str = "open"
    fed: int = 0

    @property
    def last(self) -> Any:
        """The view before closing."""
        return self.views[-1][2]

    @property
    def final(self) -> Any:
        """The view after all: after closing, unless closing takes everything away."""
        return self.seen[-1][2]

    @property
    def seen(self) -> list[tuple[int, float, Any]]:
        """All views, with that after closing, unless closing takes everything away."""
        if self.closed is MISSING or shows_alike(self.closed, self.views[0][2]):
            return self.views
        fed, at, _ = self.views[-1]
        return [*self.views, (fed, at, self.closed)]


class Stage:
    """Where renderers run: plain ones here, async ones on one event loop in a thread of its own.

    With *virtual* that is a loop of looptime's, where that is installed.
    """

    def __init__(self, renderer: Renderer, *, virtual: bool = False) -> None:
        self.renderer = renderer
        self.is_async = renderer.looks_async()
        self.is_virtual = False
        self.ends_itself = False
        """Whether what ``open`` gave last ends with its block."""
        self._wants_virtual = virtual
        self._thread: ThreadPoolExecutor | None = None
        self._runner: asyncio.Runner | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """End the thread, if there is one."""
        if self._thread is not None and self._runner is not None:
            self._thread.submit(self._runner.close).result()
            self._thread.shutdown()

    def run(self, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What *main* returns: driven by hand where nothing is async, so on the caller's thread."""
        if not self.is_async:
            try:
                return _driven(main())
            except NeedsLoopError:
                self.is_async = True
        if self._thread is None or self._runner is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="streamtape")
            self._runner = asyncio.Runner(loop_factory=self._loop_factory())
        context = contextvars.copy_context()
        run = self._runner.run
        return self._thread.submit(context.run, lambda: run(main())).result()

    async def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """What *function* returns, awaited where it has to be."""
        value = function(*args)
        if not inspect.isawaitable(value):
            return value
        self.require_loop(value)
        return await value

    def require_loop(self, value: object = None) -> None:
        """Ask for an event loop to start over in, where there is none."""
        if not self.is_async:
            if inspect.iscoroutine(value):
                value.close()
            raise NeedsLoopError

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Any]:
        """A new handle; what ``open`` gave is entered where it is a context manager."""
        made = await self.call(self.renderer.open)
        is_async = hasattr(type(made), "__aenter__")
        self.ends_itself = is_async or hasattr(type(made), "__enter__")
        if is_async:
            self.require_loop()
            async with made as handle:
                yield handle
        elif self.ends_itself:
            with made as handle:
                yield handle
        else:
            yield made

    async def view(self, handle: Any) -> Any:
        """What is shown now, in a copy: a renderer may go on with the same object."""
        value = await self.call(self.renderer.view, handle)
        if isinstance(value, _PLAIN):
            return value
        try:
            return copy.deepcopy(value)
        except Exception:  # noqa: BLE001 - such as a widget, which is then compared as it is
            return value

    async def close(self, handle: Any) -> None:
        """Close *handle*, where there is something to do."""
        if self.renderer.close is not None:
            await self.call(self.renderer.close, handle)

    def _loop_factory(self) -> Callable[[], asyncio.AbstractEventLoop] | None:
        if not self._wants_virtual:
            return None
        try:
            import looptime
        except ImportError:
            return None
        self.is_virtual = True
        factory: Callable[[], asyncio.AbstractEventLoop] = partial(
            looptime.new_event_loop, noop_cycles=1
        )
        return factory


def so_far(pieces: Sequence[Any], count: int) -> Any:
    """All of the first *count* pieces in one: a text, bytes, or a list of events."""
    head = pieces[:count]
    if not pieces or isinstance(pieces[0], str):
        return "".join(head)
    return b"".join(head) if isinstance(pieces[0], bytes) else list(head)


async def play(
    stage: Stage, pieces: Sequence[Any], *, times: Sequence[float] = (), every: int = 1
) -> Run:
    """Give *pieces* to a new renderer, and look at it before, after each *every* of them, and last.

    *times*: when each piece comes, in seconds; on a virtual loop they are waited for.
    """
    run = Run(tuple(pieces))
    handle: Any = MISSING
    try:
        async with stage.opened() as handle:
            await _feed_all(stage, run, handle, times, every)
            run.stage = "close"
            await stage.close(handle)
            if stage.renderer.close is not None:
                with suppress(Exception):  # a closed one need not have a view
                    run.closed = await stage.view(handle)
    except (Exception, asyncio.CancelledError) as exc:  # noqa: BLE001 - whatever it raises is told
        if run.stage == "close":
            run.close_error = exc
            return run
        run.error = exc
        if handle is not MISSING and run.stage != "open":
            with suppress(Exception, asyncio.CancelledError):
                await stage.close(handle)
    return run


async def _feed_all(
    stage: Stage, run: Run, handle: Any, times: Sequence[float], every: int
) -> None:
    run.stage = "view"
    try:
        empty = await stage.view(handle)
    except Exception:
        if not run.pieces:
            raise
        empty = None  # that it has no view yet is told of the empty stream, once
    run.views.append((0, 0.0, empty))
    loop = asyncio.get_running_loop() if stage.is_virtual and times else None
    started = 0.0 if loop is None else loop.time()
    text: Any = None
    for count, piece in enumerate(run.pieces, start=1):
        if loop is not None:
            await asyncio.sleep(max(started + times[count - 1] - loop.time(), 0))
        if stage.renderer.feeds_all:
            text = so_far(run.pieces, count) if not isinstance(piece, str) else (text or "") + piece
        run.fed, run.stage = count, "feed"
        await stage.call(stage.renderer.feed, handle, text if stage.renderer.feeds_all else piece)
        if count % every == 0 or count == len(run.pieces):
            run.stage = "view"
            shown = await stage.view(handle)
            at = loop.time() - started if loop is not None else times[count - 1] if times else 0.0
            run.views.append((count, at, shown))


def _driven(coroutine: Coroutine[Any, Any, T]) -> T:
    """What *coroutine* returns, which never waits for anything."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    coroutine.close()
    raise NeedsLoopError
