"""Faults: what becomes of the events, the chunks, the times and the ending."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamtape
from streamtape import Chunk, Delivery, Ending, Event, Tape, providers
from streamtape.delivery import expression, faults, rewrites
from streamtape.delivery.change import Change, Fault
from streamtape.delivery.faults import responses
from streamtape.delivery.faults.endings import NOT_TERMINATED, RESET, TIMED_OUT
from streamtape.delivery.faults.insertions import MESSAGE
from streamtape.wire import eventstream
from streamtape.wire.framing import event_reader
from tests import streams

SECOND = 1_000_000_000
MS = 1_000_000
DOCUMENT = Tape.of(b'{"error": 1}', content_type="application/json")


def message(payload: bytes, event_type: bytes = b"chunk") -> bytes:
    return eventstream.build_message(b"\x0b:event-type\x07\x00\x05" + event_type, payload)


AWS = [
    message(json.dumps({"contentBlockIndex": 0, "delta": {"text": text}}).encode())
    for text in streams.PIECES
] + [message(b'{"stopReason":"end_turn"}')]

TAPES = {
    **{
        name: Tape.of(b"".join(made()), content_type=content_type, gap_ms=10)
        for name, (made, content_type) in streams.STREAMS.items()
    },
    "aws": Tape.of(b"".join(AWS), content_type="application/vnd.amazon.eventstream", gap_ms=10),
    "ids": Tape.of(
        b"".join(b"id: %d\n%s" % (n, event) for n, event in enumerate(streams.openai_chat())),
        gap_ms=10,
    ),
    "text": Tape.of(b"data: one\n\ndata: two\n\ndata: three\n\n", gap_ms=10),
}
TAPES["slow"] = faults.stall(3, seconds=61).apply(TAPES["openai_chat"])
CHAT, MESSAGES, OLLAMA = (TAPES[name] for name in ("openai_chat", "anthropic_messages", "ollama"))
each_tape = pytest.mark.parametrize("tape", TAPES.values(), ids=TAPES.keys())


def events(tape: Tape) -> list[Event]:
    """What a reader of the standard makes of the delivered bytes, read again from the start."""
    reader = event_reader(tape.framing)
    return [] if reader is None else [*reader.feed(tape.body), *reader.finish()]


def applied(fault: Fault, tape: Tape) -> Tape:
    return tape.deliver(Delivery(fault=fault))


def datas(tape: Tape) -> list[str]:
    return [event.data for event in events(tape)]


ALL = [(name, fault) for name, tape in TAPES.items() for fault in faults.every(tape)]


# --- all of them ----------------------------------------------------------------------------------


@each_tape
def test_a_delivery_with_a_fault_reads_back_from_its_repr(tape: Tape) -> None:
    for fault in faults.every(tape):
        delivery = Delivery(cuts="bytes", fault=fault)
        again = expression.parse(repr(delivery))
        assert again == delivery
        assert again.attempts(tape) == delivery.attempts(tape)
        assert fault.sentence
        assert {"equal", "raises"} <= fault.allowed(tape)


@each_tape
def test_every_fault_of_a_tape_changes_it_and_no_two_do_the_same(tape: Tape) -> None:
    found = faults.every(tape)
    assert all(fault.attempts(tape) != (tape,) for fault in found)
    assert len({fault.attempts(tape) for fault in found}) == len(found)


def test_every_kind_of_fault_is_tried() -> None:
    names = {name for family, name in Change.makers if family == "faults"}
    assert {fault.name for _, fault in ALL} == names
    assert set(faults.__all__) == names | {"every"}


def test_a_body_without_events_can_only_be_cut_off_or_replaced() -> None:
    names = {fault.name for fault in faults.every(DOCUMENT)}
    assert names == {
        "end_after",
        "first_attempt",
        "read_timeout_after",
        "reset_after",
        "status",
        "wrong_body",
    }


@pytest.mark.parametrize("tape", [DOCUMENT, Tape.of(b"")], ids=["document", "empty"])
def test_faults_of_events_leave_a_body_without_events_as_it_is(tape: Tape) -> None:
    for fault in [
        faults.end_inside(1),
        faults.no_last_blank_line(),
        faults.no_terminal(),
        faults.stall(1),
        faults.glued(1),
        faults.broken_json(1),
        faults.duplicated(1),
        faults.lost(1),
        faults.swapped(1),
        faults.invalid_utf8(1),
        faults.keepalive_data(1),
        faults.empty_event(1),
        faults.unknown_event(1),
        faults.reconnect(1),
    ]:
        assert applied(fault, tape) is tape, fault


def test_a_stream_that_broke_before_its_head_can_be_given_one() -> None:
    tape = Tape((), Ending("error", 5 * MS, "connect", "refused"), status=599, head_ns=None)
    answered = applied(faults.status(503), tape)
    assert (answered.status, answered.head_ns, answered.ending.kind) == (503, 0, "eof")
    assert faults.every(tape)


@given(
    st.sampled_from(ALL),
    st.lists(st.integers(0, 1500), max_size=6).map(sorted) | st.sampled_from(["bytes", "whole"]),
)
def test_a_fault_strikes_the_chunks_that_would_have_been_delivered(
    struck: tuple[str, Fault], cuts: Any
) -> None:
    """However they are cut: what comes before it comes as it would have, and time goes forward."""
    name, fault = struck
    delivery = Delivery(cuts=cuts if isinstance(cuts, str) else tuple(cuts))
    before = TAPES[name].deliver(delivery)
    for tape in replace(delivery, fault=fault).attempts(TAPES[name]):
        times = [tape.head_ns or 0, *(chunk.at_ns for chunk in tape.chunks), tape.ending.at_ns]
        assert all(earlier <= later for earlier, later in pairwise(times))
        assert tape.ending.kind in {"eof", "error"}
        if len(tape.body) < len(before.body) and before.body.startswith(tape.body):
            # It only ends earlier: at most the last chunk is another one.
            kept = tape.chunks[:-1]
            assert [chunk.data for chunk in kept] == [
                chunk.data for chunk in before.chunks[: len(kept)]
            ]


# --- a stream that ends ---------------------------------------------------------------------------


@each_tape
@pytest.mark.parametrize("cuts", ["bytes", "whole", "events"])
def test_the_stream_ends_after_an_event(tape: Tape, cuts: str) -> None:
    whole = events(tape)
    for k in (0, 1, 2, len(whole) - 1):
        ended = tape.deliver(Delivery(cuts=cuts, fault=faults.end_after(k)))
        assert events(ended) == whole[:k]
        assert ended.ending.kind == "eof"
        assert ended.ending.at_ns == (ended.chunks[-1].at_ns if ended.chunks else 0)


def test_a_number_beyond_the_last_event_means_the_last_one() -> None:
    last = len(events(CHAT))
    assert applied(faults.end_after(last), CHAT) is CHAT
    assert applied(faults.end_after(1000), CHAT) is CHAT
    assert applied(faults.lost(99), CHAT) == applied(faults.lost(last), CHAT)
    assert applied(faults.swapped(99), CHAT) == applied(faults.swapped(last - 1), CHAT)


def test_comments_are_no_events() -> None:
    tape = Tape.of(b": ping\n\ndata: 1\n\n: ping\n\ndata: 2\n\n")
    assert applied(faults.end_after(1), tape).body == b": ping\n\ndata: 1\n\n"
    assert applied(faults.lost(2), tape).body == b": ping\n\ndata: 1\n\n: ping\n\n"


@each_tape
@pytest.mark.parametrize("k", [1, 3])
def test_the_stream_ends_inside_an_event(tape: Tape, k: int) -> None:
    ended = applied(faults.end_inside(k), tape)
    assert events(ended) == events(tape)[: k - 1]
    start = len(applied(faults.end_after(k - 1), tape).body)
    end = len(applied(faults.end_after(k), tape).body) if k < len(events(tape)) else len(tape.body)
    assert start < len(ended.body) < end
    assert tape.body.startswith(ended.body)


def test_the_end_inside_an_event_is_inside_a_character_where_there_is_one() -> None:
    ended = applied(faults.end_inside(4), CHAT)  # the event of "é"
    with pytest.raises(UnicodeDecodeError, match="unexpected end of data"):
        ended.body.decode()
    assert applied(faults.end_inside(4, at=1), CHAT).body.endswith(b"\n\nd")
    assert applied(faults.end_inside(4, at=9999), CHAT).body.endswith(b"}\n")


@pytest.mark.parametrize("end", [rewrites.lf(), rewrites.crlf(), rewrites.cr()], ids=str)
def test_the_last_blank_line_is_missing(end: Any) -> None:
    tape = end.apply(CHAT)
    ended = applied(faults.no_last_blank_line(), tape)
    assert events(ended) == events(tape)[:-1]
    line_end = tape.body[-2:] if tape.body.endswith(b"\r\n") else tape.body[-1:]
    assert ended.body + line_end == tape.body
    assert applied(faults.no_last_blank_line(), ended) is ended


def test_lines_of_json_need_no_last_line_end() -> None:
    ended = applied(faults.no_last_blank_line(), OLLAMA)
    assert ended.body == OLLAMA.body[:-1]
    assert events(ended) == events(OLLAMA)


@each_tape
def test_the_event_that_ends_the_stream_is_missing(tape: Tape) -> None:
    whole = events(tape)
    provider = providers.detect(whole)
    assert provider is not None
    left = [event for event in whole if not provider.is_terminal(event)]
    ended = applied(faults.no_terminal(), tape)
    assert events(ended) == left
    assert (ended is tape) == (left == whole)
    assert all(chunk.data for chunk in ended.chunks)


@each_tape
@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (faults.reset_after, "read", RESET),
        (faults.not_terminated, "protocol", NOT_TERMINATED),
        (faults.read_timeout_after, "read-timeout", TIMED_OUT),
    ],
)
def test_the_connection_breaks(tape: Tape, make: Any, error: Any, text: str) -> None:
    for k in (0, 2, 99):
        broken = applied(make(k), tape)
        assert events(broken) == events(tape)[:k]
        assert broken.ending == Ending("error", broken.ending.at_ns, error, text)


def test_a_stream_that_the_recorded_client_left_ends_properly_under_a_fault() -> None:
    """What it left out is unknown, and here it is made up."""
    closed = CHAT.with_chunks(CHAT.chunks, ending=Ending("closed", CHAT.ending.at_ns))
    for fault in (faults.no_terminal(), faults.lost(11), faults.duplicated(3)):
        assert applied(fault, closed).ending.kind == "eof"


def test_a_body_of_another_length_says_none() -> None:
    tape = replace(CHAT, headers=[*CHAT.headers, ("Content-Length", str(len(CHAT.body)))])
    for fault in (faults.end_after(3), faults.lost(3), faults.duplicated(3), faults.wrong_body()):
        assert applied(fault, tape).headers == CHAT.headers


# --- silence --------------------------------------------------------------------------------------


@each_tape
@pytest.mark.parametrize("cuts", ["bytes", "whole", "events"])
def test_a_stall_moves_an_event_and_all_that_follow(tape: Tape, cuts: str) -> None:
    delivered = tape.deliver(Delivery(cuts=cuts))
    stalled = tape.deliver(Delivery(cuts=cuts, fault=faults.stall(3, seconds=60)))
    assert stalled.body == delivered.body
    before = {event.data: at_ns for at_ns, event in delivered.events()}
    after = [(at_ns, event.data) for at_ns, event in stalled.events()]
    for k, (at_ns, data) in enumerate(after, 1):
        assert at_ns == before[data] + (60 * SECOND if k >= 3 else 0)
    assert stalled.ending.at_ns == delivered.ending.at_ns + 60 * SECOND


def test_a_stall_is_no_chunk_that_lay_waiting() -> None:
    tape = CHAT.with_chunks([chunk._replace(late=True) for chunk in CHAT.chunks])
    stalled = applied(faults.stall(3), tape)
    assert [chunk.late for chunk in stalled.chunks] == [True, True, False] + [True] * 8


def test_a_silence_that_is_too_long_breaks_the_stream_after_what_came_before_it() -> None:
    stalled = applied(faults.stall(3, seconds=60), CHAT)
    before = sum(len(chunk.data) for chunk in CHAT.chunks[:2])
    since_ns = CHAT.chunks[1].at_ns
    cut = applied(faults.idle_cut(), stalled)
    assert cut.body == CHAT.body[:before]
    assert cut.ending == Ending("error", since_ns + 60 * SECOND, "protocol", NOT_TERMINATED)
    assert applied(faults.idle_cut(seconds=60.011), stalled) is stalled
    assert applied(faults.idle_cut(), CHAT) is CHAT


def test_a_silence_before_the_head_is_answered_with_a_504() -> None:
    slow = replace(CHAT, head_ns=61 * SECOND)
    answer = applied(faults.idle_cut(), slow)
    assert (answer.status, answer.reason, answer.head_ns) == (504, "Gateway Timeout", 60 * SECOND)
    never = Tape((), Ending("error", 90 * SECOND, "read-timeout"), head_ns=None, status=599)
    assert applied(faults.idle_cut(), never).status == 504


def test_what_lay_waiting_and_a_client_that_left_are_no_silence() -> None:
    late = TAPES["slow"].with_chunks([chunk._replace(late=True) for chunk in TAPES["slow"].chunks])
    left = replace(late, ending=Ending("closed", 1000 * SECOND))
    assert applied(faults.idle_cut(), left) is left
    whole = replace(late, ending=Ending("eof", 1000 * SECOND))
    assert applied(faults.idle_cut(), whole).body == whole.body


def test_no_time_is_no_stall() -> None:
    assert applied(faults.stall(3, seconds=0), CHAT) is CHAT


@pytest.mark.parametrize(
    ("tape", "comment"),
    [
        (CHAT, b": keep-alive\n\n"),
        (rewrites.crlf().apply(CHAT), b": keep-alive\r\n\r\n"),
        (OLLAMA, b"\n"),
    ],
    ids=["sse", "crlf", "ndjson"],
)
def test_comments_keep_a_stream_alive(tape: Tape, comment: bytes) -> None:
    stalled = applied(faults.stall(4, seconds=60, keepalives=True), tape)
    sent = [chunk.at_ns for chunk in stalled.chunks if chunk.data == comment]
    since = tape.chunks[2].at_ns
    assert sent == [since + seconds * SECOND for seconds in (15, 30, 45)]
    assert events(stalled) == events(tape)
    gaps = [later.at_ns - chunk.at_ns for chunk, later in pairwise(stalled.chunks)]
    assert max(gaps) < 15.1 * SECOND


@pytest.mark.parametrize("cuts", ["bytes", "whole", (700,)])
def test_a_comment_never_tears_an_event(cuts: Any) -> None:
    for k in (1, 2, 5):
        delivery = Delivery(cuts=cuts, fault=faults.stall(k, keepalives=True))
        assert events(CHAT.deliver(delivery)) == events(CHAT)


def test_messages_of_aws_are_not_kept_alive() -> None:
    silent, kept = (
        applied(faults.stall(3, keepalives=keepalives), TAPES["aws"])
        for keepalives in (False, True)
    )
    assert silent == kept


# --- events that go wrong -------------------------------------------------------------------------


@each_tape
@pytest.mark.parametrize("k", [1, 2, 3])
def test_an_event_comes_twice_or_not_at_all_or_too_late(tape: Tape, k: int) -> None:
    whole = events(tape)
    twice = whole[: k - 1] + whole[k - 1 : k] * 2 + whole[k:]
    assert events(applied(faults.duplicated(k), tape)) == twice
    assert events(applied(faults.lost(k), tape)) == whole[: k - 1] + whole[k:]
    if k < len(whole):
        other = [*whole[: k - 1], whole[k], whole[k - 1], *whole[k + 1 :]]
        assert events(applied(faults.swapped(k), tape)) == other


def test_the_only_event_has_none_to_change_places_with() -> None:
    tape = Tape.of(b"data: 1\n\n")
    assert applied(faults.swapped(1), tape) is tape
    assert applied(faults.glued(1), tape) is tape
    assert applied(faults.lost(1), tape).body == b""


def test_a_last_line_without_a_line_end_is_a_line() -> None:
    tape = Tape.of(b'{"n":1}\n{"n":2}', content_type="application/x-ndjson")
    assert applied(faults.duplicated(2), tape).body == b'{"n":1}\n{"n":2}\n{"n":2}'
    assert applied(faults.swapped(1), tape).body == b'{"n":2}\n{"n":1}\n'


@pytest.mark.parametrize("fault", [faults.swapped(1), faults.duplicated(1)], ids=str)
def test_a_byte_order_mark_stays_in_front(fault: Fault) -> None:
    marked = rewrites.bom().apply(CHAT)
    assert events(applied(fault, marked)) == events(applied(fault, CHAT))
    assert applied(fault, marked).body.count(streamtape.wire.sse.BOM) == 1


@each_tape
@pytest.mark.parametrize("k", [1, 2])
def test_an_event_is_glued_to_the_half_of_another(tape: Tape, k: int) -> None:
    glued = applied(faults.glued(k), tape)
    ends = [0, *(len(applied(faults.end_after(n), tape).body) for n in range(1, k + 1))]
    half = (ends[k] - ends[k - 1]) // 2
    assert glued.body == tape.body[: ends[k - 1] + half] + tape.body[ends[k] :]
    if tape.framing == "eventstream":
        assert events(glued) == events(tape)[: k - 1]  # its checksum is wrong: nothing follows
    else:
        assert events(glued)[: k - 1] == events(tape)[: k - 1]
        assert events(glued)[k - 1 :] != events(tape)[k - 1 :]


def test_the_half_may_be_of_any_length() -> None:
    first_line = len(b"event: message_start\n")
    glued = applied(faults.glued(1, at=first_line), MESSAGES)
    assert datas(glued) == datas(MESSAGES)[1:]  # a second type in the same block: the last counts
    assert "other" in faults.glued(1, at=first_line).allowed(MESSAGES)
    assert "other" not in faults.glued(1).allowed(MESSAGES)


@each_tape
@pytest.mark.parametrize("k", [1, 3])
def test_the_json_of_an_event_is_broken(tape: Tape, k: int) -> None:
    broken = applied(faults.broken_json(k), tape)
    if tape is TAPES["text"]:
        assert broken is tape
        return
    whole = events(tape)
    assert [event for event in events(broken) if event in whole] == whole[: k - 1] + whole[k:]
    assert len(events(broken)) == len(whole)
    with pytest.raises(json.JSONDecodeError):
        json.loads(events(broken)[k - 1].data)


def test_only_where_events_have_ids_the_rest_can_be_asked_for() -> None:
    names = {name for name, fault in ALL if fault.name == "reconnect"}
    assert names == {"ids"}


def test_what_is_no_json_cannot_be_broken() -> None:
    assert applied(faults.broken_json(99), CHAT) is CHAT  # [DONE]


@each_tape
def test_a_byte_that_is_no_utf_8(tape: Tape) -> None:
    whole = events(tape)
    for k in range(1, len(whole) + 1):
        spoilt = events(applied(faults.invalid_utf8(k), tape))
        if whole[k - 1].data == "[DONE]":
            assert spoilt == whole
            continue
        assert spoilt[k - 1].data.replace("\ufffd", "") == whole[k - 1].data
        assert spoilt[k - 1].data.count("\ufffd") == 1
        assert spoilt[: k - 1] + spoilt[k:] == whole[: k - 1] + whole[k:]
        text = providers.token_text(whole[k - 1])
        assert not text or providers.token_text(spoilt[k - 1]) == f"{text}\ufffd"
        if tape is not TAPES["text"]:
            json.loads(spoilt[k - 1].data)  # it stands in a string


# --- events that are too many ---------------------------------------------------------------------


@each_tape
@pytest.mark.parametrize("k", [0, 3])
def test_a_stream_tells_of_an_error_in_its_provider_s_way(tape: Tape, k: int) -> None:
    *before, error = events(applied(faults.error_event(k), tape))
    assert before == events(tape)[:k]
    assert providers.in_band_error(error) == MESSAGE
    provider = providers.detect(events(tape))
    assert provider is not None
    made = provider.error_event(MESSAGE, events(tape))
    assert (error.type, error.data) == (made.type, made.data)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("data", ("message", ["error"])),
        ("event", ("error", ["error"])),
        ("bare", ("error", ["message", "type", "param", "code"])),
    ],
)
def test_a_stream_tells_of_an_error_in_other_ways(form: Any, expected: object) -> None:
    error = events(applied(faults.error_event(2, form), MESSAGES))[-1]
    assert (error.type, list(json.loads(error.data))) == expected


def test_a_framing_without_types_has_fewer_ways() -> None:
    assert applied(faults.error_event(2, "event"), OLLAMA) is OLLAMA
    assert applied(faults.error_event(2, "data"), TAPES["aws"]) is TAPES["aws"]
    assert json.loads(datas(applied(faults.error_event(2, "data"), OLLAMA))[-1])["error"]


def test_an_exception_of_aws_is_a_message_of_its_own_type() -> None:
    messages, rest = eventstream.read_messages(applied(faults.error_event(2), TAPES["aws"]).body)
    assert rest == b""
    headers = eventstream.parse_headers(messages[-1].headers)
    assert headers[":message-type"] == "exception"
    assert headers[":exception-type"] == "modelStreamErrorException"
    assert headers[":content-type"] == "application/json"


@pytest.mark.parametrize(
    ("make", "event"),
    [
        (faults.keepalive_data, Event(data=": keepalive")),
        (faults.empty_event, Event("ping", "")),
        (faults.unknown_event, Event("streamtape.notice", '{"notice": "routed elsewhere"}')),
    ],
)
def test_an_event_comes_that_the_answer_does_not_have(make: Any, event: Event) -> None:
    for tape in (CHAT, rewrites.crlf().apply(CHAT), MESSAGES):
        for k in (0, 4, len(events(tape))):
            whole = events(tape)
            assert events(applied(make(k), tape)) == [*whole[:k], event, *whole[k:]]
    assert applied(make(3), OLLAMA) is OLLAMA


def test_what_is_inserted_is_a_chunk_where_a_chunk_ends_and_part_of_one_elsewhere() -> None:
    tape = Tape.of(b"data: 1\n\ndata: 2\n\n", gap_ms=10)
    ping = b"event: ping\ndata:\n\n"

    def pieces(cuts: Any, k: int) -> list[tuple[float, bytes]]:
        delivered = tape.deliver(Delivery(cuts=cuts, fault=faults.empty_event(k)))
        return [(chunk.at_ns / MS, chunk.data) for chunk in delivered.chunks]

    assert pieces("events", 1) == [(10, b"data: 1\n\n"), (10, ping), (20, b"data: 2\n\n")]
    assert pieces("events", 2) == [(10, b"data: 1\n\n"), (20, b"data: 2\n\n"), (20, ping)]
    assert pieces("events", 0) == [(10, ping), (10, b"data: 1\n\n"), (20, b"data: 2\n\n")]
    assert pieces("whole", 1) == [(20, b"data: 1\n\n" + ping + b"data: 2\n\n")]


# --- other responses ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tape", "path"),
    [
        (CHAT, ("error", "message")),
        (MESSAGES, ("error", "message")),
        (TAPES["gemini"], ("error", "message")),
        (OLLAMA, ("error",)),
        (TAPES["aws"], ("message",)),
        (TAPES["text"], ("error", "message")),
    ],
)
def test_an_error_response_looks_like_its_provider_s(tape: Tape, path: tuple[str, ...]) -> None:
    answer = applied(faults.status(529, retry_after=2.5), tape)
    assert (answer.status, answer.reason, answer.framing) == (529, "Overloaded", "raw")
    assert answer.headers == [
        ("content-type", "application/json"),
        ("retry-after", "2"),
        ("retry-after-ms", "2500"),
    ]
    found = json.loads(answer.body)
    for key in path:
        found = found[key]
    assert found == MESSAGE


def test_an_error_response_may_say_that_it_is_a_stream() -> None:
    answer = applied(faults.status(content_type="text/event-stream"), CHAT)
    assert (answer.status, answer.reason) == (429, "Too Many Requests")
    assert (answer.content_type, answer.framing) == ("text/event-stream", "raw")


@pytest.mark.parametrize(("kind", "start"), [("html", b"<!doctype"), ("json", b"{")])
def test_a_document_comes_under_the_stream_s_content_type(kind: Any, start: bytes) -> None:
    answer = applied(faults.wrong_body(kind), replace(CHAT, coding="gzip"))
    assert answer.status == 200
    assert answer.content_type == CHAT.content_type
    assert answer.body.startswith(start)
    assert answer.coding is None
    assert streamtape.decode(answer.body) == []


def test_only_the_first_attempt_goes_wrong() -> None:
    fault = faults.first_attempt(faults.reset_after(3))
    assert fault.attempts(CHAT) == (applied(faults.reset_after(3), CHAT), CHAT)
    assert Delivery(cuts="bytes", fault=fault).attempts(CHAT)[1] == CHAT.deliver(
        Delivery(cuts="bytes")
    )
    assert faults.first_attempt(faults.broken_json(99)).attempts(CHAT) == (CHAT,)
    assert "reset after event 3" in fault.sentence


@pytest.mark.parametrize(
    ("then", "left"), [("resume", slice(4, None)), ("all", slice(None)), ("skip", slice(5, None))]
)
def test_who_connects_again_gets_the_rest(then: Any, left: slice) -> None:
    first, second, third = faults.reconnect(4, then).attempts(CHAT)
    assert first.ending.error == "read"
    assert events(first) == events(CHAT)[:4]
    assert events(second) == events(CHAT)[left]
    assert second.ending.kind == "eof"
    assert (third.status, third.body) == (204, b"")
    decoder = streamtape.Decoder()
    decoder.feed(first.body)
    assert decoder.retry == 1


def test_who_connects_again_may_be_told_to_stop() -> None:
    attempts = faults.reconnect(4, "204").attempts(CHAT)
    assert [(tape.status, len(events(tape))) for tape in attempts] == [(200, 4), (204, 0)]


# --- what a right client may make of it -----------------------------------------------------------

NO_END = Tape.of(b"".join(streams.openai_chat()[:-1]))
TEXT = TAPES["text"]
RIGHT = {"equal", "raises"}


@pytest.mark.parametrize(
    ("fault", "tape", "more"),
    [
        (faults.end_after(5), CHAT, set()),
        (faults.end_after(5), NO_END, {"part"}),  # it can't know that there is more
        (faults.end_inside(11), CHAT, set()),
        (faults.no_last_blank_line(), CHAT, set()),
        (faults.no_last_blank_line(), NO_END, set()),  # it sees that something is left over
        (faults.no_last_blank_line(), TEXT, {"part"}),  # the standard discards it
        (faults.no_terminal(), MESSAGES, set()),
        (faults.reset_after(5), CHAT, set()),
        (faults.reset_after(5), NO_END, set()),
        (faults.read_timeout_after(11), CHAT, set()),
        (faults.error_event(5, "data"), MESSAGES, set()),
        (faults.error_event(11), CHAT, {"part"}),  # after [DONE]
        (faults.error_event(1), TEXT, {"part", "other"}),  # who knows what an error is
        (faults.duplicated(5), CHAT, set()),
        (faults.duplicated(1), CHAT, {"part", "other"}),  # the role, which has no text
        (faults.duplicated(3), MESSAGES, {"part", "other"}),  # a ping
        (faults.duplicated(1), TEXT, {"part", "other"}),
        (faults.lost(5), CHAT, {"part", "other"}),
        (faults.swapped(5), CHAT, {"part", "other"}),
        (faults.broken_json(5), CHAT, set()),
        (faults.glued(5), CHAT, set()),
        (faults.glued(1), TEXT, {"part", "other"}),
        (faults.invalid_utf8(5), CHAT, {"other"}),  # U+FFFD
        (faults.invalid_utf8(1), DOCUMENT, set()),
        (faults.keepalive_data(5), CHAT, set()),
        (faults.keepalive_data(1), TEXT, {"other"}),
        (faults.status(), CHAT, set()),
        (faults.wrong_body(), CHAT, set()),
        (faults.wrong_body(), NO_END, {"part"}),
        (faults.first_attempt(faults.end_after(5)), NO_END, {"part"}),
        (faults.stall(5), CHAT, set()),
        (faults.idle_cut(), CHAT, set()),
        (faults.idle_cut(), TAPES["slow"], set()),
        (faults.idle_cut(0.005), TAPES["text"], set()),
        (faults.reconnect(5, "skip"), CHAT, {"part", "other"}),
        (faults.reconnect(5, "all"), CHAT, set()),
        (faults.reconnect(5, "204"), CHAT, set()),
        (faults.reconnect(5), CHAT, {"other"}),
    ],
    ids=lambda value: str(value) if isinstance(value, Fault) else "",
)
def test_what_a_right_client_may_make_of_it(fault: Fault, tape: Tape, more: set[str]) -> None:
    assert fault.allowed(tape) == RIGHT | more


def test_chunks_without_bytes_stay_where_nothing_strikes() -> None:
    tape = Tape(
        (Chunk(0, b""), Chunk(1, b"data: 1\n\n"), Chunk(2, b""), Chunk(3, b"data: 2\n\n")),
        Ending("eof", 4),
        framing="sse",
    )
    ended = applied(faults.end_after(1), tape)
    assert ended.chunks == tape.chunks[:2]
    assert applied(faults.lost(2), tape).chunks == tape.chunks[:3]


# --- the page that tells of them ------------------------------------------------------------------

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "faults.md"
ROW = re.compile(r"^\| `((\w+)\(.*?\))` \| (.*?) \| (.*?) \|$", re.MULTILINE)


def test_the_page_has_every_fault_as_it_is() -> None:
    shown = {name: cells for *cells, name in ((a, c, d, b) for a, b, c, d in rows())}
    made = {name: make for (family, name), make in Change.makers.items() if family == "faults"}
    assert set(shown) == set(made)
    for name, make in made.items():
        parameters = list(inspect.signature(make).parameters.values())[1:]
        written = [
            one.name if one.default is one.empty else f"{one.name}={one.default!r}"
            for one in parameters
        ]
        struck: Any = {"k": 5, "fault": faults.end_after(5)}
        fault = make(
            **{one.name: struck[one.name] for one in parameters if one.default is one.empty},
        )
        assert isinstance(fault, Fault)
        value, sentence, right = shown[name]
        assert value == f"{name}({', '.join(written)})"
        told = fault.sentence
        if name == "first_attempt":
            told = told.replace(faults.end_after(5).sentence, "`fault` strikes")
        assert sentence == told.replace("event 5", "event k")
        allowed = fault.allowed(CHAT)
        assert right == ", ".join(
            word for word in ("equal", "raises", "part", "other") if word in allowed
        )


def rows() -> list[tuple[str, str, str, str]]:
    return ROW.findall(PAGE.read_text(encoding="utf-8"))


# --- what is tried, to the byte and to the nanosecond ---------------------------------------------


def tried(tape: Tape) -> list[str]:
    return [repr(fault).removeprefix("faults.") for fault in faults.every(tape)]


FIRST_OF_CHAT = """
    keepalive_data(k=5) broken_json(k=5) end_after(k=5) empty_event(k=5) error_event(k=5)
    duplicated(k=5) glued(k=5) no_last_blank_line() unknown_event(k=5) invalid_utf8(k=5)
    end_inside(k=5) error_event(k=5,form='bare') error_event(k=5,form='event') wrong_body()
    reset_after(k=5) glued(k=2) no_terminal() status() wrong_body(kind='json') not_terminated(k=5)
    not_terminated(k=0) read_timeout_after(k=5) read_timeout_after(k=0) end_after(k=0)
    reset_after(k=0) error_event(k=0) keepalive_data(k=0) empty_event(k=0) unknown_event(k=0)
    reset_after(k=10) error_event(k=10) keepalive_data(k=10) empty_event(k=10) unknown_event(k=10)
    reset_after(k=11) error_event(k=11) keepalive_data(k=11) empty_event(k=11) unknown_event(k=11)
    lost(k=5) swapped(k=5) broken_json(k=1) glued(k=1) end_inside(k=1) duplicated(k=1)
    invalid_utf8(k=1) lost(k=1) swapped(k=1) broken_json(k=2) end_inside(k=2) duplicated(k=2)
    invalid_utf8(k=2) lost(k=2) swapped(k=2) broken_json(k=8) glued(k=8) end_inside(k=8)
    duplicated(k=8) invalid_utf8(k=8) lost(k=8) swapped(k=8) glued(k=11) end_inside(k=11)
    duplicated(k=11) swapped(k=11) status(code=503) status(code=529)
    status(code=429,content_type='text/event-stream') first_attempt(fault=faults.status())
    first_attempt(fault=faults.reset_after(k=5)) first_attempt(fault=faults.reset_after(k=0))
    first_attempt(fault=faults.end_after(k=5)) first_attempt(fault=faults.error_event(k=5))
    stall(k=5) stall(k=5,keepalives=True) stall(k=5,seconds=3600.0) stall(k=1,seconds=3600.0)
"""
"""Of eleven events the tokens are 2 to 8, the usage is 10 and [DONE] 11."""


def test_the_likeliest_to_hurt_come_first_at_a_token_then_at_every_edge() -> None:
    assert [told.replace(", ", ",") for told in tried(CHAT)] == FIRST_OF_CHAT.split()


def test_what_is_tried_only_where_the_stream_gives_reason_to() -> None:
    known = FIRST_OF_CHAT.split()
    more = [told for told in tried(TAPES["ids"]) if told.replace(", ", ",") not in known]
    assert more == [
        *("glued(k=2, at=6)", "glued(k=5, at=6)"),  # behind the line of the ID
        *("reconnect(k=5, then='resume')", "reconnect(k=5, then='all')"),
        *("reconnect(k=5, then='skip')", "reconnect(k=5, then='204')"),
    ]
    assert tried(DOCUMENT) == [
        *("status(code=429)", "status(code=503)", "status(code=529)"),
        "status(code=429, content_type='text/event-stream')",
        *("wrong_body(kind='html')", "wrong_body(kind='json')"),
        "first_attempt(fault=faults.status())",
        *("reset_after(k=0)", "read_timeout_after(k=0)", "end_after(k=0)"),
    ]


@pytest.mark.parametrize(
    ("chosen", "middle"),
    [
        (slice(None), 5),  # of the tokens
        (slice(0, 9, 8), 2),  # of the role and the finish reason, which are JSON
        (slice(0, 11, 10), 1),  # of the role; [DONE] is no JSON
        (slice(10, 11), 1),  # [DONE] alone
    ],
)
def test_the_middle_one_is_struck_of_tokens_else_of_json_else_of_all(
    chosen: slice, middle: int
) -> None:
    tape = Tape.of(b"".join(streams.openai_chat()[chosen]))
    assert tried(tape)[0] == f"keepalive_data(k={middle})"


@pytest.mark.parametrize(
    ("make", "least"),
    [
        *((make, 1) for make in (faults.end_inside, faults.broken_json, faults.duplicated)),
        *((make, 1) for make in (faults.lost, faults.swapped, faults.glued, faults.stall)),
        (faults.invalid_utf8, 1),
        *((make, 0) for make in (faults.end_after, faults.reset_after, faults.not_terminated)),
        *((make, 0) for make in (faults.error_event, faults.keepalive_data, faults.empty_event)),
    ],
)
def test_the_first_number_is_one_of_its_own_and_there_is_none_below(make: Any, least: int) -> None:
    for tape in (CHAT, MESSAGES):
        assert make(least).attempts(tape) != make(least + 1).attempts(tape)
    with pytest.raises(ValueError, match=f"k must be the number of an event, .* not {least - 1}$"):
        make(least - 1)


def test_all_but_one_byte_of_an_event_may_be_lost_or_only_one() -> None:
    first, second, *_ = CHAT.chunks
    for at, left in ((1, 1), (10_000, len(first.data) - 1)):
        glued = applied(faults.glued(1, at=at), CHAT)
        assert glued.body.startswith(first.data[:left] + second.data)
        ended = applied(faults.end_inside(1, at=at), CHAT)
        assert ended.body == first.data[:left]


def test_the_last_two_events_can_be_glued_and_one_alone_cannot() -> None:
    two = Tape.of(b"data: 1\n\ndata: 2\n\n")
    assert applied(faults.glued(2), two) == applied(faults.glued(1), two) != two
    one = Tape.of(b"data: 1\n\n")
    assert applied(faults.glued(1), one) is one
    assert applied(faults.reconnect(1), one) is one
    assert faults.reconnect(2).attempts(two) == faults.reconnect(1).attempts(two)
    assert len(faults.reconnect(2).attempts(two)) == 3


def test_what_is_taken_out_leaves_nothing() -> None:
    last = CHAT.chunks[-1].data
    assert applied(faults.no_terminal(), CHAT).body + last == CHAT.body
    assert applied(faults.lost(11), CHAT).body + last == CHAT.body
    broken = applied(faults.broken_json(2), CHAT).body
    assert len(broken) == len(CHAT.body) - 1
    assert broken.startswith(CHAT.chunks[0].data + CHAT.chunks[1].data.rstrip()[:-1] + b"\n\n")


@pytest.mark.parametrize("name", ["openai_chat", "ollama", "aws", "ids"])
def test_what_comes_twice_comes_byte_for_byte(name: str) -> None:
    tape = TAPES[name]
    third = tape.chunks[2].data
    before = sum(len(chunk.data) for chunk in tape.chunks[:3])
    twice = applied(faults.duplicated(3), tape)
    assert twice.body == tape.body[:before] + third + tape.body[before:]


@pytest.mark.parametrize(
    ("framing", "body", "spoilt"),
    [
        ("sse", b"data: one\nid: 7\n\n", b"data: one\xff\nid: 7\n\n"),
        ("sse", b"id: 7\r\rdata:a\rdata: b\revent: c\r\r", None),
        ("sse", b'data: {"a": "b", "c": "d", "e": 1}\n\n',
         b'data: {"a": "b", "c": "d\xff", "e": 1}\n\n'),
        ("sse", b'data: {"a": "b\\"c"}\n\n', b'data: {"a": "b\\"c\xff"}\n\n'),
        ("ndjson", b"\n12\n", b"\n12\xff\n"),
        ("ndjson", b"12\r\n", b"12\xff\r\n"),
    ],
)  # fmt: skip
def test_where_a_byte_that_is_no_utf_8_stands(
    framing: Any, body: bytes, spoilt: bytes | None
) -> None:
    tape = Tape((Chunk(0, body),), Ending("eof", 0), framing=framing)
    expected = spoilt or b"id: 7\r\rdata:a\rdata: b\xff\revent: c\r\r"
    assert applied(faults.invalid_utf8(1), tape).body == expected


ERRORS: dict[str, object] = {
    "anthropic_messages": {"type": "error", "error": {"type": "overloaded_error"}},
    "openai_chat": {"error": {"type": "overloaded_error", "param": None, "code": None}},
    "ollama": {"error": MESSAGE},
    "gemini": {"error": {"code": 529, "status": "UNAVAILABLE"}},
    "aws": {"message": MESSAGE},
}


@pytest.mark.parametrize(("name", "expected"), ERRORS.items())
def test_an_error_response_has_all_that_its_provider_s_has(name: str, expected: Any) -> None:
    told = json.loads(applied(faults.status(529), TAPES[name]).body)
    if isinstance(expected.get("error"), dict):
        expected = {**expected, "error": {**expected["error"], "message": MESSAGE}}
    assert told == expected


@pytest.mark.parametrize(
    ("code", "error_type"),
    [(429, "rate_limit_error"), (529, "overloaded_error"), (500, "server_error")],
)
def test_a_status_has_its_type_of_error(code: int, error_type: str) -> None:
    told = json.loads(applied(faults.status(code), CHAT).body)
    assert told["error"]["type"] == error_type
    document = json.loads(applied(faults.wrong_body("json"), CHAT).body)
    assert document["error"]["type"] == "server_error"
    gemini = json.loads(applied(faults.wrong_body("json"), TAPES["gemini"]).body)
    assert gemini["error"]["code"] == 500


@pytest.mark.parametrize(("head_ns", "expected"), [(7 * MS, 7 * MS), (0, 0), (None, 0)])
def test_another_response_comes_with_its_head(head_ns: int | None, expected: int) -> None:
    tape = replace(CHAT, head_ns=head_ns)
    for fault in (faults.status(), faults.wrong_body()):
        answer = applied(fault, tape)
        assert answer.head_ns == answer.chunks[0].at_ns == answer.ending.at_ns == expected
    nothing = faults.reconnect(4).attempts(tape)[-1]
    assert (nothing.head_ns or 0) == (head_ns or 0)
    assert (nothing.chunks, nothing.ending) == ((), Ending("eof", expected))


@pytest.mark.parametrize(("head_ns", "expected"), [(7 * MS, 7 * MS), (None, 0)])
def test_what_comes_before_every_event_comes_with_the_head_or_the_first_chunk(
    head_ns: int | None, expected: int
) -> None:
    tape = replace(CHAT, head_ns=head_ns)
    assert applied(faults.error_event(0), tape).chunks[0].at_ns == expected
    assert applied(faults.reset_after(0), tape).ending.at_ns == expected
    assert applied(faults.empty_event(0), tape).chunks[0].at_ns == tape.chunks[0].at_ns
    kept = applied(faults.stall(1, seconds=20, keepalives=True), tape)
    assert kept.chunks[0].at_ns == expected + 15 * SECOND
    assert kept.chunks[1].at_ns == tape.chunks[0].at_ns + 20 * SECOND


@pytest.mark.parametrize(
    ("seconds", "times"),
    [(15, []), (15.5, [15]), (30, [15]), (45.5, [15, 30, 45]), (0.5, [])],
)
def test_comments_come_every_fifteen_seconds_as_long_as_nothing_does(
    seconds: float, times: list[int]
) -> None:
    stalled = applied(faults.stall(1, seconds, keepalives=True), CHAT)
    comments = [chunk.at_ns for chunk in stalled.chunks if chunk.data == b": keep-alive\n\n"]
    assert comments == [(CHAT.head_ns or 0) + time * SECOND for time in times]
    first = stalled.chunks[len(times)]
    assert first.at_ns == CHAT.chunks[0].at_ns + round(seconds * SECOND)


def test_what_breaks_without_words_says_none() -> None:
    assert applied(faults.end_after(3), CHAT).ending.text == ""


def test_an_event_that_comes_after_the_end_has_no_say() -> None:
    """A stream whose events go on after the one that ends it."""
    body = CHAT.body + b'data: {"more": 1}\n\n'
    tape = Tape.of(body)
    assert faults.reset_after(11).allowed(tape) == {"equal", "raises", "part"}
    assert faults.reset_after(10).allowed(tape) == {"equal", "raises"}
    assert faults.reset_after(12).allowed(tape) == {"equal", "raises"}
    assert faults.end_inside(12).allowed(tape) == {"equal", "raises", "part"}
    assert faults.end_inside(11).allowed(tape) == {"equal", "raises"}


def test_what_is_made_up_ends_its_lines_as_the_first_event_does() -> None:
    tape = Tape.of(b"data: 1\n\ndata: 2\r\n\r\n")
    assert applied(faults.empty_event(1), tape).body == (
        b"data: 1\n\nevent: ping\ndata:\n\ndata: 2\r\n\r\n"
    )


def test_halves_that_make_good_json_are_no_error_that_a_client_could_see() -> None:
    tape = Tape.of(b"data: [1,\ndata: 0]\n\ndata: 2]\n\n")
    assert datas(applied(faults.glued(1, at=10), tape)) == ["[1,\n2]"]
    assert faults.glued(1, at=10).allowed(tape) == RIGHT | {"part", "other"}
    assert faults.glued(1, at=8).allowed(tape) == RIGHT


def test_the_first_token_is_struck_wherever_it_is() -> None:
    first = next(k for k, event in enumerate(events(MESSAGES), 1) if providers.token_text(event))
    assert first > 2
    assert f"lost(k={first})" in tried(MESSAGES)


def test_half_of_a_character_of_four_bytes_in_json_is_no_hindrance() -> None:
    tape = Tape.of(b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n')
    spoilt = applied(faults.invalid_utf8(1), tape).body
    assert spoilt == tape.body.replace(b'ud83d"', b'ud83d\xff"')


def test_a_length_stays_where_a_stall_adds_nothing() -> None:
    tape = replace(CHAT, headers=[*CHAT.headers, ("Content-Length", str(len(CHAT.body)))])
    assert applied(faults.stall(3), tape).headers == tape.headers
    assert applied(faults.stall(3, keepalives=True), tape).headers == CHAT.headers


@pytest.mark.parametrize(
    ("provider", "keys"),
    [
        *((name, ["type", "error"]) for name in ("anthropic", "anthropic-completions")),
        *((name, ["error"]) for name in ("ollama", "gemini", "any other")),
        *((name, ["message"]) for name in ("mistral", "cohere-v1", "cohere-v2")),
        *((name, ["message"]) for name in ("bedrock-converse", "bedrock-invoke")),
    ],
)
def test_each_provider_s_error_response_has_its_keys(
    monkeypatch: pytest.MonkeyPatch, provider: str, keys: list[str]
) -> None:
    known = SimpleNamespace(provider=SimpleNamespace(name=provider))
    monkeypatch.setattr(responses, "anatomy", lambda _: known)
    assert list(json.loads(applied(faults.status(), CHAT).body)) == keys
