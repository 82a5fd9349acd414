"""Results made comparable: JSON as what it says, objects as what they hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest

from streamtape.checks.results import normal, same


class Plain:
    def __init__(self, **held: object) -> None:
        self.__dict__.update(held)


class Slotted:
    __slots__ = ("a", "never")

    def __init__(self, a: object) -> None:
        self.a = a


class Model:
    """As pydantic's."""

    def __init__(self, **held: object) -> None:
        self.held = held

    def model_dump(self) -> dict[str, object]:
        return self.held


@dataclass
class Data:
    text: str


class Array:
    """As numpy's: a comparison is an array too, and has no truth value."""

    def __init__(self, *items: object) -> None:
        self.items = items

    def __eq__(self, other: object) -> Any:
        return Array()

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")

    def tolist(self) -> list[object]:
        return list(self.items)


@pytest.mark.parametrize("make", [Plain, Model])
def test_objects_without_a_comparison_are_compared_by_their_fields(make: Any) -> None:
    assert same(make(a=[make(b=1)]), make(a=[make(b=1)]))
    assert not same(make(a=[make(b=1)]), make(a=[make(b=2)]))


def test_objects_of_slots() -> None:
    assert same(Slotted(1), Slotted(1))
    assert not same(Slotted(1), Slotted(2))


def test_objects_of_other_classes_differ() -> None:
    assert not same(Plain(a=1), Model(a=1))
    assert not same([Plain(a=1)], [{"a": 1}])


def test_exceptions_are_compared_by_their_arguments() -> None:
    assert same(ValueError("a"), ValueError("a"))
    assert not same(ValueError("a"), ValueError("b"))
    assert not same(ValueError("a"), KeyError("a"))


@pytest.mark.parametrize("value", [1, 1.5, None, True, "a", b"\xff", (1, 2), {1, 2}, len, int])
def test_what_compares_by_itself_stays(value: object) -> None:
    assert same(value, value)
    assert not same(value, Plain())


def test_arrays_are_compared_by_their_items() -> None:
    assert same(Array(1, 2), Array(1, 2))
    assert same([Array(1, 2)], [Array(1, 2)])
    assert not same(Array(1, 2), Array(1, 3))


def test_json_counts_as_text_unless_told() -> None:
    one, other = '{"a": "\\u00e9"}', '{"a":"é"}'
    assert not same(one, other)
    assert same(one, other, as_json=True)
    assert same([Data(one)], [Data(other)], as_json=True)
    assert same({"x": one.encode()}, {"x": other.encode()}, as_json=True)
    assert same(f"[{one}]", f"[{other}]", as_json=True)


@pytest.mark.parametrize("text", ["1", "1.0", "true", '"a"', "{", "[1", "", " "])
def test_text_that_is_no_object_and_no_array_is_text(text: str) -> None:
    assert normal(text, as_json=True) == text
    assert normal(text.encode(), as_json=True) == text.encode()


def test_json_within_json_is_looked_at_too() -> None:
    assert normal('{"a": "[1, 2]"}', as_json=True) == {"a": [1, 2]}


def test_texts_that_became_others() -> None:
    became = {"Hello": "Bonjour", '{"t":"Hello"}': '{"t":"Bonjour"}'}
    result = ["Hello", Data("Hello"), '{"t":"Hello"}', '{"n": ["Hello", 1]}', "Hello!"]
    assert normal(result, as_json=True, became=became) == [
        "Bonjour",
        ["Data", {"text": "Bonjour"}],
        {"t": "Bonjour"},
        {"n": ["Bonjour", 1]},
        "Hello!",
    ]


def test_what_holds_itself_has_an_end() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert isinstance(normal(loop), list)
    deep = "[" * 10_000
    assert normal(deep, as_json=True) == deep


def test_numbers_that_differ_from_themselves_differ() -> None:
    assert not same(math.nan, 1)
