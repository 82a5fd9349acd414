"""The check of promptness: nothing that a client has whole is held back until more comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from streamtape.checks.completing import alike, prefixes
from streamtape.checks.failures import Failure, Findings
from streamtape.checks.watching import Reader, read, require_items
from streamtape.delivery import Delivery, rewrites

if TYPE_CHECKING:
    from streamtape.tape import Tape

_MOST_PREFIXES = 60
"""Of so many events of a longer stream it is asked what they give: the first ones."""

_LINE_ENDS = {"lf": rewrites.lf(), "crlf": rewrites.crlf(), "cr": rewrites.cr()}


def check_incremental(run: Reader, tape: Tape, *, allow: Iterable[str] = ()) -> None:
    """Check that *run* gives each item before it asks for more than it needs for it.

    *run* is a generator function or an async generator function: ``run()`` reads an HTTP client of
    its own, to which *tape* is played, and ``run(chunks)`` reads what it is given. No clock is
    needed. The oracle is *run* itself: after chunk k it must have given what it gives for a stream
    that ends with the last event complete by then, less what it gives only at the end.

    An event at a time, and as recorded; of event streams also with each kind of line end (a line
    that a CR ends is over, whatever follows: WHATWG, "Server-sent events", 9.2.6).

    An async reader runs under asyncio, never under trio.

    Raises `CheckFailed` with a failure of the kinds ``"held-back/recorded"``, ``"held-back/lf"``,
    ``"held-back/crlf"``, ``"held-back/cr"`` that are not in *allow* (and for one in *allow* that no
    longer occurs); of ``"raises/lf"``, ``"raises/crlf"`` or ``"raises/cr"`` where *run* fails only
    when lines end so. Raises ValueError where *run* fails for the tape as recorded (from its own
    exception), gives nothing for it, or gives no items one by one.
    """
    findings = Findings()
    for name, delivery in _deliveries(tape):
        failure = findings.tried(_held_back(run, tape, delivery))
        if failure is not None:
            findings.add(replace(failure, kind=f"{failure.kind}/{name}"))
    findings.verdict("check_incremental", allow)


def _deliveries(tape: Tape) -> Iterator[tuple[str, Delivery]]:
    yield "recorded", Delivery()
    if tape.framing != "sse":
        yield "lf", Delivery(cuts="events")
        return
    for name, line_end in _LINE_ENDS.items():
        yield name, Delivery(cuts="events", rewrites=(line_end,))


def _held_back(run: Reader, tape: Tape, delivery: Delivery) -> Failure | None:
    """The failure where something is out later than the chunk that completes it."""
    delivered = delivery.apply(tape)
    whole = read(run, tape, delivery)
    if delivery == Delivery():
        require_items(whole, tape)
    elif whole.error is not None and tape.ending.kind != "error":
        return Failure(
            *("raises", delivery, "what it gives as recorded", whole.error),
            sentence=f"it raises where the stream is written so, after {len(whole.items)} items",
            tape=tape,
        )
    for events, chunks, prefix in islice(prefixes(delivered), _MOST_PREFIXES):
        must = alike(read(run, prefix).values, whole.values)
        out = whole.after(chunks)
        if len(out) < must:
            return Failure(
                *("held-back", delivery, whole.values[:must], out),
                sentence=(
                    f"event {events} is complete with chunk {chunks}, and what it gives is not out"
                    " before another chunk is asked for"
                ),
                tape=tape,
            )
    return None
