"""The streams that are measured: events as a chat model sends them, each of exactly 200 bytes."""

from __future__ import annotations

EVENT_BYTES = 200
DONE = b"data: [DONE]\n\n"
URL = "http://streams.test/v1/chat/completions"

TEXT = {
    "ASCII": "It is open from nine to five, and on Sunday, too. ",
    "é": "Le café est ouvert, même l'été, et la nuit. ",
    "emoji": "It is open 🙂 from nine to five, and 👩‍👩‍👧‍👦 on Sunday. ",
}
"""What the model says, again and again: characters of one byte, of up to two, of up to four."""


def event(number: int, text: str = "ASCII") -> bytes:
    """One event of `EVENT_BYTES` bytes: a chunk of an OpenAI chat completion."""
    start = (
        f'data: {{"id":"chatcmpl-1","object":"chat.completion.chunk","created":{number},'
        '"model":"m","choices":[{"index":0,"delta":{"content":"'
    ).encode()
    end = b'"},"finish_reason":null}]}\n\n'
    room = EVENT_BYTES - len(start) - len(end)
    # As many whole characters as there is room for, which differ from event to event.
    said = (TEXT[text] * 4)[number % 40 :].encode()[:room].decode(errors="ignore").encode()
    return start + said + b"." * (room - len(said)) + end


def events(count: int, text: str = "ASCII") -> list[bytes]:
    """*count* events."""
    return [event(number, text) for number in range(count)]
