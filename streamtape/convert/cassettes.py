"""Cassettes: streamtape's, and those of plain vcrpy, which have no timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vcr.serialize import serialize
from vcr.serializers import jsonserializer, yamlserializer

from streamtape.cassette import storage
from streamtape.cassette.errors import CassetteError
from streamtape.cassette.interaction import Response, interaction_of, tape_of
from streamtape.cassette.serializer import dump
from streamtape.cassette.storage import StreamSerializer, item

if TYPE_CHECKING:
    from vcr.request import Request as VcrRequest

    from streamtape.convert.notes import Notes
    from streamtape.tape import Tape

Interaction = tuple["VcrRequest", Response]


def read(path: str, notes: Notes) -> list[Tape]:
    """The tapes of any cassette that streamtape reads."""
    parsed = storage.read(path)
    tapes = [tape_of(request, response) for request, response in parsed.interactions]
    for number, tape in enumerate(tapes, 1):
        if parsed.metadata:
            notes.add(number, "the cassette's metadata are not kept")
        if not tape.timed:
            notes.add(
                number,
                "it was recorded without a timeline, so when and in which chunks it came is unknown"
                " and stays so",
            )
    return tapes


def write(path: str, tapes: list[Tape], notes: Notes) -> bytes:
    """A streamtape cassette: in JSON where the name says so, else in YAML."""
    for number, tape in enumerate(tapes, 1):
        if not tape.timed and tape.coding is not None:
            notes.add(
                number,
                f"its content coding {tape.coding} is gone: the body is kept decoded, and without a"
                " timeline there is nothing that says how to encode it again",
            )
    pairs = [interaction_of(tape) for tape in tapes]
    if _is_json(path):
        return _serialized(path, pairs, StreamSerializer(jsonserializer))
    return dump([item(*pair) for pair in pairs])


def write_plain(path: str, tapes: list[Tape], notes: Notes) -> bytes:
    """A cassette in vcrpy's own form, without anything that only streamtape knows."""
    for number, tape in enumerate(tapes, 1):
        if tape.timed:
            notes.add(number, "the timeline is gone: plain vcrpy plays the body in one piece")
        if tape.timed and tape.ending.kind != "eof":
            notes.add(
                number,
                f"its ending ({tape.ending.kind}) is gone: plain vcrpy plays the part that came as"
                " if it were the whole",
            )
        if tape.coding is not None:
            notes.add(number, f"its content coding {tape.coding} is gone: the body is decoded")
        if tape.request is None:
            notes.add(
                number,
                "it answers any request, which plain vcrpy knows only as match_on=(): its method"
                " and URI are written as *",
            )
    pairs = [interaction_of(tape) for tape in tapes]
    for _, response in pairs:
        response.pop("timeline", None)
        response.pop("http_version", None)
    return _serialized(path, pairs, jsonserializer if _is_json(path) else yamlserializer)


def _serialized(path: str, pairs: list[Interaction], serializer: Any) -> bytes:
    content = {
        "requests": [request for request, _ in pairs],
        "responses": [response for _, response in pairs],
    }
    try:
        text: str = serialize(content, serializer)
    except TypeError as error:
        raise CassetteError(
            "a body here is binary, which JSON cannot hold, so nothing was written; use a name that"
            " ends in .yaml",
            path=path,
        ) from error
    return text.encode()


def _is_json(path: str) -> bool:
    return path.lower().removesuffix(".gz").endswith(".json")
