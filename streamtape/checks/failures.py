"""What a check found: failures, one for each class, and the error that tells of them all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from streamtape.checks.scorecard import told

if TYPE_CHECKING:
    from streamtape.delivery import Delivery
    from streamtape.tape import Tape


@dataclass(frozen=True)
class Failure:
    """One class of failure, with the smallest example found.

    ``kind`` is a short name that stays: ``"chunk-boundary/utf8-split"``. ``delivery`` is the
    simplest one found under which it shows, and ``tape`` what it delivers (None where the check was
    given no tape). ``expected`` is the right result; ``got`` is the result, or the exception itself
    where one was raised. ``examples`` tells how many examples the check had tried when it first met
    this class, that one included; what shrinking tried is not counted.

    ``sentence`` says in words what the kind means, ``case`` which stream it was, and ``pieces``
    what was given where that is no delivery of a tape.
    """

    kind: str
    delivery: Delivery
    expected: object
    got: object
    examples: int = 0
    sentence: str = ""
    case: str = ""
    tape: Tape | None = field(default=None, repr=False)
    pieces: tuple[object, ...] | None = None

    def __str__(self) -> str:
        """As a person reads it, in several lines."""
        return "\n".join(told(self))


class CheckFailed(AssertionError):  # noqa: N818 - an assertion that failed, named as in the checks
    """A check found failures, or no longer finds ones that it was told to find.

    ``failures`` holds the first of each kind, in the order in which they were found, without those
    that were allowed. ``gone`` names the kinds that were allowed and don't occur any more. The text
    of the error is the scorecard.
    """

    def __init__(
        self, failures: Iterable[Failure], *, check: str = "", gone: Iterable[str] = ()
    ) -> None:
        self.failures: tuple[Failure, ...] = tuple(failures)
        self.gone: tuple[str, ...] = tuple(gone)
        super().__init__(_scorecard(check, self.failures, self.gone))


@dataclass
class Findings:
    """What a check has found so far: the first failure of each kind, and how many it tried.

    ``most`` tells how many it may try; None sets no limit.
    """

    examples: int = 0
    failures: dict[str, Failure] = field(default_factory=dict)
    most: int | None = None

    @property
    def left(self) -> int | None:
        """How many may still be tried."""
        return None if self.most is None else max(self.most - self.examples, 0)

    def add(self, failure: Failure) -> None:
        """Keep *failure*, unless its kind was met before."""
        self.failures.setdefault(failure.kind, failure)

    def tried(self, failure: Failure | None) -> Failure | None:
        """Count one example, and note in *failure* which one it is."""
        self.examples += 1
        return failure and replace(failure, examples=self.examples)

    def verdict(self, check: str, allow: Iterable[str] = ()) -> None:
        """Raise `CheckFailed` for what was found and is not in *allow*, and for what only is there.

        Raises ValueError where *allow* is one string and no collection of them.
        """
        if isinstance(allow, str):
            raise ValueError(f"allow is the string {allow!r}: write a collection, ({allow!r},)")  # noqa: TRY004 - as for a wrong word
        allowed = dict.fromkeys(allow)
        unexpected = [one for kind, one in self.failures.items() if kind not in allowed]
        # What was not tried to the end may still occur.
        gone = [kind for kind in allowed if kind not in self.failures and self.left != 0]
        if unexpected or gone:
            raise CheckFailed(unexpected, check=check, gone=gone)


def _scorecard(check: str, failures: tuple[Failure, ...], gone: tuple[str, ...]) -> str:
    count = f"{len(failures)} class{'es' * (len(failures) != 1)} of failure"
    head = f"{check}: {count}" if check else count
    blocks = [str(failure) for failure in _told_once(failures)]
    blocks += [f"{kind}: allowed, but no longer occurs. Take it out of allow." for kind in gone]
    return "\n\n".join([head, *blocks])


def _told_once(failures: tuple[Failure, ...]) -> list[Failure]:
    """*failures*, with one that names all kinds where nothing else tells them apart."""
    alike: dict[object, list[Failure]] = {}
    for one in failures:
        group = one.kind.partition("/")[0]
        told_alike = repr(replace(one, kind=group, examples=0))
        alike.setdefault((told_alike, id(one.tape)), []).append(one)
    return [replace(some[0], kind=", ".join(one.kind for one in some)) for some in alike.values()]
