"""Terminal sessions: a stream as it would look to who watches it, in asciicast v3.

The format is that of https://docs.asciinema.org/manual/asciicast/v3/: a header line, then a line
for each event, ``[seconds since the event before, code, data]``. Written are ``o`` (output), ``m``
(a marker: an interaction, a stall) and ``x`` (the exit status: 0 where the last stream ended
properly). Read are the outputs of v2 and v3, such as those of ``asciinema rec -c 'curl -N …'``.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from streamtape import providers
from streamtape.cassette.errors import CassetteError
from streamtape.cassette.loader import read_bytes
from streamtape.metrics import timing
from streamtape.report.printable import lines, one_line
from streamtape.report.text import ending_text, seconds
from streamtape.tape import Chunk, Ending, Tape
from streamtape.wire.framing import detect

if TYPE_CHECKING:
    from streamtape.convert.notes import Notes

_COLUMNS, _ROWS = 80, 24
_BETWEEN_NS = 1_000_000_000
_CONTENT_TYPES = {"sse": "text/event-stream", "ndjson": "application/x-ndjson"}
_VERSIONS = (2, 3)
_INTERVALS = 3
"""The version whose times count from the event before; in version 2 they count from the start."""

Happening = tuple[int, str, str]
"""When, in nanoseconds; an event's code; its data."""


def write(path: str, tapes: list[Tape], notes: Notes) -> bytes:  # noqa: ARG001  # as every format's
    """A session in which *tapes* are watched, one after the other, with a second between them."""
    header = {"version": 3, "term": {"cols": _COLUMNS, "rows": _ROWS}, "title": _title(tapes)}
    written = [json.dumps(header, ensure_ascii=False)]
    start_ns = before_us = 0
    for number, tape in enumerate(tapes, 1):
        notes.add(number, "headers, chunk boundaries and all that isn't shown are gone")
        if not tape.timed:
            notes.add(number, "its times are unknown: all of it appears at once")
        for at_ns, code, data in _watched(tape, number):
            # Rounded as a whole, so that the rounding errors of intervals don't add up.
            at_us = (start_ns + at_ns + 500) // 1000
            written.append(_line(at_us - before_us, code, data))
            before_us = at_us
        start_ns += tape.ending.at_ns + _BETWEEN_NS
    status = "0" if not tapes or tapes[-1].ending.kind == "eof" else "1"
    written.append(_line(0, "x", status))
    return ("\n".join(written) + "\n").encode()


def read(path: str, notes: Notes) -> list[Tape]:
    """One tape, which answers any request: each output to the terminal is a chunk."""
    version, happenings = _parsed(path)
    chunks = []
    end_ns = at_ns = 0
    held = ""
    for at_ns, code, data in _absolute(version, happenings):
        if code == "o":
            # The terminal had made CR LF of each line feed; the two may have been cut apart.
            text = held + data
            held = "\r" if text.endswith("\r") else ""
            text = text.removesuffix(held).replace("\r\n", "\n")
            chunks.append(Chunk(at_ns, text.encode(errors="replace")))
        if code in ("o", "x"):
            end_ns = at_ns
    if held:
        chunks.append(Chunk(end_ns, b"\r"))
    body = b"".join([chunk.data for chunk in chunks])
    framing = detect(body, None)
    notes.add(
        1,
        "a terminal session has no request and no head: the tape answers any request with 200, and"
        " its time counts from the session's start",
    )
    return [
        Tape(
            chunks=tuple(chunks),
            ending=Ending("eof", end_ns),
            reason="OK",
            headers=[("content-type", _CONTENT_TYPES.get(framing, "text/plain; charset=utf-8"))],
            framing=framing,
        )
    ]


def _title(tapes: list[Tape]) -> str:
    requests = [tape.request for tape in tapes if tape.request is not None]
    return one_line(f"{requests[0].method} {requests[0].url}") if requests else "streamtape"


def _line(interval_us: int, code: str, data: str) -> str:
    interval = f"{interval_us // 1_000_000}.{interval_us % 1_000_000:06d}"
    return f"[{interval}, {json.dumps(code)}, {json.dumps(data, ensure_ascii=False)}]"


def _watched(tape: Tape, number: int) -> Iterator[Happening]:
    """What somebody sees of *tape*: the request, the text as it comes in, the ending."""
    request = tape.request
    asked = "any request" if request is None else one_line(f"{request.method} {request.url}")
    yield 0, "m", f"{number} {asked}"
    yield 0, "o", _terminal(f"{asked}\n")
    if tape.head_ns is not None:
        head = one_line(f"{tape.status} {tape.content_type or ''}".strip())
        yield tape.head_ns, "o", _terminal(f"{head}\n\n")
    stalls = [
        (round((stall.at + stall.length) * 1e9), "m", f"stall of {stall.length:.1f} s")
        for stall in timing(tape).stalls()
    ]
    # A stall's marker stands before what ended it, as sorting by time alone leaves it.
    yield from sorted([*stalls, *_shown(tape)], key=lambda happening: happening[0])
    ending = f"\n[{ending_text(tape.ending).plain}, {seconds(tape.ending.at_ns)}]\n"
    yield tape.ending.at_ns, "o", _terminal(ending)


def _shown(tape: Tape) -> list[Happening]:
    """The answer's text where the provider is known, else each event's data, else the body."""
    events = tape.events()
    if not events:
        # Incremental: a character may be cut.
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        pieces = [(chunk.at_ns, decoder.decode(chunk.data)) for chunk in tape.chunks]
    else:
        provider = providers.detect(event for _, event in events)
        pieces = [(at_ns, provider.token_text(event)) for at_ns, event in events if provider]
        if not any(text for _, text in pieces):
            pieces = [(at_ns, f"{event.data}\n") for at_ns, event in events]
    return [(at_ns, "o", _terminal(text)) for at_ns, text in pieces if text]


def _terminal(text: str) -> str:
    return lines(text).replace("\n", "\r\n")


def _parsed(path: str) -> tuple[int, list[tuple[float, str, str]]]:
    first, *rest = read_bytes(path).decode(errors="replace").splitlines() or [""]
    header = _json(first, path, 1)
    version = header.get("version") if isinstance(header, dict) else None
    if version not in _VERSIONS:
        raise CassetteError(
            "an asciicast's first line is an object with `version` 2 or 3, and this is not, so"
            " there is nothing to read; record it with asciinema 2 or later, or say with --from"
            " what it is",
            path=path,
            line=1,
        )
    happenings = []
    for number, line in enumerate(rest, 2):
        if not line.strip() or line.startswith("#"):
            continue
        match _json(line, path, number):
            case [int() | float() as time, str() as code, data]:
                happenings.append((float(time), code, str(data)))
            case seen:
                raise CassetteError(
                    f"expected [seconds, code, data], found {json.dumps(seen)[:60]}, so the session"
                    " cannot be read; mend the line, or remove it",
                    path=path,
                    line=number,
                )
    return version, happenings


def _json(line: str, path: str, number: int) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CassetteError(
            f"a line of an asciicast is JSON, and this is not ({error}), so the session cannot be"
            " read; mend the line, or remove it",
            path=path,
            line=number,
        ) from error


def _absolute(version: int, happenings: list[tuple[float, str, str]]) -> Iterator[Happening]:
    """With times from the start, in nanoseconds: v3 has intervals, v2 has them so already."""
    at_ns = 0
    for time, code, data in happenings:
        time_ns = round(time * 1e9)
        at_ns = at_ns + time_ns if version == _INTERVALS else max(time_ns, at_ns)
        yield at_ns, code, data
