"""What a field says: its name, data, event types, IDs, reconnection times."""

from __future__ import annotations

import sys

from streamtape.checks.conformance.case import case, named, with_id
from streamtape.wire.sse import Event

NAME = (
    case("a name in upper case is unknown", b"DATA: a\n\ndata: b\n\n", "b"),
    case("a name in title case is unknown", b"Data: a\nData: b\n\n"),
    case("Event in title case is unknown", b"Event: t\ndata: a\n\n", "a"),
    case("ID in upper case is unknown", b"ID: 1\ndata: a\n\n", "a"),
    case("Retry in title case is unknown", b"Retry: 5\ndata: a\n\n", "a"),
    case("a space before a name makes it unknown", b" data: a\n\n"),
    case("a tab before a name makes it unknown", b"\tdata: a\n\n"),
    case("a space after a name makes it unknown", b"data : a\n\n"),
    case("a space after a name without a colon makes it unknown", b"data \n\n"),
    case("a longer name is unknown", b"database: a\ndata1: b\n\n"),
    case("a shorter name is unknown", b"dat: a\nd: b\n\n"),
    case("a NUL in a name makes it unknown", b"da\0ta: a\n\n"),
    case("a full-width colon separates nothing", "data\uff1a a\n\n".encode()),
    case("an unknown field alone has no events", b"foo: bar\n\n"),
    case("an unknown field inside an event is skipped", b"foo: bar\ndata: a\nbaz\n\n", "a"),
    case(
        "fields may come in any order",
        b"data: a\nretry: 7\nid: 1\nevent: t\n\n",
        Event("t", "a", "1"),
        retry=7,
    ),
)

DATA = (
    case("no space after the colon", b"data:a\n\n", "a"),
    case("one space after the colon is dropped", b"data: a\n\n", "a"),
    case("of two spaces after the colon one is kept", b"data:  a\n\n", " a"),
    case("of three spaces after the colon two are kept", b"data:   a\n\n", "  a"),
    case("a tab after the colon is kept", b"data:\ta\n\n", "\ta"),
    case("a tab after the space is kept", b"data: \ta\n\n", "\ta"),
    case("a no-break space after the colon is kept", b"data:\xc2\xa0a\n\n", "\u00a0a"),
    case("spaces at the end of a line are kept", b"data: a  \n\n", "a  "),
    case("a value of one space is empty", b"data: \n\n", ""),
    case("a value of two spaces is one space", b"data:  \n\n", " "),
    case("a value may hold colons", b"data: a:b: c\n\n", "a:b: c"),
    case("a value may start with a colon", b"data::\n\n", ":"),
    case("a value may look like a field", b"data: data: a\n\n", "data: a"),
    case("a value may look like a comment", b"data: : keepalive\n\n", ": keepalive"),
    case("several data lines are joined by LF", b"data: a\ndata: b\ndata: c\n\n", "a\nb\nc"),
    case(
        "data lines with other fields between are joined",
        b"data: a\nid: 1\nx: y\ndata: b\n\n",
        with_id("1", "a\nb"),
    ),
    case("one empty data line dispatches an event", b"data:\n\n", ""),
    case("data without a colon dispatches an event", b"data\n\n", ""),
    case("two empty data lines are one LF", b"data:\ndata:\n\n", "\n"),
    case("three data lines without a colon are two LF", b"data\ndata\ndata\n\n", "\n\n"),
    case("an empty first data line counts", b"data:\ndata: a\n\n", "\na"),
    case("an empty data line in the middle counts", b"data: a\ndata\ndata: b\n\n", "a\n\nb"),
    case("an empty last data line counts", b"data: a\ndata:\n\n", "a\n"),
    case(
        "JSON over several lines is joined", b'data: {\ndata:  "a": 1\ndata: }\n\n', '{\n "a": 1\n}'
    ),
    case("[DONE] is an event like any other", b"data: [DONE]\n\n", "[DONE]"),
    case(
        "data does not leak into the next event", b"data: a\n\n\nevent: t\n\ndata: b\n\n", "a", "b"
    ),
)

TYPE = (
    case("a type names the event", b"event: ping\ndata: a\n\n", named("ping", "a")),
    case("a type may come after the data", b"data: a\nevent: ping\n\n", named("ping", "a")),
    case("the last of two types counts", b"event: a\nevent: b\ndata: c\n\n", named("b", "c")),
    case("an empty type after another means message", b"event: a\nevent:\ndata: c\n\n", "c"),
    case("a type without a colon means message", b"event: a\nevent\ndata: c\n\n", "c"),
    case("message may be spelled out", b"event: message\ndata: a\n\n", "a"),
    case("a type without data dispatches nothing", b"event: ping\n\n"),
    case("a type without data does not name the next event", b"event: ping\n\ndata: a\n\n", "a"),
    case("a type with empty data dispatches", b"event: ping\ndata:\n\n", named("ping", "")),
    case("a type does not last", b"event: t\ndata: a\n\ndata: b\n\n", named("t", "a"), "b"),
    case("of two spaces before a type one is kept", b"event:  t\ndata: a\n\n", named(" t", "a")),
    case("a type may hold spaces and colons", b"event: a b:c\ndata: d\n\n", named("a b:c", "d")),
    case(
        "a type is UTF-8 text",
        "event: \u00e9\U0001f469\ndata: a\n\n".encode(),
        named("\u00e9\U0001f469", "a"),
    ),
    case("a type may hold a NUL", b"event: a\0b\ndata: c\n\n", named("a\0b", "c")),
    case(
        "a type may be error",
        b'event: error\ndata: {"error":{}}\n\n',
        named("error", '{"error":{}}'),
    ),
)

ID = (
    case("an ID goes with its event", b"id: 1\ndata: a\n\n", with_id("1", "a")),
    case("an ID may come after the data", b"data: a\nid: 1\n\n", with_id("1", "a")),
    case("the last of two IDs counts", b"id: 1\nid: 2\ndata: a\n\n", with_id("2", "a")),
    case(
        "an ID is not in force before its event",
        b"data: a\n\nid: 1\ndata: b\n\n",
        "a",
        with_id("1", "b"),
    ),
    case(
        "an ID is kept for all later events",
        b"id: 1\ndata: a\n\ndata: b\n\ndata: c\n\n",
        with_id("1", "a"),
        with_id("1", "b"),
        with_id("1", "c"),
    ),
    case(
        "an ID without data dispatches nothing but is kept",
        b"id: 1\n\ndata: a\n\n",
        with_id("1", "a"),
    ),
    case(
        "an ID is kept over a block with only a type",
        b"id: 1\nevent: t\n\ndata: a\n\n",
        with_id("1", "a"),
    ),
    case("an empty ID resets", b"id: 1\ndata: a\n\nid:\ndata: b\n\n", with_id("1", "a"), "b"),
    case(
        "an ID without a colon resets",
        b"id: 1\ndata: a\n\nid\ndata: b\n\n",
        with_id("1", "a"),
        "b",
    ),
    case(
        "an empty ID without data resets",
        b"id: 1\ndata: a\n\nid\n\ndata: b\n\n",
        with_id("1", "a"),
        "b",
    ),
    case(
        "an ID with a NUL leaves the one before",
        b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n",
        with_id("1", "a"),
        with_id("1", "b"),
    ),
    case(
        "an ID with a NUL leaves one in the same event",
        b"id: 1\nid: \0\ndata: a\n\n",
        with_id("1", "a"),
    ),
    case("an ID keeps its spaces but one", b"id:  1 \ndata: a\n\n", with_id(" 1 ", "a")),
    case("an ID may hold colons", b"id: 1:2\ndata: a\n\n", with_id("1:2", "a")),
    case("an ID is no number", b"id: 007\ndata: a\n\n", with_id("007", "a")),
    case("an ID of no UTF-8 is replaced", b"id: \xff\ndata: a\n\n", with_id("\ufffd", "a")),
    case(
        "an overlong NUL in an ID is no NUL",
        b"id: \xc0\x80\ndata: a\n\n",
        with_id("\ufffd\ufffd", "a"),
    ),
    case("the ID of an unfinished event is not in force", b"data: a\n\nid: 1\ndata: b\n", "a"),
)

RETRY = (
    case("a time alone has no events", b"retry: 3000\n\n", retry=3000),
    case("a time inside an event is no part of it", b"retry: 3000\ndata: a\n\n", "a", retry=3000),
    case("a time counts without a blank line", b"retry: 3000\n", retry=3000),
    case("a time cut before its line end does not count", b"retry: 3000"),
    case("the last of two times counts", b"retry: 1\n\nretry: 2\n\n", retry=2),
    case("a time of zero counts", b"retry: 0\n\n", retry=0),
    case("a time without a space counts", b"retry:10\n\n", retry=10),
    case("a time without a value sets nothing", b"retry:\ndata: a\n\n", "a"),
    case("a time of one space sets nothing", b"retry: \ndata: a\n\n", "a"),
    case("a time without a value leaves the one before", b"retry: 5\nretry:\nretry\n\n", retry=5),
    *(
        case(
            f"the time {value!r} is ignored",
            b"retry: 5\nretry:" + value + b"\ndata: a\n\n",
            "a",
            retry=5,
        )
        for value in (
            b"10x",
            b"x10",
            b"-1",
            b"+1",
            b"1.5",
            b"1e3",
            b"1_000",
            b"0x10",
            b"10 ",
            b"  10",
            b"\t10",
            b"1 0",
            b"10\0",
            b"\xd9\xa1\xd9\xa2",
            b"\xc2\xb2",
            b"\xef\xbc\x91",
        )
    ),
    case("a time of many zeros is read", b"retry: " + b"0" * 5000 + b"7\n\n", retry=7),
    case(
        "a time too large is as large as can be",
        b"retry: " + b"9" * 30 + b"\n\n",
        retry=sys.maxsize,
    ),
    case(
        "a time of 5,000 digits is no error",
        b"retry: " + b"9" * 5000 + b"\ndata: a\n\n",
        "a",
        retry=sys.maxsize,
    ),
)

CASES = (*NAME, *DATA, *TYPE, *ID, *RETRY)
