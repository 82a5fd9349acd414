"""The recorders, each opened as its users open it, and a client without one."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamtape

if TYPE_CHECKING:
    from pathlib import Path

BARE = "bare client"
TEE = "ten-line tee"
STREAMTAPE = "streamtape"
VCRPY = "vcrpy"
CASSETTER = "cassetter"


def installed(module: str) -> bool:
    """Whether *module* can be imported."""
    return importlib.util.find_spec(module) is not None


def vcrpy() -> Any:
    """The package, which takes a third of a second to import: a client alone does without."""
    return importlib.import_module("vcr")


def cassetter() -> Any:
    """The package; it is not in every environment (see the group `bench` in pyproject.toml)."""
    return importlib.import_module("cassetter")


@dataclass(frozen=True)
class Recorder:
    """``open`` gives the block in which a cassette is recorded (mode "all") or played ("none").

    ``transports`` makes the client's transport, sync and async, where that is what records.
    """

    name: str
    open: Callable[[Path, str], AbstractContextManager[Any]]
    transports: tuple[Callable[[Any], Any], Callable[[Any], Any]] | None = None

    def client(self, module: Any) -> Any:
        """A client of *module* (httpx or httpx2)."""
        if self.transports is None:
            return module.Client()
        return module.Client(transport=self.transports[0](module))

    def async_client(self, module: Any) -> Any:
        """An async client of *module* (httpx or httpx2)."""
        if self.transports is None:
            return module.AsyncClient()
        return module.AsyncClient(transport=self.transports[1](module))


def _tee(module: Any) -> Any:
    """The least that a recorder can do: keep each chunk and the time at which it came."""

    class Tee(module.SyncByteStream):  # type: ignore[misc]  # either module
        def __init__(self, stream: Any) -> None:
            self.stream = stream
            self.kept: list[tuple[int, bytes]] = []

        def __iter__(self) -> Iterator[bytes]:
            for chunk in self.stream:
                self.kept.append((time.perf_counter_ns(), chunk))
                yield chunk

        def close(self) -> None:
            self.stream.close()

    class Transport(module.HTTPTransport):  # type: ignore[misc]  # either module
        def handle_request(self, request: Any) -> Any:
            response = super().handle_request(request)
            response.stream = Tee(response.stream)
            return response

    return Transport()


def _async_tee(module: Any) -> Any:
    """The same for an async client."""

    class Tee(module.AsyncByteStream):  # type: ignore[misc]  # either module
        def __init__(self, stream: Any) -> None:
            self.stream = stream
            self.kept: list[tuple[int, bytes]] = []

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for chunk in self.stream:
                self.kept.append((time.perf_counter_ns(), chunk))
                yield chunk

        async def aclose(self) -> None:
            await self.stream.aclose()

    class Transport(module.AsyncHTTPTransport):  # type: ignore[misc]  # either module
        async def handle_async_request(self, request: Any) -> Any:
            response = await super().handle_async_request(request)
            response.stream = Tee(response.stream)
            return response

    return Transport()


_ALL = (
    Recorder(BARE, lambda _path, _mode: nullcontext()),
    Recorder(TEE, lambda _path, _mode: nullcontext(), (_tee, _async_tee)),
    Recorder(STREAMTAPE, lambda path, mode: streamtape.use_cassette(path, record_mode=mode)),
    Recorder(VCRPY, lambda path, mode: vcrpy().use_cassette(str(path), record_mode=mode)),
    Recorder(CASSETTER, lambda path, mode: cassetter().use_cassette(path, record_mode=mode)),
)

ABSENT = [] if installed("cassetter") else [CASSETTER]
RECORDERS = {recorder.name: recorder for recorder in _ALL if recorder.name not in ABSENT}


def pieces(response: Any) -> Iterator[bytes]:
    """The chunks of a streamed response; a recorder may have read it whole already."""
    read = response.iter_bytes if response.is_stream_consumed else response.iter_raw
    chunks: Iterator[bytes] = read()
    return chunks


def async_pieces(response: Any) -> AsyncIterator[bytes]:
    """As `pieces`, of an async client."""
    read = response.aiter_bytes if response.is_stream_consumed else response.aiter_raw
    chunks: AsyncIterator[bytes] = read()
    return chunks
