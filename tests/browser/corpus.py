"""The event streams of the corpus, by whichever program they were recorded."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import yaml

from tests.wire import test_corpus_events as vcrpy

if TYPE_CHECKING:
    from pathlib import Path

CORPUS = vcrpy.CORPUS
MANIFEST = vcrpy.MANIFEST


class _Loader(yaml.SafeLoader):
    """Ruby's tag for bytes is another one than YAML's."""


_Loader.add_constructor("!binary", lambda _, node: base64.b64decode(node.value))


def event_streams() -> dict[str, bytes]:
    """Each stream's body, by the name of its file and its number there."""
    files = json.loads(MANIFEST.read_text(encoding="utf-8"))
    found = {}
    for file in files:
        for stream in file["streams"]:
            if stream["format"] == "sse":
                body = _body(CORPUS / file["file"], file["recorder"], stream)
                assert len(body) == stream["size"], file["file"]
                found[f"{file['file']}[{stream['idx']}]"] = body
    return found


def _body(path: Path, recorder: str, stream: dict[str, Any]) -> bytes:
    if recorder.startswith("vcrpy") or recorder == "raw-file":
        return vcrpy.recorded(path, stream["idx"])[0]
    data = path.read_bytes()
    if recorder == "httprr":
        return data[-stream["size"] :]
    if recorder == "polly-har":
        return _bytes(json.loads(data)["log"]["entries"][stream["idx"]]["response"]["content"])
    recording = yaml.load(data, _Loader)  # a safe loader, and bytes
    if recorder.startswith("httpmock"):
        return _bytes(recording["then"]["body"])
    interactions = recording.get("interactions") or recording["http_interactions"]
    return _bytes(interactions[stream["idx"]]["response"]["body"])


def _bytes(body: Any) -> bytes:
    while isinstance(body, dict):
        body = body["text"] if "text" in body else body["string"]
    return body.encode() if isinstance(body, str) else bytes(body)
