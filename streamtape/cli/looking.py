"""``streamtape show`` and ``streamtape stats``: what cassettes hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from streamtape.cassette.errors import CassetteError
from streamtape.cli.output import TROUBLE, console, tell
from streamtape.convert import format_of, read
from streamtape.report import stats as figures
from streamtape.report import text

if TYPE_CHECKING:
    import argparse

    from streamtape.tape import Tape


def show(options: argparse.Namespace) -> int:
    """``streamtape show``."""
    loaded = [(path, _tapes(path)) for path in options.cassettes]
    wanted = options.interaction
    for path, tapes in loaded:
        if wanted is not None and not 1 <= wanted <= len(tapes):
            count = text.counted(len(tapes), "interaction")
            tell(f"{path}: has {count}, so there is no number {wanted}")
            return TROUBLE
    out = console(colour=not options.no_color)
    for place, (path, tapes) in enumerate(loaded):
        if place:
            out.print()
        text.summary(path, tapes, out)
        for number, tape in enumerate(tapes, 1):
            if wanted in (None, number):
                out.print()
                text.show(tape, out, number=number, full=options.full)
    return 0


def stats(options: argparse.Namespace) -> int:
    """``streamtape stats``."""
    loaded = [(path, _tapes(path)) for path in options.cassettes]
    out = console(colour=not options.no_color)
    if options.json:
        found = [
            {"cassette": path, "interaction": number, **figures.as_json(tape)}
            for path, tapes in loaded
            for number, tape in enumerate(tapes, 1)
        ]
        out.file.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
        return 0
    for place, (path, tapes) in enumerate(loaded):
        if place:
            out.print()
        text.summary(path, tapes, out)
        for number, tape in enumerate(tapes, 1):
            out.print()
            figures.show(tape, out, number=number)
    return 0


def _tapes(path: str) -> list[Tape]:
    try:
        source = format_of(path)
    except CassetteError:
        source = "cassette"
    tapes, _ = read(path, source)
    return tapes
