"""The official SDKs through the recording proxy, and the cassettes played to them without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import streamtape
from streamtape.server import proxy
from tests.clients.sdks import CALLS, KEY, Call
from tests.server import Response, apart, reset, serve
from tests.test_proxy import until

if TYPE_CHECKING:
    from pathlib import Path

each_call = pytest.mark.parametrize("call", CALLS, ids=str)


@pytest.fixture(autouse=True)
def _patient_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    """After ``[DONE]`` openai reads on for 0.1 s: too short on a machine that is busy."""
    monkeypatch.setattr("openai._streaming_cleanup._DRAIN_TIMEOUT", 10.0, raising=False)


@each_call
def test_a_stream_reads_the_same_direct_recorded_and_replayed(tmp_path: Path, call: Call) -> None:
    path = tmp_path / "x.yaml"
    with serve(Response(*apart(call.events()))) as upstream:
        direct = call.read(upstream.url)
        with proxy(upstream.url, path) as recorder:
            assert call.read(recorder.url) == direct
            recorder.log[0].wait()
        url = upstream.url
    [tape] = streamtape.load(path)
    assert tape.body == b"".join(call.events())
    assert len(tape.chunks) == len(call.events())
    assert KEY not in path.read_text()
    # The recorded request is the real server's, so a client of that one finds it.
    with streamtape.use_cassette(path):
        assert call.read(url) == direct


@each_call
def test_a_client_that_leaves_leaves_the_upstream(tmp_path: Path, call: Call) -> None:
    path = tmp_path / "x.yaml"
    events = call.events()
    with serve(Response(*apart(events[:3]), lambda: iter(apart(events[3:])))) as upstream:
        with proxy(upstream.url, path) as recorder:
            call.read(recorder.url, leave_after=1)
            recorder.log[0].wait()
            upstream.wait_closed()
    [tape] = streamtape.load(path)
    assert b"".join(events).startswith(tape.body)


@each_call
def test_a_stream_that_breaks_breaks_in_the_sdk_and_again_on_replay(
    tmp_path: Path, call: Call
) -> None:
    path = tmp_path / "x.yaml"

    def failure(url: str) -> type[BaseException]:
        with pytest.raises(Exception) as raised:  # noqa: PT011 - each SDK's own, compared below
            call.read(url)
        return raised.type

    with serve(Response(*apart(call.events()[:3]), reset())) as upstream:
        direct = failure(upstream.url)
        with proxy(upstream.url, path) as recorder:
            assert failure(recorder.url) is direct
            until(lambda: recorder.recorded == 1)
        url = upstream.url
    [tape] = streamtape.load(path)
    assert tape.ending.error == "read"
    with streamtape.use_cassette(path):
        assert failure(url) is direct
