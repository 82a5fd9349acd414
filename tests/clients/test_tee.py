"""The tee between a client and its transport changes nothing that a program can see."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import httpx
import httpx2
import pytest

import streamtape
from streamtape.clients import PATCHERS, routing
from streamtape.clients.take import Take
from streamtape.clock import now_ns
from streamtape.tape import Ending, Request
from tests.clients.drivers import DRIVERS, HTTPX_DRIVERS, Driver, HttpxDriver
from tests.server import Response, apart, cut, reset, serve

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

PIECES = [b"data: caf\xc3", b"\xa9\n", b"\n", b"data: [DONE]\n\n"]

# trio says so of the clients' own generators too, when a reader leaves a stream.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Async generator .* was garbage collected:ResourceWarning"
)

each_module = pytest.mark.parametrize(
    "module", [httpx, httpx2], ids=lambda module: str(module.__name__)
)
each_backend = pytest.mark.parametrize("backend", ["asyncio", "trio"])
each_driver = pytest.mark.parametrize("driver", HTTPX_DRIVERS, ids=str)
each_client = pytest.mark.parametrize("driver", DRIVERS, ids=str)


class Recording:
    """A session that takes down every request, without a cassette."""

    def __init__(self, clock: Callable[[], int] = now_ns) -> None:
        self.clock = clock
        self.takes: list[Take] = []
        self.ended: list[Take] = []

    @property
    def take(self) -> Take:
        (take,) = self.takes
        return take

    @property
    def ending(self) -> str:
        """How the only stream ended."""
        assert self.take.ending is not None
        return self.take.ending.kind

    @property
    def data(self) -> list[bytes]:
        """The chunks of the only stream."""
        return self.take.reads[2::3]

    def answer(self, request: Request) -> Take:
        take = Take(request, len(self.takes) + 1, self.ended.append, clock=self.clock)
        self.takes.append(take)
        return take


@contextmanager
def recording(clock: Callable[[], int] = now_ns) -> Iterator[Recording]:
    session = Recording(clock)
    with routing.opened(session, PATCHERS):
        yield session


class Source:
    """A response's stream below the tee: gives what an iterable gives, and counts what it gave."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self.given = 0
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.given += 1
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            await anyio.lowlevel.checkpoint()
            yield piece

    def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        self.closed += 1


def endless() -> Iterator[bytes]:
    """As good as endless for who reads a few chunks; who wants all of them is told."""
    for _ in range(10_000):
        yield b"data: again\n\n"
    raise AssertionError("read ahead of the reader")


def source(module: ModuleType, pieces: Iterable[bytes]) -> Any:
    """A `Source` that the clients of *module* take for one of their streams."""
    kind = type("SourceOf", (Source, module.SyncByteStream, module.AsyncByteStream), {})
    return kind(pieces)


def transport(module: ModuleType, stream: Source) -> Any:
    """A transport whose every response is *stream*."""
    return module.MockTransport(lambda _request: module.Response(200, stream=stream))


def failing(error: BaseException, *pieces: bytes) -> Iterator[bytes]:
    """*pieces*, and then *error*."""
    yield from pieces
    raise error


# --- nothing early, nothing late ------------------------------------------------------------------


@each_module
def test_no_chunk_is_read_before_it_is_asked_for(module: ModuleType) -> None:
    stream = source(module, endless())
    with recording() as session, module.Client(transport=transport(module, stream)) as client:
        with client.stream("GET", "http://test/") as response:
            assert stream.given == 0
            for number, _ in enumerate(response.iter_raw(), 1):
                assert stream.given == number
                assert session.take.count == number
                if number == 5:
                    break
    assert stream.given == 5


@each_module
@each_backend
def test_no_chunk_is_read_before_it_is_asked_for_under_a_loop(
    module: ModuleType, backend: str
) -> None:
    stream = source(module, endless())

    async def main() -> None:
        async with module.AsyncClient(transport=transport(module, stream)) as client:
            async with client.stream("GET", "http://test/") as response:
                pieces = response.aiter_raw()
                for number in range(1, 6):
                    await anext(pieces)
                    # Whatever runs beside the reader gets its turn: still nothing is read.
                    await anyio.lowlevel.checkpoint()
                    assert stream.given == number
                await pieces.aclose()

    with recording() as session:
        anyio.run(main, backend=backend)
    assert len(session.data) == stream.given == 5
    assert session.ending == "closed"


# --- exceptions -----------------------------------------------------------------------------------


@each_module
@pytest.mark.parametrize("error", [ValueError("odd", 3), OSError(5, "EIO"), KeyboardInterrupt()])
def test_what_the_transport_raises_reaches_the_reader_itself(
    module: ModuleType, error: BaseException
) -> None:
    cause = RuntimeError("below")
    error.__cause__ = cause
    args = error.args
    stream = source(module, failing(error, *PIECES[:2]))
    with recording() as session, module.Client(transport=transport(module, stream)) as client:
        with pytest.raises(type(error)) as raised:
            client.get("http://test/")
    assert raised.value is error
    assert (error.args, error.__cause__) == (args, cause)
    assert session.data == PIECES[:2]
    assert session.ending == ("error" if isinstance(error, Exception) else "closed")


@each_module
@each_backend
def test_what_the_transport_raises_reaches_the_reader_itself_under_a_loop(
    module: ModuleType, backend: str
) -> None:
    error = ValueError("odd", 3)
    error.__cause__ = cause = RuntimeError("below")
    stream = source(module, failing(error, *PIECES[:2]))

    async def main() -> None:
        async with module.AsyncClient(transport=transport(module, stream)) as client:
            await client.get("http://test/")

    with recording() as session, pytest.raises(ValueError, match="odd") as raised:
        anyio.run(main, backend=backend)
    assert raised.value is error
    assert error.__cause__ is cause
    assert session.take.ending is not None
    assert (session.ending, session.take.ending.error) == ("error", "read")
    assert session.take.ending.text == "ValueError: ('odd', 3)"


@each_client
@pytest.mark.parametrize("last", [reset(), cut()], ids=["reset", "cut"])
def test_a_broken_connection_raises_what_it_raises_without_the_recorder(
    driver: Driver, last: Any
) -> None:
    def chain(error: BaseException | None) -> list[tuple[type, str]]:
        found = []
        while error is not None:
            found.append((type(error), str(error)))
            error = error.__cause__
        return found

    def read(url: str) -> Any:
        with pytest.raises((*driver.error("read"), *driver.error("protocol"))) as raised:
            driver.get(url)
        return raised.value

    with serve(Response(*apart(PIECES[:2]), last)) as server:
        bare = read(server.url)
        with recording() as session:
            recorded = read(server.url)
    assert chain(recorded) == chain(bare)
    if isinstance(driver, HttpxDriver):
        assert recorded.request.url == bare.request.url
    assert session.ending == "error"


KINDS = {
    "ConnectTimeout": "connect-timeout",
    "ReadTimeout": "read-timeout",
    "WriteTimeout": "write",
    "PoolTimeout": "pool",
    "ConnectError": "connect",
    "ReadError": "read",
    "WriteError": "write",
    "CloseError": "read",
    "ProxyError": "connect",
    "RemoteProtocolError": "protocol",
}
OWN = {"LocalProtocolError", "UnsupportedProtocol"}
"""What the client itself refuses to send."""


@each_module
@pytest.mark.parametrize("name", KINDS)
def test_each_of_the_clients_errors_has_a_kind(module: ModuleType, name: str) -> None:
    error = getattr(module, name)("what was said")

    def handler(_request: Any) -> Any:
        raise error

    with recording() as session, pytest.raises(module.TransportError) as raised:
        module.Client(transport=module.MockTransport(handler)).get("http://test/")
    assert raised.value is error
    ending = session.take.ending
    assert isinstance(ending, Ending)
    assert (ending.kind, ending.error) == ("error", KINDS[name])
    assert "what was said" in ending.text
    tape = session.take.tape()
    assert (tape.status, tape.head_ns, tape.chunks) == (599, None, ())


@each_module
def test_the_table_of_kinds_is_whole(module: ModuleType) -> None:
    """A new version of a client may bring new errors: then this says so."""

    def below(kind: type) -> set[str]:
        kinds: list[type] = kind.__subclasses__()
        return {sub.__name__ for sub in kinds}.union(*map(below, kinds))

    groups = {"TimeoutException", "NetworkError", "ProtocolError"}
    raised_above = {"DecodingError", "SSEError"}
    ours = {name for name in below(module.TransportError) if hasattr(module, name)}
    websockets = {name for name in ours if "WebSocket" in name}
    assert ours - groups - raised_above - websockets == set(KINDS) | OWN


@each_module
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("name", sorted(OWN))
def test_what_the_client_refuses_to_send_is_not_recorded(
    module: ModuleType, name: str, tmp_path: Path, *, asynchronous: bool
) -> None:
    """Replayed, it would be blamed on the server."""
    error = getattr(module, name)("what was said")

    def handler(_request: Any) -> Any:
        raise error

    async def ask() -> None:
        async with module.AsyncClient(transport=module.MockTransport(handler)) as client:
            await client.get("http://test/")

    path = tmp_path / "a.yaml"
    with streamtape.use_cassette(path, record_mode="once") as cassette:
        with pytest.raises(module.TransportError) as raised:
            if asynchronous:
                anyio.run(ask)
            else:
                module.Client(transport=module.MockTransport(handler)).get("http://test/")
        assert cassette.tapes == []
    assert raised.value is error
    assert list(tmp_path.iterdir()) == []


@each_module
def test_what_the_client_refuses_to_send_on_is_kept_as_far_as_it_came(module: ModuleType) -> None:
    """Once there is a head, something was sent: the take is the only witness of it."""
    stream = source(module, failing(module.LocalProtocolError("too late"), *PIECES[:2]))
    with recording() as session, module.Client(transport=transport(module, stream)) as client:
        with pytest.raises(module.LocalProtocolError):
            client.get("http://test/")
    assert session.data == PIECES[:2]
    ending = session.take.ending
    assert ending is not None
    assert (ending.kind, ending.error) == ("error", "protocol")


@each_driver
@pytest.mark.parametrize("url", ["/v1/chat", "ftp://test/"])
@pytest.mark.parametrize("mode", ["none", "all", "play"])
def test_a_url_that_no_transport_takes_is_refused_by_the_client_itself(
    driver: HttpxDriver, url: str, mode: str, tmp_path: Path
) -> None:
    """While recording and on replay alike: no tape answers what could never have been sent."""
    with pytest.raises(driver.named("UnsupportedProtocol")) as bare:
        driver.get(url)
    with (
        streamtape.play(streamtape.Tape.of(b"data: 1\n\n"))
        if mode == "play"
        else streamtape.use_cassette(tmp_path / "a.yaml", record_mode=mode)
    ):
        with pytest.raises(driver.named("UnsupportedProtocol")) as refused:
            driver.get(url)
    assert str(refused.value) == str(bare.value)
    assert list(tmp_path.iterdir()) == []


def test_a_take_that_is_withdrawn_has_no_ending() -> None:
    ended: list[Take] = []
    take = Take(Request("GET", "http://test/"), 1, ended.append)
    take.withdraw()
    take.finish("closed")
    take.withdraw()
    assert (take.withdrawn, take.ending, ended) == (True, None, [take])


def test_a_take_that_has_ended_is_not_withdrawn() -> None:
    """The block may have ended it while the transport still failed."""
    ended: list[Take] = []
    take = Take(Request("GET", "http://test/"), 1, ended.append)
    take.finish("closed")
    take.withdraw()
    assert not take.withdrawn
    assert ended == [take]


# --- the reader leaves ----------------------------------------------------------------------------


@each_module
def test_an_exception_in_the_readers_loop_leaves_the_stream(module: ModuleType) -> None:
    stream = source(module, endless())
    error = ValueError("the reader's own")
    with recording() as session, module.Client(transport=transport(module, stream)) as client:
        with pytest.raises(ValueError, match="own") as raised:
            with client.stream("GET", "http://test/") as response:
                for _ in response.iter_raw():
                    raise error
    assert raised.value is error
    assert session.ending == "closed"
    assert session.data == [b"data: again\n\n"]
    assert stream.closed == 1


@each_module
@each_backend
def test_an_exception_in_the_readers_loop_leaves_the_stream_under_a_loop(
    module: ModuleType, backend: str
) -> None:
    stream = source(module, endless())
    error = ValueError("the reader's own")

    async def main() -> None:
        async with module.AsyncClient(transport=transport(module, stream)) as client:
            async with client.stream("GET", "http://test/") as response:
                pieces = response.aiter_raw()
                try:
                    await anext(pieces)
                    raise error
                finally:
                    await pieces.aclose()

    with recording() as session, pytest.raises(ValueError, match="own") as raised:
        anyio.run(main, backend=backend)
    assert raised.value is error
    assert session.ending == "closed"
    assert stream.closed == 1


@each_module
@each_backend
def test_leaving_before_there_is_a_head(module: ModuleType, backend: str) -> None:
    async def main() -> None:
        async def handler(_request: Any) -> Any:
            scope.cancel()
            await anyio.sleep_forever()

        with anyio.CancelScope() as scope:
            async with module.AsyncClient(transport=module.MockTransport(handler)) as client:
                await client.get("http://test/")
        assert scope.cancelled_caught

    with recording() as session:
        anyio.run(main, backend=backend)
    assert session.ending == "closed"
    assert session.take.tape().head_ns is None


class TestTheFirstCauseWins:
    @each_module
    def test_a_close_from_another_thread_makes_the_reader_fail(self, module: ModuleType) -> None:
        """The reader's error is only what the close did to it."""
        waiting = threading.Event()
        left = threading.Event()
        failed = threading.Event()

        class Blocked(Source):
            def __iter__(self) -> Iterator[bytes]:
                yield b"data: 1\n\n"
                waiting.set()
                assert left.wait(10)
                raise module.ReadError("closed under the reader")

            def close(self) -> None:
                super().close()
                left.set()
                assert failed.wait(10)

        stream = type("BlockedOf", (Blocked, module.SyncByteStream), {})([])
        seen: list[object] = []

        def read(response: Any) -> None:
            try:
                seen.extend(response.iter_raw())
            except module.ReadError as error:
                seen.append(error)
                failed.set()

        with recording() as session, module.Client(transport=transport(module, stream)) as client:
            with client.stream("GET", "http://test/") as response:
                reader = threading.Thread(target=read, args=(response,))
                reader.start()
                assert waiting.wait(10)
                response.close()
                reader.join()
        assert [type(each) for each in seen] == [bytes, module.ReadError]
        assert session.ending == "closed"
        assert session.ended == [session.take]
        assert session.take.tape().body == b"data: 1\n\n"

    def test_whatever_thread_it_comes_from(self) -> None:
        start = threading.Barrier(8)
        ended: list[Take] = []
        take = Take(Request("GET", "http://test/"), 1, ended.append)

        def finish(text: str) -> None:
            start.wait()
            take.finish("error", "read", text)

        threads = [threading.Thread(target=finish, args=(str(n),)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ended == [take]
        first = take.ending
        take.finish("eof")
        assert take.ending is first
        assert ended == [take]

    def test_a_chunk_that_comes_after_the_end_is_no_part_of_the_tape(self) -> None:
        """A reader may be between its look at the ending and its note of the chunk."""
        take = Take(Request("GET", "http://test/"), 1, lambda _: None)
        take.head(200, "OK", [], "HTTP/1.1")
        take.reads.extend((0, 0, b"in time"))
        take.finish("closed")
        take.reads.extend((0, 0, b"too late"))
        assert take.tape().body == b"in time"


# --- reading again --------------------------------------------------------------------------------


@each_module
def test_a_second_iteration_goes_on(module: ModuleType) -> None:
    stream = source(module, PIECES)
    with recording() as session, module.Client(transport=transport(module, stream)) as client:
        with client.stream("GET", "http://test/") as response:
            first = iter(response.stream)
            assert [next(first), next(first)] == PIECES[:2]
            assert list(response.stream) == PIECES[2:]
            assert session.ending == "eof"
            del first
    assert session.data == PIECES
    assert session.ending == "eof"


@each_module
@each_backend
def test_a_second_iteration_goes_on_under_a_loop(module: ModuleType, backend: str) -> None:
    stream = source(module, PIECES)

    async def main() -> None:
        async with module.AsyncClient(transport=transport(module, stream)) as client:
            async with client.stream("GET", "http://test/") as response:
                first = response.stream.__aiter__()
                assert [await anext(first), await anext(first)] == PIECES[:2]
                assert [piece async for piece in response.stream] == PIECES[2:]
                await first.aclose()

    with recording() as session:
        anyio.run(main, backend=backend)
    assert session.data == PIECES
    assert session.ending == "eof"


# --- nobody says that the reader has gone ---------------------------------------------------------


@pytest.fixture
def no_gc() -> Iterator[None]:
    """No collection of cycles: only what reference counts free is freed."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@each_module
@pytest.mark.usefixtures("no_gc")
def test_a_loop_left_with_break_ends_the_take_without_the_garbage_collector(
    module: ModuleType,
) -> None:
    stream = source(module, endless())
    with recording() as session:
        client = module.Client(transport=transport(module, stream))
        response = client.send(client.build_request("GET", "http://test/"), stream=True)
        for _ in response.iter_raw():
            break
        assert session.ending == "closed"
        assert session.data == [b"data: again\n\n"]


@each_driver
@pytest.mark.usefixtures("no_gc")
def test_a_response_that_is_dropped_is_kept_at_the_end_of_the_block(
    driver: HttpxDriver, tmp_path: Path
) -> None:
    """In httpx a response and its stream refer to each other: nothing tells before a collection."""
    module = driver.module
    pieces = endless()
    dropped: list[weakref.ref[Any]] = []

    def abandon() -> None:
        client = module.Client(transport=transport(module, source(module, pieces)))
        response = client.send(client.build_request("GET", "http://test/"), stream=True)
        dropped.append(weakref.ref(response))

    async def abandon_async() -> None:
        client = module.AsyncClient(transport=transport(module, source(module, pieces)))
        request = client.build_request("GET", "http://test/")
        dropped.append(weakref.ref(await client.send(request, stream=True)))

    with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
        if driver.backend == "sync":
            abandon()
        else:
            anyio.run(abandon_async, backend=driver.backend)
        assert (dropped[0]() is None) == (module is httpx2)
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert (tape.ending.kind, tape.chunks) == ("closed", ())


@each_module
def test_a_response_that_is_collected_ends_the_take(module: ModuleType) -> None:
    with recording() as session:
        client = module.Client(transport=transport(module, source(module, PIECES)))
        client.send(client.build_request("GET", "http://test/"), stream=True)
        gc.collect()
        assert session.ending == "closed"


@each_module
def test_the_end_of_a_loop_ends_a_stream_that_was_left_open(
    module: ModuleType, tmp_path: Path
) -> None:
    """asyncio closes the async generators that are still open, in no order.

    What it says of that is the same with the recorder and without it.
    """
    kept: list[Any] = []

    def run() -> list[str]:
        said: list[str] = []
        stream = source(module, endless())

        async def main() -> None:
            asyncio.get_running_loop().set_exception_handler(
                lambda _loop, context: said.append(context["message"].split(" <")[0])
            )
            client = module.AsyncClient(transport=transport(module, stream))
            response = await client.send(client.build_request("GET", "http://test/"), stream=True)
            pieces = response.aiter_raw()
            kept.extend([response, pieces])
            assert await anext(pieces) == b"data: again\n\n"

        asyncio.run(main())
        return said

    bare = run()
    with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once") as cassette:
        assert run() == bare
        assert [tape.ending.kind for tape in cassette.tapes] == ["closed"]
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert tape.body == b"data: again\n\n"


# --- what it costs --------------------------------------------------------------------------------


@each_module
def test_an_endless_stream_that_the_block_does_not_wait_for_takes_no_memory(
    module: ModuleType, tmp_path: Path
) -> None:
    stream = source(module, endless())
    with module.Client(transport=transport(module, stream)) as client:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            response = client.send(client.build_request("GET", "http://test/"), stream=True)
            tee = response.stream._stream
            pieces = response.iter_raw()
            next(pieces)
        kept = len(tee._take.reads)
        assert kept <= 3  # one read at most
        for _ in range(1000):
            next(pieces)
        assert len(tee._take.reads) == kept
        assert stream.given == 1001
        response.close()
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert tape.body == b"data: again\n\n"


# --- times ----------------------------------------------------------------------------------------

MS = 1_000_000


class FakeClock:
    """Stands still, unless it is moved."""

    def __init__(self) -> None:
        self.ns = 5_000 * MS

    def __call__(self) -> int:
        return self.ns


# How long the reader was away before it asked, how long it then waited, and whether the chunk is
# late: away for 1 ms or more, and waited for 0.1 ms at most.
Lateness = tuple[int, int, bool]
LATENESS: list[Lateness] = [
    (0, 0, False),
    (0, 30 * MS, False),
    (MS - 1, 0, False),
    (MS, 0, True),
    (MS, MS, True),
    (MS, MS + 1, False),
    (5_000 * MS, 0, True),
    (5_000 * MS, 1, True),
    (5_000 * MS, 30 * MS, False),
]


@each_module
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("first", range(len(LATENESS)))
def test_late_says_that_a_chunk_lay_waiting(
    module: ModuleType, first: int, *, asynchronous: bool
) -> None:
    """Each of them also as the first chunk, where the reader was away since the head."""
    clock = FakeClock()
    rows = LATENESS[first:] + LATENESS[:first]

    def pieces() -> Iterator[bytes]:
        for _, waited, _ in rows:
            clock.ns += waited
            yield b"data: 1\n\n"

    def handler(_request: Any) -> Any:
        clock.ns += 350 * MS
        return module.Response(200, stream=source(module, pieces()))

    def read() -> None:
        with module.Client(transport=module.MockTransport(handler)) as client:
            with client.stream("GET", "http://test/") as response:
                iterator = response.iter_raw()
                for away, _, _ in rows:
                    clock.ns += away
                    next(iterator)
                assert next(iterator, None) is None

    async def read_async() -> None:
        async with module.AsyncClient(transport=module.MockTransport(handler)) as client:
            async with client.stream("GET", "http://test/") as response:
                iterator = response.aiter_raw()
                for away, _, _ in rows:
                    clock.ns += away
                    await anext(iterator)
                assert await anext(iterator, None) is None

    with recording(clock) as session:
        anyio.run(read_async) if asynchronous else read()
    tape = session.take.tape()
    assert [chunk.late for chunk in tape.chunks] == [late for _, _, late in rows]
    gaps = [away + waited for away, waited, _ in rows]
    arrivals = list(itertools.accumulate(gaps, initial=350 * MS))[1:]
    assert [chunk.at_ns for chunk in tape.chunks] == arrivals
    assert tape.head_ns == 350 * MS
    assert tape.ending == Ending("eof", tape.chunks[-1].at_ns)


@each_module
def test_time_counts_from_the_request_being_handed_to_the_transport(module: ModuleType) -> None:
    """A request body that is slow to read, and the search for an answer, come before that."""
    clock = FakeClock()

    def body() -> Iterator[bytes]:
        clock.ns += 700 * MS
        yield b"{}"

    class Slow(Recording):
        def answer(self, request: Request) -> Take:
            take = super().answer(request)
            clock.ns += 30 * MS
            return take

    stream = source(module, [b"data: 1\n\n"])
    session = Slow(clock)
    with routing.opened(session, PATCHERS):
        with module.Client(transport=transport(module, stream)) as client:
            client.post("http://test/", content=body())
    assert session.take.tape().head_ns == 0
    assert session.take.request.body == b"{}"


@each_module
def test_a_recorder_that_fails_fails_the_block_not_the_stream(
    module: ModuleType, tmp_path: Path
) -> None:
    def refuse(_response: Any) -> Any:
        raise ZeroDivisionError("a hook of the user's")

    stream = source(module, PIECES)
    with pytest.raises(ZeroDivisionError, match="hook"):
        with streamtape.use_cassette(
            tmp_path / "a.yaml", record_mode="once", before_record_response=refuse
        ):
            with module.Client(transport=transport(module, stream)) as client:
                assert client.get("http://test/").content == b"".join(PIECES)
    assert not (tmp_path / "a.yaml").exists()
