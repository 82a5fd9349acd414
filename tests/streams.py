"""Streams as the providers send them: text in pieces -> one `bytes` for each event on the wire.

The shapes are those of the public APIs: field order, spaces, line ends and raw UTF-8 included. All
of them count one token for each piece.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

PIECES = ("The ", "Caf", "é", " is", " open", " 👩‍👩‍👧‍👦", "!")
"""Text whose characters have one to four bytes, and one that is made of seven code points."""

PROMPT_TOKENS = 11


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _data(value: object) -> bytes:
    return f"data: {_compact(value)}\n\n".encode()


def _named(value: dict[str, Any]) -> bytes:
    return f"event: {value['type']}\ndata: {_compact(value)}\n\n".encode()


def openai_chat(
    pieces: Sequence[str] = PIECES, *, usage: bool = True, obfuscation: bool = True
) -> list[bytes]:
    """A chat completion of api.openai.com: the role first, usage last where it was asked for."""

    def event(
        number: int, choices: list[dict[str, Any]], used: dict[str, Any] | None = None
    ) -> bytes:
        value: dict[str, Any] = {
            "id": "chatcmpl-DtestA1b2C3d4",
            "object": "chat.completion.chunk",
            "created": 1770000000,
            "model": "gpt-4o-mini-2024-07-18",
            "service_tier": "default",
            "system_fingerprint": "fp_0123456789",
            "choices": choices,
        }
        if usage:
            value["usage"] = used
        if obfuscation:
            value["obfuscation"] = "pQ7x" * (number % 4) + "z"
        return _data(value)

    def choice(delta: dict[str, Any], finish_reason: str | None = None) -> list[dict[str, Any]]:
        return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}]

    deltas = [{"role": "assistant", "content": "", "refusal": None}]
    deltas += [{"content": piece} for piece in pieces]
    events = [event(number, choice(delta)) for number, delta in enumerate(deltas)]
    events.append(event(len(events), choice({}, "stop")))
    if usage:
        used = {
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": len(pieces),
            "total_tokens": PROMPT_TOKENS + len(pieces),
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }
        events.append(event(len(events), [], used))
    return [*events, b"data: [DONE]\n\n"]


def openai_responses(pieces: Sequence[str] = PIECES) -> list[bytes]:
    """A response of api.openai.com's Responses API."""
    text = "".join(pieces)
    where = {"item_id": "msg_test0123", "output_index": 0, "content_index": 0}

    def part(text: str) -> dict[str, Any]:
        return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}

    def item(status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": "msg_test0123",
            "type": "message",
            "status": status,
            "content": content,
            "role": "assistant",
        }

    def response(status: str, output: list[dict[str, Any]], used: object) -> dict[str, Any]:
        return {
            "id": "resp_test0123",
            "object": "response",
            "created_at": 1770000000,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "max_output_tokens": None,
            "model": "gpt-4o-mini-2024-07-18",
            "output": output,
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "temperature": 1.0,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": used,
            "user": None,
            "metadata": {},
        }

    used = {
        "input_tokens": PROMPT_TOKENS,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": len(pieces),
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": PROMPT_TOKENS + len(pieces),
    }
    done = item("completed", [part(text)])

    def events() -> Iterator[tuple[str, dict[str, Any]]]:
        yield "response.created", {"response": response("in_progress", [], None)}
        yield "response.in_progress", {"response": response("in_progress", [], None)}
        yield (
            "response.output_item.added",
            {"output_index": 0, "item": item("in_progress", [])},
        )
        yield "response.content_part.added", {**where, "part": part("")}
        for piece in pieces:
            yield "response.output_text.delta", {**where, "delta": piece, "logprobs": []}
        yield "response.output_text.done", {**where, "text": text, "logprobs": []}
        yield "response.content_part.done", {**where, "part": part(text)}
        yield "response.output_item.done", {"output_index": 0, "item": done}
        yield "response.completed", {"response": response("completed", [done], used)}

    return [
        _named({"type": kind, "sequence_number": number, **rest})
        for number, (kind, rest) in enumerate(events())
    ]


def anthropic_messages(pieces: Sequence[str] = PIECES) -> list[bytes]:
    """A message of api.anthropic.com, with the ping that comes after the block's start."""
    message: dict[str, Any] = {
        "model": "claude-sonnet-4-5-20250929",
        "id": "msg_01TestA1b2C3d4",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": PROMPT_TOKENS, "output_tokens": 1},
    }
    deltas = [
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": piece},
        }
        for piece in pieces
    ]
    return [
        _named({"type": "message_start", "message": message}),
        _named(
            {
                "type": "content_block_start",
                "index": 0,
                "content_block": {"type": "text", "text": ""},
            }
        ),
        b'event: ping\ndata: {"type": "ping"}\n\n',
        *map(_named, deltas),
        _named({"type": "content_block_stop", "index": 0}),
        _named(
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": {"output_tokens": len(pieces)},
            }
        ),
        _named({"type": "message_stop"}),
    ]


def gemini(pieces: Sequence[str] = PIECES) -> list[bytes]:
    """A generateContent stream of Google's, with ``alt=sse``: CRLF, no terminal event."""

    def event(number: int, piece: str) -> bytes:
        candidate: dict[str, Any] = {"content": {"parts": [{"text": piece}], "role": "model"}}
        if number == len(pieces):
            candidate["finishReason"] = "STOP"
        value = {
            "candidates": [{**candidate, "index": 0}],
            "usageMetadata": {
                "promptTokenCount": PROMPT_TOKENS,
                "candidatesTokenCount": number,
                "totalTokenCount": PROMPT_TOKENS + number,
            },
            "modelVersion": "gemini-2.5-flash",
            "responseId": "TestA1b2C3d4",
        }
        return f"data: {json.dumps(value, ensure_ascii=False)}\r\n\r\n".encode()

    return [event(number, piece) for number, piece in enumerate(pieces, 1)]


def ollama(pieces: Sequence[str] = PIECES) -> list[bytes]:
    """An /api/chat stream of Ollama's: NDJSON, the counts in its last line."""

    def line(content: str, **rest: object) -> bytes:
        value = {
            "model": "llama3.2",
            "created_at": "2026-01-15T12:00:00.000000Z",
            "message": {"role": "assistant", "content": content},
            **rest,
        }
        return f"{_compact(value)}\n".encode()

    last = line(
        "",
        done=True,
        done_reason="stop",
        total_duration=1_400_000_000,
        load_duration=20_000_000,
        prompt_eval_count=PROMPT_TOKENS,
        prompt_eval_duration=300_000_000,
        eval_count=len(pieces),
        eval_duration=1_000_000_000,
    )
    return [*(line(piece, done=False) for piece in pieces), last]


STREAMS: dict[str, tuple[Callable[[], list[bytes]], str]] = {
    "openai_chat": (openai_chat, "text/event-stream; charset=utf-8"),
    "openai_responses": (openai_responses, "text/event-stream; charset=utf-8"),
    "anthropic_messages": (anthropic_messages, "text/event-stream; charset=utf-8"),
    "gemini": (gemini, "text/event-stream"),
    "ollama": (ollama, "application/x-ndjson"),
}
"""Each provider's stream and the content type it has."""
