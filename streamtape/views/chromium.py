"""Chromium without a window and without a driver: pages are opened, and functions called in them.

Pages come from a server of ours on loopback, by which they also report: see `page_server`.
"""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import CancelledError
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlsplit

from streamtape.clock import now_ns
from streamtape.views.page_server import PageServer
from streamtape.views.sites import folder_site, server_site, text_site

if TYPE_CHECKING:
    from types import TracebackType

    from streamtape.views.sites import Site

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
"""What the program is called, on one system or another."""

VARIABLE = "CHROMIUM"
"""The environment variable that says where it is, if not on the path."""

_FLAGS = (
    "--headless",
    "--no-sandbox",  # its sandbox won't start for root, so in most containers
    "--disable-dev-shm-usage",  # which containers make too small
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A page is drawn as soon as it has changed, not by the screen's clock.
    "--disable-frame-rate-limit",
    "--disable-gpu-vsync",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
)
_LOOK_S = 0.2
_END_S = 5.0
_START_S = 60.0
_TOLD = 2_000
"""So many characters of what it wrote last are told."""


class BrowserError(RuntimeError):
    """There is no Chromium, or it doesn't do its work."""


class PageError(Exception):
    """A page's script raised, or left a rejected promise alone. ``stack``: where, as it says."""

    def __init__(self, message: str, stack: str = "") -> None:
        super().__init__(message)
        self.stack = stack


def find() -> str | None:
    """The path of Chromium: of ``$CHROMIUM``, else of the first of `NAMES` there is; or None."""
    named = os.environ.get(VARIABLE)
    return shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """A browser inside a ``with`` block, showing one page at a time.

    It starts in about a second, with an empty profile that goes when it ends. *patience*: seconds
    that a page may take to load, or to answer. *size*: width and height of the page.

    Raises BrowserError on entering the block where there is no Chromium, or where it won't start.
    """

    def __init__(self, *, patience: float = 20.0, size: tuple[int, int] = (1024, 768)) -> None:
        self._patience = patience
        self._size = size
        self._running: ExitStack | None = None
        self._page: Page | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it, with all of its processes."""
        self._stop()

    def open(self, page: str | os.PathLike[str], *, stream: str | None = None) -> Page:
        """Load *page*: its HTML, its file (others beside it are there too), or its http address.

        A page that is open is closed. What pages stored (cookies, local and session storage) is
        gone. A page with an address is fetched by way of this process, so that its scripts see
        another host and port than those. *stream*: a path whose fetches are answered by what
        `views.web` feeds.

        Raises PageError for what its scripts raise meanwhile, and where its server refuses it;
        BrowserError where it doesn't load in time; FileNotFoundError where there is no such file.
        """
        site, path = _site(page)
        if self._running is None:
            self._start()
        self._server.site = site
        self._page = opened = Page(self)
        self._do({"do": "open", "url": path, "stream": stream, "size": self._size})
        return opened

    def _call(self, page: Page, command: dict[str, Any]) -> Any:
        if page is not self._page:
            raise BrowserError("this page is closed: it was left, or another one was opened")
        return self._do(command)

    def _close(self, page: Page) -> None:
        if page is self._page:
            self._page = None
            if self._running is not None:
                self._do({"do": "close"})

    def _start(self) -> None:
        path = find()
        if path is None:
            raise BrowserError(
                f"no Chromium was found (${VARIABLE} and, on the path, {', '.join(NAMES)}), so no"
                " page can be opened. Install it (Debian: apt-get install chromium), or set"
                f" {VARIABLE} to where it is"
            )
        with ExitStack() as stack:
            profile = Path(
                stack.enter_context(
                    tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
                )
            )
            self._log = profile / "stderr"
            self._server = stack.enter_context(PageServer())
            command = [path, *_FLAGS, f"--user-data-dir={profile}", self._server.outer_url]
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 - the browser that was asked for
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    start_new_session=True,
                )
            stack.callback(_end, self._process)
            self._running = stack
            self._do({"do": "close"}, within=_START_S)  # the first answer: it runs
            self._running = stack.pop_all()

    def _stop(self) -> None:
        running, self._running, self._page = self._running, None, None
        if running is not None:
            running.close()

    def _do(self, command: dict[str, Any], within: float | None = None) -> Any:
        """What the outer page answers."""
        within = self._patience if within is None else within
        reply = self._server.ask(command)
        ends_ns = now_ns() + round(within * 1e9)
        while True:
            try:
                answer = reply.result(_LOOK_S)
                break
            except (TimeoutError, CancelledError):
                ended = self._process.poll() is not None
                if not ended and now_ns() < ends_ns:
                    continue
            wrote = self._log.read_text(errors="replace")[-_TOLD:]
            self._stop()  # whatever it is doing: the next page gets a new one
            if ended:
                raise BrowserError(f"Chromium ended. It wrote last:\n{wrote}")
            raise BrowserError(
                f"the page gave no answer in {within:g} s: a script of it goes on for ever, or"
                " waits for what doesn't come"
            )
        for error in answer["errors"]:
            raise PageError(error["message"], error.get("stack", ""))
        return answer["value"]


class Page:
    """A page in the browser; a ``with`` block closes it."""

    def __init__(self, browser: Chromium) -> None:
        self._browser = browser

    def __enter__(self) -> Self:
        """Nothing is left to do."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it. What its scripts raised last is raised, unless the block has an error too."""
        try:
            self.close()
        except (BrowserError, PageError):
            if exc is None:
                raise

    def call(self, function: str, *arguments: object, settle: bool = False) -> Any:
        """What *function*, an expression of JavaScript, returns for *arguments*; it may be async.

        Both are JSON, but that bytes arrive as a ``Uint8Array``. *settle*: it returns when the page
        has been drawn, and what it had put off until then is done.

        Raises PageError for what is raised in the page, by this or since the last call;
        BrowserError where there is no answer in time.
        """
        given = [_json(argument) for argument in arguments]
        command = {"do": "call", "source": function, "args": given, "settle": settle}
        return self._browser._call(self, command)  # noqa: SLF001 - one thing in two classes

    def close(self) -> None:
        """Close it, if it is open."""
        self._browser._close(self)  # noqa: SLF001 - as above


def _json(argument: object) -> object:
    if isinstance(argument, bytes):
        return {"base64": base64.b64encode(argument).decode()}
    return argument


def _site(page: str | os.PathLike[str]) -> tuple[Site, str]:
    """Where *page* comes from, and its path there."""
    if isinstance(page, str):
        if page.startswith(("http://", "https://")):
            parts = urlsplit(page)
            path = f"{parts.path or '/'}?{parts.query}".removesuffix("?")
            return server_site(f"{parts.scheme}://{parts.netloc}"), path
        if "<" in page:
            return text_site(page), "/"
    file = Path(page)
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}: a page is HTML, a file or an address")
    return folder_site(file.parent), f"/{quote(file.name)}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End *process*, and those that it started."""
    if sys.platform == "win32":
        process.kill()
        process.wait()
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_END_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
