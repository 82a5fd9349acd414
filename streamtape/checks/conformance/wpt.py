"""The streams of web-platform-tests, ``eventsource/format-*``, and the one behind ``event-data``.

Byte for byte as its server sends them.
"""

from __future__ import annotations

from streamtape.checks.conformance.case import case, named, with_id

_X = b"x" * 2048


CASES = (
    case(
        "wpt format-bom: a BOM is dropped at the start and is text later",
        b"\xef\xbb\xbfdata:1\n\n\xef\xbb\xbfdata:2\n\ndata:3\n\n\n",
        "1",
        "3",
    ),
    case(
        "wpt format-bom-2: only one of two BOMs is dropped",
        b"\xef\xbb\xbf\xef\xbb\xbfdata:1\n\ndata:2\n\ndata:3\n\n\n",
        "2",
        "3",
    ),
    case(
        "wpt format-comments: comments of any length and content are skipped",
        b"data:1\r:\0\n:\r\ndata:2\n:" + _X + b"\rdata:3\n:data:fail\r:" + _X + b"\ndata:4\n\n",
        "1\n2\n3\n4",
    ),
    case(
        "wpt format-data-before-final-empty-line: an event without its blank line is discarded",
        b"retry:1000\ndata:test1\n\nid:test\ndata:test2\n",
        "test1",
        retry=1000,
    ),
    case(
        "wpt format-field-data: data without a value or a colon adds an empty line",
        b"data:\n\ndata\ndata\n\ndata:test\n\n\n",
        "",
        "\n",
        "test",
    ),
    case(
        "wpt format-field-event: the type lasts for one event",
        b"event:test\ndata:x\n\ndata:x\n\n\n",
        named("test", "x"),
        "x",
    ),
    case(
        "wpt format-field-event-empty: an empty type means message",
        b"event: \ndata:data\n\n\n",
        "data",
    ),
    case(
        "wpt format-field-id: an ID is UTF-8 text",
        b"id: \xe2\x80\xa6\nretry: 200\ndata: hello\n\n",
        with_id("\u2026", "hello"),
        retry=200,
    ),
    case(
        "wpt format-field-id-3: an ID persists",
        b"id: 1\ndata: 1\n\ndata:2\n\n",
        with_id("1", "1"),
        with_id("1", "2"),
    ),
    case(
        "wpt format-field-id-3: an ID changes and persists",
        b"id: 1\ndata: 1\n\nid: 2\ndata:2\n\ndata:3\n\n",
        with_id("1", "1"),
        with_id("2", "2"),
        with_id("2", "3"),
    ),
    case(
        "wpt format-field-id-3: an empty ID resets it",
        b"id: 1\ndata: 1\n\nid:\ndata:2\n\ndata:3\n\n",
        with_id("1", "1"),
        "2",
        "3",
    ),
    *(
        case(
            f"wpt format-field-id-null: the ID {value!r} is ignored",
            b"id: " + value + b"\nretry: 200\ndata: hello\n\n",
            "hello",
            retry=200,
        )
        for value in (b"\0\0", b"x\0", b"\0x", b"x\0x", b" \0")
    ),
    case(
        "wpt format-field-parsing: names are compared exactly, one space is dropped",
        b"data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\n"
        b"da-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n",
        "\0\n 2\n1\n3\n\n4",
    ),
    case(
        "wpt format-field-retry: leading zeros do not make it octal",
        b"retry:03000\ndata:x\n\n\n",
        "x",
        retry=3000,
    ),
    case(
        "wpt format-field-retry-bogus: a time with other characters is ignored",
        b"retry:3000\nretry:1000x\ndata:x\n\n\n",
        "x",
        retry=3000,
    ),
    case(
        "wpt format-field-retry-empty: a retry without a value is no error",
        b"retry\ndata:test\n\n\n",
        "test",
    ),
    case(
        "wpt format-field-unknown: unknown fields and lines without a colon are skipped",
        b"data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test\n\n\n",
        "test\n\ntest",
    ),
    case(
        "wpt format-leading-space: a tab is kept, one space is dropped",
        b"data:\ttest\rdata: \ndata:test\n\n\n",
        "\ttest\n\ntest",
    ),
    case(
        "wpt format-mime-*: the stream that is sent under good and bad content types",
        b"data: data\n\n\n",
        "data",
    ),
    case(
        "wpt format-newlines: the three line ends may be mixed",
        b"data:test\r\ndata\ndata:test\r\n\r\n",
        "test\n\ntest",
    ),
    case(
        "wpt format-null-character: NUL is text",
        b"data:\0\n\n\n\n\n",
        "\0",
    ),
    case(
        "wpt format-utf-8: the stream is UTF-8 whatever charset is declared",
        b"data:ok\xe2\x80\xa6\n\n\n",
        "ok\u2026",
    ),
    case(
        "wpt event-data: blocks without data dispatch nothing",
        b"data:msg\ndata: msg\n\n:\nfalsefield:msg\n\nfalsefield:msg\nData:data\n\n"
        b"data\n\ndata:end\n\n",
        "msg\nmsg",
        "",
        "end",
    ),
)
