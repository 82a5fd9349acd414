"""Contents: the same stream with other text.

The oracles are the official SDKs, which collect the text, `json.loads`, and a table of what each
token's text becomes.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamtape
from streamtape import Delivery, Event, Tape, encode
from streamtape.delivery import Content, contents
from streamtape.delivery.change import Change
from streamtape.delivery.contents import substitutions
from streamtape.delivery.expression import parse
from streamtape.providers import is_terminal, output_tokens, stream_text, token_text
from tests import streams
from tests.clients.sdks import CALLS, Call, plain, text_of
from tests.wire.test_corpus_events import MANIFEST, recorded
from tests.wire.test_corpus_events import streams as corpus

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "contents.md"
MAKERS = {name: make for (family, name), make in Change.makers.items() if family == "contents"}
TAPES = {
    name: Tape.of(b"".join(make()), content_type=kind, gap_ms=1)
    for name, (make, kind) in streams.STREAMS.items()
}
TEXTS: dict[str, Callable[[str], str]] = {
    "line_separators": lambda text: text + "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\x1f",
    "four_bytes": lambda text: "\U00020bb7" + text + "\U0001f980",
    "combining": lambda text: "\u0301" + text + "e\u0323\u0302",
    "zwj": lambda text: "\u200d\U0001f467" + text + "\U0001f469\U0001f3fd",
    "bidi": lambda text: "\u200f\u202e\u05d0\u05d1\u202c" + text + "\u2067",
    "nul": lambda text: text + "\0",
    "spaces": lambda text: "  \t" + text + "\t ",
}
"""What some of the contents make of a token's text. The others have tests of their own."""
NEW_TEXT = [
    *(MAKERS[name]() for name in TEXTS),
    contents.wire_text(),
    contents.large_event(size=3_000),
]
each_tape = pytest.mark.parametrize("name", TAPES)


def events(tape: Tape) -> list[Event]:
    return [event for _, event in tape.events()]


def sse(*data: str) -> Tape:
    return Tape.of(encode([Event(data=each) for each in data]))


def payloads(tape: Tape) -> list[Any]:
    return [json.loads(event.data) for event in events(tape) if event.data != "[DONE]"]


def chat(text: str, index: int = 0, **more: object) -> str:
    return json.dumps({"choices": [{"index": index, "delta": {"content": text}} | more]})


def replaced(value: Any, by: dict[str, str]) -> Any:
    """*value* with every string in it replaced that *by* has."""
    if isinstance(value, dict):
        return {key: replaced(each, by) for key, each in value.items()}
    if isinstance(value, list):
        return [replaced(each, by) for each in value]
    return by.get(value, value) if isinstance(value, str) else value


@each_tape
class TestEachProvider:
    """What holds for every stream."""

    @pytest.mark.parametrize("change", TEXTS)
    def test_every_text_becomes_another_and_nothing_else(self, name: str, change: str) -> None:
        tape = TAPES[name]
        told = MAKERS[change]().apply(tape)
        new = [token_text(event) for event in events(told)]
        old = [token_text(event) for event in events(tape)]
        assert new == [TEXTS[change](text) if text else "" for text in old]
        for (at, event), (when, other) in zip(tape.events(), told.events(), strict=True):
            assert (at, event.type, event.last_event_id) == (when, other.type, other.last_event_id)
            if not token_text(event) and "".join(streams.PIECES) not in event.data:
                assert other == event
        assert output_tokens(events(told)) == output_tokens(events(tape))

    @pytest.mark.parametrize("change", NEW_TEXT, ids=repr)
    def test_substitutions_tell_what_became_of_each_string(
        self, name: str, change: Content
    ) -> None:
        tape = TAPES[name]
        told = change.apply(tape)
        known = substitutions(tape, told)
        assert known[stream_text(events(tape))] == stream_text(events(told))
        assert [known.get(event.data, event.data) for event in events(tape)] == [
            event.data for event in events(told)
        ]
        for old, new in zip(events(tape), events(told), strict=True):
            assert known.get(token_text(old), token_text(old)) == token_text(new)
        so_far = ""
        for number, event in enumerate(events(tape), 1):
            so_far += token_text(event)
            if so_far:
                assert known[so_far] == stream_text(events(told)[:number])

    def test_every_gives_those_that_change_the_tape(self, name: str) -> None:
        tried = contents.every(TAPES[name])
        assert tried[0] == contents.line_separators()
        told = [each.apply(TAPES[name]) for each in tried]
        assert TAPES[name] not in told
        assert len(set(told)) == len(told)
        missing = {"blank_lines"} - ({"blank_lines"} if name == "ollama" else set())
        assert {each.name for each in tried} == MAKERS.keys() - missing

    def test_they_compose(self, name: str) -> None:
        delivery = Delivery(contents=(contents.spaces(), contents.nul()))
        told = TAPES[name].deliver(delivery)
        assert stream_text(events(told)) == "".join(f"  \t{piece}\t \0" for piece in streams.PIECES)
        assert not delivery.keeps_meaning


@pytest.mark.parametrize("call", [call for call in CALLS if not call.asynchronous], ids=str)
@pytest.mark.parametrize("change", [*NEW_TEXT, contents.empty_deltas()], ids=lambda one: one.name)
def test_the_sdks_give_exactly_the_new_text(call: Call, change: Content) -> None:
    tape = Tape.of(b"".join(call.events()))
    told = change.apply(tape)
    with streamtape.play(tape):
        before = call.read("http://test")
    with streamtape.play(told):
        after = call.read("http://test")
    assert text_of(after) == stream_text(events(told))
    if change.name == "empty_deltas":
        assert text_of(after) == text_of(before)
    else:
        assert after == replaced(before, substitutions(tape, told))


def test_openai_responses_say_the_new_text_at_the_end() -> None:
    told = contents.line_separators().apply(TAPES["openai_responses"])
    with streamtape.play(told):
        client = openai.OpenAI(api_key="k", base_url="http://test/v1")
        with client.responses.stream(model="m", input="?") as stream:
            final = plain(stream.get_final_response())
    assert final["output"][0]["content"][0]["text"] == stream_text(events(told))
    done = [each for each in payloads(told) if each["type"].endswith(".done")]
    assert len(done) == 3
    assert all(json.dumps(stream_text(events(told)))[1:-1] in json.dumps(each) for each in done)


def test_anthropic_collects_the_new_text() -> None:
    told = contents.wire_text().apply(TAPES["anthropic_messages"])
    with streamtape.play(told):
        client = anthropic.Anthropic(api_key="k", base_url="http://test")
        with client.messages.stream(model="m", max_tokens=9, messages=[]) as stream:
            assert stream.get_final_text() == stream_text(events(told))


class TestOnTheWire:
    """What is raw and what is escaped."""

    def test_what_json_need_not_escape_is_raw(self) -> None:
        body = contents.line_separators().apply(TAPES["openai_chat"]).body
        separators = '\u2028\u2029\x85\\u000b\\f\\u001c\\u001d\\u001e\\u001f"'
        assert body.count(separators.encode()) == len(streams.PIECES)
        assert 'The 🦀"'.encode() in contents.four_bytes().apply(TAPES["openai_chat"]).body

    def test_a_nul_in_json_is_an_escape_and_in_plain_text_raw(self) -> None:
        tape = TAPES["openai_chat"]
        assert contents.nul(escaped=False).apply(tape) is tape
        assert b'The \\u0000"' in contents.nul().apply(tape).body
        assert contents.nul(escaped=True) != contents.nul()  # though it does the same
        text = sse("a", "", "b")
        assert contents.nul().apply(text) is text
        assert contents.nul(escaped=False) in contents.every(text)
        assert (
            contents.nul(escaped=False).apply(text).body == b"data: a\0\n\ndata:\n\ndata: b\0\n\n"
        )

    def test_text_that_looks_like_the_wire(self) -> None:
        told = contents.wire_text().apply(sse(chat("Hi"), "[DONE]"))
        [text, _] = [token_text(event) for event in events(told)]
        assert text.startswith("data: Hi\n\ndata: [DONE]\n\nevent: error\n")
        assert text.endswith("\n\n")
        assert told.body.count(b"\n") == 4
        assert [is_terminal(event) for event in events(told)] == [False, True]

    def test_plain_text_has_its_line_feeds_in_several_fields(self) -> None:
        told = contents.wire_text().apply(sse("Hi", "[DONE]"))
        assert told.body.startswith(b"data: data: Hi\ndata: \ndata: data: [DONE]\ndata: \n")
        assert [event.data for event in events(told)][1:] == ["[DONE]"]
        assert len(events(told)) == 2

    def test_spaces_that_count_are_kept_apart_from_the_one_that_does_not(self) -> None:
        told = contents.spaces().apply(Tape.of(b"data:a\n\ndata: b\n\ndata\n\n"))
        assert told.body == b"data:   \ta\t \n\ndata:   \tb\t \n\ndata\n\n"


class TestEmptyDeltas:
    """Deltas without text between the others."""

    @each_tape
    @pytest.mark.parametrize("every", [1, 2, 5, 99])
    def test_come_after_deltas_and_change_no_text(self, name: str, every: int) -> None:
        tape = TAPES[name]
        told = contents.empty_deltas(every=every).apply(tape)
        old = [token_text(event) for event in events(tape)]
        new = [token_text(event) for event in events(told)]
        expected: list[str] = []
        for text in old:
            expected.append(text)
            if text and sum(map(bool, expected)) % every == 0:
                expected.append("")
        assert new == expected
        assert sum(map(is_terminal, events(told))) == sum(map(is_terminal, events(tape)))
        assert is_terminal(events(told)[-1]) is is_terminal(events(tape)[-1])
        assert output_tokens(events(told)) == output_tokens(events(tape))

    def test_are_whole_deltas_of_the_provider(self) -> None:
        delta = {
            "index": 0,
            "delta": {"content": "Hi", "role": "assistant"},
            "finish_reason": "stop",
        }
        told = contents.empty_deltas().apply(sse(json.dumps({"id": "c", "choices": [delta]})))
        first, second = payloads(told)
        assert first == {"id": "c", "choices": [delta | {"finish_reason": None}]}
        assert second == {"id": "c", "choices": [delta | {"delta": {"content": ""}}]}

    @pytest.mark.parametrize("tape", [sse("a", "b"), sse('{"text":"a"}'), sse(": ping")])
    def test_are_not_made_for_a_stream_of_nobodys(self, tape: Tape) -> None:
        assert contents.empty_deltas().apply(tape) is tape

    def test_substitutions_tell_what_became_of_the_data(self) -> None:
        tape = TAPES["openai_responses"]
        told = contents.empty_deltas().apply(tape)
        known = substitutions(tape, told)
        deltas = [event.data for event in events(tape) if token_text(event)]
        assert [json.loads(known.get(data, data))["sequence_number"] for data in deltas] == [
            4, 6, 8, 10, 12, 14, 16
        ]  # fmt: skip
        assert not known.keys() & {*streams.PIECES, "".join(streams.PIECES)}


class TestLargeEvent:
    """One token's text as long as is asked."""

    @each_tape
    @pytest.mark.parametrize("size", [100, 65_536, 614_400])
    def test_one_text_is_that_long(self, name: str, size: int) -> None:
        told = contents.large_event(size=size).apply(TAPES[name])
        long = [text for event in events(told) if len(text := token_text(event)) > 50]
        assert [len(text.encode()) for text in long] == [size]
        assert max(map(len, told.body.split(b"\n"))) > size

    def test_the_default_is_above_the_limit_of_asyncio(self) -> None:
        told = contents.large_event().apply(TAPES["ollama"])
        assert max(map(len, told.body.split(b"\n"))) > 2**16

    def test_two_mebibytes(self) -> None:
        told = contents.large_event(size=2**21).apply(TAPES["openai_chat"])
        assert len(told.body) > 2**21

    def test_a_token_that_comes_once_is_chosen(self) -> None:
        told = contents.large_event(size=9).apply(sse(chat("a"), chat("b"), chat("a"), chat("é")))
        assert [token_text(event) for event in events(told)] == ["a", "b0 1 2 3 4"[:9], "a", "é"]

    def test_equal_tokens_stay_equal(self) -> None:
        told = contents.large_event(size=5).apply(sse(chat("a"), chat("a")))
        assert [token_text(event) for event in events(told)] == ["a0 1 ", "a0 1 "]

    def test_half_a_character_is_no_obstacle(self) -> None:
        told = contents.large_event(size=6).apply(sse(chat("\ud83d")))
        assert [token_text(event) for event in events(told)] == ["\ud83d0 1"]

    @pytest.mark.parametrize("size", [1, 3])
    def test_nothing_becomes_shorter(self, size: int) -> None:
        tape = sse(chat("abc"))
        assert contents.large_event(size=size).apply(tape) is tape


class TestBlankLines:
    """Blank lines between the lines of NDJSON."""

    def test_say_nothing(self) -> None:
        tape = TAPES["ollama"]
        told = contents.blank_lines().apply(tape)
        assert told.body == tape.body.rstrip(b"\n").replace(b"\n", b"\n\n") + b"\n"
        assert told.events() == tape.events()
        assert substitutions(tape, told) == {}

    def test_end_as_the_lines_do(self) -> None:
        tape = Tape.of(b'{"a":1}\r\n{"b":2}\r\n', content_type="application/jsonl")
        assert contents.blank_lines().apply(tape).body == b'{"a":1}\r\n\r\n{"b":2}\r\n'

    def test_are_for_ndjson_alone(self) -> None:
        assert contents.blank_lines().apply(TAPES["gemini"]) is TAPES["gemini"]


class TestTextSaidAgain:
    """Where a stream repeats its text, the new one is repeated."""

    def test_all_of_it_at_the_end(self) -> None:  # Cohere's first API
        tape = Tape.of(
            b'{"is_finished":false,"event_type":"text-generation","text":"Su"}\n'
            b'{"is_finished":false,"event_type":"text-generation","text":"n"}\n'
            b'{"is_finished":true,"event_type":"stream-end","response":{"text":"Sun",'
            b'"chat_history":[{"role":"CHATBOT","message":"Sun"}]}}\n',
            content_type="application/stream+json",
        )
        end = payloads(contents.nul().apply(tape))[-1]["response"]
        assert end == {
            "text": "Su\0n\0",
            "chat_history": [{"role": "CHATBOT", "message": "Su\0n\0"}],
        }

    def test_what_came_so_far(self) -> None:  # Perplexity
        tape = sse(chat("Su", message={"content": "Su"}), chat("n", message={"content": "Sun"}))
        told = payloads(contents.nul().apply(tape))
        assert [each["choices"][0]["message"]["content"] for each in told] == ["Su\0", "Su\0n\0"]

    @pytest.mark.parametrize(
        "key",
        [
            "answer",
            "completion",
            "content",
            "generated_text",
            "generation",
            "message",
            "output",
            "outputText",
            "output_text",
            "response",
            "text",
        ],
    )
    def test_under_the_keys_that_hold_text(self, key: str) -> None:
        tape = sse(chat("Su"), chat("n"), json.dumps({"choices": [], key: ["Sun", "Su"]}))
        assert payloads(contents.nul().apply(tape))[-1] == {"choices": [], key: ["Su\0n\0", "Su"]}

    def test_each_of_several_answers(self) -> None:
        def part(kind: str, item: str, **more: str) -> str:
            where = {"item_id": item, "content_index": 0}
            return json.dumps({"type": f"response.output_text.{kind}", **where, **more})

        tape = sse(
            part("delta", "a", delta="x"),
            part("delta", "b", delta="x"),
            part("delta", "b", delta="y"),
            part("done", "a", text="x"),
            part("done", "b", text="xy"),
            json.dumps({"type": "response.completed", "response": {"output": [
                {"text": "x"}, {"text": "xy"}, {"text": "xxy"}, {"text": "z"}]}}),
        )  # fmt: skip
        told = payloads(contents.nul().apply(tape))
        assert [each["text"] for each in told[3:5]] == ["x\0", "x\0y\0"]
        assert [each["text"] for each in told[5]["response"]["output"]] == [
            "x\0", "x\0y\0", "x\0x\0y\0", "z"
        ]  # fmt: skip

    def test_a_string_that_means_something_else_stays(self) -> None:
        tape = sse(chat("stop"), chat("", finish_reason="stop", role="stop"), '{"choices":[]}')
        told = payloads(contents.nul().apply(tape))
        assert told[0]["choices"][0]["delta"]["content"] == "stop\0"
        assert told[1:] == payloads(tape)[1:]

    def test_an_event_with_several_choices_gives_all_to_the_first(self) -> None:
        both = {
            "choices": [{"index": n, "delta": {"content": text}} for n, text in enumerate("ab")]
        }
        tape = sse(json.dumps(both), chat("c"))
        told = contents.nul().apply(tape)
        assert [token_text(event) for event in events(told)] == ["ab\0", "c\0"]
        assert substitutions(tape, told)["abc"] == "ab\0c\0"


class TestSubstitutions:
    """What became of each string."""

    def test_answers_have_theirs(self) -> None:
        tape = sse(chat("a"), chat("b", 1), chat("c"), chat("d", 1))
        told = contents.nul().apply(tape)
        known = substitutions(tape, told)
        data = {event.data for event in events(tape)}
        assert {old: new for old, new in known.items() if old not in data} == {
            "a": "a\0", "b": "b\0", "c": "c\0", "d": "d\0",
            "ac": "a\0c\0", "bd": "b\0d\0",
            "ab": "a\0b\0", "abc": "a\0b\0c\0", "abcd": "a\0b\0c\0d\0",
        }  # fmt: skip

    def test_a_token_counts_before_a_text_so_far_and_the_whole_before_a_token(self) -> None:
        tape = sse(chat("a"), chat("a"), chat("aa"), chat("b"))
        assert substitutions(tape, contents.nul().apply(tape))["aa"] == "aa\0"
        tape = sse(chat("a"), chat("b"), '{"choices":[]}')
        known = substitutions(tape, contents.large_event(size=4).apply(tape))
        assert (known["a"], known["ab"], "b" in known) == ("a0 1", "a0 1b", False)

    def test_of_nothing_is_nothing(self) -> None:
        tape = Tape.of(b"")
        assert substitutions(tape, tape) == {}
        assert substitutions(TAPES["gemini"], TAPES["gemini"]) == {}

    def test_other_streams_are_told_apart(self) -> None:
        with pytest.raises(ValueError, match="2 token texts became 1"):
            substitutions(sse(chat("a"), chat("b")), sse(chat("c")))


@pytest.mark.parametrize("change", [make() for make in MAKERS.values()], ids=lambda one: one.name)
@pytest.mark.parametrize(
    "tape",
    [
        Tape.of(b""),
        Tape.of(b": ping\n\ndata: [DONE]\n\nevent: ping\ndata: beat\n\ndata: cut off"),
        Tape.of(b'{"choices": [{"delta": {"content": "a"}}]}', content_type="application/json"),
        Tape.of(b'[{"candidates": []}\n', content_type="application/json"),
    ],
    ids=["nothing", "no text", "no stream", "an array"],
)
def test_a_tape_without_text_stays(change: Content, tape: Tape) -> None:
    assert change.apply(tape) is tape
    assert contents.every(tape) == ()


@pytest.mark.parametrize("change", contents.every(TAPES["ollama"]), ids=lambda one: one.name)
def test_a_repr_is_read_again(change: Content) -> None:
    assert parse(f"Delivery(contents=({change!r},))") == Delivery(contents=(change,))


@settings(max_examples=30)
@given(
    st.lists(st.text('ab "\\é👩\u2028\x85\n', min_size=1, max_size=4), min_size=1, max_size=6),
    st.sampled_from([each for each in NEW_TEXT if each.name != "large_event"]),
    st.sampled_from(sorted(TAPES)),
)
def test_equal_texts_become_equal_texts(pieces: list[str], change: Content, name: str) -> None:
    make, kind = streams.STREAMS[name]
    tape = Tape.of(b"".join(make(pieces)), content_type=kind)  # type: ignore[call-arg]
    told = change.apply(tape)
    new = [text for event in events(told) if (text := token_text(event))]
    assert len(dict(zip(pieces, new, strict=True))) == len(set(zip(pieces, new, strict=True)))
    assert all(piece in text for piece, text in zip(pieces, new, strict=True))
    assert output_tokens(events(told)) == len(pieces)


@pytest.mark.skipif(not MANIFEST.exists(), reason="no corpus of recorded streams")
@pytest.mark.parametrize(("path", "stream"), corpus())
def test_recorded_streams_say_the_new_text(path: Path, stream: dict[str, Any]) -> None:
    body, content_type = recorded(path, stream["idx"])
    tape = Tape.of(body, content_type=content_type or "")
    old = [token_text(event) for event in events(tape)]
    tried = {each.name for each in contents.every(tape)}
    assert (not any(old)) is (not tried - {"blank_lines"})
    for change, new_text in TEXTS.items():
        told = MAKERS[change]().apply(tape)
        new = [token_text(event) for event in events(told)]
        assert new == [new_text(text) if text else "" for text in old]
        assert output_tokens(events(told)) == output_tokens(events(tape))
        assert [is_terminal(e) for e in events(told)] == [is_terminal(e) for e in events(tape)]
        if any(old):
            assert substitutions(tape, told)["".join(old)] == "".join(new)


def test_the_page_says_what_each_does() -> None:
    table = dict(
        re.findall(r"^\| `(\w+\(.*?\))` \| (.*?) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    )
    assert len(table) == len(MAKERS)
    for written, sentence in table.items():
        value = parse(f"Delivery(contents=(contents.{written},))").contents[0]
        assert value.sentence == sentence, written
        defaults = MAKERS[value.name]()
        assert defaults.sentence == sentence
