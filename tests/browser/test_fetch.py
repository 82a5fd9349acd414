"""Streams of the replay server through ``fetch`` in a page of another origin."""

from __future__ import annotations

import sys
from itertools import accumulate
from typing import TYPE_CHECKING

import pytest

from streamtape import Delivery, Tape
from streamtape.delivery import faults
from streamtape.delivery.order import systematic
from streamtape.server import Wire, serve
from streamtape.tape import Request

if TYPE_CHECKING:
    from streamtape.delivery.change import Fault
    from tests.browser.reading import Reader

BODY = "data: Café 👩‍👧\r\n\r\n: keep\n\ndata: {}\n\ndata: [DONE]\n\n".encode()
TAPE = Tape.of(BODY)


def test_the_text_is_the_same_under_every_systematic_delivery(reader: Reader) -> None:
    with serve(TAPE, control=True) as server:
        for delivery in systematic([TAPE]):
            header = {"x-streamtape-delivery": repr(delivery)}
            found = reader.fetched(server.url, headers=header)
            assert (found["text"].encode(), found["error"]) == (BODY, None), delivery
        log = server.log
    asked = [exchange.method for exchange in log]
    assert asked.count("GET") > 20


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells what a client has read")
@pytest.mark.parametrize("cuts", ["events", tuple(range(0, len(BODY), 5))])
def test_every_piece_ends_where_a_chunk_does(reader: Reader, cuts: str | tuple[int, ...]) -> None:
    """The browser reads the socket in one process, and the page in another: it may merge chunks."""
    delivery = Delivery(cuts=cuts)
    with serve(TAPE, delivery=delivery) as server:
        found = reader.fetched(server.url)
    sizes = [len(chunk.data) for chunk in TAPE.deliver(delivery).chunks]
    assert set(accumulate(found["sizes"])) <= set(accumulate(sizes))
    assert sum(found["sizes"]) == len(BODY)


def test_a_post_with_json_and_headers_of_its_own_is_let_through(reader: Reader) -> None:
    asked = Request("POST", "http://api.test/v1/chat/completions")
    tape = Tape.of(BODY, request=asked)
    with serve(tape) as server:
        found = reader.fetched(
            f"{server.url}/v1/chat/completions",
            method="POST",
            headers={"content-type": "application/json", "authorization": "Bearer none"},
            body="{}",
            credentials="include",
        )
        assert found["text"].encode() == BODY
        assert found["headers"]["content-type"] == "text/event-stream"
        [exchange] = [one for one in server.log if one.method == "POST"]
        assert exchange.body == b"{}"
    with serve(tape, cors=False) as closed:
        found = reader.fetched(f"{closed.url}/v1/chat/completions", method="POST")
        assert found["error"] == "TypeError"


@pytest.mark.parametrize("framing", ["chunked", "content-length", "close"])
def test_every_framing_is_read(reader: Reader, framing: str) -> None:
    with serve(TAPE, wire=Wire(framing=framing)) as server:
        assert reader.fetched(server.url)["text"].encode() == BODY


@pytest.mark.parametrize(
    "fault",
    [faults.reset_after(1), faults.not_terminated(1)],
    ids=repr,
)
def test_a_broken_stream_is_an_error_after_what_came(reader: Reader, fault: Fault) -> None:
    with serve(TAPE, delivery=Delivery(fault=fault)) as server:
        found = reader.fetched(server.url)
    assert found["error"] == "TypeError"
    assert BODY.decode().startswith(found["text"])


def test_the_server_sees_an_aborted_fetch_go(reader: Reader) -> None:
    stalled = Delivery(fault=faults.stall(2), pace="recorded")
    with serve(TAPE, delivery=stalled) as server:
        found = reader.page.call(
            """async (url) => {
              const control = new AbortController();
              const response = await fetch(url, { signal: control.signal });
              const { value } = await response.body.getReader().read();
              control.abort();
              return value.length;
            }""",
            server.url,
        )
        assert found > 0
        assert server.log[0].wait().how == "client closed"
