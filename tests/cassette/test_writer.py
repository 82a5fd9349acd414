"""What is written of what was recorded: filtered, worked out once, and nothing kept in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import vcr

import streamtape
from streamtape.cassette.filters import Secrets
from streamtape.clients.take import Take
from tests.server import Response, apart, serve

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-" + "a1B2c3D4" * 5
STREAM = Response(*apart([b"data: one\n\n", b"data: two\n\n", b"data: [DONE]\n\n"]))


def test_a_request_is_filtered_once_and_meets_each_hook_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filtered: list[str] = []
    hooked: list[str] = []
    real = Secrets.request

    def counted(secrets: Secrets, request: Any) -> Any:
        filtered.append(request.uri)
        return real(secrets, request)

    def hook(request: Any) -> Any:
        hooked.append(request.uri)
        return request

    monkeypatch.setattr(Secrets, "request", counted)
    with serve(STREAM) as server:
        urls = [f"{server.url}/{n}?key={KEY}" for n in range(3)]
        with streamtape.use_cassette(
            tmp_path / "a.yaml", record_mode="new_episodes", before_record_request=hook
        ):
            for url in urls:
                httpx2.get(url)
    assert filtered == hooked == urls
    assert KEY not in (tmp_path / "a.yaml").read_text()


def test_what_a_hook_adds_on_saving_is_filtered_too(tmp_path: Path) -> None:
    part = ""

    def add(request: Any, response: dict[str, Any]) -> Any:
        request.headers["authorization"] = f"Bearer {KEY}"
        request.body = f'{{"text": "{KEY}"}}'.encode()
        response["headers"]["x-note"] = [KEY]
        return request, response

    with serve(STREAM) as server:
        with streamtape.use_cassette(
            tmp_path / "a.yaml", record_mode="once", before_save_interaction=add
        ) as cassette:
            httpx2.get(server.url)
            cassette.settle()
            part = (tmp_path / "a.yaml.part").read_text()
    for text in (part, (tmp_path / "a.yaml").read_text()):
        assert "text" in text
        assert "x-note" in text
        assert KEY not in text


def test_what_another_recorder_left_in_the_file_is_filtered_when_that_is_written_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.yaml"
    with serve(STREAM) as server:
        with vcr.use_cassette(str(path)):
            httpx2.get(f"{server.url}/1", headers={"authorization": f"Bearer {KEY}"})
        assert KEY in path.read_text()
        with streamtape.use_cassette(path, record_mode="new_episodes"):
            httpx2.get(f"{server.url}/2")
    assert KEY not in path.read_text()
    assert len(streamtape.load(path)) == 2


def test_a_request_changed_after_it_was_written_stays_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with serve(STREAM) as server:
        with streamtape.use_cassette(path, record_mode="once") as cassette:
            httpx2.get(server.url)
            cassette.requests[0].headers["authorization"] = f"Bearer {KEY}"
    assert KEY not in path.read_text()


def test_the_reads_of_a_stream_are_not_kept_once_it_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A response that a client keeps would keep the take, and with it all that came."""
    takes: list[Take] = []
    real = Take.finish

    def noted(take: Take, *given: Any, **options: Any) -> None:
        takes.append(take)
        real(take, *given, **options)

    monkeypatch.setattr(Take, "finish", noted)
    with serve(STREAM) as server:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once") as cassette:
            response = httpx2.get(server.url)
            (tape,) = cassette.tapes
    assert len(tape.chunks) == 3
    assert takes
    assert not any(take.reads for take in takes)
    takes[0].finish("closed")  # still knows how to end, again and again
    assert response.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("count", [0, 1, 3])
def test_pieces_are_written_as_the_whole_is(count: int, tmp_path: Path) -> None:
    tapes = [streamtape.Tape.of(b"data: %d\n\n" % n * 40_000) for n in range(count)]
    for name in ("a.yaml", "a.yaml.gz"):
        streamtape.save(tmp_path / name, tapes)
        assert [tape.body for tape in streamtape.load(tmp_path / name)] == [
            tape.body for tape in tapes
        ]
