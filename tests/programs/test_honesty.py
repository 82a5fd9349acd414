"""What a program may do where the stream goes wrong, case by case."""

from __future__ import annotations

import json

import pytest

from streamtape.delivery import Fault, faults
from streamtape.programs.honesty import Honesty
from streamtape.programs.outcome import Outcome
from tests.programs.streams import CHAT, TEXTS, chat

TAPE = chat()
END = faults.end_after(2)


def exits(output: str, errors: str = "", status: int = 0) -> Outcome:
    return Outcome("exit", status, output.encode(), errors.encode())


def verdict(outcome: Outcome, fault: Fault = END, recorded: str = "one two three\n") -> str:
    return Honesty(TAPE, exits(recorded)).verdict(outcome, fault).outcome


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (exits("one two three\n"), "equal"),
        (exits("one two \n"), "silent truncation"),
        (exits(""), "silent truncation"),
        (exits("", status=1), "exit status 1"),
        (exits("one two \n", "stream closed before [DONE]\n"), "tells of it"),
        (exits("one two \nError: connection reset\n"), "tells of it"),
        (Outcome("hang", None, b""), "hang"),
        (Outcome("flood", None, b""), "other result without end"),
        (Outcome("exit", -11, b""), "foreign exception SIGSEGV"),
    ],
)
def test_a_stream_that_ends_early(outcome: Outcome, expected: str) -> None:
    assert verdict(outcome) == expected


def test_a_text_that_comes_twice_is_told_from_another_result() -> None:
    again = faults.first_attempt(faults.reset_after(2))
    assert verdict(exits("one two one two three\n"), again) == "duplicated text"


def test_words_that_are_there_anyway_say_nothing() -> None:
    recorded = "no error, two failures\n"
    assert verdict(exits("no error, two fail\n"), recorded=recorded) == "silent truncation"


def test_parts_of_json_are_told_too() -> None:
    whole, part = json.dumps({"texts": TEXTS}), json.dumps({"texts": TEXTS[:2]})
    assert verdict(exits(part), recorded=whole) == "silent truncation"
    lines = [json.dumps({"text": text}) for text in TEXTS]
    recorded = "\n".join(lines)
    assert verdict(exits("\n".join(lines[:2])), recorded=recorded) == "silent truncation"


def test_who_only_hands_on_what_came_knows_nothing_of_its_end() -> None:
    assert verdict(exits(CHAT[:-1].decode()), recorded=TAPE.body.decode()) == "part allowed"
