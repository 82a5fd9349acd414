"""The search itself, with programs that are functions: no process, no socket."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from streamtape.delivery import Delivery, faults
from streamtape.programs.fuzzing import Fuzzing, Plan
from streamtape.programs.outcome import Outcome
from streamtape.programs.program import Program
from tests.programs.streams import NAMED, chat, named

if TYPE_CHECKING:
    from streamtape import Tape

TEXT = re.compile(rb'"content":"(\w+)')
INSIDE = NAMED.index("é".encode()) + 1
RIGHT = Outcome("exit", 0, NAMED, answered=1)


class Function(Program):
    """A program that is a function of the delivered tape; counts its runs."""

    def __init__(self, judge: Callable[[Tape], Outcome]) -> None:
        super().__init__(("function",))
        self.__dict__.update(judge=judge, deliveries=[], lock=threading.Lock())

    def timed(self, recorded: Sequence[Outcome]) -> Program:  # noqa: ARG002 - takes no time
        return self

    def run(
        self,
        tapes: Sequence[Tape],
        delivery: Delivery,
        stop: threading.Event,  # noqa: ARG002 - as above
    ) -> Outcome:
        with self.__dict__["lock"]:
            self.__dict__["deliveries"].append(delivery)
        outcome: Outcome = self.__dict__["judge"](delivery.apply(tapes[0]))
        return outcome


def ends(tape: Tape) -> set[int]:
    at = 0
    return {at := at + len(chunk.data) for chunk in tape.chunks}


def splits_characters(tape: Tape) -> Outcome:
    return Outcome("exit", 1, b"", answered=1) if INSIDE in ends(tape) else RIGHT


def test_a_right_program_is_run_as_often_as_was_asked() -> None:
    program = Function(lambda _: RIGHT)
    result = Fuzzing(program, [named()], Plan(runs=50, jobs=3)).run()
    assert (result.exit_status, result.failures) == (0, [])
    assert (result.runs, result.other_runs, result.left_out) == (50, 2, 0)
    tried = program.__dict__["deliveries"]
    assert len(tried) == 52
    assert tried.count(Delivery()) == 2


def test_what_fails_is_made_small_and_what_holds_it_is_left_out() -> None:
    program = Function(splits_characters)
    result = Fuzzing(program, [named()], Plan(runs=100, jobs=2)).run()
    [failure] = result.failures
    assert failure.delivery == Delivery(cuts=(INSIDE,))
    assert failure.kind == "chunk-boundary/utf8-split"
    assert failure.expected == RIGHT
    assert result.exit_status == 1
    assert result.left_out > 0
    assert result.runs + result.left_out == 100
    assert len(program.__dict__["deliveries"]) == result.runs + result.other_runs


def test_making_it_small_has_a_budget_of_its_own() -> None:
    """Only a byte at a time shows it, and any six cuts: so there is much to try."""
    program = Function(lambda tape: RIGHT if len(tape.chunks) < 20 else Outcome("hang", None, b""))
    budget = 7
    plan = Plan(runs=60, shrink_runs=budget)
    result = Fuzzing(program, [named()], plan).run()
    [failure] = result.failures
    assert len(failure.delivery.apply(named()).chunks) >= 20
    # Beside the budget: as recorded twice, once more before and after, and to name it.
    assert budget <= result.other_runs <= budget + 8


def test_the_bar_gets_to_its_end() -> None:
    told: list[tuple[str, int, int]] = []
    program = Function(splits_characters)
    Fuzzing(program, [named()], Plan(runs=30), lambda *now: told.append(now)).run()
    assert told[0] == ("as recorded", 0, 30)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert "making a failure small" in {doing for doing, _, _ in told}


def test_what_is_interrupted_keeps_what_was_found() -> None:
    runs = 0

    def interrupted(doing: str, done: int, total: int) -> None:  # noqa: ARG001 - as it is called
        if done == 20:
            raise KeyboardInterrupt

    program = Function(splits_characters)
    fuzzing = Fuzzing(program, [named()], Plan(runs=100, jobs=2), interrupted)
    try:
        fuzzing.run()
    except KeyboardInterrupt:
        runs = len(program.__dict__["deliveries"])
    assert [failure.kind for failure in fuzzing.result.failures] == ["chunk-boundary/utf8-split"]
    assert 0 < runs < 60
    assert runs == len(program.__dict__["deliveries"])  # nothing runs on


def test_a_fault_is_judged_twice_before_it_is_told() -> None:
    whole, part = (Outcome("exit", 0, text, answered=1) for text in (b"one two", b"one"))
    parts = 0

    def judge(tape: Tape) -> Outcome:
        nonlocal parts
        if tape.body == chat().body or not chat().body.startswith(tape.body):
            return whole
        parts += 1
        return part if parts == 1 else whole

    program = Function(judge)
    result = Fuzzing(program, [chat()], Plan(runs=1, faults=True)).run()
    assert [failure.kind for failure in result.failures] == ["unstable"]
    assert result.exit_status == 3
    assert result.scorecard is not None
    assert result.scorecard.examples > 20


def test_no_program_has_to_live_through_a_stall_of_minutes() -> None:
    program = Function(lambda _: Outcome("exit", 0, b"text", answered=1))
    result = Fuzzing(program, [chat()], Plan(runs=1, faults=True)).run()
    tried = [delivery.fault for delivery in program.__dict__["deliveries"]]
    assert any(fault is not None and fault.name == "reset_after" for fault in tried)
    assert not any(fault is not None and fault.name == "stall" for fault in tried)
    assert result.scorecard is not None
    assert "stall" not in str(result.scorecard)


def test_one_delivery_may_have_a_fault() -> None:
    delivery = Delivery(fault=faults.end_after(1))
    texts = Function(
        lambda tape: Outcome("exit", 0, b" ".join(TEXT.findall(tape.body)), answered=1)
    )
    result = Fuzzing(texts, [chat()], Plan()).try_one(delivery)
    assert result.runs == 2
    assert len(texts.__dict__["deliveries"]) == 4
    assert [failure.kind for failure in result.failures] == ["fault/end_after: silent truncation"]
