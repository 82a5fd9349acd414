"""Broken and odd answers: the oracle is the client without a recorder, at the same server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import looptime
import pytest
import requests
import urllib3
from urllib3.util import wait_for_read

import streamtape
from streamtape import Chunk, Delivery, Ending, Tape
from streamtape.clients import PATCHERS, routing
from streamtape.clients.breaks import cut_short, illegal_line, no_status_line
from streamtape.clients.take import Take
from streamtape.clock import SteppedClock, VirtualClockError
from tests.server import Response, chunk, cut, hang, head, pause, raw, reset, serve, taken

if TYPE_CHECKING:
    from pathlib import Path

    from streamtape.tape import Request

Get = Callable[[str], Any]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = EVENTS + b"Transfer-Encoding: chunked\r\n\r\n"


def outcome(get: Get, url: str) -> Any:
    """What *get* returns, or the class and the words of what it raises."""
    try:
        return get(url)
    except (requests.RequestException, urllib3.exceptions.HTTPError, aiohttp.ClientError) as exc:
        return type(exc), str(exc)


def held(answer: Response, get: Get, path: Path) -> tuple[Any, Tape]:
    """The same outcome and the same requests, bare, recorded and replayed; and the tape."""
    with serve(answer) as server:
        bare = outcome(get, server.url)
        sent = len(server.requests)
        with streamtape.use_cassette(path, record_mode="once"):
            assert outcome(get, server.url) == bare
        assert len(server.requests) == 2 * sent
        with streamtape.use_cassette(path):
            assert outcome(get, server.url) == bare
        assert len(server.requests) == 2 * sent
    (tape,) = streamtape.load(path)
    return bare, tape


def by_urllib3(read: Callable[[Any], Any]) -> Get:
    def get(url: str) -> Any:
        with urllib3.PoolManager() as pool:
            response = pool.request("GET", url, preload_content=False, retries=False, timeout=5)
            return response.status, read(response)

    return get


def by_requests(url: str) -> Any:
    with requests.get(url, stream=True, timeout=5) as response:
        return list(response.iter_content(None))


def by_aiohttp(read: Callable[[aiohttp.ClientResponse], Awaitable[Any]]) -> Get:
    async def main(url: str) -> Any:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return await read(response)

    return lambda url: asyncio.run(main(url))


async def listed(pieces: AsyncIterator[Any]) -> list[Any]:
    return [piece async for piece in pieces]


# --- no HTTP --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line", [b"SSH-2.0-foo\r\n", b"SSH-2.0-foo\r\n\r\n", b"220 ready\n", b"HTTP/1.1 abc\r\n"]
)
@pytest.mark.parametrize(
    "get",
    [by_urllib3(lambda response: response.read()), by_requests],
    ids=["urllib3", "requests"],
)
def test_what_is_no_http_is_the_servers_fault_and_told_as_it_was(
    line: bytes, get: Get, tmp_path: Path
) -> None:
    bare, tape = held(Response(raw(line), cut()), get, tmp_path / "a.yaml")
    assert "BadStatusLine" in bare[1]
    assert (tape.ending.kind, tape.ending.error) == ("error", "protocol")


@pytest.mark.parametrize("line", [b"SSH-2.0-foo\r\n", b"SSH-2.0-foo\r\n\r\n"])
def test_aiohttp_asks_once_where_no_http_is_spoken(line: bytes, tmp_path: Path) -> None:
    """It sends a GET again only where the server went away."""

    async def main(url: str) -> int:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientResponseError) as caught:
                await session.get(url)
            return caught.value.status

    path = tmp_path / "a.yaml"
    with serve(Response(raw(line), cut())) as server:
        bare = asyncio.run(main(server.url))
        with streamtape.use_cassette(path, record_mode="once"):
            assert asyncio.run(main(server.url)) == bare
        with streamtape.use_cassette(path):
            assert asyncio.run(main(server.url)) == bare == 400
        assert len(server.requests) == 2


def test_a_client_that_leaves_before_a_head_that_could_come_has_left(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"

    async def main(url: str) -> None:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(session.get(url), 0.1)

    with serve(Response(raw(b"HTTP/1.1 2"), hang())) as server:
        with streamtape.use_cassette(path, record_mode="once"):
            asyncio.run(main(server.url))
    (tape,) = streamtape.load(path)
    assert tape.ending.kind == "closed"


@pytest.mark.parametrize(
    ("came", "refused"),
    [
        (b"", False),
        (b"H", False),
        (b"HTTP/", False),
        (b"HTTP/1.1 2", False),
        (b"HTTP/1.1 200\r\n", False),
        (b"HTTP/1.0 404 Not\r\nA: b\r\n", False),
        (b"HTP", True),
        (b"HTTP/2.0 200 OK\r\n", True),
        (b"HTTP/1.1 099 no\r\n", True),
    ],
)
def test_what_can_begin_a_head(came: bytes, refused: bool) -> None:  # noqa: FBT001 - a parameter
    text = no_status_line(came)
    assert (text is not None) is refused
    if text is not None:
        assert illegal_line(text, head=False).split() == came.split()


def test_a_text_that_names_no_line_gives_none() -> None:
    assert illegal_line("Server disconnected", head=False) == b""
    assert illegal_line("illegal chunk header: bytearray(b'x)", head=True) == b""
    assert illegal_line("illegal chunk header: bytearray(b'x\\r\\n')", head=False) == b""
    assert illegal_line("illegal chunk header: bytearray(b'x\\r\\n')", head=True) == b"x\r\n"
    assert cut_short("received 3 bytes, expected 23") == (3, 23)
    assert cut_short("incomplete chunked read") is None


# --- urllib3 and requests -------------------------------------------------------------------------


def test_the_clients_sizes_are_not_the_servers(tmp_path: Path) -> None:
    """``read1(3)`` reads three bytes of the socket: the server sent eight at once."""
    path = tmp_path / "a.yaml"
    answer = Response(raw(HEAD + b"\r\n"), taken(), raw(b"abcdefgh"), taken(), raw(b"ijk"), taken())
    get = by_urllib3(lambda response: list(iter(partial(response.read1, 3), b"")))
    bare, tape = held(answer, get, path)
    assert bare == (200, [b"abc", b"def", b"gh", b"ijk"])
    assert [piece.data for piece in tape.chunks] == [b"abcdefgh", b"ijk"]


def test_what_was_read_ahead_makes_a_connection_readable(tmp_path: Path) -> None:
    """As it is where the bytes still lie in the socket."""
    length = HEAD + b"Content-Length: 5\r\n\r\n"
    answer = Response(raw(length), taken(), raw(b"hello"), hang())
    seen = []

    def get(url: str) -> None:
        with urllib3.PoolManager() as pool:
            response = pool.request("GET", url, preload_content=False, retries=False)
            sock = response.connection.sock
            assert response.read1(1) == b"h"
            seen.append(wait_for_read(sock, timeout=5))

    with serve(answer) as server:
        get(server.url)
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            get(server.url)
    assert seen == [True, True]


@pytest.mark.parametrize("together", [True, False])
def test_an_early_hint_is_the_answer_where_the_client_takes_it_so(
    together: bool,  # noqa: FBT001 - a parameter
    tmp_path: Path,
) -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    final = HEAD + b"Content-Length: 2\r\n\r\nhi"
    steps = [raw(hint + final)] if together else [raw(hint), pause(0.05), raw(final)]
    get = by_urllib3(lambda response: response.read())
    bare, tape = held(Response(*steps), get, tmp_path / "a.yaml")
    assert tape.status == bare[0]
    assert tape.body == bare[1]


def test_a_body_without_chunks_is_refused_by_who_wants_chunks(tmp_path: Path) -> None:
    get = by_urllib3(lambda response: list(response.read_chunked()))
    bare, _ = held(Response(raw(HEAD + b"\r\nhi")), get, tmp_path / "a.yaml")
    assert bare[0] is urllib3.exceptions.ResponseNotChunked


BROKEN = {
    "a bad chunk size": (CHUNKED + b"3\r\none\r\n", b"zz\r\nxx"),
    "a length that isn't reached": (EVENTS + b"Content-Length: 25\r\n\r\nhi!", b"ho"),
    "no last chunk": (CHUNKED + b"3\r\none\r\n", b""),
}


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize(
    "get",
    [by_urllib3(lambda response: list(response.stream())), by_requests],
    ids=["urllib3", "requests"],
)
def test_a_broken_body_is_told_in_the_same_words(broken: str, get: Get, tmp_path: Path) -> None:
    first, then = BROKEN[broken]
    steps = [raw(first), taken(), *([raw(then)] if then else []), cut()]
    bare, tape = held(Response(*steps), get, tmp_path / "a.yaml")
    assert issubclass(bare[0], Exception)
    assert tape.ending.error == "protocol"


# --- aiohttp --------------------------------------------------------------------------------------

STYLES: dict[str, Callable[[aiohttp.ClientResponse], Awaitable[Any]]] = {
    "iter_any": lambda response: listed(response.content.iter_any()),
    "iter_chunked": lambda response: listed(response.content.iter_chunked(2)),
    "lines": lambda response: listed(aiter(response.content)),
    "read": lambda response: response.read(),
}


@pytest.mark.parametrize("style", STYLES)
def test_a_reset_that_aiohttp_takes_for_the_end_is_one_on_replay(
    style: str, tmp_path: Path
) -> None:
    pieces = (raw(b"one\n"), taken(), raw(b"two\n"), taken(), pause(0.02))
    answer = Response(raw(HEAD + b"\r\n"), *pieces, reset())
    _, tape = held(answer, by_aiohttp(STYLES[style]), tmp_path / "a.yaml")
    assert (tape.ending.kind, tape.ending.error) == ("error", "read")
    with streamtape.play(tape), pytest.raises(httpx.ReadError):
        httpx.get("http://test/")


def test_a_reset_in_a_chunked_body_is_an_error(tmp_path: Path) -> None:
    answer = Response(chunk(b"one"), taken(), reset())
    bare, _ = held(answer, by_aiohttp(lambda response: response.read()), tmp_path / "a.yaml")
    assert bare[0] is aiohttp.ClientPayloadError


@pytest.mark.parametrize("coding", [None, "gzip"])
def test_the_end_that_came_with_the_last_chunk_is_no_chunk_of_its_own(
    coding: str | None, tmp_path: Path
) -> None:
    if coding is None:
        steps = [raw(CHUNKED + b"3\r\none\r\n"), taken(), raw(b"3\r\ntwo\r\n0\r\n\r\n")]
    else:
        encoder = streamtape.codings.Encoder(coding)
        first, second, end = encoder.chunk(b"one"), encoder.chunk(b"two"), encoder.finish()
        one, two, three = (b"%x\r\n%b\r\n" % (len(each), each) for each in (first, second, end))
        coded = CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n"
        steps = [raw(coded + one), taken(), raw(two + three + b"0\r\n\r\n")]
    get = by_aiohttp(lambda response: listed(response.content.iter_chunks()))
    bare, _ = held(Response(*steps), get, tmp_path / "a.yaml")
    assert bare == [(b"one", True), (b"two", True)]


@pytest.mark.parametrize(("gap_ns", "ends"), [(500_000, 0), (5_000_000, 1)])
def test_an_end_that_came_later_shows_as_it_does_live(gap_ns: int, ends: int) -> None:
    tape = Tape.of(b"").with_chunks([Chunk(0, b"one")], ending=Ending("eof", gap_ns))
    get = by_aiohttp(lambda response: listed(response.content.iter_chunks()))
    with streamtape.play(tape):
        assert get("http://test/") == [(b"one", True)] + [(b"", True)] * ends


# --- a client's own timeout -----------------------------------------------------------------------


async def patient(url: str, seconds: float) -> bool:
    """Whether the client's own timeout strikes while it waits for the second chunk."""
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert await response.content.readany() == b"data: 1\n\n"
        try:
            await asyncio.wait_for(response.content.readany(), seconds)
        except TimeoutError:
            return True
    return False


async def patient_httpx(url: str, seconds: float) -> bool:
    async with httpx.AsyncClient() as client, client.stream("GET", url) as response:
        pieces = response.aiter_raw()
        assert await anext(pieces) == b"data: 1\n\n"
        try:
            await asyncio.wait_for(anext(pieces), seconds)
        except TimeoutError:
            return True
    return False


@pytest.mark.parametrize("read", [patient, patient_httpx])
def test_a_timeout_of_the_clients_own_strikes_again(
    read: Callable[[str, float], Coroutine[Any, Any, bool]], tmp_path: Path
) -> None:
    path = tmp_path / "a.yaml"
    with serve(Response(head(), chunk(b"data: 1\n\n"), hang())) as server:
        url = server.url
        with streamtape.use_cassette(path, record_mode="once"):
            assert asyncio.run(read(url, 0.2))
    (tape,) = streamtape.load(path)
    assert tape.ending.kind == "closed"
    with streamtape.play(tape, Delivery(pace="recorded")):
        assert asyncio.run(read(url, 0.2))
    loop = looptime.new_event_loop()
    with streamtape.play(tape, Delivery(pace="virtual")):
        assert loop.run_until_complete(read(url, 0.2))
    loop.close()


def test_without_waiting_no_timeout_strikes_and_the_failure_says_what_to_do() -> None:
    tape = Tape.of(b"").with_chunks(
        [Chunk(0, b"data: 1\n\n")], ending=Ending("closed", 200_000_000)
    )
    with pytest.raises(AssertionError, match=r"waited for 0\.2 s.*pace 'recorded' or 'virtual'"):
        with streamtape.play(tape), pytest.raises(aiohttp.ClientPayloadError):
            asyncio.run(patient("http://test/", 0.2))


def test_who_does_not_give_up_is_told_in_the_end() -> None:
    """The silence isn't for ever: twice what the recorded client waited, and a second at least."""
    tape = Tape.of(b"").with_chunks(
        [Chunk(0, b"data: 1\n\n")], ending=Ending("closed", 3_000_000_000)
    )
    loop = looptime.new_event_loop()
    with pytest.raises(AssertionError, match="read past the end of a tape"):
        with streamtape.play(tape, Delivery(pace="virtual")):
            with pytest.raises(aiohttp.ClientPayloadError):
                loop.run_until_complete(patient("http://test/", 100))
    assert loop.time() == pytest.approx(6)
    loop.close()


# --- in virtual time ------------------------------------------------------------------------------


class Recording:
    """A session that takes down every request, without a cassette."""

    def __init__(self) -> None:
        self.takes: list[Take] = []

    def answer(self, request: Request) -> Take:
        self.takes.append(Take(request, 1, lambda _: None))
        return self.takes[-1]


def httpx_in_virtual_time() -> None:
    with SteppedClock().running():
        httpx.get("http://127.0.0.1:9/")


def by_a_virtual_loop(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    loop = looptime.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


async def async_httpx() -> None:
    async with httpx.AsyncClient() as client:
        await client.get("http://127.0.0.1:9/")


async def async_aiohttp() -> None:
    async with aiohttp.ClientSession() as session:
        await session.get("http://127.0.0.1:9/")


@pytest.mark.parametrize(
    "get",
    [
        httpx_in_virtual_time,
        partial(by_a_virtual_loop, async_httpx),
        partial(by_a_virtual_loop, async_aiohttp),
    ],
    ids=["httpx", "httpx-async", "aiohttp"],
)
def test_a_request_that_virtual_time_forbids_leaves_no_take_open(get: Callable[[], None]) -> None:
    session = Recording()
    with routing.opened(session, PATCHERS):  # type: ignore[arg-type]  # it answers requests only
        with pytest.raises(VirtualClockError):
            get()
    (take,) = session.takes
    assert take.withdrawn
