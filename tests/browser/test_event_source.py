"""The replay server and the decoder against the browser's own ``EventSource``."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from streamtape import Delivery, Event, Tape, decode
from streamtape.checks.conformance import CASES
from streamtape.delivery import faults, rewrites
from streamtape.delivery.order import systematic
from streamtape.server import ReplayServer, serve
from streamtape.tape import Request
from tests.browser import corpus
from tests.browser.reading import Reader, wire_types
from tests.wire.test_conformance import PIECES

CHAT = Tape.of(
    "\ufeffretry: 50\n: warm\nid: a\ndata: Café 👩‍👧\n\nevent: delta\r\ndata:x\r\ndata: y\r\n\r\n"
    "event:error\rid: é\rdata: {}\r\rdata\n\ndata: [DONE]\n\n".encode()
)
NUMBERED = Tape.of(b"retry: 10\nid: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n")


def at(path: str, body: bytes, **how: Any) -> Tape:
    return Tape.of(body, request=Request("GET", f"http://stream.test{path}"), **how)


def served(bodies: list[bytes], **options: Any) -> ReplayServer:
    return serve([at(f"/{number}", body) for number, body in enumerate(bodies)], **options)


def addresses(server: ReplayServer, bodies: list[bytes]) -> list[tuple[str, bytes]]:
    return [(f"{server.url}/{number}", body) for number, body in enumerate(bodies)]


CHROMIUM_IS_WRONG = {"a BOM before a blank line is dropped"}
"""By the standard (9.2.5) a BOM is dropped, and a stream may begin with a blank line.

Chromium doesn't look at the first byte after the BOM, so a line end there becomes a character of
the first line.
"""
LINE_END_AFTER_BOM = re.compile(rb"\xef\xbb\xbf[\r\n]")


@pytest.mark.parametrize(
    "delivery",
    [Delivery(), Delivery(cuts="whole"), Delivery(cuts=tuple(range(0, 300, 3)))],
    ids=["an event at a time", "whole", "three bytes at a time"],
)
def test_the_browser_agrees_with_the_whole_conformance_table(
    reader: Reader, delivery: Delivery
) -> None:
    bodies = [case.body for case in CASES]
    with served(bodies, delivery=delivery) as server:
        found = reader.event_sources(addresses(server, bodies))
    wrong = {
        case.id: (events, decode(case.body))
        for case, events in zip(CASES, found, strict=True)
        if events != list(case.events) or events != decode(case.body)
    }
    assert wrong.keys() <= CHROMIUM_IS_WRONG, wrong


def test_types_are_found_without_the_decoder() -> None:
    body = b"\xef\xbb\xbfevent: a\r\revent:b\r\nevent: \xe9\n\n: event: c\nevent\n"
    assert wire_types(body) == ["a", "b", "c", "\N{REPLACEMENT CHARACTER}"]


def test_the_browser_agrees_under_every_systematic_delivery(reader: Reader) -> None:
    expected = decode(CHAT.body)
    assert [event.type for event in expected] == [
        *("message", "delta", "error", "message", "message"),
    ]
    found: dict[str, list[Event]] = {}
    for delivery in systematic([CHAT]):
        with serve(CHAT, delivery=delivery) as server:
            [found[repr(delivery)]] = reader.event_source(server.url, CHAT.body)
    assert found == dict.fromkeys(found, expected)
    assert len(found) > 30


def test_after_each_byte_the_browser_knows_what_the_decoder_knows(reader: Reader) -> None:
    parts = [CHAT.body[:end] for end in range(len(CHAT.body))]
    with served(parts) as server:
        found = reader.event_sources(addresses(server, parts))
    assert found == [decode(part) for part in parts]


def test_the_browser_agrees_on_streams_put_together_at_random(reader: Reader) -> None:
    drawn = Random(24)
    pieces = [*PIECES, *[b"\n\n", b"\r\n\r\n", b"data: a\n\n", b"data:b\r", b"id: 7\n"] * 4]
    made = [b"".join(drawn.choices(pieces, k=drawn.randint(4, 24))) for _ in range(200)]
    bodies = [body for body in made if not LINE_END_AFTER_BOM.match(body)]
    with served(bodies, delivery=Delivery(cuts="whole")) as server:
        found = reader.event_sources(addresses(server, bodies))
    wrong = {
        body: (events, decode(body))
        for body, events in zip(bodies, found, strict=True)
        if events != decode(body)
    }
    assert not wrong
    assert sum(map(len, found)) > 100


def test_a_byte_at_a_time_and_in_other_words_it_means_the_same(reader: Reader) -> None:
    changed = (rewrites.crlf(), rewrites.comments(every=1), rewrites.no_space_after_colon())
    with serve(CHAT, delivery=Delivery(cuts="bytes", rewrites=changed)) as server:
        [events] = reader.event_source(server.url, CHAT.body)
    assert events == decode(CHAT.body)


@pytest.mark.skipif(not corpus.MANIFEST.exists(), reason=f"no recorded streams at {corpus.CORPUS}")
def test_the_browser_agrees_on_recorded_streams(reader: Reader) -> None:
    streams = corpus.event_streams()
    bodies = list(streams.values())
    with served(bodies, delivery=Delivery(cuts="whole")) as server:
        found = dict(zip(streams, reader.event_sources(addresses(server, bodies)), strict=True))
    assert found == {name: decode(body) for name, body in streams.items()}
    assert len(found) == 40


def test_an_event_source_resumes_after_the_last_event_that_it_got(
    reader: Reader, stream_server: Callable[..., ReplayServer]
) -> None:
    server = stream_server(NUMBERED, delivery=Delivery(fault=faults.reconnect(2)))
    first, second = reader.event_source(server.url, connections=2)
    assert [event.data for event in first] == ["a", "b"]
    assert second == [Event(data="c", last_event_id="3")]
    asked = [{name.lower(): value for name, value in one.headers} for one in server.log]
    assert [headers.get("last-event-id") for headers in asked[:2]] == [None, "2"]


def test_an_event_source_is_told_to_stop_by_204(
    reader: Reader, stream_server: Callable[..., ReplayServer]
) -> None:
    server = stream_server(NUMBERED, delivery=Delivery(fault=faults.reconnect(2, then="204")))
    found = reader.page.call("eventSource", server.url, [], 9)
    assert found["gaveUp"]
    assert [len(events) for events in found["seen"]] == [2, 0]
    assert server.log[1].status == 204


@pytest.mark.parametrize("credentials", [False, True])
def test_pages_of_another_origin_may_read_a_stream_unless_it_is_forbidden(
    reader: Reader, *, credentials: bool
) -> None:
    with serve(NUMBERED) as server, serve(NUMBERED, cors=False) as closed:
        [events] = reader.event_source(server.url, credentials=credentials)
        assert [event.data for event in events] == ["a", "b", "c"]
        found = reader.page.call("eventSource", closed.url, [], 9, credentials)
        assert found == {"seen": [[]], "gaveUp": True}


def test_an_error_of_the_stream_is_not_an_error_of_the_connection(reader: Reader) -> None:
    body = b'event: error\ndata: {"message": "overloaded"}\n\nevent: open\ndata: x\n\n'
    with serve(Tape.of(body)) as server:
        [events] = reader.event_source(server.url)
    assert [(event.type, event.data) for event in events] == [
        ("error", '{"message": "overloaded"}'),
        ("open", "x"),
    ]
