"""The bundled demo server, with the official SDKs as its clients."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import anthropic
import httpx
import openai
import pytest

from streamtape.demo import DemoServer, demo_server
from streamtape.demo.replies import Reply, Stream, event_stream
from tests.cli.commands import heed_ctrl_c

QUESTION: list[Any] = [{"role": "user", "content": "What is streaming?"}]


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with demo_server(speed=0) as server:
        yield server


def openai_at(server: DemoServer) -> openai.OpenAI:
    return openai.OpenAI(api_key="any", base_url=server.openai_url, max_retries=0)


def anthropic_at(server: DemoServer) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="any", base_url=server.anthropic_url, max_retries=0)


def raw_chunks(server: DemoServer, path: str, body: object) -> list[bytes]:
    with httpx.stream("POST", server.url + path, json=body) as response:
        return list(response.iter_raw())


class TestOpenAI:
    """Chat completions."""

    def test_streamed_and_whole_are_the_same_text(self, server: DemoServer) -> None:
        with openai_at(server) as client:
            ask = client.chat.completions
            whole = ask.create(model="demo-1", messages=QUESTION)
            stream = ask.create(model="demo-1", messages=QUESTION, stream=True)
            chunks = list(stream)

        text = whole.choices[0].message.content
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == text
        assert "é" in text
        assert "\N{ZERO WIDTH JOINER}" in text
        assert chunks[0].choices[0].delta.role == "assistant"
        assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason == "stop"
        assert {chunk.model for chunk in chunks} == {"demo-1"}
        assert [chunk.usage for chunk in chunks] == [None] * len(chunks)

    def test_usage_comes_last_where_it_is_asked_for(self, server: DemoServer) -> None:
        with openai_at(server) as client:
            whole = client.chat.completions.create(model="m", messages=QUESTION)
            chunks = list(
                client.chat.completions.create(
                    model="m",
                    messages=QUESTION,
                    stream=True,
                    stream_options={"include_usage": True},
                )
            )

        assert chunks[-1].choices == []
        assert chunks[-1].usage == whole.usage
        assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
        tokens = [chunk for chunk in chunks[:-1] if chunk.choices[0].delta.content]
        assert whole.usage is not None
        assert whole.usage.completion_tokens == len(tokens)

    # The SDK leaves its generators open at the end, which trio says.
    @pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")
    @pytest.mark.anyio
    @pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
    async def test_async(self, server: DemoServer) -> None:
        client = openai.AsyncOpenAI(api_key="any", base_url=server.openai_url, max_retries=0)
        async with client:
            stream = await client.chat.completions.create(model="m", messages=QUESTION, stream=True)
            pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]

        assert "".join(pieces).startswith("A café opens at six.")

    @pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
    def test_a_limit_cuts_the_text_short(self, server: DemoServer, field: str) -> None:
        with openai_at(server) as client:
            whole = client.chat.completions.create(
                model="m", messages=QUESTION, extra_body={field: 2}
            )

        assert whole.choices[0].message.content == "A café"
        assert whole.choices[0].finish_reason == "length"
        assert whole.usage is not None
        assert whole.usage.completion_tokens == 2

    def test_a_longer_conversation_gets_another_answer(self, server: DemoServer) -> None:
        with openai_at(server) as client:
            answers = [
                client.chat.completions.create(model="m", messages=QUESTION * turns)
                .choices[0]
                .message.content
                for turns in (1, 3, 5, 7)
            ]

        assert len(set(answers)) == 3
        assert answers[0] == answers[3]

    def test_a_request_without_messages_is_refused(self, server: DemoServer) -> None:
        with openai_at(server) as client, pytest.raises(openai.BadRequestError, match="messages"):
            client.chat.completions.create(model="m", messages=[])


class TestAnthropic:
    """Messages."""

    def test_streamed_and_whole_are_the_same_text(self, server: DemoServer) -> None:
        with anthropic_at(server) as client:
            whole = client.messages.create(model="m", max_tokens=999, messages=QUESTION)
            with client.messages.stream(model="m", max_tokens=999, messages=QUESTION) as stream:
                events = list(stream)
                final = stream.get_final_message()

        assert final.content[0].text == whole.content[0].text  # type: ignore[union-attr]
        assert final.stop_reason == whole.stop_reason == "end_turn"
        assert final.usage.output_tokens == whole.usage.output_tokens
        kinds = [event.type for event in events]
        assert kinds[0] == "message_start"
        assert kinds[-1] == "message_stop"

    def test_the_events_are_those_of_the_api(self, server: DemoServer) -> None:
        body = {"max_tokens": 2, "messages": QUESTION, "stream": True}
        raw = b"".join(raw_chunks(server, "/v1/messages", body))

        assert re.findall(rb"^event: (.*)$", raw, re.MULTILINE) == [
            b"message_start",
            b"content_block_start",
            b"ping",
            b"content_block_delta",
            b"content_block_delta",
            b"content_block_stop",
            b"message_delta",
            b"message_stop",
        ]

    @pytest.mark.anyio
    @pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
    async def test_async(self, server: DemoServer) -> None:
        client = anthropic.AsyncAnthropic(
            api_key="any", base_url=server.anthropic_url, max_retries=0
        )
        async with (
            client,
            client.messages.stream(model="m", max_tokens=3, messages=QUESTION) as stream,
        ):
            text = await stream.get_final_text()
            final = await stream.get_final_message()

        assert text == "A café opens"
        assert final.stop_reason == "max_tokens"

    def test_a_bad_limit_is_refused(self, server: DemoServer) -> None:
        with (
            anthropic_at(server) as client,
            pytest.raises(anthropic.BadRequestError, match="max_tokens"),
        ):
            client.messages.create(model="m", max_tokens=-1, messages=QUESTION)


class TestEvents:
    """The plain event stream."""

    def test_crlf_everywhere_and_cut_in_two(self, server: DemoServer) -> None:
        with httpx.stream("GET", f"{server.url}/events") as response:
            chunks = list(response.iter_raw())
        body = b"".join(chunks)

        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert body.count(b"\n") == body.count(b"\r") == body.count(b"\r\n")
        assert body.endswith(b"\r\n\r\n")
        seams = [before[-1:] + after[:1] for before, after in pairwise(chunks)]
        assert b"\r\n" in seams

    def test_it_goes_on_after_the_last_event(self, server: DemoServer) -> None:
        url = f"{server.url}/events"
        ids = [
            re.findall(r"^id: (\d+)", httpx.get(url, headers=headers).text, re.MULTILINE)
            for headers in ({}, {"last-event-id": "5"}, {"last-event-id": "7"})
        ]

        assert ids == [["1", "2", "3", "4", "5", "6", "7"], ["6", "7"], []]


class TestDelivery:
    """Where the writes are cut, and when they come."""

    def streams(self, seed: int = 1) -> list[Stream]:
        reply = [Reply.to({"messages": QUESTION}, "max_tokens", seed) for _ in range(2)]
        return [reply[0].openai_stream(usage=True), reply[1].anthropic_stream(), event_stream("")]

    def test_each_write_is_one_chunk(self, server: DemoServer) -> None:
        body = {
            "messages": QUESTION,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        chunks = raw_chunks(server, "/v1/chat/completions", body)

        assert chunks == [write.data for write in self.streams()[0].writes]

    @pytest.mark.parametrize("which", [0, 1])
    def test_some_are_cut_inside_a_character_and_some_hold_two_events(self, which: int) -> None:
        writes = [write.data for write in self.streams()[which].writes]

        def starts_inside(data: bytes) -> bool:
            return data[0] & 0xC0 == 0x80

        assert sum(map(starts_inside, writes)) == 3
        assert sum(write.count(b"data: ") == 2 for write in writes) >= 3
        assert b"".join(writes).decode()

    def test_the_rhythm_is_that_of_a_model(self) -> None:
        for stream in self.streams()[:2]:
            first, *rest = [write for write in stream.writes if b"delta" in write.data]
            before = stream.head_after + sum(
                write.after for write in stream.writes[: stream.writes.index(first) + 1]
            )
            assert 0.3 <= before <= 0.4
            long = [write.after for write in rest if write.after > 0.06]
            assert len(long) == 1
            assert 0.6 < long[0] < 0.7

    def test_the_seed_chooses_it(self) -> None:
        assert self.streams() == self.streams()
        assert self.streams(1)[0] != self.streams(2)[0]

    def test_each_pause_is_divided_by_the_speed(self) -> None:
        with demo_server(speed=10) as server, httpx.stream("GET", f"{server.url}/events") as answer:
            start = time.perf_counter()
            answer.read()

        total = sum(write.after for write in event_stream("").writes)
        assert time.perf_counter() - start > total / 10 * 0.9


class TestServer:
    """Connections, and their end."""

    def test_a_connection_is_used_again(self, server: DemoServer) -> None:
        with httpx.Client(base_url=server.url) as client:
            ports = set()
            for path, status in (("/events", 200), ("/v1/messages", 400), ("/x", 404)) * 2:
                method = "GET" if path == "/events" else "POST"
                with client.stream(method, path, content=b"[]") as response:
                    stream = response.extensions["network_stream"]
                    ports.add(stream.get_extra_info("client_addr"))
                    response.read()
                assert response.status_code == status

        assert len(ports) == 1

    def test_what_is_not_there(self, server: DemoServer) -> None:
        with openai_at(server) as client, pytest.raises(openai.NotFoundError, match="/v1/models"):
            client.models.list()

    @pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b""])
    def test_a_body_that_is_no_json_object(self, server: DemoServer, body: bytes) -> None:
        answer = httpx.post(f"{server.url}/v1/chat/completions", content=body)

        assert answer.status_code == 400
        assert "JSON" in answer.json()["error"]["message"]

    def test_a_body_of_unknown_length(self, server: DemoServer) -> None:
        assert httpx.post(f"{server.url}/v1/messages", content=iter([b"{}"])).status_code == 411

    def test_closing_ends_what_runs_and_leaves_no_thread(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = set(threading.enumerate())
        with httpx.Client() as client:
            with demo_server(speed=0.05) as server:
                idle = socket.create_connection(("127.0.0.1", int(server.url[17:])))
                request = client.build_request("GET", f"{server.url}/events")
                pieces = client.send(request, stream=True).iter_raw()
                next(pieces)
            with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
                list(pieces)
            with idle:
                assert idle.recv(1) == b""

        assert set(threading.enumerate()) == before
        assert capsys.readouterr().err == ""

    def test_a_port_of_one_s_own(self, server: DemoServer) -> None:
        port = int(server.url.rpartition(":")[2])

        with pytest.raises(OSError, match="in use"), demo_server(port=port):
            pass

    def test_as_a_command_until_interrupted(self) -> None:
        command = [sys.executable, "-m", "streamtape.demo", "--speed", "0"]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=heed_ctrl_c,  # noqa: PLW1509 - it calls nothing that takes a lock
        ) as process:
            assert process.stdout is not None
            said = ""
            while not (given := re.search(r"-d '(.*)'", said)):
                line = process.stdout.readline()
                assert line
                said += line.decode()
            events = httpx.get(said.split("curl -N ")[1].split()[0]).text
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)

        assert (process.returncode, errors) == (0, b"")
        assert "event: arrival" in events
        assert "OPENAI_BASE_URL=http://127.0.0.1:" in said
        assert json.loads(given[1])["stream"] is True
