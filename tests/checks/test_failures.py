"""What failures look like, and what a check makes of them."""

from __future__ import annotations

import pytest

from streamtape import Delivery, Event, Tape
from streamtape.checks import CheckFailed, Failure
from streamtape.checks.failures import Findings
from streamtape.checks.scorecard import difference
from streamtape.delivery import rewrites

SMALL = Tape.of("data: caf\u00e9\n\n".encode())
LARGE = Tape.of(b"".join(b"data: number %d\n\n" % number for number in range(40)))


def failure(kind: str = "a/b", **fields: object) -> Failure:
    given = {"delivery": Delivery(cuts=(10,)), "expected": [1], "got": [2], "tape": SMALL}
    return Failure(kind, **{**given, **fields})  # type: ignore[arg-type]


def test_a_scorecard_tells_each_class_once_with_what_to_paste() -> None:
    first = failure(
        "chunk-boundary/utf8-split",
        expected=[Event(data="caf\u00e9")],
        got=UnicodeDecodeError("utf-8", b"\xc3", 0, 1, "unexpected\nend"),
        examples=2,
        sentence="a character is lost",
        case="the menu",
    )
    error = CheckFailed([first, failure()], check="check_parser", gone=["spec-deviation/cr"])
    assert str(error) == (
        "check_parser: 2 classes of failure\n"
        "\n"
        "chunk-boundary/utf8-split: a character is lost\n"
        "    stream    the menu\n"
        "    delivery  Delivery(cuts=(10,)) (example 2)\n"
        "    chunks    b'data: caf\\xc3' | b'\\xa9\\n\\n'\n"
        "    - Event(type='message', data='caf\u00e9', last_event_id='')\n"
        "    + UnicodeDecodeError: 'utf-8' codec can't decode byte 0xc3 in position 0:"
        " unexpected end\n"
        "\n"
        "a/b\n"
        "    delivery  Delivery(cuts=(10,)) (example 0)\n"
        "    chunks    b'data: caf\\xc3' | b'\\xa9\\n\\n'\n"
        "    - 1\n"
        "    + 2\n"
        "\n"
        "spec-deviation/cr: allowed, but no longer occurs. Take it out of allow."
    )
    assert error.failures == (first, failure())
    assert isinstance(error, AssertionError)


def test_a_large_body_is_shown_round_its_cut() -> None:
    shown = str(failure(delivery=Delivery(cuts=(20,)), tape=LARGE))
    assert "cut 20 falls after the field name 'data', event 2" in shown
    assert max(map(len, shown.splitlines())) < 100


def test_a_large_body_that_was_rewritten_is_shown_where_that_begins() -> None:
    shown = str(failure(delivery=Delivery(rewrites=(rewrites.crlf(),)), tape=LARGE))
    assert "CRLF at the end of every line" in shown
    assert "body      b'data: number 0\\r\\n\\r\\ndata: number 1" in shown


def test_single_bytes_are_told_in_words() -> None:
    assert "chunks    one byte each: b'data: caf\\xc3\\xa9\\n\\n'" in str(
        failure(delivery=Delivery(cuts="bytes"))
    )


def test_pieces_stand_in_place_of_a_delivery() -> None:
    shown = str(failure(tape=None, pieces=("ab", "c")))
    assert "pieces    'ab' | 'c' (example 0)" in shown
    assert "delivery" not in shown
    assert "pieces    300: 'a' | 'a' | " in str(failure(tape=None, pieces=("a",) * 300))


@pytest.mark.parametrize(
    ("expected", "got", "lines"),
    [
        ([1, 2, 3], [1, 2, 3, 4], ["  3 equal", "- nothing", "+ 4"]),
        ([1, 2, 3, 4], [1, 3, 4], ["  1 equal", "- 2", "+ nothing", "  2 equal"]),
        ([1, 1, 1], [1, 1], ["  2 equal", "- 1", "+ nothing"]),
        ([], [1, 2, 3, 4, 5, 6], ["- nothing", "+ 1", "+ 2", "+ 3", "+ 4", "+ and 2 more"]),
        ("abc", "abd", ["- 'abc'", "+ 'abd'"]),
        ([1, 2], ValueError("no"), ["- 2 items", "+ ValueError: no"]),
        ([1], ValueError("no"), ["- 1", "+ ValueError: no"]),
        ([], ValueError(), ["- nothing", "+ ValueError: "]),
        ("abc", ValueError("no"), ["- 'abc'", "+ ValueError: no"]),
        (
            "a" * 300 + "b",
            "a" * 300 + "c",
            ["- \u2026 " + "a" * 50 + "b'", "+ \u2026 " + "a" * 50 + "c'"],
        ),
        ("b" + "a" * 300, "c", ["- 'b" + "a" * 98 + " \u2026", "+ 'c'"]),
        (
            ["a" * 300, "x"],
            ["b", "y"],
            ["- '" + "a" * 49 + " \u2026 " + "a" * 49 + "'", "- 'x'", "+ 'b'", "+ 'y'"],
        ),
    ],
)
def test_a_difference_is_short(expected: object, got: object, lines: list[str]) -> None:
    assert difference(expected, got) == lines


def test_the_first_failure_of_a_kind_is_kept() -> None:
    findings = Findings()
    for got in (1, 2):
        tried = findings.tried(failure(got=got))
        assert tried is not None
        findings.add(tried)
    assert findings.tried(None) is None
    (kept,) = findings.failures.values()
    assert (kept.got, kept.examples, findings.examples) == (1, 1, 3)


def test_nothing_found_is_no_failure() -> None:
    Findings().verdict("check", ())


def test_so_many_may_be_tried() -> None:
    findings = Findings(most=2)
    left = []
    for _ in range(3):
        left.append(findings.left)
        findings.tried(None)
    assert left == [2, 1, 0]
    assert findings.left == 0
    assert Findings().left is None
