"""Runs that begin before anybody asks for them, several at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamtape.delivery import Delivery
    from streamtape.programs.outcome import Outcome


class Ahead:
    """Runs deliveries in order, *jobs* at once, for a search that takes them one by one."""

    def __init__(self, run: Callable[[Delivery], Outcome], jobs: int) -> None:
        self._run = run
        self._jobs = jobs
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="fuzz")
        self._running: dict[Delivery, Future[Outcome]] = {}

    def each(self, deliveries: Iterable[Delivery]) -> Iterator[Delivery]:
        """*deliveries*, no two of which are equal, each of them begun by the time it comes."""
        source = iter(deliveries)
        begun: deque[Delivery] = deque()
        while True:
            while len(begun) < 2 * self._jobs and (following := next(source, None)) is not None:
                self._running[following] = self._pool.submit(self._run, following)
                begun.append(following)
            if not begun:
                return
            yield begun.popleft()

    def outcome(self, delivery: Delivery) -> Outcome:
        """What *delivery* leads to: of the run that was begun, or else of one here and now."""
        future = self._running.pop(delivery, None)
        return self._run(delivery) if future is None else future.result()

    @contextmanager
    def until_done(self, stop: Callable[[], None]) -> Iterator[None]:
        """A block after which nothing runs any more: *stop* is called to end what still does."""
        try:
            yield
        finally:
            stop()
            self._pool.shutdown(cancel_futures=True)
