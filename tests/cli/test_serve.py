"""`streamtape serve`: it says where it serves, and what each client did."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import httpx
import pytest

import streamtape
from streamtape import Request, Tape
from tests.cli.commands import Commands, start

if TYPE_CHECKING:
    from pathlib import Path

BODY = b"data: one\n\ndata: [DONE]\n\n"


def test_a_cassette_is_served_until_ctrl_c(tmp_path: Path) -> None:
    tape = Tape.of(BODY, request=Request("GET", "https://api.test/x"))
    streamtape.save(tmp_path / "a.yaml", [tape])
    process = start(
        *("serve", "a.yaml", "--delivery", "Delivery(cuts='bytes')", "--wire", "close"),
        folder=tmp_path,
    )
    with process:
        assert process.stdout is not None
        first = process.stdout.readline().decode()
        assert first.startswith("Serving 1 interaction at http://127.0.0.1:")
        url = first.split()[-1]
        assert httpx.get(f"{url}/x", trust_env=False).content == BODY
        assert httpx.get(f"{url}/y", trust_env=False).status_code == 404
        lines = [process.stdout.readline().decode().rstrip() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
        assert process.stdout.read().endswith(b"\n2 requests served: 2 complete\n")
    assert lines == [
        "GET /x  200  interaction 1  25 chunks  complete  Delivery(cuts='bytes')",
        "GET /y  404  complete",
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_still_runs_when_it_ends_is_told_too(tmp_path: Path, number: signal.Signals) -> None:
    streamtape.save(tmp_path / "a.yaml", [Tape.of(BODY)])
    fault = "Delivery(fault=faults.stall(k=2, seconds=3600.0))"
    process = start("serve", "a.yaml", "--delivery", fault, folder=tmp_path)
    with process, httpx.Client(trust_env=False) as client:
        assert process.stdout is not None
        url = process.stdout.readline().decode().split()[-1]
        with client.stream("GET", url) as response:
            pieces = response.iter_raw()
            assert next(pieces) == b"data: one\n\n"
            process.send_signal(number)
            assert process.wait() == 0
        rest = process.stdout.read().decode()
    assert rest == (
        f"GET /  200  interaction 1  1 chunk  stopped  {fault}\n1 request served: 1 stopped\n"
    )


def test_no_secret_of_a_request_is_printed(tmp_path: Path) -> None:
    secret = "sk-proj-" + "a1B2c3D4" * 6
    streamtape.save(
        tmp_path / "a.yaml", [Tape.of(BODY, request=Request("GET", "https://api.test/x?n=1"))]
    )
    process = start("serve", "a.yaml", folder=tmp_path)
    with process:
        assert process.stdout is not None
        url = process.stdout.readline().decode().split()[-1]
        assert httpx.get(f"{url}/x?key={secret}&n=1", trust_env=False).content == BODY
        assert httpx.get(f"{url}/{secret}?key=ABC", trust_env=False).status_code == 404
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read().decode()
    assert "GET /x?n=1  200  interaction 1" in rest
    assert "GET /REDACTED  404" in rest
    assert secret not in rest
    assert "ABC" not in rest


def test_a_fault_that_changes_nothing_is_noted(tmp_path: Path) -> None:
    streamtape.save(tmp_path / "a.yaml", [Tape.of(BODY)])
    process = start(
        "serve", "a.yaml", "--delivery", "Delivery(fault=faults.idle_cut(60.0))", folder=tmp_path
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert process.stderr.read().decode() == (
            "streamtape: note: faults.idle_cut(seconds=60.0) changes nothing in what is served\n"
        )


def test_what_cannot_be_served_is_said(run: Commands) -> None:
    streamtape.save("a.yaml", [Tape.of(BODY)])
    for arguments, message in (
        (("--delivery", "x"), "no delivery: 'x'"),
        (("--pace", "slow"), "unknown pace 'slow'"),
        (("--pace", "virtual"), "a server's time is real"),
        (("--wire", "lines"), "unknown word 'lines'"),
    ):
        ran = run("serve", "a.yaml", *arguments)
        assert (ran.status, ran.out) == (2, "")
        assert message in ran.err
    assert run("serve", "none.yaml").status == 2
