"""`streamtape stats`: the numbers of `streamtape.timing`, in milliseconds."""

from __future__ import annotations

import json
from typing import Any

import pytest

import streamtape
from streamtape.tape import Tape
from tests.cli.commands import Commands, openai, timed


def a_chat() -> Tape:
    usage = b'data: {"choices":[],"usage":{"completion_tokens":4}}\n\n'
    return timed(
        (400, openai("")),
        (450, openai("a")),
        (470, openai("b")),
        (490, openai("c")[:9]),
        (2500, openai("c")[9:] + openai("d")),
        (2600, usage + b"data: [DONE]\n\n"),
        head_ms=350,
        end_ms=2650.5,
    )


def test_the_table(run: Commands) -> None:
    streamtape.save("chat.yaml", [a_chat()])
    ran = run("stats", "chat.yaml")
    assert ran.status == 0
    assert (
        ran.lines
        == """\
chat.yaml: 1 interaction

1  POST http://127.0.0.1:9/v1/chat
   200 OK · text/event-stream · sse
   7 events, 6 chunks, 352 bytes · 2.651 s · the server ended it (eof)
   time to headers             350.0 ms
   time to first chunk         400.0 ms
   time to first event         400.0 ms
   time to first token         450.0 ms
   duration                  2,650.5 ms
   time per output token       733.5 ms
   gaps in ms           min     p50     p90     p99     max    mean
   inter-chunk         20.0    50.0 1,246.0 1,933.6 2,010.0   440.0
   inter-event          0.0    35.0 1,065.0 1,933.5 2,030.0   366.7
   inter-token          0.0    20.0 1,628.0 1,989.8 2,030.0   683.3
   stall of 2,010.0 ms after 490.0 ms, before chunk 5
   1.17 events per chunk, 4 output tokens reported""".splitlines()
    )


def test_json_has_the_same_in_milliseconds(run: Commands) -> None:
    tape = a_chat()
    streamtape.save("chat.yaml", [tape, tape])
    streamtape.save("other.yaml", [Tape.of(b"data: x\n\n")])
    found: list[dict[str, Any]] = json.loads(run("stats", "--json", "chat.yaml", "other.yaml").out)
    assert [(each["cassette"], each["interaction"]) for each in found] == [
        ("chat.yaml", 1),
        ("chat.yaml", 2),
        ("other.yaml", 1),
    ]
    chat = found[0]
    times = streamtape.timing(tape)
    for name in ("duration", "time_to_headers", "time_to_first_token", "time_per_output_token"):
        assert chat[f"{name}_ms"] == pytest.approx(getattr(times, name) * 1000), name
    for name in ("inter_chunk", "inter_event", "inter_token"):
        spread = getattr(times, name)
        assert chat[f"{name}_ms"]["count"] == spread.count
        for each in ("min", "p50", "p90", "p99", "max", "mean"):
            assert chat[f"{name}_ms"][each] == pytest.approx(getattr(spread, each) * 1000)
    assert chat["stalls"] == [{"at_ms": 490.0, "length_ms": 2010.0, "chunk": 5, "late": False}]
    assert (chat["method"], chat["status"], chat["ending"]) == ("POST", 200, "eof")
    assert (chat["events"], chat["chunks"], chat["output_tokens"]) == (7, 6, 4)
    assert found[2]["method"] is None
    assert found[2]["inter_chunk_ms"] is None


def test_json_goes_through_a_pipe_unfolded(run: Commands) -> None:
    request = streamtape.Request("GET", "https://example.test/" + "x" * 200)
    streamtape.save("a.yaml", [Tape.of(b"", request=request)])
    [found] = json.loads(run("stats", "--json", "a.yaml").out)
    assert found["url"] == request.url


def test_unknown_times_are_not_shown_as_numbers(run: Commands) -> None:
    streamtape.save("a.yaml", [Tape.of(b"data: x\n\n").with_chunks((), timed=False)])
    streamtape.save("b.yaml", [timed((5, b"data: x\n\n"), end_ms=6, head_ms=1)])
    ran = run("stats", "a.yaml")
    assert not any("ms" in line for line in ran.lines)
    assert "no timeline: when and how it came is unknown" in ran.out
    [found] = json.loads(run("stats", "--json", "a.yaml").out)
    assert found["timed"] is False
    assert [value for name, value in found.items() if name.endswith("_ms")] == [None] * 9
    ran = run("stats", "a.yaml", "b.yaml")
    assert "   inter-chunk            -       -       -       -       -       -" in ran.lines
    assert "   time per output token           -" in ran.lines


def test_plain_text_has_no_tokens(run: Commands) -> None:
    streamtape.save("text.yaml", [timed((5, b"data: one\n\n"), (9, b"data: two\n\n"), end_ms=9)])
    ran = run("stats", "text.yaml")
    assert "   time to first token             -" in ran.lines
    assert "   inter-token            -       -       -       -       -       -" in ran.lines
    [found] = json.loads(run("stats", "--json", "text.yaml").out)
    assert found["time_to_first_event_ms"] == 5
    assert found["time_to_first_token_ms"] is None
