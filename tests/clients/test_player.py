"""The position of a player: kept whoever reads, whatever happens, and looked after cheaply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import httpx
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamtape
from streamtape import Chunk, Delivery, Ending, Tape
from streamtape.clients.playback import Playback, PlayedError
from streamtape.clients.routing import Play
from streamtape.codings import Encoder

if TYPE_CHECKING:
    from types import ModuleType

each_module = pytest.mark.parametrize(
    "module", [httpx, httpx2], ids=lambda module: str(module.__name__)
)
each_backend = pytest.mark.parametrize("backend", ["asyncio", "trio"])
each_pace = pytest.mark.parametrize("pace", ["instant", "recorded"])
# trio says so of the clients' own generators too, when a reader leaves a stream.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Async generator .* was garbage collected:ResourceWarning"
)

URL = "http://test/"
SECOND = 1_000_000_000
PIECES = [b"data: %d\n\n" % number for number in range(10)]
TAPE = Tape.of(b"".join(PIECES))


def playback(
    tape: Tape, read_timeout: float | None = None, *, waits: bool = False
) -> tuple[Playback, list[str]]:
    """A playback whose head was handed over, and where it tells of trouble."""
    troubles: list[str] = []
    played = Playback(
        Play(tape, waits, troubles.append),
        accept_encoding=None,
        read_timeout=read_timeout,
        start_ns=0,
    )
    played.hand_over_head()
    return played, troubles


# --- leaving, and coming back ---------------------------------------------------------------------


@each_module
@each_backend
@each_pace
def test_a_reader_cancelled_in_the_middle_loses_no_chunk(
    module: ModuleType, backend: str, pace: str
) -> None:
    """Whoever reads on gets the next one: the cancelled wait had taken nothing."""
    first: list[bytes] = []

    async def main() -> list[bytes]:
        async with module.AsyncClient() as client, client.stream("GET", URL) as response:
            with anyio.CancelScope() as scope:
                async for piece in response.stream:
                    first.append(piece)
                    if len(first) == 4:
                        scope.cancel()
            assert scope.cancelled_caught
            return [piece async for piece in response.stream]

    with streamtape.play(TAPE, Delivery(pace=pace)):
        rest = anyio.run(main, backend=backend)
    assert first == PIECES[:4]
    assert rest == PIECES[4:]


@each_module
@each_backend
def test_a_reader_is_cancelled_before_its_first_chunk_too(module: ModuleType, backend: str) -> None:
    async def main() -> list[bytes]:
        async with module.AsyncClient() as client, client.stream("GET", URL) as response:
            with anyio.CancelScope() as scope:
                scope.cancel()
                async for _ in response.stream:
                    raise AssertionError("handed over to a cancelled reader")
            return [piece async for piece in response.stream]

    with streamtape.play(TAPE):
        assert anyio.run(main, backend=backend) == PIECES


@each_module
@each_backend
@each_pace
def test_a_task_left_with_a_chunk_leaves_the_rest_to_the_next(
    module: ModuleType, backend: str, pace: str
) -> None:
    async def main() -> list[list[bytes]]:
        async with module.AsyncClient() as client, client.stream("GET", URL) as response:
            parts: list[list[bytes]] = []
            for _ in range(4):
                part: list[bytes] = []
                reader = response.stream.__aiter__()
                async for piece in reader:
                    part.append(piece)
                    if len(part) == 3:
                        break
                await reader.aclose()
                parts.append(part)
            return parts

    with streamtape.play(TAPE, Delivery(pace=pace)):
        parts = anyio.run(main, backend=backend)
    assert parts == [PIECES[:3], PIECES[3:6], PIECES[6:9], PIECES[9:]]


@each_module
@each_pace
def test_two_readers_take_turns(module: ModuleType, pace: str) -> None:
    with streamtape.play(TAPE, Delivery(pace=pace)), module.Client() as client:
        with client.stream("GET", URL) as response:
            one, other = iter(response.stream), iter(response.stream)
            assert [next(one), next(other), next(other), next(one)] == PIECES[:4]
            assert list(other) == PIECES[4:]
            assert list(one) == []


@each_module
@each_pace
@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_a_second_iteration_goes_on_in_the_same_coding(
    module: ModuleType, coding: str, pace: str
) -> None:
    """One encoder, and its end comes once."""
    tape = TAPE.with_chunks(TAPE.chunks, coding=coding)
    encoder = Encoder(coding)
    expected = [*map(encoder.chunk, PIECES), encoder.finish()]
    with streamtape.play(tape, Delivery(pace=pace)), module.Client() as client:
        with client.stream("GET", URL) as response:
            first = iter(response.stream)
            assert [next(first), next(first)] == expected[:2]
            assert list(response.stream) == expected[2:]
            assert list(response.stream) == []


@each_module
@pytest.mark.parametrize(
    ("pace", "ending", "error"),
    [
        ("instant", Ending("error", 0, "read", "reset"), "ReadError"),
        ("recorded", Ending("error", 0, "read", "reset"), "ReadError"),
        ("recorded", Ending("error", 0, "protocol", "cut"), "RemoteProtocolError"),
        ("instant", Ending("eof", 3600 * SECOND), "ReadTimeout"),
    ],
    ids=["reset", "reset-in-time", "cut-in-time", "stall"],
)
def test_a_stream_that_broke_never_ends_well_later(
    module: ModuleType, pace: str, ending: Ending, error: str
) -> None:
    """An SDK that reads on, to drain it, must not take the part for the whole."""
    tape = TAPE.with_chunks(TAPE.chunks[:2], ending=ending)
    with streamtape.play(tape, Delivery(pace=pace)), module.Client() as client:
        with client.stream("GET", URL) as response:
            for expected in (PIECES[:2], [], []):
                seen: list[bytes] = []
                with pytest.raises(getattr(module, error)):
                    seen.extend(response.stream)
                assert seen == expected


# --- what is handed over --------------------------------------------------------------------------


@each_module
@each_backend
@each_pace
def test_an_empty_chunk_is_a_chunk(module: ModuleType, backend: str, pace: str) -> None:
    """To whoever reads the transport's stream: httpx itself drops it in `iter_raw`."""
    tape = TAPE.with_chunks([Chunk(0, piece) for piece in (b"", b"da", b"", b"ta: 1\n\n", b"")])
    expected = [chunk.data for chunk in tape.chunks]

    async def main() -> list[bytes]:
        async with module.AsyncClient() as client, client.stream("GET", URL) as response:
            return [piece async for piece in response.stream]

    with streamtape.play(tape, Delivery(pace=pace)):
        assert anyio.run(main, backend=backend) == expected
        with module.Client() as client, client.stream("GET", URL) as response:
            assert list(response.stream) == expected


def test_a_chunk_is_encoded_when_its_turn_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long stream that the client leaves early costs what was read of it."""
    encoded: list[bytes] = []

    class Noting(Encoder):
        def chunk(self, data: bytes) -> bytes:
            encoded.append(data)
            return super().chunk(data)

    monkeypatch.setattr("streamtape.clients.playback.Encoder", Noting)
    played, _ = playback(TAPE.with_chunks(TAPE.chunks, coding="gzip"))
    assert encoded == []
    next(played.pieces)
    next(played.pieces)
    assert encoded == PIECES[:2]


def test_events_are_looked_at_only_where_nothing_else_tells_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(_tape: Tape) -> Any:
        raise AssertionError("decoded for nothing")

    broken = TAPE.with_chunks(TAPE.chunks, ending=Ending("error", 0, "read", "reset"))
    closed = TAPE.with_chunks(TAPE.chunks, ending=Ending("closed", 0))
    promised = closed.with_chunks(
        closed.chunks, headers=[("Content-Length", str(len(closed.body)))]
    )
    with monkeypatch.context() as patch:
        patch.setattr(Tape, "events", never)
        for tape in (TAPE, broken, promised):
            played, _ = playback(tape)
            assert list(played.pieces) == PIECES
            if tape is broken:
                with pytest.raises(PlayedError):
                    played.end()
            else:
                played.end()
    played, troubles = playback(closed)
    assert list(played.pieces) == PIECES
    with pytest.raises(PlayedError):
        played.end()
    assert len(troubles) == 1


# --- where a read timeout strikes under an instant pace -------------------------------------------


def struck(tape: Tape, timeout_ns: int) -> int | None:
    """The number of chunks before the first stall that times out, found chunk by chunk."""
    assert tape.head_ns is not None
    before_ns = tape.head_ns
    silent_at_the_end = tape.ending.kind in {"eof", "error"} and not tape.ending.late
    steps = [(chunk.at_ns, chunk.late) for chunk in tape.chunks]
    for number, (at_ns, late) in enumerate([*steps, (tape.ending.at_ns, not silent_at_the_end)]):
        if at_ns - before_ns > timeout_ns and not late:
            return number
        before_ns = at_ns
    return None


@st.composite
def timed_tapes(draw: st.DrawFn) -> Tape:
    """Tapes with a head and gaps of 0 to 3 s, in steps of half a second."""
    gaps = draw(st.lists(st.integers(0, 6), min_size=2, max_size=12))
    times = [sum(gaps[: number + 1]) * SECOND // 2 for number in range(len(gaps))]
    late = draw(st.lists(st.booleans(), min_size=len(gaps), max_size=len(gaps)))
    kind: Any = draw(st.sampled_from(["eof", "error", "closed", "unfinished"]))
    error: Any = draw(st.sampled_from(["read", "read-timeout"])) if kind == "error" else None
    chunks = [
        Chunk(at_ns, b"data: %d\n\n" % number, late[number])
        for number, at_ns in enumerate(times[1:-1])
    ]
    ending = Ending(kind, times[-1], error, "as recorded" if error else "", late=late[-1])
    return Tape.of(b"").with_chunks(chunks, head_ns=times[0], framing="sse", ending=ending)


@settings(max_examples=200)
@given(tape=timed_tapes(), timeout=st.sampled_from([None, 0.5, 1.0, 2.0, 2.5, 60.0]))
def test_a_timeout_strikes_before_the_first_gap_that_is_longer(
    tape: Tape, timeout: float | None
) -> None:
    """Checked against a walk over the gaps, and against a player that lets the time pass."""
    count = None if timeout is None else struck(tape, round(timeout * SECOND))
    played, _ = playback(tape, timeout)
    handed_over = list(played.pieces)
    assert handed_over == [chunk.data for chunk in tape.chunks[:count]]

    waiting, _ = playback(tape, timeout, waits=True)
    assert tape.head_ns is not None
    now_ns, waited = tape.head_ns, []
    while True:
        wait_ns, error = waiting.due(now_ns)
        now_ns += wait_ns
        if error is not None or (piece := waiting.hand_over()) is None:
            break
        waited.append(piece)
    assert waited == handed_over
    assert (error is not None) == (count is not None)

    if count is None:
        return
    with pytest.raises(PlayedError) as raised:
        played.end()
    assert raised.value.error == "read-timeout"
    assert error is not None
    assert (raised.value.error, raised.value.text) == (error.error, error.text)
