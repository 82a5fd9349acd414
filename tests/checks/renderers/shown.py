"""A renderer that is right, and what the check says of it and of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streamtape import Tape
from streamtape.checks import CheckFailed, Failure, RendererReport, check_renderer
from tests.streams import openai_chat

TEXT = "Hello wörld 👩‍👩‍👧 café\n\n1. one\n2. two\n\nThe end, slowly.\n"
PIECES = [TEXT[at : at + 5] for at in range(0, len(TEXT), 5)]
TAPE = Tape.of(b"".join(openai_chat(PIECES)), gap_ms=100.0)


class Shown:
    """A renderer that is right: it shows all that came."""

    def __init__(self) -> None:
        self.text = ""

    def feed(self, piece: str) -> None:
        self.text += piece

    def view(self) -> str:
        return self.text


def report_of(made: Callable[[], Any] = Shown, **kwargs: Any) -> RendererReport:
    given: dict[str, Any] = {
        "open": made,
        "feed": lambda handle, piece: handle.feed(piece),
        "view": lambda handle: handle.view(),
        **({} if "tape" in kwargs else {"pieces": PIECES}),
        **kwargs,
    }
    return check_renderer(**{name: value for name, value in given.items() if value is not None})


def failures_of(made: Callable[[], Any] = Shown, **kwargs: Any) -> dict[str, Failure]:
    with pytest.raises(CheckFailed) as caught:
        report_of(made, **kwargs)
    return {failure.kind: failure for failure in caught.value.failures}


def pieces_of(failure: Failure) -> tuple[Any, ...]:
    assert failure.pieces is not None
    return failure.pieces


def calls_of(report: RendererReport) -> float:
    assert report.exponents is not None
    return report.exponents["calls"]
