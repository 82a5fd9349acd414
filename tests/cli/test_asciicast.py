"""asciicast: each line by its specification, and sessions of asciinema as tapes."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import streamtape
from streamtape.tape import Request, Tape
from tests.cli.commands import MS, Commands, openai, timed

Line = tuple[Decimal, str, str]


def checked(path: str) -> tuple[dict[str, Any], list[Line]]:
    """A file, checked line by line against https://docs.asciinema.org/manual/asciicast/v3/."""
    first, *rest = Path(path).read_bytes().decode("utf-8").split("\n")
    assert rest.pop() == ""  # every line ends in a line feed
    header = json.loads(first)
    assert header["version"] == 3
    assert all(type(header["term"][name]) is int for name in ("cols", "rows"))
    assert isinstance(header.get("title", ""), str)
    lines = []
    for text in rest:
        interval, code, data = json.loads(text, parse_float=Decimal)
        assert interval >= 0
        assert code in "oimrx"
        assert isinstance(data, str)
        if code == "x":
            assert data.isdecimal()
        if code == "o":
            # A terminal needs both to begin a new line.
            assert data.count("\n") == data.count("\r\n")
            assert not any(ord(each) < 0x20 for each in data.replace("\r\n", "").replace("\t", ""))
        lines.append((interval, code, data))
    assert [code for _, code, _ in lines].index("x") == len(lines) - 1
    return header, lines


def written(run: Commands, *tapes: Tape) -> list[Line]:
    streamtape.save("in.yaml", tapes)
    assert run("convert", "in.yaml", "out.cast").status == 0
    return checked("out.cast")[1]


class TestWritten:
    def test_the_text_appears_as_it_came(self, run: Commands) -> None:
        tape = timed(
            (400, openai("Caf")[:20]),
            (410, openai("Caf")[20:] + openai("é 👩")),
            (2500, openai("\\n.") + b"data: [DONE]\n\n"),
            head_ms=350.2,
            end_ms=2600,
        )
        assert written(run, tape) == [
            (Decimal("0.000000"), "m", "1 POST http://127.0.0.1:9/v1/chat"),
            (Decimal("0.000000"), "o", "POST http://127.0.0.1:9/v1/chat\r\n"),
            (Decimal("0.350200"), "o", "200 text/event-stream\r\n\r\n"),
            (Decimal("0.059800"), "o", "Caf"),
            (Decimal("0.000000"), "o", "é 👩"),
            (Decimal("2.090000"), "m", "stall of 2.1 s"),
            (Decimal("0.000000"), "o", "\r\n."),
            (Decimal("0.100000"), "o", "\r\n[the server ended it (eof), 2.600 s]\r\n"),
            (Decimal("0.000000"), "x", "0"),
        ]

    def test_intervals_do_not_drift(self, run: Commands) -> None:
        body = b"".join(openai(f"{n} ") for n in range(3000))
        tape = Tape.of(body, gap_ms=1 / 3)
        lines = written(run, tape)
        total = sum(interval for interval, _, _ in lines)
        assert total == Decimal(round(tape.ending.at_ns / 1000)) / 1_000_000
        at = Decimal(0)
        shown = []
        for interval, code, data in lines:
            at += interval
            if code == "o" and data.strip().isdecimal():
                shown.append(at)
        assert len(shown) == 3000
        for moment, chunk in zip(shown, tape.chunks, strict=True):
            assert abs(moment * 1_000_000_000 - chunk.at_ns) <= 500

    def test_events_of_no_known_provider(self, run: Commands) -> None:
        lines = written(run, Tape.of(b'data: {"a": 1}\n\nevent: x\ndata: {"b":\ndata: 2}\n\n'))
        assert [data for _, _, data in lines[3:5]] == ['{"a": 1}\r\n', '{"b":\r\n2}\r\n']

    def test_a_body_without_events_is_decoded_across_its_chunks(self, run: Commands) -> None:
        body = "é 👩\n".encode()
        lines = written(run, Tape.of(body, content_type="text/plain", cuts="bytes", gap_ms=1))
        text = [data for _, code, data in lines if code == "o"]
        assert text[2:-1] == ["é", " ", "👩", "\r\n"]

    def test_several_one_after_the_other(self, run: Commands) -> None:
        tapes = [
            timed((1, openai("a")), end_ms=10),
            timed((1, openai("b")), end_ms=5, kind="closed"),
        ]
        lines = written(run, *tapes)
        assert [data for _, code, data in lines if code == "m"] == [
            "1 POST http://127.0.0.1:9/v1/chat",
            "2 POST http://127.0.0.1:9/v1/chat",
        ]
        assert sum(interval for interval, _, _ in lines) == Decimal("1.015")
        assert lines[-1] == (Decimal(0), "x", "1")
        assert lines[-2][2] == "\r\n[the client closed it, 0.005 s]\r\n"

    def test_escape_sequences_are_shown_and_not_played(self, run: Commands) -> None:
        request = Request("GET", "http://x/\x1b[2J")
        lines = written(run, Tape.of(b"data: \x1b]0;title\x07\n\n", request=request))
        assert r"\x1b]0;title\x07" in lines[3][2]

    def test_what_is_lost_is_said(self, run: Commands) -> None:
        untimed = Tape.of(openai("a")).with_chunks(Tape.of(openai("a")).chunks, timed=False)
        streamtape.save("in.yaml", [untimed])
        ran = run("convert", "in.yaml", "out.cast")
        assert "its times are unknown: all of it appears at once" in ran.err
        assert "headers, chunk boundaries and all that isn't shown are gone" in ran.err
        _, lines = checked("out.cast")
        assert {interval for interval, _, _ in lines} == {0}

    def test_an_empty_cassette(self, run: Commands) -> None:
        assert written(run) == [(Decimal(0), "x", "0")]


V3 = """\
{"version": 3, "term": {"cols": 80, "rows": 24}, "command": "curl -N http://127.0.0.1/"}
# the first chunk
[0.25, "o", "data: one\\r"]
[0.125, "o", "\\n\\r\\ndata: \\u00e9"]

[0.5, "i", "typed"]
[0.125, "o", "\\r\\n\\r\\n"]
[1.5, "m", "here"]
[0.5, "x", "0"]
"""
V2 = """\
{"version": 2, "width": 80, "height": 24, "timestamp": 1504467315}
[0.25, "o", "data: one\\r"]
[0.375, "o", "\\n\\r\\ndata: \\u00e9"]
[1.0, "o", "\\r\\n\\r\\n"]
"""


class TestRead:
    @pytest.mark.parametrize(("text", "end_ms"), [(V3, 3000), (V2, 1000)])
    def test_a_session_is_a_tape_of_what_was_shown(
        self, run: Commands, text: str, end_ms: int
    ) -> None:
        Path("in.cast").write_text(text)
        ran = run("convert", "in.cast", "out.yaml")
        assert ran.status == 0
        assert "a terminal session has no request and no head" in ran.err
        [tape] = streamtape.load("out.yaml")
        assert [(piece.at_ns, piece.data) for piece in tape.chunks] == [
            (250 * MS, b"data: one"),
            (375 * MS, "\n\ndata: é".encode()),
            (1000 * MS, b"\n\n"),
        ]
        assert (tape.framing, tape.request, tape.timed) == ("sse", None, True)
        assert [event.data for _, event in tape.events()] == ["one", "é"]
        assert (tape.ending.kind, tape.ending.at_ns) == ("eof", end_ms * MS)

    def test_plain_output(self, run: Commands) -> None:
        Path("in.cast").write_text(
            '{"version": 3, "term": {"cols": 80, "rows": 24}}\n[0.5, "o", "$ ls\\r"]\n'
        )
        assert run("convert", "in.cast", "out.yaml").status == 0
        [tape] = streamtape.load("out.yaml")
        assert (tape.framing, tape.body) == ("raw", b"$ ls\r")
        assert tape.content_type == "text/plain; charset=utf-8"

    def test_our_own(self, run: Commands) -> None:
        written(run, timed((5, openai("Hello")), end_ms=6, head_ms=1))
        assert run("convert", "out.cast", "back.yaml").status == 0
        [tape] = streamtape.load("back.yaml")
        assert b"\nHello\n" in tape.body
        assert [piece.at_ns for piece in tape.chunks] == [0, 1 * MS, 5 * MS, 6 * MS]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "in.cast:1: a line of an asciicast is JSON"),
            ("hello\n", "in.cast:1: a line of an asciicast is JSON"),
            ("[]\n", "in.cast:1: an asciicast's first line is an object with `version` 2 or 3"),
            ('{"version": 1, "stdout": []}', "in.cast:1: an asciicast's first line"),
            (V3 + "[1.0]\n", "in.cast:10: expected [seconds, code, data], found [1.0]"),
            (V3 + '[1.0, "o"\n', "in.cast:10: a line of an asciicast is JSON"),
            (V3 + '["a", "o", "b"]\n', "in.cast:10: expected [seconds, code, data]"),
        ],
    )
    def test_what_is_none_is_one_line(self, run: Commands, text: str, message: str) -> None:
        Path("in.cast").write_text(text)
        ran = run("convert", "in.cast", "out.yaml")
        assert ran.status == 2
        assert ran.err.startswith(f"streamtape: {message}")
        assert ran.err.count("\n") == 1
