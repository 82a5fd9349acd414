"""Record the example cassettes anew, from the bundled demo server, through the official SDKs.

Run it from the project's root: ``python cassettes/record.py``. The texts stay the same, the times
are those of this machine.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import anthropic
import httpx2
import openai

import streamtape
from streamtape.demo import demo_server

HERE = Path(__file__).parent
PORT = 8899
"""Fixed, since it stands in the recorded URLs."""

QUESTION = "What is streaming?"


def openai_chat(base_url: str) -> str:
    """Stream a chat completion with usage, and give its text."""
    with openai.OpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
        stream = client.chat.completions.create(
            model="demo-1",
            messages=[{"role": "user", "content": QUESTION}],
            stream=True,
            stream_options={"include_usage": True},
        )
        return "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)


async def anthropic_messages(base_url: str) -> str:
    """Stream a message under asyncio, and give its text."""
    async with (
        anthropic.AsyncAnthropic(base_url=base_url, api_key="any", max_retries=0) as client,
        client.messages.stream(
            model="demo-1", max_tokens=1000, messages=[{"role": "user", "content": QUESTION}]
        ) as stream,
    ):
        return "".join([text async for text in stream.text_stream])


def events(url: str) -> bytes:
    """Read a plain event stream with CRLF line ends, some of them cut in two."""
    with httpx2.stream("GET", url) as response:
        return b"".join(response.iter_raw())


def main() -> None:
    """Record them all."""
    with demo_server(port=PORT) as server:
        with streamtape.use_cassette(HERE / "openai-chat.yaml", record_mode="rewrite"):
            openai_chat(server.openai_url)
        with streamtape.use_cassette(HERE / "anthropic-messages.yaml", record_mode="rewrite"):
            asyncio.run(anthropic_messages(server.anthropic_url))
        with streamtape.use_cassette(HERE / "events-crlf.yaml", record_mode="rewrite"):
            events(f"{server.url}/events")


if __name__ == "__main__":
    main()
