"""Where a cut is likely to hurt: every seam of small bodies, by kind."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtape import seams
from streamtape.delivery.seams import KINDS
from streamtape.wire.eventstream import build_message

BOM = b"\xef\xbb\xbf"
DATA = {"field name": [1, 2, 3, 4], "colon": [5]}
"""The seams in ``data:`` at the start of a body."""


def by_kind(body: bytes) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for offset, kind in seams(body):
        found[kind].append(offset)
    return dict(found)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", {}),
        (b"plain", {}),
        (b"plain\ntext\n", {"line end": [5, 10], "line start": [6]}),
        (
            "data: é\r\n\r\n".encode(),
            {**DATA, "utf-8": [7], "line end": [8], "crlf": [9, 11], "blank line": [10]},
        ),
        ("data: €\n".encode(), {**DATA, "utf-8": [7, 8], "line end": [9]}),
        ("data: 😀\r".encode(), {**DATA, "utf-8": [7, 8, 9], "line end": [10]}),
        # Every first and last byte of the longer sequences.
        *(
            ("".join(chr(point) for point in points).encode(), {"utf-8": inside})
            for points, inside in [
                ((0x80, 0x7FF), [1, 3]),
                ((0x800, 0xFFFF), [1, 2, 4, 5]),
                ((0x10000, 0x10FFFF), [1, 2, 3, 5, 6, 7]),
            ]
        ),
        (b"\xc1\x80\xf5\x80\x80\x80\xe2\x82", {}),  # no UTF-8
        # A second line of an event, and a second event.
        (
            b"data: a\nid: 1\r\rid\n\n",
            {
                "field name": [1, 2, 3, 4, 9, 10],
                "colon": [5, 11],
                "line end": [7, 13, 17],
                "line start": [8],
                "blank line": [14, 18],
            },
        ),
        # Blank lines that end nothing are no seams.
        (
            b"\n\ndata: a\n\n\n",
            {"field name": [3, 4, 5, 6], "colon": [7], "line end": [9], "blank line": [10]},
        ),
        # The end of a body is no cut.
        (b"data:", {"field name": [1, 2, 3, 4]}),
        # The BOM itself is also one character; what comes after it may be taken for a part of it.
        (BOM + b"id\n", {"utf-8": [1, 2], "bom": [3], "line end": [5]}),
        (b": ping\r\n", {"colon": [1], "line end": [6], "crlf": [7]}),
        # No name of the standard's is longer than five bytes.
        (b"abcdefgh: x", {"field name": [1, 2, 3, 4, 5], "colon": [9]}),
        (
            rb'data:"\ud83d\uDE00\n\u00e9\\u"' + b"\n",
            {
                **DATA,
                "json escape": [*range(7, 18), 19, *range(21, 26), 27],
                "line end": [30],
            },
        ),
        # Two escapes that are no pair, and a backslash that escapes nothing.
        (
            rb"data:\ud83d\u0041\uDC00\ud83d" + b"\\\r\n",
            {
                **DATA,
                "json escape": [
                    *(*range(6, 11), *range(12, 17)),
                    *(*range(18, 23), *range(24, 29)),
                ],
                "line end": [30],
                "crlf": [31],
            },
        ),
        (b"data:[DONE]\n", {**DATA, "sentinel": [6, 7, 8, 9, 10], "line end": [11]}),
    ],
)
def test_all_of_them(body: bytes, expected: dict[str, list[int]]) -> None:
    assert by_kind(body) == expected


def test_lines_of_json_have_no_names_and_no_events_of_several_lines() -> None:
    assert by_kind(b'{"a":"\\n"}\r\n{"b":2}\n\n') == {
        "json escape": [7],
        "line end": [10, 19],
        "crlf": [11],
    }


def test_messages_have_a_prelude_and_a_checksum() -> None:
    one = build_message(b"", "é\\n[DONE]".encode())
    other = build_message(b"", b"x\ny")
    first, second = len(one), len(one) + len(other)
    assert by_kind(one + other) == {
        "utf-8": [13],
        "json escape": [15],
        "prelude": [4, 8, 12, first + 4, first + 8, first + 12],
        "checksum": [
            *range(first - 4, first),
            *range(second - 4, second),
        ],
    }


@given(st.binary(max_size=40) | st.text().map(str.encode))
def test_each_offset_inside_the_body_comes_once_and_ascending(body: bytes) -> None:
    offsets = [offset for offset, _ in seams(body)]
    assert offsets == sorted(set(offsets))
    assert set(offsets) <= set(range(1, len(body)))
    assert {kind for _, kind in seams(body)} <= set(KINDS)


def test_what_hurts_most_names_an_offset_that_is_two_of_them() -> None:
    assert dict(seams(BOM + b"data: a\n\n"))[1] == "utf-8"  # and inside the BOM
    assert dict(seams(b"data:\n\n"))[5] == "colon"  # and before the line's end
