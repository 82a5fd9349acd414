"""Which frame came in which chunks, and when: at every cut, against the tape's own events."""

from __future__ import annotations

import pytest

from streamtape.report.rows import rows
from streamtape.tape import Tape


class TestRows:
    """Which frame came in which chunks, against a reading byte by byte."""

    BODIES = (
        b"data: a\n\ndata: b\n\n",
        b"\xef\xbb\xbfdata: a\r\n\r\n: c\r\n\r\nretry: 5\r\n\r\ndata: b\r\n\r\ndata: rest",
        b"\r\rdata: a\r\r\revent: x\rdata: b\r\rid: 1\r\r",
    )

    @pytest.mark.parametrize("body", BODIES)
    def test_at_every_cut(self, body: bytes) -> None:
        for cut in range(1, len(body)):
            tape = Tape.of(body, cuts=[cut], gap_ms=1)
            found = rows(tape)
            events = [row for row in found if row.kind == "event"]
            assert [(row.at_ns, row.data) for row in events] == [
                (at_ns, event.data) for at_ns, event in tape.events()
            ]
            for row in found:
                assert 1 <= row.first_chunk <= row.last_chunk <= 2
                assert row.at_ns == tape.chunks[row.last_chunk - 1].at_ns
            assert [row.gap_ns for row in found] == [
                after.at_ns - before
                for before, after in zip([0, *(r.at_ns for r in found)], found, strict=False)
            ]

    def test_ndjson(self) -> None:
        body = b'{"a": 1}\n\n{"b": "\xc3\xa9"}\n{"c"'
        tape = Tape.of(body, content_type="application/x-ndjson", cuts=[4, 20], gap_ms=1)
        found = [(row.kind, row.data, row.first_chunk, row.last_chunk) for row in rows(tape)]
        assert found == [
            ("event", '{"a": 1}', 1, 2),
            ("event", '{"b": "é"}', 2, 3),
            ("unfinished", '{"c"', 3, 3),
        ]
