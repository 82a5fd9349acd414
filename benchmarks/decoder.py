"""How fast events are decoded, and that the time grows with the length of the stream, no faster."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import streamtape
from benchmarks.paired import Section, measured, section
from benchmarks.streams import events

if TYPE_CHECKING:
    from benchmarks.paired import Size

OWN = "streamtape.Decoder"
SDK = "the openai SDK's decoder"
TIMES = 4


def _decode(chunks: Iterable[bytes]) -> int:
    feed = streamtape.Decoder().feed
    return sum(len(feed(chunk)) for chunk in chunks)


def _decode_as_sdk(chunks: Iterable[bytes]) -> int:
    # Not a public name of the SDK, so looked for here and not imported above.
    streaming: Any = importlib.import_module("openai._streaming")
    return sum(1 for _ in streaming.SSEDecoder().iter_bytes(iter(chunks)))


def _rate(decode: Callable[[Iterable[bytes]], int], chunks: Sequence[bytes], unit: int) -> float:
    """Events, or bytes where *unit* says so, in a second."""
    started = time.process_time()
    decode(chunks)
    return unit / max(time.process_time() - started, 1e-9)


def _bytes_of(data: bytes) -> list[bytes]:
    return [data[offset : offset + 1] for offset in range(len(data))]


def decoder(size: Size) -> Iterator[Section]:
    """Events a second by the size of the chunks, then the same for streams four times as long."""
    count = size.events
    few = max(count // 10, 1)
    ways: dict[str, tuple[int, list[bytes]]] = {
        "one event in each chunk": (count, events(count)),
        "all in one chunk": (count, [b"".join(events(count))]),
        "one byte in each chunk": (few, _bytes_of(b"".join(events(few)))),
    }
    for way, (number, chunks) in ways.items():
        cases = {
            SDK: partial(_rate, _decode_as_sdk, chunks, number),
            OWN: partial(_rate, _decode, chunks, number),
        }
        yield section(
            f"decoding {number:,} events, {way}",
            "events/s",
            measured(cases, size.rounds),
            SDK,
            better="more",
        )
    del ways, chunks, cases
    yield _linear("many events in one chunk", "events", count, "events/s", _one_chunk, size)
    length = max(size.events * 20, 100)
    yield _linear("one event in chunks of one byte", "bytes", length, "MB/s", _one_event, size)


def _one_chunk(count: int) -> float:
    return _rate(_decode, [b"".join(events(count))], count)


def _one_event(length: int) -> float:
    return _rate(_decode, _bytes_of(b"data: " + b"x" * length + b"\n\n"), length) / 1e6


def _linear(
    what: str, things: str, count: int, unit: str, rate: Callable[[int], float], size: Size
) -> Section:
    cases = {f"{number:,} {things}": partial(rate, number) for number in (count, count * TIMES)}
    return section(
        f"decoding {what}, {TIMES} times as many (1.00: linear)",
        unit,
        measured(cases, size.rounds),
        next(iter(cases)),
        better="more",
    )
