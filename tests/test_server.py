"""The server that the other tests record from: what it sends, when, and what it remembers."""

from __future__ import annotations

import gzip
import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import anthropic
import httpx
import httpx2
import openai
import pytest

from tests.server import (
    Answer,
    Request,
    Response,
    Server,
    Transfer,
    apart,
    chunk,
    cut,
    forever,
    gate,
    gated,
    hang,
    head,
    json_response,
    pause,
    raw,
    refused,
    reset,
    serve,
    taken,
    wait_until,
)
from tests.streams import PIECES, STREAMS, anthropic_messages, openai_chat, openai_responses

TEXT = "".join(PIECES)
EVENTS = [b"data: caf\xc3", b"\xa9\r", b"\n\r\n", b"data: b\n\n"]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert not [thread for thread in set(threading.enumerate()) - before if "server" in thread.name]


class Client:
    """A plain socket, so that what arrives is seen as it is."""

    def __init__(self, server: Server) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def get(self, path: str = "/", headers: str = "") -> None:
        self.send(f"GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n".encode())

    def read_until(self, end: bytes) -> bytes:
        """All bytes up to and with *end*, and no more: it reads byte by byte."""
        data = b""
        while not data.endswith(end):
            byte = self._socket.recv(1)
            assert byte, f"end of the connection after {data!r}"
            data += byte
        return data

    def read_all(self) -> bytes:
        return b"".join(iter(lambda: self._socket.recv(4096), b""))

    def reset(self) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._socket.close()


class TestWire:
    """Byte for byte."""

    def test_chunked(self) -> None:
        response = Response(head(201, {"x-a": "b"}), chunk("data: é\n\n"), chunk(b"x" * 20))
        with serve(response) as server, Client(server) as client:
            client.get()
            assert client.read_until(b"0\r\n\r\n") == (
                b"HTTP/1.1 201 Created\r\nx-a: b\r\ntransfer-encoding: chunked\r\n\r\n"
                b"a\r\ndata: \xc3\xa9\n\n\r\n14\r\n" + b"x" * 20 + b"\r\n0\r\n\r\n"
            )

    def test_content_length(self) -> None:
        response = Response(chunk("ab"), chunk("c"), transfer="length")
        with serve(response) as server, Client(server) as client:
            client.get()
            assert client.read_until(b"abc") == (
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                b"content-length: 3\r\n\r\nabc"
            )

    def test_until_the_connection_closes(self) -> None:
        response = Response(head(headers=[]), chunk("ab"), chunk("c"), transfer="close")
        with serve(response) as server, Client(server) as client:
            client.get()
            assert client.read_all() == b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabc"

    def test_a_script_without_steps_is_an_empty_body(self) -> None:
        with serve(Response()) as server, Client(server) as client:
            client.get()
            assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
            assert client.read_until(b"\r\n\r\n") == b"0\r\n\r\n"

    def test_raw_bytes_have_no_head_and_no_end(self) -> None:
        with serve(Response(raw(b"SSH-2.0\r\n"))) as server, Client(server) as client:
            client.get()
            assert client.read_all() == b"SSH-2.0\r\n"

    def test_raw_bytes_between_chunks(self) -> None:
        response = Response(head(headers={}), chunk("a"), raw("zz\r\n"), cut())
        with serve(response) as server, Client(server) as client:
            client.get()
            assert client.read_all().endswith(b"\r\n\r\n1\r\na\r\nzz\r\n")

    def test_a_head_of_one_s_own_may_lie(self) -> None:
        response = Response(head(headers={"content-length": "9"}), chunk("abc"), transfer="close")
        with serve(response) as server, Client(server) as client:
            client.get()
            assert client.read_all().endswith(b"content-length: 9\r\nconnection: close\r\n\r\nabc")

    def test_a_promised_length_that_is_not_kept(self) -> None:
        response = Response(head(headers={}), chunk("abc"), cut(), chunk("d"), transfer="length")
        with serve(response) as server, Client(server) as client:
            client.get()
            assert client.read_all().endswith(b"content-length: 4\r\n\r\nabc")

    @pytest.mark.parametrize("status", [204, 304])
    def test_no_body_where_there_can_be_none(self, status: int) -> None:
        response = Response(head(status, {"x-a": "b"}), chunk("never sent"))
        with serve(response) as server, Client(server) as client:
            for _ in range(2):
                client.get()
                assert client.read_until(b"\r\n\r\n").endswith(b"\r\nx-a: b\r\n\r\n")

    def test_head_gets_a_head(self) -> None:
        response = Response(head(headers={}), chunk("never sent"), transfer="length")
        with serve(response) as server, Client(server) as client:
            client.send(b"HEAD / HTTP/1.1\r\n\r\n")
            client.send(b"HEAD / HTTP/1.1\r\n\r\n")
            for _ in range(2):
                assert client.read_until(b"\r\n\r\n") == (
                    b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n"
                )

    def test_a_status_without_a_name(self) -> None:
        with serve(Response(head(529, {}))) as server, Client(server) as client:
            client.get()
            assert client.read_until(b"\r\n") == b"HTTP/1.1 529 \r\n"

    def test_an_empty_chunk_is_refused(self) -> None:
        with pytest.raises(ValueError, match="raw"):
            chunk(b"")


class TestRequests:
    """What is remembered of a request."""

    def test_method_path_headers_and_body(self) -> None:
        with serve(Response(chunk("x"))) as server:
            httpx.post(f"{server.url}/v1/chat?a=b", json={"stream": True}, headers={"X-A": "b"})
        (request,) = server.requests

        assert (request.method, request.path, request.query) == ("POST", "/v1/chat", "a=b")
        assert request.target == "/v1/chat?a=b"
        assert request.json() == {"stream": True}
        assert request.header("Content-Type") == "application/json"
        assert request.header("x-a") == "b"
        assert request.header("x-missing") is None

    def test_a_chunked_body(self) -> None:
        with serve(Response(chunk("x"))) as server:
            httpx.post(server.url, content=iter([b"ab", b"c" * 300, b"d"]))

        assert server.requests[0].body == b"ab" + b"c" * 300 + b"d"

    @pytest.mark.parametrize(
        "message",
        [
            b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
            (
                b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"2;x=y\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
            ),
        ],
    )
    def test_byte_by_byte_and_two_at_once(self, message: bytes) -> None:
        with serve(Response(chunk("x"))) as server, Client(server) as client:
            for byte in message:
                client.send(bytes([byte]))
            client.read_until(b"0\r\n\r\n")
            client.send(message * 2)
            client.read_until(b"0\r\n\r\n")
            client.read_until(b"0\r\n\r\n")

        assert [request.body for request in server.requests] == [b"abc"] * 3

    def test_nonsense_closes_the_connection_and_is_raised(self) -> None:
        server = Server(Response(chunk("x")))
        with Client(server) as client:
            client.send(b"nonsense\r\n\r\n")
            assert client.read_all() == b""

        with pytest.raises(ValueError, match="not enough values"):
            server.close()


class TestAnswers:
    """Which response a request gets."""

    def test_several_in_order_and_the_last_again(self) -> None:
        with serve([json_response(n) for n in range(3)]) as server:
            assert [httpx.get(server.url).json() for _ in range(5)] == [0, 1, 2, 2, 2]

    def test_by_path(self) -> None:
        answers: dict[str, Answer] = {
            "/a": json_response("a"),
            "/b": [json_response("b1"), json_response("b2")],
            "/c": lambda request: json_response(request.query),
        }
        with serve(answers) as server:
            paths = ["/a", "/b", "/c?x", "/b", "/a"]
            found = [httpx.get(server.url + path).json() for path in paths]
            missing = httpx.get(f"{server.url}/d")

        assert found == ["a", "b1", "x", "b2", "a"]
        assert missing.status_code == 404

    def test_an_error_in_a_function_is_raised_at_the_end(self) -> None:
        def broken(request: Request) -> Response:
            raise ZeroDivisionError(request.path)

        with pytest.raises(ZeroDivisionError, match="/x"), serve(broken) as server:
            with pytest.raises(httpx.RemoteProtocolError):
                httpx.get(f"{server.url}/x")

    def test_an_error_in_a_script_is_raised_at_the_end(self) -> None:
        script = Response(chunk("a"), lambda: [chunk("b" * (1 // 0))])

        with pytest.raises(ZeroDivisionError), serve(script) as server:
            with pytest.raises(httpx.RemoteProtocolError):
                httpx.get(server.url)

    def test_the_test_s_own_error_comes_first(self) -> None:
        def broken(request: Request) -> Response:
            raise ZeroDivisionError(request.path)

        with pytest.raises(httpx.RemoteProtocolError), serve(broken) as server:
            httpx.get(server.url)


class TestTiming:
    """What is written when, and that the test steers it."""

    def test_gates_keep_chunks_apart(self) -> None:
        steps, gates = gated(EVENTS)
        with serve(Response(*steps)) as server, httpx.stream("GET", server.url) as response:
            read = []
            for piece, opened in zip(response.iter_raw(), gates, strict=True):
                read.append((piece, time.perf_counter_ns()))
                assert len(server.requests[0].writes) == len(read)
                opened.set()
        (request,) = server.requests

        assert [piece for piece, _ in read] == EVENTS == [write.data for write in request.writes]
        assert request.head_ns is not None
        assert request.end_ns is not None
        times = [request.received_ns, request.head_ns]
        for write, (_, read_ns) in zip(request.writes, read, strict=True):
            times += [write.at_ns, read_ns]
        assert times == sorted(times)
        assert times[-1] < request.end_ns

    @pytest.mark.parametrize("transfer", ["chunked", "length", "close"])
    def test_chunks_apart_without_the_test_s_help(self, transfer: Transfer) -> None:
        pieces = [b"%d " % number for number in range(50)]
        with serve(Response(*apart(pieces), transfer=transfer)) as server:
            with httpx.stream("GET", server.url) as response:
                assert list(response.iter_raw()) == pieces

    @pytest.mark.anyio
    @pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
    async def test_chunks_apart_for_an_async_client(self) -> None:
        pieces = [b"%d " % number for number in range(50)]
        with serve(Response(*apart(pieces), transfer="close")) as server:
            async with httpx2.AsyncClient() as client, client.stream("GET", server.url) as response:
                assert [piece async for piece in response.aiter_raw()] == pieces

    def test_a_pause_is_no_shorter(self) -> None:
        with serve(Response(chunk("a"), pause(0.03), chunk("b"))) as server:
            httpx.get(server.url)
        first, second = server.requests[0].writes

        assert second.at_ns - first.at_ns >= 30_000_000

    def test_a_gate_before_the_head(self) -> None:
        opened = gate()
        with serve(Response(opened, chunk("a"))) as server, ThreadPoolExecutor(1) as pool:
            getting = pool.submit(httpx.get, server.url)
            request = server.wait_request()
            assert request.head_ns is None
            opened.set()
            assert getting.result().text == "a"
            assert request.head_ns is not None

    def test_a_head_alone(self) -> None:
        opened = gate()
        with serve(Response(head(), opened, chunk("a"))) as server:
            with httpx.stream("GET", server.url) as response:
                assert response.status_code == 200
                assert server.requests[0].writes == []
                opened.set()
                assert response.read() == b"a"

    def test_a_response_that_never_comes(self) -> None:
        with serve(Response(hang())) as server:
            with pytest.raises(httpx.ReadTimeout):
                httpx.get(server.url, timeout=0.05)
            server.requests[0].wait_gone()
            assert server.requests[0].head_ns is None


class TestCoding:
    """Content codings, flushed at each chunk."""

    @pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
    @pytest.mark.parametrize("transfer", ["chunked", "length", "close"])
    def test_each_chunk_can_be_read_at_once(self, coding: str, transfer: Transfer) -> None:
        steps, gates = gated(EVENTS)
        with serve(Response(*steps, coding=coding, transfer=transfer)) as server:
            with httpx2.stream("GET", server.url) as response:
                pieces = (piece for piece in response.iter_bytes() if piece)
                for expected, opened in zip(EVENTS, gates, strict=True):
                    assert next(pieces) == expected
                    opened.set()
                assert list(pieces) == []
        (request,) = server.requests

        assert response.headers["content-encoding"] == coding
        assert [write.data for write in request.writes] == EVENTS

    def test_the_trailer_is_a_transfer_chunk_of_its_own(self) -> None:
        response = Response(head(headers={}), chunk("abc"), coding="gzip")
        with serve(response) as server, Client(server) as client:
            client.get()
            client.read_until(b"\r\n\r\n")
            sizes, body = [], b""
            while size := int(client.read_until(b"\r\n"), 16):
                sizes.append(size)
                body += client.read_until(b"\r\n")[:-2]
        (write,) = server.requests[0].writes

        assert gzip.decompress(body) == b"abc"
        assert len(sizes) == 2
        assert write.wire == b"%x\r\n%b\r\n" % (sizes[0], body[: sizes[0]])


class TestEndings:
    """How a response breaks, and how a client leaves."""

    def test_cut(self) -> None:
        with serve(Response(chunk("a"), cut())) as server:
            with httpx.stream("GET", server.url) as response:
                pieces = response.iter_raw()
                assert next(pieces) == b"a"
                with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
                    next(pieces)
            server.requests[0].wait_end()

        assert server.requests[0].gone is None

    def test_reset(self) -> None:
        with serve(Response(chunk("a"), taken(), reset())) as server:
            with httpx.stream("GET", server.url) as response:
                pieces = response.iter_raw()
                assert next(pieces) == b"a"
                with pytest.raises(httpx.ReadError, match="reset"):
                    next(pieces)

    def test_a_read_that_times_out(self) -> None:
        with serve(Response(chunk("a"), hang())) as server:
            with httpx.stream("GET", server.url, timeout=0.05) as response:
                pieces = response.iter_raw()
                assert next(pieces) == b"a"
                with pytest.raises(httpx.ReadTimeout):
                    next(pieces)
            server.requests[0].wait_gone()

    def test_a_refused_connection(self) -> None:
        with refused() as url, pytest.raises(httpx.ConnectError):
            httpx.get(url)

    def test_a_client_that_leaves_is_seen_at_once(self) -> None:
        with serve(Response(chunk("a"), hang())) as server:
            with httpx.stream("GET", server.url) as response:
                pieces = response.iter_raw()
                next(pieces)
                before = time.perf_counter_ns()
            (request,) = server.requests
            request.wait_gone()
            request.wait_end()
            server.wait_closed()

        assert request.gone == "closed"
        assert request.gone_ns is not None
        assert before < request.gone_ns

    def test_a_client_that_resets(self) -> None:
        with serve(Response(chunk("a"), hang())) as server, Client(server) as client:
            client.get()
            client.read_until(b"a\r\n")
            client.reset()
            server.requests[0].wait_gone()

        assert server.requests[0].gone == "reset"

    def test_a_client_that_got_everything_has_not_left(self) -> None:
        for transfer in ("chunked", "length", "close") * 20:
            with serve(Response(chunk("a"), transfer=transfer)) as server:
                with Client(server) as client:
                    client.get()
                    client.read_until(b"\r\n\r\n")
                    if transfer == "close":
                        assert client.read_all() == b"a"
                    else:
                        client.read_until(b"0\r\n\r\n" if transfer == "chunked" else b"a")
                server.wait_closed()
            assert server.requests[0].gone is None

    def test_nothing_is_written_to_a_client_that_left(self) -> None:
        opened = gate()
        with serve(Response(chunk("a"), opened, chunk("b"))) as server:
            with httpx.stream("GET", server.url) as response:
                next(response.iter_raw())
            server.requests[0].wait_gone()
            opened.set()
            server.requests[0].wait_end()

        assert [write.data for write in server.requests[0].writes] == [b"a"]

    def test_an_endless_stream_until_the_client_leaves(self) -> None:
        with serve(Response(forever(chunk("a"), taken()))) as server:
            with httpx.stream("GET", server.url) as response:
                assert list(itertools.islice(response.iter_raw(), 20)) == [b"a"] * 20
            server.requests[0].wait_gone()

    def test_an_endless_stream_of_steps_made_as_it_goes(self) -> None:
        response = Response(lambda: (chunk(f"{n} ") for n in itertools.count()), transfer="close")
        with serve(response) as server:
            for _ in range(2):
                with httpx.stream("GET", server.url) as stream:
                    assert next(stream.iter_raw()).startswith(b"0 ")

    def test_back_pressure_holds_the_server(self) -> None:
        with serve(Response(forever(chunk(b"a" * 100_000)))) as server:
            with httpx.stream("GET", server.url) as response:
                pieces = response.iter_raw()
                next(pieces)
                request = server.requests[0]
                # The kernel's buffers fill up, then the server waits: no write for 200 ms.
                count = -1
                while count < len(request.writes):
                    count = len(request.writes)
                    time.sleep(0.2)
                assert request.gone is None
                next(pieces)
            request.wait_gone()

    def test_closing_the_server_breaks_off_what_runs(self) -> None:
        steps = {
            "/gate": Response(chunk("a"), hang()),
            "/pause": Response(chunk("a"), pause(600)),
            "/full": Response(forever(chunk(b"a" * 100_000))),
            "/head": Response(hang()),
        }
        clients = []
        with serve(steps) as server:
            for path in steps:
                clients.append(Client(server))
                clients[-1].get(path)
            wait_until(lambda: len(server.requests) == 4)
            idle = Client(server)
        for client in [*clients, idle]:
            assert client.read_all() is not None
            client.__exit__()


class TestConnections:
    """Keep-alive, and many at a time."""

    @pytest.mark.parametrize("transfer", ["chunked", "length"])
    def test_a_connection_is_used_again(self, transfer: Transfer) -> None:
        with serve(Response(chunk("a"), transfer=transfer)) as server:
            with httpx.Client() as client:
                for _ in range(5):
                    assert client.get(server.url).text == "a"
                assert (server.connected, server.open) == (1, 1)
            server.wait_closed()

    def test_a_connection_that_may_not_be_used_again(self) -> None:
        with serve(Response(chunk("a"))) as server, Client(server) as client:
            client.get(headers="Connection: close\r\n")
            assert client.read_all().endswith(b"1\r\na\r\n0\r\n\r\n")

    def test_a_client_that_leaves_between_requests_left_none(self) -> None:
        with serve(json_response(1)) as server:
            httpx.get(server.url)
            server.wait_closed()

        assert server.requests[0].gone is None

    def test_many_streams_at_a_time(self) -> None:
        opened = gate()

        def answer(request: Request) -> Response:
            return Response(chunk(request.path), opened, chunk(" done"))

        def get(number: int) -> bytes:
            return httpx2.get(f"{server.url}/{number}", timeout=30).content

        with serve(answer) as server, ThreadPoolExecutor(40) as pool:
            getting = [pool.submit(get, number) for number in range(40)]
            wait_until(lambda: sum(len(request.writes) for request in server.requests) == 40)
            opened.set()
            assert [each.result() for each in getting] == [b"/%d done" % n for n in range(40)]


class TestStreams:
    """The providers' streams, as their own SDKs understand them."""

    @pytest.mark.parametrize("name", STREAMS)
    def test_every_event_is_one_frame(self, name: str) -> None:
        make, content_type = STREAMS[name]
        events = make()

        if "ndjson" in content_type:
            assert all(event.count(b"\n") == 1 and event.endswith(b"\n") for event in events)
            assert [json.loads(event)["done"] for event in events] == [False] * len(PIECES) + [True]
        else:
            blank = b"\r\n\r\n" if name == "gemini" else b"\n\n"
            assert all(event.count(blank) == 1 and event.endswith(blank) for event in events)
        assert "é".encode() in b"".join(events)

    def test_openai_chat(self) -> None:
        with serve(Response(*map(chunk, openai_chat()))) as server:
            client = openai.OpenAI(api_key="test", base_url=server.url, max_retries=0)
            with (
                client,
                client.chat.completions.create(
                    model="m", messages=[{"role": "user", "content": "?"}], stream=True
                ) as stream,
            ):
                seen = list(stream)

        assert seen[0].choices[0].delta.role == "assistant"
        assert "".join(each.choices[0].delta.content or "" for each in seen[:-1]) == TEXT
        assert seen[-2].choices[0].finish_reason == "stop"
        assert seen[-1].usage is not None
        assert seen[-1].usage.completion_tokens == len(PIECES)

    def test_openai_responses(self) -> None:
        with serve(Response(*map(chunk, openai_responses()))) as server:
            client = openai.OpenAI(api_key="test", base_url=server.url, max_retries=0)
            with client, client.responses.stream(model="m", input="?") as stream:
                final = stream.get_final_response()

        assert final.output_text == TEXT
        assert final.usage is not None
        assert final.usage.output_tokens == len(PIECES)

    def test_anthropic_messages(self) -> None:
        with serve(Response(*map(chunk, anthropic_messages()))) as server:
            client = anthropic.Anthropic(api_key="test", base_url=server.url, max_retries=0)
            with (
                client,
                client.messages.stream(
                    model="m", max_tokens=99, messages=[{"role": "user", "content": "?"}]
                ) as stream,
            ):
                assert list(stream.text_stream) == list(PIECES)
                final = stream.get_final_message()

        assert final.stop_reason == "end_turn"
        assert final.usage.output_tokens == len(PIECES)
