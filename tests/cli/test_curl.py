"""The request that `streamtape record` sends is the one that curl would send."""

from __future__ import annotations

import argparse
import io
import re
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import streamtape
from streamtape.cli.curl import add_arguments
from tests.cli.commands import Commands, openai
from tests.server import Response, apart, head, json_response, serve

CHAT = Response(*apart([openai("Hel"), openai("lo"), b"data: [DONE]\n\n"]))


@contextmanager
def https_server() -> Iterator[str]:
    """A server whose certificate nobody signed, made in the folder where the test runs."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    key = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    names = "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    made = [*key.split(), *names.split(), "-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path("certificate.pem"), Path("key.pem"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hello)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(openai("Hi"))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


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
        ["-sSvi#gq", "--http1.1", "--no-progress-meter", "--basic"],
        ["-G"],
        ["-G", "-d", "a=1", "--data", "b=2"],
        ["-G", "-d", ""],
        ["-sGX", "PUT", "--data-urlencode", "a=b c"],
        ["-G", "--json", "1"],
        ["--data-urlencode", "a=b c&d=e/é~._-"],
        ["--data-urlencode", "=b=c"],
        ["--data-urlencode", "b c"],
        ["--data-urlencode", "@lines.txt"],
        ["--data-urlencode", "a@lines.txt", "-d", "b=1"],
        ["--data-urlencode", "a=@lines.txt"],
        ["-e", "http://from.test/page"],
        ["-e", "http://from.test/;auto"],
        ["-e", ""],
        ["-e", "http://from.test/", "-H", "Referer: mine"],
        ["-k"],
        ["--fail-with-body"],
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

    def test_the_url_as_an_option(self, run: Commands) -> None:
        with serve(json_response({})) as server:
            assert run("record", "--url", f"{server.url}/x", "-o", "a.yaml").status == 0
            assert server.requests[0].target == "/x"

    def test_a_fragment_stays_out_of_the_query(self, run: Commands) -> None:
        with serve(json_response({})) as server:
            run("record", "-G", "-d", "b=2", f"{server.url}/x?a=1#part", "-o", "a.yaml")
            assert server.requests[0].target == "/x?a=1&b=2"

    @pytest.mark.parametrize("scheme", ["http://", ""])
    def test_through_a_proxy(self, run: Commands, scheme: str) -> None:
        with serve(CHAT) as proxy:
            address = f"{scheme}127.0.0.1:{proxy.port}"
            ran = run("record", "-x", address, "http://far.test/chat?a=1", "-o", "a.yaml")
            assert proxy.requests[0].target == "http://far.test/chat?a=1"
        assert '"Hel"' in ran.out
        [tape] = streamtape.load("a.yaml")
        assert tape.request is not None
        assert tape.request.url == "http://far.test/chat?a=1"

    def test_without_the_proxy_of_the_environment(
        self, run: Commands, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.delenv("NO_PROXY")
        with serve(CHAT) as server:
            assert run("record", server.url, "-o", "a.yaml").status == 7
            assert run("record", "-x", "", server.url, "-o", "a.yaml").status == 0

    def test_insecure_takes_any_certificate_and_warns(self, run: Commands) -> None:
        with https_server() as url:
            refused = run("record", url, "-o", "a.yaml")
            taken = run("record", "-s", "-k", url, "-o", "a.yaml")
        assert refused.status == 7
        assert "CERTIFICATE_VERIFY_FAILED" in refused.err
        assert (taken.status, taken.out) == (0, "")
        assert taken.err.startswith(
            "streamtape: note: with -k the server's certificate isn't checked"
        )
        [tape] = streamtape.load("a.yaml")
        assert tape.body == openai("Hi")

    @pytest.mark.parametrize(
        ("arguments", "option"),
        [
            (["-F", "a=b"], "-F"),
            (["-Fa=b"], "-F"),
            (["-sSF", "a=b"], "-F"),
            (["--form", "a=b"], "--form"),
            (["-I"], "-I"),
            (["--head"], "--head"),
            (["-T", "file"], "-T"),
            (["--http2"], "--http2"),
            (["-w", "%{http_code}"], "-w"),
            (["--retry=3"], "--retry"),
            (["-4"], "-4"),
        ],
    )
    def test_other_options_of_curls_are_named(
        self, run: Commands, arguments: list[str], option: str
    ) -> None:
        for ordered in ([*arguments, "http://127.0.0.1:9"], ["http://127.0.0.1:9", *arguments]):
            ran = run("record", *ordered, "-o", "a.yaml")
            assert (ran.status, ran.out) == (2, "")
            assert ran.err.startswith("usage: streamtape record ")
            assert ran.err.endswith(f"error: {option} is curl's, and record doesn't have it\n")
        assert list(run.folder.iterdir()) == []

    @pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
    def test_every_option_of_curls_is_known(self) -> None:
        manual = subprocess.run(
            ["curl", "--help", "all"], capture_output=True, text=True, check=True
        ).stdout
        curls = set(re.findall(r"^ *(?:(-\S), )?(--[\w.-]+)", manual, re.MULTILINE))
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        known = {option for action in parser._actions for option in action.option_strings}
        # -o and --append are record's own; --version is the command line's.
        known |= {"-o", "--output", "--append", "-V", "--version", ""}
        assert {option for pair in curls for option in pair} <= known
        assert len(curls) > 200

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
            ([], "no URL: record sends one request, so give one URL"),
            (
                ["http://127.0.0.1:9", "--url", "http://h"],
                "http://127.0.0.1:9 and http://h: record",
            ),
            (["-x", "socks5://127.0.0.1:9", "http://127.0.0.1:9"], "is no proxy of HTTP: write"),
            (["-d", "@missing.json", "http://127.0.0.1:9"], "missing.json: No such file"),
        ],
    )
    def test_what_cannot_be_sent(self, run: Commands, arguments: list[str], message: str) -> None:
        ran = run("record", *arguments, "-o", "a.yaml")
        assert (ran.status, ran.out) == (2, "")
        assert message in ran.err
        assert ran.err.count("\n") == 1
        assert list(run.folder.iterdir()) == []
