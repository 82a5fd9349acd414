"""What a transform gives, piece by piece."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any


class Noted:
    """*transform*, whose output is kept also where it raises in the end."""

    def __init__(self, transform: Callable[[Any], Any]) -> None:
        self._transform = transform
        self.out: list[Any] = []
        self.call = self._async if inspect.iscoroutinefunction(transform) else self._plain

    def _plain(self, pieces: Any) -> Any:
        self.out = []
        value = self._transform(pieces)
        if isinstance(value, AsyncIterator):
            return self._from_async(value)
        return self._from(value) if isinstance(value, Iterator) else value

    async def _async(self, pieces: Any) -> Any:
        self.out = []
        value = await self._transform(pieces)
        return self._from_async(value) if isinstance(value, AsyncIterator) else value

    def _from(self, items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            self.out.append(item)
            yield item

    async def _from_async(self, items: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for item in items:
            self.out.append(item)
            yield item


@dataclass(frozen=True)
class Run:
    """What came out, how many pieces had been asked for by then (if lazily), and the error."""

    out: tuple[Any, ...]
    asked: tuple[int, ...] | None
    error: BaseException | None
