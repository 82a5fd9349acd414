"""Faults that strike some attempts only: an SDK's retry gets the next attempt at its stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import openai
import pytest

import streamtape
from streamtape import Delivery, Request, Tape, use_cassette
from streamtape.delivery import faults
from tests import streams

if TYPE_CHECKING:
    from pathlib import Path

URL = "http://x.test/v1/chat/completions"
TAPE = Tape.of(b"".join(streams.openai_chat()), request=Request("POST", URL))
BROKEN_ONCE = Delivery(fault=faults.first_attempt(faults.status(503)))


@pytest.fixture
def cassette_path(tmp_path: Path) -> Path:
    streamtape.save(tmp_path / "chat.yaml", [TAPE])
    return tmp_path / "chat.yaml"


def test_an_sdk_that_retries_gets_the_whole_stream(cassette_path: Path) -> None:
    client = openai.OpenAI(api_key="x", base_url="http://x.test/v1", max_retries=1)
    with use_cassette(cassette_path, delivery=BROKEN_ONCE) as cassette:
        chunks = list(client.chat.completions.create(model="m", messages=[], stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == (
        "".join(streams.PIECES)
    )
    assert [tape.status for tape in cassette.played] == [503, 200]
    assert cassette.play_count == 1


def test_the_last_attempt_is_for_every_later_request(cassette_path: Path) -> None:
    with use_cassette(cassette_path, delivery=BROKEN_ONCE), httpx.Client() as client:
        assert [client.post(URL).status_code for _ in range(4)] == [503, 200, 200, 200]


def test_another_recording_of_the_request_comes_before_another_attempt(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    streamtape.save(path, [TAPE, TAPE])
    with use_cassette(path, delivery=BROKEN_ONCE), httpx.Client() as client:
        assert [client.post(URL).status_code for _ in range(4)] == [503, 503, 200, 200]


def test_without_such_a_fault_a_second_request_is_refused(cassette_path: Path) -> None:
    with (
        pytest.raises(streamtape.NoMatchError),
        use_cassette(cassette_path, delivery=Delivery(fault=faults.status(503))),
        httpx.Client() as client,
    ):
        client.post(URL)
        client.post(URL)


def test_what_is_rewound_begins_with_the_first_attempt_again(cassette_path: Path) -> None:
    with use_cassette(cassette_path, delivery=BROKEN_ONCE) as cassette, httpx.Client() as client:
        rewind = cassette.mark()
        assert client.post(URL).status_code == 503
        rewind()
        assert [client.post(URL).status_code for _ in range(2)] == [503, 200]
