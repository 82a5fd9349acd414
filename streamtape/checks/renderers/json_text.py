"""Smaller JSON texts that stay JSON: with fewer members, shorter strings and numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from streamtape.delivery.shrinking import ddmin

_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^\s"{}\[\],:]+|[{}\[\],:])', re.DOTALL)
_IN_STRING = re.compile(r"(?:\\u[dD][89abAB]..\\u....)|\\u....|\\.|.", re.DOTALL)

Fails = Callable[[str], bool]


@dataclass
class Node:
    """A value as it was written. ``items`` are the members of an object or array, with their keys.

    ``raw`` is the text of another value, and ``{`` or ``[``.
    """

    raw: str
    items: list[tuple[str, Node]] = field(default_factory=list)

    def __str__(self) -> str:
        """The text, without white space between its tokens."""
        if self.raw == "{":
            return "{" + ",".join(f"{key}:{value}" for key, value in self.items) + "}"
        if self.raw == "[":
            return "[" + ",".join(str(value) for _, value in self.items) + "]"
        return self.raw

    def become(self, other: Node) -> None:
        """Be the same as *other* from now on."""
        self.raw, self.items = other.raw, other.items


def document(text: object) -> Node | None:
    """The object or array that *text* is; None where it is no such JSON text."""
    if not isinstance(text, str) or text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        json.loads(text)
    except ValueError:
        return None
    return _node(match[1] for match in _TOKEN.finditer(text))


def shrink(root: Node, fails: Fails) -> None:
    """Make *root* smaller for as long as *fails* is true of its text, as it is at first."""
    before = ""
    while before != (before := str(root)):
        for node in _nodes(root):
            if node.raw in ("{", "["):
                _fewer(root, node, fails)
                _lifted(root, node, fails)
            else:
                node.raw = _shorter(node.raw, partial(_tried, root, node, fails))


def _node(tokens: Iterator[str], first: str = "") -> Node:
    first = first or next(tokens)
    node = Node(first)
    if first not in ("{", "["):
        return node
    for part in tokens:
        if part in ("}", "]"):
            break
        if part == ",":
            continue
        if first == "{":
            next(tokens)  # the colon
            node.items.append((part, _node(tokens)))
        else:
            node.items.append(("", _node(tokens, part)))
    return node


def _nodes(root: Node) -> Iterator[Node]:
    """*root* and what is in it, as it is by then."""
    yield root
    for _, child in root.items:
        yield from _nodes(child)


def _fewer(root: Node, node: Node, fails: Fails) -> None:
    """Leave out members of *node*, and shorten the keys of the others."""

    def fail(some: Sequence[tuple[str, Node]]) -> bool:
        before, node.items = node.items, list(some)
        if fails(str(root)):
            return True
        node.items = before
        return False

    node.items = list(ddmin(node.items, fail))
    for number, (key, value) in enumerate(node.items):
        if key:
            before, after = node.items[:number], node.items[number + 1 :]
            _shorter(key, partial(_renamed, fail, before, value, after))


def _renamed(
    fail: Callable[[Sequence[tuple[str, Node]]], bool],
    before: Sequence[tuple[str, Node]],
    value: Node,
    after: Sequence[tuple[str, Node]],
    key: str,
) -> bool:
    return fail([*before, (key, value), *after])


def _lifted(root: Node, node: Node, fails: Fails) -> None:
    """Put a member of *node* in its place; in that of *root* only an object or array."""
    for _, child in list(node.items):
        if node is not root or child.raw in ("{", "["):
            before = Node(node.raw, node.items)
            node.become(child)
            if fails(str(root)):
                return
            node.become(before)


def _tried(root: Node, node: Node, fails: Fails, raw: str) -> bool:
    before, node.raw = node.raw, raw
    failed = fails(str(root))
    node.raw = before
    return failed


def _shorter(raw: str, fails: Fails) -> str:
    """The shortest JSON text of the same kind as *raw*, a string or a number, that fails."""
    is_string = raw.startswith('"')
    atoms = _IN_STRING.findall(raw[1:-1]) if is_string else list(raw)
    if not is_string and raw in ("true", "false", "null"):
        return raw

    def made(some: Sequence[str]) -> str:
        return '"' + "".join(some) + '"' if is_string else "".join(some)

    def fail(some: Sequence[str]) -> bool:
        try:
            json.loads(made(some))
        except ValueError:
            return False
        return fails(made(some))

    return made(ddmin(atoms, fail)) if len(atoms) > (not is_string) else raw
