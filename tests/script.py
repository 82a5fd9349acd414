"""What a test server shall send: a `Response` is a script of steps.

Steps are made by the functions here, and told apart by their class.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from streamtape.codings import Encoder

# Every wait of a server's threads is on this, and whatever a wait may be for notifies it.
changed = threading.Condition()

Headers = Mapping[str, str] | Iterable[tuple[str, str]]
Transfer = Literal["chunked", "length", "close"]


@dataclass(frozen=True)
class Head:
    """Send the status line and the headers, with those that the transfer and the coding need."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "text/event-stream"),)
    reason: str | None = None


@dataclass(frozen=True)
class Chunk:
    """Send *data* with one `send`, as one transfer chunk where the transfer is chunked."""

    data: bytes


@dataclass(frozen=True)
class Raw:
    """Send *data* as it is: no transfer chunk, no content coding, and no head first."""

    data: bytes


@dataclass(frozen=True)
class Pause:
    """Wait for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Taken:
    """Wait until the client has read all that was sent, from the kernel's point of view."""


@dataclass(frozen=True)
class Break:
    """Close the connection at once: with FIN, or with RST."""

    reset: bool


class Gate(threading.Event):
    """Wait until the test calls `set()`."""

    def set(self) -> None:
        super().set()
        with changed:
            changed.notify_all()


PlainStep = Head | Chunk | Raw | Pause | Taken | Break | Gate
Step = PlainStep | Callable[[], "Iterable[Step]"]


def head(status: int = 200, headers: Headers | None = None, reason: str | None = None) -> Head:
    """The head; without *headers* its content type is ``text/event-stream``."""
    if headers is None:
        return Head(status, reason=reason)
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return Head(status, tuple(pairs), reason)


def chunk(data: bytes | str) -> Chunk:
    """One transfer chunk, sent at once."""
    if not data:
        raise ValueError("an empty chunk ends a chunked body: use raw() to send one on purpose")
    return Chunk(data.encode() if isinstance(data, str) else data)


def raw(data: bytes | str) -> Raw:
    """Bytes as they are: a broken transfer chunk, or a whole response that breaks the protocol."""
    return Raw(data.encode() if isinstance(data, str) else data)


def pause(seconds: float) -> Pause:
    """A wait, from the step before."""
    return Pause(seconds)


def gate() -> Gate:
    """A wait for the test, which calls `set()` when the script may go on. It stays open then."""
    return Gate()


def taken() -> Taken:
    """A wait until the client has read what was sent. On systems without /proc/net: 20 ms."""
    return Taken()


def cut() -> Break:
    """Close the connection here, where the body isn't complete."""
    return Break(reset=False)


def reset() -> Break:
    """Reset the connection here. What the client hasn't read by then may be lost: see `taken`."""
    return Break(reset=True)


def hang() -> Gate:
    """Wait until the client goes away or the server is closed."""
    return Gate()


def forever(*steps: Step) -> Step:
    """These steps again and again."""
    return lambda: itertools.cycle(steps)


def apart(pieces: Iterable[bytes | str]) -> list[Step]:
    """Chunks, each sent once the client has taken the one before: no read gets two of them."""
    return [step for piece in pieces for step in (chunk(piece), taken())]


def gated(pieces: Iterable[bytes | str]) -> tuple[list[Step], list[Gate]]:
    """Chunks with a gate after each, which holds back what follows: the next chunk, or the end."""
    steps: list[Step] = []
    gates = []
    for piece in pieces:
        gates.append(gate())
        steps += [chunk(piece), gates[-1]]
    return steps, gates


class Response:
    """A script: what to send, and what to wait for in between. It can answer many requests.

    A step that is a callable gives more steps, anew for each request: a generator function is an
    endless stream. Where no head was sent before the first chunk, or before the end, ``head()`` is.
    When the steps are done the response ends properly, unless it was cut.

    *transfer* is ``"chunked"``, ``"length"`` (a content-length that counts all the chunks, so the
    steps must be finite, and those after a `cut()` make a promise that isn't kept) or ``"close"``
    (the end of the connection is the end of the body). With a *coding* each chunk is encoded and
    flushed. A head that has a ``content-length``, ``transfer-encoding`` or ``content-encoding``
    itself is sent with that one, true or not.
    """

    def __init__(
        self, *steps: Step, transfer: Transfer = "chunked", coding: str | None = None
    ) -> None:
        self.steps = steps
        self.transfer = transfer
        self.coding = coding

    def flat(self) -> Iterator[PlainStep]:
        """The steps, with those of callables in their place."""
        return _flat(self.steps)

    def length(self) -> int:
        """The length of the whole body, encoded."""
        pieces = [step.data for step in self.flat() if isinstance(step, Chunk)]
        if self.coding:
            encoder = Encoder(self.coding)
            pieces = [*map(encoder.chunk, pieces), encoder.finish()]
        return sum(map(len, pieces))


def _flat(steps: Iterable[Step]) -> Iterator[PlainStep]:
    for step in steps:
        if callable(step):
            yield from _flat(step())
        else:
            yield step


def json_response(value: object, status: int = 200, headers: Headers = ()) -> Response:
    """A whole response with a content-length."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return Response(
        head(status, [("content-type", "application/json"), *pairs]),
        chunk(json.dumps(value)),
        transfer="length",
    )
