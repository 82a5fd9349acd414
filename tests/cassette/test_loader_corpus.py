"""The loader against cassettes that other people recorded, beside vcrpy's own."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from vcr.serialize import deserialize
from vcr.serializers import yamlserializer

from streamtape.cassette.errors import CassetteError
from streamtape.cassette.loader import parse, read_bytes
from streamtape.wire import sse

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"
MANIFEST = CORPUS / "manifest.json"
FILES: list[dict[str, Any]] = (
    json.loads(MANIFEST.read_text(encoding="utf-8")) if MANIFEST.exists() else []
)

NAMES = {
    "go-vcr": "a cassette of go-vcr",
    "ruby-vcr": "a cassette of Ruby's VCR",
    "polly-har": "a HAR file by Polly.JS",
    "httpmock(rig)": "a recording by httpmock",
    "raw-file": "a bare event stream",
    "httprr": "a trace by httprr",
}
"""What the manifest calls a recorder, and what an error calls it."""

pytestmark = pytest.mark.skipif(not FILES, reason=f"no corpus of recorded streams at {CORPUS}")


def files(*, ours: bool) -> list[Any]:
    return [
        pytest.param(file, id=file["file"])
        for file in FILES
        if file["recorder"].startswith("vcrpy") == ours
    ]


def load(file: dict[str, Any]) -> Any:
    return parse(read_bytes(CORPUS / file["file"]), path=file["file"])


@pytest.mark.parametrize("file", files(ours=True))
def test_a_cassette_of_vcrpy_loads_as_vcrpy_loads_it(file: dict[str, Any]) -> None:
    parsed = load(file)
    assert parsed.interactions
    if file["vcrpy942"] != "ok":
        return
    text = (CORPUS / file["file"]).read_text(encoding="utf-8")
    requests, responses = deserialize(text, yamlserializer)
    assert [vars(request) for request, _ in parsed.interactions] == [
        vars(request) for request in requests
    ]
    assert [response for _, response in parsed.interactions] == responses


@pytest.mark.parametrize("file", files(ours=True))
def test_the_streams_in_it_are_those_of_the_manifest(file: dict[str, Any]) -> None:
    parsed = load(file)
    for stream in file["streams"]:
        _, response = parsed.interactions[stream["idx"]]
        assert response["status"]["code"] == stream["status"]
        body = response["body"]["string"]
        if body.startswith(b"\x1f\x8b"):
            body = gzip.decompress(body)
        assert len(body) == stream["size"]
        assert hashlib.sha256(body).hexdigest() == stream["sha256"]
        if stream["format"] == "sse":
            assert len(sse.decode(body)) == stream["events"]


@pytest.mark.parametrize("file", files(ours=True))
def test_each_interaction_begins_in_its_line(file: dict[str, Any]) -> None:
    lines = read_bytes(CORPUS / file["file"]).decode().split("\n")
    parsed = load(file)
    assert all(lines[line - 1].startswith("- ") for line in parsed.lines)
    assert parsed.timeline_lines == [None] * len(parsed.interactions)


@pytest.mark.parametrize("file", files(ours=False))
def test_a_file_of_another_recorder_is_told_by_name(file: dict[str, Any]) -> None:
    with pytest.raises(CassetteError, match="not a vcrpy cassette") as caught:
        load(file)
    assert NAMES[file["recorder"]] in str(caught.value)
    assert str(caught.value).startswith(f"{file['file']}:")
    assert ("streamtape convert" in str(caught.value)) == file["recorder"].endswith("har")


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("pydantic__pydantic-ai__test_google_model_stream.yaml", 219),
        ("pydantic__pydantic-ai__test_snowflake_thinking_streaming.yaml", 202),
    ],
)
def test_a_parsed_body_has_the_length_that_was_sent(name: str, length: int) -> None:
    request, _ = load({"file": name}).interactions[0]
    assert len(request.body) == length
    assert json.loads(request.body)
