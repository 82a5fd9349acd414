"""A failure as text: the stream, the delivery to paste, and what differs from what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING, TypeGuard

from streamtape.report.cuts import explain

if TYPE_CHECKING:
    from streamtape.checks.failures import Failure
    from streamtape.delivery import Delivery
    from streamtape.tape import Tape

_INDENT = "    "
_WIDTH = 100
_SHOWN = 4
"""So many items of each side of a difference are shown."""
_SMALL_BODY = 200
"""A body of up to so many bytes is shown whole."""
_BEFORE, _AFTER = 36, 24
"""So many bytes of a larger body are shown before and after a cut."""


def told(failure: Failure) -> list[str]:
    """The lines that tell of one *failure*."""
    lines = [f"{failure.kind}: {failure.sentence}" if failure.sentence else failure.kind]
    if failure.case:
        lines.append(f"{_INDENT}stream    {failure.case}")
    if failure.pieces is None:
        lines.append(f"{_INDENT}delivery  {failure.delivery!r} (example {failure.examples})")
    else:
        lines.append(f"{_INDENT}pieces    {_pieces(failure.pieces)} (example {failure.examples})")
    if failure.tape is not None:
        delivered = _delivered(failure.delivery, failure.tape)
        lines += [f"{_INDENT}{line}" for line in delivered if line != failure.sentence]
    return lines + [f"{_INDENT}{line}" for line in difference(failure.expected, failure.got)]


def _delivered(delivery: Delivery, tape: Tape) -> list[str]:
    """What was delivered: all chunks of a small body; of a large one what was done to it."""
    delivered = delivery.apply(tape)
    if len(delivered.body) <= _SMALL_BODY:
        return [f"chunks    {line}" for line in delivered_chunks(delivered)]
    lines = explain(delivery, tape)
    if delivered.body != tape.body and not isinstance(delivery.cuts, tuple):
        start = max(_common(delivered.body, tape.body) - _BEFORE, 0)
        lines.append(f"body      {delivered.body[start : start + _BEFORE + _WIDTH // 2]!r} …")
    return lines


def delivered_chunks(tape: Tape) -> list[str]:
    """The chunks of *tape*, a bar between them; of a large body the bytes round the first cuts."""
    pieces = [chunk.data for chunk in tape.chunks]
    body = tape.body
    if len(pieces) > _SHOWN and len(pieces) >= len(body):
        return [f"one byte each: {_short(repr(body))}"]
    if len(body) <= _SMALL_BODY:
        return [" | ".join(map(repr, pieces)) or "none"]
    cuts = list(accumulate(map(len, pieces)))[:-1]
    if not cuts:
        return [f"one of {len(body):,} bytes: {_short(repr(body[:_WIDTH]))}"]
    lines = [f"cut {cut}: {_round_cut(body, cut)}" for cut in cuts[:2]]
    return lines if len(cuts) == len(lines) else [*lines, f"and {len(cuts) - len(lines):,} more"]


def _round_cut(body: bytes, cut: int) -> str:
    return f"{body[max(cut - _BEFORE, 0) : cut]!r} | {body[cut : cut + _AFTER]!r}"


def _pieces(pieces: Sequence[object]) -> str:
    """All *pieces* where they are short or few, else their number and the first ones."""
    written = " | ".join(map(repr, pieces))
    return written if len(written) <= _SMALL_BODY else f"{len(pieces):,}: {written[:_WIDTH]} …"


def difference(expected: object, got: object) -> list[str]:
    """What *got* has in another way than *expected*: ``-`` is missing, ``+`` is there instead."""
    if isinstance(got, BaseException):
        many = f"- {len(expected):,} items" if _is_list(expected) and len(expected) > 1 else ""
        return [*([many] if many else _side("-", expected)), f"+ {_exception(got)}"]
    if _is_list(expected) and _is_list(got):
        return _items(list(expected), list(got))
    left, right = _apart(repr(expected), repr(got))
    return [f"- {left}", f"+ {right}"]


def _side(sign: str, value: object) -> list[str]:
    if not _is_list(value):
        return [f"{sign} {_short(repr(value))}"]
    if not value:
        return [f"{sign} nothing"]
    shown = [f"{sign} {_short(repr(item))}" for item in value[:_SHOWN]]
    return shown if len(value) <= _SHOWN else [*shown, f"{sign} and {len(value) - _SHOWN:,} more"]


def _items(expected: list[object], got: list[object]) -> list[str]:
    same = _common(expected, got)
    after = _common(expected[same:][::-1], got[same:][::-1])
    missing, instead = expected[same : len(expected) - after], got[same : len(got) - after]
    if len(missing) == len(instead) == 1:
        left, right = _apart(repr(missing[0]), repr(instead[0]))
        sides = [f"- {left}", f"+ {right}"]
    else:
        sides = [*_side("-", missing), *_side("+", instead)]
    before = [f"  {same:,} equal"] if same else []
    return [*before, *sides, *([f"  {after:,} equal"] if after else [])]


def _common(one: Sequence[object], other: Sequence[object]) -> int:
    """How many items *one* and *other* begin with alike."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in same)


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray))


def _exception(error: BaseException) -> str:
    return _short(f"{type(error).__name__}: {error}".replace("\n", " "))


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH // 2]} … {text[-_WIDTH // 2 :]}"


def _apart(one: str, other: str) -> tuple[str, str]:
    """Both texts, shortened round the place where they begin to differ."""
    start = max(_common(one, other) - _WIDTH // 2, 0)
    return _window(one, start), _window(other, start)


def _window(text: str, start: int) -> str:
    left = "… " if start else ""
    right = " …" if len(text) > start + _WIDTH else ""
    return f"{left}{text[start : start + _WIDTH]}{right}"
