"""The response streams of httpx and httpx2: a tee to record, a player to replay, sync and async.

Made anew for each of the two modules, whose clients check that a stream is of their own kind.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from streamtape.clients.playback import Playback, PlayedError

if TYPE_CHECKING:
    from types import ModuleType

    from streamtape.clients.take import Take
    from streamtape.clock import LoopClock, SystemClock
    from streamtape.tape import ErrorKind

# From most to least specific. The first class of a kind is the one that is raised on replay.
_ERRORS: tuple[tuple[ErrorKind, tuple[str, ...]], ...] = (
    ("connect-timeout", ("ConnectTimeout",)),
    ("read-timeout", ("ReadTimeout",)),
    ("pool", ("PoolTimeout",)),
    ("connect", ("ConnectError", "ProxyError")),
    ("read", ("ReadError", "CloseError")),
    ("write", ("WriteError", "WriteTimeout")),
    ("protocol", ("RemoteProtocolError", "LocalProtocolError")),
)


def end_with(module: ModuleType, take: Take, exc: BaseException, asked: int | None = None) -> None:
    """End *take* with what *exc* means for the stream; the exception itself goes on its way."""
    if not isinstance(exc, Exception):
        take.finish("closed")  # a cancellation, a KeyboardInterrupt: the client leaves
        return
    for kind, names in _ERRORS:
        if isinstance(exc, tuple(getattr(module, name) for name in names)):
            take.finish("error", kind, str(exc), asked=asked)
            return
    take.finish("error", "read", f"{type(exc).__name__}: {exc}", asked=asked)


def raise_played(module: ModuleType, request: Any, played: PlayedError) -> NoReturn:
    """Raise what *module* itself raises where a stream breaks so."""
    name = next(names[0] for kind, names in _ERRORS if kind == played.error)
    raise getattr(module, name)(played.text, request=request) from played


class Tee:
    """A response stream that notes what passes. One iteration is one of the stream behind it."""

    def __init__(self, module: ModuleType, stream: Any, take: Take) -> None:
        self._module = module
        self._stream = stream
        self._take = take

    def __iter__(self) -> Generator[bytes]:
        take = self._take
        clock = take.clock
        add = take.reads.append
        asked = clock()
        try:
            for chunk in self._stream:
                if take.ending is None:
                    add((asked, clock(), chunk))
                yield chunk
                asked = clock()
        except GeneratorExit:
            take.finish("closed")
            raise
        except BaseException as exc:
            end_with(self._module, take, exc, asked)
            raise
        take.finish("eof", asked=asked)

    def close(self) -> None:
        self._take.finish("closed")
        self._stream.close()


class AsyncTee:
    """`Tee` for coroutines."""

    def __init__(self, module: ModuleType, stream: Any, take: Take) -> None:
        self._module = module
        self._stream = stream
        self._take = take

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        take = self._take
        clock = take.clock
        add = take.reads.append
        inner: AsyncIterator[bytes] = self._stream.__aiter__()
        asked = clock()
        try:
            async for chunk in inner:
                if take.ending is None:
                    add((asked, clock(), chunk))
                yield chunk
                asked = clock()
        except GeneratorExit:
            take.finish("closed")
            raise
        except BaseException as exc:
            end_with(self._module, take, exc, asked)
            raise
        finally:
            # Not left to the garbage collector: it can't close a stream in a loop's stead.
            if isinstance(inner, AsyncGenerator):
                await inner.aclose()
        take.finish("eof", asked=asked)

    async def aclose(self) -> None:
        self._take.finish("closed")
        await self._stream.aclose()


class Player:
    """A response stream that hands over a tape. A second iteration goes on where the first was."""

    def __init__(
        self, module: ModuleType, playback: Playback, request: Any, clock: SystemClock
    ) -> None:
        self._module = module
        self._playback = playback
        self._request = request
        self._clock = clock

    def __iter__(self) -> Iterator[bytes]:
        playback, clock = self._playback, self._clock
        while True:
            wait_ns, error = playback.due(clock.now_ns())
            if wait_ns:
                clock.sleep_ns(wait_ns)
            try:
                if error is not None:
                    raise error
                chunk = playback.hand_over()
            except PlayedError as played:
                raise_played(self._module, self._request, played)
            if chunk is None:
                return
            yield chunk


class AsyncPlayer:
    """`Player` for coroutines."""

    def __init__(
        self, module: ModuleType, playback: Playback, request: Any, clock: LoopClock
    ) -> None:
        self._module = module
        self._playback = playback
        self._request = request
        self._clock = clock

    async def __aiter__(self) -> AsyncIterator[bytes]:
        playback, clock = self._playback, self._clock
        while True:
            wait_ns, error = playback.due(clock.now_ns())
            # Also for no time at all: a real stream lets other tasks run.
            await clock.sleep_ns(wait_ns)
            try:
                if error is not None:
                    raise error
                chunk = playback.hand_over()
            except PlayedError as played:
                raise_played(self._module, self._request, played)
            if chunk is None:
                return
            yield chunk


@cache
def of_module(kind: type, module: ModuleType) -> Any:
    """*kind*, one of the four above, as a stream that the clients of *module* take for theirs."""
    own = module.SyncByteStream if kind in {Tee, Player} else module.AsyncByteStream
    return type(kind.__name__, (kind, own), {})
