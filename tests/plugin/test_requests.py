"""Tests that use requests: fuzzed, and with cassettes of vcrpy's."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import requests  # noqa: F401 - a session inside this process would load it a second time

import streamtape
from streamtape import Tape

if TYPE_CHECKING:
    from tests.plugin.suite import Suite


def write(suite: Suite, test: str) -> None:
    (suite.folder / "test_it.py").write_text(textwrap.dedent(test))


def test_a_fuzzed_test_finds_what_a_split_crlf_breaks(suite: Suite) -> None:
    streamtape.save(
        suite.folder / "cassettes" / "test_it" / "test_lines.yaml",
        [Tape.of(b"data: 1\r\n\r\ndata: 2\r\n\r\n")],
    )
    write(
        suite,
        """
        import pytest
        import requests

        @pytest.mark.streamtape
        def test_lines():
            with requests.get("http://test/", stream=True, timeout=5) as response:
                lines = list(response.iter_lines(chunk_size=None))
            assert lines == [b"data: 1", b"", b"data: 2", b""]
        """,
    )
    suite.run().assert_outcomes(passed=1)
    result = suite.run("--streamtape-fuzz=30")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Delivery(cuts=(*"])


def test_a_cassette_of_vcrpys_is_played_through_streamtape(suite: Suite) -> None:
    (suite.folder / "a.yaml").write_text(
        """
version: 1
interactions:
- request: {method: GET, uri: 'http://test/', body: null, headers: {}}
  response:
    status: {code: 200, message: OK}
    headers: {Content-Type: [text/event-stream]}
    body: {string: "data: 1\\n\\ndata: 2\\n\\n"}
""",
        "utf-8",
    )
    write(
        suite,
        """
        import requests
        import vcr

        def test_pieces():
            with vcr.use_cassette("a.yaml", record_mode="none"):
                with requests.get("http://test/", stream=True, timeout=5) as response:
                    pieces = list(response.iter_content(None))
            assert pieces == [b"data: 1\\n\\n", b"data: 2\\n\\n"]
        """,
    )
    suite.run("--streamtape-delivery=Delivery(cuts='events')").assert_outcomes(passed=1)
