"""What a delivery does to a stream beside cutting and timing it: functions of tapes, as values.

A module writes a function of a tape; a decorator turns it into a maker of values. So
``rewrites.comments(every=2)`` is a value that can be compared, kept, printed and evaluated again,
and ``.apply(tape)`` calls the function::

    @rewrite("a comment before every event number {every}", every=EVERY)
    def comments(tape: Tape, every: int = 1) -> Tape: ...

What an argument may be is said there too, in the kinds of `streamtape.delivery.arguments`: so a
value that means nothing is refused where it is made.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, Literal, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamtape.delivery.arguments import Argument
    from streamtape.tape import Tape

P = ParamSpec("P")
C = TypeVar("C", bound="Change")

Level = Literal["wire", "payload", "text"]
"""What a rewrite leaves equal: every event; what the JSON in each event means; the text only."""

Outcome = Literal["equal", "raises", "part", "other"]
"""What a client made of a broken stream: the result as recorded, an error, the beginning of the
result without a complaint, or something else without a complaint."""

Function = Callable[..., "Tape | tuple[Tape, ...]"]
Allowed = frozenset[Outcome]


@dataclass(frozen=True, repr=False)
class Change:
    """A change to a stream: ``name`` and ``arguments`` (those that were given) make its repr.

    ``sentence`` says what it does. Two changes are equal where their reprs are.
    """

    family: ClassVar[str]
    makers: ClassVar[dict[tuple[str, str], Callable[..., Change]]] = {}
    """By family and name: what `streamtape.delivery.expression` may call."""

    name: str
    arguments: tuple[tuple[str, object], ...]
    sentence: str = field(compare=False)
    function: Function = field(compare=False)

    def __repr__(self) -> str:
        """As an expression that makes it: ``rewrites.comments(every=2)``."""
        written = ", ".join(f"{name}={value!r}" for name, value in self.arguments)
        return f"{self.family}.{self.name}({written})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001, ARG002 - IPython's and Hypothesis' protocol
        printer.text(repr(self))  # else Hypothesis prints the fields of the dataclass

    def apply(self, tape: Tape) -> Tape:
        """*tape*, changed. Pure. One that the change doesn't concern comes back as it is."""
        return self.attempts(tape)[0]

    def attempts(self, tape: Tape) -> tuple[Tape, ...]:
        """What the first request gets, the next one, and so on; the last one gets the last."""
        changed = self.function(tape, **dict(self.arguments))
        return changed if isinstance(changed, tuple) else (changed,)


@dataclass(frozen=True, repr=False)
class Rewrite(Change):
    """Another wire form with the same meaning. ``level`` says how far down the meaning is kept."""

    family = "rewrites"
    level: Level = field(default="wire", compare=False)


@dataclass(frozen=True, repr=False)
class Content(Change):
    """The same stream with another text in it."""

    family = "contents"


@dataclass(frozen=True, repr=False)
class Middlebox(Change):
    """Something between server and client that holds bytes back: other chunks at other times."""

    family = "middleboxes"


@dataclass(frozen=True, repr=False)
class Fault(Change):
    """A way in which a stream goes wrong."""

    family = "faults"
    judge: Callable[[Tape, Fault], Allowed] = field(kw_only=True, compare=False)

    def allowed(self, tape: Tape) -> Allowed:
        """What a right client may make of *tape* with this fault in it, within bounded time."""
        return self.judge(tape, self)

    @property
    def given(self) -> dict[str, object]:
        """The arguments, defaults included."""
        signature = inspect.signature(self.function)
        defaults = {
            name: parameter.default
            for name, parameter in list(signature.parameters.items())[1:]
            if parameter.default is not parameter.empty
        }
        return {**defaults, **dict(self.arguments)}


def rewrite(
    sentence: str, *, level: Level = "wire", **arguments: Argument
) -> Callable[[Callable[Concatenate[Tape, P], Tape]], Callable[P, Rewrite]]:
    """Make a function of a tape a maker of `Rewrite` values. *sentence* may name its arguments.

    *arguments*: what each of them may be. The maker raises ValueError for anything else, and
    TypeError for arguments that the function doesn't take.
    """

    def decorate(function: Callable[Concatenate[Tape, P], Tape]) -> Callable[P, Rewrite]:
        form = _Form("rewrites", function, sentence, arguments)

        @wraps(function)
        def make(*args: P.args, **kwargs: P.kwargs) -> Rewrite:
            given, told = form.filled(args, kwargs)
            return Rewrite(function.__name__, given, told, function, level)

        return _registered("rewrites", make)

    return decorate


def content(
    sentence: str, **arguments: Argument
) -> Callable[[Callable[Concatenate[Tape, P], Tape]], Callable[P, Content]]:
    """Make a function of a tape a maker of `Content` values, as `rewrite` does."""

    def decorate(function: Callable[Concatenate[Tape, P], Tape]) -> Callable[P, Content]:
        form = _Form("contents", function, sentence, arguments)

        @wraps(function)
        def make(*args: P.args, **kwargs: P.kwargs) -> Content:
            given, told = form.filled(args, kwargs)
            return Content(function.__name__, given, told, function)

        return _registered("contents", make)

    return decorate


def middlebox(
    sentence: str, **arguments: Argument
) -> Callable[[Callable[Concatenate[Tape, P], Tape]], Callable[P, Middlebox]]:
    """Make a function of a tape a maker of `Middlebox` values, as `rewrite` does."""

    def decorate(function: Callable[Concatenate[Tape, P], Tape]) -> Callable[P, Middlebox]:
        form = _Form("middleboxes", function, sentence, arguments)

        @wraps(function)
        def make(*args: P.args, **kwargs: P.kwargs) -> Middlebox:
            given, told = form.filled(args, kwargs)
            return Middlebox(function.__name__, given, told, function)

        return _registered("middleboxes", make)

    return decorate


def fault(
    sentence: str,
    allowed: Allowed | Callable[[Tape, Fault], Allowed] = frozenset({"raises"}),
    **arguments: Argument,
) -> Callable[
    [Callable[Concatenate[Tape, P], Tape | tuple[Tape, ...]]],
    Callable[P, Fault],
]:
    """Make a function of a tape a maker of `Fault` values, as `rewrite` does.

    The function gives what a client gets, or a tuple: what its first request gets, its second, and
    so on. *allowed*: what a right client may make of it, or a function that tells for a tape.
    """

    def decorate(
        function: Callable[Concatenate[Tape, P], Tape | tuple[Tape, ...]],
    ) -> Callable[P, Fault]:
        form = _Form("faults", function, sentence, arguments)

        def judge(tape: Tape, fault: Fault) -> Allowed:
            return allowed(tape, fault) if callable(allowed) else allowed

        @wraps(function)
        def make(*args: P.args, **kwargs: P.kwargs) -> Fault:
            given, told = form.filled(args, kwargs)
            return Fault(function.__name__, given, told, function, judge=judge)

        return _registered("faults", make)

    return decorate


@dataclass(frozen=True)
class _Form:
    """The arguments that a maker takes besides the tape, what each may be, and its sentence."""

    family: str
    function: Function
    sentence: str
    arguments: Mapping[str, Argument]

    def __post_init__(self) -> None:
        taken = [*inspect.signature(self.function).parameters][1:]
        if {*taken} != {*self.arguments}:
            raise TypeError(
                f"{self.function.__name__} takes {taken}, and it is said what"
                f" {[*self.arguments]} may be: name each argument in its decorator"
            )

    def filled(
        self, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> tuple[tuple[tuple[str, object], ...], str]:
        """The arguments by name, in the order of the signature, and the sentence told with them.

        Raises TypeError for arguments that the function doesn't take, and ValueError for those that
        may not be.
        """
        placeholder = object()  # in place of the tape
        bound = inspect.signature(self.function).bind(placeholder, *args, **kwargs)
        _, *given = bound.arguments.items()
        for name, value in given:
            self.arguments[name].check(f"{self.family}.{self.function.__name__}", name, value)
        bound.apply_defaults()
        return tuple(given), self.sentence.format(**dict(list(bound.arguments.items())[1:]))


def _registered(family: str, make: Callable[P, C]) -> Callable[P, C]:
    Change.makers[family, make.__name__] = make
    return make
