"""Whether a program is honest about a stream that went wrong."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from streamtape import providers
from streamtape.checks.clients.running import Outcome as Returned
from streamtape.checks.clients.verdicts import FOREIGN, HANG, OTHER, Judge, Verdict

if TYPE_CHECKING:
    from streamtape.delivery.change import Fault
    from streamtape.programs.outcome import End, Outcome
    from streamtape.tape import Tape

_WORDS = re.compile(
    rb"abort|cannot|can't|closed|cut off|could not|couldn't|denied|disconnect|econn|error|exception"
    rb"|fail|incomplete|interrupted|invalid|overloaded|premature|refused|reset|socket|terminated"
    rb"|timed out|time-?out|too many requests|traceback|truncated|unavailable|unexpected|warn"
    rb"|\b[45]\d\d\b",
    re.IGNORECASE,
)
"""What people's programs say when something went wrong."""


_KILLED: dict[End, tuple[str, str]] = {
    "hang": (HANG, HANG),
    "flood": (f"{OTHER} without end", OTHER),
}


class Honesty:
    """Knows what a program that printed *recorded* may do where *tape* goes wrong."""

    def __init__(self, tape: Tape, recorded: Outcome) -> None:
        self._recorded = recorded
        self._payloads = {event.data for _, event in tape.events()}
        self._provider = providers.detect(event for _, event in tape.events())
        body = tape.body.decode("utf-8", "replace")
        self._is_raw = bool(body) and body in _text(recorded)
        self._judge = Judge(tape, self._value(recorded), ())

    def verdict(self, outcome: Outcome, fault: Fault) -> Verdict:
        """As `check_client` judges, by what a program has: its exit status and its words.

        An exit status other than the recorded one says that something went wrong, and so do words
        such as "error", in the output or on standard error, that weren't there as recorded.
        """
        if outcome.end != "exit":
            return Verdict(*_KILLED[outcome.end])
        if outcome.signal:
            return Verdict(f"{FOREIGN} {outcome.signal}", FOREIGN)
        if outcome.status != self._recorded.status:
            return Verdict(outcome.words)
        if outcome.output == self._recorded.output:
            return Verdict("equal")
        if _said(outcome) > _said(self._recorded):
            return Verdict("tells of it")
        return self._judge.of_fault(Returned(self._value(outcome)), fault, self._provider)

    def _value(self, outcome: Outcome) -> object:
        """The output as something whose parts can be told: what it says as JSON, or its lines.

        It stays one text where it is the stream itself.
        """
        text = _text(outcome)
        if self._is_raw:
            return text
        whole = _json(text)
        if whole is not None:
            return whole
        return [self._line(line) for line in text.splitlines()]

    def _line(self, line: str) -> object:
        value = None if line in self._payloads else _json(line)
        return line if value is None else value


def _text(outcome: Outcome) -> str:
    return (outcome.output or b"").decode("utf-8", "replace")


def _said(outcome: Outcome) -> int:
    return sum(len(_WORDS.findall(text)) for text in (outcome.output or b"", outcome.errors))


def _json(text: str) -> object:
    """A list or an object of JSON; None for anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list | dict) else None
