"""What each client did, as the server saw it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from streamtape.tape import Headers

How = Literal[
    "complete", "client closed", "client reset", "server closed", "server reset", "stopped"
]


@dataclass(eq=False)
class Exchange:
    """One request and how its response went. Times are `time.perf_counter_ns`.

    A request that couldn't be read has an empty ``method`` and ``path``. ``path`` is as it came,
    with its query. ``began_ns`` is when the last byte of the request had come, ``head_ns`` when the
    head was written, ``ended_ns`` when it was over (None while it isn't). ``how`` it ended:
    ``"complete"``: the client got all of it; ``"client closed"`` or ``"client reset"`` before that;
    ``"server closed"`` or ``"server reset"``: as the tape says; ``"stopped"`` with the server.

    ``interaction`` is the number of the tape that answered, from 1, in the order in which they were
    given; None where none did. ``attempt`` counts from 1 too. ``delivery`` is its expression.
    ``chunks`` are those of the delivered tape that were written; ``chunks_taken`` is how many of
    them the client has read for certain. ``written`` and ``taken`` are bytes on the wire, head
    and framing included; ``taken`` is a lower bound. ``whole``: all of the response was
    written. ``trouble`` tells what went wrong: no match, no request, a read past the end of a tape.
    """

    connection: int
    method: str
    path: str
    headers: Headers
    body: bytes
    began_ns: int
    status: int | None = None
    interaction: int | None = None
    attempt: int | None = None
    delivery: str = ""
    head_ns: int | None = None
    ended_ns: int | None = None
    how: How | None = None
    chunks: int = 0
    chunks_taken: int = 0
    written: int = 0
    taken: int = 0
    trouble: str = ""
    whole: bool = False
    _over: threading.Event = field(default_factory=threading.Event, repr=False)

    def end(self, how: How, at_ns: int) -> None:
        """It is over. Later ends change nothing."""
        if self.how is None:
            self.ended_ns = at_ns
            self.how = how
            self._over.set()

    def all_taken(self) -> None:
        """The client has read all that was written so far."""
        self.taken = self.written
        self.chunks_taken = self.chunks

    def wait(self, timeout: float | None = 10.0) -> Exchange:
        """Wait until it is over: a client may know before the server does. Gives itself.

        Raises TimeoutError after *timeout* seconds.
        """
        if not self._over.wait(timeout):
            raise TimeoutError(f"{self.method} {self.path} is not over after {timeout} s")
        return self
