"""A client behind a socket can't be told of a stall by a tape's time: it lives through it."""

from __future__ import annotations

import time
from itertools import pairwise

import httpx
import pytest

from streamtape import Delivery, Tape
from streamtape.delivery import faults
from streamtape.server import serve
from streamtape.server.pauses import attempts, pauses
from streamtape.tape import Chunk, Ending

MS = 1_000_000
EVENTS = [b"data: one\n\n", b"data: two\n\n", b"data: [DONE]\n\n"]
TAPE = Tape.of(b"".join(EVENTS)).with_chunks(
    [Chunk(at_ms * MS, data) for at_ms, data in zip((5000, 9000, 9000), EVENTS, strict=True)],
    head_ns=4000 * MS,
    ending=Ending("eof", 9500 * MS),
)


def gaps(url: str, **headers: str) -> list[float]:
    """Seconds before each chunk, from the request on, and before the end."""
    times = [time.perf_counter()]
    with httpx.stream("GET", url, headers=headers, trust_env=False, timeout=None) as response:
        times.extend(time.perf_counter() for _ in response.iter_raw())
    times.append(time.perf_counter())
    return [later - earlier for earlier, later in pairwise(times)]


def test_a_stall_is_waited_for_although_recorded_times_are_not() -> None:
    with serve(TAPE, delivery=Delivery(fault=faults.stall(2, 0.3))) as server:
        _, stalled, _, _ = gaps(server.url)
    assert stalled >= 0.29
    [exchange] = server.log
    assert exchange.ended_ns is not None
    assert exchange.ended_ns - exchange.began_ns < TAPE.chunks[0].at_ns


def test_a_clients_read_times_out_in_a_stall() -> None:
    with serve(TAPE, delivery=Delivery(fault=faults.stall(2, 3600.0))) as server:
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(server.url, trust_env=False, timeout=httpx.Timeout(5.0, read=0.2))
        assert server.log[0].wait().how == "client closed"


def test_a_client_may_ask_for_a_stall() -> None:
    wanted = {"x-streamtape-delivery": "Delivery(fault=faults.stall(1, 0.3), cuts='events')"}
    with serve(TAPE, control=True) as server:
        assert max(gaps(server.url, **wanted)) >= 0.29


def test_a_stall_begins_when_the_client_has_what_came_before() -> None:
    """However long that took: else a slow client would never see it."""
    delivery = Delivery(cuts="bytes", fault=faults.stall(2, 0.3))
    with serve(TAPE, delivery=delivery) as server:
        times = []
        with httpx.stream("GET", server.url, trust_env=False) as response:
            for n, _ in enumerate(response.iter_raw()):
                if n < len(EVENTS[0]):
                    time.sleep(0.04)
                times.append(time.perf_counter())
    assert times[len(EVENTS[0])] - times[len(EVENTS[0]) - 1] >= 0.25


def test_times_at_once_are_those_of_the_fault_only() -> None:
    [stalled] = attempts(Delivery(fault=faults.stall(2, 20.0, keepalives=True)), TAPE)
    assert [ns // MS for ns in pauses(stalled)] == [0, 0, 15_000, 5_000, 0, 0]
    [plain] = attempts(Delivery(), TAPE)
    assert [*pauses(plain)] == [0, 0, 0, 0, 0]
    # Recorded times say where it cuts, and are not waited for either.
    [cut] = attempts(Delivery(fault=faults.idle_cut(4.5)), TAPE)
    assert (cut.body, cut.status, [*pauses(cut)]) != (TAPE.body, 200, [])
    assert sum(pauses(cut)) == 0
    [recorded] = attempts(Delivery(pace="recorded"), TAPE)
    assert recorded == TAPE


def test_an_unknown_fault_is_refused_in_lines_that_a_terminal_holds() -> None:
    header = {"x-streamtape-delivery": "Delivery(fault=faults.stal(2))"}
    with serve(TAPE, control=True) as server:
        refused = httpx.get(server.url, headers=header, trust_env=False)
    assert refused.status_code == 400
    assert "reset_after" in refused.text
    assert max(map(len, refused.text.splitlines())) < 80
