"""Virtual time: which loops have it, a clock that is stepped, and code that reads the time."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import time
from collections.abc import Awaitable, Callable
from time import sleep as imported_sleep
from typing import Any

import looptime
import pytest
import trio
import trio.testing

from streamtape.clock import (
    SteppedClock,
    SystemClock,
    VirtualClockError,
    loop_is_virtual,
    plain_clock,
)
from streamtape.clock.told import StreamClock


def on_looptime(main: Callable[[], Awaitable[Any]]) -> Any:
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        return runner.run(main())  # type: ignore[arg-type]  # every one here is a coroutine


def on_mock_clock(main: Callable[[], Awaitable[Any]]) -> Any:
    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def virtual() -> bool:
    return loop_is_virtual()


def test_loops_with_a_time_of_their_own_are_virtual_and_the_usual_ones_are_not() -> None:
    assert not asyncio.run(virtual())
    assert not trio.run(virtual)
    assert on_looptime(virtual)
    assert on_mock_clock(virtual)


def test_any_loop_that_tells_another_time_is_virtual() -> None:
    class Own(asyncio.SelectorEventLoop):
        def time(self) -> float:
            return super().time() + 3600

    with asyncio.Runner(loop_factory=Own) as runner:
        assert runner.run(virtual())


def test_a_loop_whose_time_lags_a_little_behind_is_uvloops_and_real() -> None:
    lagging = type(
        "Loop",
        (asyncio.SelectorEventLoop,),
        {"__module__": "uvloop", "time": lambda _: time.monotonic() - 0.2},
    )
    with asyncio.Runner(loop_factory=lagging) as runner:
        assert not runner.run(virtual())


def test_outside_of_a_loop_there_is_no_loop_to_ask() -> None:
    with pytest.raises(RuntimeError):
        loop_is_virtual()


def test_plain_code_waits_on_the_system_unless_a_stepped_clock_runs() -> None:
    assert isinstance(plain_clock(), SystemClock)
    outer, inner = SteppedClock(), SteppedClock()
    with outer.running():
        assert plain_clock() is outer
        with inner.running():
            assert plain_clock() is inner
        assert plain_clock() is outer
    assert isinstance(plain_clock(), SystemClock)


def test_a_stepped_clock_moves_by_what_is_waited_for_and_tells_who_watches() -> None:
    clock = SteppedClock()
    seen: list[int] = []
    with clock.watched(seen.append):
        clock.sleep_ns(5)
        clock.sleep_ns(0)
        clock.sleep_ns(-3)
    clock.sleep_ns(7)
    assert clock.now_ns() == 12
    assert seen == [5, 0, 0]


def test_the_stream_clock_of_plain_code_is_stepped() -> None:
    with StreamClock() as clock:
        assert clock.now() == 0
        plain_clock().sleep_ns(1_500_000_000)
        clock.sleep(0.25)
        assert clock.now() == 1.75


@pytest.mark.parametrize("run", [on_looptime, on_mock_clock])
def test_the_stream_clock_under_a_virtual_loop_is_the_loops(run: Callable[..., Any]) -> None:
    async def main() -> None:
        import anyio

        with StreamClock() as clock:
            assert clock.now() == 0
            await anyio.sleep(600)
            assert clock.now() == pytest.approx(600)

    run(main)


@pytest.mark.parametrize("run", [asyncio.run, trio.run])
def test_the_stream_clock_under_a_real_loop_says_which_loops_are_virtual(
    run: Callable[..., Any],
) -> None:
    async def main() -> None:
        with StreamClock() as clock, pytest.raises(VirtualClockError) as caught:
            clock.now()
        assert "@pytest.mark.looptime" in str(caught.value)
        assert "autojump_clock" in str(caught.value)

    run(main() if run is asyncio.run else main)


def test_a_coroutine_does_not_step_the_clock_of_plain_code() -> None:
    async def main() -> None:
        with StreamClock() as clock, pytest.raises(VirtualClockError, match=r"asyncio\.sleep"):
            clock.sleep(1)

    asyncio.run(main())


def told() -> tuple[float, float, float, dt.datetime]:
    return (
        time.time(),
        time.monotonic(),
        time.perf_counter(),
        dt.datetime.now(tz=dt.UTC),
    )


def test_behind_the_bridge_code_reads_and_sleeps_in_virtual_time() -> None:
    with StreamClock() as clock, clock.bridge():
        before = told()
        time.sleep(2.5)
        imported_sleep(600)
        plain_clock().sleep_ns(1_000_500)  # half a microsecond over: kept for the next step
        plain_clock().sleep_ns(500)
        passed = [
            now - then if isinstance(now, float) else (now - then).total_seconds()  # type: ignore[operator]  # two of one kind
            for now, then in zip(told(), before, strict=True)
        ]
        assert passed == pytest.approx([602.501001] * 4, abs=1e-6)
        assert clock.now() == pytest.approx(602.501001)
        with pytest.raises(ValueError, match="non-negative"):
            time.sleep(-1)
    assert time.sleep is imported_sleep
    assert time.sleep.__module__ == "time"


def test_without_freezegun_the_bridge_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "freezegun", None)
    with (
        StreamClock() as clock,
        pytest.raises(ModuleNotFoundError, match=r"pytest-streamtape\[clock\]"),
        clock.bridge(),
    ):
        pytest.fail("the bridge opened")
