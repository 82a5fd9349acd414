"""The official SDKs: every way of asking them for a stream, held to the same by the same tests."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import anthropic
import openai

from tests import streams

if TYPE_CHECKING:
    from types import ModuleType

Leave = Literal["break", "close", "with", "cancel", "timeout"]

KEY = "sk-test-" + "".join(map(str, range(20)))
"""Looks like a provider's key, and opens nothing."""

TEXT = "".join(streams.PIECES)

# What the SDKs make of an event in addition to the event itself.
_DERIVED = {"content.delta", "content.done", "text"}


def seen_by_the_sdk(event: bytes) -> bool:
    """Whether the SDKs hand over an item for this event of a stream."""
    return b"[DONE]" not in event and b"event: ping" not in event


def is_event(item: Any) -> bool:
    """Whether *item* is an event of the stream, and not what the SDK derived from one."""
    return getattr(item, "type", None) not in _DERIVED


def plain(item: Any) -> Any:
    """An SDK's object as plain data, as it is now: later events change some of them."""
    # pydantic finds that some objects have not the type that the SDK declares.
    return item.model_dump(mode="json", warnings=False)


def _chat(client: Any, question: str, **options: Any) -> Any:
    return client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": question}], **options
    )


def _chat_streamed(client: Any, question: str) -> Any:
    return _chat(client, question, stream=True, stream_options={"include_usage": True})


def _chat_stream(client: Any, question: str) -> Any:
    return client.chat.completions.stream(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": question}],
        stream_options={"include_usage": True},
    )


def _responses(client: Any, question: str, **options: Any) -> Any:
    return client.responses.create(model="gpt-4o-mini", input=question, **options)


def _responses_streamed(client: Any, question: str) -> Any:
    return _responses(client, question, stream=True)


def _responses_stream(client: Any, question: str) -> Any:
    return client.responses.stream(model="gpt-4o-mini", input=question)


def _messages(client: Any, question: str, **options: Any) -> Any:
    return client.messages.create(
        model="claude-test",
        max_tokens=100,
        messages=[{"role": "user", "content": question}],
        **options,
    )


def _messages_streamed(client: Any, question: str) -> Any:
    return _messages(client, question, stream=True)


def _messages_stream(client: Any, question: str) -> Any:
    return client.messages.stream(
        model="claude-test",
        max_tokens=100,
        messages=[{"role": "user", "content": question}],
    )


@dataclass(frozen=True)
class Call:
    """One way of asking an SDK for a stream."""

    sdk: ModuleType
    name: str
    send: Callable[[Any, str], Any]
    send_whole: Callable[[Any, str], Any]
    events: Callable[..., list[bytes]]
    asynchronous: bool

    def __str__(self) -> str:
        return f"{self.name}-{'async' if self.asynchronous else 'sync'}"

    @property
    def ending(self) -> str:
        """How the stream ends: sync openai leaves at ``[DONE]``, all the others read to the end."""
        return "closed" if self.name.startswith("chat") and not self.asynchronous else "eof"

    @property
    def connection_error(self) -> type[Exception]:
        """What the SDK makes of a request that fails."""
        error: type[Exception] = self.sdk.APIConnectionError
        return error

    def client(self, url: str, max_retries: int = 0) -> Any:
        openais = self.sdk is openai
        kind = f"{'Async' if self.asynchronous else ''}{'OpenAI' if openais else 'Anthropic'}"
        return getattr(self.sdk, kind)(
            base_url=f"{url}/v1" if openais else url,
            api_key=KEY,
            max_retries=max_retries,
            timeout=10.0,
        )

    def read(
        self,
        url: str,
        question: str = "Is the Café open?",
        *,
        each: Callable[[Any], None] | None = None,
        leave_after: int | None = None,
        leave: Leave = "with",
        max_retries: int = 0,
    ) -> list[Any]:
        """The items of the stream as plain data; *each* is told of one before the next is read.

        After *leave_after* items the stream is left, in the way that *leave* says.
        """
        if self.asynchronous:
            return asyncio.run(
                self.read_async(
                    url,
                    question,
                    each=each,
                    leave_after=leave_after,
                    leave=leave,
                    max_retries=max_retries,
                )
            )
        items: list[Any] = []

        def take(item: Any) -> bool:
            items.append(plain(item))
            if each is not None:
                each(item)
            return len(items) == leave_after

        with self.client(url, max_retries) as client:
            opened = self.send(client, question)
            if leave == "break":
                for item in opened:
                    if take(item):
                        break
            else:
                with opened as stream:
                    for item in stream:
                        if take(item):
                            if leave == "close":
                                stream.close()
                            break
            del opened
        return items

    async def read_async(
        self,
        url: str,
        question: str = "Is the Café open?",
        *,
        each: Callable[[Any], None] | None = None,
        leave_after: int | None = None,
        leave: Leave = "with",
        max_retries: int = 0,
    ) -> list[Any]:
        """As `read`, inside a loop."""
        items: list[Any] = []

        async def run(deadline: asyncio.Timeout) -> None:
            async with self.client(url, max_retries) as client:
                opened = self.send(client, question)
                if inspect.isawaitable(opened):
                    opened = await opened
                async with opened as stream:
                    async for item in stream:
                        items.append(plain(item))
                        if each is not None:
                            each(item)
                        if len(items) == leave_after and await _left(stream, leave, deadline):
                            break

        async def main() -> None:
            async with asyncio.timeout(None) as deadline:
                await run(deadline)

        cancelled = (asyncio.CancelledError, TimeoutError) if leave in {"cancel", "timeout"} else ()
        with suppress(*cancelled):
            await asyncio.create_task(main())
        return items

    def ask(self, url: str, question: str = "Is the Café open?") -> Any:
        """The answer in one piece, as plain data: not a stream."""

        async def ask_async() -> Any:
            async with self.client(url) as client:
                return plain(await self.send_whole(client, question))

        if self.asynchronous:
            return asyncio.run(ask_async())
        with self.client(url) as client:
            return plain(self.send_whole(client, question))


async def _left(stream: Any, leave: Leave, deadline: asyncio.Timeout) -> bool:
    """Leave *stream*; false where that happens at the next read."""
    match leave:
        case "cancel":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            return False
        case "timeout":
            deadline.reschedule(asyncio.get_running_loop().time())
            return False
        case "close":
            await stream.close()
    return True


CALLS = [
    Call(sdk, name, send, send_whole, events, asynchronous)
    for sdk, name, send, send_whole, events in [
        (openai, "chat.create", _chat_streamed, _chat, streams.openai_chat),
        (openai, "chat.stream", _chat_stream, _chat, streams.openai_chat),
        (openai, "responses.create", _responses_streamed, _responses, streams.openai_responses),
        (openai, "responses.stream", _responses_stream, _responses, streams.openai_responses),
        (anthropic, "messages.create", _messages_streamed, _messages, streams.anthropic_messages),
        (anthropic, "messages.stream", _messages_stream, _messages, streams.anthropic_messages),
    ]
    for asynchronous in (False, True)
]


def text_of(items: list[Any]) -> str:
    """The answer's text, from the events of any of the APIs."""
    found = []
    for item in items:
        match item:
            case {"type": "chunk", "chunk": {"choices": [{"delta": {"content": str(text)}}]}}:
                found.append(text)
            case {
                "object": "chat.completion.chunk",
                "choices": [{"delta": {"content": str(text)}}],
            }:
                found.append(text)
            case {"type": "response.output_text.delta", "delta": str(text)}:
                found.append(text)
            case {"type": "content_block_delta", "delta": {"text": str(text)}}:
                found.append(text)
    return "".join(found)
