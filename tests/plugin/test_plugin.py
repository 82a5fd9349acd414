"""The plugin, seen by whole pytest sessions in processes of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

import streamtape
from streamtape import Request, Tape
from tests.plugin.suite import PIECES, STREAM, Suite
from tests.server import json_response, serve

ONE = """
@pytest.mark.streamtape
def test_stream():
    assert read(URL) == b"data: one\\n\\ndata: two\\n\\ndata: [DONE]\\n\\n"
"""


def test_a_marked_test_records_then_plays_offline(suite: Suite) -> None:
    with serve(STREAM) as server:
        suite.write(server, ONE)
        suite.run("--streamtape-record=once").assert_outcomes(passed=1)
    assert suite.cassettes() == ["cassettes/test_it/test_stream.yaml"]
    suite.run().assert_outcomes(passed=1)
    (tape,) = streamtape.load(suite.folder / "cassettes/test_it/test_stream.yaml")
    assert [piece.data for piece in tape.chunks] == PIECES


def test_the_default_mode_is_none_and_the_failure_says_what_to_do(suite: Suite) -> None:
    with serve(STREAM) as server:
        suite.write(server, ONE)
        result = suite.run()
        assert server.requests == []
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Can't play back this request*", "*--streamtape-record*"])
    assert suite.cassettes() == []


def test_the_fixture_opens_the_cassette_without_the_marker(suite: Suite) -> None:
    suite.cassette()
    suite.write(
        "http://x.test/",
        """
def test_stream(stream_cassette):
    read(URL)
    assert len(stream_cassette.tapes) == len(stream_cassette.played) == 1
    assert stream_cassette.timing.events == 3
""",
    )
    suite.run().assert_outcomes(passed=1)


def test_where_cassettes_lie(suite: Suite) -> None:
    with serve(STREAM) as server:
        suite.write(
            server,
            """
import unittest

@pytest.mark.streamtape
def test_plain(): read(URL)

class TestMarkedMethod:
    @pytest.mark.streamtape
    def test_a(self): read(URL)

@pytest.mark.streamtape
class TestMarked:
    def test_a(self): read(URL)

@pytest.mark.streamtape
class TestCase(unittest.TestCase):
    def test_a(self): read(URL)

@pytest.mark.streamtape
@pytest.mark.parametrize("x", ["a/b:c*"])
def test_parametrised(x): read(URL)

@pytest.mark.streamtape("named.yaml")
def test_elsewhere(): read(URL)

@pytest.mark.streamtape
@pytest.mark.asyncio
async def test_asyncio():
    async with httpx2.AsyncClient() as client: await client.get(URL)

@pytest.mark.streamtape
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_anyio(anyio_backend):
    async with httpx2.AsyncClient() as client: await client.get(URL)
""",
        )
        suite.write(
            server, "pytestmark = pytest.mark.streamtape\ndef test_a(): read(URL)", "test_module.py"
        )
        suite.run("--streamtape-record=once").assert_outcomes(passed=10)
    assert suite.cassettes() == [
        "cassettes/test_it/TestCase.test_a.yaml",
        "cassettes/test_it/TestMarked.test_a.yaml",
        "cassettes/test_it/TestMarkedMethod.test_a.yaml",
        "cassettes/test_it/named.yaml",
        "cassettes/test_it/test_anyio[asyncio].yaml",
        "cassettes/test_it/test_anyio[trio].yaml",
        "cassettes/test_it/test_asyncio.yaml",
        "cassettes/test_it/test_parametrised[a-b-c-].yaml",
        "cassettes/test_it/test_plain.yaml",
        "cassettes/test_module/test_a.yaml",
    ]
    suite.run().assert_outcomes(passed=10)


def test_a_name_as_long_as_pytest_makes_them(suite: Suite) -> None:
    with serve(STREAM) as server:
        suite.write(
            server,
            '@pytest.mark.streamtape\n@pytest.mark.parametrize("x", ["x"], ids=["n" * 400])\n'
            "def test_a(x): read(URL)",
        )
        suite.run("--streamtape-record=once").assert_outcomes(passed=1)
    (name,) = suite.cassettes()
    assert len(Path(name).name) == 255
    suite.run().assert_outcomes(passed=1)


def test_paths_are_those_of_pytest_recording(suite: Suite) -> None:
    """The oracle is pytest-recording itself, on the same tests."""
    both = """
@pytest.mark.MARK
@pytest.mark.parametrize("x", [1, 2, 3], ids=["a/b", "c" * 400, "é"])
class TestIt:
    def test_a(self, x): read(URL)
"""
    with serve(STREAM) as server:
        suite.write(server, both.replace("MARK", "vcr"))
        suite.run("--record-mode=once").assert_outcomes(passed=3)
        recorded = suite.cassettes()
        for name in recorded:
            (suite.folder / name).unlink()
        suite.write(server, both.replace("MARK", "streamtape"))
        suite.run("--streamtape-record=once").assert_outcomes(passed=3)
    assert suite.cassettes() == recorded


def test_a_request_that_an_sdk_swallowed_fails_the_test_by_name(suite: Suite) -> None:
    suite.cassette(
        "cassettes/test_it/test_stream.yaml",
        Tape.of(b"data: x\n\n", request=Request("GET", "http://x.test/other")),
    )
    suite.write(
        "http://x.test/this",
        """
@pytest.mark.streamtape
def test_stream():
    for attempt in range(3):
        try:
            read(URL)
        except Exception:
            pass
""",
    )
    result = suite.run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_stream*",
            "*GET http://x.test/this*",
            "*Closest recorded requests:*",
            "*GET http://x.test/other*",
        ]
    )
    # Three attempts at the same thing are told once.
    told = result.stdout.str().partition("short test summary")[0]
    assert told.count("Closest recorded requests:") == 1


def test_a_test_that_fails_while_recording_leaves_the_old_cassette(suite: Suite) -> None:
    path = suite.cassette()
    before = path.read_bytes()
    with serve(STREAM) as server:
        suite.write(
            server,
            "@pytest.mark.streamtape\ndef test_stream():\n    read(URL)\n    assert False",
        )
        result = suite.run("--streamtape-record=rewrite")
    result.assert_outcomes(failed=1)
    assert path.read_bytes() == before
    result.stdout.fnmatch_lines(["*= streamtape =*", "*test_it.py::test_stream*", f"*{path}.part*"])
    assert len(streamtape.load(f"{path}.part")) == 1


def test_a_test_that_passes_replaces_it(suite: Suite) -> None:
    path = suite.cassette("cassettes/test_it/test_stream.yaml", Tape.of(b"data: old\n\n"))
    with serve(STREAM) as server:
        suite.write(server, ONE)
        suite.run("--streamtape-record=rewrite").assert_outcomes(passed=1)
    (tape,) = streamtape.load(path)
    assert tape.body == b"".join(PIECES)
    assert suite.cassettes() == ["cassettes/test_it/test_stream.yaml"]


def test_the_part_files_of_xdists_workers_are_named_too(suite: Suite) -> None:
    with serve(STREAM) as server:
        suite.write(
            server,
            "@pytest.mark.streamtape\n@pytest.mark.parametrize('n', range(4))\n"
            "def test_stream(n):\n    read(URL)\n    assert n % 2",
        )
        result = suite.run("--streamtape-record=once", "-n2")
        result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines_random(
        ["*test_stream[[]0].yaml.part", "*test_stream[[]2].yaml.part"]
    )
    assert [name for name in suite.cassettes() if name.endswith(".yaml")] == [
        "cassettes/test_it/test_stream[1].yaml",
        "cassettes/test_it/test_stream[3].yaml",
    ]


def test_a_skipped_test_and_an_expected_failure(suite: Suite) -> None:
    with serve(STREAM) as server:
        suite.write(
            server,
            """
@pytest.mark.streamtape
def test_skipped():
    read(URL)
    pytest.skip("enough")

@pytest.mark.streamtape
@pytest.mark.xfail
def test_expected():
    read(URL)
    assert False
""",
        )
        suite.run("--streamtape-record=once").assert_outcomes(skipped=1, xfailed=1)
    assert suite.cassettes() == [
        "cassettes/test_it/test_expected.yaml.part",
        "cassettes/test_it/test_skipped.yaml.part",
    ]


def test_beside_pytest_recording_both_work(suite: Suite) -> None:
    with serve({"/stream": STREAM, "/json": json_response({"a": 1})}) as server:
        suite.write(
            server,
            """
@pytest.mark.streamtape
def test_stream():
    assert read(URL + "/stream").startswith(b"data: one")

@pytest.mark.vcr
def test_vcr():
    assert httpx2.get(URL + "/json").json() == {"a": 1}
""",
        )
        suite.run("--streamtape-record=once", "--record-mode=once").assert_outcomes(passed=2)
        requests = len(server.requests)
        suite.run("--block-network").assert_outcomes(passed=2)
        assert len(server.requests) == requests == 2


def test_a_hypothesis_test_is_not_warned_of_a_fixture_it_did_not_ask_for(suite: Suite) -> None:
    suite.write(
        "http://x.test",
        """
from hypothesis import given, strategies as st
@given(st.integers())
def test_numbers(n): pass
""",
    )
    suite.run("-W", "error").assert_outcomes(passed=1)


TWO_THEN = """
@pytest.mark.streamtape
def test_stream(BROKEN):
    read(URL)
    THEN
    read(URL)
"""


@pytest.mark.parametrize(
    ("then", "broken"),
    [
        ("raise KeyboardInterrupt", ""),
        ("pytest.exit('enough')", ""),
        ("pytest.skip('enough')", ""),
        ("", "breaks_on_teardown"),
    ],
)
def test_a_session_that_breaks_off_leaves_the_old_cassette(
    suite: Suite, then: str, broken: str
) -> None:
    path = suite.cassette()
    before = path.read_bytes()
    fixture = "@pytest.fixture\ndef breaks_on_teardown():\n    yield\n    raise OSError\n"
    with serve(STREAM) as server:
        suite.write(server, fixture + TWO_THEN.replace("THEN", then).replace("BROKEN", broken))
        suite.run_apart("--streamtape-record=rewrite")
    assert path.read_bytes() == before


def test_a_test_that_passes_when_it_is_run_again_is_saved(suite: Suite) -> None:
    (suite.folder / "conftest.py").write_text(
        "from _pytest.runner import runtestprotocol\n"
        "def pytest_runtest_protocol(item, nextitem):\n"
        "    for _ in range(2):\n"
        "        item._initrequest()\n"
        "        reports = runtestprotocol(item, nextitem=nextitem, log=False)\n"
        "    for report in reports:\n"
        "        item.ihook.pytest_runtest_logreport(report=report)\n"
        "    return True\n"
    )
    with serve(STREAM) as server:
        suite.write(
            server,
            "runs = []\n@pytest.mark.streamtape\ndef test_stream():\n    read(URL)\n"
            "    runs.append(1)\n    assert len(runs) == 2\n",
        )
        suite.run("--streamtape-record=once").assert_outcomes(passed=1)
    assert suite.cassettes() == ["cassettes/test_it/test_stream.yaml"]


def test_a_request_of_another_client_that_was_swallowed_fails_the_test_too(suite: Suite) -> None:
    suite.write(
        "http://127.0.0.1:9/",
        """
import contextlib, urllib.request
@pytest.mark.streamtape
def test_stream():
    with contextlib.suppress(Exception):
        urllib.request.urlopen(URL)
""",
    )
    result = suite.run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*GET http://127.0.0.1:9/*"])


def test_two_recorders_on_one_test_are_refused(suite: Suite) -> None:
    suite.write(
        "http://x.test/", "@pytest.mark.vcr\n@pytest.mark.streamtape\ndef test_stream(): pass"
    )
    result = suite.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*this test has two recorders*"])
