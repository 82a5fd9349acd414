"""One process and all that it starts, in bounded time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from streamtape.clock import now_ns

if TYPE_CHECKING:
    import threading

    from streamtape.programs.outcome import End

MOST_OUTPUT = 64 << 20
"""A program that writes more than so many bytes is stopped."""

_FIRST_PAUSE, _LAST_PAUSE = 0.001, 0.01


class StoppedError(Exception):
    """Nobody waits for the process any more; it was killed."""


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it wrote. ``status`` is None where it was killed here."""

    end: End
    status: int | None
    output: bytes
    errors: bytes
    seconds: float


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    within: float,
    stop: threading.Event,
) -> Ended:
    """Run *command* with nothing on its standard input, for *within* seconds at most.

    It leads a process group of its own, and all that is left of that when it has ended is killed;
    where the system knows no groups, only the process itself.

    Raises `StoppedError` once *stop* is set, and OSError where it can't be started.
    """
    # Files, since a pipe stays open as long as any process that inherited it.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started_ns = now_ns()
        process = subprocess.Popen(  # noqa: S603 - what the user wants to run
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            end = _wait(process, (out, err), started_ns + round(within * 1e9), stop)
            seconds = (now_ns() - started_ns) / 1e9
        finally:
            _kill_group(process)
            status = process.wait()
        return Ended(end, status if end == "exit" else None, _read(out), _read(err), seconds)


def _wait(
    process: subprocess.Popen[bytes],
    files: tuple[IO[bytes], ...],
    due_ns: int,
    stop: threading.Event,
) -> End:
    pause = _FIRST_PAUSE
    while not _has_ended(process):
        if stop.is_set():
            raise StoppedError
        if now_ns() >= due_ns:
            return "hang"
        if any(os.fstat(file.fileno()).st_size > MOST_OUTPUT for file in files):
            return "flood"
        stop.wait(pause)
        pause = min(pause * 2, _LAST_PAUSE)
    return "exit"


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has. It is not reaped where that can be avoided: its group keeps its number."""
    if sys.platform != "win32" and hasattr(os, "waitid"):
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, process.pid, options) is not None
    return process.poll() is not None


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is not None:
        return  # reaped: the number may be another's by now
    if sys.platform == "win32":
        process.kill()
        return
    with suppress(ProcessLookupError, PermissionError):  # macOS says so of one that has ended
        os.killpg(process.pid, signal.SIGKILL)


def _read(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read(MOST_OUTPUT)
