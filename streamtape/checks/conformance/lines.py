"""What stands between fields: streams, line ends, byte order marks, comments."""

from __future__ import annotations

from streamtape.checks.conformance.case import case, named, with_id
from streamtape.wire.sse import Event

STREAM = (
    case("an empty stream has no events", b""),
    case("one event of one line", b"data: a\n\n", "a"),
    case("two events", b"data: a\n\ndata: b\n\n", "a", "b"),
    case("equal events are all dispatched", b"data: a\n\n" * 3, "a", "a", "a"),
    case("blank lines alone have no events", b"\n\n\r\r\r\n\r\n"),
    case("extra blank lines change nothing", b"\n\ndata: a\n\n\n\n\ndata: b\n\n\n", "a", "b"),
    case("an event without its blank line is discarded", b"data: a\n\ndata: b\n", "a"),
    case("an event cut inside its data is discarded", b"data: a\n\ndata: b", "a"),
    case("an event cut inside a field name is discarded", b"data: a\n\ndat", "a"),
    case("an event cut inside a character is discarded", b"data: a\n\ndata: \xe2\x82", "a"),
    case("a stream cut after one line end of two has no event", b"data: a\r\n"),
    case("a comment does not end an event", b"data: a\n:\n"),
    case("a line of one space does not end an event", b"data: a\n \ndata: b\n\n", "a\nb"),
    case("plain text has no events", b"Internal Server Error\n\n"),
    case("a JSON document has no events", b'{\n  "error": {"code": 404}\n}\n\n'),
    case("an HTML page has no events", b"<!doctype html>\n\n<p>Bad gateway</p>\n\n"),
)

LINE_END = (
    case("LF ends lines", b"event: t\ndata: a\n\ndata: b\n\n", named("t", "a"), "b"),
    case("CR ends lines", b"event: t\rdata: a\r\rdata: b\r\r", named("t", "a"), "b"),
    case(
        "CRLF ends lines",
        b"event: t\r\ndata: a\r\n\r\ndata: b\r\n\r\n",
        named("t", "a"),
        "b",
    ),
    case("CRLF is one line end and no blank line", b"data: a\r\ndata: b\r\n\r\n", "a\nb"),
    case("CR LF LF is a line end and a blank line", b"data: a\r\n\ndata: b\n\n", "a", "b"),
    case("LF CR is a line end and a blank line", b"data: a\n\rdata: b\n\n", "a", "b"),
    case("LF CR LF is a line end and a blank line", b"data: a\n\r\ndata: b\n\n", "a", "b"),
    case("CR CR LF is a line end and a blank line", b"data: a\r\r\ndata: b\n\n", "a", "b"),
    case("CR CR is a line end and a blank line", b"data: a\r\rdata: b\r\n\r\n", "a", "b"),
    case(
        "line ends may change from line to line",
        b"id: 1\revent: t\r\ndata: a\ndata: b\r\n\r",
        Event("t", "a\nb", "1"),
    ),
    case(
        "a blank line may end otherwise than the line before",
        b"data: a\r\n\rdata: b\n\r\n",
        "a",
        "b",
    ),
    case(
        "a LF after the CR of a blank line belongs to it", b"data: a\r\n\r\n\ndata: b\n\n", "a", "b"
    ),
    case("a CR that ends the stream ends its line", b"data: a\n\r", "a"),
    case("an escaped line end in the data is text", rb"data: a\n\r\n\nb" + b"\n\n", r"a\n\r\n\nb"),
    *(
        case(
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
    case(
        "two line separators are no blank line",
        "data: a\u2028\u2028data: b\n\n".encode(),
        "a\u2028\u2028data: b",
    ),
)

BOM = (
    case("a BOM before the first field is dropped", b"\xef\xbb\xbfdata: a\n\n", "a"),
    case("a BOM before a comment is dropped", b"\xef\xbb\xbf: c\ndata: a\n\n", "a"),
    case("a BOM before a blank line is dropped", b"\xef\xbb\xbf\ndata: a\n\n", "a"),
    case("a BOM before CRLF is dropped", b"\xef\xbb\xbf\r\n\r\ndata: a\r\n\r\n", "a"),
    case("a BOM alone has no events", b"\xef\xbb\xbf"),
    case("a second BOM is a part of the field name", b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n"),
    case(
        "a BOM on a later line is a part of the field name",
        b"data: a\n\xef\xbb\xbfdata: b\n\n",
        "a",
    ),
    case("a BOM after a blank line is a part of the field name", b"\n\xef\xbb\xbfdata: a\n\n"),
    case("a BOM at the start of a value is text", b"data:\xef\xbb\xbfa\n\n", "\ufeffa"),
    case("a BOM before the space is text and keeps it", b"data:\xef\xbb\xbf a\n\n", "\ufeff a"),
    case("a line of a later BOM is no blank line", b"data: a\n\xef\xbb\xbf\ndata: b\n\n", "a\nb"),
    case("two bytes of a BOM are no BOM", b"\xef\xbbdata: a\n\ndata: b\n\n", "b"),
    case("a BOM of UTF-16 is no BOM", b"\xff\xfedata: a\n\ndata: b\n\n", "b"),
)

COMMENT = (
    case("a comment alone has no events", b": ping\n\n"),
    case("a comment without text has no events", b":\n\n"),
    case("a comment before an event is skipped", b": OPENROUTER PROCESSING\n\ndata: a\n\n", "a"),
    case("a comment inside an event is skipped", b"data: a\n: c\ndata: b\n\n", "a\nb"),
    case("a comment without a blank line after it is skipped", b": c\ndata: a\n\n", "a"),
    case("a comment that looks like a field is skipped", b":data: a\n: data: b\n\n"),
    case("a comment that looks like a comment is skipped", b":: c\ndata: a\n\n", "a"),
    case(
        "a comment block keeps the last event ID",
        b"id: 1\ndata: a\n\n: c\n\ndata: b\n\n",
        with_id("1", "a"),
        with_id("1", "b"),
    ),
    case(
        "a keep-alive after an ID dispatches nothing",
        b"id: 1\ndata: a\n\n:\n\n:\n\n",
        with_id("1", "a"),
    ),
    case("a comment of no UTF-8 is skipped", b": \xff\xfe\ndata: a\n\n", "a"),
)

CASES = (*STREAM, *LINE_END, *BOM, *COMMENT)
