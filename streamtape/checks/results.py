"""What clients give, made comparable: JSON text as what it says, objects as their fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from typing import Any

_DEEP = 100
"""So deep a result is looked at: deeper ones are compared as they are."""

_NOTHING: Mapping[str, str] = {}


def same(one: object, other: object, *, as_json: bool = False) -> bool:
    """Whether two results are equal, or hold equal values in objects that don't compare by them.

    With *as_json* text that is a JSON object or array is compared as that.
    """
    if not as_json and _equal(one, other):
        return True
    return _equal(normal(one, as_json=as_json), normal(other, as_json=as_json))


def normal(value: object, *, as_json: bool = False, became: Mapping[str, str] = _NOTHING) -> Any:
    """*value* made of lists, mappings and plain values, which ``==`` compares by what they hold.

    Lists, tuples and mappings are taken apart; so are dataclasses, what has pydantic's
    ``model_dump`` or an array's ``tolist``, and any object that compares by identity: as the name
    of its class and its fields. With *as_json* text (or bytes of UTF-8) that is a JSON object or
    array counts as what it says. Each string that *became* has is replaced by what it has become.
    """
    return _Normal(as_json=as_json, became=became).of(value, 0)


class _Normal:
    def __init__(self, *, as_json: bool, became: Mapping[str, str]) -> None:
        self._as_json = as_json
        self._became = became

    def of(self, value: object, depth: int) -> Any:
        if depth > _DEEP or isinstance(value, (bool, int, float, AbstractSet)):
            return value
        if isinstance(value, (str, bytes, bytearray)):
            return self._text(value, depth)
        if isinstance(value, Mapping):
            return {key: self.of(item, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.of(item, depth + 1) for item in value]
        held = _held(value)
        return value if held is None else [type(value).__qualname__, self.of(held, depth + 1)]

    def _text(self, value: str | bytes | bytearray, depth: int) -> Any:
        if not isinstance(value, str):
            try:
                text = value.decode()
            except UnicodeDecodeError:
                return bytes(value)
            other = self._text(text, depth)
            return other.encode() if isinstance(other, str) else other
        text = self._became.get(value, value)
        if self._as_json and text.lstrip(" \t\r\n")[:1] in ("{", "["):
            try:
                return self.of(json.loads(text), depth + 1)
            except (ValueError, RecursionError):
                return text
        return text


def _held(value: object) -> dict[str, object] | None:
    """The fields of an object; None where it has none or compares by itself."""
    held: dict[str, object] | None = None
    dump = getattr(value, "model_dump", None)
    if value is None or isinstance(value, type):
        return None
    if isinstance(value, BaseException):
        held = {"args": value.args}
    elif is_dataclass(value):
        held = {field.name: getattr(value, field.name) for field in fields(value)}
    elif callable(dump):
        held = dict(dump())
    elif callable(as_list := getattr(value, "tolist", None)):  # an array
        held = {"items": as_list()}
    elif hasattr(value, "__dict__") and not callable(value):
        held = dict(vars(value))
    elif type(value).__eq__ is object.__eq__:
        names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        held = {name: getattr(value, name) for name in names if hasattr(value, name)}
    return held


def _equal(one: object, other: object) -> bool:
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001 - a comparison of arrays has no truth value
        return False
