"""HTTP archives that Chrome and others write, read by us."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

import streamtape
from streamtape.tape import Request, Tape
from tests.cli.commands import MS, Commands

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"
Entry = dict[str, Any]


def entry_of_chrome(**changes: Any) -> Entry:
    """What Chrome exports for an `EventSource`: the events, and no text of the body."""
    messages = [
        {"time": 1761031680.35, "eventName": "message", "eventId": "", "data": "one"},
        {"time": 1761031680.45, "eventName": "update", "eventId": "7", "data": '{"a":\n1}'},
        {"time": 1761031680.45, "eventName": "message", "eventId": "7", "data": "é"},
    ]
    entry: Entry = {
        "_initiator": {"type": "script"},
        "_priority": "High",
        "_resourceType": "eventsource",
        "cache": {},
        "connection": "51",
        "request": {
            "method": "GET",
            "url": "https://example.test/events",
            "httpVersion": "h2",
            "headers": [
                {"name": ":authority", "value": "example.test"},
                {"name": ":method", "value": "GET"},
                {"name": "accept", "value": "text/event-stream"},
                {"name": "accept", "value": "second"},
            ],
            "queryString": [],
            "cookies": [],
            "headersSize": -1,
            "bodySize": 0,
        },
        "response": {
            "status": 200,
            "statusText": "",
            "httpVersion": "h2",
            "headers": [
                {"name": "content-encoding", "value": "br"},
                {"name": "content-type", "value": "text/event-stream"},
            ],
            "cookies": [],
            "content": {"size": 0, "mimeType": "text/event-stream"},
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
            "_transferSize": 210,
            "_error": None,
        },
        "serverIPAddress": "93.184.216.34",
        "startedDateTime": "2025-10-21T07:28:00.150Z",
        "time": 400.5,
        "timings": {
            "blocked": 2.5,
            "dns": -1,
            "ssl": 10,
            "connect": 20,
            "send": 0.25,
            "wait": 100,
            "receive": 277.75,
            "_blocked_queueing": 1,
        },
        "_eventSourceMessages": messages,
    }
    for path, value in changes.items():
        *above, name = path.split("__")
        place = entry
        for key in above:
            place = place[key]
        place[name] = value
    return entry


def read(run: Commands, *entries: Entry) -> tuple[list[Tape], str]:
    log = {"version": "1.2", "creator": {"name": "WebInspector", "version": "537.36"}}
    Path("in.har").write_text(json.dumps({"log": {**log, "pages": [], "entries": [*entries]}}))
    ran = run("convert", "in.har", "out.yaml")
    assert ran.status == 0
    return streamtape.load("out.yaml"), ran.err


class TestChromes:
    def test_events_without_a_body(self, run: Commands) -> None:
        [tape], notes = read(run, entry_of_chrome())
        assert [
            (at_ns, event.type, event.last_event_id, event.data) for at_ns, event in tape.events()
        ] == [
            (200 * MS, "message", "", "one"),
            (300 * MS, "update", "7", '{"a":\n1}'),
            (300 * MS, "message", "7", "é"),
        ]
        assert len(tape.chunks) == 3
        assert tape.head_ns == 122_750_000
        assert (tape.ending.kind, tape.ending.at_ns) == ("eof", 400_500_000)
        assert (tape.http_version, tape.coding, tape.timed) == ("HTTP/2", "br", True)
        assert tape.request == Request(
            "GET", "https://example.test/events", [("accept", "text/event-stream")]
        )
        assert "the body is written anew" in notes
        assert "one chunk for each event is assumed" in notes

    def test_a_body_keeps_its_bytes(self, run: Commands) -> None:
        update = 'event: update\nid: 7\ndata: {"a":\ndata: 1}\n\n'
        text = f": hi\n\ndata: one\n\n: ping\n\n{update}data:é\n\nrest"
        [tape], notes = read(run, entry_of_chrome(response__content__text=text))
        assert tape.body == text.encode()
        assert [(piece.at_ns // MS, piece.data) for piece in tape.chunks] == [
            (200, b": hi\n\ndata: one\n\n"),
            (300, f": ping\n\n{update}".encode()),
            (300, "data:é\n\n".encode()),
            (400, b"rest"),
        ]
        assert "written anew" not in notes

    def test_times_are_not_guessed_where_events_are_missing(self, run: Commands) -> None:
        [tape], notes = read(run, entry_of_chrome(response__content__text="data: one\n\n"))
        assert not tape.timed
        assert "its times stay unknown" in notes

    def test_a_fetch_without_events(self, run: Commands) -> None:
        entry = entry_of_chrome(
            _eventSourceMessages=[],
            response__content={"size": 8, "mimeType": "application/json", "text": '{"a": 1}'},
            response__headers=[{"name": "content-length", "value": "99"}],
            request__method="POST",
            request__postData={"mimeType": "application/json", "text": '{"b": "é"}'},
        )
        [tape], _ = read(run, entry)
        assert not tape.timed
        assert tape.body == b'{"a": 1}'
        assert tape.headers == [("content-type", "application/json")]
        assert tape.request is not None
        assert tape.request.body == '{"b": "é"}'.encode()

    def test_a_form(self, run: Commands) -> None:
        params = [{"name": "a", "value": "1 2"}, {"name": "b", "value": "é"}]
        post = {"mimeType": "application/x-www-form-urlencoded", "params": params}
        [tape], _ = read(run, entry_of_chrome(request__postData=post))
        assert tape.request is not None
        assert tape.request.body == b"a=1+2&b=%C3%A9"

    @pytest.mark.parametrize(
        ("error", "kind", "expected"),
        [
            ("net::ERR_ABORTED", "closed", None),
            ("net::ERR_CONNECTION_RESET", "error", "read"),
            ("net::ERR_INCOMPLETE_CHUNKED_ENCODING", "error", "protocol"),
            ("net::ERR_TIMED_OUT", "error", "read-timeout"),
        ],
    )
    def test_a_stream_that_broke_stays_broken(
        self, run: Commands, error: str, kind: str, expected: str | None
    ) -> None:
        [tape], _ = read(run, entry_of_chrome(response___error=error))
        assert (tape.ending.kind, tape.ending.error) == (kind, expected)
        entry = entry_of_chrome(response___error=error, _eventSourceMessages=[])
        entry["response"]["content"]["text"] = "data: one\n\n"
        _, notes = read(run, entry)
        assert "its ending is not kept, for want of times" in notes

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            ("net::ERR_CONNECTION_REFUSED", "connect"),
            ("net::ERR_CONNECTION_TIMED_OUT", "connect-timeout"),
            ("net::ERR_NAME_NOT_RESOLVED", "connect"),
            ("", "connect"),
        ],
    )
    def test_no_response_at_all(self, run: Commands, error: str, expected: str) -> None:
        entry = entry_of_chrome(response__status=0, response___error=error, _eventSourceMessages=[])
        [tape], _ = read(run, entry)
        assert (tape.status, tape.head_ns, tape.chunks) == (599, None, ())
        assert (tape.ending.kind, tape.ending.error) == ("error", expected)
        assert tape.ending.text == error

    def test_websockets_are_left_out_and_said(self, run: Commands) -> None:
        socket = entry_of_chrome(_webSocketMessages=[], request__url="wss://example.test/")
        tapes, notes = read(run, socket, entry_of_chrome())
        assert len(tapes) == 1
        assert "a WebSocket that came before it is left out" in notes


def test_pieces_in_base64(run: Commands) -> None:
    pieces = json.dumps(
        [base64.b64encode(each).decode() for each in (b"data: a\n", b"\ndata: b\n\n")]
    )
    for text in (pieces, base64.b64encode(b"data: a\n\ndata: b\n\n").decode()):
        content = {"mimeType": "text/event-stream", "size": 18, "text": text, "encoding": "base64"}
        entry = entry_of_chrome(response__content=content, _eventSourceMessages=[])
        [tape], _ = read(run, entry)
        assert tape.body == b"data: a\n\ndata: b\n\n"


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of recorded streams is not here")
def test_polly_js(run: Commands) -> None:
    path = CORPUS / "Mirascope__mirascope__provides-finish-reason-after-streaming.har"
    assert run("convert", path, "out.yaml").status == 0
    tapes = streamtape.load("out.yaml")
    entries = json.loads(path.read_text())["log"]["entries"]
    assert [tape.body.decode() for tape in tapes] == [
        entry["response"]["content"]["text"] for entry in entries
    ]
    assert not any(tape.timed for tape in tapes)
    assert tapes[0].events()[0][1].type == "message_start"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a HAR is JSON in UTF-8"),
        (b"\xff\xfe{}", "a HAR is JSON in UTF-8"),
        (b"[]", "an object with `log.entries`"),
        (b'{"log": {"entries": 3}}', "an object with `log.entries`"),
        (b'{"log": {"entries": [{}]}}', "log.entries[0] is not as HAR 1.2 has it (no 'request')"),
        (b'{"log": {"entries": [[]]}}', "log.entries[0] is not as HAR 1.2 has it"),
        (b"[" * 100_000, "a HAR is JSON in UTF-8"),
    ],
)
def test_what_is_no_har_is_one_line(run: Commands, content: bytes, message: str) -> None:
    Path("in.har").write_bytes(content)
    ran = run("convert", "in.har", "out.yaml")
    assert ran.status == 2
    assert message in ran.err
    assert ran.err.startswith("streamtape: in.har: ")
    assert ran.err.count("\n") == 1
    assert not Path("out.yaml").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"startedDateTime": "yesterday"},
        {"time": None},
        {"timings": {"wait": "soon"}},
        {"request__headers": [{"name": "a"}]},
        {"response__content": None},
        {"_eventSourceMessages": [{"time": 1}]},
        {"_streamtape": {"timeline": "nonsense"}},
    ],
    ids=str,
)
def test_an_entry_that_is_none_is_named(run: Commands, change: dict[str, Any]) -> None:
    document = {"log": {"entries": [entry_of_chrome(), entry_of_chrome(**change)]}}
    Path("in.har").write_text(json.dumps(document))
    ran = run("show", "in.har")
    assert ran.status == 2
    assert "in.har: log.entries[1] is not as HAR 1.2 has it" in ran.err
