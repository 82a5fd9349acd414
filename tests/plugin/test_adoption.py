"""Suites that use vcrpy or pytest-recording: fuzzed as they are."""

from __future__ import annotations

import asyncio
import gzip
from base64 import b64encode
from contextlib import ExitStack
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest
import vcr
from vcr.errors import CannotOverwriteExistingCassetteException

import streamtape
from streamtape import Delivery, Tape
from streamtape.pytest_plugin import adoption
from tests.plugin.suite import CHAT, READERS, TAPE, Suite
from tests.plugin.suite import CHAT_URL as URL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCUMENT = b'{"an": "answer", "of": ["one", "piece"]}'

EXISTING = """
import vcr

@pytest.mark.vcr
def test_marked_wrong():
    assert reply(wrong) == TEXT

@pytest.mark.vcr
def test_marked_right():
    assert reply(right) == TEXT

@pytest.mark.vcr
@pytest.mark.asyncio
async def test_marked_async():
    assert await areply(right) == TEXT

def test_plain():
    with vcr.use_cassette(CASSETTE):  # once, and the cassette is there
        assert reply(wrong) == TEXT

@vcr.VCR(record_mode="none", match_on=["method"]).use_cassette(CASSETTE)
def test_decorated():
    assert reply(right) == TEXT

@pytest.mark.vcr
def test_document():
    assert httpx2.get(URL).json()["an"] == "answer"

def test_whole():
    with vcr.use_cassette(CASSETTE), httpx2.stream("GET", URL) as response:
        assert len(list(response.iter_raw())) == CHUNKS
"""


@pytest.fixture
def existing(suite: Suite) -> Suite:
    """A suite with cassettes as vcrpy writes them."""
    document = Tape.of(DOCUMENT, content_type="application/json", request=TAPE.request)
    for name in ("marked_wrong", "marked_right", "marked_async", "document", "plain"):
        path = suite.cassette(
            f"cassettes/test_it/test_{name}.yaml", document if name == "document" else TAPE
        )
        text = path.read_text()
        path.write_text(text[: text.index("    timeline: ")])
    cassette = str(suite.folder / "cassettes/test_it/test_plain.yaml")
    suite.write(URL, f"CASSETTE = {cassette!r}\nCHUNKS = 1\n{READERS}{EXISTING}")
    return suite


def test_an_existing_suite_is_fuzzed_without_touching_a_line(existing: Suite) -> None:
    existing.run("--block-network").assert_outcomes(passed=7)
    result = existing.run("--streamtape-fuzz=20", "--block-network")
    result.assert_outcomes(passed=4, failed=3)
    cut = CHAT.index("é".encode()) + 1
    result.stdout.fnmatch_lines(
        [
            "*_ test_marked_wrong _*",
            ">       assert reply(wrong) == TEXT",
            f"  Delivery(cuts=({cut},))",
            "*_ test_plain _*",
            f"  Delivery(cuts=({cut},))",
            '  again: pytest "test_it.py::test_plain" *',
            "*_ test_whole _*",
            "6 tests under *",
            "  test_it.py::test_document",
        ]
    )
    again = existing.run(f"--streamtape-delivery=Delivery(cuts=({cut},))")
    again.assert_outcomes(passed=4, failed=3)


def test_the_ini_key_adopts_without_fuzzing(existing: Suite) -> None:
    test = existing.folder / "test_it.py"
    test.write_text(test.read_text().replace("CHUNKS = 1", "CHUNKS = 5"))
    with (existing.folder / "tox.ini").open("a") as ini:
        ini.write("\nstreamtape_vcr = true\n")
    existing.run("--block-network").assert_outcomes(passed=7)


@pytest.fixture
def adopted() -> Iterator[None]:
    """In this process, by a configuration that knows only what is to be cleaned up."""
    with ExitStack() as stack:
        adoption.begin(SimpleNamespace(add_cleanup=stack.callback), untimed=None)
        yield


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    path = tmp_path / "chat.yaml"
    streamtape.save(path, [TAPE])
    text = path.read_text()
    path.write_text(text[: text.index("    timeline: ")])
    return path


def read(client: Any = httpx2) -> list[bytes]:
    with client.stream("GET", URL) as response:
        return list(response.iter_raw())


def test_plain_vcrpy_has_one_chunk(cassette: Path) -> None:
    with vcr.use_cassette(str(cassette), record_mode="none"):
        assert read() == [CHAT]


@pytest.mark.usefixtures("adopted")
class TestAdopted:
    @pytest.mark.parametrize("client", [httpx, httpx2])
    def test_chunks_are_events(self, cassette: Path, client: object) -> None:
        with vcr.use_cassette(str(cassette), record_mode="none") as opened:
            assert b"".join(read(client)) == CHAT
        assert opened.play_count == 1
        assert opened.all_played

    def test_async_clients_too(self, cassette: Path) -> None:
        async def chunks() -> list[bytes]:
            async with httpx2.AsyncClient() as client, client.stream("GET", URL) as response:
                return [chunk async for chunk in response.aiter_raw()]

        with vcr.use_cassette(str(cassette), record_mode="none"):
            assert len(asyncio.run(chunks())) == 5

    def test_play_counts_and_error_texts_stay_vcrpys(self, cassette: Path) -> None:
        with vcr.use_cassette(str(cassette), record_mode="none"):
            read()
            with pytest.raises(CannotOverwriteExistingCassetteException, match="already been pl"):
                read()
        with vcr.use_cassette(str(cassette), record_mode="none", allow_playback_repeats=True):
            assert read() == read()

    def test_matchers_and_hooks_stay_vcrpys(self, cassette: Path) -> None:
        seen = []

        def before_request(request: Any) -> Any:
            seen.append(request.uri)
            return None if "ignored" in request.uri else request

        def before_response(response: dict) -> dict:
            response["body"]["string"] = response["body"]["string"].replace(b"Un ", b"One ")
            return response

        client = httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(204)))
        with vcr.use_cassette(
            str(cassette),
            record_mode="none",
            match_on=["method"],
            before_record_request=before_request,
            before_record_response=before_response,
        ):
            assert client.get("http://x.test/ignored").status_code == 204
            assert b"One " in client.get("http://elsewhere.test/").content
        assert set(seen) == {"http://x.test/ignored", "http://elsewhere.test/", URL}

    def test_what_may_record_stays_with_vcrpy(self, cassette: Path) -> None:
        with vcr.use_cassette(str(cassette), record_mode="new_episodes"):
            assert read() == [CHAT]
        client = httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(200)))
        with vcr.use_cassette(str(cassette.with_name("new.yaml"))) as recorded:
            client.get(URL)
        assert len(recorded) == 1

    def test_a_client_that_is_skipped_stays_so(self, cassette: Path) -> None:
        client = httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(204)))
        options = {"record_mode": "none", "skip_patchers": ("httpx2",)}
        with vcr.use_cassette(str(cassette), **options):
            assert client.get(URL).status_code == 204

    def test_a_timeline_is_played(self, cassette: Path) -> None:
        streamtape.save(cassette, [TAPE.deliver(Delivery(cuts=(7, 11)))])
        with vcr.use_cassette(str(cassette), record_mode="none"):
            assert read() == [CHAT[:7], CHAT[7:11], CHAT[11:]]

    def test_reading_past_what_is_known_fails_the_block(self, cassette: Path) -> None:
        closed = (
            cassette.read_text() + "    timeline: |\n      1.000 head sse\n      1.000 closed\n"
        )
        cassette.write_text(closed)
        with pytest.raises(AssertionError, match="past the end of a tape"):
            with vcr.use_cassette(str(cassette), record_mode="none"):
                with pytest.raises(httpx2.ReadError):
                    read()

    def test_a_body_kept_compressed_comes_so(self, tmp_path: Path) -> None:
        path = tmp_path / "gzip.yaml"
        body = gzip.compress(CHAT, mtime=0)
        path.write_text(
            "version: 1\ninteractions:\n- request: {method: GET, uri: 'http://x.test/chat',"
            " body: null, headers: {}}\n  response:\n    status: {code: 200, message: OK}\n"
            "    headers: {content-type: [text/event-stream], content-encoding: [gzip]}\n"
            f"    body: {{string: !!binary {b64encode(body).decode()}}}\n"
        )
        with vcr.use_cassette(str(path), record_mode="none"):
            response = httpx2.get(URL)
        assert response.content == CHAT
        assert response.headers["content-encoding"] == "gzip"

    def test_what_old_releases_of_vcrpy_recorded_is_played(self, tmp_path: Path) -> None:
        path = tmp_path / "old.yaml"
        path.write_text(
            "version: 1\ninteractions:\n- request: {method: GET, uri: 'http://x.test/chat',"
            " body: '', headers: {}}\n  response:\n    status_code: 200\n"
            "    http_version: HTTP/1.1\n    headers: {content-type: text/event-stream}\n"
            '    content: "data: one\\n\\ndata: two\\n\\n"\n'
        )
        with vcr.use_cassette(str(path), record_mode="none"):
            assert read() == [b"data: one\n\n", b"data: two\n\n"]


def test_what_vcrpy_answered_in_another_client_is_said_to_be_so(existing: Suite) -> None:
    (existing.folder / "test_other.py").write_text(
        "import urllib.request, pytest\n"
        f"URL = {URL!r}\n"
        "@pytest.mark.vcr('chat.yaml')\n"
        "def test_with_a_marker():\n"
        "    assert urllib.request.urlopen(URL).status == 200\n"
        "def test_in_a_block(vcr_config):\n"
        "    import vcr, pathlib\n"
        "    path = pathlib.Path(__file__).parent / 'cassettes' / 'test_other' / 'chat.yaml'\n"
        "    with vcr.use_cassette(str(path), record_mode='none'):\n"
        "        assert urllib.request.urlopen(URL).status == 200\n"
        "def test_nothing(): pass\n"
        "@pytest.mark.vcr('document.yaml')\n"
        "def test_a_document_in_a_client_that_is_served():\n"
        "    import httpx2\n"
        "    assert httpx2.get(URL).status_code == 200\n"
    )
    document = Tape.of(DOCUMENT, content_type="application/json", request=TAPE.request)
    existing.cassette("cassettes/test_other/document.yaml", document)
    existing.cassette("cassettes/test_other/chat.yaml", TAPE)
    result = existing.run("--streamtape-fuzz=5", "test_other.py")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(
        [
            "played no stream, so there was nothing to deliver*",
            "  test_other.py::test_a_document_in_a_client_that_is_served",
            "  test_other.py::test_nothing",
            "was answered by vcrpy, in a client that streamtape doesn't serve*",
            "  test_other.py::test_in_a_block",
            "  test_other.py::test_with_a_marker",
        ]
    )
