"""YAML values that know the line they stand in."""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any

import yaml

from streamtape.cassette.reading.places import Place
from streamtape.cassette.reading.yaml_safety import TAG, Composer, Faults
from streamtape.cassette.reading.yaml_tags import HAS_LIBYAML, CassetteLoader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from streamtape.cassette.errors import CassetteError

_MISFITS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""What PyYAML's constructors let through where a value does not fit its tag (``!!int x``)."""


def read_yaml(source: str | bytes, path: str | None) -> Place | None:
    """The root value of a YAML text, with places; None where it holds nothing but comments.

    *source* is text, or bytes in UTF-8 without a byte order mark, which libyaml reads faster.

    Raises CassetteError for text that is not YAML, and for what `yaml_safety` refuses.
    """
    if not HAS_LIBYAML:
        _warn_without_libyaml()
    faults = Faults(source, path)
    try:
        loader = CassetteLoader(source)
    except yaml.YAMLError as error:  # PyYAML's own reader looks at all characters first
        raise faults.syntax(error) from error
    file = _File(loader, faults)
    root = Composer(file.loader, file.faults).compose()
    return None if root is None else YamlPlace(file, root)


@functools.cache
def _warn_without_libyaml() -> None:
    warnings.warn(
        "PyYAML is installed without libyaml, so cassettes load about 40 times slower; install a"
        " PyYAML wheel, or build it with libyaml's headers present",
        RuntimeWarning,
        stacklevel=2,
    )


class YamlPlace(Place):
    """A value in a YAML text."""

    __slots__ = ("_file", "_node")

    def __init__(self, file: _File, node: Any) -> None:
        self._file = file
        self._node = node

    @property
    def line(self) -> int:
        return self._file.faults.line(self._node.start_mark)

    @property
    def text_line(self) -> int:
        return self.line + (getattr(self._node, "style", None) in ("|", ">"))

    @property
    def written(self) -> str:
        return self._node.value if isinstance(self._node, yaml.ScalarNode) else ""

    def value(self) -> Any:
        return self._file.construct(self._node)

    def entries(self) -> Mapping[str, Place] | None:
        if self._node.tag != TAG + "map" or not isinstance(self._node, yaml.MappingNode):
            return None
        self._file.flatten(self._node)
        return {
            self._file.name(key): YamlPlace(self._file, value) for key, value in self._node.value
        }

    def elements(self) -> Sequence[Place] | None:
        if self._node.tag not in (TAG + "seq", TAG + "python/tuple"):
            return None
        if not isinstance(self._node, yaml.SequenceNode):
            return None
        return [YamlPlace(self._file, node) for node in self._node.value]

    def fail(self, message: str) -> CassetteError:
        return self._file.faults.error(message, self._node.start_mark)


class _File:
    """A YAML text that has been composed: what constructs its values and reports its faults."""

    def __init__(self, loader: Any, faults: Faults) -> None:
        self.loader = loader
        self.faults = faults

    def construct(self, node: Any) -> Any:
        """The value of *node*, sharing nothing with what was constructed before."""
        try:
            return self.loader.construct_document(node)
        except yaml.YAMLError as error:
            raise self.faults.syntax(error) from error
        except RecursionError as error:  # the tags of buffers and iterators are built by recursion
            raise self.faults.too_deep(node.start_mark) from error
        except _MISFITS as error:
            guilty = next(self._guilty(node), node)
            kind = guilty.tag.replace(TAG, "!!")
            raise self.faults.error(
                f"this is no {kind}: {error}, so the value is unknown; quote it if it is text",
                guilty.start_mark,
            ) from error

    def _guilty(self, node: Any) -> Iterator[Any]:
        """The nodes under *node* that cannot be constructed, innermost first."""
        if isinstance(node, yaml.MappingNode):
            children = [child for pair in node.value for child in pair]
        else:
            children = node.value if isinstance(node, yaml.SequenceNode) else []
        for child in children:
            yield from self._guilty(child)
        if node.tag in (TAG + "map", TAG + "seq"):
            return
        # What the failed construction left behind.
        self.loader.constructed_objects.clear()
        self.loader.recursive_objects.clear()
        try:
            self.loader.construct_object(node, deep=True)
        except (yaml.YAMLError, *_MISFITS):
            yield node

    def flatten(self, node: Any) -> None:
        """Resolve the merge keys of a mapping, in place."""
        try:
            self.loader.flatten_mapping(node)
        except yaml.YAMLError as error:
            raise self.faults.syntax(error) from error

    def name(self, key: Any) -> str:
        """A mapping's key as text, as written where YAML takes it for something else (``on``)."""
        if isinstance(key, yaml.ScalarNode) and not key.tag.endswith(":binary"):
            return str(key.value)
        value = self.construct(key)
        if isinstance(value, bytes):
            return value.decode("latin-1")
        if not isinstance(value, str):
            raise self.faults.error(
                "a collection stands here as a name, so the value has no name; names are text",
                key.start_mark,
            )
        return value
