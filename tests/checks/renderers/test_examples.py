"""What the check tries, how small the examples are that it tells of, and how it tells of them."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from streamtape import views
from streamtape.checks import CheckFailed, Failure, check_renderer
from streamtape.checks.renderers import budget, json_text, search, smaller
from streamtape.checks.renderers.budget import Budget
from tests.checks.renderers.shown import Shown, failures_of, pieces_of, report_of

DOCUMENT = {
    "name": "Alex \u00e9 \U0001f600",
    "keys": [1, 20.5, True, None],
    "nested": {"a": {"b": ["x", {"c": "d"}]}, "": 'quoted "\n\\'},
    "empty": [],
}


def failed(parse: Any, text: str, **more: Any) -> dict[str, Failure]:
    with pytest.raises(CheckFailed) as caught:
        check_renderer(**{**views.partial_json(parse), **more}, pieces=[text[:20], text[20:]])
    return {failure.kind: failure for failure in caught.value.failures}


def so_far(text: str) -> Any:
    """The value of a document that has come, None of one that has not."""
    try:
        return json.loads(text)
    except ValueError:
        return None


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("indent", [None, 2])
def test_json_is_read_as_it_was_written(*, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(DOCUMENT, ensure_ascii=ascii_only, indent=indent)
    root = json_text.document(text)
    assert json.loads(str(root)) == DOCUMENT
    assert ("\\ud83d\\ude00" in str(root)) == ascii_only


@pytest.mark.parametrize("text", ["", "x", "12", '"text"', "[1", "{}}", None, b"[]"])
def test_other_text_is_no_document(text: object) -> None:
    assert json_text.document(text) is None


@pytest.mark.parametrize(
    ("wanted", "smallest"),
    [
        ('"c"', '{"c":{}}'),
        ("20.5", "[20.5]"),
        ("\\ud83d\\ude00", '{"":"\\ud83d\\ude00"}'),
        ("true", "[true]"),
        ("[]", "[]"),
    ],
)
def test_a_document_is_made_small_and_stays_one(wanted: str, smallest: str) -> None:
    root = json_text.document(json.dumps(DOCUMENT))
    assert root is not None
    asked = []

    def fails(text: str) -> bool:
        asked.append(json.loads(text))
        return wanted in text

    json_text.shrink(root, fails)
    assert len(str(root)) <= len(smallest)
    assert wanted in str(root)
    assert all(isinstance(one, (dict, list)) for one in asked)


def test_the_example_of_a_parser_is_a_small_document() -> None:
    def parse(text: str) -> Any:
        value = so_far(text)
        return {"rest": 1} if value is not None and "20.5" in text else value

    found = failed(parse, json.dumps(DOCUMENT), stable=None)
    assert set(found) == {"converges"}
    (piece,) = pieces_of(found["converges"])
    assert len(piece) <= 11
    assert "20.5" in str(json.loads(piece))


def test_the_example_of_a_number_taken_back_is_a_few_characters() -> None:
    def parse(text: str) -> Any:
        if text.endswith("."):
            return []
        for end in ("", "]", "}", "]}", "}}"):
            value = so_far(text + end)
            if value is not None:
                return value
        return []

    found = failed(parse, '[{"zzz": "hello"}, 1, 12, 13.5, {"deep": [true, null]}]')
    assert len("".join(pieces_of(found["unstable"]))) <= 3
    assert len(pieces_of(found["unstable"])) == 2


def test_a_parser_of_objects_is_not_blamed_for_refusing_arrays() -> None:
    def parse(text: str) -> Any:
        if not text.startswith("{"):
            raise TypeError("no object")
        if "20" in text:
            raise ValueError("no such number")
        return so_far(text)

    found = failed(parse, json.dumps(DOCUMENT), stable=None)
    assert isinstance(found["raises"].got, ValueError)
    text = "".join(pieces_of(found["raises"]))
    assert text.startswith("{")
    assert len(text) <= len('{"":20')


def test_a_cut_is_moved_where_less_text_is_enough_then() -> None:
    """Of ``("<b", ">")`` no character can be left out, and yet two are enough."""

    class Tags(Shown):
        def view(self) -> str:
            return "".join(self.parts)

        def __init__(self) -> None:
            super().__init__()
            self.parts: list[str] = []

        def feed(self, piece: str) -> None:
            self.parts.append(piece if "<b" not in piece else "bold")

    found = failures_of(Tags, pieces=["<b", ">"], reference=lambda text: text)
    assert found["chunking"].pieces == ("<", "b")


def test_lines_are_left_out_before_cuts_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few runs are enough for half of them each time, but not for the cuts of all."""
    monkeypatch.setattr(smaller, "MAX_RUNS", 14)
    lines = [letter for number in range(32) for letter in f"line {number} of many\n"]

    def view(one: Shown) -> str:
        return one.text.replace("line 7", "?")

    found = failures_of(view=view, pieces=lines, reference=str)
    assert "".join(pieces_of(found["converges"])).rstrip("\n").count("\n") == 0


class Clock:
    """Says what the budget reads: CPU time that passes, and the time on the wall."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cpu = self.wall = 0.0
        monkeypatch.setattr(budget, "_read", lambda: (self.cpu, self.wall))


def test_a_busy_machine_does_not_shorten_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    left = Budget(10.0)
    asked = []
    for clock.cpu, clock.wall in [(5.0, 39.0), (5.0, 40.0), (10.0, 11.0)]:
        asked.append(left.is_left)
    assert asked == [True, False, False]


def test_cuts_are_tried_for_as_long_as_there_is_cpu_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SEARCH_S", 1e-9)
    assert "chunking" in report_of().not_judged
    Clock(monkeypatch)
    assert "chunking" not in report_of().not_judged


def test_what_was_spent_says_whether_there_is_room_for_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    left = Budget(10.0)
    clock.cpu = clock.wall = 3.0
    assert left.has_room(2)
    clock.cpu = clock.wall = 6.0
    assert not left.has_room(2)


def test_a_budget_reads_the_time_of_this_process() -> None:
    left = Budget(1e9)
    time.sleep(0)
    assert left.is_left
    assert not Budget(0.0).is_left


def test_what_a_later_cut_shows_is_found_though_an_earlier_one_mattered() -> None:
    class Wrong(Shown):
        def feed(self, piece: str) -> None:
            if piece.startswith("zebra"):
                raise ZeroDivisionError
            super().feed(piece.strip(" "))

    found = failures_of(Wrong, pieces=["one two ", "three four five zebra six"])
    assert {"chunking", "raises"} <= set(found)
    assert found["raises"].pieces == ("zebra",)


def test_an_example_that_shows_two_failures_is_told_once() -> None:
    class Late(Shown):
        def feed(self, piece: str) -> None:
            self.text += piece.replace("ab", "c")

    with pytest.raises(CheckFailed) as caught:
        report_of(Late, pieces=["xa", "bx"], reference=lambda text: text.replace("ab", "c"))
    found = {failure.kind: failure for failure in caught.value.failures}
    assert found["converges"].pieces == found["chunking"].pieces == ("a", "b")
    told = str(caught.value)
    assert told.count("'a' | 'b'") == 1
    assert (
        "chunking: what it shows in the end depends on how the stream was cut"
        " (the example of converges)" in told
    )


def test_a_second_thing_that_cuts_hurt_is_told_beside_the_first() -> None:
    class Late(Shown):
        def feed(self, piece: str) -> None:
            self.text += piece.replace("ab", "c").replace("12", "3")

    def reference(text: str) -> str:
        return text.replace("ab", "c").replace("12", "3")

    found = failures_of(Late, pieces=["first\nxa", "bx\n", "then 12\nlast\n"], reference=reference)
    examples = {found["converges"].pieces, found["chunking"].pieces}
    assert examples == {("a", "b"), ("1", "2")}


def test_terminals_are_compared_line_by_line() -> None:
    def feed(stream: Any, piece: str) -> None:
        stream.write(piece.strip(" "))

    pieces = ["first\n", "second\n", "third ", "and last"]
    with pytest.raises(CheckFailed) as caught:
        check_renderer(
            **views.terminal(feed, columns=20, rows=5),
            pieces=pieces,
            reference=_terminal,
        )
    assert "TerminalView" not in str(caught.value)
    assert "    - 'd l'\n    + 'dl'" in str(caught.value)


def _terminal(text: str) -> views.TerminalView:
    lines = text.split("\n")
    return views.TerminalView((), tuple(lines), (len(lines) - 1, len(lines[-1])))


def test_one_that_never_shows_anything_is_found() -> None:
    found = failures_of(feed=lambda *_: None)
    assert set(found) == {"shows-nothing"}


@pytest.mark.parametrize(
    "arguments",
    [
        {"pieces": [" ", "\n"], "view": lambda one: one.text.strip()},
        {"pieces": ["<!-- x", " -->"], "view": lambda _: "", "reference": lambda _: ""},
    ],
)
def test_a_text_without_anything_to_show_may_show_nothing(arguments: dict[str, Any]) -> None:
    report_of(**arguments)


def test_without_a_reference_it_is_told_what_was_not_judged() -> None:
    assert report_of().not_judged["converges"] == "no reference"
    assert "converges" not in report_of(reference=str).not_judged


def test_budgets_can_be_set_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SHRINK_S", 0.0)
    monkeypatch.setattr(search, "SEARCH_S", 0.0)
    found = failures_of(feed=lambda one, piece: one.feed(piece.strip(" ")))
    assert len(pieces_of(found["chunking"])) > 2
