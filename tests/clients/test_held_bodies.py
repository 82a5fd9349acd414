"""Responses that come with their body, whole: from transports that are no network."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2
import pytest

import streamtape
from streamtape.tape import Ending

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

each_module = pytest.mark.parametrize(
    "module", [httpx, httpx2], ids=lambda module: str(module.__name__)
)
each_way = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])

URL = "http://test/"
BODY = "data: café\n\ndata: [DONE]\n\n".encode()
HEADERS = {"content-type": "text/event-stream"}


def get(module: ModuleType, handler: Callable[[Any], Any], *, asynchronous: bool) -> Any:
    transport = module.MockTransport(handler)

    async def get_async() -> Any:
        async with module.AsyncClient(transport=transport) as client:
            return await client.get(URL)

    if asynchronous:
        return anyio.run(get_async)
    with module.Client(transport=transport) as client:
        return client.get(URL)


def recorded(
    module: ModuleType, handler: Callable[[Any], Any], path: Path, *, asynchronous: bool
) -> streamtape.Tape:
    """The tape of what *handler* answers, after a look at what the client made of it."""
    bare = get(module, handler, asynchronous=asynchronous)
    with streamtape.use_cassette(path, record_mode="once"):
        live = get(module, handler, asynchronous=asynchronous)
    assert live.content == bare.content
    assert live.headers == bare.headers
    with streamtape.use_cassette(path):
        again = get(module, handler, asynchronous=asynchronous)
    assert again.content == bare.content
    (tape,) = streamtape.load(path)
    return tape


def without_times(tape: streamtape.Tape) -> tuple[list[bytes], Ending]:
    return [chunk.data for chunk in tape.chunks], Ending(tape.ending.kind, 0)


@each_module
@each_way
def test_a_response_made_of_bytes_is_recorded_whole(
    module: ModuleType, tmp_path: Path, *, asynchronous: bool
) -> None:
    """Nobody iterates its stream, so a tee there would see nothing."""
    tape = recorded(
        module,
        lambda _: module.Response(200, headers=HEADERS, content=BODY),
        tmp_path / "a.yaml",
        asynchronous=asynchronous,
    )
    assert without_times(tape) == ([BODY], Ending("eof", 0))
    assert tape.framing == "sse"


@each_module
@each_way
def test_a_response_without_a_body_is_recorded_whole(
    module: ModuleType, tmp_path: Path, *, asynchronous: bool
) -> None:
    tape = recorded(
        module, lambda _: module.Response(204), tmp_path / "a.yaml", asynchronous=asynchronous
    )
    assert without_times(tape) == ([], Ending("eof", 0))
    assert tape.status == 204


@each_module
@each_way
@pytest.mark.parametrize(
    ("coding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_a_response_made_of_coded_bytes_is_kept_decoded_with_its_coding(
    module: ModuleType,
    coding: str,
    compress: Callable[[bytes], bytes],
    tmp_path: Path,
    *,
    asynchronous: bool,
) -> None:
    headers = {**HEADERS, "content-encoding": coding}
    tape = recorded(
        module,
        lambda _: module.Response(200, headers=headers, content=compress(BODY)),
        tmp_path / "a.yaml",
        asynchronous=asynchronous,
    )
    assert without_times(tape) == ([BODY], Ending("eof", 0))
    assert tape.coding == coding
    assert "content-encoding" not in dict(tape.headers)


@each_module
@each_way
def test_a_response_that_was_read_before_is_recorded_as_it_was_read(
    module: ModuleType, tmp_path: Path, *, asynchronous: bool
) -> None:
    """Such as one that a test's own gateway fetched: its bytes are gone, its content is there."""

    class Gone(module.SyncByteStream, module.AsyncByteStream):  # type: ignore[misc,name-defined]  # either module
        """A stream that was read to its end, for clients of both kinds."""

    def handler(_request: Any) -> Any:
        headers = {**HEADERS, "content-encoding": "gzip"}
        response = module.Response(200, headers=headers, content=iter([gzip.compress(BODY)]))
        response.read()
        response.stream = Gone()
        return response

    tape = recorded(module, handler, tmp_path / "a.yaml", asynchronous=asynchronous)
    assert without_times(tape) == ([BODY], Ending("eof", 0))
    assert tape.coding is None
    assert "content-encoding" not in dict(tape.headers)


@each_module
def test_a_wsgi_application_is_recorded_whole(module: ModuleType, tmp_path: Path) -> None:
    def application(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", list(HEADERS.items()))
        return [BODY[:8], b"", BODY[8:]]

    with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
        with module.Client(transport=module.WSGITransport(app=application)) as client:
            assert client.get(URL).content == BODY
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert (tape.body, tape.ending.kind) == (BODY, "eof")


@each_module
def test_an_asgi_application_is_recorded_whole(module: ModuleType, tmp_path: Path) -> None:
    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": BODY[:8], "more_body": True})
        await send({"type": "http.response.body", "body": BODY[8:]})

    async def read() -> bytes:
        async with module.AsyncClient(transport=module.ASGITransport(app=application)) as client:
            content: bytes = (await client.get(URL)).content
            return content

    with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
        assert anyio.run(read) == BODY
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert (tape.body, tape.ending.kind) == (BODY, "eof")
