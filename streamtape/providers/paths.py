r"""Paths: where in a JSON payload something stands, in one short string.

| written | finds |
|---|---|
| `` (nothing) | the payload itself |
| `delta.text` | a key in an object, and a key in that |
| `choices[]` | each member of an array |
| `choices[0]` | its first member |
| `[type=ping]` | an object whose `type` is `"ping"`; on an array, each such member |
| `[type=a\|b]` | one of several values; `true`, `false` and whole numbers are written as in JSON |
| `[type^=response.]` | an object whose `type` is text that starts so |
| `[done]` | an object whose `done` is there, and neither null nor an empty string |
| `[!thought]` | an object whose `thought` is missing, null or false |

They follow each other: `[kind=token]payload.piece` is the `piece` in the `payload` of an object
whose `kind` is `"token"`. A path finds nothing where the payload has another shape. It never
raises: payloads come from anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import starmap
from operator import getitem
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    """The path that is *written* so.

    Raises ValueError where it can't be read, and for quotes, spaces and a second ``=`` that would
    be taken for a part of a key or a value.
    """
    if not isinstance(written, str):
        raise ValueError(  # noqa: TRY004 - as for all else that is no path
            f"no path: {written!r} is no text; write it as 'delta.text' or '[type=ping]'"
        )
    steps: list[Step] = []
    at = 0
    while at < len(written):
        step = _STEP.match(written, at)
        if step is None:
            raise ValueError(f"no path: {written!r} can't be read from {written[at:]!r} on")
        key, negated, test, relation, values = step.groups()
        for name in (key or test, *(values or "").split("|")):
            if name and (name != name.strip() or name[0] in "\"'="):
                raise ValueError(
                    f"no path: {written!r} has {name!r}, and no quotes, spaces or second '=' are"
                    " needed: write [type=ping]"
                )
        if key is not None:
            steps.append(_key(key))
        elif test.isdecimal() and not negated and relation is None:
            steps.append(_index(int(test)))
        elif not test:
            steps.append(_each)
        else:
            steps.append(_where(_test(test, negated, relation, values)))
        at = step.end()
    return Path(written, tuple(steps))


def paths(*written: str | Path) -> tuple[Path, ...]:
    """Several paths, each as it is written, or as it is."""
    return tuple(each if isinstance(each, Path) else path(each) for each in written)


Paths = str | Path | Iterable[str | Path]
"""One path, or several."""


def paths_of(given: Paths) -> tuple[Path, ...]:
    """What somebody gave where one path or several are wanted. Raises ValueError, as `path`."""
    return paths(given) if isinstance(given, str | Path) else paths(*given)


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


Places = list[list[tuple[Any, Any]]]
"""``(holder, key)`` of strings that say one text together, as often as a payload says it."""


def text_places(where: Iterable[Path], root: list[Any]) -> Places:
    """Where `texts` reads in the payload ``root[0]``, for `put_text`; empty where it can't.

    A path that repeats what the first one says is one more place. Where all of them are empty, it
    is the first path's.
    """
    found = [
        [(holder, key) for holder, key in each.places(root) if isinstance(holder[key], str)]
        for each in where
    ]
    found = [places for places in found if places]
    said = ["".join(starmap(getitem, places)) for places in found]
    first = next((text for text in said if text), None)
    chosen = [places for places, was in zip(found, said, strict=True) if was == first]
    return chosen or found[:1]


def put_text(places: Places, text: str) -> None:
    """Put *text* at all of *places*: where it is several strings, the others become empty."""
    for strings in places:
        for number, (holder, key) in enumerate(strings):
            holder[key] = "" if number else text


def _key(key: str) -> Step:
    def step(value: object) -> Iterable[str]:
        return (key,) if isinstance(value, dict) and key in value else ()

    return step


def _index(index: int) -> Step:
    def step(value: object) -> Iterable[int]:
        return (index,) if isinstance(value, list) and index < len(value) else ()

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
    """A string as it is, true, false and a whole number as JSON writes them; '' for all else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else ""
