"""What is played to aiohttp: exact chunks for every way of reading, in time, to any ending."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import aiohttp
import looptime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamtape
from streamtape import Chunk, Delivery, Ending, Tape, strategies
from streamtape.clients import PATCHERS, routing
from streamtape.clients.play import Player
from streamtape.clock import VirtualClockError
from tests.server import Response, apart, serve

if TYPE_CHECKING:
    from streamtape.tape import ErrorKind

URL = "http://test/stream"
MS = 1_000_000
PIECES = [
    b"data: caf\xc3",
    b"\xa9\r",
    b"\n\r\nda",
    b"ta: \xf0\x9f\x91\xa9\n\n",
    b"data: [DONE]\n\n",
]
TAPE = Tape.of(b"".join(PIECES), cuts=(10, 12, 17, 27))
assert [chunk.data for chunk in TAPE.chunks] == PIECES


def run(main: Callable[[aiohttp.ClientSession], Awaitable[Any]]) -> Any:
    async def with_session() -> Any:
        async with aiohttp.ClientSession() as session:
            return await main(session)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return asyncio.run(with_session())


def play(
    tape: Tape,
    main: Callable[[aiohttp.ClientSession], Awaitable[Any]],
    delivery: Delivery | None = None,
) -> Any:
    with streamtape.play(tape, delivery):
        return run(main)


def in_virtual_time(
    tape: Tape,
    main: Callable[[aiohttp.ClientSession], Awaitable[Any]],
    pace: str = "virtual",
) -> Any:
    loop = looptime.new_event_loop()

    async def with_session() -> Any:
        async with aiohttp.ClientSession() as session:
            return await main(session)

    try:
        with streamtape.play(tape, Delivery(pace=pace)):
            return loop.run_until_complete(with_session())
    finally:
        loop.close()


def told_by(kind: str, **more: Any) -> Tape:
    """A tape that stops in the middle as *kind* says."""
    return TAPE.with_chunks(TAPE.chunks[:2], ending=Ending(kind, 0, **more))


async def pieces_of(session: aiohttp.ClientSession, **options: Any) -> list[bytes]:
    async with session.get(URL, **options) as response:
        return [piece async for piece in response.content.iter_any()]


# --- each way of reading --------------------------------------------------------------------------


def readline(content: aiohttp.StreamReader) -> AsyncIterator[Any]:
    return aiter(content)


async def chunk_by_chunk(content: aiohttp.StreamReader) -> AsyncIterator[Any]:
    while (read := await content.readchunk()) != (b"", False):
        yield read


READERS: dict[str, Callable[[aiohttp.StreamReader], AsyncIterator[Any]]] = {
    "iter_any": lambda content: content.iter_any(),
    "iter_chunks": lambda content: content.iter_chunks(),
    "readchunk": chunk_by_chunk,
    "iter_chunked": lambda content: content.iter_chunked(4),
    "iter_chunked_large": lambda content: content.iter_chunked(1 << 16),
    "lines": readline,
}


@pytest.mark.parametrize("style", READERS)
def test_every_way_of_reading_gives_what_a_server_that_waits_gives(style: str) -> None:
    """The server writes the next chunk when the client has the last: the bare client's oracle."""

    async def read(session: aiohttp.ClientSession, url: str = URL) -> list[Any]:
        async with session.get(url) as response:
            return [piece async for piece in READERS[style](response.content)]

    with serve(Response(*apart(PIECES))) as server:
        bare = run(lambda session: read(session, server.url))
    assert play(TAPE, read) == bare


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_cuts_arrive_as_they_are(data: st.DataObject) -> None:
    cuts = data.draw(strategies.cuts(TAPE.body))
    delivery = Delivery(cuts=cuts)
    wanted = [chunk.data for chunk in TAPE.deliver(delivery).chunks if chunk.data]
    assert play(TAPE, pieces_of, delivery) == wanted
    assert play(TAPE, whole, delivery) == TAPE.body


async def whole(session: aiohttp.ClientSession) -> bytes:
    async with session.get(URL) as response:
        return await response.read()


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_coding_comes_in_pieces_that_decode_to_the_chunks(coding: str) -> None:
    tape = TAPE.with_chunks(TAPE.chunks, coding=coding)

    async def read(session: aiohttp.ClientSession) -> tuple[list[bytes], str]:
        async with session.get(URL, headers={"accept-encoding": coding}) as response:
            found = [piece async for piece in response.content.iter_any()]
            return found, response.headers["content-encoding"]

    assert play(tape, read) == (PIECES, coding)


def test_a_chunk_above_every_buffer_comes_whole() -> None:
    """aiohttp holds its parser back in the middle of it, and goes on as the reader takes it."""
    body = b"x" * 3_000_000 + b"\n"
    tape = Tape.of(b"data: a\n\n" + body, content_type="text/plain", cuts=(9,))
    assert b"".join(play(tape, pieces_of)) == tape.body
    assert play(tape, whole) == tape.body


def test_empty_chunks_are_waited_for_and_are_nothing() -> None:
    chunks = [Chunk(MS, b""), Chunk(2 * MS, b"data: a\n\n"), Chunk(3 * MS, b"")]
    tape = TAPE.with_chunks(chunks, ending=Ending("eof", 4 * MS))
    assert play(tape, pieces_of) == [b"data: a\n\n"]
    assert in_virtual_time(tape, pieces_of) == [b"data: a\n\n"]


def test_a_body_without_bytes() -> None:
    tape = TAPE.with_chunks([])
    assert play(tape, pieces_of) == []
    assert play(tape, whole) == b""


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_no_body_comes_where_http_has_none(method: str, status: int) -> None:
    tape = TAPE.with_chunks(TAPE.chunks, status=status)

    async def main(session: aiohttp.ClientSession) -> tuple[int, bytes]:
        async with session.request(method, URL) as response:
            return response.status, await response.read()

    assert play(tape, main) == (status, b"")


def test_the_head_is_the_tapes() -> None:
    headers = [("x-one", "1"), ("set-cookie", "a=1"), ("set-cookie", "b=2")]
    tape = TAPE.with_chunks(TAPE.chunks, status=203, reason="Other", headers=headers)

    async def main(session: aiohttp.ClientSession) -> None:
        async with session.get(URL) as response:
            assert (response.status, response.reason) == (203, "Other")
            assert list(response.headers.items()) == headers
            assert response.raw_headers[0] == (b"x-one", b"1")
            assert {name: cookie.value for name, cookie in response.cookies.items()} == {
                "a": "1",
                "b": "2",
            }

    play(tape, main)


def test_a_wait_for_the_end_takes_everything() -> None:
    async def main(session: aiohttp.ClientSession) -> bytes:
        async with session.get(URL) as response:
            await response.content.wait_eof()
            return response.content.read_nowait()

    assert play(TAPE, main) == TAPE.body


def test_a_cancelled_read_loses_no_chunk() -> None:
    async def main(session: aiohttp.ClientSession) -> None:
        async with session.get(URL) as response:
            first = await response.content.readany()
            reading = asyncio.ensure_future(response.content.readany())
            await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            rest = [piece async for piece in response.content.iter_any()]
            assert [first, *rest] == PIECES

    play(TAPE, main)


def test_other_tasks_get_their_turn_before_each_chunk() -> None:
    turns: list[str] = []

    async def other() -> None:
        while True:
            turns.append("other")
            await asyncio.sleep(0)

    async def main(session: aiohttp.ClientSession) -> None:
        async with session.get(URL) as response:
            task = asyncio.ensure_future(other())
            async for _ in response.content.iter_any():
                turns.append("chunk")  # noqa: PERF401 - the other task appends too
            task.cancel()

    play(TAPE, main)
    chunks = [number for number, turn in enumerate(turns) if turn == "chunk"]
    assert len(chunks) == len(PIECES)
    assert all("other" in turns[a:b] for a, b in zip([0, *chunks], chunks, strict=False))


def test_many_streams_at_once_have_positions_of_their_own() -> None:
    async def main(session: aiohttp.ClientSession) -> list[list[bytes]]:
        return await asyncio.gather(*[pieces_of(session) for _ in range(20)])

    assert play(TAPE, main) == [PIECES] * 20


def test_an_upload_waits_for_the_go_ahead() -> None:
    async def main(session: aiohttp.ClientSession) -> bytes:
        async with session.post(URL, data=b"x" * 1000, expect100=True) as response:
            return await response.read()

    assert play(TAPE, main) == TAPE.body


# --- endings --------------------------------------------------------------------------------------

AFTER_THE_HEAD: list[tuple[ErrorKind, type[Exception]]] = [
    ("read", aiohttp.ClientPayloadError),
    ("write", aiohttp.ClientPayloadError),
    ("protocol", aiohttp.ClientPayloadError),
    ("read-timeout", aiohttp.SocketTimeoutError),
]
BEFORE: list[tuple[ErrorKind, type[Exception]]] = [
    ("connect", aiohttp.ClientConnectorError),
    ("connect-timeout", aiohttp.ConnectionTimeoutError),
    ("pool", aiohttp.ConnectionTimeoutError),
    ("read", aiohttp.ClientOSError),
    ("write", aiohttp.ClientOSError),
    ("protocol", aiohttp.ServerDisconnectedError),
    ("read-timeout", aiohttp.SocketTimeoutError),
]


@pytest.mark.parametrize(("kind", "raised"), AFTER_THE_HEAD)
@pytest.mark.parametrize("pace", ["instant", "virtual"])
def test_an_error_comes_after_the_chunks_before_it(
    kind: ErrorKind, raised: type[Exception], pace: str
) -> None:
    got: list[bytes] = []

    async def main(session: aiohttp.ClientSession) -> None:
        async with session.get(URL) as response:
            with pytest.raises(raised, match="so it broke") as caught:
                async for piece in response.content.iter_any():
                    got.append(piece)  # noqa: PERF401 - it raises
            assert type(caught.value) is raised
            with pytest.raises(raised):  # and it stays broken
                await response.content.readany()

    tape = told_by("error", error=kind, text="so it broke")
    if pace == "virtual":
        in_virtual_time(tape, main)
    else:
        play(tape, main)
    assert got == PIECES[:2]


@pytest.mark.parametrize(("kind", "raised"), BEFORE)
def test_an_error_comes_instead_of_a_head(kind: ErrorKind, raised: type[Exception]) -> None:
    tape = Tape((), Ending("error", 0, kind, "so it broke"), head_ns=None, status=599)

    async def main(session: aiohttp.ClientSession) -> None:
        with pytest.raises(raised) as caught:
            await session.post(URL)
        assert type(caught.value) is raised

    play(tape, main)


@pytest.mark.parametrize("kind", ["closed", "unfinished"])
def test_reading_past_the_end_of_a_tape_is_told(kind: str) -> None:
    async def main(session: aiohttp.ClientSession) -> None:
        with pytest.raises(aiohttp.ClientPayloadError, match="past the end of a tape"):
            await pieces_of(session)

    with pytest.raises(AssertionError, match="past the end of a tape"):
        play(told_by(kind), main)


def test_after_the_terminal_event_a_closed_tape_just_ends() -> None:
    body = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n'
    tape = Tape.of(body)
    tape = tape.with_chunks(tape.chunks, ending=Ending("closed", 0))
    assert b"".join(play(tape, pieces_of)) == body


# --- leaving --------------------------------------------------------------------------------------


@pytest.mark.parametrize("leave", ["close", "release", "break", "cancel", "session"])
def test_whoever_leaves_frees_the_connection(leave: str) -> None:
    player = Player([TAPE], Delivery())

    async def main(session: aiohttp.ClientSession) -> None:
        response = await session.get(URL)
        assert await response.content.readany() == PIECES[0]
        assert player.streams
        if leave == "close":
            response.close()
        elif leave == "release":
            response.release()
        elif leave == "break":
            async with response:
                async for _ in response.content.iter_any():
                    break
        elif leave == "session":
            await session.close()
        else:
            task = asyncio.ensure_future(response.read())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert not player.streams
        connector = session.connector
        assert connector is None or (not connector._conns and not connector._acquired)
        response.close()  # else aiohttp warns of it, where only the session was closed

    with routing.opened(player, PATCHERS):
        run(main)


def test_a_stream_left_open_is_still_the_clients() -> None:
    """As with a real connection: aiohttp itself keeps it until the session is closed."""
    player = Player([TAPE], Delivery())

    async def main(session: aiohttp.ClientSession) -> None:
        response = await session.get(URL)
        assert len(player.streams) == 1
        await session.close()
        assert not player.streams
        response.close()

    with routing.opened(player, PATCHERS):
        run(main)


def test_a_session_closed_in_the_middle_ends_the_reader_as_a_real_one_does() -> None:
    async def main(session: aiohttp.ClientSession, url: str = URL) -> str:
        response = await session.get(url)
        await response.content.readany()
        await session.close()
        with pytest.raises(Exception) as caught:  # noqa: PT011 - compared below
            await response.content.readany()
        response.close()
        return repr(caught.value)

    with serve(Response(*apart(PIECES[:2]))) as server:
        bare = run(lambda session: main(session, server.url))
    assert play(TAPE, main) == bare


def test_played_connections_stay_out_of_the_pool() -> None:
    """A pool may outlive the block, and what follows goes over real connections."""

    async def main() -> None:
        async with aiohttp.ClientSession() as session:
            with streamtape.play(TAPE):
                assert await pieces_of(session) == PIECES
            with serve(Response(*apart([b"real"]))) as server:
                async with session.get(server.url) as response:
                    assert await response.read() == b"real"
                assert len(server.requests) == 1

    asyncio.run(main())


# --- time -----------------------------------------------------------------------------------------

TIMED = TAPE.with_chunks(
    [Chunk(at * MS, piece) for at, piece in zip((20, 30, 1030, 1030, 8030), PIECES, strict=True)],
    head_ns=10 * MS,
    ending=Ending("eof", 9030 * MS),
)


def test_every_time_is_exact_under_a_virtual_loop() -> None:
    async def main(session: aiohttp.ClientSession) -> list[int]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        times = []
        async with session.get(URL) as response:
            times.append(loop.time())
            async for _ in response.content.iter_any():
                times.append(loop.time())  # noqa: PERF401 - and so do lines around
        return [round((at - began) * 1000) for at in [*times, loop.time()]]

    assert in_virtual_time(TIMED, main) == [10, 20, 30, 1030, 1030, 8030, 9030]


@pytest.mark.parametrize(("sock_read", "count"), [(0.5, 2), (2.0, 4), (7.5, 5)])
def test_the_read_timeout_strikes_at_its_moment(sock_read: float, count: int) -> None:
    got: list[bytes] = []

    async def main(session: aiohttp.ClientSession) -> float:
        got.clear()
        loop = asyncio.get_running_loop()
        timeout = aiohttp.ClientTimeout(sock_read=sock_read)
        last = loop.time()
        async with session.get(URL, timeout=timeout) as response:
            try:
                async for piece in response.content.iter_any():
                    got.append(piece)
                    last = loop.time()
            except aiohttp.SocketTimeoutError:
                return loop.time() - last
        return 0.0

    for pace, expected in ("virtual", sock_read), ("instant", 0.0):
        waited = in_virtual_time(TIMED, main, pace)
        assert got == PIECES[:count]
        assert waited == pytest.approx(expected if count < 5 else 0.0)


def test_a_reader_that_was_away_meets_no_timeout() -> None:
    """The next chunk waits for its reader here, so aiohttp's own timer would strike falsely."""

    async def main(session: aiohttp.ClientSession) -> list[bytes]:
        got = []
        timeout = aiohttp.ClientTimeout(sock_read=8)
        async with session.get(URL, timeout=timeout) as response:
            async for piece in response.content.iter_any():
                got.append(piece)
                await asyncio.sleep(20)
        return got

    assert in_virtual_time(TIMED, main) == PIECES


@pytest.mark.parametrize(("total", "fires"), [(2.5, 2.5), (7.3, 8.0)])
def test_a_total_timeout_is_aiohttps_own(total: float, fires: float) -> None:
    """Above five seconds aiohttp rounds the moment up to a whole second of the loop's time."""

    async def main(session: aiohttp.ClientSession) -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(TimeoutError):
            await pieces_of(session, timeout=aiohttp.ClientTimeout(total=total))
        return loop.time() - began

    assert in_virtual_time(TIMED, main) == pytest.approx(fires)


def test_virtual_insists_on_a_virtual_loop() -> None:
    async def main(session: aiohttp.ClientSession) -> None:
        with pytest.raises(VirtualClockError, match="looptime"):
            await session.get(URL)

    with pytest.raises(AssertionError, match="looptime"):
        play(TAPE, main, Delivery(pace="virtual"))


def test_the_tracing_hears_of_the_connection() -> None:
    heard: list[str] = []
    tracing = aiohttp.TraceConfig()

    async def hear(*args: Any) -> None:
        heard.append(type(args[-1]).__name__)

    tracing.on_connection_create_start.append(hear)
    tracing.on_connection_create_end.append(hear)
    tracing.on_request_end.append(hear)

    async def main() -> None:
        async with aiohttp.ClientSession(trace_configs=[tracing]) as session:
            await pieces_of(session)

    with streamtape.play(TAPE):
        asyncio.run(main())
    assert heard == [
        "TraceConnectionCreateStartParams",
        "TraceConnectionCreateEndParams",
        "TraceRequestEndParams",
    ]
