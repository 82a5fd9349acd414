"""Files that are not vcrpy's: which recorder wrote them, and what to do with them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamtape.cassette.reading.places import Place

_RECORD_AGAIN = "record it again with streamtape or vcrpy"


@dataclass(frozen=True, slots=True)
class Foreign:
    """What a file is (a noun phrase) and what its owner can do."""

    name: str
    advice: str = _RECORD_AGAIN

    def message(self) -> str:
        return (
            f"this is {self.name}, not a vcrpy cassette, so there is nothing in it that can be"
            f" played; {self.advice}"
        )


_EVENT_STREAM = Foreign(
    "a bare event stream",
    "a tape can be made of its bytes with streamtape.Tape.of and saved with streamtape.save",
)
_HAR_ADVICE = "turn it into a cassette with `streamtape convert`"

_TEXTS = (
    (re.compile(r"httprr trace v\d"), Foreign("a trace by httprr (Go)")),
    (
        re.compile(r"version https://git-lfs\.github\.com/spec/"),
        Foreign("a pointer of Git LFS, in place of the file it points to", "run `git lfs pull`"),
    ),
    (re.compile(r"\s*(?:(?:data|event|id|retry):|: |:\n)"), _EVENT_STREAM),
    (
        re.compile(r"\s*\{.*\}[ \t]*\r?\n\s*\{"),
        Foreign("a bare stream of JSON lines", _EVENT_STREAM.advice),
    ),
    (re.compile(r"HTTP/\d(?:\.\d)? \d{3}"), Foreign("a raw HTTP response")),
    (re.compile(r"\s*<(?:!doctype|html|\?xml)", re.IGNORECASE), Foreign("a page of HTML or XML")),
    (
        re.compile(r"(?s).*^(?:<<<<<<<|>>>>>>>) ", re.MULTILINE),
        Foreign(
            "a file with Git's conflict markers (<<<<<<< and >>>>>>>)",
            "keep one side of the conflict, or record it again",
        ),
    ),
)

_RUBY_VCR = Foreign("a cassette of Ruby's VCR")

_ROOTS = (
    ({"http_interactions"}, _RUBY_VCR),
    ({"when", "then"}, Foreign("a recording by httpmock (Rust)")),
    ({"log"}, Foreign("a HAR file", _HAR_ADVICE)),
    ({"mappings"}, Foreign("stub mappings of WireMock")),
    ({"request", "response"}, Foreign("a stub mapping of WireMock, or one bare interaction")),
    ({"data", "meta"}, Foreign("a simulation of Hoverfly")),
)
"""Names at the root of a document. The first whose names are all there says what it is."""

_LIST_ITEMS = (
    ({"scope", "path"}, Foreign("a recording by nock (JavaScript)")),
    (
        {"request", "response"},
        Foreign(
            "a list of interactions, as vcrpy wrote before 1.0 and ExVCR and PHP-VCR write",
            "if vcrpy wrote it, `python -m vcr.migration FILE` brings it up to date, else"
            f" {_RECORD_AGAIN}",
        ),
    ),
)
"""Names in the first item of a document that is a list."""


def of_text(text: str) -> Foreign | None:
    """What a text is that could not be read as YAML or JSON, or gave no mapping."""
    for pattern, foreign in _TEXTS:
        if pattern.match(text):
            return foreign
    # A mapping's names stand at the margin, even where the YAML is not vcrpy's (a Ruby tag).
    return _of_root({found[1] for found in re.finditer(r"^(\w+):(?=\s)", text, re.MULTILINE)}, text)


def of_document(root: Place, text: str) -> Foreign | None:
    """What a document is that has no vcrpy interactions; *text* is the text it was read from."""
    entries = root.entries()
    if entries is not None:
        return _of_root(set(entries), text) or of_text(text)
    elements = root.elements()
    if not elements:
        return of_text(text)
    names = set(elements[0].entries() or ())
    return next((foreign for needed, foreign in _LIST_ITEMS if needed <= names), None)


def of_interaction(request: Mapping[str, Place], response: Mapping[str, Place]) -> Foreign | None:
    """Which recorder wrote an interaction that has another's names in it."""
    if "url" in request and "uri" not in request:
        return Foreign("a cassette of go-vcr")
    body = response["body"].entries() if "body" in response else None
    if body is not None and "type" in body and "string" not in body:
        return Foreign("a cassette of cassetter")
    return None


def _of_root(names: set[str], text: str) -> Foreign | None:
    for needed, foreign in _ROOTS:
        if needed <= names:
            return _closer(foreign, text)
    return None


def _closer(foreign: Foreign, text: str) -> Foreign:
    """The same, where two recorders share a format and the text names one of them."""
    if foreign is _RUBY_VCR:
        if re.search(r"recorded_with\W+betamax", text):
            return Foreign("a cassette of Betamax")
        if re.search(r"recorded_with\W+vcr/", text):
            return Foreign("a cassette of the R package vcr")
    if foreign.name == "a HAR file" and "Polly.JS" in text:
        return Foreign("a HAR file by Polly.JS", _HAR_ADVICE)
    return foreign
