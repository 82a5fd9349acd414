"""The check of promptness: nothing that a client has whole is held back until more comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING, Any

from streamtape.checks.failures import Failure, Findings
from streamtape.checks.results import same
from streamtape.checks.watching import Reader, read
from streamtape.delivery import Delivery, rewrites
from streamtape.tape import Chunk, Ending, recut
from streamtape.wire.framing import frame_ends

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

    Raises `CheckFailed` with a failure of the kinds ``"held-back/recorded"``, ``"held-back/lf"``,
    ``"held-back/crlf"``, ``"held-back/cr"`` that are not in *allow* (and for one in *allow* that no
    longer occurs), and ValueError where *run* gives no items one by one.
    """
    findings = Findings()
    for name, delivery in _deliveries(tape):
        failure = findings.tried(_held_back(run, tape, delivery))
        if failure is not None:
            findings.add(replace(failure, kind=f"held-back/{name}"))
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
    ends = frame_ends(delivered.framing, delivered.body)[:_MOST_PREFIXES]
    # What the end of the stream brings is no part of what must be out before it.
    for events, end in enumerate(ends[:-1], start=1):
        chunks = _chunks_until(delivered, end)
        if chunks == len(delivered.chunks):
            return None
        must = _alike(read(run, _prefix(delivered, ends[:events])).values, whole.values)
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


def _chunks_until(tape: Tape, end: int) -> int:
    """How many chunks it takes to have the first *end* bytes."""
    arrived = accumulate(len(chunk.data) for chunk in tape.chunks)
    return 1 + sum(1 for _ in takewhile(lambda offset: offset < end, arrived))


def _prefix(tape: Tape, ends: Sequence[int]) -> Tape:
    """A stream that ends properly with the event at the last of *ends*, an event for each chunk."""
    pieces = recut(tape.body[: ends[-1]], ends[:-1])
    return tape.with_chunks([Chunk(0, piece) for piece in pieces], ending=Ending("eof", 0))


def _alike(one: Sequence[Any], other: Sequence[Any]) -> int:
    """How many items both begin with alike."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: same(*pair), pairs))
