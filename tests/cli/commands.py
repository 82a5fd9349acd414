"""Commands run as a user runs them: in this process, or as a process of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamtape.cli import main
from streamtape.tape import Chunk, Ending, Request, Tape

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MS = 1_000_000
NAME = [sys.executable, "-m", "streamtape"]


@dataclass(frozen=True)
class Ran:
    """What came of a command."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The screen, without spaces at the ends of lines."""
        return [line.rstrip() for line in self.out.splitlines()]


@dataclass(frozen=True)
class Commands:
    """Runs commands in this process, on a screen of 80 columns that is no terminal."""

    capsys: pytest.CaptureFixture[str]
    folder: Path

    def __call__(self, *arguments: str | Path) -> Ran:
        self.capsys.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as left:
            status = left.code if isinstance(left.code, int) else 1
        shown = self.capsys.readouterr()
        return Ran(status, shown.out, shown.err)


def start(*arguments: str | Path, folder: Path, **environment: str) -> subprocess.Popen[bytes]:
    """A command as a process of its own, in *folder*, its output in pipes."""
    return subprocess.Popen(
        [*NAME, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "COLUMNS": "80", "NO_PROXY": "127.0.0.1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=heed_ctrl_c,  # noqa: PLW1509 - it calls nothing that takes a lock
    )


def heed_ctrl_c() -> None:
    """In a new process: a test run in the background ignores Ctrl-C, and its children would too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def timed(
    *pieces: tuple[float, bytes],
    end_ms: float,
    kind: str = "eof",
    head_ms: float = 0,
    **fields: object,
) -> Tape:
    """A tape of chunks that came so many milliseconds after the request."""
    body = b"".join(data for _, data in pieces)
    template = Tape.of(body, request=Request("POST", "http://127.0.0.1:9/v1/chat"))
    error = fields.pop("error", None)
    text = fields.pop("text", "")
    ending = Ending(kind, round(end_ms * MS), error, text)  # type: ignore[arg-type]
    return template.with_chunks(
        [Chunk(round(at * MS), data) for at, data in pieces],
        head_ns=round(head_ms * MS),
        ending=ending,
        **fields,
    )


def openai(text: str) -> bytes:
    """An event as OpenAI's chat completions send it."""
    return f'data: {{"choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}\n\n'.encode()
