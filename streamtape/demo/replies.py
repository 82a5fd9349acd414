"""What the demo server says: events of each API, in writes with a rhythm.

The shapes are those of OpenAI's chat completions and Anthropic's messages, as their own SDKs read
them. Everything is made from the request and a seed, so the same request gets the same answer.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from typing import Any

_TEXTS = (
    (
        "A café opens at six. The naïve tourist is there at five, and a family 👩‍👩‍👧‍👦 has already"
        " taken the last table outside. The waiter shrugs: “Patience, s'il vous plaît. Good things"
        " come in small pieces.” ☕️"
    ),
    (
        "Streams hurt where they are cut: inside an é, between two line ends, in the middle of a"
        " 🏳️‍🌈. Who decodes first and joins later finds out on a Friday."
    ),
    (
        "Three things come late in Zürich: spring, tram 14 … and I. 🧑🏽‍🚀 Please don't tell them"
        " at the Café Odéon."
    ),
)


@dataclass(frozen=True, slots=True)
class Write:
    """*data*, sent in one piece, so many seconds after the write before."""

    after: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Stream:
    """The head comes *head_after* seconds after the request, the first write after the head."""

    head_after: float
    writes: list[Write]


class BadRequestError(Exception):
    """The request is not one that the API would take. The message is for the answer."""


@dataclass(frozen=True)
class Reply:
    """One answer of the model: the same text for each API, streamed or whole."""

    model: str
    pieces: list[str]
    prompt_tokens: int
    cut_short: bool
    rhythm: random.Random

    @classmethod
    def to(cls, request: dict[str, Any], limit: str, seed: int) -> Reply:
        """Answer *request*, which has the greatest number of tokens in the field *limit*.

        Raises BadRequestError for a request without messages, or with a limit that is no number.
        """
        messages = request.get("messages")
        if not isinstance(messages, list) or not messages:
            raise BadRequestError("'messages' must be a list with at least one message")
        pieces = re.findall(r"\s*\S{1,5}", _TEXTS[(len(messages) - 1) // 2 % len(_TEXTS)])
        most = request.get(limit) or len(pieces)
        if not isinstance(most, int) or most < 1:
            raise BadRequestError(f"'{limit}' must be a whole number above 0, not {most!r}")
        return cls(
            model=str(request.get("model") or "demo"),
            pieces=pieces[:most],
            prompt_tokens=len(_compact(messages)) // 4,
            cut_short=most < len(pieces),
            rhythm=random.Random(seed),  # noqa: S311  # a rhythm, not a secret
        )

    def openai(self) -> dict[str, Any]:
        """A whole chat completion."""
        message = {"role": "assistant", "content": "".join(self.pieces), "refusal": None}
        return {
            **self._openai_base("chat.completion"),
            "choices": [_choice({"message": message}, self._finish_reason)],
            "usage": self._openai_usage,
        }

    def openai_stream(self, *, usage: bool) -> Stream:
        """The chunks of a chat completion; the last one before the end has *usage* if asked for."""

        def event(choices: list[dict[str, Any]], used: dict[str, int] | None = None) -> bytes:
            value = {**self._openai_base("chat.completion.chunk"), "choices": choices}
            if usage:
                value["usage"] = used
            return f"data: {_compact(value)}\n\n".encode()

        def delta(value: dict[str, Any], finish_reason: str | None = None) -> bytes:
            return event([_choice({"delta": value}, finish_reason)])

        first = delta({"role": "assistant", "content": "", "refusal": None})
        last = event([], self._openai_usage) if usage else b""
        return self._stream(
            [first],
            [delta({"content": piece}) for piece in self.pieces],
            [delta({}, self._finish_reason), last + b"data: [DONE]\n\n"],
        )

    def anthropic(self) -> dict[str, Any]:
        """A whole message."""
        return {
            **self._anthropic_message,
            "content": [{"type": "text", "text": "".join(self.pieces)}],
            "stop_reason": self._stop_reason,
            "usage": {"input_tokens": self.prompt_tokens, "output_tokens": len(self.pieces)},
        }

    def anthropic_stream(self) -> Stream:
        """The events of a message, with a ping after the block's start."""

        def event(kind: str, **fields: object) -> bytes:
            return f"event: {kind}\ndata: {_compact({'type': kind, **fields})}\n\n".encode()

        def delta(text: str) -> bytes:
            return event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})

        block = {"type": "text", "text": ""}
        stop = {"stop_reason": self._stop_reason, "stop_sequence": None}
        return self._stream(
            [
                event("message_start", message=self._anthropic_message),
                event("content_block_start", index=0, content_block=block) + event("ping"),
            ],
            [delta(piece) for piece in self.pieces],
            [
                event("content_block_stop", index=0),
                event("message_delta", delta=stop, usage={"output_tokens": len(self.pieces)})
                + event("message_stop"),
            ],
        )

    def _openai_base(self, kind: str) -> dict[str, Any]:
        return {
            "id": "chatcmpl-demo",
            "object": kind,
            "created": 1767225600,
            "model": self.model,
            "system_fingerprint": "fp_demo",
        }

    @property
    def _finish_reason(self) -> str:
        return "length" if self.cut_short else "stop"

    @property
    def _stop_reason(self) -> str:
        return "max_tokens" if self.cut_short else "end_turn"

    @property
    def _openai_usage(self) -> dict[str, int]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": len(self.pieces),
            "total_tokens": self.prompt_tokens + len(self.pieces),
        }

    @property
    def _anthropic_message(self) -> dict[str, Any]:
        return {
            "id": "msg_demo",
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": self.prompt_tokens, "output_tokens": 1},
        }

    def _stream(self, first: list[bytes], tokens: list[bytes], last: list[bytes]) -> Stream:
        """The first token after about 350 ms, the others 20 to 60 ms apart.

        In the middle there is a pause, as where a model calls a tool. The first characters of more
        than one byte are cut in two, and every ninth event comes together with the one before.
        """
        gaps = [0.05, *(self.rhythm.uniform(0.02, 0.06) for _ in tokens[1:])]
        gaps[len(gaps) // 2] += 0.6
        writes = [Write(0.0005, event) for event in first]
        cuts = 3
        for number, (gap, event) in enumerate(zip(gaps, tokens, strict=True), 1):
            if cuts and not event.isascii():
                cuts -= 1
                inside = next(at for at, byte in enumerate(event) if byte > 0x7F) + 1
                writes += [Write(gap, event[:inside]), Write(0.004, event[inside:])]
            elif number % 9 == 0:
                writes[-1] = Write(writes[-1].after, writes[-1].data + event)
            else:
                writes.append(Write(gap, event))
        return Stream(0.3, writes + [Write(0.002, event) for event in last])


def event_stream(last_event_id: str) -> Stream:
    """A plain event stream after the event *last_event_id*, with CRLF, also cut in two."""
    last = int(last_event_id) if last_event_id.isdecimal() else 0
    writes = [Write(0.0, b": streamtape's demo\r\nretry: 2000\r\n\r\n")]
    for number, (kind, lines) in enumerate(_EVENTS, 1):
        if number > last:
            fields = [f"id: {number}", f"event: {kind}", *(f"data: {line}" for line in lines)]
            block = "\r\n".join(fields).encode() + b"\r\n\r\n"
            at = len(block) - (1, 2, 3)[number % 3]
            writes += [Write(0.04 * number % 0.15, block[:at]), Write(0.003, block[at:])]
    return Stream(0.02, writes)


_EVENTS = (
    ("departure", ["Zürich HB", "platform 7"]),
    ("position", ["47.3769, 8.5417"]),
    ("position", ["47.2030, 8.5250"]),
    ("notice", ["Déjeuner au wagon-restaurant 🍽️", "", "until Göschenen"]),
    ("position", ["46.6680, 8.5886"]),
    ("position", ["46.1936, 9.0244"]),
    ("arrival", ["Lugano", "platform 2"]),
)


def _choice(content: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, **content, "logprobs": None, "finish_reason": finish_reason}


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
