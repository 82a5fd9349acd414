"""The browser itself: pages from texts, files and servers; what goes wrong is told."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from streamtape import Tape
from streamtape.server import serve
from streamtape.tape import Request
from streamtape.views import BrowserError, Chromium, PageError, page_server
from streamtape.views.chromium import NAMES, VARIABLE, find
from streamtape.views.sites import begun
from tests.browser.reading import without_a_browser

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.reading import Reader

PAGE = b"""<!doctype html>
<title>A chat</title>
<body>
<script>
var loaded = (async () => {
  const response = await fetch("/v1/chat?n=1", { method: "POST", body: "Hi" });
  document.body.append(await response.text());
})();
</script>
"""


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.mark.usefixtures("nowhere")
def test_where_there_is_none_it_says_what_to_install() -> None:
    assert find() is None
    with pytest.raises(BrowserError, match=r"no Chromium was found .* apt-get install chromium"):
        Chromium().__enter__()


def test_tests_are_skipped_without_one_but_not_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no Chromium is installed"):
        without_a_browser()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI has to have one"):
        without_a_browser()


@pytest.mark.skipif(sys.platform == "win32", reason="programs are told by their names there")
@pytest.mark.usefixtures("nowhere")
def test_it_is_found_on_the_path_or_where_the_variable_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in (NAMES[-1], "mine"):
        (tmp_path / name).write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
        (tmp_path / name).chmod(0o755)
    assert find() == str(tmp_path / NAMES[-1])
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    assert find() == str(tmp_path / "mine")
    with pytest.raises(BrowserError, match=r"Chromium ended. It wrote last:\nbroken"):
        Chromium().__enter__()


def test_a_page_is_called_with_json_and_bytes(browser: Chromium) -> None:
    with browser.open("<p>A page") as page:
        assert page.call("(...given) => given", 1.5, "é", None, {"a": [True]}) == [
            *(1.5, "é", None, {"a": [True]}),
        ]
        assert page.call("(piece) => piece instanceof Uint8Array && [...piece]", b"\0\xff") == [
            0,
            255,
        ]
        assert page.call("async () => document.compatMode") == "BackCompat"
        assert page.call("() => undefined") is None
        assert page.call("() => '\\ud83d'") == "\ud83d"


def test_what_a_call_raises_has_its_stack(browser: Chromium) -> None:
    page = browser.open("<script>function fails() { throw new TypeError('on purpose'); }</script>")
    with pytest.raises(PageError, match=r"^TypeError: on purpose$") as caught:
        page.call("fails")
    assert "at fails" in caught.value.stack
    with pytest.raises(PageError, match=r"^just a text$"):
        page.call("() => Promise.reject('just a text')")
    with pytest.raises(PageError, match="SyntaxError"):
        page.call("no function")
    with pytest.raises(PageError, match="circular"):
        page.call("() => { const round = {}; round.round = round; return round; }")
    assert page.call("() => 1") == 1


@pytest.mark.parametrize(
    "script", ["throw new RangeError('while loading')", "Promise.reject(new RangeError('while'))"]
)
def test_what_scripts_raise_while_a_page_loads_is_raised(browser: Chromium, script: str) -> None:
    with pytest.raises(PageError, match="RangeError: while"):
        browser.open(f"<!doctype html><script>{script}</script>")


def test_what_scripts_raised_last_is_raised_in_the_end_and_hides_no_other_error(
    browser: Chromium,
) -> None:
    fails = "() => { setTimeout(() => { throw new Error('late'); }); }"
    with pytest.raises(PageError, match="Error: late"):
        with browser.open("<p>") as page:
            page.call(fails)
            time.sleep(0.3)
    with pytest.raises(KeyError, match="mine"):
        with browser.open("<p>") as page:
            page.call(fails)
            time.sleep(0.3)
            raise KeyError("mine")


def test_nothing_that_a_page_kept_is_left_for_the_next(browser: Chromium) -> None:
    look = "() => [document.cookie, localStorage.length, sessionStorage.length]"
    page = browser.open("<p>")
    page.call("() => { document.cookie = 'a=b'; localStorage.c = sessionStorage.d = 1; }")
    assert page.call(look) == ["a=b", 1, 1]
    assert browser.open("<p>").call(look) == ["", 0, 0]


def test_one_page_is_open_at_a_time(browser: Chromium) -> None:
    first = browser.open("<p>")
    with browser.open("<p>") as second:
        with pytest.raises(BrowserError, match="this page is closed"):
            first.call("() => 1")
        first.close()
        assert second.call("() => 1") == 1
    with pytest.raises(BrowserError, match="this page is closed"):
        second.call("() => 1")


def test_a_file_finds_those_beside_it_and_no_others(browser: Chromium, tmp_path: Path) -> None:
    folder = tmp_path / "site é"
    (folder / "js").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "js" / "chat.js").write_text("export const name = 'modulé';", encoding="utf-8")
    (folder / "chat page.html").write_text(
        "<!doctype html><script type=module>"
        "import { name } from './js/chat.js'; window.name = name;</script>",
        encoding="utf-8",
    )
    for path in (folder / "chat page.html", str(folder / "chat page.html")):
        page = browser.open(path)
        assert page.call("() => name") == "modulé"
    status = "async (path) => (await fetch(path)).status"
    assert page.call(status, "js/chat.js") == 200
    assert page.call(status, "..%2fsecret.txt") == 404
    assert page.call(status, "none.js") == 404
    assert browser.open("<p>").call(status, "chat.js") == 404
    with pytest.raises(FileNotFoundError, match="a page is HTML, a file or an address"):
        browser.open(tmp_path / "none.html")


def test_a_page_with_an_address_talks_to_its_server(browser: Chromium) -> None:
    asked = Request("POST", "http://chat.test/v1/chat?n=1")
    tapes = [
        Tape.of(PAGE, content_type="text/html", request=Request("GET", "http://chat.test/a?b=1")),
        Tape.of(b"data: caf\xc3\xa9\n\n", request=asked),
    ]
    with serve(tapes) as server:
        page = browser.open(f"{server.url}/a?b=1")
        page.call("() => loaded")
        assert "data: café" in page.call("() => document.body.textContent")
        assert page.call("() => location.pathname + location.search") == "/a?b=1"
        [sent] = [one for one in server.log if one.method == "POST"]
        headers = {name.lower(): value for name, value in sent.headers}
        assert (sent.body, headers["origin"]) == (b"Hi", server.url)
    with pytest.raises(PageError, match=f"status 502: {server.url} gave no answer: "):
        browser.open(server.url)


def test_a_page_that_is_not_there_is_told(browser: Chromium) -> None:
    with serve(Tape.of(b"", request=Request("GET", "http://chat.test/a"))) as server:
        with pytest.raises(PageError, match="/b came with the status 404: No recorded interaction"):
            browser.open(f"{server.url}/b")


def test_the_browser_asks_again_where_there_is_nothing_to_do(
    browser: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_server, "_POLL_S", 0.01)
    page = browser.open("<p>")
    for number in range(20):
        time.sleep(number / 1000)
        assert page.call("(number) => number", number) == number


def test_nonsense_that_others_write_leaves_the_browser_alone(browser: Chromium) -> None:
    page = browser.open("<p>")
    port = urlsplit(browser._server.outer_url).port
    for nonsense in (b"nonsense\r\n\r\n", b"GET /" + b"x" * 400_000, b"", b"GET / HTTP/1.1\r\n"):
        with socket.create_connection(("127.0.0.1", port)) as client, suppress(OSError):
            client.sendall(nonsense)  # the server may have hung up
    assert page.call("() => 1") == 1


def test_scripts_come_after_the_doctype() -> None:
    for before in (b"<!DOCTYPE html>", b"\xef\xbb\xbf <!-- a\n<p> --> <!doctype html>", b""):
        assert begun(before + b"<p>", b"<script>") == before + b"<script><p>"


@pytest.mark.usefixtures("browser")
def test_a_page_that_never_answers_is_left_and_the_next_one_opens() -> None:
    with Chromium() as browser:
        page = browser.open("<p>")
        patience, browser._patience = browser._patience, 0.5
        with pytest.raises(BrowserError, match=r"gave no answer in 0\.5 s"):
            page.call("() => { for (;;); }")
        browser._patience = patience
        page.close()
        page = browser.open("<p>Again")
        assert page.call("() => document.body.textContent") == "Again"
        if sys.platform != "win32":
            os.killpg(browser._process.pid, signal.SIGKILL)
            with pytest.raises(BrowserError, match="Chromium ended"):
                page.call("() => 1")
        profile = browser._log.parent
    assert not profile.exists()
    assert browser._process.returncode is not None


def test_it_says_nothing_of_itself_to_other_pages(reader: Reader) -> None:
    """What controls the browser is behind a path that nobody can guess."""
    status = "async (path) => (await fetch(path)).status"
    assert reader.page.call(status, "/-streamtape/next") == 404
