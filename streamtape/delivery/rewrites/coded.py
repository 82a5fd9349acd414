"""The rewrite that puts a body in a content coding."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from streamtape.codings import CODINGS, without_coding
from streamtape.delivery.arguments import one_of
from streamtape.delivery.change import rewrite

if TYPE_CHECKING:
    from streamtape.tape import Tape


@rewrite("the body in the content coding {name}, flushed at each chunk", name=one_of(*CODINGS))
def coding(tape: Tape, name: str = "gzip") -> Tape:
    """The body in another content coding: ``gzip``, ``deflate``, ``br`` or ``zstd``.

    A tape without a body stays as it is, and one whose body is in a coding that couldn't be
    decoded when it was recorded. What *name* needs has to be installed where the tape is played.
    """
    undecoded = tape.coding is None and any(
        header.lower() == "content-encoding" and value.strip().lower() not in {"", "identity"}
        for header, value in tape.headers
    )
    if not tape.body or undecoded or tape.coding == name:
        return tape
    return replace(tape, coding=name, headers=without_coding(tape.headers))
