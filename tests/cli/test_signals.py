"""What a script's shell starts in the background ignores SIGINT, unless it says otherwise."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

import streamtape
from streamtape import Tape
from tests.cli.commands import NAME
from tests.server import Response, chunk, hang, serve

if TYPE_CHECKING:
    from pathlib import Path

both = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


def in_background(*arguments: str, folder: Path) -> subprocess.Popen[bytes]:
    """A command as a script's shell starts it with ``&``."""
    return subprocess.Popen(
        [*NAME, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=ignore_ctrl_c,  # noqa: PLW1509 - it calls nothing that takes a lock
    )


def ignore_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@both
def test_serve_ends(tmp_path: Path, number: signal.Signals) -> None:
    streamtape.save(tmp_path / "a.yaml", [Tape.of(b"data: one\n\n")])
    with in_background("serve", "a.yaml", folder=tmp_path) as process:
        assert process.stdout is not None
        url = process.stdout.readline().decode().split()[-1]
        httpx.get(url, trust_env=False)
        process.send_signal(number)
        assert process.stdout.read() == (
            b"GET /  200  interaction 1  1 chunk  complete\n1 request served: 1 complete\n"
        )
        assert process.wait() == 0


@both
def test_record_ends_the_stream_and_keeps_what_came(tmp_path: Path, number: signal.Signals) -> None:
    with serve(Response(chunk(b"data: one\n\n"), hang())) as server:
        with in_background("record", server.url, "-o", "a.yaml", folder=tmp_path) as process:
            assert process.stdout is not None
            while b"one" not in process.stdout.readline():
                pass
            process.send_signal(number)
            assert process.wait() == 130
    [tape] = streamtape.load(tmp_path / "a.yaml")
    assert (tape.body, tape.ending.kind) == (b"data: one\n\n", "closed")


@both
def test_fuzz_ends_and_tells_what_it_found(tmp_path: Path, number: signal.Signals) -> None:
    streamtape.save(tmp_path / "a.yaml", [Tape.of(b"data: one\n\n")])
    (tmp_path / "client.py").write_text("import time; open('began', 'w'); time.sleep(3600)")
    arguments = ("fuzz", "a.yaml", "--", sys.executable, str(tmp_path / "client.py"))
    with in_background(*arguments, folder=tmp_path) as process:
        while not (tmp_path / "began").exists():
            assert process.poll() is None
        process.send_signal(number)
        assert process.wait() == 130


@both
def test_demo_ends_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with in_background("demo", "--speed", "0.001", folder=tmp_path) as process:
        assert process.stdout is not None
        while b"Recording" not in process.stdout.readline():
            pass
        process.send_signal(number)
        assert process.wait() == 130
    assert list(tmp_path.iterdir()) == []
