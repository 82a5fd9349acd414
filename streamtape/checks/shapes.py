"""Events of any shape, read as `streamtape.Event`: objects, mappings, tuples, plain text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from streamtape.wire.sse import Event, decode, frame_ends

PROBE = (
    b"event: probe-type\nid: probe-id\ndata: probe-data\n\nevent: probe-other\ndata: probe-more\n\n"
)
"""Shows which parts of an event a parser gives away, and under which names."""

PLAIN = b"data: probe-data\n\ndata: probe-more\n\n"
"""For a parser that fails on types or IDs."""

PLAIN_PROBES = (
    ("leading-space", PLAIN.replace(b": ", b":")),
    ("lf", PLAIN.replace(b"\n", b"\r\n")),
)
"""For one that fails on `PLAIN`: what else it may read, and the class of failure that shows."""

JSON_PROBE = b'data: {"probe": "probe-data"}\n\ndata: {"probe": "probe-more"}\n\n'
"""For one that fails on text which is no JSON."""

_TYPES = ("type", "event", "event_type", "eventType", "name")
_DATA = ("data", "message", "payload", "text")
_LAST_IDS = ("last_event_id", "lastEventId")
_IDS = (*_LAST_IDS, "id", "event_id", "eventId")

_MISSING = object()
Get = Callable[[Any], object]


@dataclass(frozen=True)
class Shape:
    """Where a parser's events have their parts: for each a function of the event, or None.

    ``id_is_own`` tells that an event's ID is that of its own block alone, as some parsers have it,
    and not the last event ID of the standard.
    """

    data: Get
    type: Get | None
    id: Get | None
    id_is_own: bool

    def read(self, items: Iterable[object]) -> list[Event]:
        """The events among *items*, without what the parser doesn't tell. No data, no event."""
        return [
            Event(
                (_text(self.type(item)) or "message") if self.type else "message",
                _text(self.data(item)),
                _text(self.id(item)) if self.id else "",
            )
            for item in items
            if self.is_event(item)
        ]

    def is_event(self, item: object) -> bool:
        """Whether *item* has data: what has none, such as a comment, is no event."""
        return self.data(item) is not _MISSING

    def expected(self, body: bytes) -> list[Event]:
        """The events of *body* by the standard, without what the parser doesn't tell."""
        return [
            Event(
                event.type if self.type else "message",
                event.data,
                event.last_event_id if self.id else "",
            )
            for event in decode(body)
        ]

    def is_right(self, body: bytes, got: Sequence[Event]) -> bool:
        """Whether *got* is what *body* means."""
        expected = self.expected(body)
        if list(got) == expected:
            return True
        if not self.id_is_own or len(got) != len(expected):
            return False
        return all(
            (one.type, one.data) == (other.type, other.data)
            and one.last_event_id in (other.last_event_id, own)
            for one, other, own in zip(got, expected, _own_ids(body), strict=True)
        )


def shape_of(items: Iterable[object]) -> Shape | None:
    """The shape of the events in *items*, which a parser made of a probe; None if there are none.

    A part counts as told where an event has a place for it: an attribute, a key, an element.
    """
    found = list(items)
    first = next((item for item in found if _get_data(item) is not None), None)
    if first is None:
        return None
    data = _get_data(first)
    assert data is not None
    later = found[found.index(first) + 1 :]
    get_id = _get(first, "probe-id", _IDS)
    own = False
    if get_id is not None and not _is_last_id(first, get_id):
        # None says that the event has no ID of its own; "" that the last event ID is empty.
        own = all(get_id(item) in (None, _MISSING) for item in later)
    return Shape(data, _get(first, "probe-type", _TYPES), get_id, own)


def _get_data(item: object) -> Get | None:
    if isinstance(item, (str, bytes)):
        return (lambda item: item) if "probe-data" in _text(item) else None
    return _by_value(item, "probe-data", _DATA)


def _get(item: object, value: str, names: Sequence[str]) -> Get | None:
    if isinstance(item, (str, bytes)):
        return None
    get = _by_value(item, value, names)
    if get is not None:
        return get
    name = next((name for name in names if _named(name)(item) is not _MISSING), None)
    return None if name is None else _named(name)


def _by_value(item: object, value: str, names: Sequence[str]) -> Get | None:
    gets = [_named(name) for name in names]
    if isinstance(item, Sequence):
        gets += [_placed(place) for place in range(len(item))]
    return next((get for get in gets if value in _text(get(item))), None)


def _is_last_id(item: object, get_id: Get) -> bool:
    """Whether *get_id* reads what is named after the standard's last event ID."""
    return any(
        _named(name)(item) is not _MISSING and _named(name)(item) == get_id(item)
        for name in _LAST_IDS
    )


def _named(name: str) -> Get:
    def get(item: object) -> object:
        if isinstance(item, Mapping):
            return item.get(name, _MISSING)
        return getattr(item, name, _MISSING)

    return get


def _placed(place: int) -> Get:
    def get(item: object) -> object:
        return item[place] if isinstance(item, Sequence) and place < len(item) else _MISSING

    return get


def _text(value: object) -> str:
    if value is None or value is _MISSING:
        return ""
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "replace")
    return str(value)


def _own_ids(body: bytes) -> list[str]:
    """For each event of *body* the ID that its own block sets; '' where it sets none."""
    ends = frame_ends(body)
    blocks = [body[start:end] for start, end in pairwise([0, *ends])]
    # A blank line before: a BOM opens the first block only.
    return [
        event.last_event_id
        for number, block in enumerate(blocks)
        for event in decode(b"\n" + block if number else block)
    ]
