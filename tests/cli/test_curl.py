"""The request that `streamtape record` sends is the one that curl would send."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys

import pytest

import streamtape
from tests.cli.commands import Commands, openai
from tests.server import Response, apart, head, json_response, serve

CHAT = Response(*apart([openai("Hel"), openai("lo"), b"data: [DONE]\n\n"]))


class TestWhatCurlWouldSend:
    """The oracle is curl itself: each command line is given to both."""

    ARGUMENTS: tuple[list[str], ...] = (
        [],
        ["-X", "DELETE"],
        ["-d", "a=1"],
        ["-d", "a=1", "-d", "b=2 3"],
        ["-d", ""],
        ["--data", "a=1", "-X", "PUT"],
        ["--json", '{"a": 1}'],
        ["--json", '{"a":', "--json", "1}"],
        ["--json", "{}", "-H", "Accept: text/event-stream"],
        ["--json", "{}", "-H", "content-type: application/x-other"],
        ["-d", "@lines.txt"],
        ["--data-binary", "@lines.txt"],
        ["--data-raw", "@lines.txt"],
        ["--json", "@lines.txt"],
        ["-d", "a=1", "--data-binary", "@lines.txt"],
        ["-H", "X-One: 1", "-H", "X-Two:2", "-H", "X-Empty;", "-H", "Accept:"],
        ["-HX-One:  spaced  ", "-XPOST"],
        ["-d", "a", "-H", "Content-Type:"],
        ["-u", "user:pass:word"],
        ["-u", "user:pass", "-H", "Authorization: Bearer mine"],
        ["-A", "my agent"],
        ["-b", "a=1; b=2"],
        ["-sSN", "-d", "x"],
    )

    @pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
    @pytest.mark.parametrize("arguments", ARGUMENTS, ids=" ".join)
    def test_is_sent(self, run: Commands, arguments: list[str]) -> None:
        (run.folder / "lines.txt").write_bytes(b"one\r\ntwo\nthree\n")
        with serve(json_response({})) as server:
            url = f"{server.url}/path?q=a%20b"
            subprocess.run(["curl", "-s", "--noproxy", "*", *arguments, url], check=True)
            assert run("record", *arguments, url, "-o", "a.yaml").status == 0
            curls, ours = server.requests
        assert (ours.method, ours.target) == (curls.method, curls.target)
        assert ours.body == curls.body
        unlike = {"user-agent"} if "-A" not in arguments else set()
        expected = [(name.lower(), value) for name, value in curls.headers]
        sent = [(name.lower(), value) for name, value in ours.headers]
        assert sorted(each for each in sent if each[0] not in unlike) == sorted(
            each for each in expected if each[0] not in unlike
        )

    def test_standard_input(self, run: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"a":\n1}')))
        with serve(json_response({})) as server:
            run("record", "-d", "@-", server.url, "-o", "a.yaml")
            assert server.requests[0].body == b'{"a":1}'

    def test_a_url_without_a_scheme(self, run: Commands) -> None:
        with serve(json_response({})) as server:
            assert run("record", f"127.0.0.1:{server.port}/x", "-o", "a.yaml").status == 0
            assert server.requests[0].target == "/x"

    def test_compressed_asks_for_a_coding_and_keeps_the_text(self, run: Commands) -> None:
        with serve(Response(*CHAT.steps, coding="gzip")) as server:
            ran = run("record", "--compressed", server.url, "-o", "a.yaml")
            assert "gzip" in (server.requests[0].header("accept-encoding") or "")
        assert '"Hel"' in ran.out
        [tape] = streamtape.load("a.yaml")
        assert tape.coding == "gzip"
        assert tape.body == openai("Hel") + openai("lo") + b"data: [DONE]\n\n"

    def test_redirects_are_followed_where_asked_for(self, run: Commands) -> None:
        moved = Response(head(302, {"location": "/there"}), transfer="length")
        with serve({"/": moved, "/there": CHAT}) as server:
            assert run("record", server.url, "-o", "a.yaml").status == 0
            ran = run("record", "-L", server.url, "-o", "b.yaml")
        assert '"Hel"' in ran.out
        assert [tape.status for tape in streamtape.load("a.yaml")] == [302]
        assert [tape.status for tape in streamtape.load("b.yaml")] == [302, 200]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["-H", "nonsense", "http://127.0.0.1:9"], "'nonsense' is no header"),
            (["ftp://127.0.0.1:9/"], "ftp://127.0.0.1:9/ is no URL of HTTP"),
            (["http:///path"], "http:///path is no URL of HTTP"),
            (["-d", "@missing.json", "http://127.0.0.1:9"], "missing.json: No such file"),
        ],
    )
    def test_what_cannot_be_sent(self, run: Commands, arguments: list[str], message: str) -> None:
        ran = run("record", *arguments, "-o", "a.yaml")
        assert (ran.status, ran.out) == (2, "")
        assert message in ran.err
        assert ran.err.count("\n") == 1
        assert list(run.folder.iterdir()) == []
