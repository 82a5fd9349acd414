"""Deltas: how a provider cuts an answer into events, and so how it could have cut it elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamtape.providers.paths import paths_of
from streamtape.providers.payload import event_with, payload_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamtape.providers.paths import Path, Paths
    from streamtape.wire.sse import Event


@dataclass(frozen=True, init=False)
class Deltas:
    """What is to be known of an event with text before it can become two.

    All but ``number`` are paths, given as for a `Provider`. ``Deltas()`` is for events that say
    nothing but their text, and may be said again with another.

    ``of``: which of several answers (choices, content blocks) the text belongs to. ``first`` and
    ``last``: what goes with the first and with the last of the two alone; before the last it is
    null. ``alone``: what can't be said twice, so the event stays one. ``number``: the key that
    counts the events of the stream.
    """

    of: tuple[Path, ...]
    first: tuple[Path, ...]
    last: tuple[Path, ...]
    alone: tuple[Path, ...]
    number: str

    def __init__(
        self,
        *,
        of: Paths = (),
        first: Paths = (),
        last: Paths = (),
        alone: Paths = (),
        number: str = "",
    ) -> None:
        where = {"of": of, "first": first, "last": last, "alone": alone}
        given: dict[str, object] = {name: paths_of(each) for name, each in where.items()}
        for name, value in (given | {"number": number}).items():
            object.__setattr__(self, name, value)  # as a frozen dataclass's own __init__ does

    def answer(self, event: Event) -> tuple[tuple[object, ...], ...]:
        """What stands at ``of`` in *event*: equal for the events of one answer.

        An event that belongs to several answers has several values in one of the inner tuples.
        """
        payload = payload_of(event)
        return tuple(tuple(path.find(payload)) for path in self.of)

    def divides(self, event: Event) -> bool:
        """Whether *event* can become several."""
        payload = payload_of(event)
        return not any(path.find(payload) for path in self.alone)

    def is_bare(self, event: Event) -> bool:
        """Whether *event* could be left out if it had no text, since it says nothing else."""
        payload = payload_of(event)
        return not any(path.find(payload) for path in (*self.first, *self.last, *self.alone))

    def apart(self, events: Sequence[Event]) -> list[Event]:
        """*events*, copies of one with other texts, each with only what it alone may say."""
        made = []
        for number, event in enumerate(events):
            root = [payload_of(event)]
            for holder, key in (place for path in self.first for place in path.places(root)):
                if number > 0:
                    del holder[key]
            for holder, key in (place for path in self.last for place in path.places(root)):
                if number < len(events) - 1:
                    holder[key] = None
            made.append(event_with(event, root[0]))
        return made

    def moved(self, event: Event, by: int) -> Event:
        """*event* with its number in the stream *by* higher, where it has one."""
        payload = payload_of(event)
        if not by or not isinstance(payload, dict) or not isinstance(payload.get(self.number), int):
            return event
        return event_with(event, {**payload, self.number: payload[self.number] + by})
