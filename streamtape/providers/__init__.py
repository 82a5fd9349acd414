"""What is known of payloads: which provider sent them, their token text, how they end and fail.

All of this reads `streamtape.Event` values, whatever framing they came in, and never raises: a
payload that is no JSON, or JSON of another shape, has no token, ends nothing and is no error.

**Token text** is the text of the answer, as a person reads it. Reasoning, refusals and tool calls
are no text, but `carries_token` counts them, and with it the time to the first token: the model
generated them, and the provider's usage counts them. AIPerf does the same (its time to first
token takes reasoning and tool calls in; its time to first *output* token leaves reasoning out).
A role-only message, a ping, an empty delta or a report of usage carries no token.

The functions that take one event look at that event alone. Where the stream is at hand, ask the
provider that `detect` gives for it: it reads events by what the others have shown.

A provider that isn't in the table is one value, added with `register`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamtape.providers.deltas import Deltas
from streamtape.providers.payload import payload_of
from streamtape.providers.provider import Provider
from streamtape.providers.registry import register, registered
from streamtape.providers.table import GENERIC, PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamtape.wire.sse import Event

__all__ = [
    "GENERIC",
    "PROVIDERS",
    "Deltas",
    "Provider",
    "carries_token",
    "detect",
    "has_terminal",
    "in_band_error",
    "is_terminal",
    "output_tokens",
    "payload_of",
    "register",
    "registered",
    "stream_text",
    "token_text",
    "with_token_text",
]


def detect(events: Iterable[Event]) -> Provider | None:
    """The provider of a whole stream: that of the first event whose shape is known.

    Those that were registered are asked first, then those of the table.

    `GENERIC` where no event's shape is, None where there are no events.
    """
    provider = None
    for event in events:
        provider = _provider_of(event)
        if provider is not GENERIC:
            break
    return provider


def token_text(event: Event) -> str:
    """The answer's text in *event*; '' where it has none."""
    return _provider_of(event).token_text(event)


def with_token_text(event: Event, text: str) -> Event | None:
    """*event* with *text* as the answer's text; None where it has no place for that.

    The payload of what comes back is written as compact JSON, ``token_text`` of it is *text*.
    """
    return _provider_of(event).with_token_text(event, text)


def carries_token(event: Event) -> bool:
    """Whether *event* carries anything that the model generated: text, reasoning, a tool call."""
    return _provider_of(event).carries_token(event)


def is_terminal(event: Event) -> bool:
    """Whether *event* ends a stream in the way it ends when nothing went wrong.

    That is ``[DONE]`` for OpenAI's chat and all who speak like it, ``message_stop``,
    ``response.completed`` (``incomplete``, ``failed``), a ``finishReason``, ``message-end``,
    ``"done": true`` and so on. Where a stream ends in two steps, as Cohere's ``message-end`` and
    ``[DONE]``, both are.
    """
    return _provider_of(event).is_terminal(event)


def in_band_error(event: Event) -> str | None:
    """The message of the error that *event* reports, never empty; None where it reports none."""
    return _provider_of(event).in_band_error(event)


def stream_text(events: Iterable[Event]) -> str:
    """The text of the whole answer."""
    known = list(events)
    provider = detect(known)
    return "" if provider is None else "".join([provider.token_text(event) for event in known])


def has_terminal(events: Iterable[Event]) -> bool:
    """Whether the event that ends a stream of this kind is among *events*.

    False too for streams that have no such event: some servers that speak like OpenAI leave out
    ``[DONE]``, and a generic stream may just end.
    """
    known = list(events)
    provider = detect(known)
    return provider is not None and any(provider.is_terminal(event) for event in known)


def output_tokens(events: Iterable[Event]) -> int | None:
    """The number of output tokens that the payloads of a stream report; None where none does."""
    known = list(events)
    provider = detect(known)
    return None if provider is None else provider.output_tokens(known)


def _provider_of(event: Event) -> Provider:
    payload = payload_of(event)
    known = (*registered(), *PROVIDERS)
    return next((one for one in known if one.knows(event, payload)), GENERIC)
