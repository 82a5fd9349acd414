"""PyYAML's safe loader, and the tags of Python objects that recorders have written into cassettes.

None of them runs what the file names: each tag has a function of its own here, which builds a text,
a tuple, a buffer, an iterator or a dict from values that were themselves built safely.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

HAS_LIBYAML = hasattr(yaml, "CSafeLoader")

CassetteLoader: Any = type(
    "CassetteLoader", (yaml.CSafeLoader if HAS_LIBYAML else yaml.SafeLoader,), {}
)
"""Parser, resolver and constructor. Use `yaml_safety`, which refuses before constructing."""

_PYTHON = "tag:yaml.org,2002:python/"


def _text(loader: Any, node: Any) -> Any:
    return loader.construct_scalar(node)


def _tuple(loader: Any, node: Any) -> Any:
    return tuple(loader.construct_sequence(node))


def _bytes_io(loader: Any, node: Any) -> Any:
    state = loader.construct_mapping(node, deep=True).get("state") or (b"",)
    content = state[0] if state else b""
    return io.BytesIO(content.encode() if isinstance(content, str) else content or b"")


def _iterator(loader: Any, node: Any) -> Any:
    arguments: Any = loader.construct_mapping(node, deep=True).get("args") or ([],)
    return iter(arguments[0] if arguments else [])


def _arguments(loader: Any, node: Any) -> Any:
    """The arguments of an ``apply`` or ``new``, in its short form or its long one."""
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True).get("args") or ()
    return loader.construct_sequence(node, deep=True)


def _istr(loader: Any, node: Any) -> Any:
    arguments = _arguments(loader, node)
    if len(arguments) != 1 or not isinstance(arguments[0], str):
        raise yaml.constructor.ConstructorError(
            None, None, "expected one text in a case-insensitive string", node.start_mark
        )
    return arguments[0]


def _multidict(loader: Any, node: Any) -> Any:
    headers: dict[str, list[Any]] = {}
    names: dict[str, str] = {}
    for name, value in (_arguments(loader, node) or ((),))[0]:
        headers.setdefault(names.setdefault(name.lower(), name), []).append(value)
    return headers


def _register() -> None:
    # The first five are vcrpy's, the others come from aiohttp's headers.
    known: dict[str, Callable[[Any, Any], Any]] = {
        "str": _text,
        "unicode": _text,
        "tuple": _tuple,
        "object/new:_io.BytesIO": _bytes_io,
        "object/apply:builtins.iter": _iterator,
    }
    for module in ("multidict", "multidict._multidict", "multidict._multidict_py"):
        for way in ("apply", "new"):
            known[f"object/{way}:{module}.istr"] = _istr
            known[f"object/{way}:{module}.CIMultiDict"] = _multidict
            known[f"object/{way}:{module}.MultiDict"] = _multidict
    for suffix, constructor in known.items():
        CassetteLoader.add_constructor(_PYTHON + suffix, constructor)


_register()
