"""The check of stopping: who leaves a stream early leaves nothing behind."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from streamtape.checks.failures import Failure, Findings
from streamtape.checks.stopping.stage import Stage, delivery_for
from streamtape.checks.watching import Reader, read, require_items

if TYPE_CHECKING:
    from streamtape.checks.stopping.leftovers import Server
    from streamtape.tape import Tape

_SENTENCES = {
    "left-open": (
        "the stream is still open after the client has stopped: put the client and its stream in"
        " `with` (`async with`), or close them in `finally`"
    ),
    "drained": "the client read the stream to its end after it was told to stop",
    "leaked-task": "a task is still there after the client has stopped: cancel it and await it",
    "leaked-thread": "a thread is still there after the client has stopped: end it and join it",
    "warning": "stopping gives a warning",
    "swallowed": (
        "it goes on, or ends as if nothing had happened, after it was told to stop: raise what"
        " stopped it again"
    ),
    "raises": "stopping raises something else than what stopped it",
    "other-part": "what it gave until then is not the beginning of what it gives for the whole",
    "behind": (
        "more had arrived than it gave before it asked for another chunk: who stops it here loses"
        " that"
    ),
    "other-result": (
        "the result after stopping is not what the client has of a stream that ends there"
    ),
}


def check_stop(
    run: Reader,
    tape: Tape,
    *,
    at: float,
    result: Callable[[], Any] | None = None,
    server: Server | None = None,
) -> None:
    """Check that *run*, stopped in the middle, closes its stream at once and leaves nothing behind.

    *run* is a generator function or an async generator function that reads an HTTP client of its
    own, to which *tape* is played. It is stopped after *at* items, or where *at* is a float, when
    so many seconds of the tape have passed, in the middle of a wait too (in virtual time: a stepped
    clock, or looptime's loop where that is installed). Each way of stopping is tried. Plain code
    breaks out of the loop and drops the generator, closes it (both with the next item that comes),
    is interrupted (KeyboardInterrupt, between two items and in the read) and timed out in the read
    (TimeoutError, as the handler of an alarm raises it). A coroutine breaks and drops the
    generator, awaits its ``aclose``, is cancelled, runs into a timeout, and is interrupted as
    `asyncio.Runner` does it. That is asyncio, never trio.

    Garbage collection is off meanwhile: what only it would close is left open. What is under way
    has a second to end. What was given until then has to be the beginning of what the whole stream
    gives, and all that the chunks that came by then complete.

    *result* tells what the client itself has by then, such as an SDK's snapshot: it must be the
    same as where *run* reads a tape that ends there.

    *server*: a running `streamtape.server.serve` of *tape*, which *run* asks by its URL; nothing is
    played then, time is real, and the server has to see each request go before its end. Plain code
    is then interrupted between two items only, and never timed out.

    Raises `CheckFailed` with one failure for each kind and way, such as ``"left-open/break"``, and
    with ``"behind"``, which no way of stopping brings about. Raises ValueError where there is
    nothing to stop: *run* fails for the whole stream (from its own exception), ends before *at*, or
    gives no items one by one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of the whole stream are none of stopping
        whole = read(run, tape, played=server is None)
    require_items(whole, tape)
    _require_middle(at, len(whole.items))
    stage = Stage(run, tape, at, result, server, whole)
    findings = Findings()
    for way, stop in stage.ways():
        left = stage.stopped(stop)
        findings.examples += 1
        for kind, expected, got in stage.complaints(left):
            _note(findings, f"{kind}/{way}", (expected, got), at, len(left.items))
    for must, out in stage.behind():
        _note(findings, "behind", (must, out), at, len(out))
    findings.verdict("check_stop")


def _require_middle(at: float, count: int) -> None:
    by_time = isinstance(at, float)
    if by_time:
        if not 0 < at < float("inf"):
            raise ValueError(f"at={at} is no time to stop at: give a positive number of seconds")
    elif not 0 < at < count:
        raise ValueError(
            f"stopping after {at} items of {count} stops nothing: at must be 1 or more, and less"
            " than the number of items that the whole stream gives"
        )


def _note(
    findings: Findings, kind: str, sides: tuple[object, object], at: float, items: int
) -> None:
    when = f"at {at:g} s, after" if isinstance(at, float) else "after"
    findings.add(
        Failure(
            *(kind, delivery_for(at), *sides, findings.examples),
            sentence=_SENTENCES[kind.partition("/")[0]],
            case=f"stopped {when} {items} item{'s' * (items != 1)}",
        )
    )
