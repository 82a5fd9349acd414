"""Where a page comes from: a text, a folder of files, or another server."""

from __future__ import annotations

import asyncio
import mimetypes
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from pathlib import Path

    import h11

_DOCTYPE = re.compile(
    rb"\A(?:\xef\xbb\xbf|\s|<!--.*?-->)*(?:<!doctype[^>]*>)?", re.IGNORECASE | re.DOTALL
)
# What speaks of one connection (RFC 9110, 7.6.1), or would keep the page out of the frame.
_NOT_FORWARDED = {b"connection", b"content-length", b"keep-alive", b"transfer-encoding", b"upgrade"}
_READ = 65_536
_FORBIDS_FRAMES = {b"content-security-policy", b"x-frame-options"}


@dataclass(frozen=True)
class Request:
    """A request of the browser's. Names of headers are in small letters."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def for_the_page(self) -> bool:
        """Whether it is for the page itself, and not for something that the page loads."""
        return self.headers.get("sec-fetch-dest") == "iframe"


Site: TypeAlias = Callable[[Request, asyncio.StreamWriter, bytes], Awaitable[bool]]
"""Answers a request, with some HTML at the page's beginning; says if the connection goes on."""


def respond(writer: asyncio.StreamWriter, status: int, content_type: str, body: bytes) -> None:
    """Write a whole response."""
    if content_type.startswith("text/"):
        content_type += "; charset=utf-8"
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: {content_type}\r\n"
        f"content-length: {len(body)}\r\ncache-control: no-store\r\n\r\n"
    )
    writer.write(head.encode() + body)


def text_site(html: str) -> Site:
    """A page alone."""

    async def site(request: Request, writer: asyncio.StreamWriter, inserted: bytes) -> bool:
        if urlsplit(request.target).path == "/":
            respond(writer, 200, "text/html", begun(html.encode(), inserted))
        else:
            respond(writer, 404, "text/plain", b"the page was given as a text: it is all there is")
        return True

    return site


def folder_site(folder: Path) -> Site:
    """The files of *folder*."""
    root = folder.resolve()

    async def site(request: Request, writer: asyncio.StreamWriter, inserted: bytes) -> bool:
        path = (root / unquote(urlsplit(request.target).path).lstrip("/")).resolve()
        if not path.is_relative_to(root) or not path.is_file():
            respond(writer, 404, "text/plain", b"no such file beside the page")
            return True
        body = path.read_bytes()
        content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        respond(writer, 200, content_type, begun(body, inserted) if request.for_the_page else body)
        return True

    return site


def server_site(origin: str) -> Site:
    """Whatever the server at *origin* answers, passed on as it comes."""
    import h11

    async def site(request: Request, writer: asyncio.StreamWriter, inserted: bytes) -> bool:
        try:
            await _forwarded(origin, request, writer, inserted)
        except (OSError, h11.RemoteProtocolError) as error:
            respond(writer, 502, "text/plain", f"{origin} gave no answer: {error}".encode())
        return False

    return site


def begun(page: bytes, inserted: bytes) -> bytes:
    """*page* with *inserted* before all but its doctype."""
    found = _DOCTYPE.match(page)
    at = found.end() if found else 0
    return page[:at] + inserted + page[at:]


async def _forwarded(
    origin: str, request: Request, writer: asyncio.StreamWriter, inserted: bytes
) -> None:
    import h11

    parts = urlsplit(origin)
    encrypted = parts.scheme == "https"
    port = parts.port or (443 if encrypted else 80)
    reader, upstream = await asyncio.open_connection(parts.hostname, port, ssl=encrypted or None)
    try:
        connection = h11.Connection(h11.CLIENT)
        headers = {
            **request.headers,
            "host": parts.netloc,
            "connection": "close",
            "accept-encoding": "identity",
        }
        if "origin" in headers:
            headers["origin"] = origin
        asked = h11.Request(
            method=request.method, target=request.target, headers=list(headers.items())
        )
        for part in (asked, h11.Data(data=request.body), h11.EndOfMessage()):
            upstream.write(connection.send(part) or b"")
        page = bytearray()
        whole = False
        event: object = None
        while not isinstance(event, h11.EndOfMessage):
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(_READ))
            elif isinstance(event, h11.Response):
                whole = request.for_the_page and 200 <= event.status_code < 300
                writer.write(_head(event, origin, whole=whole))
            elif isinstance(event, h11.Data) and whole:
                page += event.data
            elif isinstance(event, h11.Data):
                writer.write(event.data)
                await writer.drain()
        if whole:
            writer.write(begun(bytes(page), inserted))
    finally:
        upstream.close()


def _head(response: h11.Response, origin: str, *, whole: bool) -> bytes:
    left_out = _NOT_FORWARDED | (_FORBIDS_FRAMES if whole else set())
    lines = [b"HTTP/1.1 %d %s" % (response.status_code, bytes(response.reason))]
    for name, value in response.headers:
        here = value.removeprefix(origin.encode()) if name == b"location" else value
        if name not in left_out:
            lines.append(b"%s: %s" % (name, here or b"/"))
    return b"\r\n".join([*lines, b"connection: close", b"", b""])
