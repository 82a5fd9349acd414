"""When a client's consumer got each item, against when the chunk that completes it had arrived."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from streamtape.checks.completing import alike, prefixes
from streamtape.checks.watching import Item, Reader, Reading, read, read_here
from streamtape.delivery import Delivery
from streamtape.metrics import Spread, spread

if TYPE_CHECKING:
    from streamtape.tape import Tape

_IN_TIME = Delivery(pace="recorded")

_MOST_BYTES = 2_000_000
"""Streams that end sooner are read until they have so many bytes together. That is asked for the
first 140 events of 200 bytes, or all events of a stream of 100."""


@dataclass(frozen=True)
class ClientTiming:
    """What a consumer of a stream saw, in seconds.

    ``items``: each item, how many chunks had been handed over by then, how many it takes, and when.
    ``lag``: from the chunk that completes an item being handed over to the item, None where there
    are no items; of what only the end of the stream brings, from the last chunk.
    ``time_to_first_item``: from the first chunk. ``held_back``: the places of the items that took
    more chunks than they need, or came out only when a reader of chunks had asked for the end.
    """

    items: tuple[Item, ...]
    lag: Spread | None
    time_to_first_item: float | None
    held_back: tuple[int, ...]


def client_timing(run: Reader, tape: Tape, delivery: Delivery = _IN_TIME) -> ClientTiming:
    """The times at which *run* gives its items while *tape* is delivered.

    *run* is a generator function or an async generator function, as in `check_incremental`. The
    clock is the player's: real time, or in plain code the virtual time of ``stream_clock``. An
    async reader runs under asyncio, never under trio.

    Which chunk completes an item *run* tells itself, as in `check_incremental`: it is run again for
    streams that end sooner, at once. Of a stream so long that these have more than 2 MB together
    only the first events are asked for; what comes later is measured from the last chunk before it.

    Raises what *run* raises, and ValueError where it gives no items one by one.
    """
    reading = _whole(read(run, tape, delivery))
    needs = _Needs(delivery.apply(tape), reading)
    for chunks, prefix in needs.asked():
        needs.note(chunks, read(run, prefix))
    return needs.timing()


async def client_timing_here(
    run: Reader, tape: Tape, delivery: Delivery = _IN_TIME
) -> ClientTiming:
    """`client_timing` of an async generator function, in the running loop and its time."""
    reading = _whole(await read_here(run, tape, delivery))
    needs = _Needs(delivery.apply(tape), reading)
    for chunks, prefix in needs.asked():
        needs.note(chunks, await read_here(run, prefix))
    return needs.timing()


def _whole(reading: Reading) -> Reading:
    if reading.error is not None:
        raise reading.error
    return reading


class _Needs:
    """How many chunks each item of *reading* takes, as far as that was asked."""

    def __init__(self, tape: Tape, reading: Reading) -> None:
        self._tape = tape
        self._reading = reading
        self._needed: list[int] = []

    def asked(self) -> Iterator[tuple[int, Tape]]:
        left = _MOST_BYTES
        for _, chunks, prefix in prefixes(self._tape):
            left -= len(prefix.body)
            if left < 0 or len(self._needed) == len(self._reading.items):
                return
            yield chunks, prefix

    def note(self, chunks: int, sooner: Reading) -> None:
        count = alike(sooner.values, self._reading.values)
        self._needed += [chunks] * (count - len(self._needed))

    def timing(self) -> ClientTiming:
        reading = self._reading
        needed: list[int | None] = [*self._needed, *[None] * len(reading.items)]
        items = tuple(map(_with_need, reading.items, needed))
        return ClientTiming(
            items=items,
            lag=spread(item.at_ns - self._complete_ns(item) for item in items),
            time_to_first_item=(
                (items[0].at_ns - reading.chunks_ns[0]) / 1e9
                if items and reading.chunks_ns
                else None
            ),
            held_back=tuple(
                place
                for place, item in enumerate(items)
                if item.chunks > (item.needed or len(self._tape.chunks))
            ),
        )

    def _complete_ns(self, item: Item) -> int:
        # What came before it was complete was guessed, and is not late.
        handed = min(item.needed or item.chunks, item.chunks)
        return self._reading.chunks_ns[handed - 1] if handed else item.at_ns


def _with_need(item: Item, needed: int | None) -> Item:
    return replace(item, needed=needed)
