"""`streamtape show` at 80 columns, screen by screen."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

import streamtape
from streamtape.report.rows import rows
from streamtape.report.text import show
from streamtape.tape import Chunk, Ending, Request, Tape
from streamtape.wire import eventstream
from tests.cli.commands import MS, Commands, openai, timed

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"


def screen(tape: Tape, **options: Any) -> list[str]:
    console = Console(width=80, file=io.StringIO(), record=True, color_system=None)
    show(tape, console, **options)
    return [line.rstrip() for line in console.export_text().splitlines()]


def expected(text: str) -> list[str]:
    return text.strip("\n").splitlines()


def test_a_chat_stream_with_all_that_can_happen() -> None:
    tape = timed(
        (410, b": ping\n\n"),
        (460, openai("Caf")),
        (500.5, openai("é 👩")[:40]),
        (512, openai("é 👩")[40:] + openai(" au") + openai(" lait")),
        (2720, openai(" 日本")),
        (2800, b"data: [DONE]\n\n"),
        head_ms=350.2,
        end_ms=2801,
    )
    chunks = list(tape.chunks)
    chunks[-1] = Chunk(chunks[-1].at_ns, chunks[-1].data, late=True)
    shown = screen(tape.with_chunks(chunks), number=3)
    assert shown == expected("""
3  POST http://127.0.0.1:9/v1/chat
   200 OK · text/event-stream · sse
   6 events, 6 chunks, 327 bytes · 2.801 s · the server ended it (eof)
  time ms     gap ms  chunk  event      data
    350.2      350.2                    response head
    410.0       59.8  1      (comment)          : ping
    460.0       50.0  2      message    "Caf"   {"choices":[{"index":0,"delta":…
    512.0       52.0  3-4 ┐  message    "é 👩"  {"choices":[{"index":0,"delta":…
    512.0        0.0  4   │  message    " au"   {"choices":[{"index":0,"delta":…
    512.0        0.0  4   ┘  message    " lait" {"choices":[{"index":0,"delta":…
  2,720.0    2,208.0! 5      message    " 日本" {"choices":[{"index":0,"delta":…
 ≤2,800.0       80.0  6      message            [DONE]
  2,801.0        1.0                    the server ended it (eof)
!    a stall: nothing came for more than a second
≤    the client was away: the chunk may have come sooner
┐┘   came together, in one chunk
2-3  was cut: begins in one chunk and is complete in another
""")
    assert max(map(cell_len, shown)) <= 80


def test_types_stand_in_a_column_where_they_say_something() -> None:
    body = (
        b'event: response.function_call_arguments.delta\ndata: {"args":"x"}\n\n'
        b"event: ping\ndata: {}\n\n"
    )
    assert screen(Tape.of(body, gap_ms=10)) == expected("""
1  any request
   200 OK · text/event-stream · sse
   2 events, 2 chunks, 88 bytes · 0.020 s · the server ended it (eof)
  time ms     gap ms  chunk  event                 data
      0.0        0.0                               response head
     10.0       10.0  1      …all_arguments.delta  {"args":"x"}
     20.0       10.0  2      ping                  {}
     20.0        0.0                               the server ended it (eof)
""")


def test_without_a_timeline_no_time_is_made_up(tmp_path: Path, run: Commands) -> None:
    (tmp_path / "old.yaml").write_text("""
interactions:
- request: {method: GET, uri: 'https://example.test/', body: null, headers: {}}
  response:
    status: {code: 200, message: OK}
    headers: {Content-Type: [text/event-stream], Content-Encoding: [gzip]}
    body: {string: "data: one\\n\\ndata: two\\n\\n"}
version: 1
""")
    ran = run("show", "old.yaml")
    assert ran.status == 0
    assert ran.lines == expected("""
old.yaml: 1 interaction

1  GET https://example.test/
   200 OK · text/event-stream · sse · gzip
   2 events, 22 bytes · no timeline: when and how it came is unknown
data
one
two
""")


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("closed", {}, "the client closed it"),
        ("error", {"error": "read-timeout", "text": "slow"}, "it broke (read-timeout): slow"),
        ("unfinished", {}, "the recorder died while it ran"),
    ],
)
def test_an_ending_that_is_no_eof_is_seen_twice(
    kind: str, fields: dict[str, str], words: str
) -> None:
    shown = screen(timed((1, b"data: a\n\n"), end_ms=5, kind=kind, **fields))
    assert shown[2].endswith(f" · {words}")
    assert shown[-1] == f"      5.0        4.0         {words}"


def test_a_remainder_is_no_event() -> None:
    shown = screen(timed((1, b"data: a\n\ndata: b"), end_ms=2, kind="closed"))
    assert shown[2].startswith("   1 event, 1 chunk")
    assert shown[5:7] == [
        "      1.0        1.0  1 ┐    message       a",
        "      1.0        0.0  1 ┘    (unfinished)  data: b",
    ]


def test_no_response_at_all() -> None:
    ending = Ending("error", 3 * MS, "connect", "refused")
    tape = Tape((), ending, Request("GET", "http://127.0.0.1:1/"), status=599, head_ns=None)
    assert screen(tape) == expected("""
1  GET http://127.0.0.1:1/
   no response · 0.003 s · it broke (connect): refused
""")


def test_an_unframed_body_is_summed_up() -> None:
    body = b'{"text": "' + "é".encode() * 400 + b'"}'
    tape = Tape.of(body, content_type="application/json", cuts=[100], gap_ms=1)
    shown = screen(tape)
    assert shown[1:3] == [
        "   200 OK · application/json · raw",
        "   2 chunks, 812 bytes · 0.002 s · the server ended it (eof)",
    ]
    assert shown[3] == '   {"text": "' + "é" * 67
    assert shown[-1] == "   … (--full shows all)"
    assert "".join(line.strip() for line in shown[3:]).count("é") == 290


def test_an_unframed_body_in_full_is_its_chunks() -> None:
    tape = Tape.of(b"\xff\x00abc", content_type="image/png", cuts=[2], gap_ms=1)
    assert screen(tape, full=True)[-5:] == expected(r"""
  time ms     gap ms  chunk  data
      0.0        0.0         response head
      1.0        1.0  1      \xff\x00
      2.0        1.0  2      abc
      2.0        0.0         the server ended it (eof)
""")


def test_full_shortens_nothing() -> None:
    request = Request("POST", "https://example.test/" + "x" * 100, [("accept", "*/*")], b'{"a": 1}')
    data = '{"text":"' + "long " * 30 + '"}'
    tape = Tape.of(f"data: {data}\n\n".encode(), request=request)
    shown = screen(tape, full=True)
    assert "".join(line.strip() for line in shown[:2]) == f"1  POST {request.url}"
    assert "     accept: */*" in shown
    assert '     {"a": 1}' in shown
    indent = " " * shown[-2].index(shown[-2].strip())
    rest = "".join(line.removeprefix(indent) + " " for line in shown[-6:-1])
    assert data.split()[-5:] == rest.split()[-5:]
    assert max(map(len, shown)) <= 80


def test_nothing_that_a_terminal_would_obey_gets_through() -> None:
    wicked = "\x1b]0;title\x07 \x9b2J \u202egnp.exe \u2066x \x00"
    headers = [("content-type", "text/event-stream\x1b[2J")]
    tape = Tape.of(
        f"event: \x1b[1m\ndata: {wicked}\n\ndata: a\ndata: b\n\n".encode(),
        request=Request("GET\x1b", f"http://x/{wicked}", [("a\x1b", wicked)], wicked.encode()),
    ).with_chunks((), headers=headers)
    tape = tape.with_chunks(Tape.of(f"data: {wicked}\n\ndata: a\ndata: b\n\n".encode()).chunks)
    for full in (False, True):
        shown = "\n".join(screen(tape, full=full))
        assert not set(shown) & set("\x00\x07\x1b\x9b\u202e\u2066")
        assert r"\x1b]0;title\x07" in shown
        assert "a↵b" in shown


def test_amazons_messages() -> None:
    path = CORPUS / "pydantic__pydantic-ai__test_bedrock_model_stream_empty_text_delta.yaml"
    if not path.exists():
        pytest.skip("the corpus of recorded streams is not here")
    [tape] = streamtape.load(path)
    shown = screen(tape)
    assert shown[2].endswith("application/vnd.amazon.eventstream · eventstream")
    assert any(line.startswith("messageStart ") for line in shown)
    cut = Tape.of(tape.body[:-5], content_type="application/vnd.amazon.eventstream")
    assert rows(cut)[-1].kind == "unfinished"
    assert eventstream.frame_ends(tape.body)[-1] == len(tape.body)


def test_one_of_several(run: Commands) -> None:
    streamtape.save("three.yaml", [Tape.of(f"data: {n}\n\n".encode()) for n in range(3)])
    ran = run("show", "three.yaml", "--interaction", "2")
    assert ran.lines[0] == "three.yaml: 3 interactions"
    assert ran.lines[2] == "2  any request"
    assert [
        line for line in ran.lines if line.endswith(("0", "1", "2")) and " 1      " in line
    ] == ["      0.0        0.0  1      1"]


@pytest.mark.parametrize("number", ["0", "4", "-1"])
def test_one_that_is_not_there(run: Commands, number: str) -> None:
    streamtape.save("three.yaml", [Tape.of(b"")] * 3)
    ran = run("show", "three.yaml", f"--interaction={number}")
    assert (ran.status, ran.out) == (2, "")
    assert (
        ran.err == f"streamtape: three.yaml: has 3 interactions, so there is no number {number}\n"
    )


def test_several_files(run: Commands) -> None:
    streamtape.save("a.yaml", [Tape.of(b"data: one\n\n")])
    streamtape.save("b.yaml", [Tape.of(b"data: two\n\n"), Tape.of(b"data: three\n\n")])
    each = [run("show", name).out for name in ("a.yaml", "b.yaml")]
    ran = run("show", "a.yaml", "b.yaml")
    assert (ran.status, ran.out) == (0, "\n".join(each))
    second = run("show", "--interaction", "2", "a.yaml", "b.yaml")
    assert (second.status, second.out) == (2, "")
    assert second.err == "streamtape: a.yaml: has 1 interaction, so there is no number 2\n"
    missing = run("show", "a.yaml", "c.yaml")
    assert (missing.status, missing.out) == (2, "")


def test_a_part_file_says_what_it_is(run: Commands) -> None:
    streamtape.save("a.yaml", [Tape.of(b"data: a\n\n")])
    Path("a.yaml").rename("a.yaml.part")
    ran = run("show", "a.yaml.part")
    assert ran.lines[0] == "a.yaml.part: 1 interaction, of a recording that didn't come to its end"


def test_of_many_rows_the_ones_in_the_middle_may_be_left_out() -> None:
    tape = Tape.of(b"".join(b"data: %d\n\n" % n for n in range(20)), gap_ms=1)
    shown = screen(tape, most=6)
    assert [line.split()[-1] for line in shown[5:9]] == ["0", "1", "2", "3"]
    assert shown[9] == "        …  14 more rows"
    assert [line.split()[-1] for line in shown[10:12]] == ["18", "19"]


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_any_width_holds_every_row(width: int) -> None:
    tape = timed((1, openai("日本語のテキスト")), (2, openai("x" * 200)), end_ms=3)
    console = Console(width=width, file=io.StringIO(), record=True, color_system=None)
    show(tape, console)
    shown = console.export_text().splitlines()
    # The two times, the chunk and eight columns of data are what a row needs at least.
    assert all(cell_len(line) <= max(width, 40) for line in shown if "{" in line)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of recorded streams is not here")
def test_every_recorded_stream_can_be_shown(run: Commands) -> None:
    shown = 0
    for path in sorted(CORPUS.iterdir()):
        try:
            tapes = streamtape.load(path)
        except (streamtape.CassetteError, OSError):
            continue
        shown += 1
        for full in ([], ["--full"]):
            ran = run("show", *full, path)
            assert (ran.status, ran.err) == (0, ""), path.name
            assert max(map(cell_len, ran.lines[1:])) <= 80
            assert sum(
                line.startswith(f"{n}  ") for n in range(1, 10) for line in ran.lines
            ) >= len(tapes)
    assert shown
