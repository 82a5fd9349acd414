"""One run of a reader of streams, and for each item it gives: which chunk it had by then, and when.

A reader is a generator function, async or not: over chunks (``run(chunks)``) or over an HTTP client
of its own (``run()``), to which the tape is then played.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from streamtape.checks.calling import MAX_ITEMS, EndlessError
from streamtape.clients.play import Player, opened
from streamtape.clock import LoopClock, plain_clock
from streamtape.delivery import Delivery

if TYPE_CHECKING:
    from streamtape.tape import Tape

Reader = Callable[..., Any]

_AS_DELIVERED = Delivery()


@dataclass(frozen=True)
class Item:
    """Something that a reader gave: after how many chunks, and at what time of the player's clock.

    ``chunk_ns`` is when the last of these chunks was handed over. ``needed``: how many chunks it
    takes to have it; None where that wasn't asked, and where only the end of the stream brings it.
    """

    value: Any
    chunks: int
    at_ns: int
    chunk_ns: int
    needed: int | None = None


@dataclass(frozen=True)
class Reading:
    """What a reader gave for one tape, and the exception that ended it, if one did.

    ``chunks_ns`` tells when each chunk was handed over; of who reads chunks, the end too.
    """

    items: tuple[Item, ...]
    error: Exception | None
    chunks_ns: tuple[int, ...]

    @property
    def values(self) -> list[Any]:
        """What it gave."""
        return [item.value for item in self.items]

    def after(self, chunks: int) -> list[Any]:
        """What it had given before it asked for another chunk than the first *chunks*."""
        return [item.value for item in self.items if item.chunks <= chunks]


def require_items(reading: Reading, tape: Tape) -> None:
    """Raises ValueError where *reading*, of the whole *tape*, leaves nothing to judge.

    That is where it failed or gave nothing. On a tape that breaks a reader may fail in the end.
    """
    error, count = reading.error, len(reading.items)
    if error is not None and not (count and tape.ending.kind == "error"):
        advice = (
            "An async reader runs under asyncio here, where trio's own functions fail: check one"
            " that is written for asyncio or anyio"
            if _is_of_trio(error)
            else "Mend that first: it must read the tape to its end, unstopped"
        )
        raise ValueError(
            f"the reader raised {type(error).__name__} for the whole stream, after {count}"
            f" item{'s' * (count != 1)} ({error}), so nothing can be said of it. {advice}"
        ) from error
    if not count:
        raise ValueError(
            "the reader gives no items for the whole stream, so nothing can be said of them:"
            " does it read what it was given?"
        )


def _is_of_trio(error: Exception) -> bool:
    frames = traceback.walk_tb(error.__traceback__)
    names = [frame.f_globals.get("__name__") or "" for frame, _ in frames]
    return any(name.partition(".")[0] == "trio" for name in names)


def takes_chunks(run: Reader) -> bool:
    """Whether *run* wants the chunks, and not an HTTP client's stream."""
    parameters = inspect.signature(run).parameters.values()
    wanted = [
        one for one in parameters if one.default is one.empty and one.kind is not one.VAR_KEYWORD
    ]
    return bool(wanted)


def read(
    run: Reader,
    tape: Tape,
    delivery: Delivery = _AS_DELIVERED,
    *,
    played: bool = True,
    first: int | None = None,
) -> Reading:
    """What *run* gives for *tape*, delivered so, and when. Its own exceptions end the reading.

    Where it is not *played*, *run* gets it from a server of its own. *first*: only so many items.

    An async reader runs under asyncio, in the loop of a thread of its own.

    Raises ValueError where *run* gives no items one by one.
    """
    return _Watch(run, tape, delivery, played=played, first=first).reading()


async def read_here(run: Reader, tape: Tape, delivery: Delivery = _AS_DELIVERED) -> Reading:
    """`read` in the running loop, whose time it tells. For async readers."""
    return await _Watch(run, tape, delivery).reading_here()


class _Watch:
    def __init__(
        self,
        run: Reader,
        tape: Tape,
        delivery: Delivery,
        *,
        played: bool = True,
        first: int | None = None,
    ) -> None:
        self._run = run
        self._tape = tape
        self._delivery = delivery
        self._played = played
        self._now: Callable[[], int] = plain_clock().now_ns
        self._chunks_ns: list[int] = []
        self._items: list[Item] = []
        self._bound = MAX_ITEMS + len(tape.body)
        self._most = self._bound if first is None else first

    def reading(self) -> Reading:
        with self._opened():
            value = self._started()
            if isinstance(value, AsyncIterator):
                context = contextvars.copy_context()
                with ThreadPoolExecutor(1) as thread:
                    return thread.submit(
                        context.run, lambda: asyncio.run(self._drained(value))
                    ).result()
            try:
                for item in islice(value, self._most):
                    self._note(item)
            except Exception as exc:  # noqa: BLE001 - what a reader raises is its result
                return self._done(exc)
            finally:
                value.close()
        return self._done()

    async def reading_here(self) -> Reading:
        with self._opened():
            return await self._drained(self._started())

    async def _drained(self, value: Any) -> Reading:
        self._now = LoopClock().now_ns
        try:
            async for item in value:
                self._note(item)
                if len(self._items) >= self._most:
                    break
        except Exception as exc:  # noqa: BLE001 - as above
            return self._done(exc)
        finally:
            await value.aclose()
        return self._done()

    def _done(self, error: Exception | None = None) -> Reading:
        if len(self._items) >= self._bound:
            error = EndlessError("it gives items without end")
        return Reading(tuple(self._items), error, tuple(self._chunks_ns))

    def _opened(self) -> AbstractContextManager[object]:
        if not self._played:
            return nullcontext()
        player = Player([self._tape], self._delivery, directed=False)
        player.handed = self._handed
        return opened(player)

    def _started(self) -> Any:
        if not takes_chunks(self._run):
            value = self._run()
        elif inspect.isasyncgenfunction(self._run):
            value = self._run(self._source_async())
        else:
            value = self._run(self._source())
        if inspect.isgenerator(value) or inspect.isasyncgen(value):
            return value
        if inspect.iscoroutine(value):
            value.close()
        raise ValueError(
            f"the reader gives {type(value).__name__} and no items one by one, so nothing can be"
            " said of when they come: pass a generator function or an async generator function"
        )

    def _source(self) -> Iterator[bytes]:
        for chunk in self._delivery.apply(self._tape).chunks:
            self._handed()
            yield chunk.data
        self._handed()

    async def _source_async(self) -> AsyncIterator[bytes]:
        for chunk in self._source():
            yield chunk

    def _handed(self) -> None:
        self._chunks_ns.append(self._now())

    def _note(self, value: Any) -> None:
        now_ns, handed = self._now(), self._chunks_ns
        self._items.append(Item(value, len(handed), now_ns, handed[-1] if handed else now_ns))
