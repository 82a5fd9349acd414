"""HTTP archives that we write, read by the specification and by others' eyes."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx_sse
import pytest

import streamtape
from streamtape.tape import Request, Tape
from tests.cli.commands import Commands, openai, timed

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"
Entry = dict[str, Any]


def written(run: Commands, *tapes: Tape) -> list[Entry]:
    streamtape.save("in.yaml", tapes)
    assert run("convert", "in.yaml", "out.har").status == 0
    document = json.loads(Path("out.har").read_text())
    assert list(document) == ["log"]
    assert set(document["log"]) == {"version", "creator", "entries"}
    assert document["log"]["version"] == "1.2"
    assert set(document["log"]["creator"]) == {"name", "version"}
    entries: list[Entry] = document["log"]["entries"]
    return entries


def by_the_specification(entry: Entry) -> None:
    """The fields that http://www.softwareishard.com/blog/har-12-spec/ doesn't call optional."""
    assert {"startedDateTime", "time", "request", "response", "cache", "timings"} <= set(entry)
    assert datetime.fromisoformat(entry["startedDateTime"]).tzinfo is not None
    request, response, timings = entry["request"], entry["response"], entry["timings"]
    both = {"httpVersion", "cookies", "headers", "headersSize", "bodySize"}
    assert {"method", "url", "queryString", *both} <= set(request)
    assert {"status", "statusText", "content", "redirectURL", *both} <= set(response)
    assert {"size", "mimeType"} <= set(response["content"])
    for each in (*request["headers"], *response["headers"], *request["queryString"]):
        assert set(each) == {"name", "value"}
        assert isinstance(each["value"], str)
    assert all(timings[name] >= 0 for name in ("send", "wait", "receive"))
    assert entry["time"] == pytest.approx(sum(value for value in timings.values() if value > 0))
    # Everything else is somebody's own, and must say so.
    known = {"startedDateTime", "time", "request", "response", "cache", "timings"}
    assert all(name.startswith("_") for name in set(entry) - known)


def stream(**fields: Any) -> Tape:
    return timed(
        (400, b"id: 7\nevent: greeting\ndata: Caf"),
        (410.5, "é 👩\ndata: two\n\n: ping\n\n".encode() + openai("x")),
        (500, b"data: [DONE]\n\n"),
        head_ms=350,
        end_ms=501.25,
        headers=[
            ("content-type", "text/event-stream"),
            ("date", "Tue, 21 Oct 2025 07:28:00 GMT"),
        ],
        **{"kind": "eof", **fields},
    )


class TestWritten:
    def test_a_stream(self, run: Commands) -> None:
        tape = stream()
        [entry] = written(run, tape)
        by_the_specification(entry)
        assert entry["timings"] == {"send": 0, "wait": 350.0, "receive": 151.25}
        # The head came when the server's clock said so; the request was sent before.
        assert entry["startedDateTime"] == "2025-10-21T07:27:59.650Z"
        content = entry["response"]["content"]
        assert content["text"].encode() == tape.body
        assert (content["size"], content["mimeType"]) == (len(tape.body), "text/event-stream")

    def test_the_events_as_chrome_exports_them(self, run: Commands) -> None:
        tape = stream()
        [entry] = written(run, tape)
        messages = entry["_eventSourceMessages"]
        # An independent reading of the same text. It also dispatches blocks without data.
        decoder = httpx_sse._decoders.SSEDecoder()
        lines = entry["response"]["content"]["text"].split("\n")
        events = [event for line in lines if (event := decoder.decode(line)) is not None]
        assert [
            (message["eventName"], message["eventId"], message["data"]) for message in messages
        ] == [(event.event, event.id, event.data) for event in events if event.data]
        assert all(
            list(message) == ["time", "eventName", "eventId", "data"] for message in messages
        )
        start = datetime.fromisoformat(entry["startedDateTime"]).timestamp()
        assert [message["time"] - start for message in messages] == pytest.approx(
            [0.4105, 0.4105, 0.5], abs=1e-6
        )

    def test_a_request_with_a_body_and_a_query(self, run: Commands) -> None:
        request = Request(
            "POST",
            "https://example.test/a?b=c%20d&e=&e=2",
            [("content-type", "application/json"), ("accept", "*/*")],
            '{"a": "é"}'.encode(),
        )
        [entry] = written(run, Tape.of(b"{}", content_type="application/json", request=request))
        by_the_specification(entry)
        assert entry["request"]["queryString"] == [
            {"name": "b", "value": "c d"},
            {"name": "e", "value": ""},
            {"name": "e", "value": "2"},
        ]
        assert entry["request"]["postData"] == {
            "mimeType": "application/json",
            "text": '{"a": "é"}',
        }
        assert entry["request"]["bodySize"] == len(request.body)
        assert "_eventSourceMessages" not in entry

    def test_bytes_that_are_no_text(self, run: Commands) -> None:
        request = Request("PUT", "http://127.0.0.1:9/", [], b"\xff\x00")
        tape = Tape.of(b"\x89PNG\xff", content_type="image/png", request=request)
        [entry] = written(run, tape)
        content = entry["response"]["content"]
        assert content["encoding"] == "base64"
        assert base64.b64decode(content["text"]) == tape.body
        run("convert", "out.har", "back.yaml")
        assert streamtape.load("back.yaml") == streamtape.load("in.yaml")

    def test_a_coding_stands_in_the_headers_and_the_text_is_decoded(self, run: Commands) -> None:
        [entry] = written(run, stream(coding="gzip"))
        assert {"name": "content-encoding", "value": "gzip"} in entry["response"]["headers"]
        assert entry["response"]["content"]["text"].startswith("id: 7\n")

    def test_without_a_date_it_says_so(self, run: Commands) -> None:
        streamtape.save("in.yaml", [timed((1, openai("x")), end_ms=2)])
        ran = run("convert", "in.yaml", "out.har")
        assert "its date is unknown" in ran.err
        [entry] = json.loads(Path("out.har").read_text())["log"]["entries"]
        assert entry["startedDateTime"].startswith("1970-01-01T00:00:00")

    def test_unknown_times_are_no_events_times(self, run: Commands) -> None:
        untimed = stream().with_chunks(stream().chunks, timed=False)
        [entry] = written(run, untimed)
        by_the_specification(entry)
        assert "_eventSourceMessages" not in entry
        assert "_streamtape" not in entry
        assert "its times are unknown" in run("convert", "in.yaml", "out.har").err

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"kind": "closed"},
            {"kind": "unfinished"},
            {"kind": "error", "error": "read-timeout", "text": "slow \u2028"},
            {"coding": "br"},
            {"http_version": "HTTP/2", "status": 404, "reason": "Not There"},
        ],
        ids=str,
    )
    def test_it_comes_back_exactly(self, run: Commands, fields: dict[str, Any]) -> None:
        written(run, stream(**fields), Tape.of(b"data: any\n\n"), Tape.of(b""))
        ran = run("convert", "out.har", "back.yaml")
        assert (ran.status, ran.err) == (0, "")
        assert Path("back.yaml").read_bytes() == Path("in.yaml").read_bytes()
