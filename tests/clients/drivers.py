"""One way to read a stream through every client, so that the same tests hold all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import anyio
import httpx
import httpx2

if TYPE_CHECKING:
    from types import ModuleType

Style = Literal["iter_raw", "iter_bytes", "iter_text", "iter_lines", "read"]
Leave = Literal["close", "break", "cancel"]


@dataclass(frozen=True)
class Got:
    """What a client read: the pieces, as its reading style gives them, and the response's head."""

    pieces: list[Any]
    status: int
    headers: list[tuple[str, str]]
    reason: str
    http_version: str


@dataclass(frozen=True)
class Driver:
    """A client library, read synchronously or under an event loop."""

    module: ModuleType
    backend: Literal["sync", "asyncio", "trio"]

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

    def error(self, name: str) -> type[Exception]:
        """The client's exception class of that name."""
        kind: type[Exception] = getattr(self.module, name)
        return kind


def _got(pieces: Iterable[Any], response: Any) -> Got:
    return Got(
        list(pieces),
        response.status_code,
        list(response.headers.multi_items()),
        response.reason_phrase,
        response.http_version,
    )


DRIVERS = [
    Driver(module, backend) for module in (httpx, httpx2) for backend in ("sync", "asyncio", "trio")
]
