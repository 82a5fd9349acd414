"""How the commands that run for long are told to end.

A shell starts what is put in the background by a script with SIGINT ignored, and Python leaves it
so: unless a command says that it heeds the signal, `kill -INT` does nothing to it.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


class ToldError(Exception):
    """Ctrl-C or SIGTERM, once more."""


@contextmanager
def until_told(first: Callable[[], object]) -> Iterator[None]:
    """Call *first* at the first SIGINT or SIGTERM, in the block; raise `ToldError` at later ones.

    In the main thread only. The first one raises nothing: it may come while a line is written.
    """
    told = False

    def handler(*_: object) -> None:
        nonlocal told
        if told:
            raise ToldError
        told = True
        first()

    with _handled(handler):
        yield


@contextmanager
def as_ctrl_c() -> Iterator[None]:
    """Raise KeyboardInterrupt in the block at each SIGINT and SIGTERM. In the main thread only."""
    with _handled(signal.default_int_handler):
        yield


@contextmanager
def _handled(handler: Any) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in _NUMBERS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
