"""Members of events that are dictionaries or objects, by a path: ``choices[].delta.role``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

_MISSING = object()


def members_at(event: Any, path: str) -> Iterator[Any]:
    """What stands at *path* in *event*: keys of mappings, attributes, ``[]`` for each of a list."""
    for owner, name in _owners(event, path):
        value = _member(owner, name)
        if value is not _MISSING:
            yield value


def with_member(event: Any, path: str, value: Any) -> Any:
    """*event* with *value* at *path*, in place, wherever what holds it is there."""
    for owner, name in _owners(event, path):
        if isinstance(owner, MutableMapping):
            owner[name] = value
            continue
        try:
            setattr(owner, name, value)  # a model notes which of its fields were set
        except (AttributeError, TypeError, ValueError):
            # Frozen dataclasses and models refuse it, and this is a copy of the check's.
            object.__setattr__(owner, name, value)
    return event


def _owners(event: Any, path: str) -> Iterator[tuple[Any, str]]:
    *way, last = path.split(".")
    owners = [event]
    for step in way:
        name, each = step.removesuffix("[]"), step.endswith("[]")
        found = [member for owner in owners if (member := _member(owner, name)) is not _MISSING]
        owners = [one for member in found for one in (_items(member) if each else [member])]
    for owner in owners:
        if owner is not None:
            yield owner, last


def has_place(event: Any, path: str) -> bool:
    """Whether *event* has what can hold something at *path*."""
    return any(True for _ in _owners(event, path))


def _items(member: Any) -> list[Any]:
    return list(member) if isinstance(member, list | tuple) else []


def _member(owner: Any, name: str) -> Any:
    if isinstance(owner, Mapping):
        return owner.get(name, _MISSING)
    return getattr(owner, name, _MISSING)
