"""`streamtape proxy`: it says where it listens and what passed, and whether all of it is kept."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import httpx
import pytest

import streamtape
from tests.cli.commands import Commands, start
from tests.server import Request, Response, chunk, hang, serve
from tests.test_proxy import until

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

EVENT = b"data: one\n\n"


def answer(request: Request) -> Response:
    if request.path == "/hang":
        return Response(chunk(EVENT), hang())
    return Response(chunk(EVENT * (3 if request.path == "/long" else 1)))


def started(folder: Path, to: str, *arguments: str) -> tuple[subprocess.Popen[bytes], str]:
    process = start("proxy", "--to", to, "-o", "x.yaml", *arguments, folder=folder)
    assert process.stdout is not None
    first = process.stdout.readline().decode()
    assert first.startswith(f"Recording {to} at http://127.0.0.1:")
    return process, first.split()[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_records_until_it_is_told_to_end(tmp_path: Path, number: signal.Signals) -> None:
    with serve(answer) as upstream:
        process, url = started(tmp_path, upstream.url)
        with process, httpx.Client(trust_env=False) as client:
            assert client.get(f"{url}/x").content == EVENT
            with client.stream("GET", f"{url}/hang") as response:
                assert next(response.iter_raw()) == EVENT
                assert process.stdout is not None
                line = process.stdout.readline().decode().rstrip()
                process.send_signal(number)
                assert process.wait() == 0
            rest = process.stdout.read().decode()
    assert line == "GET /x  200  complete"
    assert "2 interactions written to x.yaml\n" in rest
    assert [tape.ending.kind for tape in streamtape.load(tmp_path / "x.yaml")] == ["eof", "closed"]


def test_what_passed_and_is_not_kept_is_in_the_exit_status(tmp_path: Path) -> None:
    with serve(answer) as upstream:
        process, url = started(tmp_path, upstream.url, "--max-body", "20")
        with process:
            assert httpx.get(f"{url}/long", trust_env=False).content == EVENT * 3
            assert process.stdout is not None
            lines = [process.stdout.readline().decode().rstrip() for _ in range(2)]
            process.send_signal(signal.SIGINT)
            assert process.wait() == 1
            assert process.stderr is not None
            assert b"1 response passed without being recorded" in process.stderr.read()
    assert lines == [
        "GET /long  200  complete",
        "    not recorded: the body is longer than 20 bytes",
    ]
    assert not (tmp_path / "x.yaml").exists()


def test_a_run_that_is_killed_leaves_the_part(tmp_path: Path) -> None:
    streamtape.save(tmp_path / "x.yaml", [streamtape.Tape.of(b"data: old\n\n")])
    part = tmp_path / "x.yaml.part"
    with serve(answer) as upstream:
        process, url = started(tmp_path, upstream.url)
        with process:
            httpx.get(f"{url}/x", trust_env=False)
            until(lambda: part.exists() and b"eof" in part.read_bytes())
            process.kill()
    assert [tape.body for tape in streamtape.load(part)] == [EVENT]
    assert [tape.body for tape in streamtape.load(tmp_path / "x.yaml")] == [b"data: old\n\n"]


def test_a_run_after_one_that_was_killed_keeps_what_that_had_recorded(tmp_path: Path) -> None:
    kept = tmp_path / "x.yaml.1.part"
    part = tmp_path / "x.yaml.part"
    with serve(answer) as upstream:
        process, url = started(tmp_path, upstream.url)
        with process:
            httpx.get(f"{url}/x", trust_env=False)
            until(lambda: part.exists() and b"eof" in part.read_bytes())
            process.kill()
        process, url = started(tmp_path, upstream.url)
        with process:
            httpx.get(f"{url}/long", trust_env=False)
            process.send_signal(signal.SIGINT)
            assert process.wait() == 0
            assert process.stderr is not None
            told = process.stderr.read().decode()
    assert "a run that was killed left 1 interaction in x.yaml.part: kept as x.yaml.1.part" in told
    assert "streamtape show x.yaml.1.part" in told
    assert [tape.body for tape in streamtape.load(kept)] == [EVENT]
    assert [tape.body for tape in streamtape.load(tmp_path / "x.yaml")] == [EVENT * 3]


def test_no_secret_of_a_request_is_printed(tmp_path: Path) -> None:
    secret = "sk-proj-" + "a1B2c3D4" * 6
    with serve(answer) as upstream:
        process, url = started(tmp_path, upstream.url)
        with process:
            httpx.get(f"{url}/{secret}/q?key={secret}&n=1", trust_env=False)
            httpx.request("CONNECT", f"{url}/q?key=ABC&n=2", trust_env=False)
            process.send_signal(signal.SIGINT)
            assert process.stdout is not None
            rest = process.stdout.read().decode()
    assert secret not in rest
    assert "ABC" not in rest
    assert "GET /REDACTED/q?n=1  200  complete\n" in rest


def test_it_adds_to_a_cassette_where_told(tmp_path: Path) -> None:
    streamtape.save(tmp_path / "x.yaml", [streamtape.Tape.of(b"data: old\n\n")])
    with serve(answer) as upstream:
        process, url = started(tmp_path, upstream.url, "--append")
        with process:
            httpx.get(f"{url}/x", trust_env=False)
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 0
    tapes = streamtape.load(tmp_path / "x.yaml")
    assert [tape.body for tape in tapes] == [b"data: old\n\n", EVENT]


def test_nobody_reading_its_output_ends_it_and_keeps_what_was_recorded(tmp_path: Path) -> None:
    with serve(answer) as upstream:
        process, url = started(tmp_path, upstream.url)
        with process:
            assert process.stdout is not None
            process.stdout.close()
            httpx.get(f"{url}/x", trust_env=False)
            assert process.wait() == 141
    assert [tape.body for tape in streamtape.load(tmp_path / "x.yaml")] == [EVENT]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "api.test", "-o", "x.yaml"], "no URL of HTTP"),
        (["--to", "http://127.0.0.1:9", "-o", "x.yaml", "--host", "0.0.0.0"], "--beyond-loopback"),
        (["--to", "http://127.0.0.1:9", "-o", "notes.txt"], "notes.txt"),
        (["--to", "https://127.0.0.1:9", "-o", "x.yaml", "--ca", "none.pem"], "No such file"),
        (["--to", "http://127.0.0.1:9", "-o", "x.yaml", "--max-body", "big"], "bytes such as"),
        (["--to", "http://127.0.0.1:9", "-o", "x.yaml", "--max-body", "-1"], "bytes such as"),
    ],
)
def test_what_cannot_begin_is_said(
    run: Commands, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (run.folder / "notes.txt").write_text("dear diary")
    ran = run("proxy", *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert message in ran.err
    assert not (tmp_path / "x.yaml").exists()
