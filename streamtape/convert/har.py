"""HTTP archives: HAR 1.2, with the events of a stream as Chrome's DevTools export them.

The format is that of http://www.softwareishard.com/blog/har-12-spec/, where names that begin with
``_`` are anybody's own. ``_eventSourceMessages`` is Chrome's: a list of ``time`` (seconds since
1970), ``eventName``, ``eventId`` and ``data`` beside the request and the response. ``_streamtape``
is ours: the timeline, so that a tape comes back from a HAR exactly as it went in.

This module reads and writes whole files; an entry is read in `har_entry_in` and written in
`har_entry_out`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import streamtape
from streamtape.cassette.errors import CassetteError
from streamtape.cassette.loader import read_bytes
from streamtape.convert import har_entry_in, har_entry_out

if TYPE_CHECKING:
    from streamtape.convert.notes import Notes
    from streamtape.tape import Tape


def read(path: str, notes: Notes) -> list[Tape]:
    """The tapes of a HAR, one for each entry that is no WebSocket."""
    entries = _entries(path)
    tapes: list[Tape] = []
    for place, entry in enumerate(entries):
        try:
            if har_entry_in.is_websocket(entry):
                notes.add(len(tapes) + 1, "a WebSocket that came before it is left out")
                continue
            tapes.append(har_entry_in.tape_of_entry(entry, len(tapes) + 1, notes))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            what = f"no {error}" if isinstance(error, KeyError) else f"{error}"
            raise CassetteError(
                f"log.entries[{place}] is not as HAR 1.2 has it ({what}), so the archive cannot be"
                " read; export it again",
                path=path,
            ) from error
    return tapes


def write(path: str, tapes: list[Tape], notes: Notes) -> bytes:  # noqa: ARG001  # as every format's
    """A HAR that holds *tapes*."""
    log = {
        "version": "1.2",
        "creator": {"name": "streamtape", "version": streamtape.__version__},
        "entries": [
            har_entry_out.entry_of(tape, number, notes) for number, tape in enumerate(tapes, 1)
        ],
    }
    return (json.dumps({"log": log}, ensure_ascii=False, indent=2) + "\n").encode()


def _entries(path: str) -> list[dict[str, Any]]:
    try:
        document = json.loads(read_bytes(path).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise CassetteError(
            f"a HAR is JSON in UTF-8, and this is not ({error}), so there is nothing to read;"
            " export it again, or say with --from what it is",
            path=path,
        ) from error
    log = document.get("log") if isinstance(document, dict) else None
    entries = log.get("entries") if isinstance(log, dict) else None
    if not isinstance(entries, list):
        raise CassetteError(
            "a HAR is an object with `log.entries`, a list, and this has none, so there is nothing"
            " to read; export it again, or say with --from what it is",
            path=path,
        )
    return entries
