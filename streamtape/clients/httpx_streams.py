"""The response streams of httpx and httpx2: a tee to record, a player to replay, sync and async.

Made anew for each of the two modules, whose clients check that a stream is of their own kind.
"""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
)
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NoReturn

from streamtape.clients.playback import Playback, PlayedError

if TYPE_CHECKING:
    from types import ModuleType

    from streamtape.clients.take import Take
    from streamtape.clock import Clock, LoopClock
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
    kind, text = told_by(module, exc)
    take.finish("error", kind, text, asked=asked)


def told_by(module: ModuleType, exc: Exception) -> tuple[ErrorKind, str]:
    """What *exc* means for a stream: the kind of its end, and a text."""
    for kind, names in _ERRORS:
        if isinstance(exc, tuple(getattr(module, name) for name in names)):
            return kind, str(exc)
    return "read", f"{type(exc).__name__}: {exc}"


def end_without_response(module: ModuleType, take: Take, exc: BaseException) -> None:
    """As `end_with`, where the transport gave no response.

    What the client itself refuses to send was never on the network: it isn't recorded, since who
    replayed it would blame the server.
    """
    if isinstance(exc, (module.UnsupportedProtocol, module.LocalProtocolError)):
        take.withdraw()
    else:
        end_with(module, take, exc)


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
        add = take.reads.extend
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
        add = take.reads.extend
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

    def __init__(self, module: ModuleType, playback: Playback, request: Any, clock: Clock) -> None:
        self._module = module
        self._playback = playback
        self._request = request
        self._clock = clock

    def __iter__(self) -> Iterator[bytes]:
        playback = self._playback
        try:
            yield from playback.in_time(self._clock) if playback.waits else playback.pieces
            playback.end()
        except BaseException as exc:
            playback.close()  # a real connection is free then too
            if isinstance(exc, PlayedError):
                raise_played(self._module, self._request, exc)
            raise

    def close(self) -> None:
        self._playback.close()


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
        playback = self._playback
        try:
            if playback.waits:
                while (piece := await self._in_time()) is not None:
                    yield piece
            else:
                # A real stream lets other tasks run, and can be cancelled, before each piece.
                pause = _pause()
                await pause()
                for piece in playback.pieces:
                    yield piece
                    await pause()
            playback.end()
        except BaseException as exc:
            playback.close()  # as `Player`
            if isinstance(exc, PlayedError):
                raise_played(self._module, self._request, exc)
            raise

    async def _in_time(self) -> bytes | None:
        playback, clock = self._playback, self._clock
        wait_ns, error = playback.due(clock.now_ns())
        await clock.sleep_ns(wait_ns)
        if error is not None:
            raise error
        return playback.hand_over()

    async def aclose(self) -> None:
        self._playback.close()


def _pause() -> Callable[[], Awaitable[None]]:
    """What lets the other tasks of the running loop have their turn, in the cheapest way."""
    import asyncio

    import anyio.lowlevel

    # anyio's own looks at each call for the kind of loop, which takes as long as the turn itself.
    if anyio.get_cancelled_exc_class() is asyncio.CancelledError:
        return partial(asyncio.sleep, 0)
    return anyio.lowlevel.checkpoint


@cache
def of_module(kind: type, module: ModuleType) -> Any:
    """*kind*, one of the four above, as a stream that the clients of *module* take for theirs."""
    own = module.SyncByteStream if kind in {Tee, Player} else module.AsyncByteStream
    return type(kind.__name__, (kind, own), {})
