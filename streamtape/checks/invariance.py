"""The check of anything that reads a stream: one result under every delivery that says the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from streamtape.checks.calling import Caller
from streamtape.checks.delivering import Delivered
from streamtape.checks.failures import Failure, Findings
from streamtape.checks.results import normal, same
from streamtape.checks.search import Search, in_order, key_of
from streamtape.delivery import Delivery
from streamtape.delivery.contents import substitutions

if TYPE_CHECKING:
    from streamtape.delivery.change import Level
    from streamtape.tape import Tape

_UNSTABLE = "the same chunks give one result now and another one then"


def check_invariant(
    consume: Callable[[Any], Any],
    tape: Tape,
    *,
    rewrites: bool | Level = True,
    contents: bool = False,
    allow: Iterable[str] = (),
) -> None:
    """Check that *consume* makes the same of *tape* however it is delivered.

    *consume* takes an iterator of bytes and returns anything that ``==`` compares, or yields such
    things. An async function or async generator function gets an async iterator. What is expected
    is its own result on the tape as recorded; an exception there passes.

    *rewrites*: whether the stream is written in other ways too, and down to which level:
    ``"wire"``, ``"payload"`` (True means this one: JSON in the events may be written otherwise, and
    text in the results that is JSON is compared as that) or ``"text"`` (the answer's text may come
    in other pieces: only for what returns the whole text). *contents*: whether the text is
    replaced too; each string in the result that is the data of an event, a token, or the text so
    far is then expected to be the new one. *allow*: kinds of failure that are known; one that
    doesn't occur any more fails too.

    Raises `CheckFailed` with the first failure of each kind.
    """
    level: Level | None = rewrites if isinstance(rewrites, str) else "payload" if rewrites else None
    findings = Findings()
    with Caller(consume) as caller:
        try_invariance(caller, tape, findings, key_of(consume), level=level, contents=contents)
    findings.verdict("check_invariant", allow)


def try_invariance(  # noqa: PLR0913 - both checks end here, with all that they were given
    caller: Caller,
    tape: Tape,
    findings: Findings,
    key: str,
    *,
    level: Level | None,
    contents: bool = False,
) -> None:
    """Put into *findings* in what ways the result depends on the delivery of *tape*.

    An exception on the tape as recorded passes. *key* names the check for Hypothesis.
    """
    from streamtape import strategies

    consumer = _Consumer(caller, tape)
    again = consumer.result(Delivery())
    if not same(again, consumer.recorded):
        findings.tried(None)
        findings.add(
            Failure("unstable", Delivery(), consumer.recorded, again, 1, _UNSTABLE, tape=tape)
        )
        return
    search = Search([tape], consumer.judged, findings)
    search.try_each(in_order([tape], level=level, contents=contents))
    strategy = strategies.deliveries(tape, rewrites=level or False, contents=contents)
    search.try_random(strategy, key=f"check_invariant {key}")


class _Consumer:
    """What is checked, and what it should give."""

    def __init__(self, caller: Caller, tape: Tape) -> None:
        self._caller = caller
        self._tape = tape
        self._delivered = Delivered(tape)
        self.recorded = caller([chunk.data for chunk in tape.chunks]).value
        self._expected = lru_cache(maxsize=64)(self._of_contents)

    def result(self, delivery: Delivery) -> object:
        """What comes of *delivery*; an exception is a result."""
        chunks = [chunk.data for chunk in self._delivered.by(delivery).chunks]
        try:
            return self._caller(chunks).value
        except Exception as exc:  # noqa: BLE001 - whatever is raised is what came of it
            return exc

    def judged(self, delivery: Delivery) -> Failure | None:
        """The failure, without a name, where the result is not as it should be."""
        got = self.result(delivery)
        as_json = any(rewrite.level != "wire" for rewrite in delivery.rewrites)
        expected = self.recorded
        if delivery.contents:
            expected, as_json = self._expected(delivery.contents), True
        if not isinstance(got, Exception) and same(expected, got, as_json=as_json):
            return None
        return Failure("", delivery, expected, got, tape=self._tape)

    def _of_contents(self, contents: Sequence[Any]) -> object:
        """What should come of the stream with other *contents*.

        The recorded result, other texts put in place of the old ones. Where it shows none of them,
        its own result on the new stream: only the cuts are judged then.
        """
        other = self._delivered.by(Delivery(contents=tuple(contents)))
        became = substitutions(self._tape, other)
        expected = normal(self.recorded, as_json=True, became=became)
        if expected != normal(self.recorded, as_json=True):
            return expected
        return self.result(Delivery(contents=tuple(contents)))
