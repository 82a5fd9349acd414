"""Who answers a request: the innermost open session of the code that sends it.

Clients are patched once, however many sessions are open, and are restored when the last one
closes. Sessions may overlap without nesting (two tasks, each with a cassette): each task finds its
own through a context variable; a thread that has no context of ours takes the one opened last.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from streamtape.clients.take import Take
    from streamtape.tape import Request, Tape


@dataclass(frozen=True)
class Play:
    """The answer «play this tape».

    ``waits``: let its time pass. ``trouble`` is told of what a test must not miss.
    """

    tape: Tape
    waits: bool
    trouble: Callable[[str], None]


class Session(Protocol):
    """What answers requests while it is open."""

    def answer(self, request: Request) -> Play | Take | None:
        """A tape to play, a take to record into, or None to let the request pass untouched.

        Raises what the request is to fail with.
        """


Patcher = Callable[[], Iterator[tuple[type, str, Callable[..., object]]]]
"""Yields ``(class, method name, replacement)`` for one client library."""

_lock = threading.RLock()
_open: list[Session] = []
_patches = ExitStack()
_stack: ContextVar[tuple[Session, ...]] = ContextVar("streamtape_sessions", default=())


def current() -> Session | None:
    """The session that answers requests sent from here, or None."""
    for session in reversed(_stack.get()):
        if session in _open:
            return session
    return _open[-1] if _open else None


@contextmanager
def opened(session: Session, patchers: tuple[Patcher, ...]) -> Iterator[None]:
    """*session* answers the requests of every patched client inside the block."""
    with _lock:
        if not _open:
            for patcher in patchers:
                for owner, name, replacement in patcher():
                    _patches.callback(setattr, owner, name, owner.__dict__[name])
                    setattr(owner, name, replacement)
        _open.append(session)
    _stack.set((*_stack.get(), session))
    try:
        yield
    finally:
        # Not ContextVar.reset: a fixture's tear-down may run in another context than its set-up.
        _stack.set(tuple(other for other in _stack.get() if other is not session))
        with _lock:
            _open.remove(session)
            if not _open:
                _patches.close()
