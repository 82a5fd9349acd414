"""A request as it comes over a connection: h11 reads it."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import h11

from streamtape.clock import now_ns
from streamtape.server.connection import LeftError
from streamtape.tape import Request

if TYPE_CHECKING:
    from streamtape.server.connection import Connection
    from streamtape.tape import Headers

LARGEST_HEAD = 1 << 16
LARGEST_BODY = 1 << 26

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_TLS_HANDSHAKE = b"\x16\x03"


class BadRequestError(Exception):
    """What came is no request that can be answered. ``status`` is that of the refusal."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True)
class Received:
    """A request that is complete, and when its last byte was read.

    ``is_for_proxies``: its target is a whole URL (RFC 9112, 3.2.2).
    """

    request: Request
    target: str
    at_ns: int
    keeps_alive: bool
    takes_chunked: bool
    is_for_proxies: bool = False

    @property
    def headers(self) -> Headers:
        """Names and values in order."""
        return self.request.headers

    def header(self, name: str) -> str | None:
        """The values of a header, joined by commas (RFC 9110, 5.3); None where it isn't there."""
        values = [value for key, value in self.headers if key.lower() == name]
        return ", ".join(values) if values else None


class Reader:
    """The requests of one connection, one after the other."""

    def __init__(self, connection: Connection, *, within: float) -> None:
        """*within*: the seconds that a request may take from its first byte to its last."""
        self._connection = connection
        self._within = within
        self._left = b""

    async def next(self) -> Received | None:
        """The next request; None where the client sends no more.

        Raises `BadRequestError`, also where it takes too long, and `LeftError`.
        """
        first = self._left or await self._connection.receive()
        if not first:
            return None
        self._left = b""
        with anyio.move_on_after(self._within):
            try:
                return await self._parsed(first)
            except h11.RemoteProtocolError as error:
                raise _refusal(first, error) from error
        raise BadRequestError(
            HTTPStatus.REQUEST_TIMEOUT,
            f"the request was not complete {self._within:g} s after its first byte",
        )

    async def _parsed(self, data: bytes) -> Received | None:
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD)
        parser.receive_data(data)
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                if parser.they_are_waiting_for_100_continue:
                    await self._connection.send(_CONTINUE)
                    parser.send(h11.InformationalResponse(status_code=100, headers=[]))
                await anyio.lowlevel.checkpoint()  # who sends on and on holds up nobody else
                parser.receive_data(await self._connection.receive())
            elif isinstance(event, h11.Request):
                head = event
                if head.http_version not in (b"1.1", b"1.0"):
                    raise BadRequestError(
                        HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "this server speaks HTTP/1.1"
                    )
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > LARGEST_BODY:
                    raise BadRequestError(
                        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                        f"the body is longer than {LARGEST_BODY} bytes",
                    )
            elif isinstance(event, h11.ConnectionClosed):
                return None
            else:
                break
        assert head is not None
        self._left = parser.trailing_data[0]
        return _received(head, bytes(body))


def _received(head: h11.Request, body: bytes) -> Received:
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in head.headers.raw_items()
    ]
    target = head.target.decode("latin-1")
    try:
        found = urlsplit(target)
    except ValueError as error:
        raise BadRequestError(HTTPStatus.BAD_REQUEST, f"{target}: {error}") from error
    # A proxy is asked for a whole URL. Scheme, host and port are the server's own in any case.
    is_for_proxies = bool(found.scheme and found.netloc)
    if is_for_proxies:
        target = f"{found.path or '/'}{f'?{found.query}' if found.query else ''}"
    host = next((value for name, value in headers if name.lower() == "host"), "localhost")
    options = ",".join(v for name, v in headers if name.lower() == "connection").lower()
    modern = head.http_version == b"1.1"
    return Received(
        Request(head.method.decode("latin-1"), f"http://{host}{target}", headers, body),
        target,
        now_ns(),
        keeps_alive=modern and "close" not in options,
        takes_chunked=modern,
        is_for_proxies=is_for_proxies,
    )


def _refusal(first: bytes, error: h11.RemoteProtocolError) -> BadRequestError:
    text = str(error)
    if first.startswith(_TLS_HANDSHAKE):
        text = "a TLS handshake came: this server speaks plain HTTP, so its address is http://…"
    return BadRequestError(error.error_status_hint, text)


__all__ = ["BadRequestError", "LeftError", "Reader", "Received"]
