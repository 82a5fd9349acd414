"""`streamtape demo`: everything it says is true, and it writes over nothing of yours."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

import streamtape
from streamtape import Delivery, providers
from streamtape.demo import demo_server
from tests.cli.commands import Commands, start
from tests.cli.test_main import on_a_terminal


def test_the_whole_of_it(run: Commands) -> None:
    ran = run("demo", "--speed", "0")
    assert (ran.status, ran.err) == (0, "")
    [tape] = streamtape.load("streamtape-demo.yaml")
    text = providers.stream_text(event for _, event in tape.events())
    seen = " ".join(re.findall(r"^ +\d+\.\d\d s │ ([^▁▂▃▄▅▆▇█\n]*)$", ran.out, re.MULTILINE))
    assert seen.split() == text.split()
    counts = f"{len(tape.events())} events in {len(tape.chunks)} chunks"
    assert f"  written to streamtape-demo.yaml: {counts}, " in ran.out
    assert "The API key that was sent is not in it." in ran.out
    assert "authorization" not in Path("streamtape-demo.yaml").read_text()
    assert re.search(
        rf"^  as recorded   {len(tape.chunks)} chunks, .*: the same text$", ran.out, re.MULTILINE
    )
    bytewise = tape.deliver(Delivery(cuts="bytes")).chunks
    broken = sum("\ufffd" in each.data.decode(errors="replace") for each in bytewise)
    assert (
        f"  byte by byte  {len(bytewise):,} chunks, {broken} of them no whole character: the same"
        " text" in ran.out
    )
    assert max(map(len, ran.lines)) <= 80
    assert [path.name for path in run.folder.iterdir()] == ["streamtape-demo.yaml"]


def test_again_and_elsewhere(run: Commands) -> None:
    for _ in range(2):
        assert run("demo", "--speed", "0", "--output", "x/own.yaml").status == 0
    assert "streamtape stats x/own.yaml" in run("demo", "--speed=0", "--output=x/own.yaml").out
    assert [path.name for path in run.folder.iterdir()] == ["x"]


def test_the_commands_that_it_names_work(run: Commands) -> None:
    ran = run("demo", "--speed", "0")
    [stats] = re.findall(r"^  streamtape (stats .*)$", ran.out, re.MULTILINE)
    assert run(*stats.split()).status == 0
    with demo_server(speed=0) as server:
        [record] = re.findall(r"^  streamtape (record .*)$", ran.out, re.MULTILINE)
        arguments = [f"{server.url}/events" if each == "URL" else each for each in record.split()]
        assert run(*arguments).status == 0
    assert streamtape.load("mine.yaml")


@pytest.mark.parametrize("content", ["not a cassette", None])
def test_what_it_did_not_write_is_left_alone(run: Commands, content: str | None) -> None:
    path = Path("streamtape-demo.yaml")
    if content is None:
        streamtape.save(path, [streamtape.Tape.of(b"data: mine\n\n")])
    else:
        path.write_text(content)
    before = path.read_bytes()
    ran = run("demo")
    assert (ran.status, ran.out) == (2, "")
    assert "isn't the demo's" in ran.err
    assert path.read_bytes() == before


@pytest.mark.parametrize("speed", ["-1", "inf", "nan", "fast"])
def test_a_speed_that_is_none(run: Commands, speed: str) -> None:
    ran = run("demo", f"--speed={speed}")
    assert ran.status == 2
    assert "--speed" in ran.err


def test_a_folder_that_cannot_be_written(run: Commands) -> None:
    Path("file").touch()
    ran = run("demo", "--speed=0", "--output", "file/a.yaml")
    assert ran.status == 2
    assert ran.err.count("\n") == 1


def test_on_a_terminal_the_text_grows(tmp_path: Path) -> None:
    written = on_a_terminal("demo", "--speed", "5", folder=tmp_path).decode()
    [tape] = streamtape.load(tmp_path / "streamtape-demo.yaml")
    text = providers.stream_text(event for _, event in tape.events())
    # Drawn over and over: the first word more often than the last.
    assert written.count("A café") > written.count(text.split()[-1]) >= 1
    assert "\x1b[1;36mRecording" in written


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    process = start("demo", "--speed", "0.01", folder=tmp_path)
    assert process.stdout is not None
    for line in process.stdout:
        if b"Recording" in line:
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"")
    assert list(tmp_path.iterdir()) == []
