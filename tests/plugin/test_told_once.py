"""What a test failed with is said once; what it never heard of is said when it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from streamtape import Ending, Request, Tape

if TYPE_CHECKING:
    from tests.plugin.suite import Suite

SENTENCE = "no recorded interaction matches it"

CLIENTS = """
import contextlib, pickle, socket, unittest, urllib.request

class SDKError(Exception): pass

def sdk(hide=False):
    for attempt in range(3):
        try:
            return read(URL)
        except Exception as exc:
            error = exc
    if hide:
        raise SDKError("Connection error.") from None
    raise SDKError("Connection error.") from error

def dial():
    socket.create_connection(("127.0.0.1", 9)).close()
"""


GROUP = "raise ExceptionGroup('both', [exc, OSError()])"
ASYNC = "\n    async with httpx2.AsyncClient() as client: await client.get(URL)"


def outcome(suite: Suite, test: str, *arguments: str) -> pytest.RunResult:
    suite.cassette(
        "cassettes/test_it/other.yaml",
        Tape.of(b"data: x\n\n", request=Request("GET", "http://x.test/other")),
    )
    body = f"{CLIENTS}\nother = pytest.mark.streamtape('other.yaml')\n{test}"
    suite.write("http://x.test/this", body)
    # The summary has it once more where the environment says CI.
    return suite.run("-rN", *arguments)


@pytest.mark.parametrize(
    "test",
    [
        "@other\ndef test_it(): read(URL)",
        "@other\ndef test_it(): urllib.request.urlopen(URL)",
        "@other\ndef test_it(): sdk()",
        "@other\ndef test_it():\n    try: read(URL)\n    except Exception: assert False",
        f"@other\ndef test_it():\n    try: read(URL)\n    except Exception as exc: {GROUP}",
        "@other\nclass TestIt(unittest.TestCase):\n    def test_it(self): read(URL)",
        f"@other\n@pytest.mark.asyncio\nasync def test_it(): {ASYNC}",
    ],
    ids=["served", "vcrpy", "SDK", "context", "group", "unittest", "async"],
)
def test_a_request_that_the_test_fails_with_is_told_once(suite: Suite, test: str) -> None:
    result = outcome(suite, test, "--tb=short")
    result.assert_outcomes(failed=1)
    assert SENTENCE in result.stdout.str()


def test_one_that_a_fixture_fails_with_is_told_once(suite: Suite) -> None:
    fixture = "@pytest.fixture\ndef reads(stream_cassette):\n    BEFORE\n    yield\n    AFTER\n"
    test = "@other\ndef test_it(reads): pass"
    for before, after in (("read(URL)", "pass"), ("pass", "read(URL)")):
        written = fixture.replace("BEFORE", before).replace("AFTER", after)
        result = outcome(suite, written + test, "--tb=short")
        result.assert_outcomes(errors=1, passed=int(before == "pass"))
        assert "ERROR at teardown" not in result.stdout.str() or before == "pass"
        assert result.stdout.str().count("How to fix:") == 1


def test_a_test_that_is_expected_to_fail_with_it_fails_as_expected(suite: Suite) -> None:
    result = outcome(suite, "@other\n@pytest.mark.xfail\ndef test_it(): read(URL)")
    result.assert_outcomes(xfailed=1)


@pytest.mark.parametrize(
    ("test", "outcomes"),
    [
        ("with contextlib.suppress(Exception): sdk()", {"passed": 1}),
        ("with pytest.raises(SDKError): sdk()", {"passed": 1}),
        ("sdk(hide=True)", {"failed": 1}),
        ("with contextlib.suppress(Exception): read(URL)\n    assert False", {"failed": 1}),
        ("try: read(URL)\n    except Exception: pytest.skip('no network')", {"skipped": 1}),
        ("with contextlib.suppress(Exception): read(URL)\n    read(URL + '/2')", {"failed": 1}),
    ],
    ids=["swallowed", "expected", "hidden", "something else", "skipped", "another"],
)
def test_what_no_report_shows_fails_the_test_when_it_ends(
    suite: Suite, test: str, outcomes: dict[str, int]
) -> None:
    result = outcome(suite, f"@other\ndef test_it():\n    {test}", "--tb=short")
    result.assert_outcomes(errors=1, **outcomes)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_it*", f"*{SENTENCE}*"])
    assert result.stdout.str().count("GET http://x.test/this\n") == 1


def test_a_refused_connection_that_the_test_fails_with_is_told_once(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    outcome(suite, "@other\ndef test_it(): dial()").assert_outcomes(failed=1)
    swallowed = "with contextlib.suppress(RuntimeError): dial()"
    result = outcome(suite, f"@other\ndef test_it():\n    {swallowed}")
    result.assert_outcomes(passed=1, errors=1)


def test_reading_past_the_end_of_a_tape_is_told_once(suite: Suite) -> None:
    cut = replace(Tape.of(b"data: x\n\n"), ending=Ending("closed", 0))
    suite.cassette("cassettes/test_it/test_it.yaml", cut)
    suite.write("http://x.test/", "@pytest.mark.streamtape\ndef test_it(): read(URL)")
    result = suite.run("-rN", "--tb=line")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*read past the end of a tape*"])
