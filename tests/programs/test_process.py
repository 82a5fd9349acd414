"""A process, what it writes, and what is left of it."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from streamtape.programs import process


def run(code: str, *, within: float = 60.0, stop: threading.Event | None = None) -> process.Ended:
    command = [sys.executable, "-S", "-c", code]
    return process.run(command, os.environ, within=within, stop=stop or threading.Event())


def test_output_and_errors_are_kept_apart() -> None:
    ended = run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)")
    assert (ended.end, ended.status) == ("exit", 7)
    assert (ended.output.split(), ended.errors.split()) == ([b"out"], [b"err"])


def test_nothing_comes_on_standard_input() -> None:
    assert run("import sys; print(repr(sys.stdin.read()))").output.strip() == b"''"


def test_who_writes_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MOST_OUTPUT", 10_000)
    ended = run("while True: print('x' * 1000, flush=True)")
    assert (ended.end, ended.status, len(ended.output)) == ("flood", None, 10_000)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_signal_that_it_died_of_is_told() -> None:
    assert run("import os; os.kill(os.getpid(), 11)").status == -11


def test_what_nobody_waits_for_is_killed() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(process.StoppedError):
        run("import time; time.sleep(600)", stop=stop)


def test_what_cannot_be_started_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        process.run(["no-such-program"], os.environ, within=1.0, stop=threading.Event())
