"""How fast a client reads a stream that is replayed to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import httpx2
import vcr

import streamtape
from benchmarks.files import cassetter_cassette, save_with_vcrpy, tape_of
from benchmarks.paired import Section, measured, section
from benchmarks.recorders import ABSENT, CASSETTER, VCRPY, cassetter
from benchmarks.streams import DONE, URL, events

if TYPE_CHECKING:
    from benchmarks.paired import Size

MOCK = "httpx2.MockTransport"

Player = Callable[[], AbstractContextManager[Any]]


class Chunks(httpx2.SyncByteStream):
    """A response's stream made of these."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks


def _read_raw(client: httpx2.Client) -> None:
    with client.stream("POST", URL) as response:
        # What cassetter replays has been read already.
        for _ in response.iter_bytes() if response.is_stream_consumed else response.iter_raw():
            pass


def _read_lines(client: httpx2.Client) -> None:
    with client.stream("POST", URL) as response:
        for _ in response.iter_lines():
            pass


def _read_openai(client: httpx2.Client) -> None:
    import openai  # takes longer than all else here, so only where it is measured

    sdk = openai.OpenAI(api_key="none", base_url=URL.partition("/chat")[0], http_client=client)
    stream = sdk.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "Hello"}], stream=True
    )
    for _ in stream:
        pass


def replay(size: Size) -> Iterator[Section]:
    """Events a second through `iter_raw`, `iter_lines` and the OpenAI SDK."""
    few = max(size.events // 8, 1)
    yield _section("iter_raw", _read_raw, size.events, size.rounds)
    yield _section("iter_lines", _read_lines, size.events, size.rounds)
    yield _section("the openai SDK", _read_openai, few, size.rounds)


def _section(way: str, read: Callable[[httpx2.Client], None], count: int, rounds: int) -> Section:
    chunks = [*events(count), DONE]

    def answer(_request: httpx2.Request) -> httpx2.Response:
        headers = {"content-type": "text/event-stream"}
        return httpx2.Response(200, headers=headers, stream=Chunks(chunks))

    def rate(name: str, player: Player) -> float:
        transport = httpx2.MockTransport(answer) if name == MOCK else None
        with player(), httpx2.Client(transport=transport) as client:
            started = time.process_time()
            read(client)
            return count / max(time.process_time() - started, 1e-9)

    with TemporaryDirectory() as folder:
        players = _players(Path(folder), chunks)
        cases = {name: partial(rate, name, player) for name, player in players.items()}
        rates = measured(cases, rounds)
    return section(
        f"replay of {count:,} events through {way}",
        "events/s",
        rates,
        MOCK,
        absent=ABSENT,
        notes={VCRPY: "as one chunk", CASSETTER: "as one chunk"},
        better="more",
    )


def _players(folder: Path, chunks: list[bytes]) -> dict[str, Player]:
    body = b"".join(chunks)
    tape = tape_of(body)
    own, vcrs, other = (folder / f"{name}.yaml" for name in ("own", "vcrpy", "cassetter"))
    streamtape.save(own, [tape])
    save_with_vcrpy(vcrs, body)()
    players: dict[str, Player] = {
        MOCK: nullcontext,
        "streamtape.play": lambda: streamtape.play(tape),
        "streamtape.use_cassette": lambda: streamtape.use_cassette(own),
        VCRPY: lambda: vcr.use_cassette(str(vcrs), record_mode="none"),
    }
    if not ABSENT:
        cassetter_cassette(other, body).save()
        players[CASSETTER] = lambda: cassetter().use_cassette(other, record_mode="none")
    return players
