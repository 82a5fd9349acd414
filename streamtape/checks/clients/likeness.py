"""How a result is like another: the beginning of it, a part of it, or with something twice."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from streamtape.checks.results import normal, same

_OF_THE_TRANSFER = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers that say how a body travelled, and nothing of what it says."""


def quietly_same(one: object, other: object, *, as_json: bool = False) -> bool:
    """As `same`, but for headers of the transfer, and without pydantic's warnings.

    Pydantic warns of models that don't hold what they declare.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return same(one, other, as_json=as_json) or _without_headers(
            normal(one, as_json=as_json)
        ) == _without_headers(normal(other, as_json=as_json))


def _without_headers(value: Any) -> Any:
    """*value*, as `normal` gives it, without the headers that a result may hold."""
    if isinstance(value, Mapping):
        return {key: _without_headers(item) for key, item in value.items() if not _is_header(key)}
    if isinstance(value, list):
        pairs = (item for item in value if not (_is_pair(item) and _is_header(item[0])))
        return [_without_headers(item) for item in pairs]
    return value


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2


def _is_header(name: object) -> bool:
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    return isinstance(name, str) and name.lower() in _OF_THE_TRANSFER


def plain(value: object, *, as_json: bool = False, became: Mapping[str, str] | None = None) -> Any:
    """As `normal`, without warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return normal(value, as_json=as_json, became=became or {})


def is_beginning(got: Any, whole: Any) -> bool:
    """Whether *got*, as `plain` gives it, is *whole* or the beginning of it.

    Texts and lists are so where they are shorter, mappings where their values are, numbers where
    they are smaller; what is missing is the beginning of anything.
    """
    if got == whole or _is_missing(got):
        return True
    if isinstance(got, str) and isinstance(whole, str):
        return whole.startswith(got)
    if isinstance(got, list) and isinstance(whole, list):
        return len(got) <= len(whole) and all(map(is_beginning, got, whole))
    if isinstance(got, Mapping) and isinstance(whole, Mapping):
        return all(is_beginning(value, whole.get(key)) for key, value in got.items())
    if isinstance(got, (int, float)) and isinstance(whole, (int, float)):
        return 0 <= got <= whole
    return False


def is_part(got: Any, whole: Any) -> bool:
    """Whether *got* is what is left of *whole* when some of it is taken away, anywhere.

    Of a list any items, of a text one piece.
    """
    if is_beginning(got, whole):
        return True
    if isinstance(got, list) and isinstance(whole, list):
        left = iter(whole)
        return all(any(item == other for other in left) for item in got) or (
            len(got) <= len(whole) and all(map(is_part, got, whole))
        )
    if isinstance(got, Mapping) and isinstance(whole, Mapping):
        return all(is_part(value, whole.get(key)) for key, value in got.items())
    if isinstance(got, str) and isinstance(whole, str):
        return len(got) < len(whole) and _common(got, whole) + _common(
            got[::-1], whole[::-1]
        ) >= len(got)
    return False


def has_more_of(got: Any, expected: Any, texts: Sequence[str]) -> bool:
    """Whether each of *texts* is more often in *got* than in *expected*, both as `plain` gives."""
    found, known = ("".join(strings(value)) for value in (got, expected))
    return all(found.count(text) > known.count(text) for text in texts)


def strings(value: Any) -> Iterator[str]:
    """All text in *value*, as `plain` gives it, in reading order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (bytes, bytearray)):
        yield bytes(value).decode("utf-8", "replace")
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def _is_missing(value: Any) -> bool:
    return (
        value is None or value is False or (isinstance(value, (str, list, Mapping)) and not value)
    )


def _common(one: str, other: str) -> int:
    same_so_far = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in same_so_far)
