"""What stands under a failure: the delivery in words, with an excerpt for each cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from streamtape import Delivery, Tape, seams, strategies
from streamtape.delivery import Pace, contents, faults, middleboxes, rewrites
from streamtape.delivery.seams import KINDS
from streamtape.report.cuts import explain
from streamtape.wire.eventstream import build_message
from tests.streams import ollama, openai_chat

CAFE = Tape.of(b'data: {"n":0}\n\n' * 16 + 'data: {"text":"café au lait"}\n\n'.encode())
EVERYTHING = Tape.of(
    b"\xef\xbb\xbf: ping\r\n\r\nevent: x\r\nid: 1\r\n"
    + 'data: {"text":"café \\n \\ud83d\\udc69 👩"}\n\ndata: [DONE]\n\n: bye\n\ndata: lost'.encode()
)
LINES = Tape.of(
    b'{"n":1}\n\n{"n":2}\r\n{"n":3}\n' + '{"text":"é\\n"}\n'.encode(),
    content_type="application/x-ndjson",
)
HEADERS = b"\x0b:event-type\x07\x00\x05chunk"
MESSAGES = Tape.of(
    b"".join(build_message(HEADERS, f'{{"bytes":"é{n}"}}'.encode()) for n in range(3)),
    content_type="application/vnd.amazon.eventstream",
)
CHAT = Tape.of(b"".join(openai_chat()))
TEXT = Tape.of("a café\nat noon".encode(), content_type="text/plain")


def explained(tape: Tape, *cuts: int) -> list[str]:
    return explain(Delivery(cuts=cuts), tape)


def after(tape: Tape, text: str | bytes) -> int:
    """The offset behind the first *text* in the body."""
    text = text.encode() if isinstance(text, str) else text
    return tape.body.index(text) + len(text)


def test_a_cut_inside_a_character() -> None:
    cut = after(CAFE, b"caf\xc3")
    assert explained(CAFE, cut) == [
        f"cut {cut} falls inside the UTF-8 sequence of 'é', event 17, field data:",
        r'    data: {"text":"caf\xc3 | \xa9 au lait"}',
    ]


@pytest.mark.parametrize(
    ("text", "where", "excerpt"),
    [
        (b"\xef", "inside the byte order mark, the block before event 1", r"\xef | \xbb\xbf: ping"),
        (
            b"\xef\xbb\xbf",
            "after the byte order mark, the block before event 1",
            r"\xef\xbb\xbf | : ping",
        ),
        (
            b": p",
            "inside the block before event 1, comment",
            r"\xef\xbb\xbf: p | ing",
        ),
        (
            b"ping\r",
            "between CR and LF, the block before event 1, comment",
            r"\xef\xbb\xbf: ping\r | \n\r\n",
        ),
        (
            b"ping\r\n\r\n",
            "between the block before event 1 and event 1",
            r"\xef\xbb\xbf: ping\r\n\r\n | event: x",
        ),
        (b"ev", "inside the field name 'event', event 1", "ev | ent: x"),
        (b"event", "after the field name 'event', event 1", "event | : x"),
        (b"event:", "after the colon, event 1, field event", "event: |  x"),
        (b"event: x", "before the line end, event 1, field event", r"event: x | \r\n"),
        (b"event: x\r", "between CR and LF, event 1, field event", r"event: x\r | \n"),
        (b"event: x\r\n", "before a line, event 1, field id", r"event: x\r\n | id: 1"),
        (
            b"caf\xc3",
            "inside the UTF-8 sequence of 'é', event 1, field data",
            r'data: {"text":"caf\xc3 | \xa9 \n \ud83d\udc69 👩"}',
        ),
        (
            "café \\",
            r"inside the JSON escape \n, event 1, field data",
            r'data: {"text":"café \ | n \ud83d\udc69 👩"}',
        ),
        (
            "\\ud83d",
            r"inside the JSON escape \ud83d\udc69, event 1, field data",
            r'data: {"text":"café \n \ud83d | \udc69 👩"}',
        ),
        (
            b"\xf0\x9f",
            "inside the UTF-8 sequence of '👩', event 1, field data",
            r'data: {"text":"café \n \ud83d\udc69 \xf0\x9f | \x91\xa9"}',
        ),
        (
            "caf",
            "inside event 1, field data",
            r'data: {"text":"caf | é \n \ud83d\udc69 👩"}',
        ),
        (
            '👩"}\n',
            "before the blank line, event 1",
            r'data: {"text":"café \n \ud83d\udc69 👩"}' + r"\n | \n",
        ),
        (
            '👩"}\n\n',
            "between event 1 and event 2",
            r'data: {"text":"café \n \ud83d\udc69 👩"}' + r"\n\n | data: [DONE]",
        ),
        (b"[DO", "inside [DONE], event 2, field data", "data: [DO | NE]"),
        (b"[DONE]\n\n", "between event 2 and the block after event 2", r"data: [DONE]\n\n | : bye"),
        (b": b", "inside the block after event 2, comment", ": b | ye"),
        (b"data: lo", "inside the block after event 2, field data", "data: lo | st"),
    ],
)
def test_cuts_in_an_event_stream(text: str | bytes, where: str, excerpt: str) -> None:
    cut = after(EVERYTHING, text)
    assert explained(EVERYTHING, cut) == [f"cut {cut} falls {where}:", f"    {excerpt}"]


@pytest.mark.parametrize(
    ("text", "where", "excerpt"),
    [
        (b'{"n"', "inside line 1", '{"n" | :1}'),
        (b'{"n":1}', "before the line end, line 1", r'{"n":1} | \n\n'),
        (b'{"n":1}\n', "between line 1 and line 2", r'{"n":1}\n | \n'),
        (b'{"n":1}\n\n', "inside line 2", r'{"n":1}\n\n | {"n":2}'),
        (b"2}\r", "between CR and LF, line 2", r'{"n":2}\r | \n'),
        (b"\xc3", "inside the UTF-8 sequence of 'é', line 4", r'{"text":"\xc3 | \xa9\n"}'),
        ("é\\", r"inside the JSON escape \n, line 4", r'{"text":"é\ | n"}'),
    ],
)
def test_cuts_in_lines_of_json(text: str | bytes, where: str, excerpt: str) -> None:
    cut = after(LINES, text)
    assert explained(LINES, cut) == [f"cut {cut} falls {where}:", f"    {excerpt}"]


@pytest.mark.parametrize(
    ("into", "where"),
    [
        (4, "inside message 2, prelude"),
        (12, "inside message 2, after the prelude"),
        (20, "inside message 2, headers"),
        (12 + len(HEADERS), "inside message 2, payload"),
        (12 + len(HEADERS) + 11, "inside the UTF-8 sequence of 'é', message 2, payload"),
        (-4, "inside message 2, before the checksum"),
        (-1, "inside message 2, checksum"),
        (0, "between message 1 and message 2"),
    ],
)
def test_cuts_in_messages(into: int, where: str) -> None:
    length = len(MESSAGES.body) // 3
    cut = length + into if into >= 0 else 2 * length + into
    sentence, excerpt = explained(MESSAGES, cut)
    assert sentence == f"cut {cut} falls {where}:"
    assert " | " in excerpt


def test_bytes_that_are_no_text_are_escaped() -> None:
    cut = len(MESSAGES.body) // 3 + 12
    assert explained(MESSAGES, cut)[1] == (
        r"""    …\x003\x00\x00\x00\x14\x99y\xc9B | \x0b:event-type\x07\x00\x05chunk{"…"""
    )


def test_what_follows_a_broken_message_is_a_message_too() -> None:
    broken = Tape.of(
        MESSAGES.body[:60], content_type="application/vnd.amazon.eventstream", cuts="whole"
    )
    assert explained(broken, 55)[0] == "cut 55 falls inside message 2, prelude:"
    beyond = Tape.of(MESSAGES.body[:90], content_type="application/vnd.amazon.eventstream")
    assert explained(beyond, 85)[0].startswith("cut 85 falls inside message 2, ")


def test_cuts_in_a_body_without_frames() -> None:
    assert explained(TEXT, 6) == [
        "cut 6 falls inside the UTF-8 sequence of 'é', the body:",
        r"    a caf\xc3 | \xa9",
    ]
    assert explained(TEXT, 10) == ["cut 10 falls inside the body:", "    at |  noon"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_seam_has_words_of_its_own(kind: str) -> None:
    of_kind = [
        (tape, cut)
        for tape in (EVERYTHING, LINES, MESSAGES)
        for cut, found in seams(tape.body)
        if found == kind
    ]
    words = {
        "utf-8": ("inside the UTF-8 sequence of", "byte order mark"),
        "crlf": ("between CR and LF",),
        "blank line": ("before the blank line",),
        "bom": ("after the byte order mark",),
        "json escape": ("inside the JSON escape",),
        "sentinel": ("inside [DONE]",),
        "colon": ("after the colon",),
        "field name": ("the field name",),
        "line end": ("before the line end",),
        "line start": ("before a line",),
        "prelude": ("prelude",),
        "checksum": ("checksum",),
    }
    assert of_kind
    for tape, cut in of_kind:
        assert any(word in explained(tape, cut)[0] for word in words[kind])


def test_empty_chunks() -> None:
    end = len(CAFE.body)
    assert explained(CAFE, 0) == ["cut 0 puts an empty chunk before the first byte"]
    assert explained(CAFE, end) == [f"cut {end} puts an empty chunk after the last byte"]
    assert explained(CAFE, 4, 4) == [
        "cut 4, made twice for an empty chunk, falls after the field name 'data', event 1:",
        '    data | : {"n":0}',
    ]
    assert explained(CAFE, 4, 4, 4)[0].startswith("cut 4, made 3 times for an empty chunk, falls")


def test_a_cut_past_the_end() -> None:
    end = len(CAFE.body)
    assert explained(CAFE, 9999) == [
        f"cut 9999 lies past the end of the body, at {end}: nothing is cut"
    ]
    empty = Tape.of(b"")
    assert explained(empty, 0) == ["cut 0 puts an empty chunk before the first byte"]
    assert explained(empty, 1) == ["cut 1 lies past the end of the body, at 0: nothing is cut"]


def test_of_many_cuts_the_first_three_and_how_many_more() -> None:
    lines = explained(CAFE, 1, 2, 3, 4)
    assert lines[-1] == "and 1 more cut"
    assert [line.split(" falls")[0] for line in lines[:-1:2]] == ["cut 1", "cut 2", "cut 3"]
    assert explained(CAFE, *range(1, 2000))[-1] == "and 1,996 more cuts"
    assert len(explained(CAFE, 1, 2, 2, 3)) == 6


@pytest.mark.parametrize(
    ("delivery", "lines"),
    [
        (Delivery(), []),
        (Delivery(cuts="bytes"), ["one byte at a time"]),
        (Delivery(cuts="whole"), ["all at once, in one chunk"]),
        (Delivery(cuts=()), ["all at once, in one chunk"]),
        (Delivery(cuts="events"), ["one event at a time, each in a chunk of its own"]),
        (Delivery(pace="recorded"), ["in the time that was recorded"]),
        (Delivery(pace="virtual"), ["in the time that was recorded"]),
        (Delivery(pace=2), ["2 times as fast as recorded"]),
        (Delivery(pace=0.5), ["0.5 times as fast as recorded"]),
        (Delivery(pace=Pace(max_gap=1.0)), ["at the pace Pace(max_gap=1.0)"]),
        (Delivery(cuts=middleboxes.burst()), [middleboxes.burst().sentence]),
    ],
)
def test_deliveries_without_cuts_of_their_own(delivery: Delivery, lines: list[str]) -> None:
    assert explain(delivery, CAFE) == lines


def test_changes_by_their_sentences_and_cuts_in_what_they_make() -> None:
    delivery = Delivery(
        (7,),
        2.0,
        (rewrites.crlf(), rewrites.comments()),
        (contents.zwj(),),
        faults.reset_after(2),
    )
    assert explain(delivery, CHAT) == [
        contents.zwj().sentence,
        rewrites.crlf().sentence,
        rewrites.comments().sentence,
        "cut 7 falls between CR and LF, the block before event 1, comment:",
        r"    : ping\r | \n\r\n",
        "2 times as fast as recorded",
        faults.reset_after(2).sentence,
    ]


def test_a_long_line_is_shortened_around_the_cut() -> None:
    cut = after(CHAT, b'"content":"\xc3')
    sentence, excerpt = explained(CHAT, cut)
    assert sentence == f"cut {cut} falls inside the UTF-8 sequence of 'é', event 4, field data:"
    assert excerpt == (
        r"""    …index":0,"delta":{"content":"\xc3 | \xa9"},"logprobs":null,"finish_rea…"""
    )
    assert cell_len(excerpt) == 76


def test_a_long_field_name_is_shortened() -> None:
    tape = Tape.of(b"data: x\n" + b"n" * 50 + b": y\n\n", cuts="whole")
    assert (
        explained(tape, 61)[0] == f"cut 61 falls before the line end, event 1, field {'n' * 19}…:"
    )


def test_what_a_terminal_would_obey_is_escaped() -> None:
    tape = Tape.of("data: a\x1b[31m\u202eb\u2028c\t\x00d\n\n".encode())
    (sentence, excerpt) = explained(tape, 7)
    assert excerpt == r"    data: a | \x1b[31m\xe2\x80\xaeb\xe2\x80\xa8c\t\x00d"
    assert sentence == "cut 7 falls inside event 1, field data:"
    named = Tape.of(b"data: x\n\x1b[31m: y\n\n", cuts="whole")
    assert explained(named, 11)[0] == r"cut 11 falls inside the field name '\x1b[31m', event 1:"


@given(strategies.streams(), st.data())
@settings(max_examples=100, deadline=None)
def test_every_cut_is_told_in_lines_that_fit(
    stream: strategies.Stream, data: st.DataObject
) -> None:
    delivery = Delivery(cuts=data.draw(strategies.cuts(stream.body)))
    lines = explain(delivery, stream.tape)
    for line in lines:
        assert line.isprintable()
        assert cell_len(line) <= 76 or not line.startswith("    ")


@given(st.binary(max_size=80), st.integers(0, 90))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_told_whatever_their_type_says(body: bytes, cut: int) -> None:
    for content_type in ("text/event-stream", "application/x-ndjson", "text/plain"):
        lines = explain(Delivery(cuts=(cut,)), Tape.of(body, content_type=content_type))
        assert lines
        assert all(line.isprintable() for line in lines)


def test_an_escape_of_a_control_character_is_escaped() -> None:
    tape = Tape.of(b'data: "\\\x1b"\n\n')
    assert (
        explained(tape, 8)[0] == r"cut 8 falls inside the JSON escape \\x1b, event 1, field data:"
    )


@pytest.mark.parametrize("number", range(8))
def test_a_line_of_json_is_told_by_its_number(number: int) -> None:
    tape = Tape.of(b"".join(ollama()), content_type="application/x-ndjson")
    cut = sum(map(len, ollama()[:number])) + 3
    assert explained(tape, cut)[0] == f"cut {cut} falls inside line {number + 1}:"
