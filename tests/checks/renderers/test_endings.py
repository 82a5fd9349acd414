"""How renderers end: what closing shows, raises and leaves behind, also around the check."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
import rich
from rich.console import Console
from rich.live import Live
from rich.text import Text

from streamtape import play
from streamtape.checks.renderers import cost
from streamtape.checks.renderers.cleanliness import StoppedError
from tests.checks.renderers.shown import (
    PIECES,
    TAPE,
    Shown,
    calls_of,
    failures_of,
    pieces_of,
    report_of,
)


class Strict:
    """A right parser of JSON: closing raises where the document has not ended."""

    def __init__(self) -> None:
        self.text = ""

    def feed(self, piece: str) -> None:
        self.text += piece

    def view(self) -> Any:
        try:
            return json.loads(self.text)
        except ValueError:
            return None

    def close(self) -> None:
        json.loads(self.text)


CLOSING: dict[str, Any] = {"close": lambda one: one.close()}


def test_closing_may_raise_where_the_reference_does() -> None:
    report_of(Strict, **CLOSING, pieces=['{"a":', " 1}"], reference=json.loads, stable="json")


def test_closing_may_raise_for_a_part_of_a_stream_whose_cost_is_measured() -> None:
    pieces = ["[", *[f"{number}," for number in range(cost.FEWEST)], "0]"]
    report = report_of(Strict, **CLOSING, pieces=pieces, reference=json.loads)
    assert calls_of(report) > 0


def test_closing_may_raise_for_a_part_of_what_events_carry() -> None:
    def feed(one: Strict, event: Any) -> None:
        choices = [] if event.data == "[DONE]" else json.loads(event.data)["choices"]
        for choice in choices:
            one.feed(choice["delta"].get("content") or "")

    def close(one: Strict) -> None:
        if one.text != "".join(PIECES):
            raise ValueError("unexpected end")

    def reference(text: str) -> str:
        if text != "".join(PIECES):
            raise ValueError("unexpected end")
        return text

    report_of(
        Strict,
        feed=feed,
        view=lambda one: one.text,
        close=close,
        reference=reference,
        tape=TAPE,
        unit="event",
    )


def test_closing_that_raises_where_the_reference_does_not_has_its_own_kind() -> None:
    found = failures_of(Strict, **CLOSING, pieces=["[1]"], reference=lambda _: [1])
    assert set(found) == {"raises/close"}
    assert found["raises/close"].pieces == ()
    assert isinstance(found["raises/close"].got, ValueError)


def test_leaving_the_block_is_closing_too() -> None:
    @contextmanager
    def block() -> Iterator[Shown]:
        yield Shown()
        raise ZeroDivisionError

    found = failures_of(block, pieces=["a"])
    assert set(found) == {"raises/close"}
    assert isinstance(found["raises/close"].got, ZeroDivisionError)


def test_closing_that_raises_after_leaving_early_is_told_as_that() -> None:
    def close(one: Shown) -> None:
        if one.text == "a":
            raise ZeroDivisionError("left early")

    found = failures_of(close=close, pieces=["a", "b"])
    assert set(found) == {"raises/close"}
    assert found["raises/close"].sentence == "closing it raises: after one piece"
    assert found["raises/close"].pieces == ("a",)


def test_what_raises_instead_of_the_block_s_exception_is_told_as_that() -> None:
    @contextmanager
    def block() -> Iterator[Shown]:
        try:
            yield Shown()
        except StoppedError:
            raise ZeroDivisionError from None

    found = failures_of(block, pieces=["a"])
    assert set(found) == {"raises/close"}
    assert found["raises/close"].sentence == "closing it raises: after an exception in the block"


def changed_by(change: str) -> dict[str, Any]:
    def close(one: Shown) -> None:
        one.text = {"less": one.text[:-3], "double": one.text * 2, "half": one.text + "\ud83d"}[
            change
        ]

    return {"close": close, "pieces": ["one ", "two ", "three"]}


def test_what_closing_takes_away_is_held_against_the_reference() -> None:
    found = failures_of(**changed_by("less"), reference=str)
    assert set(found) == {"converges"}
    assert len("".join(pieces_of(found["converges"]))) <= 4


@pytest.mark.parametrize(
    ("change", "asked", "kind"),
    [
        ("less", {"stable": "append"}, "unstable"),
        ("less", {"stable": ("characters", 2)}, "unstable"),
        ("double", {"visible": 0}, "twice"),
        ("half", {}, "not-encodable"),
    ],
)
def test_the_view_after_closing_is_judged_as_all_others(
    change: str, asked: dict[str, Any], kind: str
) -> None:
    assert kind in failures_of(**changed_by(change), **asked)


def test_closing_may_take_everything_away() -> None:
    def close(one: Shown) -> None:
        one.text = ""

    report_of(close=close, reference=str, stable="append", visible=0)


class Displays:
    """Starts a display of rich's and never stops it."""

    def __init__(self, console: Console | None) -> None:
        self.text = ""
        self.live = Live(console=console, auto_refresh=False)
        self.live.start()

    def feed(self, piece: str) -> None:
        self.text += piece
        self.live.update(Text(self.text))

    def view(self) -> str:
        return self.text


def a_terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True)


def test_a_display_that_never_stops_is_found_and_taken_away() -> None:
    before = sys.stdout, sys.stderr
    found = failures_of(lambda: Displays(a_terminal()), pieces=["a"])
    assert "sys.stdout is not what it was" in str(found["not-clean"].got)
    assert (sys.stdout, sys.stderr) == before


def test_a_display_on_rich_s_own_console_does_not_bar_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rich, "_console", a_terminal())
    failures_of(lambda: Displays(None), pieces=["a"])
    seen = io.StringIO()
    monkeypatch.setattr(rich.get_console(), "file", seen)
    with Live(Text("the next one"), auto_refresh=False) as live:
        live.refresh()
    assert seen.getvalue().startswith("\x1b[?25lthe next one\r")
    assert seen.getvalue().endswith("the next one\n\x1b[?25h")


def test_streams_are_put_back_after_what_raises() -> None:
    before = sys.stdout

    def feed(*_: object) -> None:
        sys.stdout = io.StringIO()
        raise ZeroDivisionError

    assert "raises" in failures_of(feed=feed)
    assert sys.stdout is before


class Fetching(Shown):
    """Opens an HTTP stream, and closes it only when it is told to."""

    def __init__(self, client: httpx2.Client) -> None:
        super().__init__()
        self.response = client.send(client.build_request("GET", "http://x.test/"), stream=True)


def test_an_http_stream_that_stays_open_is_found() -> None:
    with play(TAPE), httpx2.Client() as client:

        def opened() -> Fetching:
            return Fetching(client)

        found = failures_of(opened, pieces=["one ", "two"])
        assert set(found) == {"not-clean"}
        assert found["not-clean"].got == "1 HTTP stream still open"
        report_of(opened, pieces=["one ", "two"], close=lambda one: one.response.close())


def test_an_http_stream_that_was_open_before_is_no_fault() -> None:
    with play(TAPE), httpx2.Client() as client:
        before = Fetching(client)
        report_of(pieces=["one ", "two"])
        before.response.close()
