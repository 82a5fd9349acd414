"""What a renderer leaves behind: after closing, leaving early, an exception, a cancellation."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from streamtape.checks.failures import Failure
from streamtape.checks.renderers.judging import (
    NOT_CLEAN,
    RAISES,
    RAISES_CLOSE,
    RAISES_EMPTY,
    RIGHT,
    SENTENCES,
)
from streamtape.checks.renderers.session import Stage, so_far
from streamtape.checks.renderers.surroundings import kept
from streamtape.clients import routing
from streamtape.delivery.order import AS_RECORDED

_GRACE_S = 1.0
"""A thread or task that ends within this time after closing was on its way out."""

_ROUNDS = 50
_MOST = 100
"""So many pieces are enough to leave something behind."""
_EXECUTOR = "asyncio_"
"""How the threads of the loop's own executor are called: they stay until the loop ends."""

_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"


class StoppedError(Exception):
    """What is raised inside the block in which a renderer is open."""


def left_behind(
    stage: Stage, pieces: Sequence[Any], may_refuse: Callable[[Sequence[Any]], bool]
) -> Iterator[Failure]:
    """Use a renderer in every way to end: what it raises, and the first way that leaves something.

    Closing may raise after pieces of which ``may_refuse`` is true: their end is no end for it.
    """
    whole = tuple(pieces[:_MOST])
    some = whole[: max(len(whole) // 2, 1)]
    ways: list[tuple[str, tuple[Any, ...], BaseException | None]] = [
        ("an empty stream", (), None),
        ("one piece", whole[:1], None),
        ("leaving early", some, None),
        ("the whole stream", whole, None),
        ("an exception in the block", some, StoppedError("stopped by the check")),
    ]
    if stage.is_async:
        ways.append(("a cancellation", some, asyncio.CancelledError()))
    for name, given, error in ways:
        way = _Way(stage, given, error)
        with _frozen_garbage():
            left = way.left()
        if way.raised is not None and not (way.was_closing and may_refuse(given)):
            kind = RAISES_CLOSE if way.was_closing else RAISES if any(given) else RAISES_EMPTY
            sentence = f"{SENTENCES[kind]}: after {name}" if way.was_closing else SENTENCES[kind]
            yield Failure(kind, AS_RECORDED, RIGHT, way.raised, sentence=sentence, pieces=given)
        if left:
            yield Failure(
                *(NOT_CLEAN, AS_RECORDED, "nothing left", "; ".join(left)),
                sentence=f"after {name} {SENTENCES[NOT_CLEAN]}",
                pieces=given,
            )
            return


class _Way:
    """A renderer that gets *pieces* and is then ended, with *error* if there is one.

    ``raised``: what it raised but for that; ``was_closing``: that it did so in ending.
    """

    def __init__(self, stage: Stage, pieces: Sequence[Any], error: BaseException | None) -> None:
        self._stage = stage
        self._pieces = pieces
        self._error = error
        self._found: list[str] = []
        self.raised: BaseException | None = None
        self.was_closing = False

    def left(self) -> list[str]:
        """What is left behind."""
        found = self._found
        with kept(), _threads(found), _streams(found), _warnings(found), _responses(found):
            self._stage.run(self._ended)
        return self._found

    async def _ended(self) -> None:
        """Use it, and note the tasks that go on."""
        if not self._stage.is_async:
            await self._used()
            return
        found = self._found
        loop = asyncio.get_running_loop()
        before = asyncio.all_tasks(loop)
        loop.set_exception_handler(lambda _, context: found.append(str(context["message"])))
        task = asyncio.ensure_future(self._used())
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()
        for _ in range(_ROUNDS):
            left = asyncio.all_tasks(loop) - before
            if not left:
                break
            await asyncio.sleep(_GRACE_S / _ROUNDS)
        else:
            for one in left:
                found.append(f"a task that goes on: {one.get_name()} ({_told(one)})")
                one.cancel()
            await asyncio.wait(left, timeout=_GRACE_S)
        gc.collect()
        loop.set_exception_handler(None)

    async def _used(self) -> None:
        stage, error = self._stage, self._error
        handle: Any = None
        ends_itself = False
        try:
            async with stage.opened() as handle:
                ends_itself = stage.ends_itself
                for number, piece in enumerate(self._pieces, start=1):
                    if isinstance(error, asyncio.CancelledError) and number == len(self._pieces):
                        self.was_closing = True
                        _cancel()
                    given = so_far(self._pieces, number) if stage.renderer.feeds_all else piece
                    await stage.call(stage.renderer.feed, handle, given)
                self.was_closing = error is not None
                if isinstance(error, asyncio.CancelledError):
                    await asyncio.sleep(0)
                if error is not None:
                    raise error  # noqa: TRY301 - that is what this is for
                self.was_closing = True
                await stage.close(handle)
        except (Exception, asyncio.CancelledError) as exc:  # noqa: BLE001 - what it raises is told
            if type(exc) is not type(error):
                self.raised = exc
            elif not ends_itself:
                with suppress(Exception):
                    await stage.close(handle)
        with suppress(Exception):
            if getattr(await stage.view(handle), "cursor_hidden", False):
                self._found.append("the terminal's cursor is hidden")


@contextmanager
def _frozen_garbage() -> Iterator[None]:
    """What is there before stays out of collections: those inside are quick, and blame no other."""
    thawed = gc.get_freeze_count() == 0
    if thawed:
        gc.freeze()
    try:
        yield
    finally:
        if thawed:
            gc.unfreeze()


def _cancel() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


def _told(task: asyncio.Task[Any]) -> str:
    return getattr(task.get_coro(), "__qualname__", "")


@contextmanager
def _threads(found: list[str]) -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith(_EXECUTOR):
            continue
        thread.join(_GRACE_S)
        if thread.is_alive():
            found.append(f"a thread that goes on: {thread.name}")


@contextmanager
def _responses(found: list[str]) -> Iterator[None]:
    """Note the HTTP streams that tapes are played to and that nobody closed."""
    before = _open_streams()
    yield
    left = len(_open_streams() - before)
    if left:
        found.append(f"{left} HTTP stream{'s' * (left > 1)} still open")


def _open_streams() -> set[object]:
    sessions = routing.sessions()
    return {stream for session in sessions for stream in getattr(session, "streams", ())}


class _Watched:
    """A stream that notes whether the cursor is hidden, and passes everything through."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.hidden = False

    def write(self, text: str) -> Any:
        if _HIDE in text or _SHOW in text:
            self.hidden = text.rfind(_HIDE) > text.rfind(_SHOW)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _streams(found: list[str]) -> Iterator[None]:
    before = sys.stdout, sys.stderr
    watched = _Watched(sys.stdout), _Watched(sys.stderr)
    sys.stdout, sys.stderr = watched
    try:
        yield
        for name, stream in zip(("stdout", "stderr"), watched, strict=True):
            if getattr(sys, name) is not stream:
                found.append(f"sys.{name} is not what it was")
            if stream.hidden:
                found.append(f"the cursor is hidden on sys.{name}")
    finally:
        sys.stdout, sys.stderr = before


@contextmanager
def _warnings(found: list[str]) -> Iterator[None]:
    """Note what was not closed or awaited, when the garbage is collected too."""
    hook = sys.unraisablehook
    unraisable: Callable[[Any], None] = lambda seen: found.append(  # noqa: E731 - one expression
        f"raised where nobody can catch it: {seen.exc_value!r}"
    )
    sys.unraisablehook = unraisable
    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            yield
            gc.collect()
        for one in seen:
            never_awaited = "never awaited" in str(one.message)
            if issubclass(one.category, ResourceWarning) or never_awaited:
                found.append(f"{one.category.__name__}: {one.message}")
    finally:
        sys.unraisablehook = hook
