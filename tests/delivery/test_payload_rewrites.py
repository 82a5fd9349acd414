"""Rewrites of payloads: the same JSON written otherwise, the same text in other deltas.

The oracles are `json.loads`, the pieces of text as a slice makes them, and the official SDKs.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamtape
from streamtape import Event, Tape, encode
from streamtape.delivery import Content, Delivery, Rewrite, contents, rewrites
from streamtape.delivery.retelling import frames_of
from streamtape.delivery.rewrites.data import events_of, with_data, with_each
from streamtape.providers import is_terminal, output_tokens, payload, stream_text, token_text
from streamtape.wire.eventstream import build_message, read_messages
from streamtape.wire.sse import BOM
from tests import streams
from tests.wire.test_corpus_events import MANIFEST, recorded
from tests.wire.test_corpus_events import streams as corpus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TAPES = {
    name: Tape.of(b"".join(make()), content_type=kind, gap_ms=1)
    for name, (make, kind) in streams.STREAMS.items()
}
PAYLOAD = (
    rewrites.json_escapes(),
    rewrites.json_raw(),
    rewrites.split_data(),
    rewrites.split_data(lines=7),
)
each_tape = pytest.mark.parametrize("name", TAPES)


def events(tape: Tape) -> list[Event]:
    return [event for _, event in tape.events()]


def sse(*data: str) -> Tape:
    return Tape.of(encode([Event(data=each) for each in data]))


def meant(event: Event) -> object:
    """What an event says: its data as JSON, where it is that."""
    try:
        return event.type, event.last_event_id, json.loads(event.data)
    except ValueError:
        return event


def message(event_type: str, payload: bytes) -> bytes:
    """A message of AWS's event stream with one header."""
    name = b":event-type"
    value = event_type.encode()
    header = bytes([len(name)]) + name + b"\x07" + len(value).to_bytes(2, "big") + value
    return build_message(header, payload)


class TestJson:
    """The same JSON in every event, written otherwise."""

    @each_tape
    @pytest.mark.parametrize("rewrite", PAYLOAD, ids=repr)
    def test_means_the_same(self, name: str, rewrite: Rewrite) -> None:
        told = rewrite.apply(TAPES[name])
        assert rewrite.level == "payload"
        assert [meant(event) for event in events(told)] == [
            meant(event) for event in events(TAPES[name])
        ]
        assert [at for at, _ in told.events()] == [at for at, _ in TAPES[name].events()]

    @pytest.mark.parametrize(
        ("rewrite", "before", "after"),
        [
            (rewrites.json_escapes(), '{"é": "a👩\u2028"}', r'{"\u00e9": "a\ud83d\udc69\u2028"}'),
            (rewrites.json_escapes(), '["plain"]', '["plain"]'),
            (rewrites.json_escapes(), "é", "é"),
            (rewrites.json_escapes(), '"é"', '"é"'),
            (rewrites.json_escapes(), '{"é"', '{"é"'),
            (rewrites.json_raw(), r'{"\u00e9": "\uD83D\udc69"}', '{"é": "👩"}'),
            (rewrites.json_raw(), r'["\u2028\u0085\u007F"]', '["\u2028\x85\x7f"]'),
            (rewrites.json_raw(), r'["\u0000\u001f\n\u0022\u005c\"\\"]', None),
            (rewrites.json_raw(), r'["\\u00e9", "\\\u00e9"]', r'["\\u00e9", "\\é"]'),
            (rewrites.json_raw(), r'["\ud83d", "\udc69"]', None),
            (rewrites.json_raw(), r'["\ud800", "\udfff"]', None),
            (rewrites.json_raw(), r'["\u0020\u0058\u0021\ue000"]', '[" X!\ue000"]'),
            (rewrites.json_raw(), r'["\ud83d\u0041"]', r'["\ud83dA"]'),
            (rewrites.json_raw(), r'["<\/p>"]', '["</p>"]'),
            (rewrites.json_raw(), r'"\u00e9"', None),
            (rewrites.split_data(), '{"a":1,"b":2}', '{"a":1,\n"b":2}'),
            (rewrites.split_data(lines=3), '{"a":[1,2]}', '{"a":\n[1,\n2]}'),
            (rewrites.split_data(), '{"a,b:[{": "\\",:"}', '{"a,b:[{":\n "\\",:"}'),
            (rewrites.split_data(), "{}", "{\n}"),
            (rewrites.split_data(lines=99), "[1,2]", "[\n1,\n2]"),
            (rewrites.split_data(lines=1), "[1,2]", None),
            (rewrites.split_data(), "[DONE]", None),
            (rewrites.split_data(), '"a, b"', None),
            (rewrites.split_data(), "a, b", None),
            (rewrites.split_data(), "12", None),
        ],
    )  # fmt: skip
    def test_what_is_written(self, rewrite: Rewrite, before: str, after: str | None) -> None:
        [told] = events(rewrite.apply(sse(before)))
        assert told.data == (before if after is None else after)

    @settings(max_examples=60)
    @given(
        st.recursive(
            st.none() | st.floats(allow_nan=False) | st.text() | st.text('",:[]{}\\ \u2028é\ud83d'),
            lambda inner: st.lists(inner) | st.dictionaries(st.text('a":,\\é'), inner),
        ).map(lambda inner: {"payload": inner}),
        st.booleans(),
        st.sampled_from([None, 1]),
        st.integers(1, 9),
    )
    def test_any_json_means_the_same(
        self, payload: object, ascii_only: object, indent: int | None, lines: int
    ) -> None:
        data = json.dumps(payload, ensure_ascii=bool(ascii_only), indent=indent)
        if re.search("[\ud800-\udfff]", data):
            data = json.dumps(payload)
        tape = sse(data)
        raw = rewrites.json_raw().apply(tape)
        escaped = rewrites.json_escapes().apply(raw)
        split = rewrites.split_data(lines=lines).apply(escaped)
        for told in (raw, escaped, split):
            [event] = events(told)
            assert json.loads(event.data) == payload
        assert escaped.body.isascii()
        assert rewrites.json_raw().apply(escaped) == raw
        added = split.body.count(b"data:") - escaped.body.count(b"data:")
        assert 0 <= added < lines
        assert added == lines - 1 or added <= len(data)

    def test_a_frame_keeps_what_is_no_data(self) -> None:
        body = (
            b'\xef\xbb\xbf\r\n: before\r\nid: 7\rdata:{\nx: y\ndata:"a":\r\n'
            b'event:e\r: in\ndata: 1}\r\r\nretry: 5\n\n: alone\n\ndata: ["\xff"]\n\nid: 8'
        )
        told = rewrites.split_data().apply(Tape.of(body))
        assert told.body != body
        assert told.body.endswith(b'data: [\ndata: "\xef\xbf\xbd"]\n\nid: 8')

        def others(body: bytes) -> list[bytes]:
            return [line for line in body.splitlines() if not line.startswith(b"data")]

        assert others(told.body) == others(body)
        assert [meant(event) for event in events(told)] == [
            meant(event) for event in events(Tape.of(body))
        ]

    def test_a_value_that_begins_with_a_space_keeps_it(self) -> None:
        told = rewrites.split_data().apply(Tape.of(b'data:{"a": 1}\n\n'))
        assert told.body == b'data:{"a":\ndata:  1}\n\n'

    def test_ndjson_is_not_split_over_lines_but_escaped(self) -> None:
        tape = TAPES["ollama"]
        assert rewrites.split_data().apply(tape) is tape
        told = rewrites.json_escapes().apply(tape)
        assert told.body.isascii()
        assert [json.loads(line) for line in told.body.splitlines()] == [
            json.loads(line) for line in tape.body.splitlines()
        ]

    def test_lengths_and_checksums_of_messages_are_made_anew(self) -> None:
        body = message("chunk", '{"text":"é"}'.encode()) + message("chunk", b"{}") + b"cut off"
        tape = Tape.of(body, content_type="application/vnd.amazon.eventstream")
        told = rewrites.json_escapes().apply(tape)
        messages, rest = read_messages(told.body)
        assert [each.payload for each in messages] == [b'{"text":"\\u00e9"}', b"{}"]
        assert rest == b"cut off"
        assert [event.type for event in events(told)] == ["chunk", "chunk"]
        assert rewrites.split_data().apply(tape) is tape

    @pytest.mark.parametrize("rewrite", [*PAYLOAD, rewrites.text_cuts()], ids=repr)
    @pytest.mark.parametrize(
        "tape",
        [
            sse("plain", "[DONE]"),
            Tape.of(b""),
            Tape.of(b": ping\n\nid: 1\n\ndata: unfinished"),
            Tape.of('[{"é": 1},\n{"b": 2}]'.encode(), content_type="application/json"),
        ],
        ids=["plain text", "nothing", "no events", "JSON"],
    )
    def test_a_tape_that_it_does_not_concern_stays(self, rewrite: Rewrite, tape: Tape) -> None:
        assert rewrite.apply(tape) is tape


class TestData:
    """Other data in the frames of a tape."""

    END = b": ping\n\nid: 9\ndata:3\r\n\r\n"
    REST = b"data\n\n" + END
    BODY = BOM + b"\n: a\nevent: x\rdata: 1\rdata: 2\n\n" + REST

    @pytest.mark.parametrize(
        ("data", "after"),
        [
            ([["1\n2"], [""], None, None],
             [BOM, b"\n: a\nevent: x\rdata: 1\rdata: 2\n\n", REST]),
            ([["7"], ["8"], ["9"], None],  # a CR and a LF would be one line end
             [BOM, b"\n: a\nevent: x\rdata: 7\r\r\n", b"data: 8\n\n", END]),
            ([["7\n\n8"], [], None, [" 9\n"]],
             [BOM, b"\n: a\nevent: x\rdata: 7\rdata: \ndata: 8\n\n",
              b": ping\n\nid: 9\ndata:  9\r\ndata:\r\n\r\n"]),
            ([["7", "8\n9"], None, None, ["4", "5"]],
             [BOM, b"\nevent: x\rdata: 7\r\r\n", b": a\nevent: x\rdata: 8\rdata: 9\n\n",
              b"data\n\n: ping\n\n", b"data:4\r\n\r\n", b"id: 9\ndata:5\r\n\r\n"]),
            ([[], [], [], []], [BOM, b"\n: ping\n\n"]),
        ],
    )  # fmt: skip
    def test_in_an_event_stream(
        self, data: Sequence[Sequence[str] | None], after: list[bytes]
    ) -> None:
        told = with_data(Tape.of(self.BODY), data)
        assert told.body == b"".join(after)
        assert [event.data for event in events(told)] == [
            text
            for new, old in zip(data, events_of(Tape.of(self.BODY)), strict=True)
            if old is not None
            for text in ([old.data] if new is None else new)
        ]

    @pytest.mark.parametrize(
        ("body", "data", "after"),
        [
            (b'\xef\xbb\xbf\n {"a":1}\r\n\n{"b":2}', [["1"], ["2"]], b"\xef\xbb\xbf\n1\r\n\n2"),
            (b'\xef\xbb\xbf{"a":1}\n{"b":2}\n', [["1", "2"], []], b"\xef\xbb\xbf1\n2\n"),
            (b'{"a":1}\n{"b":2}', [[], ["3", "4"]], b"3\n4"),
            (b'{"a":1}\r\n{"b":2}\r\n', [None, ["é", "4"]], '{"a":1}\r\né\r\n4\r\n'.encode()),
        ],
    )
    def test_in_ndjson(
        self, body: bytes, data: Sequence[Sequence[str] | None], after: bytes
    ) -> None:
        tape = Tape.of(body, content_type="application/x-ndjson")
        assert with_data(tape, data).body == after

    def test_in_messages(self) -> None:
        tape = Tape.of(message("a", b"1") + message("b", b"2") + message("c", b"3"))
        told = with_data(tape, [["4", "é"], [], None])
        assert told.body == message("a", b"4") + message("a", "é".encode()) + message("c", b"3")
        assert [len(frame) for frame in frames_of(told)] == [33, 34, 33]

    @pytest.mark.parametrize(
        ("tape", "data", "reason"),
        [
            (sse("a"), "b\rc", "can't carry a CR"),
            (Tape.of(b"{}\n", content_type="application/jsonl"), "b\nc", "can't carry a newline"),
            (sse("a"), "\ud800", "surrogates not allowed"),
        ],
    )  # fmt: skip
    def test_what_a_framing_cannot_carry_is_refused(
        self, tape: Tape, data: str, reason: str
    ) -> None:
        with pytest.raises(ValueError, match=reason):
            with_each(tape, lambda _: data)


def delta(text: str, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": {"content": text}, "finish_reason": None}]} | more


def block(text: str, index: int) -> dict[str, Any]:
    return {
        "type": "content_block_delta",
        "index": index,
        "delta": {"type": "text_delta", "text": text},
    }


def texts(tape: Tape) -> list[str]:
    """The token texts, empty ones left out."""
    return [text for event in events(tape) if (text := token_text(event))]


def without_number(event: Event) -> object:
    payload = json.loads(event.data) if event.data.startswith("{") else event.data
    if isinstance(payload, dict):
        payload.pop("sequence_number", None)
    return event.type, payload


def by_sdk(name: str, tape: Tape) -> str:
    """The text that an official SDK collects from *tape*."""
    ask: Any = [{"role": "user", "content": "?"}]
    with streamtape.play(tape):
        if name == "anthropic_messages":
            claude = anthropic.Anthropic(api_key="k", base_url="http://test")
            with claude.messages.stream(model="m", max_tokens=9, messages=ask) as answer:
                return answer.get_final_text()
        client = openai.OpenAI(api_key="k", base_url="http://test/v1")
        if name == "openai_responses":
            with client.responses.stream(model="m", input="?") as events:
                deltas = [e.delta for e in events if e.type == "response.output_text.delta"]
                text = "".join(deltas)
                assert events.get_final_response().output_text == text
            return text
        with client.chat.completions.stream(model="m", messages=ask) as chat:
            choice = chat.until_done().get_final_completion().choices[0]
            assert (choice.message.role, choice.finish_reason) == ("assistant", "stop")
            return choice.message.content or ""


CUTS = st.integers(1, 9) | st.lists(st.integers(0, 40), max_size=6).map(tuple)
PIECES = st.lists(st.text('ab é👩\u0301\u2028"\\', min_size=1, max_size=7), max_size=8)


def pieces(text: str, at: int | tuple[int, ...]) -> list[str]:
    """The oracle: *text* cut at *at*, by slices."""
    if isinstance(at, int):
        return [text[start : start + at] for start in range(0, len(text), at)]
    edges = [0, *sorted(set(at)), len(text)]
    return [piece for n, start in enumerate(edges[:-1]) if (piece := text[start : edges[n + 1]])]


class TestLongText:
    """The work is that of reading it a few times, and of a bounded number of deltas."""

    MOST = 1024
    LARGE = contents.large_event(200_000)

    @staticmethod
    def json_read(monkeypatch: pytest.MonkeyPatch, change: Rewrite | Content, tape: Tape) -> int:
        """How many characters of JSON are read for *change*."""
        read = 0
        parse = payload.parsed

        def counted(data: str) -> object:
            nonlocal read
            read += len(data)
            return parse(data)

        with monkeypatch.context() as patched:
            patched.setattr(payload, "parsed", counted)
            change.apply(tape)
        return read

    @each_tape
    @pytest.mark.parametrize("at", [1, 3])
    def test_a_length_makes_a_bounded_number_of_deltas(self, name: str, at: int) -> None:
        make, kind = streams.STREAMS[name]
        tape = self.LARGE.apply(Tape.of(b"".join(make()), content_type=kind))
        before, after = texts(tape), texts(rewrites.text_cuts(at=at).apply(tape))
        assert "".join(after) == "".join(before)
        assert len(after) <= self.MOST + len(before)
        first = [each for each in after if len(each) == at]
        assert len(first) >= self.MOST
        assert after[: self.MOST] == first[: self.MOST]

    def test_what_comes_after_them_keeps_its_deltas(self) -> None:
        words = [f"{n:04} " for n in range(1000)]
        tape = sse(*(json.dumps(delta(word)) for word in words))
        after = texts(rewrites.text_cuts(at=2).apply(tape))
        assert [*map(len, after[: self.MOST])] == [2] * self.MOST
        struck = 2 * self.MOST // 5
        assert after[self.MOST] == "".join(words)[2 * self.MOST : 5 * (struck + 1)]
        assert after[self.MOST + 1 :] == words[struck + 1 :]

    def test_offsets_cut_where_they_say(self) -> None:
        tape = sse(json.dumps(delta("ab" * 2000)))
        assert len(texts(rewrites.text_cuts(at=tuple(range(4000))).apply(tape))) == 4000

    def test_a_long_event_is_not_read_again_for_each_of_its_pieces(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tape = self.LARGE.apply(TAPES["openai_chat"])
        read = self.json_read(monkeypatch, rewrites.text_cuts(), tape)
        assert len(tape.body) < read < 20 * len(tape.body)

    def test_everything_together_is_small_again(self) -> None:
        tape = Tape.of(
            b'{"model":"m","message":{"content":"He"},"done":false}\n{"model":"m","done":true}\n',
            content_type="application/x-ndjson",
        )
        told = tape.deliver(
            Delivery(
                cuts="bytes",
                rewrites=(rewrites.json_escapes(), rewrites.text_cuts()),
                contents=(contents.large_event(),),
            )
        )
        assert len(told.events()) <= self.MOST + 3
        assert len(told.chunks) < 4 * 65_536

    def test_data_goes_over_as_many_lines_as_are_asked(self) -> None:
        tape = sse(json.dumps({"list": [*range(500)]}))
        told = rewrites.split_data(lines=100).apply(tape)
        [lines] = [event.data.split("\n") for event in events(told)]
        assert len(lines) == 100
        assert max(map(len, lines)) < 3 * min(map(len, lines))


class TestTextCuts:
    """The same text in other deltas."""

    @each_tape
    @settings(max_examples=25)
    @given(PIECES, CUTS)
    def test_the_deltas_are_the_pieces_and_all_else_stays(
        self, name: str, before: list[str], at: int | tuple[int, ...]
    ) -> None:
        make, kind = streams.STREAMS[name]
        tape = Tape.of(b"".join(make(before)), content_type=kind, gap_ms=1)  # type: ignore[call-arg]
        told = rewrites.text_cuts(at=at).apply(tape)
        assert texts(told) == pieces("".join(before), at)
        assert stream_text(events(told)) == "".join(before)
        assert output_tokens(events(told)) == output_tokens(events(tape))
        others = [without_number(event) for event in events(tape) if not token_text(event)]
        after = [without_number(event) for event in events(told) if not token_text(event)]
        assert after == others or name == "gemini"  # whose last delta may be left without a text
        assert [is_terminal(event) for event in events(told)][-1:] == [
            is_terminal(event) for event in events(tape)
        ][-1:]
        assert sum(map(is_terminal, events(told))) == sum(map(is_terminal, events(tape)))

    @each_tape
    def test_offsets_at_the_ends_cut_nothing(self, name: str) -> None:
        length = len("".join(streams.PIECES))
        for at in ((0, 3, length), (3, 3, length + 1, 999)):
            told = rewrites.text_cuts(at=at).apply(TAPES[name])
            assert told == rewrites.text_cuts(at=(3,)).apply(TAPES[name])

    @each_tape
    @pytest.mark.parametrize("at", [1, 3, 7, (), (2, 5, 6), 999])
    def test_no_text_comes_early(self, name: str, at: int | tuple[int, ...]) -> None:
        told = rewrites.text_cuts(at=at).apply(TAPES[name])
        arrived = [when for when, event in TAPES[name].events() for _ in token_text(event)]
        delivered = [when for when, event in told.events() for _ in token_text(event)]
        assert len(arrived) == len(delivered)
        assert all(later >= when for when, later in zip(arrived, delivered, strict=True))
        assert told.ending == TAPES[name].ending

    @pytest.mark.parametrize("name", ["openai_chat", "openai_responses", "anthropic_messages"])
    @pytest.mark.parametrize("at", [1, 3, (), (2, 5, 6)])
    def test_the_sdks_collect_the_same_text(self, name: str, at: int | tuple[int, ...]) -> None:
        told = rewrites.text_cuts(at=at).apply(TAPES[name])
        assert told != TAPES[name]
        assert by_sdk(name, told) == by_sdk(name, TAPES[name]) == "".join(streams.PIECES)

    def test_choices_are_cut_apart(self) -> None:
        said = [("He", 0), ("Wo", 1), ("ll", 0), ("rl", 1), ("o", 0), ("d", 1)]
        tape = sse(*(json.dumps(delta(text, index)) for text, index in said), "[DONE]")
        told = events(rewrites.text_cuts(at=3).apply(tape))
        assert told.pop().data == "[DONE]"
        deltas = [json.loads(event.data)["choices"][0] for event in told]
        assert [(each["delta"]["content"], each["index"]) for each in deltas] == [
            ("Hel", 0), ("Wor", 1), ("lo", 0), ("ld", 1)
        ]  # fmt: skip

    def test_content_blocks_are_cut_apart_and_stay_in_their_block(self) -> None:
        empty = {"type": "text", "text": ""}
        payloads = [
            {"type": "content_block_start", "index": 0, "content_block": empty},
            block("One", 0),
            {"type": "content_block_stop", "index": 0},
            {"type": "content_block_start", "index": 1, "content_block": empty},
            block("T", 1),
            block("wo", 1),
            {"type": "content_block_stop", "index": 1},
        ]  # fmt: skip
        tape = sse(*map(json.dumps, payloads))
        told = [json.loads(e.data) for e in events(rewrites.text_cuts(at=2).apply(tape))]
        assert told == [
            payloads[0], block("On", 0), block("e", 0), payloads[2],
            payloads[3], block("Tw", 1), block("o", 1), payloads[6],
        ]  # fmt: skip

    def test_a_role_comes_first_and_what_ends_the_text_last(self) -> None:
        first = {"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}
        last = {"index": 0, "delta": {"content": "!?"}, "finish_reason": "stop"}
        usage = {"completion_tokens": 2}
        tape = sse(
            json.dumps({"choices": [first]}), json.dumps({"choices": [last], "usage": usage})
        )
        told = [json.loads(e.data) for e in events(rewrites.text_cuts().apply(tape))]
        choices = [each["choices"][0] for each in told]
        assert [each["delta"].get("role") for each in choices] == ["assistant", None, None, None]
        assert [each["finish_reason"] for each in choices] == [None, None, None, "stop"]
        assert [each.get("usage") for each in told] == [None, None, None, usage]

    def test_events_stay_counted(self) -> None:
        tape = TAPES["openai_responses"]
        for at in (1, (), 4):
            told = events(rewrites.text_cuts(at=at).apply(tape))
            numbers = [json.loads(event.data)["sequence_number"] for event in told]
            assert numbers == list(range(len(told)))

    def test_a_delta_that_says_something_else_stays_without_text(self) -> None:
        body = b"id: 1\ndata: %b\n\n: ping\ndata: %b\n\ndata: %b\n\ndata: %b\n\n" % tuple(
            json.dumps(delta(text)).encode() for text in "abcd"
        )
        told = rewrites.text_cuts(at=()).apply(Tape.of(body))
        assert [(token_text(e), e.last_event_id) for e in events(told)] == [
            ("", "1"), ("", "1"), ("abcd", "1")
        ]  # fmt: skip
        assert b": ping\n" in told.body

    @pytest.mark.parametrize(
        "payloads",
        [
            [{"choices": [*delta("a")["choices"], *delta("bc", 1)["choices"]]}, delta("def")],
            [{"text": "abc"}, {"text": "de"}],
            [{"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "abc"}]}}],
            [delta("\ud83d"), delta("\ude00"), delta("!")],
        ],
        ids=["choices in one event", "nobody's", "JSON-RPC", "halves of a pair"],
    )
    def test_a_stream_that_cannot_be_cut_stays(self, payloads: list[dict[str, Any]]) -> None:
        tape = sse(*map(json.dumps, payloads))
        assert rewrites.text_cuts(at=2).apply(tape) is tape

    def test_text_beside_a_tool_call_is_one_piece(self) -> None:
        odd = delta("cd")
        odd["choices"][0]["delta"]["tool_calls"] = [{"index": 0, "function": {"name": "f"}}]
        tape = sse(*map(json.dumps, [delta("ab"), odd, delta("ef")]))
        told = rewrites.text_cuts().apply(tape)
        assert texts(told) == ["a", "b", "cd", "e", "f"]
        assert told.body.count(b"tool_calls") == 1

    def test_pieces_stand_in_the_place_of_their_last_character(self) -> None:
        tape = sse(*map(json.dumps, [delta("ab"), {"note": 1}, delta("cd"), {"note": 2}]))
        told = rewrites.text_cuts(at=(3,)).apply(tape)
        assert [token_text(event) or event.data for event in events(told)] == [
            '{"note": 1}', "abc", "d", '{"note": 2}'
        ]  # fmt: skip


@pytest.mark.skipif(not MANIFEST.exists(), reason="no corpus of recorded streams")
@pytest.mark.parametrize(("path", "stream"), corpus())
def test_recorded_streams_mean_the_same(path: Path, stream: dict[str, Any]) -> None:
    body, content_type = recorded(path, stream["idx"])
    tape = Tape.of(body, content_type=content_type or "")
    for rewrite in PAYLOAD:
        told = rewrite.apply(tape)
        assert [meant(e) for e in events(told)] == [meant(e) for e in events(tape)], rewrite
    for at in (1, 5, ()):
        told = rewrites.text_cuts(at=at).apply(tape)
        assert stream_text(events(told)) == stream_text(events(tape)), at
        assert output_tokens(events(told)) == output_tokens(events(tape)), at
        others = [without_number(event) for event in events(tape) if not token_text(event)]
        after = iter([without_number(event) for event in events(told)])
        assert all(event in after for event in others), at  # in this order
