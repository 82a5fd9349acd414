"""One stream and what it means."""

from __future__ import annotations

from dataclasses import dataclass

from streamtape.wire.sse import Event


@dataclass(frozen=True, slots=True)
class Case:
    """One stream: its bytes, and the events that it means by the standard.

    ``id`` is a sentence. ``retry`` is the reconnection time in ms that is in force at its end, or
    None. The standard sets it no limit; `sys.maxsize` stands for every time that is larger.
    """

    id: str
    body: bytes
    events: tuple[Event, ...] = ()
    retry: int | None = None


def case(sentence: str, body: bytes, *events: Event | str, retry: int | None = None) -> Case:
    """A `Case`; a plain string stands for an event of type "message" without an ID."""
    found = tuple(Event(data=event) if isinstance(event, str) else event for event in events)
    return Case(sentence, body, found, retry)


def named(event_type: str, data: str) -> Event:
    """An event of a type."""
    return Event(type=event_type, data=data)


def with_id(last_event_id: str, data: str) -> Event:
    """An event with an ID in force."""
    return Event(data=data, last_event_id=last_event_id)
