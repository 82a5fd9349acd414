"""What all commands share: help, errors, exit statuses, colours."""

from __future__ import annotations

import os
import pty
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import streamtape
from tests.cli.commands import NAME, Commands, openai, start, timed

fcntl = pytest.importorskip("fcntl")
termios = pytest.importorskip("termios")

COMMANDS = ("show", "stats", "record", "convert", "demo")
COLOUR = re.compile(rb"\x1b\[[0-9;]*m")


def test_the_version_is_the_packages(run: Commands) -> None:
    ran = run("--version")
    assert (ran.status, ran.out) == (0, f"streamtape {streamtape.__version__}\n")


def test_help_names_every_command(run: Commands) -> None:
    ran = run("--help")
    assert ran.status == 0
    assert all(re.search(rf"^    {name} ", ran.out, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_that_fits(run: Commands, name: str) -> None:
    ran = run(name, "--help")
    assert ran.status == 0
    assert max(map(len, ran.lines)) <= 80


@pytest.mark.parametrize("arguments", [(), ("shw",), ("show",), ("record", "http://x")])
def test_a_wrong_usage_is_told_with_status_2(run: Commands, arguments: tuple[str, ...]) -> None:
    ran = run(*arguments)
    assert ran.status == 2
    assert ran.err.startswith("usage: streamtape")


@pytest.mark.parametrize("command", [("show",), ("stats",), ("convert", "--to", "har")])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "x.yaml: No such file or directory"),
        ("a: [", "x.yaml:1: this is not YAML"),
        ("data: one\n\n", "a bare event stream, not a vcrpy cassette"),
        ("interactions: 3\n", "a list of interactions is expected here"),
    ],
)
def test_a_file_that_is_no_cassette_is_one_line(
    run: Commands, command: tuple[str, ...], content: str | None, message: str
) -> None:
    if content is not None:
        Path("x.yaml").write_text(content)
    rest = ["out.har"] if command[0] == "convert" else []
    ran = run(*command, "x.yaml", *rest)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("streamtape: x.yaml")
    assert message in ran.err
    assert ran.err.count("\n") == 1


def test_a_folder_is_no_file(run: Commands) -> None:
    ran = run("show", ".")
    assert (ran.status, ran.err) == (2, "streamtape: .: Is a directory\n")


def test_an_error_obeys_no_escape_sequence_of_a_file_name(run: Commands) -> None:
    ran = run("show", "a\x1b[2Jb.yaml")
    assert "\x1b" not in ran.err
    assert r"a\x1b[2Jb.yaml" in ran.err


def test_help_waits_for_no_third_party(tmp_path: Path) -> None:
    code = (
        "import sys; from streamtape.cli import main\n"
        "try: main(['record', '--help'])\n"
        "finally: print(sorted({'rich', 'vcr', 'yaml', 'httpx2', 'anyio'} & set(sys.modules)))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert process.stdout.splitlines()[-1] == "[]"


def test_as_a_module(tmp_path: Path) -> None:
    process = start("--version", folder=tmp_path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert out.decode() == f"streamtape {streamtape.__version__}\n"


def test_who_stops_reading_ends_the_command_quietly(tmp_path: Path) -> None:
    # More than a pipe holds, so that the command is sure to write after the reader has left.
    streamtape.save(tmp_path / "long.yaml", [streamtape.Tape.of(openai("word") * 3000)])
    process = start("show", "long.yaml", folder=tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"long.yaml: 1 interaction\n"
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_narrow_encoding_is_no_error(tmp_path: Path) -> None:
    streamtape.save(tmp_path / "a.yaml", [streamtape.Tape.of("data: é 👩\n\n".encode())])
    process = start("show", "a.yaml", folder=tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert b"200 OK ? text/event-stream" in out


def on_a_terminal(*arguments: str, folder: Path, **environment: str) -> bytes:
    """What a command writes to a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "COLORTERM")
    }
    process = subprocess.Popen(
        [*NAME, *arguments],
        cwd=folder,
        env={**kept, "TERM": "xterm-256color", **environment},
        stdout=theirs,
        stderr=theirs,
        stdin=theirs,
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        written += piece
    os.close(ours)
    assert process.wait(timeout=60) == 0
    return written


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo terminals")
class TestOnATerminal:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        tape = timed((10, openai("a")), (1500, openai("b")), end_ms=1501, kind="closed")
        streamtape.save(tmp_path / "a.yaml", [tape])
        return tmp_path

    def test_there_are_colours(self, folder: Path) -> None:
        written = on_a_terminal("show", "a.yaml", folder=folder)
        assert b"\x1b[1;31m" in written  # the stall, bold and red
        assert b"\x1b[33mthe client closed it" in written

    def test_no_color_turns_them_off(self, folder: Path) -> None:
        written = on_a_terminal("show", "--no-color", "a.yaml", folder=folder)
        assert b"\x1b" not in written
        assert b"the client closed it" in written

    def test_the_environment_turns_them_off(self, folder: Path) -> None:
        written = on_a_terminal("show", "a.yaml", folder=folder, NO_COLOR="1")
        assert not re.search(rb"\x1b\[[0-9;]*3[0-7]", written)
        assert b"the client closed it" in written

    def test_the_screen_is_the_one_without_a_terminal(self, folder: Path, run: Commands) -> None:
        written = COLOUR.sub(b"", on_a_terminal("show", "a.yaml", folder=folder))
        assert written.decode().replace("\r\n", "\n") == run("show", "a.yaml").out

    def test_a_pipe_has_none(self, run: Commands, folder: Path) -> None:
        assert "\x1b" not in run("show", folder / "a.yaml").out
