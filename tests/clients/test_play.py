"""Tapes played to in-process clients: in order, in their chunks, to their ending."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anthropic
import anyio
import httpx
import httpx2
import openai
import pytest

import streamtape
from streamtape import Chunk, Delivery, Ending, Request, Tape
from streamtape.clients.take import Take
from tests import streams
from tests.clients.drivers import DRIVERS, HTTPX_DRIVERS, Driver, HttpxDriver, each_driver

if TYPE_CHECKING:
    from pathlib import Path

each_httpx_driver = pytest.mark.parametrize("driver", HTTPX_DRIVERS, ids=str)
each_coding = pytest.mark.parametrize(
    ("driver", "coding"),
    [
        # httpx decodes zstd only with a package that is older than the standard library's.
        pytest.param(driver, coding, id=f"{driver}-{coding}")
        for driver in DRIVERS
        for coding in ("gzip", "deflate", "br", "zstd")
        if not (coding == "zstd" and getattr(driver, "module", None) is httpx)
    ],
)
# trio says so of the clients' own generators too, when a reader leaves a stream.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Async generator .* was garbage collected:ResourceWarning"
)

URL = "http://test/stream"
MS = 1_000_000
SECOND = 1_000 * MS
HOUR = 3_600 * SECOND

BODY = "data: café\n\ndata: 👩‍👧\n\ndata: [DONE]\n\n".encode()
TAPE = Tape.of(BODY)


def pieces_of(tape: Tape) -> list[bytes]:
    return [chunk.data for chunk in tape.chunks]


def with_ending(ending: Ending, *pieces: bytes, coding: str | None = None) -> Tape:
    """A tape of *pieces* that ends so."""
    chunks = [Chunk(0, piece) for piece in pieces]
    return Tape.of(b"").with_chunks(chunks, ending=ending, framing="sse", coding=coding)


def taking(coding: str) -> dict[str, str]:
    """A request's headers: urllib3 takes no coding by itself."""
    return {"accept-encoding": coding}


def read_stream(
    driver: HttpxDriver, read: Callable[[Any], Any], read_async: Callable[[Any], Any]
) -> Any:
    """What *read*, or in a loop *read_async*, makes of an open response."""

    async def main() -> Any:
        async with driver.module.AsyncClient() as client:
            async with client.stream("GET", URL) as response:
                return await read_async(response)

    if driver.backend != "sync":
        return anyio.run(main, backend=driver.backend)
    with driver.module.Client() as client, client.stream("GET", URL) as response:
        return read(response)


def chunks_of(driver: HttpxDriver) -> list[bytes]:
    """The chunks as the client's transport hands them over, empty ones too."""

    async def read_async(response: Any) -> list[bytes]:
        return [piece async for piece in response.stream]

    return list(read_stream(driver, lambda response: list(response.stream), read_async))


# --- which tape -----------------------------------------------------------------------------------


@each_driver
def test_one_tape_answers_every_request(driver: Driver) -> None:
    with streamtape.play(TAPE):
        for url, method in [
            (URL, "GET"),
            ("https://api.openai.com/v1/x?y=1", "POST"),
            (URL, "PUT"),
        ]:
            got = driver.get(url, method=method)
            assert got.pieces == pieces_of(TAPE)
            assert got.status == 200


@each_driver
def test_several_tapes_come_in_order_and_the_last_again_and_again(driver: Driver) -> None:
    tapes = [Tape.of(b"data: %d\n\n" % number) for number in range(3)]
    with streamtape.play(tape for tape in tapes):
        bodies = [b"".join(driver.get(URL).pieces) for _ in range(5)]
    assert bodies == [
        b"data: 0\n\n",
        b"data: 1\n\n",
        b"data: 2\n\n",
        b"data: 2\n\n",
        b"data: 2\n\n",
    ]


@each_driver
def test_a_tapes_own_request_is_not_asked_about(driver: Driver) -> None:
    tape = Tape.of(BODY, request=Request("POST", "https://elsewhere.test/"))
    with streamtape.play(tape):
        assert driver.get(URL).pieces == pieces_of(tape)


def test_no_tapes_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="no tapes to play"), streamtape.play([]):
        pass


@each_httpx_driver
def test_the_head_is_the_tapes(driver: HttpxDriver) -> None:
    headers = [("content-type", "text/event-stream"), ("x-twice", "1"), ("x-twice", "2")]
    tape = TAPE.with_chunks(
        TAPE.chunks, status=429, reason="Slow Down", headers=headers, http_version="HTTP/2"
    )
    with streamtape.play(tape):
        got = driver.get(URL)
    assert (got.status, got.reason, got.http_version) == (429, "Slow Down", "HTTP/2")
    assert got.headers == headers


@each_driver
def test_a_request_body_of_any_kind_is_read(driver: Driver) -> None:
    """As a transport does: a generator runs, and what it raises is raised."""
    ran: list[bool] = []

    def body() -> Any:
        yield b"{"
        ran.append(True)
        yield b"}"

    async def body_async() -> Any:
        for piece in body():
            yield piece

    content = body() if driver.backend == "sync" else body_async()
    with streamtape.play(TAPE):
        got = driver.get(URL, method="POST", content=content)
    assert got.pieces == pieces_of(TAPE)
    assert ran == [True]


# --- chunks ---------------------------------------------------------------------------------------


@each_httpx_driver
def test_empty_chunks_reach_the_transports_stream(driver: HttpxDriver) -> None:
    delivery = Delivery(cuts=(0, 0, 5, 5, len(BODY), len(BODY)))
    expected = [b"", b"", BODY[:5], b"", BODY[5:], b"", b""]
    with streamtape.play(TAPE, delivery):
        assert chunks_of(driver) == expected


@each_httpx_driver
def test_a_body_without_bytes(driver: HttpxDriver) -> None:
    with streamtape.play(Tape.of(b"")):
        assert chunks_of(driver) == []
    with streamtape.play(Tape.of(b""), Delivery(cuts=(0,))):
        assert chunks_of(driver) == [b"", b""]


@each_httpx_driver
def test_a_second_iteration_goes_on(driver: HttpxDriver) -> None:
    """openai drains its stream so, while the first iteration is still open."""

    def read(response: Any) -> list[list[bytes]]:
        first = iter(response.stream)
        return [[next(first)], list(response.stream), list(response.stream), list(first)]

    async def read_async(response: Any) -> list[list[bytes]]:
        first = response.stream.__aiter__()
        return [
            [await anext(first)],
            [piece async for piece in response.stream],
            [piece async for piece in response.stream],
            [piece async for piece in first],
        ]

    with streamtape.play(TAPE):
        parts = read_stream(driver, read, read_async)
    assert parts == [pieces_of(TAPE)[:1], pieces_of(TAPE)[1:], [], []]


@each_coding
def test_a_coding_is_put_on_and_flushed_for_each_chunk(driver: Driver, coding: str) -> None:
    """The client's own decoder is the judge: it gives each chunk as soon as it has it."""
    tape = TAPE.with_chunks(TAPE.chunks, coding=coding)
    for delivery in (Delivery(), Delivery(cuts="bytes"), Delivery(cuts="whole")):
        with streamtape.play(tape, delivery):
            got = driver.get(URL, "iter_bytes", headers=taking(coding))
            raw = driver.get(URL, "iter_raw", headers=taking(coding))
        assert got.pieces == pieces_of(tape.deliver(delivery))
        assert ("content-encoding", coding) in got.headers
        assert b"".join(raw.pieces) != BODY


@each_coding
def test_an_empty_chunk_in_a_coding_decodes_to_nothing(driver: Driver, coding: str) -> None:
    tape = TAPE.with_chunks(TAPE.chunks, coding=coding)
    with streamtape.play(tape, Delivery(cuts=(0, 5, 5, len(BODY)))):
        assert driver.get(URL, "read", headers=taking(coding)).pieces == [BODY]


# --- endings --------------------------------------------------------------------------------------

ERRORS = {
    "connect": "ConnectError",
    "connect-timeout": "ConnectTimeout",
    "read": "ReadError",
    "read-timeout": "ReadTimeout",
    "write": "WriteError",
    "pool": "PoolTimeout",
    "protocol": "RemoteProtocolError",
}
"""Each kind of the file, and the class that is raised for it."""


@each_httpx_driver
@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_comes_after_the_chunks_before_it(driver: HttpxDriver, kind: Any) -> None:
    seen: list[bytes] = []
    tape = with_ending(Ending("error", 0, kind, "what was said"), b"data: 1\n\n", b"da")
    with streamtape.play(tape):
        with pytest.raises(driver.named(ERRORS[kind]), match=r"^what was said$") as raised:
            driver.get(URL, each=seen.append)
    assert type(raised.value) is driver.named(ERRORS[kind])
    assert seen == [b"data: 1\n\n", b"da"]
    assert str(raised.value.request.url) == URL  # type: ignore[attr-defined]


@each_httpx_driver
@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_comes_instead_of_a_head(driver: HttpxDriver, kind: Any) -> None:
    tape = Tape((), Ending("error", HOUR, kind, "what was said"), status=599, head_ns=None)
    with streamtape.play(tape):
        with pytest.raises(driver.named("TransportError")) as raised:
            driver.get(URL, timeout=None)
    assert type(raised.value) is driver.named(ERRORS[kind])
    assert str(raised.value) == "what was said"


@each_coding
def test_an_error_in_a_coding_comes_after_the_chunks_before_it(driver: Driver, coding: str) -> None:
    seen: list[bytes] = []
    tape = with_ending(Ending("error", 0, "read", "reset"), b"data: 1\n\n", b"da", coding=coding)
    with streamtape.play(tape):
        with pytest.raises(driver.error("read")):
            driver.get(URL, "iter_bytes", each=seen.append, headers=taking(coding))
    assert seen == [b"data: 1\n\n", b"da"]


@each_driver
@pytest.mark.parametrize("kind", ["closed", "unfinished"])
def test_reading_past_the_end_of_a_tape_is_told(driver: Driver, kind: Any) -> None:
    seen: list[bytes] = []
    tape = with_ending(Ending(kind, 0), b"data: 1\n\n")
    why = "closed the stream here" if kind == "closed" else "the recorder died here"
    with pytest.raises(AssertionError, match=f"{why}, after 9 bytes"):
        with streamtape.play(tape):
            with pytest.raises(driver.error("read"), match=why):
                driver.get(URL, each=seen.append)
    assert seen == [b"data: 1\n\n"]


@each_driver
@pytest.mark.parametrize("coding", [None, "gzip"])
def test_reading_no_further_than_the_recorded_client_is_fine(
    driver: Driver, coding: str | None
) -> None:
    tape = with_ending(Ending("closed", 0), b"data: 1\n\n", b"data: 2\n\n", coding=coding)
    with streamtape.play(tape):
        got = driver.get(URL, "iter_bytes", stop_after=2)
    assert got.pieces == [b"data: 1\n\n", b"data: 2\n\n"]


@each_driver
def test_no_answer_because_the_recorded_client_left_is_told(driver: Driver) -> None:
    errors: list[str] = []

    def read() -> None:
        try:
            driver.get(URL)
        except driver.error("read") as error:
            errors.append(str(error))

    tape = Tape((), Ending("closed", HOUR), status=599, head_ns=None)
    with pytest.raises(AssertionError) as told, streamtape.play(tape):
        read()
    (error,) = errors
    assert str(told.value) in error
    assert "closed the stream here, before there was an answer" in errors[0]


@each_driver
def test_after_the_terminal_event_a_closed_tape_just_ends(driver: Driver) -> None:
    with streamtape.play(with_ending(Ending("closed", 0), *pieces_of(TAPE))):
        assert driver.get(URL).pieces == pieces_of(TAPE)


@each_coding
def test_a_closed_tape_in_a_coding_ends_with_the_codings_end(driver: Driver, coding: str) -> None:
    """It was never recorded, but there are clients that insist on it."""
    with streamtape.play(with_ending(Ending("closed", 0), *pieces_of(TAPE), coding=coding)):
        got = driver.get(URL, "iter_bytes", headers=taking(coding))
    assert got.pieces == pieces_of(TAPE)


@each_driver
def test_what_the_block_raises_itself_comes_first(driver: Driver) -> None:
    def fail() -> None:
        with suppress(driver.error("read")):
            driver.get(URL)
        raise ZeroDivisionError("the test's own")

    with pytest.raises(ZeroDivisionError, match="own"):
        with streamtape.play(with_ending(Ending("closed", 0), b"data: 1\n\n")):
            fail()


# --- read timeouts under an instant pace ----------------------------------------------------------


def paused(*gaps_ns: int, late: bool = False, head_ns: int = 0) -> Tape:
    """Chunks after *gaps_ns*, the end after the last of them."""
    at_ns = head_ns
    chunks = []
    for gap_ns in gaps_ns[:-1]:
        at_ns += gap_ns
        chunks.append(Chunk(at_ns, b"data: 1\n\n", late))
    tape = Tape.of(b"").with_chunks(chunks, head_ns=head_ns, framing="sse")
    return tape.with_chunks(chunks, ending=Ending("eof", at_ns + gaps_ns[-1]))


@each_driver
def test_a_stall_within_the_timeout_costs_nothing(driver: Driver) -> None:
    """The timeout is for each read, so the stalls don't add up."""
    tape = paused(HOUR, HOUR, HOUR, HOUR, head_ns=HOUR)
    with streamtape.play(tape):
        assert driver.get(URL, timeout=3600.0).pieces == pieces_of(tape)
        assert driver.get(URL, timeout=None).pieces == pieces_of(tape)


@each_driver
@pytest.mark.parametrize(
    ("tape", "count"),
    [
        (paused(0, head_ns=HOUR), 0),
        (paused(HOUR, 0), 0),
        (paused(0, HOUR, 0), 1),
        (paused(0, 0, HOUR), 2),
    ],
    ids=["head", "first", "second", "end"],
)
def test_a_longer_stall_times_out_at_once(driver: Driver, tape: Tape, count: int) -> None:
    seen: list[bytes] = []
    with streamtape.play(tape):
        with pytest.raises(driver.error("read-timeout")):
            driver.get(URL, timeout=3599.0, each=seen.append)
    assert len(seen) == count


@each_driver
def test_a_stall_counts_from_the_chunk_before_on_the_tape(driver: Driver) -> None:
    """Not from the start: an instant player's own clock stands still."""
    tape = paused(*[10 * SECOND] * 100)
    with streamtape.play(tape):
        assert len(driver.get(URL, timeout=10.0).pieces) == 99


@each_driver
def test_late_chunks_never_time_out(driver: Driver) -> None:
    tape = paused(HOUR, HOUR, 0, late=True)
    with streamtape.play(tape):
        assert driver.get(URL, timeout=5.0).pieces == pieces_of(tape)


@each_driver
@pytest.mark.parametrize("kind", ["closed", "unfinished"])
def test_the_end_of_a_recording_is_no_stall(driver: Driver, kind: Any) -> None:
    """It says when the recorded client left, which is not how long the network was silent."""
    tape = with_ending(Ending(kind, HOUR), *pieces_of(TAPE))
    with streamtape.play(tape):
        assert driver.get(URL, timeout=5.0).pieces == pieces_of(TAPE)
    with pytest.raises(AssertionError, match="read past the end of a tape"):
        with streamtape.play(with_ending(Ending(kind, HOUR), b"data: 1\n\n")):
            with pytest.raises(driver.error("read")):
                driver.get(URL, timeout=5.0)


@pytest.mark.parametrize("kind", ["eof", "error"])
def test_the_end_after_a_reader_that_was_away_never_times_out(kind: Any) -> None:
    """It lay waiting, as a late chunk does: recorded under a timeout of 5 s, it plays under one."""
    now = [0]
    take = Take(Request("GET", URL), 1, lambda _: None, clock=lambda: now[0])
    take.head(200, "OK", [("content-type", "text/event-stream")], "HTTP/1.1")
    stream = iter([b"data: 1\n\n"])

    def source() -> Any:
        yield from stream
        if kind == "error":
            raise httpx.ReadError("reset")

    def handler(_request: Any) -> httpx.Response:
        return httpx.Response(200, content=source())

    from streamtape.clients.httpx_streams import Tee, of_module

    tee = of_module(Tee, httpx)(httpx, handler(None).stream, take)
    with suppress(httpx.ReadError):
        for _ in tee:
            now[0] += 60 * SECOND  # the reader's own work
    tape = take.tape()
    assert tape.ending.kind == kind
    with streamtape.play(tape):
        if kind == "eof":
            assert httpx.get(URL, timeout=5.0).content == b"data: 1\n\n"
        else:
            with pytest.raises(httpx.ReadError, match=r"^reset$"):
                httpx.get(URL, timeout=5.0)


# --- who is played to -----------------------------------------------------------------------------


@pytest.mark.parametrize("driver", HTTPX_DRIVERS[::3], ids=str)
def test_threads_have_positions_of_their_own(driver: HttpxDriver) -> None:
    """Each thread reads a chunk only when all of them have read the one before."""
    together = threading.Barrier(8)

    def read(_number: int) -> list[bytes]:
        got: list[bytes] = driver.get(URL, each=lambda _: together.wait(10)).pieces
        return got

    with streamtape.play(TAPE), ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(8))) == [pieces_of(TAPE)] * 8


@pytest.mark.parametrize("driver", HTTPX_DRIVERS[::3], ids=str)
def test_each_tape_goes_to_one_thread(driver: HttpxDriver) -> None:
    tapes = [Tape.of(b"data: %d\n\n" % number) for number in range(16)]
    with streamtape.play(tapes), ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(lambda _: b"".join(driver.get(URL).pieces), range(16)))
    assert sorted(bodies) == sorted(tape.body for tape in tapes)


@pytest.mark.parametrize("driver", HTTPX_DRIVERS, ids=str)
def test_tasks_of_one_loop_have_positions_of_their_own(driver: HttpxDriver) -> None:
    if driver.backend == "sync":
        return
    found: list[list[bytes]] = []

    async def read(client: Any) -> None:
        async with client.stream("GET", URL) as response:
            found.append([piece async for piece in response.aiter_raw()])

    async def main() -> None:
        async with driver.module.AsyncClient() as client:
            async with anyio.create_task_group() as group:
                for _ in range(8):
                    group.start_soon(read, client)

    with streamtape.play(TAPE, Delivery(cuts="bytes")):
        anyio.run(main, backend=driver.backend)
    assert found == [[BODY[at : at + 1] for at in range(len(BODY))]] * 8


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("module", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_other_tasks_get_their_turn_before_each_chunk(module: Any, backend: str) -> None:
    """As they do with a real stream: a task that cancels the reader could never run otherwise."""
    seen: list[bytes] = []

    async def main() -> None:
        async with anyio.create_task_group() as group, module.AsyncClient() as client:
            async with client.stream("GET", URL) as response:
                async for piece in response.aiter_raw():
                    seen.append(piece)
                    group.start_soon(cancel, group.cancel_scope)

    async def cancel(scope: anyio.CancelScope) -> None:
        scope.cancel()

    with streamtape.play(TAPE, Delivery(cuts="bytes")):
        anyio.run(main, backend=backend)
    assert 1 <= len(seen) <= 2  # trio runs its tasks in any order


@each_httpx_driver
def test_blocks_inside_blocks(driver: HttpxDriver, tmp_path: Path) -> None:
    """The innermost one answers, of whatever kind it is."""
    outer, inner, kept = (Tape.of(b"data: %s\n\n" % name) for name in (b"1", b"2", b"kept"))
    streamtape.save(tmp_path / "a.yaml", [kept, kept])

    def body() -> bytes:
        return b"".join(driver.get(URL).pieces)

    with streamtape.play(outer):
        with streamtape.use_cassette(tmp_path / "a.yaml", match_on=()) as cassette:
            assert body() == kept.body
            with streamtape.play(inner):
                assert body() == inner.body
            assert body() == kept.body
            assert [tape.body for tape in cassette.played] == [kept.body, kept.body]
        assert body() == outer.body


def test_the_clients_are_as_before_when_the_last_block_ends() -> None:
    def methods() -> list[Any]:
        return [
            getattr(getattr(module, name), method)
            for module in (httpx, httpx2)
            for name, method in [
                ("HTTPTransport", "handle_request"),
                ("AsyncHTTPTransport", "handle_async_request"),
                ("MockTransport", "handle_request"),
                ("MockTransport", "handle_async_request"),
                ("WSGITransport", "handle_request"),
                ("ASGITransport", "handle_async_request"),
            ]
        ]

    before = methods()
    first, second = streamtape.play(TAPE), streamtape.play(TAPE)
    first.__enter__()
    second.__enter__()
    assert all(now is not then for now, then in zip(methods(), before, strict=True))
    first.__exit__(None, None, None)  # not in the order of nesting
    assert httpx.get(URL).content == BODY
    second.__exit__(None, None, None)
    assert methods() == before


@pytest.mark.parametrize("module", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_a_transport_of_the_tests_own_is_played_to_as_well(module: Any) -> None:
    def never(_request: Any) -> Any:
        raise AssertionError("the tape should have answered")

    with streamtape.play(TAPE), module.Client(transport=module.MockTransport(never)) as client:
        assert client.get(URL).content == BODY


# --- the SDKs -------------------------------------------------------------------------------------


def test_sdks_without_a_server() -> None:
    chat = Tape.of(b"".join(streams.openai_chat()))
    messages = Tape.of(b"".join(streams.anthropic_messages()))
    # What sync openai leaves behind: it closes at [DONE].
    closed = chat.with_chunks(chat.chunks, ending=Ending("closed", 0))
    question: Any = [{"role": "user", "content": "?"}]
    for tape in (chat, closed):
        for delivery in (Delivery(), Delivery(cuts="bytes"), Delivery(cuts="whole")):
            with streamtape.play(tape, delivery), openai.OpenAI(api_key="-") as client:
                items = client.chat.completions.create(model="-", messages=question, stream=True)
                text = "".join(
                    each.choices[0].delta.content or "" for each in items if each.choices
                )
            assert text == "".join(streams.PIECES)

            async def read_async() -> str:
                async with openai.AsyncOpenAI(api_key="-") as client:
                    items = await client.chat.completions.create(
                        model="-", messages=question, stream=True
                    )
                    return "".join(
                        [
                            each.choices[0].delta.content or ""
                            async for each in items
                            if each.choices
                        ]
                    )

            with streamtape.play(tape, delivery):
                assert anyio.run(read_async) == text
    with streamtape.play(messages, Delivery(cuts="bytes")):
        with anthropic.Anthropic(api_key="-") as anthropic_client:
            with anthropic_client.messages.stream(
                model="-", max_tokens=1, messages=question
            ) as stream:
                assert stream.get_final_text() == "".join(streams.PIECES)


# --- what it loads --------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["httpx", "httpx2"])
def test_playing_loads_neither_vcrpy_nor_yaml(module: str) -> None:
    """In a process of its own, where nothing has been loaded before."""
    program = f"""
import sys
import streamtape
import {module}

tape = streamtape.Tape.of(b"data: 1\\n\\n")
with streamtape.play(tape, streamtape.Delivery(cuts="bytes")):
    assert {module}.get("http://test/").content == b"data: 1\\n\\n"

    async def read():
        async with {module}.AsyncClient() as client:
            return (await client.get("http://test/")).content

    import asyncio
    assert asyncio.run(read()) == b"data: 1\\n\\n"
loaded = {{name.partition(".")[0] for name in sys.modules}}
print(*sorted(loaded & {{"vcr", "yaml", "pytest", "hypothesis"}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == []
