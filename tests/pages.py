"""README.md and docs/ as tests: what a page shows is run, in order, in a folder of its own.

* A ``python`` block is run, and shares its names with the page's other blocks.
* A ``python`` block whose first line names a file (``# test_greeting.py``) becomes that file.
* So does an ``html`` block whose first line does (``<!-- chat.html -->``).
* A ``toml`` block with pytest's options becomes ``pyproject.toml``.
* A ``yaml`` block that is a whole cassette is loaded, and has to come out as it is when saved.
* In a ``console`` block, commands that begin with ``pytest`` or ``streamtape`` are run. They have
  to succeed, unless the output shown says ``failed``, and the output shown has to be there, line
  by line; ``...`` stands for anything. Other commands are for people.

The SDKs find a server on loopback that speaks like OpenAI and Anthropic. A pytest command that does
not record must send it nothing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sybil import Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.integration.pytest import SybilItem
from sybil.parsers.markdown import CodeBlockParser, SkipParser

import streamtape
from streamtape.views.chromium import find
from tests.server import Request, Response, apart, head, json_response, serve
from tests.streams import anthropic_messages, openai_chat, openai_responses

if TYPE_CHECKING:
    import pytest
    from _pytest._code import Traceback
    from sybil import Example

PROJECT = Path(__file__).parents[1]
STREAMS = {
    "/v1/chat/completions": openai_chat,
    "/v1/responses": openai_responses,
    "/v1/messages": anthropic_messages,
}
SERVER_OF_THE_PAGE = "chat_server.py"
ADDRESS_ON_THE_PAGE = "127.0.0.1:8000"

_FILE_NAME = re.compile(r"# (\w+\.py)\n")
_HTML_NAME = re.compile(r"<!-- (\w+\.html) -->\n")
_RUN_HERE = re.compile(r"(?:[A-Z_]+=\S* )*(?:pytest|streamtape)\b")


class Page:
    """The folder of one page, and the server that its commands find."""

    def __init__(self) -> None:
        self._left = ExitStack()
        self.folder = Path(self._left.enter_context(tempfile.TemporaryDirectory()))
        self._left.callback(os.chdir, Path.cwd())
        if (PROJECT / "cassettes").is_dir():
            shutil.copytree(PROJECT / "cassettes", self.folder / "cassettes")
        os.chdir(self.folder)
        self.server = self._left.enter_context(serve(_answer))
        self.address = f"127.0.0.1:{_free_port()}"

    @property
    def has_browser(self) -> bool:
        """Whether examples with a browser are run: where there is one, and in CI."""
        return find() is not None or bool(os.environ.get("CI"))

    def close(self) -> None:
        """Remove the folder, end the servers, go back to where pytest was."""
        self._left.close()

    def write(self, name: str, source: str) -> None:
        """Make the file *name*; a server on the page gets a port that is free."""
        (self.folder / name).write_text(self.localised(source), encoding="utf-8")
        if name == SERVER_OF_THE_PAGE:
            self._start(name)

    def localised(self, text: str) -> str:
        """*text* with this run's addresses in place of those that the page shows."""
        here = f"http://127.0.0.1:{self.server.port}"
        for shown, real in (
            ("https://api.openai.com", here),
            ("https://api.anthropic.com", here),
            (ADDRESS_ON_THE_PAGE, self.address),
            (ADDRESS_ON_THE_PAGE.split(":")[1], self.address.split(":")[1]),
        ):
            text = text.replace(shown, real)
        return text

    def run(self, command: str) -> tuple[int, str]:
        """The exit code and the output of *command*, as a person would run it in the folder."""
        base = f"http://127.0.0.1:{self.server.port}"
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "OPENAI_BASE_URL": f"{base}/v1",
            "OPENAI_API_KEY": "none",
            "ANTHROPIC_BASE_URL": base,
            "ANTHROPIC_API_KEY": "none",
            "PYTEST_ADDOPTS": " ".join(self._unwanted(command)),
            "COLUMNS": "80",
        }
        result = subprocess.run(
            ["bash", "-c", self.localised(command)],
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        return result.returncode, result.stdout

    def _unwanted(self, command: str) -> Iterator[str]:
        """Options of pytest that leave plugins out which no page speaks of."""
        # Where it is installed, it can't be loaded beside pytest-recording.
        yield "-p no:cassetter"
        files = (*self.folder.glob("*.py"), *self.folder.glob("*.toml"))
        texts = [command, *(file.read_text(encoding="utf-8") for file in files)]
        if not any("hypothesis" in text for text in texts):
            # It loads Hypothesis at the end of every session, which takes half of a short one.
            yield "-p no:hypothesispytest"

    def _start(self, name: str) -> None:
        process = subprocess.Popen([sys.executable, name], stderr=subprocess.DEVNULL)
        self._left.callback(process.wait)
        self._left.callback(process.terminate)
        host, port = self.address.split(":")
        while True:
            with socket.socket() as client:
                if client.connect_ex((host, int(port))) == 0:
                    return
            assert process.poll() is None, f"{name} ended with {process.returncode}"
            time.sleep(0.01)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _answer(request: Request) -> Response:
    """The whole stream of the provider that is asked, an event at a time."""
    stream = STREAMS.get(request.path)
    if stream is None:
        return json_response({"error": {"message": f"nothing at {request.path}"}}, 404)
    return Response(
        head(200, {"content-type": "text/event-stream; charset=utf-8"}), *apart(stream())
    )


class _PythonBlocks(CodeBlockParser):
    language = "python"

    def evaluate(self, example: Example) -> None:
        page: Page = example.namespace["page"]
        source = str(example.parsed)
        if named := _FILE_NAME.match(source):
            page.write(named[1], source)
            return
        _run_python(example)


class _HtmlBlocks(CodeBlockParser):
    language = "html"

    def evaluate(self, example: Example) -> None:
        source = str(example.parsed)
        if named := _HTML_NAME.match(source):
            example.namespace["page"].write(named[1], source)


class _TomlBlocks(CodeBlockParser):
    language = "toml"

    def evaluate(self, example: Example) -> None:
        source = str(example.parsed)
        if "pytest" in tomllib.loads(source).get("tool", {}):
            example.namespace["page"].write("pyproject.toml", source)


class _JsonBlocks(CodeBlockParser):
    language = "json"

    def evaluate(self, example: Example) -> None:
        json.loads(str(example.parsed))


class _YamlBlocks(CodeBlockParser):
    language = "yaml"

    def evaluate(self, example: Example) -> None:
        source = str(example.parsed)
        if not source.startswith("version: 1\n"):
            return
        page: Page = example.namespace["page"]
        path = page.folder / "shown.yaml"
        path.write_text(source, encoding="utf-8")
        streamtape.save(path, streamtape.load(path))
        assert path.read_text(encoding="utf-8") == source


class _ConsoleBlocks(CodeBlockParser):
    language = "console"

    def evaluate(self, example: Example) -> None:
        page: Page = example.namespace["page"]
        for prompt in re.split(r"^\$ ", str(example.parsed), flags=re.MULTILINE)[1:]:
            command, _, shown = re.sub(r" \\\n\s*", " ", prompt).partition("\n")
            command = command.partition("  #")[0].strip()
            if not _RUN_HERE.match(command):
                continue
            asked = len(page.server.requests)
            code, output = page.run(command)
            fails = re.search(r"\bfailed\b", shown) is not None
            assert (code != 0) == fails, f"`{command}` ended with {code}:\n{output}"
            if command.endswith("pytest"):
                assert len(page.server.requests) == asked, f"`{command}` used the network"
            _assert_shown(page.localised(shown), output)


def _assert_shown(shown: str, output: str) -> None:
    rest = output
    for line in filter(None, map(str.strip, shown.splitlines())):
        pattern = ".*".join(re.escape(part.strip()) for part in line.split("..."))
        found = re.search(pattern, rest)
        assert found, f"the page shows {line!r}; the output is:\n{output}"
        rest = rest[found.end() :]


_run_python = PythonEvaluator()


def _open(namespace: dict[str, Any]) -> None:
    namespace["page"] = Page()


def _close(namespace: dict[str, Any]) -> None:
    namespace["page"].close()


_within_the_example = SybilItem._traceback_filter


def _traceback(item: SybilItem, failure: pytest.ExceptionInfo[BaseException]) -> Traceback:
    """Sybil's filter, which expects the example in each traceback.

    A warning about something that an earlier test left open has none, and may come up here.
    """
    try:
        return _within_the_example(item, failure)
    except IndexError:
        return failure.traceback


SybilItem._traceback_filter = _traceback  # type: ignore[assignment, method-assign]

PAGES = Sybil(
    path=str(PROJECT),
    patterns=["README.md", "docs/*.md", "docs/*/*.md"],
    parsers=[
        _PythonBlocks(),
        _HtmlBlocks(),
        _TomlBlocks(),
        _JsonBlocks(),
        _YamlBlocks(),
        _ConsoleBlocks(),
        SkipParser(),
    ],
    setup=_open,
    teardown=_close,
)
