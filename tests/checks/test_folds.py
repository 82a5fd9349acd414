"""Accumulators: right ones pass, and each way of being wrong is told with the fewest events."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from streamtape.checks import CheckFailed, Failure, check_fold


def failures_of(*args: Any, **kwargs: Any) -> dict[str, Failure]:
    with pytest.raises(CheckFailed) as caught:
        check_fold(*args, **kwargs)
    return {failure.kind: failure for failure in caught.value.failures}


def add(state: str, event: str) -> str:
    return state + event


TEXT: dict[str, Any] = {"start": str, "step": add, "result": str}


def test_a_right_accumulator_passes_everything() -> None:
    check_fold("caf\u00e9 \U0001f469", **TEXT, merge=add, reference="".join)


def test_an_accumulator_that_changes_its_state_in_place_passes() -> None:
    def step(state: dict[int, str], event: tuple[int, str]) -> None:
        state[event[0]] = state.get(event[0], "") + event[1]

    check_fold(
        [(0, "a"), (1, "x"), (0, "b"), (1, "y")],
        start=dict,
        step=step,
        result=dict,
        key=lambda event: event[0],
        reference=lambda events: {
            index: "".join(text for at, text in events if at == index) for index, _ in events
        },
    )


def test_a_stream_without_events_passes() -> None:
    check_fold("", **TEXT, merge=add, reference="".join)


def test_another_result_than_the_reference_is_told_with_the_fewest_events() -> None:
    def without_spaces(state: str, event: str) -> str:
        return state + event.strip()

    found = failures_of(
        ["a", "b ", "c"], start=str, step=without_spaces, result=str, reference="".join
    )
    assert list(found) == ["differs"]
    assert found["differs"].pieces == ("b ",)
    assert (found["differs"].expected, found["differs"].got) == ("b ", "b")


def test_an_exception_of_the_accumulator_is_its_result() -> None:
    def step(state: str, event: str) -> str:
        if event == "c":
            raise IndexError("list assignment index out of range")
        return state + event

    found = failures_of("abcd", start=str, step=step, result=str, reference="".join)
    assert list(found) == ["raises"]
    assert found["raises"].pieces == ("c",)
    assert isinstance(found["raises"].got, IndexError)


def test_a_state_that_outlives_its_start_is_unstable() -> None:
    shared: list[str] = []

    def step(state: list[str], event: str) -> None:
        state.append(event)

    found = failures_of("ab", start=lambda: shared, step=step, result="".join)
    assert list(found) == ["unstable"]


def test_an_accumulator_that_changes_its_events_is_unstable() -> None:
    def step(state: list[list[str]], event: list[str]) -> None:
        if state:
            state[0].extend(event)
        else:
            state.append(event)

    found = failures_of([["a"], ["b"]], start=list, step=step, result=lambda state: state[0])
    assert found["unstable"].pieces == (["a"], ["b"])
    assert found["unstable"].got == ["a", "b", "b"]


def test_a_merge_in_the_wrong_order_is_not_associative() -> None:
    found = failures_of("abcd", **TEXT, merge=lambda one, other: other + one)
    assert found["not-associative"].pieces is not None
    assert len(found["not-associative"].pieces) == 2
    assert found["not-associative"].case == "split into 1 + 1 events"


def test_a_merge_that_is_right_only_from_the_left_is_not_associative() -> None:
    @dataclass
    class State:
        text: str = ""
        merged: bool = False

    def step(state: State, event: str) -> None:
        state.text += event

    def merge(one: State, other: State) -> State:
        return State(one.text + ("" if other.merged else other.text), merged=True)

    found = failures_of("abc", start=State, step=step, result=lambda state: state.text, merge=merge)
    assert found["not-associative"].case == "split into 1 + 1 + 1 events"


def test_order_is_kept_for_each_key_and_around_events_without_one() -> None:
    events = ["<", "a1", "b1", "a2", ">"]
    seen: list[tuple[str, ...]] = []

    def result(state: tuple[str, ...]) -> dict[str, list[str]]:
        seen.append(state)
        return {key: [event for event in state if event[0] == key] for key in "<ab>"}

    check_fold(
        events,
        start=tuple,
        step=lambda state, event: (*state, event),
        result=result,
        key=lambda event: event[0] if event[0].isalpha() else None,
    )
    assert ("<", "b1", "a1", "a2", ">") in seen
    assert ("<", "a1", "a2", "b1", ">") in seen
    for order in (each for each in seen if len(each) == len(events)):
        assert order[0] == "<"
        assert order[-1] == ">"
        assert order.index("a1") < order.index("a2")


def test_a_result_that_depends_on_the_interleaving_is_told_with_two_events() -> None:
    found = failures_of("abab", **TEXT, key=str)
    assert found["depends-on-order"].pieces is not None
    assert set(found["depends-on-order"].pieces) == {"a", "b"}


@dataclass(frozen=True)
class Delta:
    text: str = ""
    role: str | None = None
    calls: list[Any] = field(default_factory=list)


@pytest.mark.parametrize(
    "events",
    [
        [{"role": "a", "text": "x"}, {"text": "y"}],
        [SimpleNamespace(role="a", text="x"), SimpleNamespace(role=None, text="y")],
        [Delta(role="a", text="x"), Delta(text="y")],
    ],
    ids=["dictionaries", "objects", "frozen dataclasses"],
)
def test_a_field_that_comes_again_is_filled_in_and_must_not_count_twice(events: list[Any]) -> None:
    def of(event: Any, name: str) -> str:
        return (event.get(name) if isinstance(event, dict) else getattr(event, name)) or ""

    def once(state: tuple[str, str], event: Any) -> tuple[str, str]:
        return state[0] or of(event, "role"), state[1] + of(event, "text")

    def added(state: tuple[str, str], event: Any) -> tuple[str, str]:
        return state[0] + of(event, "role"), state[1] + of(event, "text")

    check_fold(events, start=lambda: ("", ""), step=once, result=tuple, repeated=["role"])
    found = failures_of(events, start=lambda: ("", ""), step=added, result=tuple, repeated=["role"])
    assert found["not-repeat-safe/role"].got == ("aa", "xy")
    assert found["not-repeat-safe/role"].case == "role repeated"


def test_a_path_leads_through_lists() -> None:
    events = [{"calls": [{"id": "1", "n": 1}]}, {"calls": [{"n": 2}, {"n": 3}]}, {"other": None}]

    def step(state: list[Any], event: dict[str, Any]) -> None:
        state += [call.get("id") for call in event.get("calls", ()) if call.get("id")]

    found = failures_of(events, start=list, step=step, result=list, repeated=["calls[].id"])
    assert found["not-repeat-safe/calls[].id"].got == ["1", "1", "1"]


def chunk(delta: dict[str, Any], index: int = 0, finish: str | None = None) -> ChatCompletionChunk:
    return ChatCompletionChunk.model_validate(
        {
            "id": "1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [{"index": index, "delta": delta, "finish_reason": finish}],
        }
    )


def test_the_accumulator_of_openai_fails_at_repeated_roles_and_at_choices_out_of_order() -> None:
    found = failures_of(
        [
            chunk({"role": "assistant", "content": ""}),
            chunk({"content": "He"}),
            chunk({"content": "llo"}),
            chunk({"content": "B"}, 1),
            chunk({"content": "ye"}, 1),
            chunk({}, 0, "stop"),
            chunk({}, 1, "stop"),
        ],
        start=ChatCompletionStreamState,
        step=lambda state, event: state.handle_chunk(event) and None,
        result=lambda state: state.current_completion_snapshot.model_dump(),
        repeated=["choices[].delta.role"],
        key=lambda event: event.choices[0].index,
    )
    assert set(found) == {"not-repeat-safe/choices[].delta.role", "depends-on-order"}
    assert isinstance(found["depends-on-order"].got, IndexError)
    assert "assistantassistant" in str(found["not-repeat-safe/choices[].delta.role"].got)


def test_an_accumulator_that_raises_on_everything_fails() -> None:
    def step(_: list[Any], __: Any) -> None:
        raise TypeError("missing json_bufs")

    found = failures_of(
        [{"x": 1, "k": 1}, {"x": None, "k": 2}],
        start=list,
        step=step,
        result=list,
        merge=lambda one, other: one + other,
        repeated=["x"],
        key=lambda event: event["k"],
    )
    assert list(found) == ["raises"]
    assert isinstance(found["raises"].got, TypeError)
    assert found["raises"].pieces is not None
    assert len(found["raises"].pieces) == 1


def test_a_reference_that_raises_is_none() -> None:
    with pytest.raises(ValueError, match="the reference raised ZeroDivisionError"):
        check_fold("ab", **TEXT, reference=lambda _: 1 // 0)


def test_lists_that_are_none_have_no_members_to_repeat() -> None:
    def call(index: int, **function: str) -> dict[str, Any]:
        return {"tool_calls": [{"index": index, "function": function}]}

    def once(state: dict[int, str], event: ChatCompletionChunk) -> None:
        for each in event.choices[0].delta.tool_calls or ():
            if each.function is not None and each.function.name:
                state[each.index] = each.function.name

    def added(state: dict[int, str], event: ChatCompletionChunk) -> None:
        for each in event.choices[0].delta.tool_calls or ():
            if each.function is not None:
                state[each.index] = state.get(each.index, "") + (each.function.name or "")

    events = [
        chunk({"role": "assistant"}),
        chunk(call(0, name="f", arguments="")),
        chunk(call(0, arguments="{}")),
    ]
    path = "choices[].delta.tool_calls[].function.name"
    check_fold(events, start=dict, step=once, result=dict, repeated=[path])
    found = failures_of(events, start=dict, step=added, result=dict, repeated=[path])
    assert found[f"not-repeat-safe/{path}"].got == {0: "ff"}


@pytest.mark.parametrize(
    ("events", "path", "what"),
    [
        ([{"role": "a"}, {}], "rolle", "no event has a value at 'rolle'"),
        ([{"role": "a"}, {"role": "a"}], "role", "nothing is repeated"),
        ([{"delta": {"role": "a"}}, {}], "delta.role", "nothing is repeated"),
    ],
)
def test_a_path_that_repeats_nothing_is_refused(events: Any, path: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        check_fold(events, start=list, step=lambda state, _: state, result=list, repeated=[path])


def test_what_only_the_last_event_has_comes_twice_too() -> None:
    def added(state: str, event: dict[str, Any]) -> str:
        return state + (event["metadata"].get("finish_reason") or "")

    events = [{"metadata": {}}, {"metadata": {}}, {"metadata": {"finish_reason": "stop"}}]
    path = "metadata.finish_reason"
    found = failures_of(events, start=str, step=added, result=str, repeated=[path])
    assert found[f"not-repeat-safe/{path}"].got == "stopstop"


def test_each_path_is_told_by_itself() -> None:
    def added(state: dict[str, str], event: dict[str, str]) -> None:
        for name, value in event.items():
            state[name] = state.get(name, "") + value

    events = [{"role": "a", "model": "m", "id": "1"}, {"text": "x"}]
    found = failures_of(
        events, start=dict, step=added, result=dict, repeated=["role", "model", "id"]
    )
    assert set(found) == {f"not-repeat-safe/{name}" for name in ("role", "model", "id")}


def test_a_field_comes_again_with_the_value_of_its_own_key() -> None:
    def last(state: dict[int, str], event: dict[str, Any]) -> None:
        state[event["index"]] = event.get("name") or state[event["index"]]

    events = [
        {"index": 0, "name": "f"},
        {"index": 1, "name": "g"},
        {"index": 0},
        {"index": 1},
    ]
    check_fold(
        events,
        start=dict,
        step=last,
        result=dict,
        repeated=["name"],
        key=lambda event: event["index"],
    )


@pytest.mark.parametrize("events", ["", "a", "aaa"])
def test_a_key_that_tells_nothing_apart_is_refused(events: str) -> None:
    with pytest.raises(ValueError, match="no two events of different keys follow each other"):
        check_fold(events, **TEXT, key=str)


def test_a_state_that_outlives_its_start_is_shown_with_one_event() -> None:
    shared: list[str] = []

    def step(state: list[str], event: str) -> None:
        state.append(event)

    found = failures_of("0123456789" * 9, start=lambda: shared, step=step, result="".join)
    unstable = found["unstable"]
    assert unstable.pieces == ("0",)
    assert unstable.expected != unstable.got
    assert len(str(unstable.got)) < 10
