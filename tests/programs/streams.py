"""Streams small enough to be fuzzed in a second or two, each with what hurts readers."""

from __future__ import annotations

from streamtape import Request, Tape

ASKED = Request("GET", "https://api.test/stream")

NAMED = """\
event: start
id: 1
data: {"role":"assistant"}

event: delta
data: {"text":"Café"}

event: stop
data: {}

""".encode()
"""Events of several lines, with a character of two bytes."""


def named(*, line_end: bytes = b"\n", request: Request | None = ASKED) -> Tape:
    """A tape of `NAMED`, an event in each chunk."""
    return Tape.of(NAMED.replace(b"\n", line_end), request=request)


TEXTS = ("one ", "two ", "three")
CHAT = b"".join(
    f'data: {{"choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}\n\n'.encode()
    for text in TEXTS
)
"""A chat completion of OpenAI's that says `TEXTS`, without its end."""


def chat() -> Tape:
    """A tape of `CHAT` with its end, which a program may miss."""
    return Tape.of(CHAT + b"data: [DONE]\n\n", request=ASKED)
