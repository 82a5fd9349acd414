"""Tapes as values."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamtape
from streamtape import Chunk, Ending, Event, Request, Tape
from streamtape.tape import cuts_of, recut

if TYPE_CHECKING:
    from pathlib import Path

BODY = b"data: caf\xc3\xa9\n\n: ping\n\nid: 7\nevent: end\ndata\n\n"
MS = 1_000_000


class TestOf:
    def test_an_event_stream_is_cut_at_its_events(self) -> None:
        tape = Tape.of(BODY, gap_ms=20)
        assert tape.chunks == (
            Chunk(20 * MS, b"data: caf\xc3\xa9\n\n"),
            Chunk(40 * MS, b": ping\n\n"),
            Chunk(60 * MS, b"id: 7\nevent: end\ndata\n\n"),
        )
        assert tape.ending == Ending("eof", 60 * MS)
        assert (tape.status, tape.framing, tape.timed, tape.request) == (200, "sse", True, None)
        assert tape.headers == [("content-type", "text/event-stream")]
        assert tape.body == BODY

    @pytest.mark.parametrize(
        ("cuts", "pieces"),
        [
            ("whole", [b"abc"]),
            ("bytes", [b"a", b"b", b"c"]),
            ((1,), [b"a", b"bc"]),
            ((0, 1, 1, 3), [b"", b"a", b"", b"bc", b""]),
            ((), [b"abc"]),
        ],
    )
    def test_other_cuts(self, cuts: str | tuple[int, ...], pieces: list[bytes]) -> None:
        tape = Tape.of(b"abc", content_type="text/plain", cuts=cuts)
        assert [chunk.data for chunk in tape.chunks] == pieces

    def test_an_empty_body_has_no_chunks(self) -> None:
        assert Tape.of(b"").chunks == ()

    @pytest.mark.parametrize(
        ("cuts", "message"),
        [
            ("letters", "unknown cuts 'letters'"),
            ((2, 1), "must not decrease"),
            ((4,), "0 to 3"),
            ((-1,), "0 to 3"),
        ],
    )
    def test_cuts_that_cut_nothing(self, cuts: str | tuple[int, ...], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            Tape.of(b"abc", cuts=cuts)


class TestEvents:
    def test_an_event_is_there_when_the_byte_came_that_completed_it(self) -> None:
        # The second cut lies between the two line ends of the blank line.
        tape = Tape.of(b"data: a\r\n\r\ndata: b\n\n", cuts=(9, 10), gap_ms=1)
        assert tape.events() == ((2 * MS, Event(data="a")), (3 * MS, Event(data="b")))

    def test_ndjson_lines_and_an_unterminated_last_one(self) -> None:
        tape = Tape.of(b'{"a":1}\n{"b":2}', content_type="application/x-ndjson", gap_ms=1)
        assert [(at // MS, event.data) for at, event in tape.events()] == [
            (1, '{"a":1}'),
            (2, '{"b":2}'),
        ]

    def test_an_unframed_body_has_none(self) -> None:
        assert Tape.of(b"hello", content_type="text/plain").events() == ()

    def test_last_event_ids_are_kept(self) -> None:
        assert [event.last_event_id for _, event in Tape.of(BODY).events()] == ["", "7"]


@given(body=st.binary(max_size=30), cuts=st.lists(st.integers(0, 30)))
def test_recutting_loses_nothing(body: bytes, cuts: list[int]) -> None:
    offsets = sorted(cut for cut in cuts if cut <= len(body))
    pieces = recut(body, cuts_of(body, "raw", offsets))
    assert b"".join(pieces) == body
    if body or offsets:
        assert len(pieces) == len(offsets) + 1


class TestStoredTapes:
    """A tape from a cassette makes its chunks when they are first asked for."""

    @pytest.fixture
    def stored(self, tmp_path: Path) -> Tape:
        request = Request("GET", "http://x.test/", [("accept", "*/*")], b"{}")
        streamtape.save(tmp_path / "a.yaml", [Tape.of(BODY, gap_ms=1, request=request)])
        (tape,) = streamtape.load(tmp_path / "a.yaml")
        assert "chunks" not in vars(tape)
        return tape

    def test_it_is_equal_to_the_one_that_was_saved(self, stored: Tape) -> None:
        request = Request("GET", "http://x.test/", [("accept", "*/*")], b"{}")
        assert stored == Tape.of(BODY, gap_ms=1, request=request)

    def test_its_body_needs_no_chunks(self, stored: Tape) -> None:
        assert stored.body == BODY
        assert "chunks" not in vars(stored)

    def test_copies_and_pickles(self, stored: Tape) -> None:
        assert copy.copy(stored) == copy.deepcopy(stored) == stored
        assert pickle.loads(pickle.dumps(stored)) == stored

    def test_the_ending_alone(self, stored: Tape) -> None:
        assert stored.ending == Ending("eof", 3 * MS)

    def test_another_name_is_an_attribute_error(self, stored: Tape) -> None:
        with pytest.raises(AttributeError, match="'Tape' object has no attribute 'chunk'"):
            _ = stored.chunk

    def test_nothing_can_be_set(self, stored: Tape) -> None:
        with pytest.raises(AttributeError):
            stored.status = 500  # type: ignore[misc]
