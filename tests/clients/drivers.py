"""One way to read a stream through every client, so that the same tests hold all of them.

A client that is added here is held by every test that is parametrised with `each_driver`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import aiohttp
import anyio
import httpx
import httpx2
import pytest
import requests
import urllib3

if TYPE_CHECKING:
    from types import ModuleType

    from streamtape.tape import ErrorKind

Style = str
"""How a body is read. Every driver has ``iter_raw`` (one piece for each chunk as it was sent, its
content coding left on), ``iter_bytes`` (the same, decoded), ``iter_lines`` and ``read`` (the whole
at once); what else it has stands in its ``styles``."""

Leave = Literal["close", "break", "cancel"]
Backend = Literal["sync", "asyncio", "trio"]


@dataclass(frozen=True)
class Got:
    """What a client read: the pieces, as its reading style gives them, and the response's head."""

    pieces: list[Any]
    status: int
    headers: list[tuple[str, str]]
    reason: str
    http_version: str


class Driver(Protocol):
    """A client library, read synchronously or under an event loop."""

    @property
    def backend(self) -> Backend:
        """Who runs it."""

    @property
    def styles(self) -> tuple[Style, ...]:
        """The ways in which it can read a body."""

    def get(
        self,
        url: str,
        style: Style = "iter_raw",
        *,
        method: str = "GET",
        stop_after: int | None = None,
        leave: Leave = "close",
        each: Callable[[Any], None] | None = None,
        **options: Any,
    ) -> Got:
        """Read a response to its end, or leave it after *stop_after* pieces.

        *each* is told of every piece. *options*: ``headers``, ``timeout`` (seconds; None for ever),
        and what only this client knows.
        """

    def error(self, kind: ErrorKind) -> tuple[type[Exception], ...]:
        """What the client raises where an exchange breaks so."""


@dataclass(frozen=True)
class HttpxDriver:
    """httpx or httpx2."""

    module: ModuleType
    backend: Backend
    styles: ClassVar = ("iter_raw", "iter_bytes", "iter_text", "iter_lines", "read")

    def __str__(self) -> str:
        return f"{self.module.__name__}-{self.backend}"

    def get(
        self,
        url: str,
        style: Style = "iter_raw",
        *,
        method: str = "GET",
        stop_after: int | None = None,
        leave: Leave = "close",
        each: Callable[[Any], None] | None = None,
        **options: Any,
    ) -> Got:
        """Read a response to its end, or leave it after *stop_after* pieces.

        *each* is told of every piece.
        """
        if self.backend == "sync":
            return self._sync(url, style, method, stop_after, leave, each, options)
        return anyio.run(
            self._async, url, style, method, stop_after, leave, each, options, backend=self.backend
        )

    def _sync(
        self,
        url: str,
        style: Style,
        method: str,
        stop_after: int | None,
        leave: Leave,
        each: Callable[[Any], None] | None,
        options: dict[str, Any],
    ) -> Got:
        pieces: list[Any] = []
        http2 = options.pop("http2", False)
        with (
            self.module.Client(http2=http2) as client,
            client.stream(method, url, **options) as response,
        ):
            if style == "read":
                pieces.append(response.read())
            else:
                iterator = getattr(response, style)()
                for piece in iterator:
                    pieces.append(piece)
                    if each is not None:
                        each(piece)
                    if len(pieces) == stop_after:
                        if leave == "close":
                            response.close()
                        break
            return _got(pieces, response)

    async def _async(
        self,
        url: str,
        style: Style,
        method: str,
        stop_after: int | None,
        leave: Leave,
        each: Callable[[Any], None] | None,
        options: dict[str, Any],
    ) -> Got:
        pieces: list[Any] = []
        http2 = options.pop("http2", False)
        scope = anyio.CancelScope()
        head: list[Any] = []
        with scope:
            async with (
                self.module.AsyncClient(http2=http2) as client,
                client.stream(method, url, **options) as response,
            ):
                head.append(response)
                if style == "read":
                    pieces.append(await response.aread())
                else:
                    async for piece in getattr(response, f"a{style}")():
                        pieces.append(piece)
                        if each is not None:
                            each(piece)
                        if len(pieces) == stop_after:
                            if leave == "cancel":
                                scope.cancel()
                                continue
                            if leave == "close":
                                await response.aclose()
                            break
        return _got(pieces, head[0])

    def drop(self, url: str) -> int:
        """Get a response and drop it unread, client and all; its status."""
        client = self.module.Client()
        response = client.send(client.build_request("GET", url), stream=True)
        status: int = response.status_code
        return status

    def error(self, kind: ErrorKind) -> tuple[type[Exception], ...]:
        return (self.named(_HTTPX_ERRORS[kind]),)

    def named(self, name: str) -> type[Exception]:
        """The client's exception class of that name."""
        named: type[Exception] = getattr(self.module, name)
        return named


_HTTPX_ERRORS: dict[ErrorKind, str] = {
    "connect": "ConnectError",
    "connect-timeout": "ConnectTimeout",
    "read": "ReadError",
    "read-timeout": "ReadTimeout",
    "write": "WriteError",
    "pool": "PoolTimeout",
    "protocol": "RemoteProtocolError",
}


def _got(pieces: Iterable[Any], response: Any) -> Got:
    return Got(
        list(pieces),
        response.status_code,
        list(response.headers.multi_items()),
        response.reason_phrase,
        response.http_version,
    )


@dataclass(frozen=True)
class Urllib3Driver:
    """Plain urllib3."""

    backend: Backend = "sync"
    styles: ClassVar = ("iter_raw", "iter_bytes", "iter_lines", "read", "read_chunked", "read1")

    def __str__(self) -> str:
        return "urllib3"

    def get(
        self,
        url: str,
        style: Style = "iter_raw",
        *,
        method: str = "GET",
        stop_after: int | None = None,
        leave: Leave = "close",
        each: Callable[[Any], None] | None = None,
        **options: Any,
    ) -> Got:
        seconds = options.get("timeout", 5.0)
        # One number would be a total, of which connecting takes some.
        options["timeout"] = urllib3.Timeout(connect=seconds, read=seconds)
        options["body"] = options.pop("content", None)
        options.update(preload_content=False, retries=False, redirect=False)
        with urllib3.PoolManager() as pool, pool.request(method, url, **options) as response:
            pieces = _read(self._pieces(response, style), response.close, stop_after, leave, each)
            return _got_below(pieces, response)

    def _pieces(self, response: Any, style: Style) -> Iterator[Any]:
        if style == "iter_lines":
            return iter(response)
        if style == "read":
            return iter([response.read()])
        if style == "read1":
            return iter(partial(response.read1, 1 << 16, decode_content=True), b"")
        if style == "read_chunked":
            return iter(response.read_chunked(decode_content=True))
        return iter(response.stream(1 << 20, decode_content=style == "iter_bytes"))

    def drop(self, url: str) -> int:
        response = urllib3.PoolManager().request("GET", url, preload_content=False)
        return int(response.status)

    def error(self, kind: ErrorKind) -> tuple[type[Exception], ...]:
        return _URLLIB3_ERRORS[kind]


_URLLIB3_ERRORS: dict[ErrorKind, tuple[type[Exception], ...]] = {
    "connect": (urllib3.exceptions.NewConnectionError,),
    "connect-timeout": (urllib3.exceptions.ConnectTimeoutError,),
    "read": (urllib3.exceptions.ProtocolError,),
    "read-timeout": (urllib3.exceptions.ReadTimeoutError,),
    "write": (urllib3.exceptions.ProtocolError,),
    "pool": (urllib3.exceptions.PoolError,),
    "protocol": (urllib3.exceptions.ProtocolError,),
}


@dataclass(frozen=True)
class RequestsDriver:
    """requests, which reads through urllib3."""

    backend: Backend = "sync"
    styles: ClassVar = (
        "iter_raw",
        "iter_bytes",
        "iter_text",
        "iter_lines",
        "read",
        "iter_content_3",
        "raw.read",
        "raw.read1",
    )

    def __str__(self) -> str:
        return "requests"

    def get(
        self,
        url: str,
        style: Style = "iter_raw",
        *,
        method: str = "GET",
        stop_after: int | None = None,
        leave: Leave = "close",
        each: Callable[[Any], None] | None = None,
        **options: Any,
    ) -> Got:
        options.setdefault("timeout", 5.0)
        options["data"] = options.pop("content", None)
        options.update(stream=True, allow_redirects=False)
        with requests.Session() as session, session.request(method, url, **options) as response:
            pieces = _read(self._pieces(response, style), response.close, stop_after, leave, each)
            return _got_below(pieces, response.raw)

    def _pieces(self, response: requests.Response, style: Style) -> Iterator[Any]:
        raw = response.raw
        reading: dict[Style, Callable[[], Iterator[Any]]] = {
            "iter_raw": lambda: raw.stream(1 << 20, decode_content=False),
            "iter_bytes": lambda: response.iter_content(None),
            "iter_text": lambda: response.iter_content(None, decode_unicode=True),
            "iter_lines": lambda: response.iter_lines(None),
            "read": lambda: iter([response.content]),
            "iter_content_3": lambda: response.iter_content(3),
            "raw.read": lambda: iter(partial(raw.read, 7, decode_content=True), b""),
            "raw.read1": lambda: iter(partial(raw.read1, decode_content=True), b""),
        }
        return reading[style]()

    def drop(self, url: str) -> int:
        return requests.get(url, stream=True, timeout=5.0).status_code

    def error(self, kind: ErrorKind) -> tuple[type[Exception], ...]:
        return _REQUESTS_ERRORS[kind]


_BROKEN = (
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ConnectionError,
    # Those who read ``raw`` get urllib3's own.
    urllib3.exceptions.ProtocolError,
)
_REQUESTS_ERRORS: dict[ErrorKind, tuple[type[Exception], ...]] = {
    "connect": (requests.exceptions.ConnectionError,),
    "connect-timeout": (requests.exceptions.ConnectTimeout,),
    "read": _BROKEN,
    "read-timeout": (
        requests.exceptions.ReadTimeout,
        requests.exceptions.ConnectionError,
        urllib3.exceptions.ReadTimeoutError,
    ),
    "write": _BROKEN,
    "pool": (urllib3.exceptions.PoolError,),
    "protocol": _BROKEN,
}


@dataclass(frozen=True)
class AiohttpDriver:
    """aiohttp's client."""

    backend: Backend = "asyncio"
    styles: ClassVar = (
        "iter_raw",
        "iter_bytes",
        "iter_lines",
        "read",
        "iter_chunks",
        "iter_chunked_3",
        "readline",
    )

    def __str__(self) -> str:
        return "aiohttp"

    def get(
        self,
        url: str,
        style: Style = "iter_raw",
        *,
        method: str = "GET",
        stop_after: int | None = None,
        leave: Leave = "close",
        each: Callable[[Any], None] | None = None,
        **options: Any,
    ) -> Got:
        return anyio.run(
            self._get, url, style, method, stop_after, leave, each, options, backend="asyncio"
        )

    async def _get(
        self,
        url: str,
        style: Style,
        method: str,
        stop_after: int | None,
        leave: Leave,
        each: Callable[[Any], None] | None,
        options: dict[str, Any],
    ) -> Got:
        pieces: list[Any] = []
        seconds = options.pop("timeout", 5.0)
        options["timeout"] = aiohttp.ClientTimeout(sock_connect=seconds, sock_read=seconds)
        options["data"] = options.pop("content", None)
        options["auto_decompress"] = style != "iter_raw"
        head: list[Any] = []
        with anyio.CancelScope() as scope:
            async with (
                _aiohttp_session() as session,
                session.request(method, url, allow_redirects=False, **options) as response,
            ):
                head.append(response)
                async for piece in self._pieces(response, style):
                    pieces.append(piece)
                    if each is not None:
                        each(piece)
                    if len(pieces) == stop_after:
                        if leave == "cancel":
                            scope.cancel()
                            continue
                        if leave == "close":
                            response.close()
                        break
        response = head[0]
        return Got(
            pieces,
            response.status,
            [(name.lower(), value) for name, value in response.headers.items()],
            response.reason,
            f"HTTP/{response.version.major}.{response.version.minor}",
        )

    def _pieces(self, response: aiohttp.ClientResponse, style: Style) -> AsyncIterator[Any]:
        content = response.content
        reading: dict[Style, Callable[[], AsyncIterator[Any]]] = {
            "iter_raw": content.iter_any,
            "iter_bytes": content.iter_any,
            "iter_lines": lambda: aiter(content),
            "read": lambda: _once(response.read()),
            "iter_chunks": content.iter_chunks,
            "iter_chunked_3": lambda: content.iter_chunked(3),
            "readline": lambda: _until_empty(content.readline),
        }
        return reading[style]()

    def error(self, kind: ErrorKind) -> tuple[type[Exception], ...]:
        return _AIOHTTP_ERRORS[kind]


def _aiohttp_session() -> aiohttp.ClientSession:
    """A session that doesn't send a GET again where there was no answer; the others don't."""
    session = aiohttp.ClientSession()
    session._retry_connection = False
    return session


async def _once(piece: Awaitable[Any]) -> AsyncIterator[Any]:
    yield await piece


async def _until_empty(read: Callable[[], Awaitable[bytes]]) -> AsyncIterator[bytes]:
    while piece := await read():
        yield piece


# Of a stream that breaks: the first before its head, the other after it.
_AIOHTTP_BROKEN = (aiohttp.ClientOSError, aiohttp.ClientPayloadError)
_AIOHTTP_ERRORS: dict[ErrorKind, tuple[type[Exception], ...]] = {
    "connect": (aiohttp.ClientConnectorError,),
    "connect-timeout": (aiohttp.ConnectionTimeoutError,),
    "read": _AIOHTTP_BROKEN,
    "read-timeout": (aiohttp.SocketTimeoutError,),
    "write": _AIOHTTP_BROKEN,
    "pool": (aiohttp.ConnectionTimeoutError,),
    "protocol": (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError),
}


def _read(
    pieces: Iterator[Any],
    close: Callable[[], object],
    stop_after: int | None,
    leave: Leave,
    each: Callable[[Any], None] | None,
) -> list[Any]:
    seen = []
    for piece in pieces:
        seen.append(piece)
        if each is not None:
            each(piece)
        if len(seen) == stop_after:
            if leave == "close":
                close()
            break
    return seen


def _got_below(pieces: list[Any], response: Any) -> Got:
    """*response*: urllib3's."""
    return Got(
        pieces,
        response.status,
        list(response.headers.items()),
        response.reason,
        f"HTTP/{response.version // 10}.{response.version % 10}",
    )


HTTPX_DRIVERS = [
    HttpxDriver(module, backend)
    for module in (httpx, httpx2)
    for backend in ("sync", "asyncio", "trio")
]
DRIVERS: list[Driver] = [*HTTPX_DRIVERS, Urllib3Driver(), RequestsDriver(), AiohttpDriver()]

each_driver = pytest.mark.parametrize("driver", DRIVERS, ids=str)
each_driver_and_style = pytest.mark.parametrize(
    ("driver", "style"),
    [
        pytest.param(driver, style, id=f"{driver}-{style}")
        for driver in DRIVERS
        for style in driver.styles
    ],
)
