"""Client → tee → tape → cassette, and back: every client, every ending, the same chunks."""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING, Any

import pytest

import streamtape
from streamtape.clock import now_ns
from tests.clients.drivers import Driver, Style, each_driver, each_driver_and_style
from tests.server import (
    Response,
    Server,
    apart,
    chunk,
    cut,
    forever,
    gate,
    gated,
    hang,
    head,
    json_response,
    refused,
    reset,
    serve,
)

pytestmark = [
    # trio says so of httpx's own generators too, when a client leaves a stream.
    pytest.mark.filterwarnings("ignore:Async generator .* was garbage collected:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

if TYPE_CHECKING:
    from pathlib import Path

    from streamtape.tape import ErrorKind

# Cut inside a UTF-8 sequence, inside a CRLF, and inside a field name.
PIECES = [
    b"data: caf\xc3",
    b"\xa9\r",
    b"\n\r\nda",
    b"ta: \xf0\x9f\x91\xa9\n\n",
    b"data: [DONE]\n\n",
]
BODY = b"".join(PIECES)


def record(driver: Driver, path: Path, server: Server, **options: Any) -> Any:
    with streamtape.use_cassette(path, record_mode="once"):
        return driver.get(f"{server.url}/stream", **options)


def data_of(tape: streamtape.Tape) -> list[bytes]:
    return [piece.data for piece in tape.chunks]


@each_driver
def test_chunks_are_the_servers_writes(driver: Driver, tmp_path: Path) -> None:
    with serve(Response(*apart(PIECES))) as server:
        got = record(driver, tmp_path / "a.yaml", server)
    assert got.pieces == PIECES
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert data_of(tape) == PIECES
    assert tape.ending.kind == "eof"
    assert tape.framing == "sse"
    assert tape.timed
    assert tape.request is not None
    assert (tape.request.method, tape.request.url) == ("GET", f"{server.url}/stream")


@each_driver
def test_times_are_those_of_the_writes(driver: Driver, tmp_path: Path) -> None:
    """Not earlier than the write, not later than the client saw it. No bound in seconds."""
    seen: list[int] = []
    steps, gates = gated(PIECES)

    def each(_: bytes) -> None:
        seen.append(now_ns())
        gates[len(seen) - 1].set()

    started = now_ns()
    with serve(Response(*steps)) as server:
        record(driver, tmp_path / "a.yaml", server, each=each)
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert data_of(tape) == PIECES
    for write, piece, at_client in zip(server.requests[0].writes, tape.chunks, seen, strict=True):
        # The tape counts from the sending of the request: later than `started`, and before the
        # server had received it.
        earliest = write.at_ns - server.requests[0].received_ns
        latest = at_client - started
        assert earliest <= piece.at_ns + 1_000 <= latest + 2_000


@each_driver_and_style
def test_a_client_reads_the_same_with_the_recorder_without_it_and_on_replay(
    driver: Driver, style: Style, tmp_path: Path
) -> None:
    with serve(Response(*apart(PIECES))) as server:
        bare = driver.get(f"{server.url}/stream", style)
        recorded = record(driver, tmp_path / "a.yaml", server, style=style)
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        replayed = driver.get(f"{server.url}/stream", style)
    assert recorded.pieces == bare.pieces == replayed.pieces
    assert recorded == replayed


@each_driver
def test_the_client_sees_each_chunk_before_the_server_writes_the_next(
    driver: Driver, tmp_path: Path
) -> None:
    """A recorder that held anything back would hang here: a gate opens when its chunk was seen."""
    steps, gates = gated(PIECES)
    seen: list[bytes] = []

    def each(piece: bytes) -> None:
        seen.append(piece)
        gates[len(seen) - 1].set()

    with serve(Response(*steps)) as server:
        record(driver, tmp_path / "a.yaml", server, each=each)
    assert seen == PIECES


@each_driver
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_content_coding_is_kept_decoded_and_replayed_encoded(
    driver: Driver, coding: str, tmp_path: Path
) -> None:
    # httpx decodes zstd only with a package that is older than the standard library's.
    asked: Any = {"headers": {"accept-encoding": coding}}
    with serve(Response(*apart(PIECES), coding=coding)) as server:
        bare = driver.get(f"{server.url}/stream", "iter_bytes", **asked)
        recorded = record(driver, tmp_path / "a.yaml", server, style="iter_bytes", **asked)
    assert recorded.pieces == bare.pieces
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert data_of(tape) == PIECES
    assert tape.coding == coding
    assert not {"content-encoding", "content-length"} & {name for name, _ in tape.headers}
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        replayed = driver.get(f"{server.url}/stream", "iter_bytes", **asked)
    assert replayed.pieces == recorded.pieces
    assert ("content-encoding", coding) in replayed.headers
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        raw = driver.get(f"{server.url}/stream", "iter_raw", **asked)
    assert b"".join(raw.pieces) != BODY


@each_driver
def test_a_coding_that_lies_is_kept_as_it_came(driver: Driver, tmp_path: Path) -> None:
    lie = Response(head(200, {"content-encoding": "gzip"}), *apart(PIECES))
    with serve(lie) as server:
        got = record(driver, tmp_path / "a.yaml", server)
    assert got.pieces == PIECES
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert tape.coding is None
    assert ("content-encoding", "gzip") in tape.headers
    assert data_of(tape) == PIECES


@each_driver
def test_a_whole_response_goes_the_same_way(driver: Driver, tmp_path: Path) -> None:
    with serve(json_response({"ok": True})) as server:
        got = record(driver, tmp_path / "a.yaml", server, style="read")
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        assert driver.get(f"{server.url}/stream", "read") == got
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert tape.framing == "raw"
    assert tape.body == got.pieces[0]


@each_driver
def test_an_error_status_is_recorded_and_replayed(driver: Driver, tmp_path: Path) -> None:
    with serve(json_response({"error": "overloaded"}, 529, {"retry-after": "1"})) as server:
        got = record(driver, tmp_path / "a.yaml", server, style="read")
    assert got.status == 529
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        assert driver.get(f"{server.url}/stream", "read") == got


class TestEndings:
    """Each is kept, marked with how it came, and comes again as the same class."""

    def broken(
        self, driver: Driver, path: Path, response: Response, error: ErrorKind, **options: Any
    ) -> streamtape.Tape:
        seen: list[bytes] = []
        again: list[bytes] = []
        with serve(response) as server:
            url = f"{server.url}/stream"
            with streamtape.use_cassette(path, record_mode="once"):
                with pytest.raises(driver.error(error)) as live:
                    driver.get(url, each=seen.append, **options)
        with streamtape.use_cassette(path):
            with pytest.raises(driver.error(error)) as replayed:
                driver.get(url, each=again.append, **options)
        assert type(replayed.value) is type(live.value)
        assert str(replayed.value) == str(live.value)
        assert seen == again
        (tape,) = streamtape.load(path)
        assert data_of(tape) == seen
        return tape

    @each_driver
    def test_a_reset(self, driver: Driver, tmp_path: Path) -> None:
        opened = gate()
        response = Response(*apart(PIECES[:2]), opened, reset())
        opened.set()
        tape = self.broken(driver, tmp_path / "a.yaml", response, "read")
        assert (tape.ending.kind, tape.ending.error) == ("error", "read")

    @each_driver
    def test_a_missing_terminator(self, driver: Driver, tmp_path: Path) -> None:
        response = Response(*apart(PIECES[:2]), cut())
        tape = self.broken(driver, tmp_path / "a.yaml", response, "protocol")
        assert (tape.ending.kind, tape.ending.error) == ("error", "protocol")
        assert data_of(tape) == PIECES[:2]

    @each_driver
    def test_a_read_timeout(self, driver: Driver, tmp_path: Path) -> None:
        response = Response(*apart(PIECES[:1]), hang())
        tape = self.broken(driver, tmp_path / "a.yaml", response, "read-timeout", timeout=0.2)
        assert (tape.ending.kind, tape.ending.error) == ("error", "read-timeout")

    @each_driver
    def test_no_answer_at_all(self, driver: Driver, tmp_path: Path) -> None:
        tape = self.broken(driver, tmp_path / "a.yaml", Response(cut()), "protocol")
        assert (tape.status, tape.head_ns, tape.chunks) == (599, None, ())

    @each_driver
    def test_nobody_there(self, driver: Driver, tmp_path: Path) -> None:
        with refused() as url:
            with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
                with pytest.raises(driver.error("connect")) as live:
                    driver.get(url)
        with streamtape.use_cassette(tmp_path / "a.yaml"):
            with pytest.raises(driver.error("connect")) as replayed:
                driver.get(url)
        assert str(replayed.value) == str(live.value)
        (tape,) = streamtape.load(tmp_path / "a.yaml")
        assert (tape.status, tape.reason, tape.ending.error) == (599, "", "connect")

    @each_driver
    @pytest.mark.parametrize("leave", ["close", "break", "cancel"])
    def test_the_client_leaves_an_endless_stream(
        self, driver: Driver, leave: Any, tmp_path: Path
    ) -> None:
        if leave == "cancel" and driver.backend == "sync":
            pytest.skip("plain code has no cancellation")
        with serve(Response(forever(*apart([b"data: again\n\n"])))) as server:
            got = record(driver, tmp_path / "a.yaml", server, stop_after=3, leave=leave)
            server.requests[0].wait_gone()
        assert len(got.pieces) == 3
        (tape,) = streamtape.load(tmp_path / "a.yaml")
        assert data_of(tape) == got.pieces
        assert tape.ending.kind == "closed"

    @each_driver
    def test_reading_past_where_the_client_left_is_a_read_error_and_is_told(
        self, driver: Driver, tmp_path: Path
    ) -> None:
        with serve(Response(*apart(PIECES[:4]), hang())) as server:
            record(driver, tmp_path / "a.yaml", server, stop_after=2)
        with pytest.raises(AssertionError, match="closed the stream here"):
            with streamtape.use_cassette(tmp_path / "a.yaml"):
                with pytest.raises(driver.error("read")):
                    driver.get(f"{server.url}/stream")

    @each_driver
    def test_after_the_terminal_event_a_closed_stream_just_ends(
        self, driver: Driver, tmp_path: Path
    ) -> None:
        with serve(Response(*apart(PIECES), hang())) as server:
            record(driver, tmp_path / "a.yaml", server, stop_after=len(PIECES))
        (tape,) = streamtape.load(tmp_path / "a.yaml")
        assert tape.ending.kind == "closed"
        with streamtape.use_cassette(tmp_path / "a.yaml"):
            assert driver.get(f"{server.url}/stream").pieces == PIECES

    @each_driver
    def test_a_stream_that_the_block_outlives_not_is_closed_and_goes_on(
        self, driver: Driver, tmp_path: Path
    ) -> None:
        opened = gate()
        seen = threading.Event()
        pieces: list[bytes] = []

        def each(piece: bytes) -> None:
            pieces.append(piece)
            seen.set()

        with serve(Response(*apart(PIECES[:2]), opened, *apart(PIECES[2:]))) as server:
            reader = threading.Thread(target=lambda: driver.get(f"{server.url}/stream", each=each))
            with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once") as cassette:
                reader.start()
                while len(pieces) < 2:
                    assert seen.wait(10)
                    seen.clear()
            opened.set()
            reader.join()
        assert pieces == PIECES  # the tee passes through what it no longer records
        (tape,) = streamtape.load(tmp_path / "a.yaml")
        assert tape.ending.kind == "closed"
        assert tape.body == b"".join(PIECES[:2])
        assert [data_of(each) for each in cassette.tapes] == [data_of(tape)]


@each_driver
def test_streams_at_the_same_time_stand_in_the_order_of_sending(
    driver: Driver, tmp_path: Path
) -> None:
    """The first request's stream ends last, and is still first in the file."""
    first = gate()
    with serve(
        {
            "/first": Response(*apart([b"data: 1\n\n"]), first, chunk(b"data: 1 again\n\n")),
            "/second": Response(*apart([b"data: 2\n\n"])),
        }
    ) as server:
        started = threading.Event()
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            reader = threading.Thread(
                target=lambda: driver.get(f"{server.url}/first", each=lambda _: started.set())
            )
            reader.start()
            assert started.wait(10)
            driver.get(f"{server.url}/second")
            first.set()
            reader.join()
    urls = [tape.request and tape.request.url for tape in streamtape.load(tmp_path / "a.yaml")]
    assert urls == [f"{server.url}/first", f"{server.url}/second"]


@each_driver
def test_the_same_request_twice_plays_in_the_recorded_order(driver: Driver, tmp_path: Path) -> None:
    answers = [Response(*apart([b"data: 1\n\n"])), Response(*apart([b"data: 2\n\n"]))]
    with serve(answers) as server:
        url = f"{server.url}/stream"
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            live = [driver.get(url).pieces, driver.get(url).pieces]
    with streamtape.use_cassette(tmp_path / "a.yaml") as cassette:
        assert [driver.get(url).pieces, driver.get(url).pieces] == live
        assert [tape.body for tape in cassette.played] == [b"data: 1\n\n", b"data: 2\n\n"]
        with pytest.raises(streamtape.NoMatchError, match=r"already been played|all been played"):
            driver.get(url)


@each_driver
def test_what_was_recorded_in_a_session_is_not_played_in_it(driver: Driver, tmp_path: Path) -> None:
    """Else a retry after an error would get its own error back."""
    answers = [json_response({"n": 1}, 503), json_response({"n": 2})]
    with serve(answers) as server:
        url = f"{server.url}/stream"
        for mode in ("once", "new_episodes", "all"):
            server.requests.clear()
            path = tmp_path / f"{mode}.yaml"
            with streamtape.use_cassette(path, record_mode=mode):
                driver.get(url, "read")
                driver.get(url, "read")
            assert len(server.requests) == 2


@each_driver
def test_a_response_that_is_never_read_is_kept(driver: Driver, tmp_path: Path) -> None:
    if driver.backend != "sync":
        pytest.skip("async clients can't be left to the garbage collector without a warning")
    with serve(Response(*apart(PIECES), hang())) as server:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            drop: Any = driver.drop  # type: ignore[attr-defined]  # plain code's drivers have it
            assert drop(f"{server.url}/stream") == 200
            gc.collect()
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert tape.ending.kind == "closed"
    # Some clients read ahead: what came in one piece with the head.
    assert BODY.startswith(tape.body)
    assert tape.body != BODY


@each_driver
def test_a_delivery_recuts_what_is_played(driver: Driver, tmp_path: Path) -> None:
    with serve(Response(*apart(PIECES))) as server:
        record(driver, tmp_path / "a.yaml", server)
    url = f"{server.url}/stream"
    expected_of: dict[Any, list[bytes]] = {
        "whole": [BODY],
        "bytes": [BODY[n : n + 1] for n in range(len(BODY))],
        # httpx itself drops the empty chunk; test_play.py looks below it.
        (3, 3, 1000): [BODY[:3], BODY[3:]],
    }
    for cuts, expected in expected_of.items():
        delivery = streamtape.Delivery(cuts=cuts)
        with streamtape.use_cassette(tmp_path / "a.yaml", delivery=delivery):
            assert driver.get(url).pieces == expected


@each_driver
def test_the_network_is_closed_in_mode_none(driver: Driver, tmp_path: Path) -> None:
    with serve(Response(*apart(PIECES))) as server:
        with streamtape.use_cassette(tmp_path / "missing.yaml"):
            with pytest.raises(streamtape.NoMatchError, match="streamtape-record"):
                driver.get(f"{server.url}/stream")
    assert server.requests == []
