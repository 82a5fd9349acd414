"""Cassettes that vcrpy itself wrote: each body is the one that vcrpy hands to its clients."""

from __future__ import annotations

import gzip
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import vcr
from hypothesis import example, given, settings
from hypothesis import strategies as st
from vcr.persisters.filesystem import FilesystemPersister
from vcr.request import Request
from vcr.serializers import yamlserializer

import streamtape

URL = "http://api.test/stream"
SEPARATORS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
CONTROLS = "\x00\x01\x08\t\x1b\x7f\x9f\ufeff\ufffe"
YAML = "'\"|>{}[]&*!%@`#:-?,~\\ "

lines = st.text(st.sampled_from(f"{SEPARATORS}{CONTROLS}{YAML}datevn:é👩\u200d0"), max_size=40)
texts = st.lists(
    st.one_of(
        lines,
        st.text(max_size=20),
        st.sampled_from(
            [
                'data: {"t":"Caf\u00e9"}\n\n',
                "event: a\r\ndata: b\r\n\r\n",
                "data: a\r\rdata: b\r\r",
                ": ping\n\n",
                "\ufeffdata: a\n\n",
                '{"a": "line \u2028 separator"}\n{"b": 2}\n',
                "data: trailing space \n\n",
                " leading\n",
                "=\n",
                "null",
                "~",
                "0x1F",
                "2001-01-01",
                "yes",
                "- a\n- b\n",
                "x" * 200 + " y" * 100,
            ]
        ),
    ),
    max_size=4,
).map("".join)


@dataclass(frozen=True)
class Coding:
    header: str
    encode: Callable[[bytes], bytes]
    decode: Callable[[bytes], bytes]


CODINGS = (
    Coding("gzip", lambda data: gzip.compress(data, mtime=0), gzip.decompress),
    Coding("x-gzip", lambda data: gzip.compress(data, mtime=0), gzip.decompress),
    Coding("deflate", zlib.compress, zlib.decompress),
)


@st.composite
def responses(draw: st.DrawFn, *, playable: bool = False) -> tuple[dict[str, Any], bytes]:
    """A response as some recorder gave it to vcrpy's serializer, and the body that it means.

    *playable*: one that vcrpy can play to httpx as it was sent. It takes a value that is no list
    for a list of letters and refuses text that isn't ASCII, and httpx doesn't know x-gzip.
    """
    content = draw(st.one_of(texts.map(str.encode), st.binary(max_size=40)))
    ids = ["1", "a: b", "'"] if playable else ["1", "a: b", "'", "é"]
    headers: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {"content-type": st.sampled_from(["text/event-stream", "text/plain", "x/y"])},
            optional={"X-Id": st.sampled_from(ids), "x-empty": st.just("")},
        )
    )
    codings = [coding for coding in CODINGS if not (playable and coding.header == "x-gzip")]
    coding = draw(st.none() | st.sampled_from(codings))
    stored: bytes | str = content
    if coding is not None:
        headers["Content-Encoding"] = coding.header
        stored = coding.encode(content)
    elif draw(st.booleans()):
        headers["content-encoding"] = "identity"
    shape = draw(st.sampled_from(["list", "bytes"] if playable else ["list", "bytes", "text"]))
    shaped: dict[str, Any] = {
        name: {"list": [value], "text": value, "bytes": [value.encode("latin-1")]}[shape]
        for name, value in headers.items()
    }
    if draw(st.booleans()):  # some recorders store text where there is text
        with suppress(UnicodeDecodeError):
            stored = stored.decode()
    response = {
        "status": {"code": 200, "message": draw(st.sampled_from(["OK", "", None]))},
        "headers": shaped,
        "body": {"string": stored},
    }
    return response, content


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client


def written(folder: str, found: list[dict[str, Any]]) -> Path:
    path = Path(folder, "cassette.yaml")
    data = {
        "requests": [Request("GET", f"{URL}/{n}", None, {}) for n in range(len(found))],
        "responses": found,
    }
    FilesystemPersister.save_cassette(str(path), data, yamlserializer)
    return path


def stored_by_vcrpy(response: dict[str, Any]) -> bytes:
    """The body of *response*, as vcrpy loaded it, without its content coding."""
    body = response["body"]["string"]
    body = body.encode() if isinstance(body, str) else body
    headers = {name.lower(): value for name, value in response["headers"].items()}
    named = headers.get("content-encoding", "")
    named = named[0] if isinstance(named, list) else named
    named = named.decode() if isinstance(named, bytes) else named
    for coding in CODINGS:
        if coding.header == named:
            return coding.decode(body)
    return body


@given(st.lists(responses(), min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_each_tape_has_the_body_that_vcrpy_loads(
    found: list[tuple[dict[str, Any], bytes]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = written(folder, [response for response, _ in found])
        tapes = streamtape.load(path)
        _, loaded, *_ = FilesystemPersister.load_cassette(str(path), yamlserializer)
    assert [tape.body for tape in tapes] == [stored_by_vcrpy(response) for response in loaded]
    assert [tape.body for tape in tapes] == [content for _, content in found]
    assert [tape.status for tape in tapes] == [response["status"]["code"] for response in loaded]
    for tape in tapes:
        assert b"".join(chunk.data for chunk in tape.chunks) == tape.body


@given(found=responses(playable=True))
@settings(max_examples=60, deadline=None)
@example(
    found=({"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": ""}}, b"")
)
def test_a_client_gets_the_same_from_vcrpy_and_from_streamtape(
    client: httpx.Client, found: tuple[dict[str, Any], bytes]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = written(folder, [found[0]])
        with vcr.use_cassette(str(path), record_mode="none"):
            theirs = client.get(f"{URL}/0")
        with streamtape.use_cassette(path):
            ours = client.get(f"{URL}/0")
        (tape,) = streamtape.load(path)
    assert ours.content == theirs.content == tape.body
    assert (ours.status_code, ours.text) == (theirs.status_code, theirs.text)
