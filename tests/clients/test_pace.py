"""Players that let a tape's time pass, on clocks that stand still otherwise: it is exact."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2
import looptime
import pytest
import trio
import trio.testing

import streamtape
from streamtape import Chunk, Delivery, Ending, Tape
from streamtape.clock import SteppedClock, VirtualClockError

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

each_module = pytest.mark.parametrize(
    "module", [httpx, httpx2], ids=lambda module: str(module.__name__)
)

MS = 1_000_000
SECOND = 1_000 * MS


def on_asyncio(main: Callable[[], Awaitable[None]]) -> None:
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(main())  # type: ignore[arg-type]  # every one here is a coroutine


def on_trio(main: Callable[[], Awaitable[None]]) -> None:
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


each_loop = pytest.mark.parametrize("run", [on_asyncio, on_trio])
"""Run a coroutine under a loop whose time passes only where everything waits for it."""


def tape_of(
    gaps_ms: list[float],
    *,
    ending: Ending | None = None,
    late: frozenset[int] = frozenset(),
) -> Tape:
    """The head after the first of *gaps_ms*, a chunk after each of the others, and the end.

    *late*: the numbers of late chunks, from 0.
    """
    times = [round(at * MS) for at in itertools.accumulate(gaps_ms)]
    chunks = [
        Chunk(at_ns, b"data: %d\n\n" % number, number in late)
        for number, at_ns in enumerate(times[1:-1])
    ]
    tape = Tape.of(b"").with_chunks(chunks, head_ns=times[0], framing="sse")
    return tape.with_chunks(chunks, ending=ending or Ending("eof", times[-1]))


RHYTHM = tape_of([350.207, 62.524, 30.546, 0.102, 0, 29.871, 2_000.0, 0.001, 0.410])
"""Irregular, with two chunks at the same time."""


def times_of(tape: Tape) -> list[int]:
    """When a client sees the head, each chunk, and the end."""
    assert tape.head_ns is not None
    return [tape.head_ns, *(chunk.at_ns for chunk in tape.chunks), tape.ending.at_ns]


class Stopwatch:
    """The running loop's time in nanoseconds since it was made."""

    def __init__(self) -> None:
        self._start = anyio.current_time()

    def ns(self) -> int:
        # Loops count seconds as floats: that is less than a nanosecond off here.
        return round((anyio.current_time() - self._start) * 1e9)


async def arrivals(
    module: ModuleType,
    times: list[int],
    *,
    read: float | None = None,
    away: dict[int, float] | None = None,
) -> None:
    """Read a stream, and note in *times* when there was the head, each chunk, and the end.

    *read*: the client's read timeout. *away*: seconds that the reader is away after a chunk of that
    number.
    """
    watch = Stopwatch()
    timeout = module.Timeout(None, read=read)
    try:
        async with (
            module.AsyncClient(timeout=timeout) as client,
            client.stream("GET", "http://test/") as response,
        ):
            times.append(watch.ns())
            number = 0
            async for _ in response.aiter_raw():
                times.append(watch.ns())
                await anyio.sleep((away or {}).get(number, 0))
                number += 1
    finally:
        times.append(watch.ns())


# --- under a loop ---------------------------------------------------------------------------------


@each_module
@each_loop
def test_everything_comes_at_its_recorded_time(module: ModuleType, run: Any) -> None:
    times: list[int] = []
    with streamtape.play(RHYTHM, Delivery(pace="recorded")):
        run(lambda: arrivals(module, times))
    assert times == times_of(RHYTHM)


@each_module
@each_loop
@pytest.mark.parametrize("factor", [0.25, 2.0, 1000.0])
def test_a_factor_multiplies_the_speed(module: ModuleType, run: Any, factor: float) -> None:
    tape = tape_of([400, 60, 20, 0, 100, 2_000, 8])
    times: list[int] = []
    with streamtape.play(tape, Delivery(pace=factor)):
        run(lambda: arrivals(module, times))
    assert times == [round(at_ns / factor) for at_ns in times_of(tape)]


@each_module
@each_loop
def test_no_time_passes_under_instant(module: ModuleType, run: Any) -> None:
    times: list[int] = []
    with streamtape.play(RHYTHM):
        run(lambda: arrivals(module, times))
    assert times == [0] * (len(RHYTHM.chunks) + 2)


@each_module
@each_loop
def test_a_reader_that_was_away_shifts_nothing(module: ModuleType, run: Any) -> None:
    """What came meanwhile is there at once, and what comes later comes at its time."""
    tape = tape_of([100, 100, 100, 100, 100, 100])  # chunks at 200, 300, 400, 500, the end at 600
    times: list[int] = []
    with streamtape.play(tape, Delivery(pace="recorded")):
        run(lambda: arrivals(module, times, away={0: 0.25}))
    assert [at_ns / MS for at_ns in times] == [100, 200, 450, 450, 500, 600]


@each_module
@each_loop
def test_a_recut_chunk_comes_when_its_last_byte_did(module: ModuleType, run: Any) -> None:
    tape = tape_of([100, 100, 100, 100, 100])  # of 9 bytes each
    times: list[int] = []
    with streamtape.play(tape, Delivery(cuts=(3, 10, 18), pace="recorded")):
        run(lambda: arrivals(module, times))
    assert [at_ns / MS for at_ns in times] == [100, 200, 300, 300, 400, 500]


@each_module
@each_loop
def test_streams_at_the_same_time_have_times_of_their_own(module: ModuleType, run: Any) -> None:
    found: list[list[int]] = [[], [], []]

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for times in found:
                group.start_soon(arrivals, module, times)
                await anyio.sleep(0.123)

    with streamtape.play(RHYTHM, Delivery(pace="recorded")):
        run(main)
    assert found == [times_of(RHYTHM)] * 3


@each_module
@each_loop
def test_a_cassette_is_played_at_its_pace_too(module: ModuleType, run: Any, tmp_path: Path) -> None:
    streamtape.save(tmp_path / "a.yaml", [RHYTHM])
    times: list[int] = []
    with streamtape.use_cassette(
        tmp_path / "a.yaml", match_on=(), delivery=Delivery(pace="recorded")
    ):
        run(lambda: arrivals(module, times))
    assert times == times_of(RHYTHM)


@each_module
@each_loop
def test_a_cancelled_reader_stops_at_its_time(module: ModuleType, run: Any) -> None:
    tape = tape_of([100, 100, 100, 100, 100])
    times: list[int] = []

    async def main() -> None:
        with anyio.move_on_after(0.25):
            await arrivals(module, times)

    with streamtape.play(tape, Delivery(pace="recorded")):
        run(main)
    assert [at_ns / MS for at_ns in times] == [100, 200, 250]


# --- read timeouts --------------------------------------------------------------------------------


@each_module
@each_loop
def test_a_read_timeout_comes_exactly_then(module: ModuleType, run: Any) -> None:
    """5 s after the chunk before, however long the stall is on the tape."""
    tape = tape_of([100, 100, 7_000, 100, 100])
    times: list[int] = []
    with streamtape.play(tape, Delivery(pace="recorded")):
        with pytest.raises(module.ReadTimeout):
            run(lambda: arrivals(module, times, read=5.0))
    assert [at_ns / MS for at_ns in times] == [100, 200, 5_200]


@each_module
@each_loop
def test_a_stall_as_long_as_the_timeout_is_none(module: ModuleType, run: Any) -> None:
    tape = tape_of([5_000, 5_000, 5_000, 5_000])
    times: list[int] = []
    with streamtape.play(tape, Delivery(pace="recorded")):
        run(lambda: arrivals(module, times, read=5.0))
    assert times == times_of(tape)


@each_module
@each_loop
def test_a_timeout_counts_from_when_the_client_asks(module: ModuleType, run: Any) -> None:
    """The reader was away for 3 s of a stall of 7 s: it waits for 4 s, which is in time.

    In the second stall it was away for 1 s, so it gives up 5 s after that.
    """
    tape = tape_of([100, 100, 7_000, 7_000, 100])
    times: list[int] = []
    with streamtape.play(tape, Delivery(pace="recorded")):
        with pytest.raises(module.ReadTimeout):
            run(lambda: arrivals(module, times, read=5.0, away={0: 3.0, 1: 1.0}))
    assert [at_ns / MS for at_ns in times] == [100, 200, 7_200, 13_200]


@each_module
@each_loop
def test_a_slow_head_times_out_too(module: ModuleType, run: Any) -> None:
    times: list[int] = []
    with streamtape.play(tape_of([7_000, 100, 100]), Delivery(pace="recorded")):
        with pytest.raises(module.ReadTimeout):
            run(lambda: arrivals(module, times, read=5.0))
    assert [at_ns / MS for at_ns in times] == [5_000]


@each_module
@each_loop
def test_a_slow_end_times_out_too(module: ModuleType, run: Any) -> None:
    times: list[int] = []
    with streamtape.play(tape_of([100, 100, 7_000]), Delivery(pace="recorded")):
        with pytest.raises(module.ReadTimeout):
            run(lambda: arrivals(module, times, read=5.0))
    assert [at_ns / MS for at_ns in times] == [100, 200, 5_200]


@each_module
@each_loop
def test_a_late_chunk_never_times_out(module: ModuleType, run: Any) -> None:
    """The recorded reader was away: nobody knows when the chunk came."""
    tape = tape_of([100, 100, 60_000, 100, 100], late=frozenset({1}))
    times: list[int] = []
    with streamtape.play(tape, Delivery(pace="recorded")):
        run(lambda: arrivals(module, times, read=5.0))
    assert times == times_of(tape)


@each_module
@each_loop
def test_a_factor_makes_stalls_shorter_and_longer(module: ModuleType, run: Any) -> None:
    tape = tape_of([100, 100, 7_000, 100, 100])
    times: list[int] = []
    with streamtape.play(tape, Delivery(pace=2.0)):
        run(lambda: arrivals(module, times, read=5.0))
    assert times == [at_ns // 2 for at_ns in times_of(tape)]
    times.clear()
    with streamtape.play(tape, Delivery(pace=0.01)):
        with pytest.raises(module.ReadTimeout):
            run(lambda: arrivals(module, times, read=5.0))
    assert [at_ns / MS for at_ns in times] == [5_000]


# --- endings at their time ------------------------------------------------------------------------


def broken_off(ending: Ending) -> Tape:
    """No head: the request itself failed."""
    return Tape((), ending, status=599, head_ns=None)


@each_module
@each_loop
def test_an_error_comes_at_its_time(module: ModuleType, run: Any) -> None:
    tape = tape_of([100, 100, 100], ending=Ending("error", 350 * MS, "protocol", "cut off"))
    times: list[int] = []
    with streamtape.play(tape, Delivery(pace="recorded")):
        with pytest.raises(module.RemoteProtocolError, match=r"^cut off$"):
            run(lambda: arrivals(module, times, read=5.0))
    assert [at_ns / MS for at_ns in times] == [100, 200, 350]


@each_module
@each_loop
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("connect", "ConnectError"),
        ("connect-timeout", "ConnectTimeout"),
        ("pool", "PoolTimeout"),
        ("write", "WriteError"),
    ],
)
def test_the_read_timeout_rules_no_other_wait(
    module: ModuleType, run: Any, kind: Any, name: str
) -> None:
    """No byte of an answer was waited for when these errors came."""
    tape = broken_off(Ending("error", 7 * SECOND, kind, "no luck"))
    times: list[int] = []
    with streamtape.play(tape, Delivery(pace="recorded")):
        with pytest.raises(getattr(module, name), match=r"^no luck$"):
            run(lambda: arrivals(module, times, read=5.0))
    assert times == [7 * SECOND]


@each_module
@each_loop
@pytest.mark.parametrize("kind", ["read", "protocol"])
def test_the_read_timeout_comes_before_an_error_that_is_later(
    module: ModuleType, run: Any, kind: Any
) -> None:
    tape = broken_off(Ending("error", 7 * SECOND, kind, "no luck"))
    times: list[int] = []
    with streamtape.play(tape, Delivery(pace="recorded")):
        with pytest.raises(module.ReadTimeout):
            run(lambda: arrivals(module, times, read=5.0))
    assert times == [5 * SECOND]


@each_module
@each_loop
@pytest.mark.parametrize(
    "tape",
    [
        broken_off(Ending("error", 5_003 * MS, "read-timeout", "its own words")),
        tape_of([0, 5_003]).with_chunks(
            [], ending=Ending("error", 5_003 * MS, "read-timeout", "its own words")
        ),
    ],
    ids=["head", "body"],
)
def test_a_recorded_timeout_comes_when_the_client_gives_up(
    module: ModuleType, run: Any, tape: Tape
) -> None:
    """In the recorded client's words, and no later than this client's own timeout."""
    for read, expected in [(None, 5_003), (5.0, 5_000), (2.0, 2_000)]:
        times: list[int] = []
        with streamtape.play(tape, Delivery(pace="recorded")):
            with pytest.raises(module.ReadTimeout, match=r"^its own words$"):
                run(lambda times=times, read=read: arrivals(module, times, read=read))
        assert times[-1] / MS == expected


@each_module
@each_loop
def test_a_reader_that_leaves_when_the_recorded_one_did_is_not_in_trouble(
    module: ModuleType, run: Any
) -> None:
    """A scope cancels after 0.25 s, recorded a little later: on replay the scope comes first."""
    tape = tape_of([100, 100, 100], ending=Ending("closed", 250 * MS + 40_000))
    times: list[int] = []

    async def main() -> None:
        with anyio.move_on_after(0.25) as scope:
            await arrivals(module, times, read=5.0)
        assert scope.cancelled_caught

    with streamtape.play(tape, Delivery(pace="recorded")):
        run(main)
    assert [at_ns / MS for at_ns in times] == [100, 200, 250]


@each_module
@each_loop
def test_a_reader_that_leaves_before_the_head_is_not_in_trouble(
    module: ModuleType, run: Any
) -> None:
    times: list[int] = []

    async def main() -> None:
        with anyio.move_on_after(0.25) as scope:
            await arrivals(module, times, read=5.0)
        assert scope.cancelled_caught

    with streamtape.play(broken_off(Ending("closed", 251 * MS)), Delivery(pace="recorded")):
        run(main)
    assert [at_ns / MS for at_ns in times] == [250]


# --- plain code -----------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Iterator[SteppedClock]:
    """The clock of every player in plain code."""
    stepped = SteppedClock()
    with stepped.running():
        yield stepped


def arrivals_sync(
    module: ModuleType,
    clock: SteppedClock,
    *,
    read: float | None = None,
    away: dict[int, int] | None = None,
    times: list[int],
) -> None:
    """As `arrivals`; *away* in nanoseconds."""
    start = clock.now_ns()
    try:
        with (
            module.Client(timeout=module.Timeout(None, read=read)) as client,
            client.stream("GET", "http://test/") as response,
        ):
            times.append(clock.now_ns() - start)
            for number, _ in enumerate(response.iter_raw()):
                times.append(clock.now_ns() - start)
                clock.sleep_ns((away or {}).get(number, 0))
    finally:
        times.append(clock.now_ns() - start)


@each_module
class TestPlainCode:
    def test_everything_comes_at_its_recorded_time(
        self, module: ModuleType, clock: SteppedClock
    ) -> None:
        times: list[int] = []
        with streamtape.play(RHYTHM, Delivery(pace="recorded")):
            arrivals_sync(module, clock, times=times)
        assert times == times_of(RHYTHM)

    def test_a_factor_multiplies_the_speed(self, module: ModuleType, clock: SteppedClock) -> None:
        times: list[int] = []
        with streamtape.play(RHYTHM, Delivery(pace=0.5)):
            arrivals_sync(module, clock, times=times)
        assert times == [2 * at_ns for at_ns in times_of(RHYTHM)]

    def test_no_time_passes_under_instant(self, module: ModuleType, clock: SteppedClock) -> None:
        times: list[int] = []
        with streamtape.play(RHYTHM):
            arrivals_sync(module, clock, times=times)
        assert times == [0] * (len(RHYTHM.chunks) + 2)

    def test_a_reader_that_was_away_shifts_nothing(
        self, module: ModuleType, clock: SteppedClock
    ) -> None:
        tape = tape_of([100, 100, 100, 100, 100, 100])
        times: list[int] = []
        with streamtape.play(tape, Delivery(pace="recorded")):
            arrivals_sync(module, clock, times=times, away={0: 250 * MS})
        assert [at_ns / MS for at_ns in times] == [100, 200, 450, 450, 500, 600]

    def test_a_read_timeout_comes_exactly_then(
        self, module: ModuleType, clock: SteppedClock
    ) -> None:
        times: list[int] = []
        tape = tape_of([100, 100, 7_000, 7_000, 100])
        with streamtape.play(tape, Delivery(pace="recorded")):
            with pytest.raises(module.ReadTimeout):
                arrivals_sync(module, clock, times=times, read=5.0, away={0: 3 * SECOND, 1: SECOND})
        assert [at_ns / MS for at_ns in times] == [100, 200, 7_200, 13_200]

    def test_a_late_chunk_never_times_out(self, module: ModuleType, clock: SteppedClock) -> None:
        tape = tape_of([100, 100, 60_000, 100, 100], late=frozenset({1}))
        times: list[int] = []
        with streamtape.play(tape, Delivery(pace="recorded")):
            arrivals_sync(module, clock, times=times, read=5.0)
        assert times == times_of(tape)

    def test_an_error_before_the_head_comes_at_its_time(
        self, module: ModuleType, clock: SteppedClock
    ) -> None:
        tape = broken_off(Ending("error", 7 * SECOND, "connect", "no luck"))
        times: list[int] = []
        with streamtape.play(tape, Delivery(pace="recorded")):
            with pytest.raises(module.ConnectError, match=r"^no luck$"):
                arrivals_sync(module, clock, times=times, read=5.0)
        assert times == [7 * SECOND]


@each_loop
def test_what_was_recorded_at_a_pace_has_its_times(run: Any, tmp_path: Path) -> None:
    """The file keeps microseconds, and these are some."""
    streamtape.save(tmp_path / "a.yaml", [RHYTHM])
    (loaded,) = streamtape.load(tmp_path / "a.yaml")
    assert times_of(loaded) == times_of(RHYTHM)
    times: list[int] = []
    with streamtape.play(loaded, Delivery(pace="recorded")):
        run(lambda: arrivals(httpx, times))
    assert times == times_of(RHYTHM)


# --- virtual time, insisted on --------------------------------------------------------------------


TEN_MINUTES = tape_of([1_000, *[3_000] * 200])
"""A chunk each three seconds, for ten minutes."""


@each_module
class TestVirtual:
    @each_loop
    def test_ten_minutes_pass_in_no_time_and_to_the_nanosecond(
        self, module: ModuleType, run: Callable[..., None]
    ) -> None:
        times: list[int] = []
        with streamtape.play(TEN_MINUTES, Delivery(pace="virtual")):
            run(lambda: arrivals(module, times, read=5.0))
        assert times == times_of(TEN_MINUTES)

    def test_plain_code_too(self, module: ModuleType, clock: SteppedClock) -> None:
        times: list[int] = []
        with streamtape.play(TEN_MINUTES, Delivery(pace="virtual")):
            arrivals_sync(module, clock, read=5.0, times=times)
        assert times == times_of(TEN_MINUTES)

    @pytest.mark.parametrize("run", [asyncio.run, lambda main: trio.run(lambda: main)])
    def test_a_real_loop_is_refused_and_the_test_hears_of_it_whatever_the_client_does(
        self, module: ModuleType, run: Callable[..., None]
    ) -> None:
        async def main() -> None:
            async with module.AsyncClient() as client:
                with pytest.raises(VirtualClockError, match=r"@pytest\.mark\.looptime"):
                    await client.get("http://tape.test/")

        with (
            pytest.raises(AssertionError, match="pace='virtual', but the time of this event loop"),
            streamtape.play(RHYTHM, Delivery(pace="virtual")),
        ):
            run(main())

    def test_the_systems_clock_is_refused(self, module: ModuleType) -> None:
        with (
            pytest.raises(AssertionError, match="Ask for the fixture stream_clock"),
            streamtape.play(RHYTHM, Delivery(pace="virtual")),
            module.Client() as client,
            suppress(VirtualClockError),
        ):
            client.get("http://tape.test/")

    def test_threads_of_trio_at_work_are_refused(self, module: ModuleType) -> None:
        at_work = threading.Event()
        done = threading.Event()

        def work() -> None:
            at_work.set()
            done.wait()

        async def main() -> None:
            async with module.AsyncClient() as client, trio.open_nursery() as nursery:
                nursery.start_soon(trio.to_thread.run_sync, work)
                while not at_work.is_set():
                    await trio.lowlevel.checkpoint()
                try:
                    with pytest.raises(VirtualClockError, match="1 of trio's threads at work"):
                        await client.get("http://tape.test/")
                finally:
                    done.set()

        with streamtape.play(RHYTHM, Delivery(pace="virtual")):
            on_trio(main)

    @each_loop
    def test_a_real_server_is_refused_in_virtual_time(
        self, module: ModuleType, run: Callable[..., None], tmp_path: Path
    ) -> None:
        async def main() -> None:
            async with module.AsyncClient() as client:
                with pytest.raises(VirtualClockError, match="a request to a real server"):
                    await client.get("http://127.0.0.1:9/")

        with streamtape.use_cassette(tmp_path / "new.yaml", record_mode="once"):
            run(main)

    def test_a_real_server_is_refused_where_the_clock_is_stepped(
        self, module: ModuleType, clock: SteppedClock, tmp_path: Path
    ) -> None:
        with (
            streamtape.use_cassette(tmp_path / "new.yaml", record_mode="once"),
            module.Client() as client,
            pytest.raises(VirtualClockError, match="a request to a real server"),
        ):
            client.get("http://127.0.0.1:9/")
        assert clock.now_ns() == 0
