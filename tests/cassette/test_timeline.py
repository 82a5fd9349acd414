"""The timeline: text and back, positions by frames, times without drift."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtape import Chunk, Ending, Tape
from streamtape.cassette import timeline_text
from streamtape.cassette.errors import CassetteError
from streamtape.cassette.timeline import Timeline

MS = 1_000_000

BODY = 'data: {"t":"Caf"}\n\ndata: é 👩\n\ndata: [DONE]\n\n'.encode()
THE_DESIGN = """\
350.207 head sse
62.524 1
30.546 1+8
0.102 2
29.871 3
0.410 eof
"""


def test_the_text_that_the_format_shows() -> None:
    timeline = Timeline.parse(THE_DESIGN)
    chunks = timeline.chunks(BODY)
    assert [chunk.data for chunk in chunks] == [
        b'data: {"t":"Caf"}\n\n',
        b"data: \xc3\xa9",
        b" \xf0\x9f\x91\xa9\n\n",
        b"data: [DONE]\n\n",
    ]
    assert [chunk.at_ns for chunk in chunks] == [412_731_000, 443_277_000, 443_379_000, 473_250_000]
    assert timeline.head_ns == 350_207_000
    assert timeline.ending == Ending("eof", 473_660_000)
    assert timeline.text() == THE_DESIGN


@pytest.mark.parametrize(
    ("framing", "body", "cuts", "marks"),
    [
        ("sse", b"data: a\n\ndata: b\n\n", [9], ["1", "2"]),
        ("sse", b"data: a\r\n\r\nx", [10], ["0+10", "2"]),  # a cut inside the CRLF
        ("sse", b"data: a\n\n", [0], ["0", "1"]),  # an empty first chunk
        ("sse", b"data: a\n\ndata: b\n\n", [9, 9], ["1", "1", "2"]),  # an empty chunk between
        ("sse", b"data: a\n\nunfinished", [12], ["1+3", "2"]),
        ("ndjson", b'{"a":1}\n\n{"a":2}\n', [8], ["1", "2"]),
        ("raw", b"<html>", [0, 4], ["+0", "+4", "+6"]),
    ],
)
def test_where_a_chunk_ends(framing: str, body: bytes, cuts: list[int], marks: list[str]) -> None:
    types = {"sse": "text/event-stream", "ndjson": "application/x-ndjson", "raw": "text/html"}
    tape = Tape.of(body, content_type=types[framing], cuts=cuts)
    lines = Timeline.of(tape).text().splitlines()
    assert lines == [f"0.000 head {framing}", *[f"0.000 {mark}" for mark in marks], "0.000 eof"]
    assert Timeline.parse("\n".join(lines)).chunks(body) == tape.chunks


times = st.integers(0, 10**12)
bodies = st.binary(max_size=60) | st.text("da:t \r\n{}", max_size=60).map(str.encode)


@given(
    body=bodies,
    cuts=st.lists(st.integers(0, 60)),
    gaps=st.lists(times, min_size=70, max_size=70),
    late=st.lists(st.booleans(), min_size=70, max_size=70),
    content_type=st.sampled_from(["text/event-stream", "application/x-ndjson", "text/plain"]),
    ending=st.sampled_from(
        [
            Ending("eof", 0),
            Ending("closed", 0),
            Ending("error", 0, "read", 'reset "by" peer\n\u2028'),
            Ending("error", 0, "connect-timeout", ""),
            Ending("unfinished", 0),
        ]
    ),
)
def test_chunks_come_back_with_times_rounded_to_the_microsecond(
    body: bytes,
    cuts: list[int],
    gaps: list[int],
    late: list[bool],
    content_type: str,
    ending: Ending,
) -> None:
    tape = Tape.of(
        body, content_type=content_type, cuts=sorted(cut for cut in cuts if cut <= len(body))
    )
    at_ns = 0
    chunks = []
    for chunk, gap, flag in zip(tape.chunks, gaps, late, strict=False):
        at_ns += gap
        chunks.append(Chunk(at_ns, chunk.data, flag))
    end_ns = at_ns + gaps[-1]
    ending = Ending(ending.kind, end_ns, ending.error, ending.text)
    tape = tape.with_chunks(chunks, ending=ending)

    text = Timeline.of(tape).text()
    back = Timeline.parse(text)

    assert [chunk.data for chunk in back.chunks(body)] == [chunk.data for chunk in chunks]
    assert [chunk.late for chunk in back.chunks(body)] == late[: len(chunks)]
    # The oracle for «no drift»: each absolute time is off by half a microsecond at most.
    for read, written in zip(back.chunks(body), chunks, strict=True):
        assert abs(read.at_ns - written.at_ns) <= 500
    assert (back.ending.kind, back.ending.error, back.ending.text) == (
        ending.kind,
        ending.error,
        ending.text,
    )
    assert back.text() == text
    # As the parser reads it that goes line by line, whatever the form.
    by_line = Timeline(*timeline_text.read(text))
    assert (by_line.chunks(body), by_line.ending) == (back.chunks(body), back.ending)


@pytest.mark.parametrize(
    "marks", [[], ["1"], ["1", "2", "3"], ["3", "1"], ["1+4", "2"], ["1 ~", "2"], ["+5", "+90"]]
)
@pytest.mark.parametrize("ending", ["eof", "closed", "eof ~"])
@pytest.mark.parametrize("head", ["head sse", "head raw gzip"])
def test_what_is_read_at_once_and_what_is_read_line_by_line_is_the_same(
    head: str, marks: list[str], ending: str
) -> None:
    lines = [f"{n * 1000 + 7 * n}.{n:03} {mark}\n" for n, mark in enumerate([head, *marks, ending])]
    text = "".join(lines)
    assert timeline_text.written_head(text) == lines[0]
    arrivals, end = timeline_text.read_written(text)
    _, _, _, expected, expected_end = timeline_text.read(text)
    assert [
        [*column] for column in (arrivals.at_ns, arrivals.frames, arrivals.extras, arrivals.late)
    ] == [[*column] for column in (expected.at_ns, expected.frames, expected.extras, expected.late)]
    assert end == expected_end


def test_times_that_decrease_are_written_as_standing_still() -> None:
    chunks = [Chunk(5 * MS, b"a"), Chunk(3 * MS, b"b"), Chunk(6 * MS, b"c")]
    text = Timeline.of(Tape(tuple(chunks), Ending("eof", 6 * MS))).text()
    assert text == "0.000 head raw\n5.000 +1\n0.000 +2\n1.000 +3\n0.000 eof\n"


def test_rounding_errors_do_not_add_up() -> None:
    # 10,000 gaps of 1.4 µs, each of which alone would round to 1 µs: 14 ms, not 10.
    chunks = [Chunk(1_400 * (n + 1), b"x") for n in range(10_000)]
    tape = Tape(tuple(chunks), Ending("eof", 1_400 * 10_000))
    assert Timeline.parse(Timeline.of(tape).text()).ending.at_ns == 14 * MS


class TestEditedBodies:
    """A person, or a filter, changes the text of an event: the timeline still holds."""

    timeline = Timeline.parse("0 head sse\n1 1+10\n1 1+12\n1 2\n1 3\n1 eof\n")

    def pieces(self, body: bytes) -> list[bytes]:
        return [chunk.data for chunk in self.timeline.chunks(body)]

    def test_a_longer_event_moves_what_follows(self) -> None:
        body = b"data: a longer one\n\ndata: 0123456789\n\ndata: c\n\n"
        assert self.pieces(body) == [
            b"data: a longer one\n\ndata: 0123",
            b"45",
            b"6789\n\n",
            b"data: c\n\n",
        ]

    def test_an_offset_beyond_its_frame_is_the_end_of_the_frame(self) -> None:
        body = b"data: a\n\ndata: b\n\ndata: c\n\n"
        assert self.pieces(body) == [b"data: a\n\ndata: b\n\n", b"", b"", b"data: c\n\n"]

    def test_events_that_are_gone_leave_empty_chunks(self) -> None:
        assert self.pieces(b"data: a\n\n") == [b"data: a\n\n", b"", b"", b""]

    def test_the_last_chunk_runs_to_the_end_of_the_body(self) -> None:
        body = b"data: a\n\ndata: b\n\ndata: c\n\ndata: d\n\ndata: e\n\n"
        assert self.pieces(body)[-1] == b"data: c\n\ndata: d\n\ndata: e\n\n"

    def test_a_raw_body_that_shrank(self) -> None:
        timeline = Timeline.parse("0 head raw\n1 +100\n1 +200\n1 eof\n")
        assert [chunk.data for chunk in timeline.chunks(b"short")] == [b"short", b""]

    def test_a_body_written_where_there_was_none_is_one_chunk(self) -> None:
        timeline = Timeline.parse("0 head sse\n5 eof\n")
        assert timeline.chunks(b"data: a\n\n") == (Chunk(5 * MS, b"data: a\n\n"),)

    def test_positions_never_decrease(self) -> None:
        timeline = Timeline.parse("0 head sse\n1 2\n1 1\n1 3\n1 eof\n")
        pieces = [chunk.data for chunk in timeline.chunks(b"a:\n\nb:\n\nc:\n\n")]
        assert pieces == [b"a:\n\nb:\n\n", b"", b"c:\n\n"]


def test_comments_and_blank_lines_are_passed_over() -> None:
    timeline = Timeline.parse("# recorded by hand\n\n0 head sse\n# a tool call\n1 1\n1 eof\n")
    assert len(timeline.arrivals) == 1


def test_a_timeline_without_an_ending_is_unfinished() -> None:
    assert Timeline.parse("0 head sse\n1.5 1\n").ending == Ending("unfinished", 1_500_000)


def test_a_connect_error_has_no_head() -> None:
    text = '2.000 error connect "refused"\n'
    timeline = Timeline.parse(text)
    assert timeline.head_ns is None
    assert timeline.ending == Ending("error", 2 * MS, "connect", "refused")
    assert timeline.text() == text


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("0 head sse\nsoon 1\n", 41, "milliseconds"),
        ("0 head sse\n-1 1\n", 41, "milliseconds"),
        ("0 head sse\n1 frame 2\n", 41, "a chunk such as"),
        ("0 head sse\n1 1~\n", 41, "a chunk such as"),
        ("0 head smoke\n", 40, "FRAMING"),
        ("0 head sse rot13\n", 40, "coding"),
        ("0 head sse\n0 head sse\n", 41, "one `head`"),
        ("1 1\n", 40, "`head` before"),
        ("0 head sse\n1 eof\n1 1\n", 42, "nothing after 'eof'"),
        ('0 head sse\n1 error sunspots "x"\n', 41, "connect-timeout"),
        ('0 head sse\n1 error read "\\q"\n', 41, "JSON"),
        ("0 head sse\n1 error read reset\n", 41, "error KIND"),
        (f"0.000 head sse\n{'9' * 5000}.000 1\n0.000 eof\n", 41, "milliseconds"),
        (f"0.000 head sse\n1.000 {'9' * 5000}\n0.000 eof\n", 41, "a chunk such as"),
    ],
)
def test_an_unknown_mark_is_an_error_that_names_its_line(
    text: str, line: int, expected: str
) -> None:
    with pytest.raises(CassetteError, match=expected) as caught:
        Timeline.parse(text, path="a.yaml", line=40)
    assert (caught.value.path, caught.value.line) == ("a.yaml", line)
    assert str(caught.value).startswith(f"a.yaml:{line}: ")


def test_a_deep_copy_is_the_timeline_itself() -> None:
    timeline = Timeline.parse(THE_DESIGN)
    assert copy.deepcopy({"timeline": timeline})["timeline"] is timeline
