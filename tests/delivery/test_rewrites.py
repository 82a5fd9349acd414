"""Rewrites of the wire: other bytes, the same events.

The oracle is the decoder, which has its own oracles in tests/wire. What each rewrite writes is told
byte by byte in a table.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from itertools import accumulate, product
from pathlib import Path

import httpx_sse
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtape import Chunk, Delivery, Ending, Tape
from streamtape.codings import CODINGS, Encoder, available
from streamtape.codings import Decoder as Decompressor
from streamtape.delivery import rewrites
from streamtape.delivery.change import Change, Rewrite
from streamtape.delivery.expression import parse
from streamtape.delivery.rewrites.blocks import read
from streamtape.tape import recut
from streamtape.wire import ndjson
from streamtape.wire.sse import BOM, Decoder, frame_ends

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "deliveries.md"
MAKERS = {name: getattr(rewrites, name) for name in rewrites.__all__ if name != "every"}

LINES = (
    *(b"data: a", b"data:b", b"data:  c", b"data", b"data:", b"data: ", b'data: {"a": [1, 2]}'),
    *(b"event: x", b"event: message", b"event:message", b"event:", b"event"),
    *(b"id: 1", b"id:", b"id", b"id:  2", b"id: a\0b", b"id: \xff\xfe"),
    *(b"retry: 100", b"retry: 7x", b"retry", b"retry:  9", "retry: \u0661".encode()),
    *(b": ping", b":", b":data: x", b"x-unknown: 1", b"x-unknown", b"Data: x", b"data : y"),
    *(b"data: \xc3", "data: 👩 café\u2028".encode(), b"\0data: q", b" data: w", BOM + b"data: z"),
    *(b"dat", BOM, BOM[:2], *(b"",) * 10),
)
line = st.sampled_from(LINES)
line_end = st.sampled_from([b"\n", b"\r", b"\r\n"])
soup = st.tuples(
    st.sampled_from([b"", b"", BOM]),
    st.lists(st.tuples(line, line_end).map(b"".join), max_size=14).map(b"".join),
    st.just(b"") | line,
).map(b"".join)
bodies = soup | st.binary(max_size=40)
every = st.integers(1, 4)
BETWEEN = (
    rewrites.comments,
    rewrites.blank_lines,
    rewrites.empty_named_events,
    rewrites.id_blocks,
    rewrites.passing_ids,
)
INSIDE = (rewrites.comment_lines, rewrites.unknown_fields)
WHOLE = (
    rewrites.lf,
    rewrites.cr,
    rewrites.crlf,
    rewrites.bom,
    rewrites.space_after_colon,
    rewrites.no_space_after_colon,
    rewrites.reordered_fields,
    rewrites.coding,
)
wire_rewrites = st.one_of(
    *(st.builds(make) for make in WHOLE),
    *(st.builds(make, every=every) for make in (*BETWEEN, *INSIDE)),
    st.builds(rewrites.mixed_line_ends, seed=st.integers(0, 999)),
    st.builds(rewrites.message_type, spelled=st.booleans()),
)
"""All rewrites of the wire but `retry_blocks`, which sets what others leave alone."""


def sse(body: bytes, *ends: int) -> Tape:
    """A tape of an event stream, whatever *body* looks like, its chunks a millisecond apart."""
    pieces = recut(body, ends)
    chunks = tuple(Chunk(number, piece) for number, piece in enumerate(pieces, 1))
    return Tape(chunks, Ending("eof", len(chunks) + 1), framing="sse")


def json_lines(body: bytes) -> Tape:
    return replace(sse(body), framing="ndjson")


def decoded(tape: Tape) -> tuple[object, ...]:
    """What an event stream means: its events, the last ID for reconnecting, and the time."""
    decoder = Decoder()
    return decoder.feed(tape.body), decoder.last_event_id, decoder.retry


class TestMeaning:
    @settings(max_examples=500)
    @given(bodies, wire_rewrites)
    def test_every_event_stays_equal(self, body: bytes, rewrite: Rewrite) -> None:
        tape = sse(body)
        assert decoded(rewrite.apply(tape)) == decoded(tape)

    @given(bodies, wire_rewrites, wire_rewrites)
    def test_also_under_two_rewrites(self, body: bytes, one: Rewrite, other: Rewrite) -> None:
        tape = sse(body)
        assert decoded(tape.deliver(Delivery(rewrites=(one, other)))) == decoded(tape)

    @given(bodies, every)
    def test_retry_blocks_leave_a_time_that_was_set(self, body: bytes, every: int) -> None:
        tape = sse(body)
        events, last_event_id, retry = decoded(tape)
        told = rewrites.retry_blocks(every=every, ms=12).apply(tape)
        assert decoded(told)[:2] == (events, last_event_id)
        assert decoded(told)[2] == (retry if retry is not None or told is tape else 12)

    @given(soup, wire_rewrites, st.data())
    def test_every_event_comes_when_it_did(
        self, body: bytes, rewrite: Rewrite, data: st.DataObject
    ) -> None:
        ends = frame_ends(body)
        chosen = data.draw(st.sets(st.sampled_from(ends)) if ends else st.just(set()))
        tape = sse(body, *sorted(chosen))
        assert rewrite.apply(tape).events() == tape.events()

    @given(bodies)
    def test_what_is_not_changed_is_written_back_byte_for_byte(self, body: bytes) -> None:
        frames = read(body).frames()
        assert b"".join(frames) == body
        assert list(accumulate(map(len, frames))) == frame_ends(body)

    @given(soup, wire_rewrites)
    def test_an_event_without_its_blank_line_stays_without(
        self, body: bytes, rewrite: Rewrite
    ) -> None:
        tape = sse(body + b"\n\ndata: unfinished")
        told = rewrite.apply(tape)
        assert decoded(told) == decoded(tape)
        assert re.search(rb"data: ?unfinished\Z", told.body)


STREAM = b"data: a\n\nevent: b\nid: 7\ndata: b\n\n: bye\n\n"


@pytest.mark.parametrize(
    ("rewrite", "body", "expected"),
    [
        (rewrites.lf(), b"data: a\r\ndata: b\r\r", b"data: a\ndata: b\n\n"),
        (rewrites.crlf(), b"data: a\ndata: b\r\r\n", b"data: a\r\ndata: b\r\n\r\n"),
        (rewrites.cr(), b"data: a\n\r\ndata: b\n\n", b"data: a\r\rdata: b\r\r"),
        (rewrites.bom(), b"data: a\n\n", BOM + b"data: a\n\n"),
        (rewrites.bom(), BOM + b"data: a\n\n", BOM + b"data: a\n\n"),
        (rewrites.mixed_line_ends(), BOM, BOM),  # a frame without a line
        (rewrites.comments(), BOM, BOM + b": ping\n\n"),
        (
            rewrites.comments(),
            STREAM,
            b": ping\n\ndata: a\n\n: ping\n\nevent: b\nid: 7\ndata: b\n\n: ping\n\n: bye\n\n",
        ),
        (
            rewrites.comments(every=2, text=""),
            STREAM,
            b"data: a\n\n:\n\nevent: b\nid: 7\ndata: b\n\n: bye\n\n",
        ),
        (rewrites.comments(), b"data: a\r\n\r\n", b": ping\r\n\r\ndata: a\r\n\r\n: ping\r\n\r\n"),
        (rewrites.comments(), BOM + b"data: a", BOM + b": ping\n\ndata: a"),
        (rewrites.comments(every=3), b"\rdata: a\r\r", b"\rdata: a\r\r"),
        (
            rewrites.comment_lines(every=2, text="x"),
            STREAM,
            b"data: a\n\n:x\nevent: b\n:x\nid: 7\n:x\ndata: b\n:x\n\n: bye\n\n",
        ),
        (
            rewrites.id_blocks(),
            STREAM,
            b"id:\n\ndata: a\n\nid:\n\nevent: b\nid: 7\ndata: b\n\nid: 7\n\n: bye\n\n",
        ),
        (rewrites.id_blocks(every=2), b"id:  7\0\ndata\n\n", b"id:  7\0\ndata\n\nid:\n\n"),
        (rewrites.id_blocks(every=2), b"id:  7\r\r\ndata\n\n", b"id:  7\r\r\ndata\n\nid:  7\n\n"),
        (
            rewrites.passing_ids(every=2),
            b"id: 1\ndata: a\n\n",
            b"id: 1\ndata: a\n\nid: 2\n\nid: 1\n\n",
        ),
        (
            rewrites.passing_ids(every=2),
            b"data: a\n\n",
            b"data: a\n\nid: 1\n\nid:\n\n",
        ),
        (
            rewrites.retry_blocks(),
            b"data: a\n\nretry: 07\nretry: x\ndata\n\n",
            b"retry: 3000\n\ndata: a\n\nretry: 3000\n\nretry: 07\nretry: x\ndata\n\nretry: 07\n\n",
        ),
        (rewrites.retry_blocks(every=2, ms=0), b"data\n\n", b"data\n\nretry: 0\n\n"),
        (rewrites.blank_lines(), b"data: a\n\r", b"\n\ndata: a\n\r\r\r"),
        (rewrites.blank_lines(every=2, count=1), STREAM, STREAM.replace(b"event", b"\nevent")),
        (
            rewrites.empty_named_events(every=2, type="tick"),
            STREAM,
            STREAM.replace(b"event", b"event: tick\n\nevent"),
        ),
        (
            rewrites.unknown_fields(),
            b"x-unknown: 0\ndata: a\r\r: b\n\n",
            b"x-unknown-x: 1\nx-unknown: 0\ndata: a\r\r: b\n\n",
        ),
        (
            rewrites.reordered_fields(),
            b"event: b\nid: 7\r: c\ndata: 1\nx\nid: 8\ndata: 2\n\nevent: c\n",
            b"data: 1\ndata: 2\r: c\nid: 7\nx\nid: 8\nevent: b\n\nevent: c\n",
        ),
        (
            rewrites.space_after_colon(),
            b"data:a\ndata: b\ndata:  c\ndata\ndata:\n:x\ny:z\n\ndata:d",
            b"data: a\ndata: b\ndata:  c\ndata\ndata: \n:x\ny:z\n\ndata: d",
        ),
        (
            rewrites.no_space_after_colon(),
            b"data:a\ndata: b\ndata:  c\ndata\ndata: \n: x\ny: z\n\nretry: 1\nid: 2\ndata: d",
            b"data:a\ndata:b\ndata:  c\ndata\ndata:\n: x\ny: z\n\nretry:1\nid:2\ndata:d",
        ),
        (
            rewrites.message_type(),
            b"data\n\nevent: x\ndata\n\nevent:message\ndata\n\ndata",
            b"event: message\ndata\n\nevent: x\ndata\n\nevent:message\ndata\n\ndata",
        ),
        (
            rewrites.message_type(),
            b"event: x\nevent\r\ndata\n\n",
            b"event: message\nevent: x\nevent\r\ndata\n\n",
        ),
        (rewrites.message_type(), b"data: a\rdata: b\n\n", b"event: message\rdata: a\rdata: b\n\n"),
        (
            rewrites.message_type(spelled=False),
            b"event:message\ndata\n\nevent: message\nevent: x\ndata\n\n",
            b"data\n\nevent: x\ndata\n\n",
        ),
        (
            rewrites.message_type(spelled=False),
            b"event: x\nevent: message\ndata\n\n",
            b"event: x\nevent: message\ndata\n\n",
        ),
    ],
    ids=repr,
)
def test_what_is_written(rewrite: Rewrite, body: bytes, expected: bytes) -> None:
    tape = sse(body)
    assert rewrite.apply(tape).body == expected
    assert decoded(rewrite.apply(tape))[:2] == decoded(tape)[:2]


def test_a_line_taken_out_joins_no_cr_to_a_lf() -> None:
    tape = sse(b"data: a\revent: message\n\ndata: b\n\n")
    told = rewrites.message_type(spelled=False).apply(tape)
    assert told.body == b"data: a\r\r\ndata: b\n\n"


def test_a_bom_that_comes_first_when_a_line_is_taken_out_stays_text() -> None:
    tape = sse(b"event: message\n" + BOM + b"data: a\ndata: b\n\n")
    told = rewrites.message_type(spelled=False).apply(tape)
    assert told.body == BOM + BOM + b"data: a\ndata: b\n\n"
    assert told.events() == tape.events()


MIXED = (
    b"data: a\r\n\revent: b\rid: 7\ndata: b\r\r: bye\r\n\n"
    b"data: a\r\revent: b\r\nid: 7\rdata: b\n\r\n: bye\r\r\n"
)
"""Drawn once: what a failure printed has to come again under every later version."""


class TestLineEnds:
    EVENTS = b"event: a\ndata: b\n\n" * 300

    def test_mixed_ones_come_in_every_combination(self) -> None:
        """Nine pairs less one: CR and then LF would end one line."""
        told = rewrites.mixed_line_ends().apply(sse(self.EVENTS)).body
        found = {pair.partition(b"data: b")[2] for pair in re.findall(rb"data: b[\r\n]+", told)}
        ends = (b"\n", b"\r", b"\r\n")
        assert found == {one + two for one, two in product(ends, ends)} - {b"\r\n"} | {b"\r\r\n"}
        for end in ends:
            assert re.search(rb"event: a" + end + rb"data", told)

    @pytest.mark.parametrize("seed", range(20))
    def test_the_first_event_ends_with_two_that_differ(self, seed: int) -> None:
        told = rewrites.mixed_line_ends(seed=seed).apply(sse(b"data: a\n\n")).body
        assert told.removeprefix(b"data: a") in {
            b"\n\r",
            b"\n\r\n",
            b"\r\n\n",
            b"\r\n\r",
            b"\r\r\n",
        }

    def test_the_seed_is_0_unless_given(self) -> None:
        tape = sse(STREAM * 2)
        told = rewrites.mixed_line_ends().apply(tape)
        assert told == rewrites.mixed_line_ends(seed=0).apply(tape)
        assert told.body == MIXED

    def test_a_seed_always_gives_the_same(self) -> None:
        tape = sse(b"data: a\n\ndata: b\n\ndata: c\n\n")
        first = rewrites.mixed_line_ends(seed=1).apply(tape).body
        assert first == b"data: a\n\r\ndata: b\r\n\ndata: c\r\r"
        assert first != rewrites.mixed_line_ends(seed=2).apply(tape).body

    @given(bodies)
    def test_no_other_is_left(self, body: bytes) -> None:
        tape = sse(body)
        assert b"\r" not in rewrites.lf().apply(tape).body
        assert b"\n" not in rewrites.cr().apply(tape).body
        assert not re.search(rb"\r(?!\n)|(?<!\r)\n", rewrites.crlf().apply(tape).body)
        assert rewrites.lf().apply(rewrites.crlf().apply(tape)).body == (
            rewrites.lf().apply(tape).body
        )


class TestJsonLines:
    @given(
        st.lists(
            st.sampled_from([b"{}", b'{"a": "\\u00e9"}', b" ", b"", b"\r", b"{", BOM, b"1\r"])
            | st.binary(max_size=4),
            max_size=8,
        ),
        st.lists(st.sampled_from([b"\n", b"\r\n"]), min_size=8, max_size=8),
        every,
    )
    def test_every_line_stays_equal(
        self, lines: list[bytes], ends: list[bytes], every: int
    ) -> None:
        whole = b"".join(map(b"".join, zip(lines, ends, strict=False)))
        for body in (whole, whole.removesuffix(b"\n"), BOM + whole):
            tape = json_lines(body)
            for rewrite in (rewrites.lf(), rewrites.crlf(), rewrites.blank_lines(every=every)):
                told = rewrite.apply(tape)
                one, other = ndjson.Reader(), ndjson.Reader()
                assert one.feed(told.body) + one.finish() == other.feed(body) + other.finish()

    @pytest.mark.parametrize(
        ("rewrite", "expected"),
        [
            (rewrites.lf(), BOM + b"{}\n[]\n1\r\r\n2"),
            (rewrites.crlf(), BOM + b"{}\r\n[]\r\n1\r\r\n2"),
            (rewrites.blank_lines(count=1), BOM + b"\n{}\n\n[]\r\n\n1\r\r\n\n2"),
            (rewrites.blank_lines(every=4, count=1), BOM + b"{}\n[]\r\n1\r\r\n\n2"),
            (rewrites.blank_lines(every=5), BOM + b"{}\n[]\r\n1\r\r\n2"),
        ],
        ids=repr,
    )
    def test_what_is_written(self, rewrite: Rewrite, expected: bytes) -> None:
        assert rewrite.apply(json_lines(BOM + b"{}\n[]\r\n1\r\r\n2")).body == expected

    def test_the_end_counts_as_one_more_line(self) -> None:
        lines = [b"{}\n", b"[]\n"]
        for every, expected in ((1, b"\n{}\n\n[]\n\n"), (2, b"{}\n\n[]\n"), (3, b"{}\n[]\n\n")):
            told = rewrites.blank_lines(every=every, count=1).apply(json_lines(b"".join(lines)))
            assert told.body == expected

    def test_blank_lines_come_after_the_last_one_too(self) -> None:
        told = rewrites.blank_lines(count=1).apply(json_lines(b"1\r\n2\r\n"))
        assert told.body == b"\r\n1\r\n\r\n2\r\n\r\n"
        told = rewrites.blank_lines(every=3, count=1).apply(json_lines(b"1\n2\n"))
        assert told.body == b"1\n2\n\n"

    def test_what_there_is_to_try(self) -> None:
        tape = json_lines(b"1\n2\n")
        tried = [repr(r) for r in rewrites.every(tape) if r.name != "coding"]
        assert tried == ["rewrites.crlf()", "rewrites.blank_lines()"]


class TestCoding:
    @pytest.mark.parametrize("name", [name for name in CODINGS if available(name)])
    def test_the_body_travels_in_it_and_stays_what_it_is(self, name: str) -> None:
        tape = replace(
            Tape.of(b"data: a\n\ndata: b\n\n"), headers=[("x", "y"), ("Content-Length", "18")]
        )
        told = rewrites.coding(name=name).apply(tape)
        assert (told.coding, told.headers) == (name, [("x", "y")])
        assert told.chunks == tape.chunks
        encoder, decoder = Encoder(name), Decompressor(name)
        assert [decoder.chunk(encoder.chunk(chunk.data)) for chunk in told.chunks] == [
            chunk.data for chunk in tape.chunks
        ]

    @pytest.mark.parametrize(
        "tape",
        [
            replace(Tape.of(b"data: a\n\n"), coding="gzip"),
            replace(Tape.of(b"\x1f\x8bx"), headers=[("Content-Encoding", "gzip, br")]),
            Tape.of(b""),
        ],
        ids=["in that coding already", "in one that couldn't be decoded", "without a body"],
    )
    def test_a_body_that_stays_as_it_is(self, tape: Tape) -> None:
        assert rewrites.coding().apply(tape) is tape

    @pytest.mark.parametrize(
        "header", [("Content-Encoding", " Identity "), ("content-encoding", "")]
    )
    def test_a_header_that_names_no_coding_is_no_reason_to_stay(
        self, header: tuple[str, str]
    ) -> None:
        tape = replace(Tape.of(b"data: a\n\n"), headers=[header])
        assert rewrites.coding().apply(tape).coding == "gzip"


class TestWhatIsTried:
    def test_the_likeliest_to_hurt_first_and_each_result_once(self) -> None:
        tape = Tape.of(b"event: message\ndata: a\n\nid: 1\ndata: b\n\n")
        tried = rewrites.every(tape)
        assert [rewrite.name for rewrite in tried[:10]] == [
            "bom",
            "crlf",
            "cr",
            "mixed_line_ends",
            "no_space_after_colon",
            "comments",
            "comment_lines",
            "id_blocks",
            "passing_ids",
            "retry_blocks",
        ]
        results = [rewrite.apply(tape) for rewrite in tried]
        assert tape not in results
        assert len(set(results)) == len(results)
        names = {name for name, make in MAKERS.items() if make().level == "wire"}
        # These are what the stream is already.
        assert {rewrite.name for rewrite in tried} == names - {"lf", "space_after_colon"}
        assert rewrites.comments(text=" OPENROUTER PROCESSING") in tried
        assert rewrites.message_type(spelled=False) in tried

    @pytest.mark.parametrize(
        "tape",
        [Tape.of(b""), replace(Tape.of(b"{}", content_type="application/json"), coding="br")],
        ids=["no body", "no stream"],
    )
    def test_a_tape_that_only_a_coding_concerns(self, tape: Tape) -> None:
        assert {rewrite.name for rewrite in rewrites.every(tape, "text")} <= {"coding"}
        for name, make in MAKERS.items():
            assert name == "coding" or make().apply(tape) is tape

    def test_the_levels(self) -> None:
        tape = Tape.of(b'data: {"a": [1, "\xc3\xa9"]}\n\n')
        wire, payload, text = (rewrites.every(tape, level) for level in ("wire", "payload", "text"))
        assert set(wire) <= set(payload) <= set(text)
        assert {rewrite.level for rewrite in wire} == {"wire"}
        assert "text" not in {rewrite.level for rewrite in payload}

    def test_there_is_no_other_level(self) -> None:
        with pytest.raises(ValueError, match="wire, payload, text"):
            rewrites.every(Tape.of(b""), "bytes")

    @pytest.mark.parametrize("body", [b'data: {"a": 1}\n\n', b'id: 1\ndata: {"a": 1}\n\n'])
    def test_readers_that_dispatch_empty_events_after_an_id_are_found(self, body: bytes) -> None:
        """Two released decoders do so at each blank line, once there was an ID."""

        def by_openai(body: bytes) -> int:
            decoder = openai._streaming.SSEDecoder()
            return len([*decoder.iter_bytes(iter([body]))])

        def by_httpx_sse(body: bytes) -> int:
            decoder = httpx_sse._decoders.SSEDecoder()
            return len([*filter(None, map(decoder.decode, body.decode().splitlines()))])

        tape = Tape.of(body)
        found = {
            reader.__name__: {
                rewrite.name
                for rewrite in rewrites.every(tape)
                if rewrite.name not in {"bom", "cr", "crlf", "mixed_line_ends"}
                if reader(rewrite.apply(tape).body) != 1
            }
            for reader in (by_openai, by_httpx_sse)
        }
        expected = {"passing_ids", "retry_blocks", "empty_named_events"}
        if body.startswith(b"id"):
            expected |= {"comments", "id_blocks", "blank_lines"}
        assert found == {"by_openai": expected, "by_httpx_sse": expected}


class TestValues:
    @given(wire_rewrites)
    def test_a_repr_is_read_back(self, rewrite: Rewrite) -> None:
        delivery = Delivery(rewrites=(rewrite,))
        assert parse(repr(delivery)) == delivery


class TestPage:
    def test_it_has_a_row_for_each_value(self) -> None:
        def row(name: str) -> str:
            value = MAKERS[name]()
            parameters = [*inspect.signature(MAKERS[name]).parameters.values()][1:]
            given = ", ".join(f"{each.name}={each.default!r}" for each in parameters)
            return f"| `{name}({given})` | {value.sentence} | {value.level} |"

        section = PAGE.read_text(encoding="utf-8").partition("## Rewrites\n")[2].split("\n## ")[0]
        rows = [line for line in section.splitlines() if line.startswith("| `")]
        assert sorted(rows) == sorted(map(row, MAKERS))

    def test_the_package_exports_each_value(self) -> None:
        made = {
            name
            for (family, name), make in Change.makers.items()
            if family == "rewrites" and make.__module__.startswith("streamtape.delivery.rewrites.")
        }
        assert made == set(MAKERS)
