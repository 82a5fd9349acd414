"""What each event stream means: bytes in, events out, by the WHATWG standard.

The first table holds the streams of web-platform-tests, ``eventsource/format-*`` (and the one
behind ``event-data``), byte for byte as its server sends them. The second is our own: one rule of
section 9.2.6 each, and the shapes at which released parsers were found to go wrong.

The expected events are those of the standard. A stream's events may depend on nothing else: not on
where it is cut, nor on empty pieces between.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from streamtape.wire.sse import Event


@dataclass(frozen=True, slots=True)
class Case:
    """One stream.

    ``retry`` is the reconnection time in ms that is in force at its end, or None. The standard sets
    it no limit; `sys.maxsize` stands for every time that is larger.
    """

    id: str
    body: bytes
    events: tuple[Event, ...] = ()
    retry: int | None = None


def _case(sentence: str, body: bytes, *events: Event | str, retry: int | None = None) -> Case:
    """A `Case`; a plain string stands for an event of type "message" without an ID."""
    found = tuple(Event(data=event) if isinstance(event, str) else event for event in events)
    return Case(sentence, body, found, retry)


def _named(event_type: str, data: str) -> Event:
    return Event(type=event_type, data=data)


def _with_id(last_event_id: str, data: str) -> Event:
    return Event(data=data, last_event_id=last_event_id)


_X = b"x" * 2048

WPT_CASES = (
    _case(
        "wpt format-bom: a BOM is dropped at the start and is text later",
        b"\xef\xbb\xbfdata:1\n\n\xef\xbb\xbfdata:2\n\ndata:3\n\n\n",
        "1",
        "3",
    ),
    _case(
        "wpt format-bom-2: only one of two BOMs is dropped",
        b"\xef\xbb\xbf\xef\xbb\xbfdata:1\n\ndata:2\n\ndata:3\n\n\n",
        "2",
        "3",
    ),
    _case(
        "wpt format-comments: comments of any length and content are skipped",
        b"data:1\r:\0\n:\r\ndata:2\n:" + _X + b"\rdata:3\n:data:fail\r:" + _X + b"\ndata:4\n\n",
        "1\n2\n3\n4",
    ),
    _case(
        "wpt format-data-before-final-empty-line: an event without its blank line is discarded",
        b"retry:1000\ndata:test1\n\nid:test\ndata:test2\n",
        "test1",
        retry=1000,
    ),
    _case(
        "wpt format-field-data: data without a value or a colon adds an empty line",
        b"data:\n\ndata\ndata\n\ndata:test\n\n\n",
        "",
        "\n",
        "test",
    ),
    _case(
        "wpt format-field-event: the type lasts for one event",
        b"event:test\ndata:x\n\ndata:x\n\n\n",
        _named("test", "x"),
        "x",
    ),
    _case(
        "wpt format-field-event-empty: an empty type means message",
        b"event: \ndata:data\n\n\n",
        "data",
    ),
    _case(
        "wpt format-field-id: an ID is UTF-8 text",
        b"id: \xe2\x80\xa6\nretry: 200\ndata: hello\n\n",
        _with_id("\u2026", "hello"),
        retry=200,
    ),
    _case(
        "wpt format-field-id-3: an ID persists",
        b"id: 1\ndata: 1\n\ndata:2\n\n",
        _with_id("1", "1"),
        _with_id("1", "2"),
    ),
    _case(
        "wpt format-field-id-3: an ID changes and persists",
        b"id: 1\ndata: 1\n\nid: 2\ndata:2\n\ndata:3\n\n",
        _with_id("1", "1"),
        _with_id("2", "2"),
        _with_id("2", "3"),
    ),
    _case(
        "wpt format-field-id-3: an empty ID resets it",
        b"id: 1\ndata: 1\n\nid:\ndata:2\n\ndata:3\n\n",
        _with_id("1", "1"),
        "2",
        "3",
    ),
    *(
        _case(
            f"wpt format-field-id-null: the ID {value!r} is ignored",
            b"id: " + value + b"\nretry: 200\ndata: hello\n\n",
            "hello",
            retry=200,
        )
        for value in (b"\0\0", b"x\0", b"\0x", b"x\0x", b" \0")
    ),
    _case(
        "wpt format-field-parsing: names are compared exactly, one space is dropped",
        b"data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\n"
        b"da-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n",
        "\0\n 2\n1\n3\n\n4",
    ),
    _case(
        "wpt format-field-retry: leading zeros do not make it octal",
        b"retry:03000\ndata:x\n\n\n",
        "x",
        retry=3000,
    ),
    _case(
        "wpt format-field-retry-bogus: a time with other characters is ignored",
        b"retry:3000\nretry:1000x\ndata:x\n\n\n",
        "x",
        retry=3000,
    ),
    _case(
        "wpt format-field-retry-empty: a retry without a value is no error",
        b"retry\ndata:test\n\n\n",
        "test",
    ),
    _case(
        "wpt format-field-unknown: unknown fields and lines without a colon are skipped",
        b"data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test\n\n\n",
        "test\n\ntest",
    ),
    _case(
        "wpt format-leading-space: a tab is kept, one space is dropped",
        b"data:\ttest\rdata: \ndata:test\n\n\n",
        "\ttest\n\ntest",
    ),
    _case(
        "wpt format-mime-*: the stream that is sent under good and bad content types",
        b"data: data\n\n\n",
        "data",
    ),
    _case(
        "wpt format-newlines: the three line ends may be mixed",
        b"data:test\r\ndata\ndata:test\r\n\r\n",
        "test\n\ntest",
    ),
    _case(
        "wpt format-null-character: NUL is text",
        b"data:\0\n\n\n\n\n",
        "\0",
    ),
    _case(
        "wpt format-utf-8: the stream is UTF-8 whatever charset is declared",
        b"data:ok\xe2\x80\xa6\n\n\n",
        "ok\u2026",
    ),
    _case(
        "wpt event-data: blocks without data dispatch nothing",
        b"data:msg\ndata: msg\n\n:\nfalsefield:msg\n\nfalsefield:msg\nData:data\n\n"
        b"data\n\ndata:end\n\n",
        "msg\nmsg",
        "",
        "end",
    ),
)

_STREAM_CASES = (
    _case("an empty stream has no events", b""),
    _case("one event of one line", b"data: a\n\n", "a"),
    _case("two events", b"data: a\n\ndata: b\n\n", "a", "b"),
    _case("equal events are all dispatched", b"data: a\n\n" * 3, "a", "a", "a"),
    _case("blank lines alone have no events", b"\n\n\r\r\r\n\r\n"),
    _case("extra blank lines change nothing", b"\n\ndata: a\n\n\n\n\ndata: b\n\n\n", "a", "b"),
    _case("an event without its blank line is discarded", b"data: a\n\ndata: b\n", "a"),
    _case("an event cut inside its data is discarded", b"data: a\n\ndata: b", "a"),
    _case("an event cut inside a field name is discarded", b"data: a\n\ndat", "a"),
    _case("an event cut inside a character is discarded", b"data: a\n\ndata: \xe2\x82", "a"),
    _case("a stream cut after one line end of two has no event", b"data: a\r\n"),
    _case("a comment does not end an event", b"data: a\n:\n"),
    _case("a line of one space does not end an event", b"data: a\n \ndata: b\n\n", "a\nb"),
    _case("plain text has no events", b"Internal Server Error\n\n"),
    _case("a JSON document has no events", b'{\n  "error": {"code": 404}\n}\n\n'),
    _case("an HTML page has no events", b"<!doctype html>\n\n<p>Bad gateway</p>\n\n"),
)

_LINE_END_CASES = (
    _case("LF ends lines", b"event: t\ndata: a\n\ndata: b\n\n", _named("t", "a"), "b"),
    _case("CR ends lines", b"event: t\rdata: a\r\rdata: b\r\r", _named("t", "a"), "b"),
    _case(
        "CRLF ends lines",
        b"event: t\r\ndata: a\r\n\r\ndata: b\r\n\r\n",
        _named("t", "a"),
        "b",
    ),
    _case("CRLF is one line end and no blank line", b"data: a\r\ndata: b\r\n\r\n", "a\nb"),
    _case("CR LF LF is a line end and a blank line", b"data: a\r\n\ndata: b\n\n", "a", "b"),
    _case("LF CR is a line end and a blank line", b"data: a\n\rdata: b\n\n", "a", "b"),
    _case("LF CR LF is a line end and a blank line", b"data: a\n\r\ndata: b\n\n", "a", "b"),
    _case("CR CR LF is a line end and a blank line", b"data: a\r\r\ndata: b\n\n", "a", "b"),
    _case("CR CR is a line end and a blank line", b"data: a\r\rdata: b\r\n\r\n", "a", "b"),
    _case(
        "line ends may change from line to line",
        b"id: 1\revent: t\r\ndata: a\ndata: b\r\n\r",
        Event("t", "a\nb", "1"),
    ),
    _case(
        "a blank line may end otherwise than the line before",
        b"data: a\r\n\rdata: b\n\r\n",
        "a",
        "b",
    ),
    _case(
        "a LF after the CR of a blank line belongs to it", b"data: a\r\n\r\n\ndata: b\n\n", "a", "b"
    ),
    _case("a CR that ends the stream ends its line", b"data: a\n\r", "a"),
    _case("an escaped line end in the data is text", rb"data: a\n\r\n\nb" + b"\n\n", r"a\n\r\n\nb"),
    *(
        _case(
            f"{name} ends no line",
            b"data: a" + character.encode() + b"data: b\n\n",
            f"a{character}data: b",
        )
        for name, character in (
            ("VT", "\v"),
            ("FF", "\f"),
            ("FS", "\x1c"),
            ("GS", "\x1d"),
            ("RS", "\x1e"),
            ("US", "\x1f"),
            ("NEL", "\x85"),
            ("U+2028", "\u2028"),
            ("U+2029", "\u2029"),
        )
    ),
    _case(
        "two line separators are no blank line",
        "data: a\u2028\u2028data: b\n\n".encode(),
        "a\u2028\u2028data: b",
    ),
)

_BOM_CASES = (
    _case("a BOM before the first field is dropped", b"\xef\xbb\xbfdata: a\n\n", "a"),
    _case("a BOM before a comment is dropped", b"\xef\xbb\xbf: c\ndata: a\n\n", "a"),
    _case("a BOM before a blank line is dropped", b"\xef\xbb\xbf\ndata: a\n\n", "a"),
    _case("a BOM before CRLF is dropped", b"\xef\xbb\xbf\r\n\r\ndata: a\r\n\r\n", "a"),
    _case("a BOM alone has no events", b"\xef\xbb\xbf"),
    _case("a second BOM is a part of the field name", b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n"),
    _case(
        "a BOM on a later line is a part of the field name",
        b"data: a\n\xef\xbb\xbfdata: b\n\n",
        "a",
    ),
    _case("a BOM after a blank line is a part of the field name", b"\n\xef\xbb\xbfdata: a\n\n"),
    _case("a BOM at the start of a value is text", b"data:\xef\xbb\xbfa\n\n", "\ufeffa"),
    _case("a BOM before the space is text and keeps it", b"data:\xef\xbb\xbf a\n\n", "\ufeff a"),
    _case("a line of a later BOM is no blank line", b"data: a\n\xef\xbb\xbf\ndata: b\n\n", "a\nb"),
    _case("two bytes of a BOM are no BOM", b"\xef\xbbdata: a\n\ndata: b\n\n", "b"),
    _case("a BOM of UTF-16 is no BOM", b"\xff\xfedata: a\n\ndata: b\n\n", "b"),
)

_COMMENT_CASES = (
    _case("a comment alone has no events", b": ping\n\n"),
    _case("a comment without text has no events", b":\n\n"),
    _case("a comment before an event is skipped", b": OPENROUTER PROCESSING\n\ndata: a\n\n", "a"),
    _case("a comment inside an event is skipped", b"data: a\n: c\ndata: b\n\n", "a\nb"),
    _case("a comment without a blank line after it is skipped", b": c\ndata: a\n\n", "a"),
    _case("a comment that looks like a field is skipped", b":data: a\n: data: b\n\n"),
    _case("a comment that looks like a comment is skipped", b":: c\ndata: a\n\n", "a"),
    _case(
        "a comment block keeps the last event ID",
        b"id: 1\ndata: a\n\n: c\n\ndata: b\n\n",
        _with_id("1", "a"),
        _with_id("1", "b"),
    ),
    _case(
        "a keep-alive after an ID dispatches nothing",
        b"id: 1\ndata: a\n\n:\n\n:\n\n",
        _with_id("1", "a"),
    ),
    _case("a comment of no UTF-8 is skipped", b": \xff\xfe\ndata: a\n\n", "a"),
)

_DATA_CASES = (
    _case("no space after the colon", b"data:a\n\n", "a"),
    _case("one space after the colon is dropped", b"data: a\n\n", "a"),
    _case("of two spaces after the colon one is kept", b"data:  a\n\n", " a"),
    _case("of three spaces after the colon two are kept", b"data:   a\n\n", "  a"),
    _case("a tab after the colon is kept", b"data:\ta\n\n", "\ta"),
    _case("a tab after the space is kept", b"data: \ta\n\n", "\ta"),
    _case("a no-break space after the colon is kept", b"data:\xc2\xa0a\n\n", "\u00a0a"),
    _case("spaces at the end of a line are kept", b"data: a  \n\n", "a  "),
    _case("a value of one space is empty", b"data: \n\n", ""),
    _case("a value of two spaces is one space", b"data:  \n\n", " "),
    _case("a value may hold colons", b"data: a:b: c\n\n", "a:b: c"),
    _case("a value may start with a colon", b"data::\n\n", ":"),
    _case("a value may look like a field", b"data: data: a\n\n", "data: a"),
    _case("a value may look like a comment", b"data: : keepalive\n\n", ": keepalive"),
    _case("several data lines are joined by LF", b"data: a\ndata: b\ndata: c\n\n", "a\nb\nc"),
    _case(
        "data lines with other fields between are joined",
        b"data: a\nid: 1\nx: y\ndata: b\n\n",
        _with_id("1", "a\nb"),
    ),
    _case("one empty data line dispatches an event", b"data:\n\n", ""),
    _case("data without a colon dispatches an event", b"data\n\n", ""),
    _case("two empty data lines are one LF", b"data:\ndata:\n\n", "\n"),
    _case("three data lines without a colon are two LF", b"data\ndata\ndata\n\n", "\n\n"),
    _case("an empty first data line counts", b"data:\ndata: a\n\n", "\na"),
    _case("an empty data line in the middle counts", b"data: a\ndata\ndata: b\n\n", "a\n\nb"),
    _case("an empty last data line counts", b"data: a\ndata:\n\n", "a\n"),
    _case(
        "JSON over several lines is joined", b'data: {\ndata:  "a": 1\ndata: }\n\n', '{\n "a": 1\n}'
    ),
    _case("[DONE] is an event like any other", b"data: [DONE]\n\n", "[DONE]"),
    _case(
        "data does not leak into the next event", b"data: a\n\n\nevent: t\n\ndata: b\n\n", "a", "b"
    ),
)

_NAME_CASES = (
    _case("a name in upper case is unknown", b"DATA: a\n\ndata: b\n\n", "b"),
    _case("a name in title case is unknown", b"Data: a\nData: b\n\n"),
    _case("Event in title case is unknown", b"Event: t\ndata: a\n\n", "a"),
    _case("ID in upper case is unknown", b"ID: 1\ndata: a\n\n", "a"),
    _case("Retry in title case is unknown", b"Retry: 5\ndata: a\n\n", "a"),
    _case("a space before a name makes it unknown", b" data: a\n\n"),
    _case("a tab before a name makes it unknown", b"\tdata: a\n\n"),
    _case("a space after a name makes it unknown", b"data : a\n\n"),
    _case("a space after a name without a colon makes it unknown", b"data \n\n"),
    _case("a longer name is unknown", b"database: a\ndata1: b\n\n"),
    _case("a shorter name is unknown", b"dat: a\nd: b\n\n"),
    _case("a NUL in a name makes it unknown", b"da\0ta: a\n\n"),
    _case("a full-width colon separates nothing", "data\uff1a a\n\n".encode()),
    _case("an unknown field alone has no events", b"foo: bar\n\n"),
    _case("an unknown field inside an event is skipped", b"foo: bar\ndata: a\nbaz\n\n", "a"),
    _case(
        "fields may come in any order",
        b"data: a\nretry: 7\nid: 1\nevent: t\n\n",
        Event("t", "a", "1"),
        retry=7,
    ),
)

_TYPE_CASES = (
    _case("a type names the event", b"event: ping\ndata: a\n\n", _named("ping", "a")),
    _case("a type may come after the data", b"data: a\nevent: ping\n\n", _named("ping", "a")),
    _case("the last of two types counts", b"event: a\nevent: b\ndata: c\n\n", _named("b", "c")),
    _case("an empty type after another means message", b"event: a\nevent:\ndata: c\n\n", "c"),
    _case("a type without a colon means message", b"event: a\nevent\ndata: c\n\n", "c"),
    _case("message may be spelled out", b"event: message\ndata: a\n\n", "a"),
    _case("a type without data dispatches nothing", b"event: ping\n\n"),
    _case("a type without data does not name the next event", b"event: ping\n\ndata: a\n\n", "a"),
    _case("a type with empty data dispatches", b"event: ping\ndata:\n\n", _named("ping", "")),
    _case("a type does not last", b"event: t\ndata: a\n\ndata: b\n\n", _named("t", "a"), "b"),
    _case("of two spaces before a type one is kept", b"event:  t\ndata: a\n\n", _named(" t", "a")),
    _case("a type may hold spaces and colons", b"event: a b:c\ndata: d\n\n", _named("a b:c", "d")),
    _case(
        "a type is UTF-8 text",
        "event: \u00e9\U0001f469\ndata: a\n\n".encode(),
        _named("\u00e9\U0001f469", "a"),
    ),
    _case("a type may hold a NUL", b"event: a\0b\ndata: c\n\n", _named("a\0b", "c")),
    _case(
        "a type may be error",
        b'event: error\ndata: {"error":{}}\n\n',
        _named("error", '{"error":{}}'),
    ),
)

_ID_CASES = (
    _case("an ID goes with its event", b"id: 1\ndata: a\n\n", _with_id("1", "a")),
    _case("an ID may come after the data", b"data: a\nid: 1\n\n", _with_id("1", "a")),
    _case("the last of two IDs counts", b"id: 1\nid: 2\ndata: a\n\n", _with_id("2", "a")),
    _case(
        "an ID is not in force before its event",
        b"data: a\n\nid: 1\ndata: b\n\n",
        "a",
        _with_id("1", "b"),
    ),
    _case(
        "an ID is kept for all later events",
        b"id: 1\ndata: a\n\ndata: b\n\ndata: c\n\n",
        _with_id("1", "a"),
        _with_id("1", "b"),
        _with_id("1", "c"),
    ),
    _case(
        "an ID without data dispatches nothing but is kept",
        b"id: 1\n\ndata: a\n\n",
        _with_id("1", "a"),
    ),
    _case(
        "an ID is kept over a block with only a type",
        b"id: 1\nevent: t\n\ndata: a\n\n",
        _with_id("1", "a"),
    ),
    _case("an empty ID resets", b"id: 1\ndata: a\n\nid:\ndata: b\n\n", _with_id("1", "a"), "b"),
    _case(
        "an ID without a colon resets",
        b"id: 1\ndata: a\n\nid\ndata: b\n\n",
        _with_id("1", "a"),
        "b",
    ),
    _case(
        "an empty ID without data resets",
        b"id: 1\ndata: a\n\nid\n\ndata: b\n\n",
        _with_id("1", "a"),
        "b",
    ),
    _case(
        "an ID with a NUL leaves the one before",
        b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n",
        _with_id("1", "a"),
        _with_id("1", "b"),
    ),
    _case(
        "an ID with a NUL leaves one in the same event",
        b"id: 1\nid: \0\ndata: a\n\n",
        _with_id("1", "a"),
    ),
    _case("an ID keeps its spaces but one", b"id:  1 \ndata: a\n\n", _with_id(" 1 ", "a")),
    _case("an ID may hold colons", b"id: 1:2\ndata: a\n\n", _with_id("1:2", "a")),
    _case("an ID is no number", b"id: 007\ndata: a\n\n", _with_id("007", "a")),
    _case("an ID of no UTF-8 is replaced", b"id: \xff\ndata: a\n\n", _with_id("\ufffd", "a")),
    _case(
        "an overlong NUL in an ID is no NUL",
        b"id: \xc0\x80\ndata: a\n\n",
        _with_id("\ufffd\ufffd", "a"),
    ),
    _case("the ID of an unfinished event is not in force", b"data: a\n\nid: 1\ndata: b\n", "a"),
)

_RETRY_CASES = (
    _case("a time alone has no events", b"retry: 3000\n\n", retry=3000),
    _case("a time inside an event is no part of it", b"retry: 3000\ndata: a\n\n", "a", retry=3000),
    _case("a time counts without a blank line", b"retry: 3000\n", retry=3000),
    _case("a time cut before its line end does not count", b"retry: 3000"),
    _case("the last of two times counts", b"retry: 1\n\nretry: 2\n\n", retry=2),
    _case("a time of zero counts", b"retry: 0\n\n", retry=0),
    _case("a time without a space counts", b"retry:10\n\n", retry=10),
    _case("a time without a value sets nothing", b"retry:\ndata: a\n\n", "a"),
    _case("a time of one space sets nothing", b"retry: \ndata: a\n\n", "a"),
    _case("a time without a value leaves the one before", b"retry: 5\nretry:\nretry\n\n", retry=5),
    *(
        _case(
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
    _case("a time of many zeros is read", b"retry: " + b"0" * 5000 + b"7\n\n", retry=7),
    _case(
        "a time too large is as large as can be",
        b"retry: " + b"9" * 30 + b"\n\n",
        retry=sys.maxsize,
    ),
    _case(
        "a time of 5,000 digits is no error",
        b"retry: " + b"9" * 5000 + b"\ndata: a\n\n",
        "a",
        retry=sys.maxsize,
    ),
)

_TEXT_CASES = (
    _case(
        "text of two, three and four bytes",
        "data: \u00e9\u20ac\U0001f469\n\n".encode(),
        "\u00e9\u20ac\U0001f469",
    ),
    _case(
        "joined and combined characters stay as they are",
        "data: \U0001f469\u200d\U0001f4bb e\u0301 \u202eabc\n\n".encode(),
        "\U0001f469\u200d\U0001f4bb e\u0301 \u202eabc",
    ),
    _case("a NUL in the data is text", b"data: a\0b\n\n", "a\0b"),
    _case(
        "control characters in the data are text",
        b"data: \x01\x08\x1b[0m\x7f\n\n",
        "\x01\x08\x1b[0m\x7f",
    ),
    _case(
        "U+FFFD and non-characters are text",
        "data: \ufffd\ufffe\uffff\n\n".encode(),
        "\ufffd\ufffe\uffff",
    ),
    _case("a byte that never occurs is replaced", b"data: a\xffb\n\n", "a\ufffdb"),
    _case("a stray continuation byte is replaced", b"data: a\x80b\n\n", "a\ufffdb"),
    _case("a cut sequence is replaced by one character", b"data: \xf0\x9f\x91b\n\n", "\ufffdb"),
    _case(
        "a sequence cut by the line end is replaced by one",
        b"data: a\xe2\x82\ndata: b\n\n",
        "a\ufffd\nb",
    ),
    _case(
        "a sequence is not joined over two lines",
        b"data: \xe2\x82\ndata: \xac\n\n",
        "\ufffd\n\ufffd",
    ),
    _case(
        "a sequence is not joined over two events",
        b"data: \xe2\x82\n\ndata: \xac\n\n",
        "\ufffd",
        "\ufffd",
    ),
    _case("an overlong form is replaced byte by byte", b"data: \xc0\xaf\n\n", "\ufffd\ufffd"),
    _case(
        "an overlong LF ends no line",
        b"data: a\xc0\x8a\xc0\x8adata: b\n\n",
        "a\ufffd\ufffd\ufffd\ufffddata: b",
    ),
    _case(
        "an encoded surrogate is replaced byte by byte",
        b"data: \xed\xa0\x80\n\n",
        "\ufffd\ufffd\ufffd",
    ),
    _case(
        "a character beyond U+10FFFF is replaced byte by byte",
        b"data: \xf4\x90\x80\x80\n\n",
        "\ufffd\ufffd\ufffd\ufffd",
    ),
    _case("a lead byte swallows no line end", b"data: a\xe2\n\ndata: b\n\n", "a\ufffd", "b"),
    _case("a lead byte swallows no colon", b"data\xe2: a\n\ndata: b\n\n", "b"),
    _case("a lead byte swallows no CR", b"data: a\xf0\r\rdata: b\r\n\r\n", "a\ufffd", "b"),
    _case("Latin-1 is not guessed", b"data: caf\xe9\n\n", "caf\ufffd"),
)

OWN_CASES = (
    *_STREAM_CASES,
    *_LINE_END_CASES,
    *_BOM_CASES,
    *_COMMENT_CASES,
    *_DATA_CASES,
    *_NAME_CASES,
    *_TYPE_CASES,
    *_ID_CASES,
    *_RETRY_CASES,
    *_TEXT_CASES,
)

CASES = (*WPT_CASES, *OWN_CASES)
