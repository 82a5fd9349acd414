"""A delivery from its repr, read and never evaluated: it may come from a command line."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from streamtape.delivery import Delivery, Pace, contents, faults, middleboxes, rewrites
from streamtape.delivery.change import Change

if TYPE_CHECKING:
    from collections.abc import Callable

# Imported for what they add to `Change.makers`.
FAMILIES = {
    module.__name__.rpartition(".")[2]: module
    for module in (rewrites, contents, faults, middleboxes)
}


def parse(written: str) -> Delivery:
    """The delivery that the expression *written* makes: what ``repr`` gives, and what people type.

    Only calls of ``Delivery``, ``Pace`` and of the makers in ``rewrites``, ``contents``, ``faults``
    and ``middleboxes``, tuples, lists, and constants are read.

    Raises ValueError for anything else, and where a call is refused.
    """
    try:
        tree = ast.parse(written.strip(), mode="eval")
        value = _value(tree.body)
    except (SyntaxError, TypeError, ValueError, RecursionError) as exc:
        raise ValueError(
            f"no delivery: {written!r} ({exc}). Write it as it was printed, such as"
            " Delivery(cuts=(1042,)) or Delivery(cuts='bytes', rewrites=(rewrites.crlf(),))"
        ) from exc
    if not isinstance(value, Delivery):
        raise ValueError(  # noqa: TRY004 - what the user typed is a value
            f"no delivery: {written!r} is {type(value).__name__}. Wrap it: Delivery(…)"
        )
    return value


def _value(node: ast.expr) -> object:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | bytes() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            return tuple(_value(element) for element in elements)
        case ast.Call(func=function, args=args, keywords=keywords):
            return _call(function, args, keywords)
        case _:
            raise ValueError(f"{ast.unparse(node)} is neither a value nor a call")


def _call(function: ast.expr, args: list[ast.expr], keywords: list[ast.keyword]) -> object:
    named = {keyword.arg: _value(keyword.value) for keyword in keywords if keyword.arg is not None}
    if len(named) != len(keywords):
        raise ValueError("** is not read")
    return _maker(function)(*[_value(arg) for arg in args], **named)


def _maker(function: ast.expr) -> Callable[..., object]:
    match function:
        case ast.Name(id="Delivery"):
            return Delivery
        case ast.Name(id="Pace"):
            return Pace
        case ast.Attribute(value=ast.Name(id=family), attr=name) if family in FAMILIES:
            if (family, name) in Change.makers:
                return Change.makers[family, name]
            known = ", ".join(sorted(n for f, n in Change.makers if f == family))
            raise ValueError(f"there is no {family}.{name}: {family} has {known}")
        case _:
            raise ValueError(f"{ast.unparse(function)} can't be called here")
