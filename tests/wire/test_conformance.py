"""The decoder against the table of cases, and against a second decoder built in another way."""

from __future__ import annotations

import re
import sys
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamtape.checks.conformance import CASES, OWN_CASES, WPT_CASES, Case
from streamtape.wire.sse import Decoder, Event, decode

PIECES = (
    *(
        b"\n",
        b"\r",
        b"\r\n",
        b":",
        b" ",
        b"  ",
        b"\t",
        b"\0",
        b"\xef\xbb\xbf",
        b"\xef\xbb",
        b"\xbf",
    ),
    *(b"data", b"event", b"id", b"retry", b"Data", b"dat", b"foo", b"data:", b"data: ", b"id:"),
    *(b"event: ", b"id: ", b"retry: ", b"message", b"a", b"b", b"7", b"0", b"10", b"9" * 20),
    *(
        b"\xe2\x82\xac",
        b"\xe2\x82",
        b"\xac",
        b"\xff",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x91\xa9",
    ),
    *(b"\v", b"\f", b"\x1c", b"\x85", b"\xc2\x85", b"\xe2\x80\xa8", b"\xe2\x80\xa9"),
)
"""What event streams and the mistakes about them are made of."""

bodies = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=24).map(b"".join),
    st.lists(st.sampled_from([*PIECES, b"\n\n", b"data: a\n\n"]), max_size=24).map(b"".join),
    st.binary(max_size=40),
)


@st.composite
def cut_bodies(draw: st.DrawFn) -> list[bytes]:
    """The pieces of a body, some of them empty."""
    body = draw(bodies)
    offsets = sorted(draw(st.lists(st.integers(0, len(body)), max_size=8)))
    return [body[start:end] for start, end in pairwise([0, *offsets, len(body)])]


def reference(body: bytes) -> tuple[list[Event], int | None, str]:  # noqa: C901  # as the text
    """The events, the reconnection time and the last event ID of *body*: slow, by the letter.

    The standard's algorithm step by step on characters, unlike the decoder's: the whole stream is
    decoded first, then taken apart by its grammar's ``end-of-line``, then interpreted.
    """
    text = body.decode("utf-8", errors="replace")
    if body[:3] == b"\xef\xbb\xbf":
        text = text[1:]
    lines = re.split("\r\n|\n|\r", text)
    lines.pop()  # the end of the stream is no line end
    events, retry = [], None
    data = event_type = id_buffer = last_event_id = ""
    for line in lines:
        if line == "":
            last_event_id = id_buffer
            if data != "":
                events.append(Event(event_type or "message", data[:-1], last_event_id))
            data = event_type = ""
            continue
        if ":" not in line:
            field, value = line, ""
        else:
            at = line.index(":")
            field, value = line[:at], line[at + 1 :]
            if value[:1] == " ":
                value = value[1:]
        if field == "event":
            event_type = value
        elif field == "data":
            data += value + "\n"
        elif field == "id" and "\0" not in value:
            id_buffer = value
        elif field == "retry" and value and all(digit in "0123456789" for digit in value):
            retry = 0
            for digit in value:
                retry = min(retry * 10 + "0123456789".index(digit), sys.maxsize)
    return events, retry, last_event_id


def by_sentence(case: Case) -> str:
    return case.id


every_case = pytest.mark.parametrize("case", CASES, ids=by_sentence)


def test_the_table_is_whole() -> None:
    assert len({case.id for case in CASES}) == len(CASES) == len(WPT_CASES) + len(OWN_CASES)
    assert {case.id.split(":")[0] for case in WPT_CASES} == {
        "wpt event-data",
        "wpt format-bom",
        "wpt format-bom-2",
        "wpt format-comments",
        "wpt format-data-before-final-empty-line",
        "wpt format-field-data",
        "wpt format-field-event",
        "wpt format-field-event-empty",
        "wpt format-field-id",
        "wpt format-field-id-3",
        "wpt format-field-id-null",
        "wpt format-field-parsing",
        "wpt format-field-retry",
        "wpt format-field-retry-bogus",
        "wpt format-field-retry-empty",
        "wpt format-field-unknown",
        "wpt format-leading-space",
        "wpt format-mime-*",
        "wpt format-newlines",
        "wpt format-null-character",
        "wpt format-utf-8",
    }


@every_case
def test_whole(case: Case) -> None:
    decoder = Decoder()
    assert tuple(decoder.feed(case.body)) == case.events
    assert decoder.finish() == []
    assert decoder.retry == case.retry
    assert tuple(decode(case.body)) == case.events


@every_case
def test_at_every_single_cut(case: Case) -> None:
    for cut in range(len(case.body) + 1):
        decoder = Decoder()
        events = decoder.feed(case.body[:cut]) + decoder.feed(case.body[cut:])
        assert (tuple(events), decoder.retry) == (case.events, case.retry), f"cut at {cut}"


@every_case
def test_byte_by_byte_with_empty_pieces_between(case: Case) -> None:
    decoder = Decoder()
    assert decoder.feed(b"") == []
    events: list[Event] = []
    for at in range(len(case.body)):
        events += decoder.feed(case.body[at : at + 1])
        assert decoder.feed(b"") == []
    assert (tuple(events), decoder.retry) == (case.events, case.retry)


@every_case
def test_the_reference_agrees_with_the_table(case: Case) -> None:
    events, retry, _ = reference(case.body)
    assert (tuple(events), retry) == (case.events, case.retry)


@given(bodies)
@example(b"id: 1\n\n\nid: 2\n")
def test_any_bytes_mean_what_the_reference_says(body: bytes) -> None:
    decoder = Decoder()
    assert (decoder.feed(body), decoder.retry, decoder.last_event_id) == reference(body)


@given(cut_bodies())
@example([b"\xef\xbb", b"", b"\xbfdata: a\r", b"", b"\n\r", b"\n"])
def test_after_each_piece_are_known_exactly_the_events_that_are_complete(
    pieces: list[bytes],
) -> None:
    """The events of a prefix are those that its last byte or an earlier one completed.

    So a decoder that agrees with the reference after each piece is neither early nor late, and no
    cut changes what it says.
    """
    decoder = Decoder()
    events: list[Event] = []
    fed = b""
    for piece in pieces:
        events += decoder.feed(piece)
        fed += piece
        assert (events, decoder.retry, decoder.last_event_id) == reference(fed)


@given(bodies)
def test_byte_by_byte_any_bytes_mean_what_the_reference_says(body: bytes) -> None:
    decoder = Decoder()
    events = [event for at in range(len(body)) for event in decoder.feed(body[at : at + 1])]
    assert (events, decoder.retry, decoder.last_event_id) == reference(body)
