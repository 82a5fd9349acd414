"""A result for people and for programs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamtape.checks.scorecard import delivered_chunks
from streamtape.programs.differences import difference
from streamtape.programs.outcome import Outcome
from streamtape.programs.result import UNSTABLE
from streamtape.report.cuts import explain
from streamtape.report.printable import of_bytes, one_line
from streamtape.report.text import counted, size

if TYPE_CHECKING:
    from streamtape.checks import Failure
    from streamtape.delivery import Delivery
    from streamtape.programs.result import Result
    from streamtape.tape import Tape

_INDENT = "    "
_LAST_LINES = 8
"""So many lines of standard error are shown: the last ones say why."""

_SMALL_BODY = 200
_KEPT = 1 << 20
"""So many bytes of an output stand in JSON."""

_NOT_ASKED = (
    "The program asked the server for nothing that the cassette answers, so nothing was tried. Its"
    " address is in the environment (STREAMTAPE_URL; OPENAI_BASE_URL, with /v1;"
    " ANTHROPIC_BASE_URL), and stands for {url} in the arguments."
)
_BROKEN = (
    "It fails as recorded, so no delivery is to blame. Mend that first, or record a stream that it"
    " reads to its end."
)
_SILENT = (
    "It gives no output, so only its exit status is compared. Print what it read from the stream."
)
_UNSTEADY = (
    "It isn't deterministic: run twice as recorded, it gave two outputs, so nothing could be"
    " compared. Leave out what differs, such as times and random ids, or name it with --ignore."
)


@dataclass(frozen=True)
class Told:
    """A *result* in words. *again*: the words of the command that runs one delivery, before it."""

    result: Result
    tapes: Sequence[Tape]
    again: Sequence[str]
    command: Sequence[str]

    def lines(self) -> Iterator[str]:
        """What a person wants to know, line by line."""
        result = self.result
        if result.problem is not None:
            yield from self._problem()
            return
        if result.recorded:
            yield f"As recorded, twice: {_ended(result.recorded[0])}"
            if not result.recorded[0].output:
                yield _SILENT
        for number, failure in enumerate(result.failures, 1):
            yield ""
            yield from self._failure(number, failure)
        if result.scorecard is not None:
            yield ""
            yield from str(result.scorecard).splitlines()
        yield ""
        yield self.summary()

    def summary(self) -> str:
        """One line on all of it."""
        result = self.result
        tried = counted(result.runs, "run")
        if result.other_runs > 2:
            tried += f", {result.other_runs - 2:,} more to make sure of what failed"
        if result.left_out:
            tried += f", {result.left_out:,} left out that hold it"
        kinds = [failure.kind for failure in result.failures]
        found = "the same every time"
        if kinds:
            found = f"{counted(len(kinds), 'kind')} of failure"
        if kinds == [UNSTABLE]:
            found = "a failure that didn't come again"
        left = "Interrupted, so far " if result.interrupted else ""
        return f"{left}{tried}: {found}"

    def as_dict(self) -> dict[str, Any]:
        """The same as data for JSON."""
        result = self.result
        return {
            "command": list(self.command),
            "exit_status": result.exit_status,
            "problem": result.problem,
            "interrupted": result.interrupted,
            "runs": result.runs,
            "other_runs": result.other_runs,
            "left_out": result.left_out,
            "recorded": [_outcome(outcome) for outcome in result.recorded],
            "failures": [self._as_dict(failure) for failure in result.failures],
            "scorecard": None if result.scorecard is None else result.scorecard.as_dict(),
        }

    def command_for(self, delivery: Delivery) -> str:
        """The command line that runs the program under *delivery* again."""
        words = [shlex.join(self.again), "--delivery", _quoted(repr(delivery))]
        return " ".join([*words, "--", shlex.join(self.command)])

    # ---- one failure

    def _failure(self, number: int, failure: Failure) -> Iterator[str]:
        yield f"{number}  {failure.kind}: {failure.sentence} (run {failure.examples})"
        yield _INDENT + repr(failure.delivery)
        for line in self._explained(failure):
            yield f"{_INDENT}  {line}"
        expected, got = failure.expected, failure.got
        assert isinstance(expected, Outcome)
        assert isinstance(got, Outcome)
        if got.words != expected.words:
            yield f"{_INDENT}{got.words}, as recorded {expected.words}"
        if got.end == "exit":
            for line in difference(expected.output, got.output):
                yield f"{_INDENT}  {line}"
        yield from _errors(got, expected)
        if got.trouble:
            yield f"{_INDENT}the server: {one_line(got.trouble.splitlines()[0])}"
        yield f"{_INDENT}again: {self.command_for(failure.delivery)}"

    def _explained(self, failure: Failure) -> list[str]:
        lines = [line for tape in self.tapes for line in explain(failure.delivery, tape)]
        if not isinstance(failure.delivery.cuts, tuple):
            delivered = [failure.delivery.apply(tape) for tape in self.tapes]
            for tape in delivered:
                if len(tape.body) <= _SMALL_BODY:
                    lines += [f"chunks: {line}" for line in delivered_chunks(tape)]
        known = {failure.sentence}
        return [line for line in dict.fromkeys(lines) if line not in known]

    def _as_dict(self, failure: Failure) -> dict[str, Any]:
        expected, got = failure.expected, failure.got
        assert isinstance(expected, Outcome)
        assert isinstance(got, Outcome)
        return {
            "kind": failure.kind,
            "sentence": failure.sentence,
            "delivery": repr(failure.delivery),
            "explained": self._explained(failure),
            "run": failure.examples,
            "got": _outcome(got),
            "diff": difference(expected.output, got.output),
            "again": self.command_for(failure.delivery),
        }

    # ---- nothing could be tried

    def _problem(self) -> Iterator[str]:
        result = self.result
        first, last = result.recorded[0], result.recorded[-1]
        yield f"As recorded: {_ended(first)}"
        if result.problem == "not asked":
            yield _NOT_ASKED
        elif result.problem == "not deterministic":
            if first.words != last.words:
                yield f"The second time: {_ended(last)}"
            yield _UNSTEADY
            for line in difference(first.output, last.output):
                yield f"  {_again(line)}"
        else:
            yield _BROKEN
        for line in last.trouble.splitlines():
            yield f"{_INDENT}the server: {one_line(line)}"
        yield from _errors(last, None)


def _ended(outcome: Outcome) -> str:
    if outcome.output is None:
        return f"{outcome.words}, and the file was not written"
    return f"{outcome.words}, {size(len(outcome.output))} of output"


def _again(line: str) -> str:
    """A head of a diff between two runs as recorded."""
    return {"--- as recorded": "--- the first time", "+++ as delivered": "+++ the second time"}.get(
        line, line
    )


def _errors(outcome: Outcome, other: Outcome | None) -> Iterator[str]:
    """The end of standard error, unless that says nothing new."""
    if not outcome.errors or (other is not None and outcome.errors == other.errors):
        return
    lines = of_bytes(outcome.errors).splitlines()
    yield f"{_INDENT}standard error{' ends' if len(lines) > _LAST_LINES else ''}:"
    for line in lines[-_LAST_LINES:]:
        yield f"{_INDENT}  {one_line(line)[:200]}"


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "end": outcome.end,
        "status": outcome.status,
        "seconds": round(outcome.seconds, 3),
        "output": None if outcome.output is None else of_bytes(outcome.output[:_KEPT]),
        "errors": of_bytes(outcome.errors[:_KEPT]),
    }


def _quoted(text: str) -> str:
    """As people write it, where a shell takes that as it is."""
    if "'" not in text or set('"$`\\!') & set(text):
        return shlex.quote(text)
    return f'"{text}"'
