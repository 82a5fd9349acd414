"""Rewrites of recorded streams: all that are tried on each of them, its events before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamtape import Tape
from streamtape.delivery import rewrites
from tests.wire.test_corpus_events import every_stream, pytestmark, recorded

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["pytestmark"]  # skips these tests, too, where there is no corpus


@every_stream
def test_every_event_stays_equal_and_comes_when_it_did(path: Path, stream: dict[str, Any]) -> None:
    body, content_type = recorded(path, stream["idx"])
    tape = Tape.of(body, content_type=content_type or "", gap_ms=1)
    tried = rewrites.every(tape)
    if tape.framing == "sse":
        assert {"comments", "retry_blocks", "unknown_fields"} <= {one.name for one in tried}
    for rewrite in tried:
        told = rewrite.apply(tape)
        assert told != tape
        assert told.events() == tape.events(), rewrite


@every_stream
def test_line_ends_are_put_back(path: Path, stream: dict[str, Any]) -> None:
    body, content_type = recorded(path, stream["idx"])
    tape = Tape.of(body, content_type=content_type or "")
    lf = rewrites.lf().apply(tape)
    for rewrite in (rewrites.crlf(), rewrites.cr(), rewrites.mixed_line_ends()):
        assert rewrites.lf().apply(rewrite.apply(tape)) == lf
