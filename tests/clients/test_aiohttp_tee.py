"""Recording aiohttp: the connection, the pool and the stream are as they are without a recorder."""

from __future__ import annotations

import asyncio
import gc
import ssl
import subprocess
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import aiohttp.web
import looptime
import pytest
from aiohttp.client_proto import ResponseHandler

import streamtape
from streamtape import Tape
from streamtape.clients import PATCHERS, routing
from streamtape.clients.aiohttp_tee import _TAPPED
from streamtape.clients.take import Take
from streamtape.clock import VirtualClockError
from tests.server import (
    Response,
    Server,
    apart,
    chunk,
    cut,
    gated,
    hang,
    head,
    refused,
    reset,
    serve,
)

if TYPE_CHECKING:
    from pathlib import Path

    from streamtape.tape import Request

PIECES = [b"data: caf\xc3", b"\xa9\n", b"\n", b"data: [DONE]\n\n"]
BODY = b"".join(PIECES)


class Recording:
    """A session that takes down every request, without a cassette."""

    def __init__(self) -> None:
        self.takes: list[Take] = []

    def answer(self, request: Request) -> Take:
        take = Take(request, len(self.takes) + 1, lambda _: None)
        self.takes.append(take)
        return take

    @property
    def take(self) -> Take:
        (take,) = self.takes
        return take

    @property
    def tape(self) -> Tape:
        """The only stream."""
        return self.take.tape()

    @property
    def endings(self) -> list[tuple[str, str | None]]:
        endings = [take.ending for take in self.takes]
        return [(ending.kind, ending.error) for ending in endings if ending is not None]


@contextmanager
def recording() -> Iterator[Recording]:
    session = Recording()
    with routing.opened(session, PATCHERS):  # type: ignore[arg-type]  # it answers requests only
        yield session


def run(main: Callable[[aiohttp.ClientSession], Awaitable[Any]]) -> Any:
    async def with_session() -> Any:
        timeout = aiohttp.ClientTimeout(total=8)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            return await main(session)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return asyncio.run(with_session())


def data_of(tape: Tape) -> list[bytes]:
    return [piece.data for piece in tape.chunks]


async def pieces_of(session: aiohttp.ClientSession, url: str, **options: Any) -> list[bytes]:
    async with session.get(url, **options) as response:
        return [piece async for piece in response.content.iter_any()]


# --- what is recorded -----------------------------------------------------------------------------


def test_a_chunk_is_noted_when_it_comes_in_not_when_it_is_read() -> None:
    """Between the server's write and the next one, which waits for the gate."""
    steps, gates = gated(PIECES)

    async def main(session: aiohttp.ClientSession, server: Server) -> None:
        async with session.get(server.url) as response:
            for number, piece in enumerate(PIECES):
                assert await response.content.readany() == piece
                take = recorded.take
                assert take.count == number + 1
                gates[number].set()

    with serve(Response(*steps)) as server, recording() as recorded:
        run(lambda session: main(session, server))
    writes = server.requests[0].writes
    assert data_of(recorded.tape) == PIECES
    times = recorded.take.reads[1::3]
    bodies = writes[-len(PIECES) :]
    assert all(write.at_ns <= at for write, at in zip(bodies, times, strict=True))
    assert all(at <= later.at_ns for at, later in zip(times, bodies[1:], strict=False))


def test_what_a_busy_reader_kept_waiting_is_late() -> None:
    """Its loop had no time to look at the socket; the times of the others are their own."""
    steps, gates = gated(PIECES[:3])

    async def main(session: aiohttp.ClientSession, server: Server) -> None:
        async with session.get(server.url) as response:
            await response.content.readany()
            gates[0].set()
            while len(server.requests[0].writes) < 2:
                time.sleep(0.005)  # noqa: ASYNC251 - a reader that blocks its loop is the point
            time.sleep(0.02)  # noqa: ASYNC251 - as above
            await response.content.readany()
            gates[1].set()
            gates[2].set()
            await response.read()

    with serve(Response(*steps)) as server, recording() as recorded:
        run(lambda session: main(session, server))
    assert [late for _, _, late in recorded.tape.chunks][:2] == [False, True]


def test_the_request_is_told_as_it_is_sent() -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    async def main(session: aiohttp.ClientSession, url: str) -> None:
        await (await session.post(f"{url}/a?b=c%20d#e", json={"x": 1})).read()
        await (await session.post(url, data=parts())).read()
        await (await session.post(url, data={"k": "v"})).read()
        form = aiohttp.FormData({"k": "v"})
        form.add_field("file", b"content", filename="f.txt")
        await (await session.post(url, data=form)).read()
        await (await session.get(url)).read()

    with serve(Response(*apart([b"x"]))) as server, recording() as recorded:
        run(lambda session: main(session, server.url))
    told = [take.request for take in recorded.takes]
    assert [each.body for each in told] == [each.body for each in server.requests]
    assert [each.method for each in told] == ["POST"] * 4 + ["GET"]
    assert told[0].url == f"{server.url}/a?b=c%20d"
    for each, sent in zip(told, server.requests, strict=True):
        assert (
            dict(each.headers).items()
            <= {name.lower(): value for name, value in sent.headers}.items()
        )


def test_each_exchange_of_a_redirect_is_recorded() -> None:
    answers = {
        "/": Response(head(302, {"location": "/there", "content-length": "0"}), transfer="length"),
        "/there": Response(*apart(PIECES)),
    }

    async def main(session: aiohttp.ClientSession, url: str) -> bytes:
        async with session.get(url, raise_for_status=True) as response:
            assert len(response.history) == 1
            return await response.read()

    with serve(answers) as server, recording() as recorded:
        assert run(lambda session: main(session, server.url)) == BODY
    assert [take.tape().status for take in recorded.takes] == [302, 200]


def test_a_get_that_got_no_answer_is_sent_again_and_both_are_kept(tmp_path: Path) -> None:
    """By aiohttp itself, live as on replay."""
    path = tmp_path / "a.yaml"

    async def main(session: aiohttp.ClientSession) -> bytes:
        async with session.get(f"{server.url}/") as response:
            return await response.read()

    with serve([Response(cut()), Response(*apart(PIECES))]) as server:
        with streamtape.use_cassette(path, record_mode="once"):
            assert run(main) == BODY
    first, second = streamtape.load(path)
    assert (first.ending.kind, first.ending.error) == ("error", "protocol")
    assert second.body == BODY
    with streamtape.use_cassette(path):
        assert run(main) == BODY


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        ([chunk(b"data: a\n\n"), reset()], "read"),
        ([chunk(b"data: a\n\n"), cut()], "protocol"),
        ([reset()], "read"),
        ([cut()], "protocol"),
    ],
)
@pytest.mark.parametrize("transfer", ["chunked", "length", "close"])
def test_a_broken_stream_raises_what_it_raises_without_the_recorder(
    steps: list[Any], error: str, transfer: Any
) -> None:
    async def main(session: aiohttp.ClientSession) -> str:
        try:
            async with session.post(server.url) as response:
                return repr(await response.read())
        except aiohttp.ClientError as exc:
            return repr(exc)

    script = Response(*steps, chunk(b"never sent"), transfer=transfer)
    with serve(script) as server:
        bare = run(main)
        with recording() as recorded:
            assert run(main) == bare
    if transfer == "close" and steps[0] != steps[-1] and error == "protocol":
        assert recorded.endings == [("eof", None)]  # nothing else would end it
    else:
        assert recorded.endings == [("error", error)]


def test_a_read_timeout_is_recorded_as_one() -> None:
    async def main(session: aiohttp.ClientSession) -> None:
        timeout = aiohttp.ClientTimeout(sock_read=0.05)
        with pytest.raises(aiohttp.SocketTimeoutError):
            await pieces_of(session, server.url, timeout=timeout)

    with serve(Response(chunk(b"data: a\n\n"), hang())) as server, recording() as recorded:
        run(main)
    assert recorded.endings == [("error", "read-timeout")]
    assert data_of(recorded.tape) == [b"data: a\n\n"]


def test_a_total_timeout_is_a_timeout_on_replay_too(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"

    async def main(session: aiohttp.ClientSession) -> None:
        timeout = aiohttp.ClientTimeout(total=0.1)
        with pytest.raises(TimeoutError):
            await pieces_of(session, f"{server.url}/", timeout=timeout)

    with serve(Response(chunk(b"data: a\n\n"), hang())) as server:
        with streamtape.use_cassette(path, record_mode="once"):
            run(main)
    (tape,) = streamtape.load(path)
    assert (tape.ending.kind, tape.ending.error) == ("error", "read-timeout")
    with streamtape.use_cassette(path):
        run(main)


def test_a_total_timeout_may_strike_before_there_is_a_connection() -> None:
    class Slow(aiohttp.TCPConnector):
        async def _create_connection(self, *_: Any) -> Any:
            await asyncio.Event().wait()

    async def main() -> None:
        timeout = aiohttp.ClientTimeout(total=0.05)
        async with aiohttp.ClientSession(connector=Slow(), timeout=timeout) as session:
            with pytest.raises(TimeoutError):
                await session.get("http://127.0.0.1:1/")

    with recording() as recorded:
        asyncio.run(main())
    assert recorded.endings == [("error", "connect-timeout")]


def test_a_server_that_refuses(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"

    async def main(session: aiohttp.ClientSession) -> str:
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            await session.get(url)
        return str(caught.value)

    with refused() as url:
        bare = run(main)
        with streamtape.use_cassette(path, record_mode="once"):
            assert run(main) == bare
    with streamtape.use_cassette(path):
        assert run(main) == bare


def test_a_pool_without_a_free_connection() -> None:
    async def main() -> None:
        connector = aiohttp.TCPConnector(limit=1)
        timeout = aiohttp.ClientTimeout(connect=0.05)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            async with session.get(server.url):
                with pytest.raises(aiohttp.ConnectionTimeoutError):
                    await session.get(server.url)

    with serve(Response(chunk(b"data: a\n\n"), hang())) as server, recording() as recorded:
        asyncio.run(main())
    assert sorted(recorded.endings) == [("closed", None), ("error", "pool")]


# --- leaving --------------------------------------------------------------------------------------


@pytest.mark.parametrize("leave", ["close", "release", "break", "cancel", "session", "task"])
def test_whoever_leaves_ends_the_take_at_once(leave: str) -> None:
    async def main(session: aiohttp.ClientSession) -> None:
        response = await session.get(server.url)
        assert await response.content.readany() == b"data: a\n\n"
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
            await asyncio.sleep(0)
            response.close()
        elif leave == "task":
            task = asyncio.ensure_future(response.read())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02), response:
                    await response.content.readany()
        assert recorded.endings == [("closed", None)]

    script = Response(chunk(b"data: a\n\n"), chunk(b"data: b\n\n") if leave == "break" else hang())
    if leave == "break":
        script = Response(*apart([b"data: a\n\n", b"data: b\n\n"]), hang())
    with serve(script) as server, recording() as recorded:
        run(main)
    assert data_of(recorded.tape)[0] == b"data: a\n\n"


def test_leaving_before_there_is_a_head() -> None:
    async def main(session: aiohttp.ClientSession) -> None:
        task = asyncio.ensure_future(session.get(server.url))
        await asyncio.to_thread(server.wait_request)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert recorded.endings == [("closed", None)]

    with serve(Response(hang())) as server, recording() as recorded:
        run(main)
    assert recorded.tape.head_ns is None


def test_a_response_that_nobody_holds_warns_no_more_than_without_the_recorder() -> None:
    """What aiohttp itself says of one that was left open, and nothing else."""

    async def main() -> None:
        async with aiohttp.ClientSession() as session:
            response = await session.get(server.url)
            await response.content.readany()

    def warned() -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            asyncio.run(main())
            gc.collect()
        return [str(each.message).partition(" Connection")[0] for each in caught]

    with serve(Response(chunk(b"data: a\n\n"), hang())) as server:
        bare = warned()
        with recording() as recorded:
            assert warned() == bare
        assert recorded.endings == [("closed", None)]


# --- connections and pools ------------------------------------------------------------------------


def test_a_pool_goes_on_through_a_cassette() -> None:
    """One connection, made before the block, used in it and after it, and left as it was."""

    async def main(session: aiohttp.ClientSession) -> None:
        assert await pieces_of(session, server.url) == PIECES
        with recording() as recorded:
            for _ in range(3):
                assert await pieces_of(session, server.url) == PIECES
            assert [data_of(take.tape()) for take in recorded.takes] == [PIECES] * 3
        assert await pieces_of(session, server.url) == PIECES
        assert session.connector is not None
        ((pooled, _),) = next(iter(session.connector._conns.values()))
        assert isinstance(pooled, ResponseHandler)
        assert not pooled.__dict__.keys() & set(_TAPPED)

    with serve(Response(*apart(PIECES))) as server:
        run(main)
    assert server.connected == 1


def test_a_stream_goes_on_after_the_block(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    steps, gates = gated(PIECES[:2])

    async def main(session: aiohttp.ClientSession) -> None:
        with streamtape.use_cassette(path, record_mode="once"):
            response = await session.get(server.url)
            assert await response.content.readany() == PIECES[0]
        gates[0].set()
        assert await response.content.readany() == PIECES[1]
        gates[1].set()
        assert await response.content.readany() == b""

    with serve(Response(*steps)) as server:
        run(main)
    (tape,) = streamtape.load(path)
    assert (data_of(tape), tape.ending.kind) == (PIECES[:1], "closed")


def test_a_reader_far_behind_holds_the_server_back() -> None:
    """As without the recorder: not more comes in than aiohttp's own buffer takes."""
    piece = b"x" * 65536

    async def main(session: aiohttp.ClientSession) -> None:
        async with session.get(server.url, read_bufsize=1 << 14) as response:
            await response.content.readany()
            protocol = response._protocol
            assert protocol is not None
            while not protocol._reading_paused:  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0.001)
            held = recorded.take.count
            await asyncio.sleep(0.05)
            assert recorded.take.count == held
            rest = await response.read()
            assert len(piece) * 400 >= len(rest) > 0

    with serve(Response(*[chunk(piece)] * 400)) as server, recording() as recorded:
        run(main)
    assert recorded.tape.body == piece * 400
    assert recorded.endings == [("eof", None)]


def test_a_request_that_waits_for_the_go_ahead() -> None:
    async def main(session: aiohttp.ClientSession, url: str) -> bytes:
        async with session.post(url, data=b"x" * 100, expect100=True) as response:
            return await response.read()

    async def serving() -> bytes:
        async def answer(request: aiohttp.web.Request) -> aiohttp.web.Response:
            return aiohttp.web.Response(body=await request.read())

        async with web(answer) as url, aiohttp.ClientSession() as session:
            return await main(session, url)

    with recording() as recorded:
        assert asyncio.run(serving()) == b"x" * 100
    assert recorded.tape.body == b"x" * 100


class web:  # noqa: N801 - used as a function
    """An aiohttp server with one handler, for what the scripted server doesn't speak."""

    def __init__(self, handler: Any, tls: ssl.SSLContext | None = None) -> None:
        app = aiohttp.web.Application()
        app.router.add_route("*", "/{tail:.*}", handler)
        self._runner = aiohttp.web.AppRunner(app)
        self._tls = tls

    async def __aenter__(self) -> str:
        await self._runner.setup()
        site = aiohttp.web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        port = self._runner.addresses[0][1]
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{port}/"

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()


async def echo(request: aiohttp.web.Request) -> aiohttp.web.WebSocketResponse:
    socket = aiohttp.web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data)
    return socket


def test_a_websocket_passes_untouched() -> None:
    async def main() -> None:
        async with web(echo) as url, aiohttp.ClientSession() as session:
            async with session.ws_connect(url) as socket:
                await socket.send_str("hello")
                assert (await socket.receive()).data == "hello"

    with recording() as recorded:
        asyncio.run(main())
    assert recorded.takes == []


def test_over_tls(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1"]
    names = [
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    try:
        subprocess.run([*command, *names], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))

    async def answer(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        response = aiohttp.web.StreamResponse()
        await response.prepare(request)
        await response.write(PIECES[0])
        await told.wait()
        for piece in PIECES[1:]:
            await response.write(piece)
        return response

    async def main() -> list[bytes]:
        async with web(answer, own) as url, aiohttp.ClientSession() as session:
            async with session.get(url, ssl=trusting) as response:
                first = await response.content.readany()
                told.set()
                return [first, await response.read()]

    told = asyncio.Event()
    with recording() as recorded:
        assert asyncio.run(main()) == [PIECES[0], b"".join(PIECES[1:])]
    assert data_of(recorded.tape) == PIECES
    assert recorded.take.request.url.startswith("https://127.0.0.1:")
    assert recorded.endings == [("eof", None)]


def test_through_a_proxy() -> None:
    async def main(session: aiohttp.ClientSession) -> bytes:
        async with session.get("http://far.test/stream", proxy=server.url) as response:
            return await response.read()

    with serve(Response(*apart(PIECES))) as server, recording() as recorded:
        assert run(main) == BODY
    assert recorded.take.request.url == "http://far.test/stream"
    assert data_of(recorded.tape) == PIECES
    assert server.requests[0].target == "http://far.test/stream"


def test_a_real_server_is_refused_in_virtual_time() -> None:
    async def main() -> None:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(VirtualClockError, match="real server"):
                await session.get("http://127.0.0.1:1/")

    loop = looptime.new_event_loop()
    with recording():
        loop.run_until_complete(main())
    loop.close()


def test_the_connector_is_as_before_when_the_last_block_ends() -> None:
    before = aiohttp.BaseConnector.__dict__["connect"]
    with recording():
        assert aiohttp.BaseConnector.__dict__["connect"] is not before
    assert aiohttp.BaseConnector.__dict__["connect"] is before


def test_many_streams_at_once_each_have_their_take() -> None:
    async def main(session: aiohttp.ClientSession) -> list[list[bytes]]:
        urls = [f"{server.url}/{number}" for number in range(12)]
        return await asyncio.gather(*[pieces_of(session, url) for url in urls])

    with serve(Response(*apart(PIECES))) as server, recording() as recorded:
        assert run(main) == [PIECES] * 12
    assert [data_of(take.tape()) for take in recorded.takes] == [PIECES] * 12
