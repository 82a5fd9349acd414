"""How streams break through the recording proxy: the client sees it, and the cassette tells it."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import httpx
import pytest

import streamtape
from streamtape.server import proxy
from tests.server import Response, apart, chunk, cut, head, raw, refused, reset, serve, taken

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = [b"data: one\n\n", b"data: two\n\n"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.yaml"


def read(url: str, **options: object) -> tuple[bytes, type[Exception] | None]:
    """The body that a client gets, and how it breaks."""
    body = b""
    try:
        with httpx.stream("GET", url, trust_env=False, **options) as response:
            for piece in response.iter_raw():
                body += piece
    except httpx.TransportError as error:
        return body, type(error)
    return body, None


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (Response(*apart(EVENTS), cut()), "protocol"),
        (Response(head(headers=[("content-length", "100")]), *apart(EVENTS), cut()), "protocol"),
        (Response(*apart(EVENTS), raw(b"zz\r\n"), taken(), cut()), "protocol"),
        (Response(*apart(EVENTS), reset()), "read"),
        (Response(head(), taken(), reset()), "read"),
        (Response(raw(b"HTTP/1.1 200"), cut()), "protocol"),
        (Response(raw(b"nonsense\r\n\r\n"), cut()), "protocol"),
        (Response(reset()), "read"),
    ],
)
def test_a_break_reaches_the_client_and_the_cassette_as_it_does_without_a_proxy(
    path: Path, script: Response, error: str
) -> None:
    with serve(script) as upstream:
        direct = read(upstream.url)
        with proxy(upstream.url, path) as recorder:
            through = read(recorder.url)
            exchange = recorder.log[0].wait()
    assert through == direct
    assert through[1] is (httpx.RemoteProtocolError if error == "protocol" else httpx.ReadError)
    [tape] = streamtape.load(path)
    assert (tape.ending.kind, tape.ending.error) == ("error", error)
    assert tape.body == through[0]
    assert exchange.how == ("server closed" if error == "protocol" else "server reset")
    assert exchange.trouble.startswith(error)


def test_an_upstream_that_refuses_is_recorded_as_that(path: Path) -> None:
    with refused() as url, proxy(url, path) as recorder:
        body, error = read(recorder.url)
        exchange = recorder.log[0].wait()
    assert (body, error) == (b"", httpx.ReadError)
    assert exchange.trouble.startswith("connect: ")
    [tape] = streamtape.load(path)
    assert (tape.head_ns, tape.status, tape.ending.error) == (None, 599, "connect")


def test_one_break_is_the_end_of_one_stream_only(path: Path) -> None:
    scripts = [Response(*apart(EVENTS), reset()), Response(*apart(EVENTS))]
    with serve(scripts) as upstream, proxy(upstream.url, path) as recorder:
        assert read(recorder.url) == (b"".join(EVENTS), httpx.ReadError)
        assert read(recorder.url) == (b"".join(EVENTS), None)
    assert [tape.ending.kind for tape in streamtape.load(path)] == ["error", "eof"]


def test_what_breaks_after_the_longest_body_breaks_for_the_client_too(path: Path) -> None:
    with serve(Response(chunk(b"x" * 50), taken(), reset())) as upstream:
        with proxy(upstream.url, path, max_body=10) as recorder:
            assert read(recorder.url) == (b"x" * 50, httpx.ReadError)
            exchange = recorder.log[0].wait()
    assert exchange.trouble.endswith("\nnot recorded: the body is longer than 10 bytes")
    assert not recorder.saved


def test_a_full_disk_loses_the_recording_and_not_the_stream(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamtape.clients import spool

    class Full:
        def __init__(self, **_: object) -> None:
            pass

        def write(self, _: bytes) -> int:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            pass

    monkeypatch.setattr(spool, "SpooledTemporaryFile", Full)
    with serve(Response(*apart(EVENTS))) as upstream, proxy(upstream.url, path) as recorder:
        assert read(recorder.url) == (b"".join(EVENTS), None)
        recorder.log[0].wait()
    assert "No space left" in recorder.log[0].trouble
    assert recorder.lost == 1


# ---- TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1, which is its own authority, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run(
            [*command, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return certificate, key


@contextmanager
def secured(certificates: tuple[Path, Path]) -> Iterator[str]:
    """The URL of a server with TLS."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b"".join(EVENTS))

        def log_message(self, *_: object) -> None:
            pass

    class Server(HTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that doesn't trust it leaves in the middle of the handshake."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates)
    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_certificate_of_an_authority_that_is_given_is_trusted(
    path: Path, certificates: tuple[Path, Path]
) -> None:
    with secured(certificates) as url, proxy(url, path, ca=certificates[0]) as recorder:
        assert read(f"{recorder.url}/x") == (b"".join(EVENTS), None)
    [tape] = streamtape.load(path)
    assert tape.request.url == f"{url}/x"


def test_a_certificate_that_nobody_vouches_for_is_not(
    path: Path, certificates: tuple[Path, Path]
) -> None:
    with secured(certificates) as url, proxy(url, path) as recorder:
        assert read(recorder.url) == (b"", httpx.ReadError)
        exchange = recorder.log[0].wait()
    assert "CERTIFICATE_VERIFY_FAILED" in exchange.trouble
    assert [tape.ending.error for tape in streamtape.load(path)] == ["connect"]


def test_a_certificate_of_another_name_is_not_trusted_either(
    path: Path, certificates: tuple[Path, Path]
) -> None:
    with secured(certificates) as url:
        with proxy(url.replace("127.0.0.1", "localhost"), path, ca=certificates[0]) as recorder:
            assert read(recorder.url) == (b"", httpx.ReadError)
            assert "CERTIFICATE_VERIFY_FAILED" in recorder.log[0].wait().trouble


def test_a_file_that_holds_no_certificates_is_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        proxy("https://127.0.0.1:9", path, ca=tmp_path / "none.pem")
    (tmp_path / "notes.txt").write_text("dear diary")
    with pytest.raises(ValueError, match="no certificates in PEM"):
        proxy("https://127.0.0.1:9", path, ca=tmp_path / "notes.txt")


def test_the_environments_proxy_is_used(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as beyond:
        asked: list[bytes] = []

        def answer() -> None:
            accepted, _ = beyond.accept()
            with accepted:
                asked.append(accepted.recv(1 << 16))
                accepted.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes")

        thread = threading.Thread(target=answer)
        thread.start()
        for name in ("NO_PROXY", "no_proxy", "http_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{beyond.getsockname()[1]}")
        with proxy("http://api.test/base", path) as recorder:
            assert read(f"{recorder.url}/x") == (b"yes", None)
        thread.join()
    assert asked[0].startswith(b"GET http://api.test/base/x HTTP/1.1\r\n")
