"""A player gives a client only the content codings that it takes, as a right server does."""

from __future__ import annotations

from typing import Any

import pytest

import streamtape
from streamtape import Chunk, Ending, Tape
from streamtape.codings.acceptance import accepts
from tests.clients.drivers import HTTPX_DRIVERS, HttpxDriver

each_driver = pytest.mark.parametrize("driver", HTTPX_DRIVERS, ids=str)

URL = "http://test/"
PIECES = [b"data: caf\xc3", b"\xa9\n\n", b"data: [DONE]\n\n"]
TAPE = Tape.of(b"".join(PIECES)).with_chunks([Chunk(0, piece) for piece in PIECES], coding="gzip")

EXAMPLES = [
    # header, coding, whether it is taken. The first five headers are those of RFC 9110, 12.5.3.
    ("compress, gzip", "gzip", True),
    ("compress, gzip", "br", False),
    ("", "gzip", False),
    ("*", "gzip", True),
    ("compress;q=0.5, gzip;q=1.0", "gzip", True),
    ("compress;q=0.5, gzip;q=1.0", "zstd", False),
    ("gzip;q=1.0, identity; q=0.5, *;q=0", "gzip", True),
    ("gzip;q=1.0, identity; q=0.5, *;q=0", "br", False),
    ("gzip;q=0", "gzip", False),
    ("gzip;q=0.000, *", "gzip", False),
    ("gzip;q=0, *;q=0.1", "br", True),
    ("gzip;q=0.001", "gzip", True),
    ("GZIP ; Q=0", "gzip", False),
    ("X-GZIP", "gzip", True),
    ("identity", "gzip", False),
    ("gzip, deflate, br", "zstd", False),
    ("gzipped", "gzip", False),
    ("gzip;q=much", "gzip", True),
    ("gzip;level=9;q=0", "gzip", False),
    (",, gzip ,", "gzip", True),
]


@pytest.mark.parametrize(("header", "coding", "taken"), EXAMPLES)
def test_what_a_header_says(header: str, coding: str, *, taken: bool) -> None:
    assert accepts(header, coding) is taken


def test_without_the_header_every_coding_is_taken() -> None:
    assert all(accepts(None, coding) for coding in ("gzip", "deflate", "br", "zstd"))


@each_driver
@pytest.mark.parametrize("header", ["identity", "", "br", "gzip;q=0, *"])
def test_a_client_that_takes_no_gzip_gets_the_body_without_it(
    driver: HttpxDriver, header: str
) -> None:
    with streamtape.play(TAPE):
        got = driver.get(URL, headers={"accept-encoding": header})
    assert got.pieces == PIECES  # from iter_raw
    assert "content-encoding" not in dict(got.headers)


@each_driver
@pytest.mark.parametrize("header", ["gzip", "*", "br, x-gzip;q=0.1"])
def test_a_client_that_takes_gzip_gets_it(driver: HttpxDriver, header: str) -> None:
    headers = {"accept-encoding": header}
    with streamtape.play(TAPE):
        raw = driver.get(URL, headers=headers)
        got = driver.get(URL, "iter_bytes", headers=headers)
    assert got.pieces == PIECES
    assert b"".join(raw.pieces) != TAPE.body
    assert ("content-encoding", "gzip") in got.headers


@each_driver
def test_a_client_that_says_nothing_gets_the_tapes_coding(
    driver: HttpxDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for client in (driver.module.Client, driver.module.AsyncClient):
        real = client.build_request

        def build(self: Any, *arguments: Any, real: Any = real, **options: Any) -> Any:
            request = real(self, *arguments, **options)
            del request.headers["accept-encoding"]
            return request

        monkeypatch.setattr(client, "build_request", build)
    with streamtape.play(TAPE):
        assert ("content-encoding", "gzip") in driver.get(URL).headers


@each_driver
def test_a_coding_that_the_client_cannot_decode_stays_away(driver: HttpxDriver) -> None:
    """Clients name the codings that they have a library for."""
    tape = TAPE.with_chunks(TAPE.chunks, coding="zstd")
    with streamtape.play(tape):
        got = driver.get(URL, "iter_bytes")
    assert got.pieces == PIECES
    takes = "zstd" in driver.module.Client().headers["accept-encoding"]
    assert (("content-encoding", "zstd") in got.headers) == takes


@each_driver
def test_the_other_headers_stay(driver: HttpxDriver) -> None:
    headers = [("content-type", "text/event-stream"), ("x-request-id", "1")]
    tape = TAPE.with_chunks(TAPE.chunks, headers=headers)
    with streamtape.play(tape):
        assert driver.get(URL, headers={"accept-encoding": "br"}).headers == headers


@each_driver
def test_a_stream_that_breaks_breaks_without_the_coding_too(driver: HttpxDriver) -> None:
    seen: list[bytes] = []
    tape = TAPE.with_chunks(TAPE.chunks[:2], ending=Ending("error", 0, "read", "reset"))
    with streamtape.play(tape), pytest.raises(driver.named("ReadError"), match=r"^reset$"):
        driver.get(URL, each=seen.append, headers={"accept-encoding": "br"})
    assert seen == PIECES[:2]
