"""The loopback server that a page comes from, and by which it is told what to do and answers.

The browser shows an outer page (``host.js``), which asks for its next command by HTTP and sends the
last one's result with it; the page that is looked at is in a frame of it. So no driver is needed,
and no protocol but HTTP.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import threading
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from streamtape.views.sites import Request, Site, respond, text_site

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")

_POLL_S = 30.0
"""The browser is answered after so long, and asks again."""

_HEAD_BYTES = 256 * 1024
_OUTER = (
    b'<!doctype html><title>streamtape</title><link rel="icon" href="data:,">'
    b'<body><script src="%shost.js"></script>'
)


class PageServer:
    """Serves ``site`` and the outer page on loopback, in a thread with an event loop of its own."""

    def __init__(self) -> None:
        self.site: Site = text_site("")
        self._control = f"/-streamtape-{secrets.token_hex(8)}/"  # no other program's business
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="streamtape-pages", daemon=True
        )
        self._commands: asyncio.Queue[Any] = asyncio.Queue()
        self._reply: asyncio.Future[Any] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._url = ""

    def __enter__(self) -> Self:
        """Begin to serve."""
        listener = socket.create_server(("127.0.0.1", 0))
        self._url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._thread.start()
        self._server = self._submit(self._listening(listener)).result()
        return self

    def __exit__(self, *_: object) -> None:
        """Close every connection, and end the thread."""
        self._submit(self._closed()).result()
        self._end()

    @property
    def outer_url(self) -> str:
        """The outer page's address."""
        return self._url + self._control

    @property
    def inserted(self) -> bytes:
        """What goes at the beginning of a page, before its own scripts."""
        return f'<script src="{self._control}page.js"></script>'.encode()

    def ask(self, command: dict[str, Any]) -> Future[Any]:
        """Give the browser a command; the future has what it replies."""
        return self._submit(self._asked(command))

    def _submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    async def _listening(self, listener: socket.socket) -> asyncio.Server:
        return await asyncio.start_server(self._connected, sock=listener, limit=_HEAD_BYTES)

    async def _closed(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._reply is not None:
            self._reply.cancel()
        await asyncio.sleep(0)  # transports close in the loop's next round

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _asked(self, command: dict[str, Any]) -> Any:
        self._reply = asyncio.get_running_loop().create_future()
        await self._commands.put(command)
        return await self._reply

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        # Browsers connect ahead of need, and leave when they like; others may write anything.
        try:
            with suppress(OSError, EOFError, ValueError, asyncio.LimitOverrunError):
                while await self._answer(await _request(reader), writer):
                    await writer.drain()
        except asyncio.CancelledError:
            pass  # the server ends; Python 3.11 would call this an error of the connection
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Answer *request*, and say whether the connection goes on."""
        if not request.target.startswith(self._control):
            return await self.site(request, writer, self.inserted)
        name = request.target.removeprefix(self._control)
        if name == "next":
            respond(writer, 200, "application/json", await self._next(request.body))
        elif name in ("host.js", "page.js"):
            respond(writer, 200, "text/javascript", Path(__file__).with_name(name).read_bytes())
        else:
            respond(writer, 200, "text/html", _OUTER % self._control.encode())
        return True

    async def _next(self, body: bytes) -> bytes:
        reply = json.loads(body)
        if reply is not None and self._reply is not None and not self._reply.done():
            self._reply.set_result(reply)
        try:
            async with asyncio.timeout(_POLL_S):
                command = await self._commands.get()
        except TimeoutError:
            command = None
        return json.dumps(command).encode()


async def _request(reader: asyncio.StreamReader) -> Request:
    """The next request. Raises EOFError at the end, and what is no request ValueError."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, target, headers, body)
