"""Cassette files read: every one that vcrpy reads, some that it does not, and none that is unsafe.

Two steps: bytes become a document whose values know their lines (`yaml_places`, `places`), and the
document becomes vcrpy's requests and responses. Whatever is wrong is a `CassetteError` with path
and line. Nothing named in a file is run, and nothing is fetched.
"""

from __future__ import annotations

import codecs
import functools
import gzip
import io
import os
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamtape.cassette.errors import CassetteError
from streamtape.cassette.reading import foreign
from streamtape.cassette.reading.forms import request_of, response_of
from streamtape.cassette.reading.places import names, read_json
from streamtape.cassette.reading.yaml_places import read_yaml
from streamtape.cassette.reading.yaml_tags import HAS_LIBYAML

if TYPE_CHECKING:
    from vcr.request import Request

    from streamtape.cassette.reading.forms import Response
    from streamtape.cassette.reading.places import Place
MAX_INFLATED = 256 * 1024 * 1024
"""Bytes that a gzip file may inflate to."""

_GZIP_MAGIC = b"\x1f\x8b"
_JSON_START = re.compile(rb'\s*(?:\{\s*["}]|\[\s*[\[{\]])')
_OTHER_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a cassette file holds.

    ``interactions`` are (request, response) in the order of the file. A response has

    * ``status``: ``code``, an int, and ``message``, a str or None where the file has none;
    * ``headers``: a list of values for each name, values as in the file (str, or bytes where it
      says ``!!binary``);
    * ``body``: ``string``, bytes, still in their content coding;
    * ``timeline``, where there is one: its text;
    * any other key that the file has, as it is (``http_version``, aiohttp's ``url``).

    No two interactions share an object that can be changed, also where the file has aliases.

    ``lines`` has the line, from 1, where each interaction begins, and ``timeline_lines`` the line
    of the first line of its timeline, or None. ``metadata`` is the cassette's, or None.
    """

    interactions: list[tuple[Request, Response]] = field(default_factory=list)
    metadata: dict[str, Any] | None = None
    lines: list[int] = field(default_factory=list)
    timeline_lines: list[int | None] = field(default_factory=list)


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a cassette file, inflated where they are gzip data, whatever its name is.

    Raises OSError where the file cannot be read, and CassetteError for gzip data that is broken
    or inflates to more than `MAX_INFLATED` bytes.
    """
    name = os.fspath(path)
    data = Path(name).read_bytes()
    if not data.startswith(_GZIP_MAGIC):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            data = file.read(MAX_INFLATED + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CassetteError(
            f"this gzip file is broken ({error}), so its cassette is lost; restore it, or record it"
            " again",
            path=name,
        ) from error
    if len(data) > MAX_INFLATED:
        raise CassetteError(
            f"this gzip file inflates to more than {MAX_INFLATED:,} bytes, which no cassette does,"
            " so it is refused; record it again",
            path=name,
        )
    return data


def parse(data: bytes | str, *, path: str | os.PathLike[str] | None = None) -> Parsed:
    """The interactions of a cassette, YAML or JSON, as vcrpy 9.4 reads them and with their lines.

    *path* is named in errors, never opened. A file that is empty, or holds nothing but white space
    and comments, has no interactions (vcrpy takes an empty one for a missing one).

    Read too, beyond vcrpy: pydantic-ai's ``parsed_body`` (it becomes JSON, in the spelling whose
    length is the recorded content-length, else without spaces), aiohttp's header names of type
    ``istr``, langchain-tests' lists ``requests`` and ``responses``, headers whose value is one text
    or is missing, request bodies that are missing, and httpx's form of before vcrpy 4.2 (it becomes
    today's, and loses a content-encoding that its text no longer has).

    Raises CassetteError for anything else, and names the recorder of a file that is another's.
    """
    source = _source(data, None if path is None else os.fspath(path))
    if not source.raw or source.raw.isspace():
        return Parsed()
    try:
        root = _document(source)
    except CassetteError as error:
        found = foreign.of_text(source.text)
        if found is None:
            raise
        raise CassetteError(found.message(), path=source.path, line=error.line) from error
    return Parsed() if root is None else _cassette(root, source)


class _Source:
    """A cassette's text in UTF-8, without a byte order mark. Decoded only where that is needed."""

    def __init__(self, raw: bytes, path: str | None) -> None:
        self.raw = raw
        self.path = path

    @functools.cached_property
    def text(self) -> str:
        try:
            return self.raw.decode()
        except UnicodeDecodeError as error:
            raise CassetteError(
                f"the byte 0x{self.raw[error.start]:02x} stands here, which is not UTF-8"
                f" ({error.reason}), so the file is damaged or in another encoding; save it as"
                " UTF-8, or record it again",
                path=self.path,
                line=self.raw.count(b"\n", 0, error.start) + 1,
            ) from error


def _source(data: bytes | str, path: str | None) -> _Source:
    if isinstance(data, str):
        try:
            return _Source(data.removeprefix("\ufeff").encode(), path)
        except UnicodeEncodeError as error:
            raise CassetteError(
                f"half of a surrogate pair (U+{ord(data[error.start]):04X}) stands here, which is"
                " no character, so the text was decoded wrongly; read the file as UTF-8",
                path=path,
                line=data.count("\n", 0, error.start) + 1,
            ) from error
    for mark, encoding in _OTHER_ENCODINGS:
        if data.startswith(mark):
            raise CassetteError(
                f"this file is in {encoding}, and a cassette is in UTF-8, so it is not read; save"
                " it as UTF-8",
                path=path,
                line=1,
            )
    return _Source(data.removeprefix(codecs.BOM_UTF8), path)


def _document(source: _Source) -> Place | None:
    if not _JSON_START.match(source.raw):
        return _yaml(source)
    try:
        return read_json(source.text, source.path)
    except CassetteError as error:
        try:
            return _yaml(source)  # YAML has braces and double quotes too
        except CassetteError:
            raise error from None


def _yaml(source: _Source) -> Place | None:
    return read_yaml(source.raw if HAS_LIBYAML else source.text, source.path)


def _cassette(root: Place, source: _Source) -> Parsed:
    top = root.entries() or {}
    if "interactions" in top:
        pairs = [_pair(item) for item in _list(top["interactions"])]
    elif "requests" in top and "responses" in top:
        pairs = _two_lists(top["requests"], top["responses"])
    else:
        found = foreign.of_document(root, source.text)
        raise root.fail(
            found.message()
            if found is not None
            else f"a cassette is a mapping with the name `interactions`, and this is {root.seen()}"
            f"{names(top)}, so there is nothing that can be played; record it again"
        )
    parsed = Parsed(metadata=_metadata(top.get("metadata")))
    for line, request, response in pairs:
        fields = response.mapping("the response")
        if not parsed.interactions:
            found = foreign.of_interaction(request.entries() or {}, fields)
            if found is not None:
                raise root.fail(found.message())
        parsed.interactions.append((request_of(request), response_of(response, fields)))
        parsed.lines.append(line)
        parsed.timeline_lines.append(fields["timeline"].text_line if "timeline" in fields else None)
    return parsed


def _pair(item: Place) -> tuple[int, Place, Place]:
    fields = item.mapping("the interaction")
    for name in ("request", "response"):
        if name not in fields:
            raise item.fail(
                f"this interaction has no `{name}`{names(fields)}, so it cannot be played; remove"
                " it, or record the cassette again"
            )
    return item.line, fields["request"], fields["response"]


def _two_lists(requests: Place, responses: Place) -> list[tuple[int, Place, Place]]:
    asked, answered = _list(requests), _list(responses)
    if len(asked) != len(answered):
        raise responses.fail(
            f"there are {len(answered)} responses to {len(asked)} requests, so it is unknown which"
            " answers which; record the cassette again"
        )
    pairs = zip(asked, answered, strict=True)
    return [(request.line, request, response) for request, response in pairs]


def _metadata(place: Place | None) -> dict[str, Any] | None:
    value = None if place is None else place.value()
    if place is not None and value and not isinstance(value, dict):
        raise place.fail(
            f"a cassette's metadata are a mapping, and this is {place.seen()}, so they cannot be"
            " kept; mend them or remove them"
        )
    return value or None


def _list(place: Place) -> list[Place]:
    """The items of a list; of nothing at all, none."""
    elements = place.elements()
    if elements is None and not place.is_null():
        raise place.fail(
            f"a list of interactions is expected here, and this is {place.seen()}, so there is"
            " nothing that can be played; record the cassette again"
        )
    return list(elements or [])
