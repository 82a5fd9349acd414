"""What the decoder promises beyond the table of cases, and the encoder."""

from __future__ import annotations

import dataclasses
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtape.wire.sse import Decoder, Event, decode, encode, frame_ends

text = st.text(st.characters(exclude_categories=["Cs"]))
awkward = st.sampled_from(
    [
        "",
        " ",
        "  a",
        "a ",
        "\t",
        ":",
        ": a",
        "data: a",
        "\ufeff",
        "\0",
        "\u2028",
        "\x85",
        "\v\f\x1c",
        "é👩‍💻",
    ]
)
one_line = (text | awkward).map(lambda value: value.replace("\r", "").replace("\n", ""))
encodable_events = st.builds(
    Event,
    type=st.just("message") | one_line.filter(bool),
    data=st.lists(one_line, max_size=4).map("\n".join),
    last_event_id=st.sampled_from(["", "1"]) | one_line.map(lambda value: value.replace("\0", "")),
)


def test_an_event_is_a_value() -> None:
    assert Event() == Event("message", "", "")
    assert hash(Event(data="a")) == hash(Event("message", "a", ""))
    with pytest.raises(dataclasses.FrozenInstanceError):
        Event().data = "b"  # type: ignore[misc]


class TestPromptness:
    """An event is known at the first byte that completes it, and not before."""

    @pytest.mark.parametrize(
        ("before", "completing", "after"),
        [
            (b"data: a\n", b"\n", b"data: b"),
            (b"data: a\r", b"\r", b"data: b"),
            (b"data: a\r\n", b"\r", b"\n"),
            (b"data: a\n", b"\r", b"\n"),
            (b"data: a\r", b"\r", b"\n"),
            (b"\xef\xbb\xbfdata: a\n", b"\n", b"\n"),
        ],
    )
    def test_byte(self, before: bytes, completing: bytes, after: bytes) -> None:
        decoder = Decoder()
        assert decoder.feed(before) == []
        assert decoder.feed(completing) == [Event(data="a")]
        assert decoder.feed(after) == []

    def test_a_line_feed_after_a_carriage_return_completes_nothing_of_its_own(self) -> None:
        decoder = Decoder()
        assert decoder.feed(b"data: a\r") == []
        assert decoder.feed(b"\n") == []
        assert decoder.feed(b"\n") == [Event(data="a")]

    def test_a_piece_may_complete_several_events(self) -> None:
        decoder = Decoder()
        assert decoder.feed(b"data: a\n\nda") == [Event(data="a")]
        assert decoder.feed(b"ta: b\n\ndata: c\n\ndata: d") == [Event(data="b"), Event(data="c")]


class TestEmptyPieces:
    """A piece without bytes changes nothing, wherever it comes."""

    @pytest.mark.parametrize("cut", range(len("\ufeffid: 1\r\n\r\n".encode()) + 1))
    def test_at_each_offset(self, cut: int) -> None:
        body = "\ufeffid: 1\r\n\r\ndata: é\r\n\r\n".encode()
        decoder = Decoder()
        events = decoder.feed(body[:cut])
        assert decoder.feed(b"") == []
        assert events + decoder.feed(body[cut:]) == [Event("message", "é", "1")]


class TestRetry:
    def test_none_until_the_stream_sets_it(self) -> None:
        assert Decoder().retry is None

    def test_in_force_at_its_line_end(self) -> None:
        decoder = Decoder()
        decoder.feed(b"retry: 30")
        assert decoder.retry is None
        decoder.feed(b"00\r")
        assert decoder.retry == 3000

    @pytest.mark.parametrize("digits", [str(sys.maxsize), str(sys.maxsize + 1), "9" * 10_000])
    def test_at_most_what_an_index_can_be(self, digits: str) -> None:
        decoder = Decoder()
        decoder.feed(f"retry: {digits}\n".encode())
        assert decoder.retry == sys.maxsize

    def test_just_below_the_limit(self) -> None:
        decoder = Decoder()
        decoder.feed(f"retry: 000{sys.maxsize - 1}\n".encode())
        assert decoder.retry == sys.maxsize - 1


class TestLastEventId:
    def test_in_force_from_the_blank_line_on(self) -> None:
        decoder = Decoder()
        decoder.feed(b"id: 1\n")
        assert decoder.last_event_id == ""
        decoder.feed(b"\n")
        assert decoder.last_event_id == "1"

    def test_that_of_an_unfinished_event_is_not(self) -> None:
        decoder = Decoder()
        decoder.feed(b"id: 1\ndata: a\n\nid: 2\ndata: b\n")
        assert decoder.finish() == []
        assert decoder.last_event_id == "1"

    def test_cannot_be_set(self) -> None:
        with pytest.raises(AttributeError):
            Decoder().last_event_id = "1"  # type: ignore[misc]


class TestLargeStreams:
    """That the time is linear is for the benchmarks to measure; here the events are right."""

    def test_one_large_event_byte_by_byte(self) -> None:
        body = b"data: " + b"x" * 200_000 + b"\n\n"
        decoder = Decoder()
        events = [event for at in range(len(body)) for event in decoder.feed(body[at : at + 1])]
        assert events == [Event(data="x" * 200_000)]

    def test_an_event_of_many_lines(self) -> None:
        assert decode(b"data: x\n" * 50_000 + b"\n") == [Event(data="\n".join(["x"] * 50_000))]

    def test_many_events_in_one_piece(self) -> None:
        assert decode(b"data: x\n\n" * 50_000) == [Event(data="x")] * 50_000


class TestEncode:
    def test_no_events(self) -> None:
        assert encode([]) == b""

    def test_the_form(self) -> None:
        events = [
            Event(data="a"),
            Event("ping", "b\n\n c\n", "1"),
            Event("message", "", "1"),
            Event(data="d"),
        ]
        assert encode(iter(events)) == (
            b"data: a\n\n"
            b"event: ping\nid: 1\ndata: b\ndata:\ndata:  c\ndata:\n\n"
            b"data:\n\n"
            b"id:\ndata: d\n\n"
        )

    @given(st.lists(encodable_events, max_size=6))
    def test_decodes_to_the_same_events(self, events: list[Event]) -> None:
        body = encode(events)
        assert decode(body) == events
        assert len(frame_ends(body)) == len(events)

    @given(st.lists(encodable_events, max_size=4), st.lists(encodable_events, max_size=4))
    def test_a_list_that_starts_without_an_id_can_follow_another(
        self, first: list[Event], second: list[Event]
    ) -> None:
        events = [dataclasses.replace(event, last_event_id="") for event in first] + second
        cut = len(first)
        assert encode(events) == encode(events[:cut]) + encode(events[cut:])

    @given(st.binary(max_size=60))
    def test_whatever_was_decoded_can_be_encoded(self, body: bytes) -> None:
        events = decode(b"data: a\n" + body + b"\n\n")
        assert decode(encode(events)) == events

    @pytest.mark.parametrize(
        ("event", "seen", "follows", "to_do"),
        [
            (Event(data="ab\rc"), "events[1].data has a CR at character 2", "get a LF", "use LF"),
            (
                Event(type="a\rb"),
                "events[1].type has a CR at character 1",
                "another line",
                "remove",
            ),
            (Event(type="a\n"), "events[1].type has a LF at character 1", "another line", "remove"),
            (Event(type=""), "events[1].type is empty", "read as 'message'", "type='message'"),
            (
                Event(last_event_id="\r"),
                "events[1].last_event_id has a CR",
                "another line",
                "remove",
            ),
            (
                Event(last_event_id="1\n"),
                "events[1].last_event_id has a LF",
                "another line",
                "remove",
            ),
            (Event(last_event_id="1\0"), "events[1].last_event_id has a NUL", "ignores", "remove"),
            (
                Event(data="\ud83d"),
                "events[1].data has a lone surrogate at character 0",
                "no form",
                "replace",
            ),
            (
                Event(type="a\udc69"),
                "events[1].type has a lone surrogate at character 1",
                "no form",
                "replace",
            ),
            (
                Event(last_event_id="\ud83d"),
                "events[1].last_event_id has a lone",
                "no form",
                "replace",
            ),
        ],
    )
    def test_refuses_what_no_stream_can_carry(
        self, event: Event, seen: str, follows: str, to_do: str
    ) -> None:
        with pytest.raises(ValueError, match="events") as caught:
            encode([Event(), event])
        message = str(caught.value)
        places = [message.find(part) for part in (seen, follows, to_do)]
        assert -1 not in places, message
        assert all(earlier < later for earlier, later in pairwise(places)), message
        assert message.isprintable()


@pytest.mark.parametrize(
    ("event", "seen", "consequence"),
    [
        (
            Event(data="a\r"),
            "data has a CR",
            "it would end the line, so a reader would get a LF in its place; use LF",
        ),
        *(
            (
                Event(**{name: f"a{character}b"}),
                f"{name} has a {title}",
                "what comes after it would be read as another line; remove it",
            )
            for name in ("type", "last_event_id")
            for title, character in (("CR", "\r"), ("LF", "\n"))
        ),
        (
            Event(last_event_id="a\0"),
            "last_event_id has a NUL",
            "a reader ignores an ID that has one; remove it",
        ),
    ],
    ids=repr,
)
def test_what_is_refused_says_what_would_follow(event: Event, seen: str, consequence: str) -> None:
    with pytest.raises(ValueError, match="events") as caught:
        encode([event])
    assert str(caught.value) == f"events[0].{seen} at character 1: {consequence}"
