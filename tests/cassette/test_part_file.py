"""The part file of a run that was killed is never overwritten, and never passed over in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest

import streamtape
from streamtape.cassette.errors import LeftoverWarning
from streamtape.cassette.part_file import PartFile
from streamtape.cassette.recording import Recording
from tests.server import Response, apart, serve

if TYPE_CHECKING:
    from pathlib import Path

STREAM = Response(*apart([b"data: new\n\n"]))
OLD = b"data: old\n\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A cassette that isn't there, beside the part file of a run that was killed."""
    path = tmp_path / "a.yaml"
    leave(path)
    return path


def leave(path: Path) -> None:
    streamtape.save(f"{path}.part", [streamtape.Tape.of(OLD)])


def bodies(path: Path | str) -> list[bytes]:
    return [tape.body for tape in streamtape.load(path)]


@pytest.mark.parametrize("mode", ["once", "new_episodes", "all", "rewrite"])
def test_a_new_recording_keeps_what_a_killed_one_left_and_says_so(path: Path, mode: str) -> None:
    with serve(STREAM) as server, pytest.warns(LeftoverWarning) as told:
        with streamtape.use_cassette(path, record_mode=mode):
            httpx2.get(server.url)
    kept = path.with_name("a.yaml.1.part")
    assert bodies(path) == [b"data: new\n\n"]
    assert bodies(kept) == [OLD]
    assert not path.with_name("a.yaml.part").exists()
    [warning] = told
    assert str(warning.message) == (
        f"a run that was killed left 1 interaction in a.yaml.part: kept as {kept}. Look at it with"
        f" `streamtape show {kept}`; then delete it, or rename it to {path} to have it as the"
        " cassette"
    )


def test_each_that_was_killed_has_a_name_of_its_own(path: Path) -> None:
    for _ in range(2):
        leave(path)
        with serve(STREAM) as server, pytest.warns(LeftoverWarning):
            with streamtape.use_cassette(path, record_mode="rewrite"):
                httpx2.get(server.url)
    assert (
        bodies(path.with_name("a.yaml.1.part")) == bodies(path.with_name("a.yaml.2.part")) == [OLD]
    )


def test_a_block_that_fails_again_and_again_leaves_one_part(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with serve(STREAM) as server:
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                with streamtape.use_cassette(path, record_mode="once"):
                    httpx2.get(server.url)
                    raise ZeroDivisionError
    assert [file.name for file in tmp_path.iterdir()] == ["a.yaml.part"]
    assert bodies(f"{path}.part") == [b"data: new\n\n"]


def test_a_block_that_fails_keeps_what_a_killed_one_left(path: Path) -> None:
    def fail(url: str) -> None:
        with streamtape.use_cassette(path, record_mode="once"):
            httpx2.get(url)
            raise ZeroDivisionError

    with serve(STREAM) as server, pytest.raises(ZeroDivisionError):
        with pytest.warns(LeftoverWarning, match="1 interaction in"):
            fail(server.url)
    assert bodies(path.with_name("a.yaml.1.part")) == [OLD]
    assert bodies(f"{path}.part") == [b"data: new\n\n"]


def test_a_block_that_records_nothing_leaves_it_where_it_is(path: Path) -> None:
    with streamtape.use_cassette(path, record_mode="once"):
        pass
    assert bodies(f"{path}.part") == [OLD]


def test_what_breaks_off_is_kept_too(path: Path) -> None:
    part = path.with_name("a.yaml.part")
    broken = part.read_bytes().partition(b"url: ")[0] + b"- {"
    part.write_bytes(broken)
    with pytest.warns(LeftoverWarning, match="left something that can't be read to its end in"):
        Recording(path)
    assert path.with_name("a.yaml.1.part").read_bytes() == broken


def test_one_that_holds_nothing_is_no_loss(path: Path) -> None:
    path.with_name("a.yaml.part").write_bytes(b"")
    Recording(path)
    assert [file.name for file in path.parent.iterdir()] == ["a.yaml.part"]


def test_a_name_as_long_as_file_systems_allow_can_make_way(tmp_path: Path) -> None:
    part = PartFile(tmp_path / ("x" * 245 + ".yaml"))
    part.path.write_bytes(b"interactions: []\n" * 9)
    part.make_way()
    part.append([b"- {}\n"])
    assert len(list(tmp_path.iterdir())) == 2
