"""A test suite in a folder of its own, run by a pytest session of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

import streamtape
from streamtape import Request, Tape
from tests.server import Response, Server, apart

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PIECES = [b"data: one\n\n", b"data: two\n\n", b"data: [DONE]\n\n"]
STREAM = Response(*apart(PIECES))

READ = """
import httpx2, pytest

def read(url):
    with httpx2.stream("GET", url) as response:
        return b"".join(response.iter_raw())
"""


class Suite:
    """A test suite in a folder of its own, run by a pytest session of its own."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.folder = pytester.path
        self.ini()

    def ini(self, *lines: str) -> None:
        # pytest-asyncio warns where its users leave this open.
        always = "asyncio_default_fixture_loop_scope = function"
        self.pytester.makeini("\n".join(["[pytest]", always, *lines, ""]))

    def write(self, server: Server | str, body: str, name: str = "test_it.py") -> None:
        url = server if isinstance(server, str) else server.url
        (self.folder / name).write_text(f"{READ}\nURL = {url!r}\n{body}")

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run it in this process, which is several times as fast as in another one.

        What Hypothesis remembers, it remembers beside the suite, as in a process of its own.
        """
        profile = settings.get_current_profile_name()
        set_hypothesis_home_dir(self.folder / ".hypothesis")
        try:
            return self.pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)
        finally:
            set_hypothesis_home_dir(None)
            settings.load_profile(profile)

    def run_apart(self, *arguments: str) -> pytest.RunResult:
        """Run it in a process of its own: one that is interrupted, or starts workers."""
        return self.pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)

    def cassettes(self) -> list[str]:
        found = self.folder.rglob("cassettes/**/*")
        return sorted(str(path.relative_to(self.folder)) for path in found if path.is_file())

    def cassette(self, name: str = "cassettes/test_it/test_stream.yaml", *tapes: Tape) -> Path:
        path = self.folder / name
        streamtape.save(path, tapes or [Tape.of(b"".join(PIECES))])
        return path


CHAT = "".join(
    f'data: {{"text": "{piece}"}}\r\n\r\n' for piece in ("Un ", "caf", "é au lait", " 👩‍👩‍👧", "!")
).encode()
"""A stream with every seam that the readers below may trip over."""

CHAT_URL = "http://x.test/chat"
TAPE = Tape.of(CHAT, request=Request("GET", CHAT_URL))

READERS = r"""
import json

def right(chunks):
    buffer = b""
    for chunk in chunks:
        buffer += chunk
        while b"\r\n\r\n" in buffer:
            event, buffer = buffer.split(b"\r\n\r\n", 1)
            yield json.loads(event.removeprefix(b"data: "))["text"]

def wrong(chunks):  # decodes each chunk by itself
    return right(chunk.decode("utf-8", "replace").encode() for chunk in chunks)

def reply(reader):
    with httpx2.stream("GET", URL) as response:
        return "".join(reader(response.iter_raw()))

async def areply(reader):
    async with httpx2.AsyncClient() as client, client.stream("GET", URL) as response:
        return "".join(reader([chunk async for chunk in response.aiter_raw()]))

TEXT = "Un café au lait 👩‍👩‍👧!"
"""


def write_chats(suite: Suite, body: str, name: str = "test_it.py") -> None:
    """Write tests that read `TAPE`, with the marker ``chat``."""
    suite.write(CHAT_URL, READERS + "chat = pytest.mark.streamtape('chat.yaml')\n" + body, name)
