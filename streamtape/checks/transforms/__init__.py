"""The check of filters and guardrails: what validates or rewrites a stream of text on its way."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from streamtape import providers
from streamtape.checks.calling import Caller
from streamtape.checks.drawing import drawn
from streamtape.checks.failures import Failure, Findings
from streamtape.checks.search import MAX_DELIVERIES, SHRINK_BUDGET, key_of
from streamtape.checks.transforms.forbidden import Forbidden, ForbiddenText
from streamtape.checks.transforms.transformed import Noted, Run
from streamtape.delivery.order import AS_RECORDED
from streamtape.delivery.shrinking import ddmin

if TYPE_CHECKING:
    from streamtape.tape import Tape


RAISES = "raises"
DIFFERS = "differs"
LEAKS = "leaks"
LEAKS_PART = "leaks/part"
HOLDS_BACK = "holds-back"

_SENTENCES = {
    RAISES: "it raises where the whole text does not, or another error",
    DIFFERS: "what comes out is not what the whole text gives",
    LEAKS: "something forbidden comes out",
    LEAKS_PART: "the beginning of something forbidden comes out, of which the input has the rest",
    HOLDS_BACK: "it keeps back more than it may of what is settled",
}


@dataclass(frozen=True)
class TransformReport:
    """What a right transform was seen to do.

    ``held_back``: the most characters (bytes where the stream carries no text) that were settled
    and not out yet when the next piece was asked for; None where pieces don't come out one by one.
    ``examples``: how many ways to cut the text were tried.
    """

    held_back: int | None
    examples: int


def check_transform(
    transform: Callable[[Any], Any],
    *,
    tape: Tape,
    batch: Callable[[Any], Any],
    forbidden: Forbidden | None = None,
    hold_back: int | None = None,
) -> TransformReport:
    """Check that *transform*, given a text in any pieces, gives what *batch* gives for all of it.

    *transform* takes an iterator of pieces and yields pieces (an async generator function gets an
    async iterator). The pieces are the token texts of *tape*, and the same text cut in every other
    way; of a stream without token text they are its chunks of bytes. *batch* is the oracle: from
    the whole text to the whole result. Where it raises, the transform has to raise the same class.

    *forbidden*: what may never come out, not even for a moment: a text, several, a compiled
    pattern, or a function that says so of what is out so far. *hold_back*: how many characters may
    be kept back of what is settled, that is of what *batch* gives alike for what came so far and
    for the whole.

    Nor may the beginning of a forbidden text come out where the input has all of it, and *batch*
    raises or leaves it out.

    Raises `CheckFailed` with one failure of each kind (``"differs"``, ``"raises"``, ``"leaks"``,
    ``"leaks/part"``, ``"holds-back"``), with the fewest ``pieces`` that show it; and ValueError
    where *tape* or a forbidden text is empty.
    """
    pieces = _pieces_of(tape)
    if not any(pieces):
        raise ValueError("the tape holds neither text nor bytes, so there is nothing to transform")
    findings = Findings()
    noted = Noted(transform)
    with Caller(noted.call) as caller:
        judge = _Judge((noted, caller), pieces, batch, ForbiddenText(forbidden), hold_back)
        _Search(judge, findings).run(f"check_transform {key_of(transform)}")
    findings.verdict("check_transform")
    return TransformReport(judge.most_held, findings.examples)


def _pieces_of(tape: Tape) -> list[Any]:
    events = [event for _, event in tape.events()]
    provider = providers.detect(events)
    if provider is not None:
        texts = [provider.token_text(event) for event in events]
        if any(texts):
            return [text for text in texts if text]
    return [chunk.data for chunk in tape.chunks]


class _Judge:
    """What a transform has to do with one text, however it is cut."""

    def __init__(
        self,
        transform: tuple[Noted, Caller],
        pieces: Sequence[Any],
        batch: Callable[[Any], Any],
        forbidden: ForbiddenText,
        hold_back: int | None,
    ) -> None:
        self.pieces = pieces
        self.empty = pieces[0][:0]
        self.text = self.empty.join(pieces)
        self.most_held: int | None = None
        self._noted, self._caller = transform
        self._batch = batch
        self._forbidden = forbidden
        self._hold_back = hold_back
        self._known: dict[int, tuple[Any, Exception | None]] = {}
        self._settled: dict[int, Any] = {}
        self._expected, self._error = self._of_batch(len(self.text))
        self._begun = list(forbidden.beginnings(self.text, self._of_batch))

    def cut(self, cuts: Iterable[int]) -> list[Any]:
        """The text cut at these offsets, ascending."""
        return [self.text[a:b] for a, b in pairwise([0, *cuts, len(self.text)])]

    def judged(self, pieces: Sequence[Any]) -> Failure | None:
        """The failure of the transform with these *pieces*, if it fails."""
        run = self._run(pieces)
        found = self._leak(run) or self._other_result(run) or self._late(run, pieces)
        if found is None:
            return None
        kind, expected, got = found
        return Failure(
            *(kind, AS_RECORDED, expected, got), sentence=_SENTENCES[kind], pieces=tuple(pieces)
        )

    def _run(self, pieces: Sequence[Any]) -> Run:
        try:
            result = self._caller(pieces)
        except Exception as exc:  # noqa: BLE001 - whatever the transform raises is what it gave
            return Run(tuple(self._noted.out), None, exc)
        value = result.value
        out = (value,) if isinstance(value, str | bytes) else tuple(value)
        return Run(out, result.asked, None)

    def _leak(self, run: Run) -> tuple[str, object, object] | None:
        whole = self.empty.join(run.out)
        # What a text is not in, none of its beginnings has: a pattern or a function may see more.
        if self._forbidden.looks_everywhere or self._forbidden.found(whole):
            for so_far in accumulate(run.out, initial=self.empty):
                if self._forbidden.found(so_far):
                    return LEAKS, "nothing forbidden", so_far
        lengths = {0, *accumulate(map(len, run.out))}
        for before, begun in self._begun:
            is_out = len(begun) in lengths and whole.startswith(begun)
            if is_out and not (self._expected or self.empty).startswith(begun):
                return LEAKS_PART, before, begun
        return None

    def _other_result(self, run: Run) -> tuple[str, object, object] | None:
        if self._error is not None or run.error is not None:
            if type(self._error) is type(run.error):
                return None
            return RAISES, self._error or self._expected, run.error or self.empty.join(run.out)
        result = self.empty.join(run.out)
        return None if result == self._expected else (DIFFERS, self._expected, result)

    def _late(self, run: Run, pieces: Sequence[Any]) -> tuple[str, object, object] | None:
        """Whether something settled was kept back when the next piece was asked for."""
        if self._expected is None or run.error is not None:
            return None
        if run.asked is None:
            if self._hold_back is None:
                return None
            return HOLDS_BACK, "pieces one by one", "all of them at the end"
        worst: tuple[int, Any, int] = (0, self.empty, 0)
        given = out = 0
        for count, length in enumerate(accumulate(map(len, pieces[:-1])), start=1):
            while given < len(run.out) and run.asked[given] <= count:
                out += len(run.out[given])
                given += 1
            settled = self._settled_by(length)
            if settled is not None and len(settled) - out > worst[0]:
                worst = len(settled) - out, settled, given
        self.most_held = max(self.most_held or 0, worst[0])
        if self._hold_back is None or worst[0] <= self._hold_back:
            return None
        return HOLDS_BACK, worst[1], self.empty.join(run.out[: worst[2]])

    def _settled_by(self, length: int) -> Any:
        """What is settled with so much of the text; None where batch raises on that."""
        if length not in self._settled:
            result, error = self._of_batch(length)
            if error is not None:
                self._settled[length] = None
            elif self._expected.startswith(result):
                self._settled[length] = result
            else:
                # Compares item by item whatever the sequences are; its name says otherwise.
                both = [result, self._expected]
                self._settled[length] = os.path.commonprefix(both)  # noqa: RUF071 - as said above
        return self._settled[length]

    def _of_batch(self, length: int) -> tuple[Any, Exception | None]:
        """What batch gives for so much of the text, asked once."""
        if length not in self._known:
            try:
                self._known[length] = self._batch(self.text[:length]), None
            except Exception as exc:  # noqa: BLE001 - the oracle's word, whatever it is
                self._known[length] = None, exc
        return self._known[length]


class _Search:
    """Which pieces are tried, and the fewest under which a failure still shows."""

    def __init__(self, judge: _Judge, findings: Findings) -> None:
        self._judge = judge
        self._findings = findings

    def run(self, key: str) -> None:
        """Try the recorded pieces, the systematic ones and random ones."""
        judge = self._judge
        recorded = list(accumulate(map(len, judge.pieces)))[:-1]
        length = len(judge.text)
        self._try(recorded)
        self._try(range(1, length))
        self._try(())
        self._try(sorted([*recorded, *recorded, 0, length]))  # empty pieces between
        step = max(length // MAX_DELIVERIES, 1)
        for offset in range(1, length, step):
            self._try((offset,))
        from hypothesis import strategies as st

        cuts = st.lists(st.integers(0, length), max_size=12).map(sorted)

        def fails(cuts: list[int]) -> bool:
            failure = self._findings.tried(judge.judged(judge.cut(cuts)))
            return failure is not None and failure.kind not in self._findings.failures

        found = drawn(cuts, fails, key=key)
        if found is not None:
            self._keep(found)

    def _try(self, cuts: Iterable[int]) -> None:
        cuts = list(cuts)
        failure = self._findings.tried(self._judge.judged(self._judge.cut(cuts)))
        if failure is not None and failure.kind not in self._findings.failures:
            self._keep(cuts)

    def _keep(self, cuts: Sequence[int]) -> None:
        """Put the failure under *cuts* into the findings, with as few of them as show it."""
        examples = self._findings.examples
        failure = self._judge.judged(self._judge.cut(cuts))
        if failure is None:
            return
        left = SHRINK_BUDGET

        def fails(fewer: Sequence[int]) -> bool:
            nonlocal left
            left -= 1
            again = self._judge.judged(self._judge.cut(fewer)) if left >= 0 else None
            return again is not None and again.kind == failure.kind

        single = [[cut] for cut in dict.fromkeys(cuts)][: SHRINK_BUDGET // 4]
        enough: Sequence[int] | None = next(filter(fails, ([], *single)), None)
        few = ddmin(cuts, fails) if enough is None else enough
        small = self._judge.judged(self._judge.cut(few)) or failure
        self._findings.add(replace(small, examples=examples))
