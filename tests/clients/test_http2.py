"""HTTP/2: a DATA frame is a chunk, and streams share a connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import streamtape
from tests.clients.drivers import HTTPX_DRIVERS, HttpxDriver
from tests.clients.http2_server import Server, serve
from tests.server import Response, chunk, cut, gate, gated, hang, head, raw, reset

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.parametrize("driver", HTTPX_DRIVERS, ids=str),
    # trio says so of the clients' own generators too, when a reader leaves a stream.
    pytest.mark.filterwarnings("ignore:Async generator .* was garbage collected:ResourceWarning"),
]

PIECES = [
    b"data: caf\xc3",
    b"\xa9\r",
    b"\n\r\nda",
    b"ta: \xf0\x9f\x91\xa9\n\n",
    b"data: [DONE]\n\n",
]

Each = Callable[[str, bytes], None]
Got = tuple[str, list[bytes]]


def read(  # noqa: C901  # the same twice: for plain code and for loops
    driver: HttpxDriver,
    url: str,
    paths: tuple[str, ...] = ("/stream",),
    *,
    each: Each = lambda _path, _chunk: None,
    stop_after: int | None = None,
    errors: dict[str, Exception] | None = None,
) -> dict[str, Got]:
    """Each path's HTTP version and chunks, empty ones too, all read at the same time by one client.

    *each* is told of every chunk before the next one is asked for. What goes wrong is put into
    *errors*, or raised where there are none.
    """
    got: dict[str, Got] = {}
    failed: dict[str, Exception] = {} if errors is None else errors

    def take(path: str, piece: bytes) -> bool:
        got[path][1].append(piece)
        each(path, piece)
        return len(got[path][1]) == stop_after

    def read_one(client: Any, path: str) -> None:
        try:
            with client.stream("GET", url + path) as response:
                got[path] = (response.http_version, [])
                for piece in response.stream:
                    if take(path, piece):
                        break
        except driver.named("TransportError") as error:
            failed[path] = error

    async def read_one_async(client: Any, path: str) -> None:
        try:
            async with client.stream("GET", url + path) as response:
                got[path] = (response.http_version, [])
                async for piece in response.stream:
                    if take(path, piece):
                        break
        except driver.named("TransportError") as error:
            failed[path] = error

    async def main() -> None:
        async with (
            driver.module.AsyncClient(**options) as client,
            anyio.create_task_group() as group,
        ):
            for path in paths:
                group.start_soon(read_one_async, client, path)

    options = {"http1": False, "http2": True}
    if driver.backend == "sync":
        with driver.module.Client(**options) as client, ThreadPoolExecutor(len(paths)) as pool:
            list(pool.map(partial(read_one, client), paths))
    else:
        anyio.run(main, backend=driver.backend)
    if errors is None:
        for error in failed.values():
            raise error
    return got


def record(
    driver: HttpxDriver, path: Path, answers: Mapping[str, Response], **options: Any
) -> Server:
    with serve(answers) as server:
        with streamtape.use_cassette(path, record_mode="once"):
            read(driver, server.url, **options)
    return server


def data_of(tape: streamtape.Tape) -> list[bytes]:
    return [piece.data for piece in tape.chunks]


def test_frames_are_chunks_and_the_version_is_kept(driver: HttpxDriver, tmp_path: Path) -> None:
    """The last frame, which only ends the stream, is an empty chunk: the client sees it too."""
    with serve({"/stream": Response(*map(chunk, PIECES))}) as server:
        bare = read(driver, server.url)
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            recorded = read(driver, server.url)
        frames = server.requests[1].frames
    assert frames == [*PIECES, b""]
    assert recorded == bare == {"/stream": ("HTTP/2", frames)}
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert tape.http_version == "HTTP/2"
    assert data_of(tape) == frames
    assert (tape.framing, tape.ending.kind) == ("sse", "eof")
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        assert read(driver, server.url) == recorded


def test_each_frame_is_seen_before_the_server_sends_the_next(
    driver: HttpxDriver, tmp_path: Path
) -> None:
    steps, gates = gated(PIECES)
    left = iter(gates)

    def each(_path: str, piece: bytes) -> None:
        if piece:
            next(left).set()

    record(driver, tmp_path / "a.yaml", {"/stream": Response(*steps)}, each=each)
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert data_of(tape) == [*PIECES, b""]


def test_an_empty_frame_in_the_middle_is_an_empty_chunk(
    driver: HttpxDriver, tmp_path: Path
) -> None:
    response = Response(head(), raw(b""), chunk(PIECES[0]), raw(b""), raw(b""), chunk(PIECES[1]))
    server = record(driver, tmp_path / "a.yaml", {"/stream": response})
    expected = [b"", PIECES[0], b"", b"", PIECES[1], b""]
    assert server.requests[0].frames == expected
    assert data_of(streamtape.load(tmp_path / "a.yaml")[0]) == expected
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        assert read(driver, server.url) == {"/stream": ("HTTP/2", expected)}


@pytest.mark.parametrize("last", [reset(), cut()], ids=["stream", "connection"])
def test_a_reset(driver: HttpxDriver, last: Any, tmp_path: Path) -> None:
    """Of the stream, or of the connection under it: the reset doesn't overtake the frames."""
    seen: list[bytes] = []
    opened = gate()

    def each(_path: str, piece: bytes) -> None:
        seen.append(piece)
        if len(seen) == 2:
            opened.set()

    def break_off(url: str) -> BaseException:
        seen.clear()
        with pytest.raises(driver.named("TransportError")) as raised:
            read(driver, url, each=each)
        return raised.value

    with serve({"/stream": Response(*map(chunk, PIECES[:2]), opened, last)}) as server:
        bare = break_off(server.url)
        opened.clear()
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            live = break_off(server.url)
    assert (type(live), str(live)) == (type(bare), str(bare))
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert (tape.ending.kind, tape.ending.error) == ("error", "protocol")
    assert data_of(tape) == seen == PIECES[:2]
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        replayed = break_off(server.url)
    assert (type(replayed), str(replayed)) == (type(live), str(live))
    assert seen == PIECES[:2]


def in_turns(paths: tuple[str, ...]) -> tuple[dict[str, Response], list[str]]:
    """Scripts that send their frames in turns, and the paths in the order of sending.

    A client's reading can't steer that: the task that reads the connection keeps it, and another
    that waits for it gets its own frame only then.
    """
    turns = [gate() for _ in range(len(paths) * len(PIECES) + 1)]
    turns[0].set()
    order: list[str] = []

    def script(path: str, numbers: range) -> Response:
        def passed_on(number: int) -> list[Any]:
            order.append(path)
            turns[number + 1].set()
            return []

        steps: list[Any] = [head()]
        for number, piece in zip(numbers, PIECES, strict=True):
            steps += [turns[number], chunk(piece), partial(passed_on, number)]
        return Response(*steps)

    count = len(paths)
    numbers = [range(first, count * len(PIECES), count) for first in range(count)]
    return dict(zip(paths, map(script, paths, numbers), strict=True)), order


def test_streams_on_one_connection(driver: HttpxDriver, tmp_path: Path) -> None:
    paths = ("/first", "/second", "/third")
    answers, order = in_turns(paths)
    with serve(answers) as server:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            recorded = read(driver, server.url, paths)
        # Threads that start at the same time may open a connection each.
        assert server.connected == 1 or driver.backend == "sync"
    assert order == [*paths] * len(PIECES)
    assert recorded == dict.fromkeys(paths, ("HTTP/2", [*PIECES, b""]))
    for tape in streamtape.load(tmp_path / "a.yaml"):
        assert data_of(tape) == [*PIECES, b""]
    with streamtape.use_cassette(tmp_path / "a.yaml") as cassette:
        assert read(driver, server.url, paths[::-1]) == recorded
        assert cassette.all_played


def test_a_reset_of_one_stream_leaves_the_others(driver: HttpxDriver, tmp_path: Path) -> None:
    broken = gate()

    def was_reset() -> list[Any]:
        broken.set()
        return []

    answers = {
        "/broken": Response(chunk(PIECES[0]), reset(), was_reset),
        "/whole": Response(chunk(PIECES[0]), broken, *map(chunk, PIECES[1:])),
    }
    errors: dict[str, Exception] = {}
    with serve(answers) as server:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            got = read(driver, server.url, ("/broken", "/whole"), errors=errors)
    assert got["/whole"] == ("HTTP/2", [*PIECES, b""])
    assert [(path, type(error)) for path, error in errors.items()] == [
        ("/broken", driver.named("RemoteProtocolError"))
    ]
    endings = {
        tape.request and tape.request.url: (tape.ending.kind, data_of(tape))
        for tape in streamtape.load(tmp_path / "a.yaml")
    }
    assert endings == {
        f"{server.url}/broken": ("error", got.get("/broken", ("", []))[1]),
        f"{server.url}/whole": ("eof", [*PIECES, b""]),
    }
    replayed: dict[str, Exception] = {}
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        assert read(driver, server.url, ("/broken", "/whole"), errors=replayed) == got
    assert {path: str(error) for path, error in replayed.items()} == {
        path: str(error) for path, error in errors.items()
    }


def test_a_stream_that_the_client_leaves(driver: HttpxDriver, tmp_path: Path) -> None:
    answers = {"/stream": Response(*map(chunk, PIECES[:3]), hang())}
    server = record(driver, tmp_path / "a.yaml", answers, stop_after=2)
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert (tape.ending.kind, data_of(tape)) == ("closed", PIECES[:2])
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        again = read(driver, server.url, stop_after=2)
    assert again == {"/stream": ("HTTP/2", PIECES[:2])}
