"""`streamtape serve`: it says where it serves, and what each client did."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import httpx

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
        assert process.wait() == 130
    assert lines == [
        "GET /x  200  interaction 1  25 chunks  complete  Delivery(cuts='bytes')",
        "GET /y  404  complete",
    ]


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
