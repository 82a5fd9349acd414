"""What a person wants to know of a tape's times, by the names of OpenTelemetry, AIPerf and vLLM.

Inside, times are integers of nanoseconds; everything that leaves this module is in seconds, as a
float. No unit is ever converted twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from streamtape.providers import GENERIC, carries_token, detect, payload_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamtape.tape import Tape
    from streamtape.wire.sse import Event

Token = Callable[["Event"], bool | str]
"""Says whether an event carries a token, or which text: true, or text that isn't empty, is yes."""

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Spread:
    """How the values of one kind of gap are spread. Seconds, but for ``count``.

    A percentile is interpolated linearly between the two nearest values, at rank ``p / 100 *
    (count - 1)`` from 0: type 7 of Hyndman and Fan ("Sample Quantiles in Statistical Packages",
    1996), which is numpy's default and so what vLLM's and AIPerf's numbers are. ``p50`` is the
    median.
    """

    count: int
    min: float
    p50: float
    p90: float
    p99: float
    max: float
    mean: float


@dataclass(frozen=True, slots=True)
class Stall:
    """A long gap between two chunks. Seconds.

    ``at`` is when it began: the arrival of the chunk before it. ``length`` is how long it lasted,
    until ``tape.chunks[chunk]`` arrived. Where ``late`` is true that chunk lay waiting for a
    consumer who was away, and ``length`` is an upper bound: the consumer may be what stalled.
    """

    at: float
    length: float
    chunk: int
    late: bool = False


@dataclass(frozen=True)
class Timing:
    """The times of one tape, in seconds from the request being handed to the transport.

    None stands for what isn't known or never happened: every time of a tape whose ``timed`` is
    false; ``time_to_headers`` where no head came; ``time_to_first_chunk``, ``_event`` and
    ``_token`` where none came; a `Spread` where there are fewer than two arrivals and so no gap.
    Counts are always there.

    Times of chunks marked ``late`` are upper bounds, since the consumer had been away when they
    came in; ``late_chunks`` says how many there are.

    ``duration``
        To the ending: the end of the stream, the error, or the client's leaving. OpenTelemetry's
        ``gen_ai.client.operation.duration``.
    ``time_to_headers``
        To the response's head.
    ``time_to_first_chunk``
        To the first chunk: OpenTelemetry's ``gen_ai.client.operation.time_to_first_chunk``. A
        keep-alive comment is a chunk.
    ``time_to_first_event``
        To the first event that was dispatched.
    ``time_to_first_token``
        To the first event that carries a token: AIPerf's TTFT, which skips role-only and empty
        messages (vLLM's counts them). Reasoning and tool calls are tokens, unless the ``token``
        that was given says otherwise.
    ``inter_chunk``, ``inter_event``, ``inter_token``
        Each gap between two neighbouring arrivals of chunks, of events, of events that carry a
        token. Events that came in one chunk share its time, so gaps of 0 are common.
        ``inter_token`` is vLLM's inter-token latency (ITL) and AIPerf's inter-chunk latency (ICL).
    ``time_per_output_token``
        ``(duration - time_to_first_token) / (output_tokens - 1)``: vLLM's TPOT, AIPerf's
        inter-token latency, OpenTelemetry's ``gen_ai.server.time_per_output_token`` seen from the
        client. None where the payloads don't say how many tokens there were, or say fewer than
        two. Where a model reasons without streaming it, the count has tokens that nobody saw
        arrive, and the number is too low.
    ``output_tokens``
        The number of tokens generated, as the payloads report it. Never counted here.
    ``chunks``, ``events``, ``events_per_chunk``, ``bytes``
        How many there are; ``events_per_chunk`` is their ratio, None without chunks. An empty chunk
        counts. ``bytes`` are those of the body without its content coding.
    """

    duration: float | None
    time_to_headers: float | None
    time_to_first_chunk: float | None
    time_to_first_event: float | None
    time_to_first_token: float | None
    inter_chunk: Spread | None
    inter_event: Spread | None
    inter_token: Spread | None
    time_per_output_token: float | None
    output_tokens: int | None
    chunks: int
    late_chunks: int
    events: int
    events_per_chunk: float | None
    bytes: int
    _arrivals: tuple[tuple[int, bool], ...] = field(repr=False)

    def stalls(self, over: float = 1.0) -> list[Stall]:
        """The gaps between two neighbouring chunks that are longer than *over* seconds, in order.

        A gap lies between two arrivals, so neither the wait for the first chunk is one (that is
        ``time_to_first_chunk``) nor the silence between the last chunk and the ending. Empty where
        the times are unknown.
        """
        return [
            Stall(_seconds(before), _seconds(after - before), number, late)
            for number, ((before, _), (after, late)) in enumerate(pairwise(self._arrivals), 1)
            if _seconds(after - before) > over
        ]


def timing(tape: Tape, token: Token | None = None) -> Timing:
    """The times of *tape*.

    *token* says which events carry a token: a predicate, or a function that gives an event's token
    text. Without it the shape of the payloads does: of the provider that `streamtape.providers`
    knows by it, or of an object with a text under one of the usual keys (``text``, ``content``,
    ``delta``, ``token``, ``value``). Plain text may be anything, so it is no token then.

    Raises what *token* raises, nothing else.
    """
    timed_events = tape.events()
    events = [event for _, event in timed_events]
    provider = detect(events)
    if token is None and provider is not None:
        token = _object_with_text if provider is GENERIC else provider.carries_token
    event_times = [at_ns for at_ns, _ in timed_events]
    token_times = [at_ns for at_ns, event in timed_events if token is not None and token(event)]
    chunk_times = [chunk.at_ns for chunk in tape.chunks]
    output_tokens = None if provider is None else provider.output_tokens(events)
    timed = tape.timed
    return Timing(
        duration=_seconds(tape.ending.at_ns) if timed else None,
        time_to_headers=_seconds(tape.head_ns) if timed and tape.head_ns is not None else None,
        time_to_first_chunk=_first(chunk_times) if timed else None,
        time_to_first_event=_first(event_times) if timed else None,
        time_to_first_token=_first(token_times) if timed else None,
        inter_chunk=_spread(chunk_times) if timed else None,
        inter_event=_spread(event_times) if timed else None,
        inter_token=_spread(token_times) if timed else None,
        time_per_output_token=(
            _per_output_token(tape.ending.at_ns, token_times, output_tokens) if timed else None
        ),
        output_tokens=output_tokens,
        chunks=len(tape.chunks),
        late_chunks=sum(chunk.late for chunk in tape.chunks),
        events=len(events),
        events_per_chunk=len(events) / len(tape.chunks) if tape.chunks else None,
        bytes=len(tape.body),
        _arrivals=tuple((chunk.at_ns, chunk.late) for chunk in tape.chunks) if timed else (),
    )


def _object_with_text(event: Event) -> bool:
    return isinstance(payload_of(event), dict) and carries_token(event)


def _seconds(ns: int) -> float:
    return ns / _NS_PER_S


def _first(times_ns: Sequence[int]) -> float | None:
    return _seconds(times_ns[0]) if times_ns else None


def _spread(times_ns: Sequence[int]) -> Spread | None:
    return spread(after - before for before, after in pairwise(times_ns))


def spread(durations_ns: Iterable[int]) -> Spread | None:
    """How *durations_ns*, in nanoseconds, are spread; None where there are none."""
    ascending_ns = sorted(durations_ns)
    if not ascending_ns:
        return None
    return Spread(
        count=len(ascending_ns),
        min=_seconds(ascending_ns[0]),
        p50=_percentile(ascending_ns, 50),
        p90=_percentile(ascending_ns, 90),
        p99=_percentile(ascending_ns, 99),
        max=_seconds(ascending_ns[-1]),
        mean=sum(ascending_ns) / (len(ascending_ns) * _NS_PER_S),
    )


def _percentile(ascending_ns: Sequence[int], percent: int) -> float:
    """In whole numbers up to the one division at the end, so that equal gaps give what they are."""
    below, hundredths = divmod(percent * (len(ascending_ns) - 1), 100)
    above = min(below + 1, len(ascending_ns) - 1)
    weighted = ascending_ns[below] * (100 - hundredths) + ascending_ns[above] * hundredths
    return weighted / (100 * _NS_PER_S)


def _per_output_token(
    latency_ns: int, token_times_ns: Sequence[int], output_tokens: int | None
) -> float | None:
    if output_tokens is None or output_tokens <= 1 or not token_times_ns:
        return None
    return (latency_ns - token_times_ns[0]) / ((output_tokens - 1) * _NS_PER_S)
