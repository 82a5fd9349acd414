"""Tapes from and to files of other kinds.

Each format is a module that reads a file's tapes and writes tapes as a file's content. What a
format cannot carry, and what had to be assumed where it says too little, goes to `Notes`: nothing
is lost silently, and no time is made up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from streamtape.cassette.errors import CassetteError
from streamtape.cassette.filters import Secrets
from streamtape.cassette.interaction import interaction_of, tape_of, without_secrets
from streamtape.cassette.storage import write_whole
from streamtape.convert import asciicast, cassettes, har
from streamtape.convert.notes import Notes

if TYPE_CHECKING:
    from streamtape.tape import Tape

__all__ = ["FORMATS", "Notes", "convert", "format_of", "read"]

Reader = Callable[[str, Notes], "list[Tape]"]
Writer = Callable[[str, "list[Tape]", Notes], bytes]


@dataclass(frozen=True)
class Format:
    """A kind of file. ``suffixes`` say which names it has; the first format with one gets it."""

    what: str
    suffixes: tuple[str, ...]
    read: Reader
    write: Writer


FORMATS = {
    "cassette": Format(
        "a streamtape cassette",
        (".yaml", ".yml", ".json", ".yaml.gz", ".yml.gz", ".json.gz", ".part"),
        cassettes.read,
        cassettes.write,
    ),
    "vcr": Format("a plain vcrpy cassette", (), cassettes.read, cassettes.write_plain),
    "har": Format("an HTTP archive (HAR 1.2)", (".har",), har.read, har.write),
    "asciicast": Format(
        "a terminal session (asciicast v3)", (".cast",), asciicast.read, asciicast.write
    ),
}


def format_of(path: str) -> str:
    """The name of the format that a file of this name has.

    Raises `CassetteError` where the name tells none.
    """
    for name, each in FORMATS.items():
        if path.lower().endswith(each.suffixes):
            return name
    suffixes = ", ".join(suffix for each in FORMATS.values() for suffix in each.suffixes)
    raise CassetteError(
        f"the name doesn't tell the format (known are {suffixes}), so it is unknown how to read or"
        " write the file; say it with --from or --to",
        path=path,
    )


def read(path: str | os.PathLike[str], source: str | None = None) -> tuple[list[Tape], list[str]]:
    """The tapes in a file, and sentences on what is not known of them.

    *source* is the file's format, by default the one that its name tells.

    Raises OSError, and `CassetteError` for a file that is of another kind or broken, and for a name
    that tells no format.
    """
    path = os.fspath(path)
    notes = Notes()
    tapes = FORMATS[source or format_of(path)].read(path, notes)
    return tapes, notes.sentences(len(tapes))


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    source_format: str | None = None,
    target_format: str | None = None,
) -> tuple[int, list[str]]:
    """Write what the file *source* holds to the file *target*, without secrets.

    Formats are the names in `FORMATS`; by default they are told by the names of the files. Gives
    the number of interactions, and sentences on what was lost or had to be assumed.

    Raises as `read` does.
    """
    target = os.fspath(target)
    writer = FORMATS[target_format or format_of(target)]
    tapes, sentences = read(source, source_format)
    if (
        target_format is None
        and _is_rewritten(os.fspath(source), source_format, target)
        and any(tape.timed for tape in tapes)
    ):
        sentences.append(
            "this is a cassette of streamtape's again, with its timelines; --to vcr makes one in"
            " plain vcrpy's own form"
        )
    notes = Notes()
    write_whole(target, writer.write(target, list(_without_secrets(tapes)), notes))
    return len(tapes), [*sentences, *notes.sentences(len(tapes))]


def _is_rewritten(source: str, source_format: str | None, target: str) -> bool:
    """Whether a cassette becomes another of the same kind, so that who asked may have meant more.

    In place that is the way to take secrets out, from a part file to keep what came.
    """
    if Path(source).resolve() == Path(target).resolve() or source.endswith(".part"):
        return False
    is_json = [path.lower().removesuffix(".gz").endswith(".json") for path in (source, target)]
    formats = {source_format or format_of(source), format_of(target)}
    return formats == {"cassette"} and is_json[0] == is_json[1]


def _without_secrets(tapes: Iterable[Tape]) -> Iterable[Tape]:
    secrets = Secrets()
    for tape in tapes:
        clean = tape_of(*without_secrets(interaction_of(tape), secrets))
        # A cassette has no place for the coding of a body without a timeline; a HAR has.
        yield clean if tape.timed else replace(clean, coding=tape.coding)
