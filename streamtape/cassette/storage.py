"""Cassettes as files: read whole, and written whole."""

from __future__ import annotations

import gzip
import os
import threading
import warnings
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vcr.persisters.filesystem import CassetteNotFoundError
from vcr.serialize import deserialize, serialize
from vcr.serializers import jsonserializer, yamlserializer
from vcr.serializers.compat import convert_to_unicode

from streamtape.cassette import loader
from streamtape.cassette.errors import CassetteError, UnfinishedWarning
from streamtape.cassette.serializer import dump_interaction, dump_pieces
from streamtape.cassette.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vcr.request import Request as VcrRequest

    from streamtape.cassette.interaction import Response


def item(request: VcrRequest, response: Response) -> bytes:
    """One interaction as an item of a cassette's list, in YAML."""
    return b"".join(item_pieces(request, response))


def item_pieces(request: VcrRequest, response: Response) -> Iterator[bytes]:
    """The same in pieces, none of them long."""
    return dump_interaction(_fields(request), _with_text(response))


def _fields(request: VcrRequest) -> dict[str, Any]:
    fields: dict[str, Any] = request._to_dict()  # noqa: SLF001 - vcrpy's serializers use it so
    return fields


def _with_text(response: Response) -> Response:
    timeline = response.get("timeline")
    if isinstance(timeline, Timeline):
        return {**response, "timeline": timeline.text()}
    return response


class StreamSerializer:
    """A serializer of vcrpy's or of the user's, with timelines turned into text and back.

    Round vcrpy's own YAML serializer it writes the readable form instead.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    @property
    def native(self) -> bool:
        """Whether streamtape's own loader reads what this serializer writes."""
        return self.inner in (yamlserializer, jsonserializer)

    def serialize(self, cassette: dict[str, Any]) -> str:
        interactions = [
            {**interaction, "response": _with_text(interaction["response"])}
            for interaction in cassette["interactions"]
        ]
        if self.inner is not yamlserializer:
            text: str = self.inner.serialize({**cassette, "interactions": interactions})
            return text
        items = [dump_interaction(each["request"], each["response"]) for each in interactions]
        pieces = dump_pieces(chain.from_iterable(items), cassette.get("metadata"))
        return b"".join(pieces).decode()

    def deserialize(self, text: str) -> dict[str, Any]:
        if self.native:
            parsed = loader.parse(text)
            pairs = _timed(parsed, None)
            data: dict[str, Any] = {
                "interactions": [
                    {"request": convert_to_unicode(_fields(request)), "response": response}
                    for request, response in pairs
                ],
                "metadata": parsed.metadata,
            }
            return data
        data = self.inner.deserialize(text)
        for interaction in data["interactions"]:
            response = interaction["response"]
            if isinstance(response.get("timeline"), str):
                response["timeline"] = Timeline.parse(response["timeline"])
        return data


def _timed(parsed: loader.Parsed, path: str | None) -> list[tuple[VcrRequest, Response]]:
    for (_, response), line in zip(parsed.interactions, parsed.timeline_lines, strict=True):
        if isinstance(response.get("timeline"), str):
            response["timeline"] = Timeline.parse(response["timeline"], path=path, line=line)
            if not response["timeline"].finished:
                warnings.warn(
                    f"{path or 'a cassette'}:{line}: this timeline has no ending, so the recorder"
                    " died while the stream ran. It plays as far as it goes and then breaks off:"
                    " record it again, or write how it ended as the last line (such as"
                    " `0.000 eof`)",
                    UnfinishedWarning,
                    stacklevel=2,
                )
    return parsed.interactions


def read(path: str | os.PathLike[str]) -> loader.Parsed:
    """A cassette's interactions, with `Timeline` objects.

    Raises FileNotFoundError, and `CassetteError` for a file that is not a whole cassette.
    """
    path = os.fspath(path)
    parsed = loader.parse(loader.read_bytes(path), path=path)
    _timed(parsed, path)
    return parsed


class CassetteFile:
    """vcrpy's persister for files, but always UTF-8, gzip where the name says so, and atomic."""

    @classmethod
    def load_cassette(cls, cassette_path: str | os.PathLike[str], serializer: Any) -> Any:
        path = Path(cassette_path)
        if not path.is_file():
            raise CassetteNotFoundError
        if not serializer.native:
            try:
                text = loader.read_bytes(path).decode()
            except UnicodeDecodeError as error:
                raise CassetteError(
                    f"not UTF-8 ({error}), so its serializer can't read it; record it again, or"
                    " give the cassette a persister of its own",
                    path=str(path),
                ) from error
            if not text.strip():
                raise CassetteNotFoundError
            return deserialize(text, serializer)
        parsed = read(path)
        if not parsed.interactions and not parsed.metadata:
            raise CassetteNotFoundError  # as vcrpy: an empty file is a cassette to be recorded
        requests = [request for request, _ in parsed.interactions]
        responses = [response for _, response in parsed.interactions]
        return requests, responses, parsed.metadata or {}

    @staticmethod
    def save_cassette(
        cassette_path: str | os.PathLike[str], cassette_dict: dict[str, Any], serializer: Any
    ) -> None:
        write_whole(cassette_path, serialize(cassette_dict, serializer).encode())


def write_whole(path: str | os.PathLike[str], data: bytes | Iterable[bytes]) -> None:
    """Write a file so that whoever looks sees the old one or the new one, never a part of it.

    *data*: the content, whole or in pieces. A symbolic link stays one; folders that are missing are
    made.
    """
    pieces: Iterable[bytes] = [data] if isinstance(data, bytes) else data
    target = Path(path).resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix == ".gz":
        pieces = [gzip.compress(b"".join(pieces), mtime=0)]
    # Not made from the target's name: that may be as long as the file system allows.
    beside = target.with_name(f".streamtape-{os.getpid()}-{threading.get_ident()}.new")
    try:
        with beside.open("wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            beside.chmod(target.stat().st_mode & 0o777)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
