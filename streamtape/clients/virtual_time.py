"""No real connection in virtual time: a server answers in real time, and meanwhile it jumps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from streamtape.clients.sockets import watched
from streamtape.clock import SystemClock, VirtualClockError, loop_is_virtual, plain_clock


def is_virtual() -> bool:
    """Whether time is virtual for the code that runs here: a coroutine, or plain code."""
    try:
        return loop_is_virtual()
    except RuntimeError:
        return not isinstance(plain_clock(), SystemClock)


class _Refusing:
    """Refuses connections in virtual time."""

    def __init__(self, trouble: Callable[[str], object]) -> None:
        self._trouble = trouble

    def connecting(self, host: str, port: int, names: frozenset[str]) -> None:
        if not is_virtual():
            return
        where = " = ".join([*sorted(names), host])
        what = (
            f"a connection to {where} port {port} in virtual time, which jumps to the next timeout"
            " while a server is at work: every time would be wrong, and timeouts would fire that"
            " are none. Play the stream from a tape, or test this without a virtual clock"
        )
        self._trouble(what)
        raise VirtualClockError(what)

    def not_found(self, host: str, port: int) -> None:
        """Nothing was connected."""


@contextmanager
def refused(trouble: Callable[[str], object] = lambda _: None) -> Iterator[None]:
    """A connection that is made in virtual time raises `VirtualClockError` inside the block.

    *trouble* is told, since clients swallow it.
    """
    with watched(_Refusing(trouble)):
        yield
