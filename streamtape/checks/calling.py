"""Calling what is checked with chunks: plain functions and generators, async ones too."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

MAX_ITEMS = 10_000
"""What is yielded beyond so many, and beyond one for each byte and chunk, is taken for endless."""


class EndlessError(Exception):
    """What was called yields more than its chunks can hold."""


@dataclass(frozen=True)
class Result:
    """What a call gave.

    ``value`` is what was returned, or the list of what was yielded. ``asked`` tells for each item
    that was yielded how many chunks had been asked for by then, the end of the stream counted as
    one; None where nothing was yielded but a value returned.
    """

    value: Any
    asked: tuple[int, ...] | None = None


class Caller:
    """Calls *function* with an iterator of chunks and waits for all that it gives.

    An async function or async generator function gets an async iterator. It runs under asyncio in a
    thread of its own, so a caller may have a running loop. Of any other function that gives
    something to await, or to iterate with ``async for``, the same is known from the first call on.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function
        self._is_async = _is_async(function) or _is_async(getattr(function, "__call__", None))  # noqa: B004 - an object's method may be async
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

    def __call__(self, chunks: Sequence[Any]) -> Result:
        """What the function gives for *chunks*. Its exceptions pass."""
        if not self._is_async:
            result = self._call(chunks)
            if result is not None:
                return result
            self._is_async = True
        if self._thread is None or self._runner is None:
            self._thread = ThreadPoolExecutor(max_workers=1)
            self._runner = asyncio.Runner()
        context = contextvars.copy_context()
        run = self._runner.run
        return self._thread.submit(context.run, lambda: run(self._wait_for(chunks))).result()

    def _call(self, chunks: Sequence[Any]) -> Result | None:
        """The result of a plain function; None where it turns out to be async."""
        asked = 0

        def source() -> Iterator[Any]:
            nonlocal asked
            for chunk in chunks:
                asked += 1
                yield chunk
            asked += 1

        value = self.function(source())
        if inspect.iscoroutine(value):
            value.close()
            return None
        if inspect.isawaitable(value) or isinstance(value, AsyncIterator):
            return None
        if not isinstance(value, Iterator):
            return Result(value)
        items, reads = [], []
        for item in value:
            items.append(item)
            reads.append(asked)
            _require_end(items, chunks)
        return Result(items, tuple(reads))

    async def _wait_for(self, chunks: Sequence[Any]) -> Result:
        asked = 0

        async def source() -> AsyncIterator[Any]:
            nonlocal asked
            for chunk in chunks:
                asked += 1
                yield chunk
            asked += 1

        value = self.function(source())
        if inspect.isawaitable(value):
            value = await value
        items, reads = [], []
        if isinstance(value, AsyncIterator):
            async for item in value:
                items.append(item)
                reads.append(asked)
                _require_end(items, chunks)
        elif isinstance(value, Iterator):
            items = list(value)
            return Result(items)
        else:
            return Result(value)
        return Result(items, tuple(reads))


def _is_async(function: object) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _require_end(items: Sequence[object], chunks: Sequence[Any]) -> None:
    if len(items) <= MAX_ITEMS:
        return
    size = sum(map(len, chunks))
    # A transform may give one for each byte, one for each chunk, and one more at the end.
    if len(items) > size + len(chunks) + 1:
        raise EndlessError(
            f"{len(items):,} items from {len(chunks):,} pieces of {size:,} in all, and no end:"
            " stopped here"
        )
