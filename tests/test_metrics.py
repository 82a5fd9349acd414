"""Times of tapes: written-out numbers, and the `statistics` module beside the property."""

from __future__ import annotations

import dataclasses
import json
import statistics
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtape import providers
from streamtape.metrics import Spread, Stall, timing
from streamtape.tape import Chunk, Ending, Tape
from streamtape.wire.sse import Event, encode

if TYPE_CHECKING:
    from streamtape.wire.framing import Framing

MS = 1_000_000


def sse(*payloads: object) -> bytes:
    """Each payload as one event: text as it is, anything else as JSON."""
    data = [p if isinstance(p, str) else json.dumps(p) for p in payloads]
    return encode([Event(data=one) for one in data])


def delta(content: str | None, **more: object) -> dict[str, Any]:
    """A chunk of OpenAI's chat."""
    return {"choices": [{"index": 0, "delta": {"content": content}}]} | more


def usage(tokens: object) -> dict[str, Any]:
    """OpenAI's report of usage."""
    return {"choices": [], "usage": {"completion_tokens": tokens}}


def tape(
    *chunks: tuple[float, bytes], end: float, framing: Framing = "sse", timed: bool = True
) -> Tape:
    """A tape with chunks and an ending at these milliseconds, the head at 100."""
    return Tape(
        chunks=tuple(Chunk(round(at * MS), data) for at, data in chunks),
        ending=Ending("eof", round(end * MS)),
        head_ns=100 * MS,
        framing=framing,
        timed=timed,
    )


# 100 head; 150 a comment; 250 the role; 400 "Rain"; 600 " and", " wind"; 650 half an event;
# 1850 its rest, ", hail"; 1900 finish, usage and [DONE]; 1925 the end.
CHAT = tape(
    (150, b": ping\n\n"),
    (250, sse({"choices": [{"delta": {"role": "assistant", "content": ""}}]})),
    (400, sse(delta("Rain"))),
    (600, sse(delta(" and"), delta(" wind"))),
    (650, sse(delta(", hail"))[:20]),
    (1850, sse(delta(", hail"))[20:]),
    (1900, sse(delta(None, finish="stop"), usage(9), "[DONE]")),
    end=1925,
)


class TestWrittenOut:
    """Every number of one tape, worked out by hand."""

    def test_times(self) -> None:
        measured = timing(CHAT)
        assert measured.duration == 1.925
        assert measured.time_to_headers == 0.1
        assert measured.time_to_first_chunk == 0.15
        assert measured.time_to_first_event == 0.25
        assert measured.time_to_first_token == 0.4

    def test_counts(self) -> None:
        measured = timing(CHAT)
        assert (measured.chunks, measured.late_chunks, measured.events) == (7, 0, 8)
        assert measured.events_per_chunk == 8 / 7
        assert measured.bytes == len(CHAT.body)
        assert measured.output_tokens == 9

    def test_gaps_between_chunks(self) -> None:
        # 100 150 200 50 1200 50, ascending 50 50 100 150 200 1200. Rank of the median 2.5, of p90
        # 4.5, of p99 4.95.
        assert timing(CHAT).inter_chunk == Spread(
            count=6, min=0.05, p50=0.125, p90=0.7, p99=1.15, max=1.2, mean=1.75 / 6
        )

    def test_gaps_between_events(self) -> None:
        # At 250 400 600 600 1850 1900 1900 1900: 0 0 0 50 150 200 1250. Ranks 3, 5.4 and 5.94.
        assert timing(CHAT).inter_event == Spread(
            count=7, min=0.0, p50=0.05, p90=0.62, p99=1.187, max=1.25, mean=1.65 / 7
        )

    def test_gaps_between_tokens(self) -> None:
        # At 400 600 600 1850: 0 200 1250. Ranks 1, 1.8 and 1.98.
        assert timing(CHAT).inter_token == Spread(
            count=3, min=0.0, p50=0.2, p90=1.04, p99=1.229, max=1.25, mean=1.45 / 3
        )

    def test_time_per_output_token(self) -> None:
        assert timing(CHAT).time_per_output_token == 1.525 / 8

    def test_stalls(self) -> None:
        measured = timing(CHAT)
        assert measured.stalls() == [Stall(at=0.65, length=1.2, chunk=5)]
        assert measured.stalls(over=1.2) == []
        assert measured.stalls(over=0.15) == [Stall(0.4, 0.2, 3), Stall(0.65, 1.2, 5)]
        assert [stall.chunk for stall in measured.stalls(over=0)] == [1, 2, 3, 4, 5, 6]

    def test_it_is_a_value(self) -> None:
        assert timing(CHAT) == timing(CHAT)
        assert hash(timing(CHAT)) == hash(timing(CHAT))
        with pytest.raises(dataclasses.FrozenInstanceError):
            timing(CHAT).duration = 1.0  # type: ignore[misc]  # which is the point


class TestToken:
    """Which events carry a token."""

    def test_a_predicate(self) -> None:
        measured = timing(CHAT, lambda event: "wind" in event.data)
        assert measured.time_to_first_token == 0.6
        assert measured.inter_token is None
        assert measured.time_per_output_token == 1.325 / 8

    def test_a_function_that_gives_the_text(self) -> None:
        measured = timing(CHAT, lambda event: "x" if "hail" in event.data else "")
        assert measured.time_to_first_token == 1.85

    def test_none_that_carries_one(self) -> None:
        measured = timing(CHAT, lambda _: False)
        assert measured.time_to_first_token is None
        assert measured.time_per_output_token is None
        assert measured.output_tokens == 9

    def test_its_exception_is_the_callers(self) -> None:
        with pytest.raises(ZeroDivisionError):
            timing(CHAT, lambda event: 1 // len(event.last_event_id) > 0)

    def test_reasoning_and_tool_calls_count(self) -> None:
        call = {"tool_calls": [{"function": {"name": "f", "arguments": ""}}]}
        thought = {"choices": [{"delta": {"reasoning_content": "Hm"}}]}
        measured = timing(
            tape(
                (200, sse(thought)),
                (300, sse({"choices": [{"delta": call}]})),
                (450, sse(delta("So"))),
                end=450,
            )
        )
        assert measured.time_to_first_token == 0.2
        assert measured.inter_token is not None
        assert (measured.inter_token.count, measured.inter_token.max) == (2, 0.15)

    @pytest.mark.parametrize("key", ["text", "content", "delta", "token", "value"])
    def test_text_under_a_usual_key_is_a_token(self, key: str) -> None:
        measured = timing(tape((200, sse({key: ""})), (300, sse({key: "Hel"})), end=300))
        assert measured.time_to_first_token == 0.3

    @pytest.mark.parametrize("payload", ["Hel", '"Hel"', "5", '["Hel"]', {"message": "Hel"}])
    def test_plain_text_is_a_token_only_by_a_predicate(self, payload: object) -> None:
        recorded = tape((200, b"event: ping\n\n"), (300, sse(payload, payload)), end=300)
        measured = timing(recorded)
        assert (measured.time_to_first_token, measured.inter_token) == (None, None)
        assert measured.time_to_first_event == 0.3
        assert timing(recorded, lambda event: event.data).time_to_first_token == 0.3

    def test_the_text_that_is_read_from_it_anyway_can_be_the_predicate(self) -> None:
        recorded = tape((200, b"event: ping\ndata: x\n\n"), (300, sse("Hel")), end=300)
        assert timing(recorded, providers.carries_token).time_to_first_token == 0.3

    def test_lines_of_json_too(self) -> None:
        lines = [
            {"model": "g", "response": "", "done": False},
            {"model": "g", "response": "Ice", "done": False},
            {"model": "g", "response": "", "done": True, "eval_count": 3},
        ]
        at = [(200 + 100 * n, json.dumps(line).encode() + b"\n") for n, line in enumerate(lines)]
        measured = timing(tape(*at, end=500, framing="ndjson"))
        assert measured.time_to_first_token == 0.3
        assert measured.time_per_output_token == 0.1
        assert measured.events == 3


class TestTimePerOutputToken:
    """Only where the payloads say how many tokens there were."""

    @pytest.mark.parametrize("tokens", [None, 0, 1, "9", 9.5])
    def test_none_without_a_usable_count(self, tokens: object) -> None:
        measured = timing(tape((200, sse(delta("Rain"))), (300, sse(usage(tokens))), end=300))
        assert measured.time_per_output_token is None
        assert measured.time_to_first_token == 0.2

    def test_two_tokens_are_enough(self) -> None:
        measured = timing(tape((200, sse(delta("Rain"))), (300, sse(usage(2))), end=300))
        assert measured.time_per_output_token == 0.1


class TestUnknown:
    """What isn't known is None; counts are always there."""

    def test_no_times(self) -> None:
        bare = Tape(
            chunks=tuple(Chunk(0, sse(delta(text))) for text in ("Rain", " and")),
            ending=Ending("eof", 0),
            framing="sse",
            timed=False,
        )
        measured = timing(bare)
        for field in ("duration", "time_to_headers", "time_to_first_chunk", "time_to_first_event"):
            assert getattr(measured, field) is None
        for field in ("time_to_first_token", "inter_chunk", "inter_event", "inter_token"):
            assert getattr(measured, field) is None
        assert measured.time_per_output_token is None
        assert measured.stalls(over=-1) == []
        assert (measured.chunks, measured.events, measured.events_per_chunk) == (2, 2, 1.0)
        assert measured.bytes == len(bare.body)

    def test_no_times_but_a_count_of_tokens(self) -> None:
        measured = timing(tape((0, sse(delta("a"), usage(5))), end=0, timed=False))
        assert measured.output_tokens == 5
        assert measured.time_per_output_token is None

    def test_no_response(self) -> None:
        refused = Tape(
            chunks=(), ending=Ending("error", 30 * MS, "connect", "refused"), head_ns=None
        )
        measured = timing(refused)
        assert measured.duration == 0.03
        assert measured.time_to_headers is None
        assert measured.time_to_first_chunk is None
        assert measured.time_to_first_event is None
        assert measured.inter_chunk is None
        assert measured.events_per_chunk is None
        assert (measured.chunks, measured.events, measured.bytes) == (0, 0, 0)
        assert measured.output_tokens is None
        assert measured.stalls() == []

    def test_one_of_each_has_no_gaps(self) -> None:
        measured = timing(tape((200, sse(delta("Rain"))), end=200))
        assert measured.time_to_first_token == 0.2
        assert (measured.inter_chunk, measured.inter_event, measured.inter_token) == (None,) * 3

    def test_an_unframed_body_has_chunks_only(self) -> None:
        measured = timing(tape((200, b"\x89PNG"), (250, b"\r\n"), end=300, framing="raw"))
        assert (measured.chunks, measured.events, measured.bytes) == (2, 0, 6)
        assert measured.events_per_chunk == 0.0
        assert measured.time_to_first_event is None
        assert measured.inter_chunk is not None
        assert measured.inter_chunk.p99 == 0.05

    def test_silence_before_the_first_chunk_and_before_the_ending_is_no_stall(self) -> None:
        measured = timing(tape((5_000, sse("a")), (5_100, sse("b")), end=60_000))
        assert measured.stalls() == []
        assert (measured.time_to_first_chunk, measured.duration) == (5.0, 60.0)


def test_chunks_that_lay_waiting_are_told() -> None:
    chunks = (Chunk(0, sse("a")), Chunk(3_000 * MS, sse("b"), late=True), Chunk(6_000 * MS, b""))
    measured = timing(Tape(chunks=chunks, ending=Ending("eof", 6_000 * MS), framing="sse"))
    assert measured.late_chunks == 1
    assert measured.stalls() == [
        Stall(at=0.0, length=3.0, chunk=1, late=True),
        Stall(at=3.0, length=3.0, chunk=2, late=False),
    ]


def test_an_empty_chunk_counts() -> None:
    measured = timing(tape((150, b""), (200, sse("a")), end=200))
    assert measured.time_to_first_chunk == 0.15
    assert measured.events_per_chunk == 0.5


def test_nanoseconds_survive() -> None:
    """Times are divided once: no error of a first division is carried into a second one."""
    day = 86_400 * 1_000 * MS
    measured = timing(
        Tape(chunks=(Chunk(day + 1, b"a"), Chunk(day + 4, b"b")), ending=Ending("eof", day + 4))
    )
    assert measured.inter_chunk is not None
    assert measured.inter_chunk.p90 == 3e-9
    assert measured.inter_chunk.mean == 3e-9


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=40), st.integers(0, 10**12))
def test_the_spread_is_that_of_the_statistics_module(gaps_ns: list[int], start_ns: int) -> None:
    at_ns = start_ns
    chunks = [Chunk(start_ns, b"")]
    for gap in gaps_ns:
        at_ns += gap
        chunks.append(Chunk(at_ns, b""))
    spread = timing(Tape(chunks=tuple(chunks), ending=Ending("eof", at_ns))).inter_chunk
    assert spread is not None
    percentiles = statistics.quantiles(gaps_ns, n=100, method="inclusive")
    assert spread.count == len(gaps_ns)
    assert spread.min == min(gaps_ns) / 1e9
    assert spread.max == max(gaps_ns) / 1e9
    assert spread.mean == pytest.approx(statistics.fmean(gaps_ns) / 1e9)
    assert spread.p50 == pytest.approx(statistics.median(gaps_ns) / 1e9)
    assert spread.p90 == pytest.approx(percentiles[89] / 1e9)
    assert spread.p99 == pytest.approx(percentiles[98] / 1e9)
    assert spread.min <= spread.p50 <= spread.p90 <= spread.p99 <= spread.max


PIECES = st.sampled_from(
    [
        b"",
        b": ping\n\n",
        b"data: [DONE]\n\n",
        b"dat",
        b"a: x\n\n",
        b"\r\n",
        sse(delta("Rain")),
        sse("a", "b"),
    ]
)


@st.composite
def tapes(draw: st.DrawFn) -> Tape:
    """Tapes of all framings with any bytes in any number of chunks."""
    pieces = draw(st.lists(PIECES | st.binary(max_size=9), max_size=12))
    steps = st.integers(0, 3_000 * MS)
    at_ns = 0
    chunks = []
    for piece in pieces:
        at_ns += draw(steps)
        chunks.append(Chunk(at_ns, piece, late=draw(st.booleans())))
    return Tape(
        chunks=tuple(chunks),
        ending=Ending(draw(st.sampled_from(["eof", "closed", "error", "unfinished"])), at_ns),
        head_ns=draw(st.none() | steps),
        framing=draw(st.sampled_from(["sse", "ndjson", "eventstream", "raw"])),
        timed=draw(st.booleans()),
    )


@given(tapes())
def test_any_tape_has_a_timing_that_agrees_with_itself(some: Tape) -> None:
    measured = timing(some)
    assert measured.chunks == len(some.chunks)
    assert measured.bytes == sum(len(chunk.data) for chunk in some.chunks)
    assert measured.events == len(some.events())
    if not some.timed:
        assert measured.duration is None
        return
    spread, gaps = measured.inter_chunk, max(len(some.chunks) - 1, 0)
    assert (0 if spread is None else spread.count) == gaps
    assert len(measured.stalls(over=-1)) == gaps
    assert len(measured.stalls()) == sum(
        later.at_ns - earlier.at_ns > 1_000 * MS for earlier, later in pairwise(some.chunks)
    )
    firsts = [measured.time_to_first_chunk, measured.time_to_first_event]
    known = [first for first in [*firsts, measured.time_to_first_token] if first is not None]
    assert known == sorted(known)
    assert measured.duration is not None
    assert all(first <= measured.duration for first in known)


@given(tapes(), st.integers(1, 5))
def test_a_tape_at_another_pace_has_the_same_counts_and_longer_times(some: Tape, by: int) -> None:
    slower = dataclasses.replace(
        some,
        chunks=tuple(Chunk(c.at_ns * by, c.data, c.late) for c in some.chunks),
        ending=Ending("eof", some.ending.at_ns * by),
    )
    before, after = timing(some), timing(slower)
    for field in ("chunks", "late_chunks", "events", "events_per_chunk", "bytes", "output_tokens"):
        assert getattr(after, field) == getattr(before, field)
    for field in ("duration", "time_to_first_chunk", "time_to_first_event", "time_to_first_token"):
        time = getattr(before, field)
        assert getattr(after, field) == (None if time is None else pytest.approx(time * by))
