"""Who answers a request: the innermost open session of the code that sends it.

Clients are patched once, however many sessions are open, and are restored when the last one
closes. Sessions may overlap without nesting (two tasks, each with a cassette): each task finds its
own through a context variable; a thread that has no context of ours takes the one opened last.
That is right where this one lies inside all others; else it is a guess, and a warning says so.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Self

from streamtape.clients.loading import being_loaded, loaded, wait_for

if TYPE_CHECKING:
    from streamtape.clients import Patcher
    from streamtape.clients.take import Take
    from streamtape.delivery import Delivery
    from streamtape.tape import Request, Tape


@dataclass(frozen=True)
class Play:
    """The answer «play this tape».

    ``waits``: let its time pass; ``virtual``: on a virtual clock only. ``trouble`` is told of what
    a test must not miss. ``streams`` are those that a client has and didn't close yet: a player
    adds its own with the head, and takes it out when the client closes it, or when the stream
    breaks, which frees a real connection too. ``handed`` is called before each piece goes to the
    client.
    """

    tape: Tape
    waits: bool
    trouble: Callable[[str], None]
    streams: set[object] = field(default_factory=set, compare=False)
    virtual: bool = False
    handed: Callable[[], object] | None = None

    @classmethod
    def under(
        cls, delivery: Delivery | None, tape: Tape, trouble: Callable[[str], None], **more: Any
    ) -> Self:
        """Play *tape*, which was delivered already, at the pace of *delivery* (None: at once)."""
        if delivery is None:
            return cls(tape, waits=False, trouble=trouble, **more)
        return cls(tape, delivery.waits, trouble, virtual=delivery.virtual, **more)


class Session(Protocol):
    """What answers requests while it is open."""

    def answer(self, request: Request) -> Play | Take | None:
        """A tape to play, a take to record into, or None to let the request pass untouched.

        Raises what the request is to fail with.
        """

    def mark(self) -> Callable[[], None]:
        """A function that puts the session back to where it stands now, as if nothing came after.

        For whoever runs the same code again inside one session.
        """


class GuessedSessionWarning(RuntimeWarning):
    """Several sessions are open, and nothing says which of them a request belongs to."""


Director = Callable[["Session", "Tape", "Delivery | None"], "Delivery | None"]
"""Told of each tape that a session is about to play and of the session's own delivery; says under
which delivery it is played (None: as recorded)."""

director: Director | None = None
"""A whole test run's say in every tape that is played: set by whoever runs the tests."""

_lock = threading.RLock()
_open: list[Session] = []
# By the identity of an open session: those that were open around it, and itself.
_around: dict[int, tuple[Session, ...]] = {}
_guess_told = False
_patches = ExitStack()
_patched: set[tuple[type, str]] = set()
_stack: ContextVar[tuple[Session, ...]] = ContextVar("streamtape_sessions", default=())
_aside: ContextVar[bool] = ContextVar("streamtape_aside", default=False)


def current() -> Session | None:
    """The session that answers requests sent from here, or None."""
    if _aside.get():
        return None
    for session in reversed(_stack.get()):
        if session in _open:
            return session
    opened_now = tuple(_open)  # another thread may close one at any time
    if not opened_now:
        return None
    last = opened_now[-1]
    around = _around.get(id(last), opened_now)
    if not all(session in around for session in opened_now):
        _tell_guess(len(opened_now))
    return last


def _tell_guess(count: int) -> None:
    """Once, until another session is opened."""
    global _guess_told  # noqa: PLW0603 - beside the list of open sessions, which it belongs to
    if _guess_told:
        return
    _guess_told = True
    warnings.warn(
        f"a request came from a thread or task that was started outside of all {count} cassettes"
        " and play() blocks open now, and they don't lie inside each other: the one opened last"
        " answers it, which may be the wrong one. Start the thread inside the block, in the block's"
        " context: asyncio.to_thread does that, and contextvars.copy_context().run as its target",
        GuessedSessionWarning,
        stacklevel=3,
    )


@contextmanager
def aside() -> Iterator[None]:
    """No session answers the requests that this task or thread sends inside the block.

    For streamtape's own requests, which are none of the program under test.
    """
    token = _aside.set(True)
    try:
        yield
    finally:
        _aside.reset(token)


def sessions() -> tuple[Session, ...]:
    """All open sessions, in the order in which they were opened."""
    with _lock:
        return tuple(_open)


def directed(session: Session, tape: Tape, own: Delivery | None) -> Delivery | None:
    """The delivery for *tape*, which *session* would play under its *own*."""
    return own if director is None else director(session, tape, own)


def _patch(library: str, patcher: Patcher) -> None:
    with _lock:
        if not _open:
            return  # loaded by a thread that outlived the last session
        for owner, name, replacement in patcher(sys.modules[library]):
            # `httpx2.alias_httpx()` makes two names one module.
            if (owner, name) not in _patched:
                _patched.add((owner, name))
                _patches.callback(_patched.discard, (owner, name))
                _patches.callback(setattr, owner, name, owner.__dict__[name])
                setattr(owner, name, replacement)


def _join(session: Session, patchers: Mapping[str, Patcher]) -> list[str]:
    """Add *session* to those that are open, unless clients are just being loaded: which ones."""
    with _lock:
        if not _open:
            busy = being_loaded(patchers)
            if busy:
                return busy
            _open.append(session)
            calls = {name: partial(_patch, name, patcher) for name, patcher in patchers.items()}
            try:
                _patches.enter_context(loaded(calls))
            except BaseException:
                _open.remove(session)
                _patches.close()
                raise
        else:
            _open.append(session)
        _around[id(session)] = (*_stack.get(), session)
    return []


@contextmanager
def opened(session: Session, patchers: Mapping[str, Patcher]) -> Iterator[None]:
    """*session* answers the requests of every patched client inside the block.

    *patchers*: by the name of a library. One that isn't loaded is patched when it is.
    """
    global _guess_told  # noqa: PLW0603 - as above
    while busy := _join(session, patchers):
        # Without our lock: the thread that imports may be waiting for that, to patch.
        wait_for(busy)
        # What is still being loaded, this very thread is loading: that would never end.
        here = set(being_loaded(busy))
        patchers = {name: patcher for name, patcher in patchers.items() if name not in here}
    _guess_told = False
    _stack.set(_around[id(session)])
    try:
        yield
    finally:
        # Not ContextVar.reset: a fixture's tear-down may run in another context than its set-up.
        _stack.set(tuple(other for other in _stack.get() if other is not session))
        with _lock:
            _open.remove(session)
            _around.pop(id(session), None)
            if not _open:
                _patches.close()
