"""The cassettes in cassettes/, recorded from the demo server, played to their SDKs again."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path
from typing import Any

import pytest
import vcr

import streamtape
from streamtape import Delivery, providers
from streamtape.demo import demo_server
from streamtape.wire.framing import frame_ends

FOLDER = Path(__file__).parents[1] / "cassettes"
ORIGIN = "http://127.0.0.1:8899"


@pytest.fixture(scope="module")
def record() -> Any:
    """The script that recorded them, as a module."""
    spec = importlib.util.spec_from_file_location("record_examples", FOLDER / "record.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text_of(name: str) -> str:
    """What the tape says, read without any client."""
    (tape,) = streamtape.load(FOLDER / name)
    return providers.stream_text([event for _, event in tape.events()])


@pytest.mark.parametrize("cuts", ["recorded", "whole", "bytes", "events"])
def test_the_sdks_read_the_same_under_every_delivery(record: Any, cuts: str) -> None:
    delivery = Delivery(cuts=cuts)
    with streamtape.use_cassette(FOLDER / "openai-chat.yaml", delivery=delivery):
        assert record.openai_chat(f"{ORIGIN}/v1") == text_of("openai-chat.yaml")
    with streamtape.use_cassette(FOLDER / "anthropic-messages.yaml", delivery=delivery):
        text = asyncio.run(record.anthropic_messages(ORIGIN))
        assert text == text_of("anthropic-messages.yaml")
    with streamtape.use_cassette(FOLDER / "events-crlf.yaml", delivery=delivery):
        body = record.events(f"{ORIGIN}/events")
    assert [event for _, event in streamtape.Tape.of(body).events()] == [
        event for tape in streamtape.load(FOLDER / "events-crlf.yaml") for _, event in tape.events()
    ]


def test_plain_vcrpy_plays_them(record: Any) -> None:
    with vcr.use_cassette(str(FOLDER / "openai-chat.yaml"), record_mode="none"):
        assert record.openai_chat(f"{ORIGIN}/v1") == text_of("openai-chat.yaml")


@pytest.mark.parametrize("name", ["openai-chat", "anthropic-messages", "events-crlf"])
def test_they_show_what_a_network_does(name: str) -> None:
    (tape,) = streamtape.load(FOLDER / f"{name}.yaml")
    timing = streamtape.timing(tape)
    assert tape.timed
    assert timing.chunks > 10
    # At least one event came in two pieces.
    ends = {sum(len(chunk.data) for chunk in tape.chunks[:n]) for n in range(timing.chunks)}
    assert ends - {0, *frame_ends("sse", tape.body)}


def test_the_demo_server_still_says_what_they_say(record: Any) -> None:
    """Content for content; the times are those of another day."""
    with demo_server(speed=0) as server:
        assert record.openai_chat(server.openai_url) == text_of("openai-chat.yaml")
        said = asyncio.run(record.anthropic_messages(server.anthropic_url))
        assert said == text_of("anthropic-messages.yaml")
        (tape,) = streamtape.load(FOLDER / "events-crlf.yaml")
        assert record.events(f"{server.url}/events") == tape.body
