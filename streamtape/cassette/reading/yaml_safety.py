"""Cassette YAML, read without running anything from it and in bounded time and memory.

The text is parsed into events, and the node graph is built here instead of by PyYAML, since
PyYAML's C composer recurses on the C stack (100,000 opening brackets end the process) and follows
every alias without counting. So what is refused is refused before anything is constructed: nesting
deeper than `MAX_DEPTH`, aliases that repeat more than `MAX_REPEATED`, recursion, and every tag but
YAML's own and those few that recorders write (`yaml_tags`). The constructors are PyYAML's safe
ones.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import yaml

from streamtape.cassette.errors import CassetteError
from streamtape.cassette.reading.places import Lines
from streamtape.cassette.reading.yaml_tags import CassetteLoader

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 100
"""Collections in collections, aliases written out.

Copying a value takes two calls for each of them and dumping it five, of the 1,000 that Python
allows.
"""

MAX_REPEATED = 1_000_000
"""What aliases may add to a file: nodes, and for each 256 characters of a scalar one more.

vcrpy writes an alias where it met the same response twice, so they cannot be refused.
"""

MAX_MERGES = 10_000
"""Merge keys (``<<``) in a file. PyYAML deletes them from a list one by one: quadratic in them."""

MAX_NUMBER = 1_000
"""Characters of a number. Base 60 (``1:30:00``, YAML 1.1) is quadratic in PyYAML."""

TAG = "tag:yaml.org,2002:"
_MERGE = TAG + "merge"
# A key `<<` or `=` has a tag without a constructor: PyYAML resolves it while it builds a mapping.
_KEYS_ONLY = frozenset({_MERGE, TAG + "value"})
_NUMBERS = frozenset({TAG + "int", TAG + "float"})
_DEFAULT_TAGS = {yaml.SequenceNode: TAG + "seq", yaml.MappingNode: TAG + "map"}


class Faults:
    """What can be wrong with a YAML text, said with its path and line."""

    def __init__(self, source: str | bytes, path: str | None) -> None:
        self._source = source
        self._path = path
        self._marks_hold = False

    @functools.cached_property
    def _lines(self) -> Lines:
        source = self._source
        return Lines(source if isinstance(source, str) else source.decode(errors="replace"))

    def ended(self, mark: Any) -> None:
        """Take the mark at the end: where YAML counted as many lines as there are LF, marks hold.

        YAML counts U+0085, U+2028 and a lone CR too. Only where it met one is the text counted.
        """
        source = self._source
        count = source.count("\n") if isinstance(source, str) else source.count(b"\n")
        self._marks_hold = mark.line == count

    def line(self, mark: Any) -> int:
        """The line, from 1, of a mark."""
        return int(mark.line) + 1 if self._marks_hold else self._lines.at(mark.index)

    def error(self, message: str, mark: Any) -> CassetteError:
        """An error at a mark."""
        return CassetteError(message, path=self._path, line=self.line(mark))

    def too_deep(self, mark: Any) -> CassetteError:
        """An error for collections nested more than `MAX_DEPTH` deep."""
        return self.error(
            f"collections are nested more than {MAX_DEPTH} deep here, which no cassette is, so the"
            " file is refused; record it again",
            mark,
        )

    def unknown_tag(self, tag: str, mark: Any) -> CassetteError:
        """An error for a tag that nothing here constructs."""
        shown = tag.replace(TAG, "!!")
        if tag.startswith(TAG + "python/"):
            return self.error(
                f"the tag {shown} stands here, which asks for a Python object to be built by code,"
                " so the file is refused and nothing of it was run; record it again, or write the"
                " value as text",
                mark,
            )
        return self.error(
            f"the tag {shown} stands here, which no recorder known to streamtape writes, so its"
            " value is unknown; record the cassette again, or write the value as text",
            mark,
        )

    def syntax(self, error: Any) -> CassetteError:
        """PyYAML's error, at the line that it marks."""
        if isinstance(error, yaml.reader.ReaderError):
            return self._bad_character(error)
        mark = error.problem_mark or error.context_mark
        began = ""
        if error.context_mark is not None and error.context_mark.line != mark.line:
            began = f" (it began in line {self.line(error.context_mark)})"
        problem = " ".join(part for part in (error.context, error.problem) if part)
        return self.error(
            f"this is not YAML that can be read: {problem}{began}, so nothing of the file can be"
            " played; mend the line, or record the cassette again",
            mark,
        )

    def _bad_character(self, error: Any) -> CassetteError:
        # libyaml, which gets bytes, counts bytes here, and PyYAML's own reader characters.
        source: Any = self._source
        line = source.count("\n" if isinstance(source, str) else b"\n", 0, error.position) + 1
        return CassetteError(
            f"the character U+{error.character:04X} stands here, which YAML allows only escaped, so"
            ' nothing of the file can be played; write it escaped ("\\0"), or record it again',
            path=self._path,
            line=line,
        )


class _Open:
    """A collection whose end has not been met."""

    __slots__ = ("anchor", "height", "key", "node", "weight")

    def __init__(self, node: Any, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.key: Any = None
        self.height = 1
        self.weight = 1


class Composer:
    """The node graph of a YAML text, built from its parser's events.

    ``loader`` constructs values from nodes; it is the parser too.

    Weights count what a node stands for with each alias in it written out: one for each node and
    one for each 256 characters of a scalar.
    """

    def __init__(self, loader: Any, faults: Faults) -> None:
        self._loader = loader
        self._faults = faults
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int, int] | None] = {}
        self._root: Any = None
        self._written = 0
        self._merges = 0

    def compose(self) -> Any:
        """The root node; None where the text holds nothing but comments.

        Raises CassetteError for text that is not YAML and for what this module refuses.
        """
        handlers: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.SequenceStartEvent: functools.partial(self._begin, yaml.SequenceNode),
            yaml.MappingStartEvent: functools.partial(self._begin, yaml.MappingNode),
            yaml.SequenceEndEvent: self._end,
            yaml.MappingEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
            yaml.StreamEndEvent: self._stream_end,
        }
        next_event = self._loader.get_event
        try:
            while (event := next_event()) is not None:
                handler = handlers.get(type(event))
                if handler is not None:
                    handler(event)
        except yaml.YAMLError as error:
            raise self._faults.syntax(error) from error
        return self._root

    def _document(self, event: Any) -> None:
        if self._root is not None:
            raise self._faults.error(
                "a second YAML document begins here, and a cassette is one document, so it is"
                " unclear which one to play; keep one of them",
                event.start_mark,
            )

    def _stream_end(self, event: Any) -> None:
        self._faults.ended(event.start_mark)

    def _scalar(self, event: Any) -> None:
        tag = event.tag
        value = event.value
        if tag is None or tag == "!":
            tag = self._loader.resolve(yaml.ScalarNode, value, event.implicit)
        if tag not in CassetteLoader.yaml_constructors:
            self._check_tag(tag, event)
        elif tag in _NUMBERS and len(value) > MAX_NUMBER:
            raise self._faults.error(
                f"a number of {len(value)} characters stands here, which no recorder writes, so the"
                " file is refused; quote it if it is text",
                event.start_mark,
            )
        node = yaml.ScalarNode(tag, value, event.start_mark, None, event.style)
        weight = 1 + (len(value) >> 8)
        self._written += weight
        if event.anchor is not None:
            self._anchor(event.anchor, event)
            self._anchors[event.anchor] = (node, weight, 0)
        self._add(node, weight, 0, event)

    def _begin(self, kind: Any, event: Any) -> None:
        tag = event.tag
        if tag is None or tag == "!":
            tag = _DEFAULT_TAGS[kind]
        elif tag not in CassetteLoader.yaml_constructors:
            self._check_tag(tag, event)
        if len(self._open) >= MAX_DEPTH:
            raise self._faults.too_deep(event.start_mark)
        if event.anchor is not None:
            self._anchor(event.anchor, event)
            self._anchors[event.anchor] = None
        node = kind(tag, [], event.start_mark, None, event.flow_style)
        self._written += 1
        self._open.append(_Open(node, event.anchor))

    def _end(self, event: Any) -> None:
        done = self._open.pop()
        if done.anchor is not None:
            self._anchors[done.anchor] = (done.node, done.weight, done.height)
        self._add(done.node, done.weight, done.height, event)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            raise self._faults.error(
                f"the alias *{event.anchor} stands for nothing: no anchor &{event.anchor} comes"
                " before it, so the value is lost; record the cassette again",
                event.start_mark,
            )
        target = self._anchors[event.anchor]
        if target is None:
            raise self._faults.error(
                f"the alias *{event.anchor} stands inside its own value, which no response can"
                " hold, so the file is refused; record it again",
                event.start_mark,
            )
        self._add(*target, event)

    def _anchor(self, anchor: str, event: Any) -> None:
        if anchor in self._anchors:
            raise self._faults.error(
                f"the anchor &{anchor} is set a second time, so its aliases are ambiguous; record"
                " the cassette again",
                event.start_mark,
            )

    def _add(self, node: Any, weight: int, height: int, event: Any) -> None:
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        parent.weight += weight
        if height >= parent.height:
            parent.height = height + 1
            if height + len(self._open) > MAX_DEPTH:  # an alias of something deep
                raise self._faults.too_deep(event.start_mark)
        if parent.weight > self._written + MAX_REPEATED:
            raise self._faults.error(
                f"aliases repeat more than {MAX_REPEATED:,} values up to here, which would fill"
                " the memory, so the file is refused; record it again",
                event.start_mark,
            )
        if type(parent.node) is yaml.SequenceNode:
            parent.node.value.append(node)
        elif parent.key is None:
            parent.key = node
        else:
            parent.node.value.append((parent.key, node))
            parent.key = None

    def _check_tag(self, tag: str, event: Any) -> None:
        if tag == _MERGE:
            self._merges += 1
            if self._merges > MAX_MERGES:
                raise self._faults.error(
                    f"the file has more than {MAX_MERGES:,} merge keys (<<), which no recorder"
                    " writes, so it is refused; record it again",
                    event.start_mark,
                )
        elif tag not in _KEYS_ONLY:
            raise self._faults.unknown_tag(tag, event.start_mark)
