"""When a client's consumer got each item, against when the chunk it came in had arrived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamtape.checks.watching import Item, Reader, Reading, read, read_here
from streamtape.delivery import Delivery
from streamtape.metrics import Spread, spread

if TYPE_CHECKING:
    from streamtape.tape import Tape

_IN_TIME = Delivery(pace="recorded")


@dataclass(frozen=True)
class ClientTiming:
    """What a consumer of a stream saw, in seconds.

    ``items``: each item, how many chunks had been handed over by then, and when. ``lag``: from a
    chunk being handed over to each item that came out before the next one was asked for, None where
    there are no items. ``time_to_first_item``: from the first chunk. ``held_back``: the places of
    the items that came out only when the stream had ended.
    """

    items: tuple[Item, ...]
    lag: Spread | None
    time_to_first_item: float | None
    held_back: tuple[int, ...]


def client_timing(run: Reader, tape: Tape, delivery: Delivery = _IN_TIME) -> ClientTiming:
    """The times at which *run* gives its items while *tape* is delivered.

    *run* is a generator function or an async generator function, as in `check_incremental`. The
    clock is the player's: real time, or in plain code the virtual time of ``stream_clock``.

    Raises what *run* raises, and ValueError where it gives no items one by one.
    """
    return _timing(read(run, tape, delivery), delivery.apply(tape))


async def client_timing_here(
    run: Reader, tape: Tape, delivery: Delivery = _IN_TIME
) -> ClientTiming:
    """`client_timing` of an async generator function, in the running loop and its time."""
    return _timing(await read_here(run, tape, delivery), delivery.apply(tape))


def _timing(reading: Reading, tape: Tape) -> ClientTiming:
    if reading.error is not None:
        raise reading.error
    items = reading.items
    return ClientTiming(
        items=items,
        lag=spread(item.at_ns - item.chunk_ns for item in items),
        time_to_first_item=(items[0].at_ns - reading.first_ns) / 1e9 if items else None,
        held_back=tuple(
            place for place, item in enumerate(items) if item.chunks > len(tape.chunks)
        ),
    )
