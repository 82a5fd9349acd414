"""What views show: as text, and what one of them took back of the one before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeGuard


def text_of(view: object, *, on_screen: bool = False) -> str:
    """All text in *view*. Of a view with ``lines`` those; *on_screen*: those of its ``screen``.

    Lists of texts are its lines; of other containers every text in them is a line of its own.
    """
    if isinstance(view, str):
        return view
    for name in ("screen", "lines") if on_screen else ("lines",):
        lines = getattr(view, name, None)
        if lines is not None and not callable(lines):
            return text_of(list(lines))
    return "\n".join(texts_in(view))


def texts_in(view: object) -> Iterator[str]:
    """Every text in *view*, keys of mappings and fields of dataclasses included."""
    if isinstance(view, str):
        yield view
    elif isinstance(view, bytes):
        yield view.decode(errors="replace")
    elif isinstance(view, Mapping):
        for key, value in view.items():
            yield from texts_in(key)
            yield from texts_in(value)
    elif isinstance(view, Sequence):
        for item in view:
            yield from texts_in(item)
    elif is_dataclass(view) and not isinstance(view, type):
        for one in fields(view):
            yield from texts_in(getattr(view, one.name))


def shows_alike(one: object, other: object) -> bool:
    """Whether both are equal; of views with ``lines`` those, wherever the cursor is."""
    if hasattr(one, "lines") and hasattr(other, "lines"):
        return text_of(one) == text_of(other)
    return bool(one == other)


def not_encodable(view: object) -> str | None:
    """The first text in *view* that UTF-8 can't say: it has half of a surrogate pair."""
    for text in texts_in(view):
        try:
            text.encode()
        except UnicodeEncodeError:
            return text
    return None


def characters_taken_back(old: object, new: object) -> int:
    """How many characters of *old* are gone or others in *new*; what was only added counts 0.

    Text is kept as far as both begin alike. Of lists and mappings item is compared with item.
    """
    before, after = _as_text(old), _as_text(new)
    if before is not None and after is not None:
        return len(before) - _common(before, after)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return sum(
            characters_taken_back(value, new[key]) if key in new else len(str(key)) + _size(value)
            for key, value in old.items()
        )
    if _is_list(old) and _is_list(new):
        kept = sum(characters_taken_back(a, b) for a, b in zip(old, new, strict=False))
        return kept + sum(map(_size, old[len(new) :]))
    if old is None or old == new:
        return 0
    return len(str(old)) - _common(str(old), str(new))


def lines_taken_back(old: object, new: object) -> int:
    """How many lines of *old*, from the first that is not kept, were written anew.

    The last line is kept where *new* goes on with it.
    """
    before, after = text_of(old).split("\n"), text_of(new).split("\n")
    for number, line in enumerate(before):
        is_last = number == len(before) - 1
        now = after[number] if number < len(after) else None
        if now != line and not (is_last and (now or "").startswith(line)):
            return len(before) - number
    return 0


def shape_changes(old: object, new: object, path: str = "$") -> Iterator[str]:
    """What of the keys and JSON types of *old* is not so in *new*."""
    if old is None and path == "$":
        return  # nothing was there yet
    if _json_type(old) != _json_type(new):
        yield f"{path} was {_json_type(old)} and is {_json_type(new)}"
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from (f"{path}.{key} is gone" for key in old if key not in new)
        for key in old.keys() & new.keys():
            yield from shape_changes(old[key], new[key], f"{path}.{key}")
    elif _is_list(old) and _is_list(new):
        if len(new) < len(old):
            yield f"{path}[{len(new)}] is gone"
        for number, (was, now) in enumerate(zip(old, new, strict=False)):
            yield from shape_changes(was, now, f"{path}[{number}]")


def _json_type(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "a boolean"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, Mapping):
        return "an object"
    if _is_list(value):
        return "an array"
    return "a number" if hasattr(value, "__float__") else type(value).__name__


def _as_text(view: object) -> str | None:
    """*view* as text, where it is one, or lines of one."""
    if isinstance(view, str) or hasattr(view, "lines"):
        return text_of(view)
    lines = _is_list(view) and all(isinstance(item, str) for item in view)
    return text_of(view) if lines else None


def _common(one: str, other: str) -> int:
    """How many characters both begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    shorter = min(len(one), len(other))
    if one[:shorter] == other[:shorter]:
        return shorter
    return next(at for at, (a, b) in pairs if a != b)


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _size(value: object) -> int:
    return len(text_of(value)) if isinstance(value, Sequence | Mapping) else len(str(value))
