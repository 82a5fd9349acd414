"""Values of a cassette file that know the line they stand in, and JSON read as such."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from streamtape.cassette.errors import CassetteError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WHITESPACE = re.compile(r"[ \t\n\r]*")
_SHOWN = 60
_NAMES_SHOWN = 8

_DEPTH_IN_PIECES = 4
"""Root, list, interaction and response are read piece by piece, which tells their values' lines.

What lies deeper the C decoder reads in one piece, which is faster, and it is read again where a
fault in it is to be located.
"""


class Lines:
    """Line numbers, from 1, of offsets in *text*. Cheap where the offsets asked for ascend.

    Only LF ends a line, as in editors; YAML's own marks count U+0085 and U+2028 too.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._offset = 0
        self._line = 1

    def at(self, offset: int) -> int:
        """The number of the line in which the character at *offset* stands."""
        if offset < self._offset:
            self._offset, self._line = 0, 1
        self._line += self.text.count("\n", self._offset, offset)
        self._offset = offset
        return self._line


class Place(ABC):
    """One value of a cassette file and where it stands."""

    __slots__ = ()

    @property
    @abstractmethod
    def line(self) -> int:
        """The line, from 1, in which the value begins."""

    @property
    @abstractmethod
    def text_line(self) -> int:
        """The line, from 1, of the first line of a text (after the ``|`` of a literal block)."""

    @property
    @abstractmethod
    def written(self) -> str:
        """A scalar as it stands in the file: ``0123`` where the value is 83. Else empty."""

    @abstractmethod
    def value(self) -> Any:
        """The value as plain Python objects, which share nothing with those of another place.

        Raises CassetteError for a scalar that its type does not allow (the 40th of May).
        """

    @abstractmethod
    def entries(self) -> Mapping[str, Place] | None:
        """The values of a mapping by name, None for anything else. Of a repeated name the last."""

    @abstractmethod
    def elements(self) -> Sequence[Place] | None:
        """The values of a list, None for anything else."""

    @abstractmethod
    def fail(self, message: str) -> CassetteError:
        """An error about this value, with its path and line."""

    def is_null(self) -> bool:
        """Whether nothing stands here."""
        return self.entries() is None and self.elements() is None and self.value() is None

    def mapping(self, what: str) -> Mapping[str, Place]:
        """`entries`, or an error that says that *what* is expected here."""
        entries = self.entries()
        if entries is None:
            raise self.fail(
                f"a mapping is expected here, {what}, and this is {self.seen()}, so it cannot be"
                " played; remove the interaction, or record the cassette again"
            )
        return entries

    def seen(self) -> str:
        """What stands here, in a few words, for a message."""
        if self.entries() is not None:
            return "a mapping"
        if self.elements() is not None:
            return "a list"
        written = self.written
        value = self.value()
        if value is None:
            return f"nothing ({written})" if written else "nothing"
        if not written and value != "":
            return f"a {type(value).__name__}"
        return repr(written if len(written) <= _SHOWN else written[:_SHOWN] + "...")


def names(entries: Mapping[str, Place] | None) -> str:
    """The first names of a mapping, for a message after "this is a mapping"."""
    return f" with {', '.join(list(entries)[:_NAMES_SHOWN])}" if entries else ""


class JsonPlace(Place):
    """A value in a JSON text. Where it lies deep, its offset is looked up when it is asked for."""

    __slots__ = ("_name", "_parent", "_source", "_span", "_value")

    def __init__(
        self,
        source: _Source,
        value: Any,
        *,
        span: _Span | None = None,
        parent: JsonPlace | None = None,
        name: Any = None,
    ) -> None:
        self._source = source
        self._value = value
        self._span = span
        self._parent = parent
        self._name = name

    @property
    def line(self) -> int:
        return self._source.lines.at(self.span()[0])

    @property
    def text_line(self) -> int:
        return self.line

    @property
    def written(self) -> str:
        if isinstance(self._value, str):
            return self._value
        if isinstance(self._value, dict | list):
            return ""
        start, end, _ = self.span()
        return self._source.text[start:end]

    def value(self) -> Any:
        return self._value

    def entries(self) -> Mapping[str, Place] | None:
        if not isinstance(self._value, dict):
            return None
        return {name: self._child(name, value) for name, value in self._value.items()}

    def elements(self) -> Sequence[Place] | None:
        if not isinstance(self._value, list):
            return None
        return [self._child(number, value) for number, value in enumerate(self._value)]

    def fail(self, message: str) -> CassetteError:
        return CassetteError(message, path=self._source.path, line=self.line)

    def span(self) -> _Span:
        """Where the value begins and ends, read again if need be."""
        if self._span is None:
            self._span = (0, 0, None) if self._parent is None else self._parent.span_of(self._name)
        return self._span

    def span_of(self, name: Any) -> _Span:
        """The span of the value of *name*, or with that number in the list."""
        start, _, spans = self.span()
        if spans is None:
            self._span = self._source.read(start, depth=1)[1]
            spans = self._span[2]
        return (spans or {})[name]

    def _child(self, name: Any, value: Any) -> JsonPlace:
        spans = None if self._span is None else self._span[2]
        span = None if spans is None else spans[name]
        return JsonPlace(self._source, value, span=span, parent=self, name=name)


_Span = tuple[int, int, "_Spans | None"]
"""Offset, end, and for a value that was read piece by piece the spans of its own values."""

_Spans = dict[Any, _Span]


class _Source:
    """A JSON text, read so that values keep their offsets."""

    def __init__(self, text: str, path: str | None) -> None:
        self.text = text
        self.path = path
        self.lines = Lines(text)
        self._decode = json.JSONDecoder().raw_decode

    def root(self) -> JsonPlace:
        """The one value of the text."""
        value, span = self.read(self._skip(0), _DEPTH_IN_PIECES)
        end = self._skip(span[1])
        if end != len(self.text):
            raise json.JSONDecodeError("Extra data after the end", self.text, end)
        return JsonPlace(self, value, span=span)

    def read(self, offset: int, depth: int) -> tuple[Any, _Span]:
        """The value at *offset*; piece by piece down to *depth*, below that in one piece."""
        opening = self.text[offset : offset + 1]
        if depth and opening == "{":
            return self._mapping(offset, depth - 1)
        if depth and opening == "[":
            return self._list(offset, depth - 1)
        value, end = self._decode(self.text, offset)
        return value, (offset, end, None)

    def _skip(self, offset: int) -> int:
        # To the next character that is no whitespace.
        found = _WHITESPACE.match(self.text, offset)
        return offset if found is None else found.end()

    def _mapping(self, start: int, depth: int) -> tuple[dict[str, Any], _Span]:
        values: dict[str, Any] = {}
        spans: _Spans = {}
        offset, ended = self._first(start, "}")
        while not ended:
            if self.text[offset : offset + 1] != '"':
                raise json.JSONDecodeError("Expecting a name in double quotes", self.text, offset)
            name, offset = self._decode(self.text, offset)
            offset = self._skip(offset)
            if self.text[offset : offset + 1] != ":":
                raise json.JSONDecodeError("Expecting ':' after a name", self.text, offset)
            values[name], spans[name] = self.read(self._skip(offset + 1), depth)
            offset, ended = self._next(spans[name][1], "}")
        return values, (start, offset, spans)

    def _list(self, start: int, depth: int) -> tuple[list[Any], _Span]:
        values: list[Any] = []
        spans: _Spans = {}
        offset, ended = self._first(start, "]")
        while not ended:
            value, spans[len(values)] = self.read(offset, depth)
            offset, ended = self._next(spans[len(values)][1], "]")
            values.append(value)
        return values, (start, offset, spans)

    def _first(self, start: int, closing: str) -> tuple[int, bool]:
        """The offset of the first item, or that after the end of an empty collection."""
        offset = self._skip(start + 1)
        ended = self.text[offset : offset + 1] == closing
        return offset + ended, ended

    def _next(self, end: int, closing: str) -> tuple[int, bool]:
        """The offset of the item after the one that ends at *end*, or that after the collection."""
        offset = self._skip(end)
        found = self.text[offset : offset + 1]
        if found == closing:
            return offset + 1, True
        if found != ",":
            raise json.JSONDecodeError(f"Expecting ',' or '{closing}'", self.text, offset)
        return self._skip(offset + 1), False


def read_json(text: str, path: str | None) -> Place:
    """The root value of a JSON text, as vcrpy's JSON serializer reads it, with places.

    Raises CassetteError for text that is no JSON, or is nested too deeply for Python's decoder.
    """
    source = _Source(text, path)
    try:
        return source.root()
    except json.JSONDecodeError as error:
        raise CassetteError(
            f"this is not JSON: {error.msg} (column {error.colno}), so nothing of the file can be"
            " played; mend it, or record it again",
            path=path,
            line=error.lineno,
        ) from error
    except RecursionError as error:
        raise CassetteError(
            "this JSON is nested too deeply to be read, and no cassette is; record it again",
            path=path,
        ) from error
    except ValueError as error:  # a number of more digits than Python converts
        raise CassetteError(
            f"this JSON cannot be read: {error}; mend it, or record it again", path=path
        ) from error
