"""The readers against recorded streams: real bodies, found and counted by somebody else.

Each stream's size and number of events stand in the corpus's manifest. The cassettes are read with
plain PyYAML, so that nothing of the package but the readers is tested.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamtape.wire import sse
from streamtape.wire.framing import Framing, detect, event_reader, frame_ends

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"
MANIFEST = CORPUS / "manifest.json"
FRAMINGS: dict[str, Framing] = {
    "sse": "sse",
    "ndjson": "ndjson",
    "aws-eventstream": "eventstream",
    "json-array-stream": "raw",
}
"""What the manifest calls a format, and what we call its framing."""

pytestmark = pytest.mark.skipif(
    not MANIFEST.exists(), reason=f"no corpus of recorded streams at {CORPUS}"
)


class Loader(yaml.SafeLoader):
    """Reads a call of a Python class (for aiohttp's header names) as the tuple of its arguments."""


def _arguments(loader: Loader, _suffix: str, node: yaml.SequenceNode) -> tuple[Any, ...]:
    return tuple(loader.construct_sequence(node))


Loader.add_multi_constructor("tag:yaml.org,2002:python/object/apply:", _arguments)


def streams() -> list[Any]:
    files = json.loads(MANIFEST.read_text(encoding="utf-8")) if MANIFEST.exists() else []
    return [
        pytest.param(CORPUS / file["file"], stream, id=f"{file['file']}[{stream['idx']}]")
        for file in files
        if file["recorder"].startswith("vcrpy") or file["recorder"] == "raw-file"
        for stream in file["streams"]
    ]


def recorded(path: Path, number: int) -> tuple[bytes, str | None]:
    """The body, without its content coding, and the content type of a response in the cassette.

    A file that is no cassette is a body alone.
    """
    data = path.read_bytes()
    if not path.name.endswith((".yaml", ".yaml.gz")):
        return data, None
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    cassette = yaml.load(data, Loader)  # a safe loader that makes no objects
    if "interactions" in cassette:
        response = cassette["interactions"][number]["response"]
    else:  # langchain-tests keeps requests and responses in two lists
        response = cassette["responses"][number]
    body = response["body"]["string"]
    if isinstance(body, str):
        body = body.encode()
    if body.startswith(b"\x1f\x8b"):
        body = gzip.decompress(body)
    types = (
        values
        for name, values in response["headers"].items()
        if str(name).lower() == "content-type"
    )
    content_type = next(types, None)
    return body, content_type[0] if isinstance(content_type, list) else content_type


every_stream = pytest.mark.parametrize(("path", "stream"), streams())


@every_stream
def test_events_are_those_of_the_manifest(path: Path, stream: dict[str, Any]) -> None:
    body, content_type = recorded(path, stream["idx"])
    assert len(body) == stream["size"]
    assert (content_type or "") == stream["content_type"]
    if stream["format"] == "sse":
        assert len(sse.decode(body)) == stream["events"]
    framing = detect(body, content_type)
    if stream["format"] == "sse" and not stream["events"]:  # an error's document, no stream
        assert framing == "raw"
        return
    assert framing == FRAMINGS[stream["format"]]
    if reader := event_reader(framing):
        assert len(reader.feed(body) + reader.finish()) == stream["events"]


@every_stream
def test_the_framing_is_found_without_the_content_type(path: Path, stream: dict[str, Any]) -> None:
    body, content_type = recorded(path, stream["idx"])
    assert detect(body, None) == detect(body, "**REDACTED**") == detect(body, content_type)


@every_stream
def test_each_frame_has_one_event_and_bytes_one_by_one_have_the_same(
    path: Path, stream: dict[str, Any]
) -> None:
    body, content_type = recorded(path, stream["idx"])
    framing = detect(body, content_type)
    whole, by_frame, by_byte = (event_reader(framing) for _ in range(3))
    if whole is None or by_frame is None or by_byte is None:
        assert frame_ends(framing, body) == []
        return
    events = whole.feed(body)
    ends = frame_ends(framing, body)
    found = [by_frame.feed(body[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    assert all(len(one) <= 1 for one in found)
    assert [event for one in found for event in one] == events
    assert [event for at in range(len(body)) for event in by_byte.feed(body[at : at + 1])] == events
