r"""Paths: where in a JSON payload something stands, in one short string.

| written | finds |
|---|---|
| `` (nothing) | the payload itself |
| `delta.text` | a key in an object, and a key in that |
| `choices[]` | each member of an array |
| `[type=ping]` | an object whose `type` is `"ping"`; on an array, each such member |
| `[type=a\|b]` | one of several values; `true` and `false` are written as in JSON |
| `[type^=response.]` | an object whose `type` is text that starts so |
| `[done]` | an object whose `done` is there, and neither null nor an empty string |
| `[!thought]` | an object whose `thought` is missing, null or false |

A path finds nothing where the payload has another shape. It never raises: payloads come from
anywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Step = Callable[[object], Iterable[str | int | None]]
    """Where a value goes on: the keys or indexes of what it holds; None for the value itself."""

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(!?)([^\]=^|]*)(?:(\^?=)([^\]]*))?\]")


@dataclass(frozen=True, slots=True)
class Path:
    """A path as it is written, with its steps. `path` makes one."""

    written: str
    steps: tuple[Step, ...] = field(compare=False)

    def find(self, payload: Any) -> list[Any]:
        """What stands at this path in *payload*, in reading order; nulls are not found."""
        found = [payload]
        for step in self.steps:
            found = [outer if key is None else outer[key] for outer in found for key in step(outer)]
        return [value for value in found if value is not None]

    def places(self, root: list[Any]) -> list[tuple[Any, Any]]:
        """``(holder, key)`` of what `find` finds in the payload ``root[0]``.

        So ``holder[key]`` can be changed, also where it is the payload itself.
        """
        found: list[tuple[Any, Any]] = [(root, 0)]
        for step in self.steps:
            found = [
                (holder, at) if key is None else (holder[at], key)
                for holder, at in found
                for key in step(holder[at])
            ]
        return [(holder, key) for holder, key in found if holder[key] is not None]

    def __repr__(self) -> str:
        """As an expression that makes it."""
        return f"path({self.written!r})"


def path(written: str) -> Path:
    """The path that is *written* so. Raises ValueError where it can't be read."""
    steps: list[Step] = []
    at = 0
    while at < len(written):
        step = _STEP.match(written, at)
        if step is None:
            raise ValueError(f"no path: {written!r} can't be read from {written[at:]!r} on")
        key, negated, test, relation, values = step.groups()
        if key is not None:
            steps.append(_key(key))
        elif not test:
            steps.append(_each)
        else:
            steps.append(_where(_test(test, negated, relation, values)))
        at = step.end()
    return Path(written, tuple(steps))


def paths(*written: str) -> tuple[Path, ...]:
    """Several paths."""
    return tuple(path(each) for each in written)


def texts(where: Iterable[Path], payload: object) -> str:
    """The text at the first of the paths *where* that leads to any: its strings, joined; else ''.

    The first one wins since servers repeat themselves: Together sends each token as
    ``choices[].delta.content`` and once more as ``choices[].text``.
    """
    for each in where:
        text = "".join([found for found in each.find(payload) if isinstance(found, str)])
        if text:
            return text
    return ""


def replace_texts(where: Iterable[Path], root: list[Any], text: str) -> bool:
    """Put *text* where `texts` reads in the payload ``root[0]``; whether there is such a place.

    Where a path leads to several strings, the first gets the text and the others become empty. A
    path that repeats what the first one says goes on to repeat it. Where all of them are empty, the
    first path's string gets the text.
    """
    found = [
        [(holder, key) for holder, key in each.places(root) if isinstance(holder[key], str)]
        for each in where
    ]
    found = [places for places in found if places]
    said = ["".join([holder[key] for holder, key in places]) for places in found]
    first = next((text for text in said if text), None)
    chosen = [places for places, was in zip(found, said, strict=True) if was == first]
    for places in chosen or found[:1]:
        for number, (holder, key) in enumerate(places):
            holder[key] = "" if number else text
    return bool(found)


def _key(key: str) -> Step:
    def step(value: object) -> Iterable[str]:
        return (key,) if isinstance(value, dict) and key in value else ()

    return step


def _each(value: object) -> Iterable[int]:
    return range(len(value)) if isinstance(value, list) else ()


def _where(passes: Callable[[dict[str, object]], bool]) -> Step:
    def step(value: object) -> Iterator[int | None]:
        if isinstance(value, list):
            for index, each in enumerate(value):
                if isinstance(each, dict) and passes(each):
                    yield index
        elif isinstance(value, dict) and passes(value):
            yield None

    return step


def _test(
    key: str, negated: str, relation: str | None, values: str | None
) -> Callable[[dict[str, object]], bool]:
    if negated:
        return lambda value: value.get(key) in (None, False)
    if relation is None or values is None:
        return lambda value: value.get(key) not in (None, "")
    wanted = tuple(values.split("|"))
    if relation == "^=":
        return lambda value: _as_written(value.get(key)).startswith(wanted)
    return lambda value: _as_written(value.get(key)) in wanted


def _as_written(value: object) -> str:
    """A string as it is, true and false as JSON writes them; '' for everything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else ""
