"""Options, ini keys, markers and the fixture: which of them wins, and what is refused."""

from __future__ import annotations

import pytest

from tests.plugin.suite import STREAM, Suite
from tests.server import serve


def test_the_option_comes_before_the_marker_that_before_the_fixture_that_before_the_ini(
    suite: Suite,
) -> None:
    suite.write(
        "http://127.0.0.1:9",
        """
@pytest.fixture
def streamtape_config(): return CONFIG

@pytest.mark.streamtape(**MARKER)
def test_mode(stream_cassette):
    print("mode", stream_cassette.record_mode.value)
""",
    )
    test = suite.folder / "test_it.py"
    body = test.read_text()
    for config, marker, in_ini, options, expected in [
        ({}, {}, None, [], "none"),
        ({}, {}, "once", [], "once"),
        ({"record_mode": "all"}, {}, "once", [], "all"),
        ({"record_mode": "all"}, {"record_mode": "new_episodes"}, "once", [], "new_episodes"),
        (
            {"record_mode": "all"},
            {"record_mode": "all"},
            "once",
            ["--streamtape-record=none"],
            "none",
        ),
    ]:
        suite.ini(*([f"streamtape_record = {in_ini}"] if in_ini else []))
        test.write_text(f"CONFIG = {config!r}\nMARKER = {marker!r}\n{body}")
        result = suite.run("-s", *options)
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines([f"*mode {expected}*"])


def test_a_cassette_opened_in_code_keeps_its_explicit_mode(suite: Suite) -> None:
    suite.write(
        "http://x.test",
        """
import streamtape
def test_mode(tmp_path):
    with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="none") as cassette:
        assert cassette.record_mode == "none"
""",
    )
    suite.run("--streamtape-record=all").assert_outcomes(passed=1)


def test_an_ini_mode_that_is_none_stops_pytest(suite: Suite) -> None:
    suite.ini("streamtape_record = sometimes")
    result = suite.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*streamtape_record = 'sometimes'*none, once, new_episodes*"])


def test_the_fixture_and_the_marker_take_use_cassettes_options(suite: Suite) -> None:
    suite.write(
        "http://x.test/one",
        """
import streamtape

@pytest.fixture
def streamtape_config(tmp_path):
    folder = tmp_path / "elsewhere"
    tape = streamtape.Tape.of(b"data: x\\n\\n", request=streamtape.Request("GET", "http://x.test/"))
    streamtape.save(folder / "test_stream.yaml", [tape])
    return {"cassette_dir": folder, "match_on": ["host"]}

@pytest.mark.streamtape(fuzz=False, delivery=streamtape.Delivery(cuts="bytes"))
def test_stream(stream_cassette):
    read(URL)
    assert len(stream_cassette.played[0].chunks) == 9
""",
    )
    suite.run().assert_outcomes(passed=1)


def test_an_unknown_option_of_the_marker_is_an_error(suite: Suite) -> None:
    suite.write("http://x.test", "@pytest.mark.streamtape(mach_on=())\ndef test_a(): pass")
    result = suite.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*TypeError: unknown option mach_on*"])


def test_names_of_secrets_from_the_ini_file_add_to_the_default_ones(suite: Suite) -> None:
    suite.ini("streamtape_secret_headers =", "    x-tenant", "streamtape_secret_query = user")
    with serve(STREAM) as server:
        suite.write(
            server,
            """
@pytest.mark.streamtape
def test_stream():
    headers = {"x-tenant": "acme-corp", "authorization": "Bearer hunter2"}
    httpx2.get(URL + "/?user=jane&page=1", headers=headers)
""",
        )
        suite.run("--streamtape-record=once").assert_outcomes(passed=1)
    text = (suite.folder / suite.cassettes()[0]).read_text()
    assert not [word for word in ("acme", "hunter2", "jane") if word in text]
    assert "page=1" in text
    suite.run().assert_outcomes(passed=1)


def test_the_marker_is_registered_and_the_options_are_explained(suite: Suite) -> None:
    result = suite.run("--markers", "--strict-markers")
    result.stdout.fnmatch_lines(["*@pytest.mark.streamtape(name=None*"])
    suite.run("--help").stdout.fnmatch_lines(
        ["*streamtape: recorded event streams*", "*--streamtape-record=MODE*"]
    )


def test_a_client_beyond_this_machine_fails_its_test_unless_the_ini_file_says_otherwise(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.cassette()
    suite.write(
        "http://x.test",
        """
import socket

@pytest.mark.streamtape
def test_stream():
    try:
        # Nothing is sent: a port of this machine, which the variable says is a proxy's.
        socket.create_connection(("127.0.0.1", 9)).close()
    except (OSError, RuntimeError):
        pass
""",
    )
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    refused = suite.run()
    refused.assert_outcomes(passed=1, errors=1)
    refused.stdout.fnmatch_lines(["*test_it*would connect to 127.0.0.1 port 9, a proxy*"])
    for line in ("streamtape_guard = false", "streamtape_allow_hosts = 127.0.0.1"):
        suite.ini(line)
        suite.run().assert_outcomes(passed=1)
