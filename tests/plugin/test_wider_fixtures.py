"""Fixtures that are set up before a marked test's cassette is open reach no network."""

from __future__ import annotations

import socket

import pytest

from tests.plugin.suite import STREAM, Suite
from tests.server import serve

FIXTURE = """
SCOPE = "session"

@pytest.fixture(scope=SCOPE)
def client():
    return httpx2.get(URL)

@pytest.mark.streamtape
def test_it(client): pass
"""

CONFIG = """
@pytest.fixture
def streamtape_config(tmp_path): return {'record_mode': 'once'}
"""


@pytest.fixture
def beyond(monkeypatch: pytest.MonkeyPatch) -> str:
    """A port of this machine that leads beyond it, where nobody answers."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    return "http://127.0.0.1:9/"


@pytest.mark.parametrize("scope", ["class", "module", "session"])
def test_a_request_of_a_wider_fixture_is_refused_by_name(
    suite: Suite, beyond: str, scope: str
) -> None:
    suite.write(beyond, FIXTURE.replace('"session"', repr(scope)))
    result = suite.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [f"*NetworkClosedError: *the fixture client (scope {scope}) is set up for *::test_it*"]
    )
    result.stdout.fnmatch_lines(["*Open a cassette in the fixture*"])
    assert "ERROR at teardown" not in result.stdout.str()


def test_one_that_a_client_swallowed_fails_the_test_when_it_ends(suite: Suite, beyond: str) -> None:
    swallowing = "    try: httpx2.get(URL)\n    except Exception: pass\n"
    suite.write(beyond, FIXTURE.replace("    return httpx2.get(URL)\n", swallowing))
    result = suite.run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown*", "*the fixture client (scope session)*"])


@pytest.mark.parametrize(
    ("arguments", "change"),
    [
        (["--streamtape-record=once"], ("", "")),
        (["-o", "streamtape_record=all"], ("", "")),
        (["-o", "streamtape_guard=false"], ("", "")),
        (["-o", "streamtape_allow_hosts=127.0.0.1"], ("", "")),
        ([], ("mark.streamtape", "mark.streamtape(record_mode='new_episodes')")),
        ([], ("mark.streamtape", "mark.streamtape(guard=False)")),
        ([], ("mark.streamtape", "mark.streamtape(allow_hosts=['127.0.0.1'])")),
        ([], ("mark.streamtape", "mark.streamtape(ignore_hosts=['127.0.0.1'])")),
        ([], ("SCOPE =", CONFIG + "SCOPE =")),
        ([], ("@pytest.mark.streamtape\n", "")),
    ],
)  # fmt: skip
def test_what_may_connect_does(
    suite: Suite, beyond: str, arguments: list[str], change: tuple[str, str]
) -> None:
    suite.write(beyond, FIXTURE.replace(*change))
    result = suite.run(*arguments)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*httpx2.ConnectError*"])


def test_a_configuration_that_needs_the_fixture_itself_says_nothing(
    suite: Suite, beyond: str
) -> None:
    suite.write(beyond, CONFIG.replace("tmp_path", "client") + FIXTURE)
    result = suite.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*NetworkClosedError: *the fixture client*"])


def test_this_machine_is_open_and_so_is_what_a_fixture_plays_itself(suite: Suite) -> None:
    suite.cassette("own.yaml")
    body = """
import pathlib, streamtape

@pytest.fixture(scope="session")
def played():
    with streamtape.use_cassette(pathlib.Path(__file__).parent / "own.yaml"):
        return read("http://x.test/")

@pytest.fixture(scope="session")
def served(): return read(URL)

@pytest.mark.streamtape
def test_it(played, served): assert played == served
"""
    with serve(STREAM) as server:
        suite.write(server, body)
        suite.run().assert_outcomes(passed=1)
        assert len(server.requests) == 1


def test_a_guard_that_such_a_fixture_puts_up_stays_up(suite: Suite) -> None:
    body = """
import socket

@pytest.fixture(scope="module")
def own_guard():
    with pytest.MonkeyPatch.context() as patch:
        def connect(*_): raise LookupError("the suite's own guard")
        patch.setattr(socket.socket, "connect", connect, raising=False)
        yield

@pytest.mark.streamtape
@pytest.mark.parametrize("turn", range(3))
def test_it(own_guard, turn):
    with socket.socket() as sock, pytest.raises(LookupError):
        sock.connect(("127.0.0.1", 9))
"""
    suite.write("http://x.test/", body)
    suite.run().assert_outcomes(passed=3)
    # That fixture took ours for the original, and put it back: it isn't wrapped once more.
    left = socket.socket.connect
    suite.run().assert_outcomes(passed=3)
    assert socket.socket.connect is left
