"""One provider: where in its payloads things stand, and how its events are read by that."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamtape.providers.paths import Path, paths, texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamtape.wire.sse import Event

_SENTINEL = "[DONE]"
_WITHOUT_TOKENS = frozenset({"ping", "heartbeat", "keepalive", "keep-alive", "error"})
_ERROR_TYPES = ("error", "Error", "Exception", "Failure")
"""How types of events end that say that something broke: `event: error`, and AWS's exceptions."""
_ERROR_MARKS = paths("error", "[]error", "[type=error]", "[object=error]")
_ERROR_TEXTS = paths(
    "error.message",
    "[]error.message",
    "error",
    "message",
    "detail",
    "error.type",
    "error.code",
)


@dataclass(frozen=True)
class Provider:
    """What is known of one provider's payloads; the paths are those of `providers.paths`.

    ``shape``: a payload in which any of these leads to something is this provider's. ``text``: the
    pieces of the answer that a reader sees. ``generated``: what else the model generates, namely
    reasoning, refusals, and names and arguments of tool calls. ``ends``: leads to something in the
    event that ends a stream where nothing went wrong; ``end_types`` are event types that do so.
    ``usage``: the number of output tokens so far. ``errors``: an error, or its message, in a form
    of the provider's own (``{"error": …}`` and ``event: error`` are known for all). ``inner``: the
    payload comes as base64 in ``bytes``, and these providers may know what is inside.
    """

    name: str
    shape: tuple[Path, ...] = field(repr=False)
    text: tuple[Path, ...] = field(repr=False)
    generated: tuple[Path, ...] = field(default=(), repr=False)
    ends: tuple[Path, ...] = field(default=(), repr=False)
    end_types: frozenset[str] = field(default=frozenset(), repr=False)
    usage: tuple[Path, ...] = field(default=(), repr=False)
    errors: tuple[Path, ...] = field(default=(), repr=False)
    inner: tuple[Provider, ...] = field(default=(), repr=False)

    def matches(self, payload: object) -> bool:
        """Whether *payload*, as `payload_of` gives it, has this provider's shape."""
        if self.inner:
            return _unwrapped(payload) is not None
        return _leads_to_something(self.shape, payload)

    def token_text(self, event: Event) -> str:
        """The answer's text in *event*; '' where it has none."""
        readers, payload = self._read(event)
        if self._without_tokens(event):
            return ""
        return texts((path for one in readers for path in one.text), payload)

    def carries_token(self, event: Event) -> bool:
        """Whether *event* carries anything the model generated: text, reasoning, a tool call."""
        readers, payload = self._read(event)
        generated = (path for one in readers for path in (*one.text, *one.generated))
        return not self._without_tokens(event) and texts(generated, payload) != ""

    def is_terminal(self, event: Event) -> bool:
        """Whether *event* ends the stream in the way it ends when nothing went wrong."""
        readers, payload = self._read(event)
        return self._ends_by_name(event) or _leads_to_something(
            (path for one in readers for path in one.ends), payload
        )

    def in_band_error(self, event: Event) -> str | None:
        """The message of the error that *event* reports, never empty; None where there is none."""
        readers, payload = self._read(event)
        own = [path for one in readers for path in one.errors]
        if not (
            event.type.endswith(_ERROR_TYPES) or _leads_to_something((*_ERROR_MARKS, *own), payload)
        ):
            return None
        message = texts((*own, *_ERROR_TEXTS), payload) or event.data
        return message.strip() or event.type

    def output_tokens(self, events: Iterable[Event]) -> int | None:
        """The number of output tokens that the payloads of *events* report; None where none does.

        Reports are cumulative, so the last one is the number. Nothing is estimated.
        """
        total = None
        for event in events:
            readers, payload = self._read(event)
            reported = _count((path for one in readers for path in one.usage), payload)
            total = total if reported is None else reported
        return total

    def _read(self, event: Event) -> tuple[tuple[Provider, ...], object]:
        """The payload of *event*, unwrapped, and those who know it: the narrower one first."""
        payload = payload_of(event)
        inside = _unwrapped(payload) if self.inner else None
        if inside is None:
            return (self,), payload
        spoken = next((one for one in self.inner if one.matches(inside)), None)
        return (self,) if spoken is None else (spoken, self), inside

    def _without_tokens(self, event: Event) -> bool:
        return event.type in _WITHOUT_TOKENS or self._ends_by_name(event)

    def _ends_by_name(self, event: Event) -> bool:
        return event.type in self.end_types or event.data.strip() == _SENTINEL


def payload_of(event: Event) -> object:
    """The payload of *event*: an object, array, string or null of JSON; else its text as it is.

    So a plain-text token such as ``5`` or ``true`` stays text.
    """
    return _parsed(event.data)


def _parsed(data: str) -> object:
    try:
        payload: object = json.loads(data)
    except (ValueError, RecursionError):
        return data
    return payload if payload is None or isinstance(payload, dict | list | str) else data


def _unwrapped(payload: object) -> dict[str, object] | None:
    wrapped = payload.get("bytes") if isinstance(payload, dict) else None
    if not isinstance(wrapped, str):
        return None
    try:
        inside = _parsed(base64.b64decode(wrapped, validate=True).decode())
    except ValueError:  # no base64, or no UTF-8 in it
        return None
    return inside if isinstance(inside, dict) else None


def _leads_to_something(where: Iterable[Path], payload: object) -> bool:
    """Whether any of the paths leads to a value that isn't false, zero or empty."""
    return any(value for path in where for value in path.find(payload))


def _count(where: Iterable[Path], payload: object) -> int | None:
    for path in where:
        for value in path.find(payload):
            if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
                return value
    return None
