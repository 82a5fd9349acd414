"""The ready adapters on released packages: right ones pass, known faults show."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any

import jiter
import pytest
from rich.cells import cell_len
from rich.live import Live
from rich.markdown import Markdown
from rich.text import Text
from textual import widgets
from textual.app import App, ComposeResult

from streamtape import views
from streamtape.checks import CheckFailed, Failure, check_renderer
from streamtape.checks.renderers import search
from streamtape.views.terminal import TerminalStream

if TYPE_CHECKING:
    from rich.console import Console


def failures_of(**arguments: Any) -> dict[str, Failure]:
    with pytest.raises(CheckFailed) as caught:
        check_renderer(**arguments)
    return {failure.kind: failure for failure in caught.value.failures}


def test_a_terminal_has_a_screen_a_scrollback_and_a_cursor() -> None:
    stream = TerminalStream(10, 2)
    stream.write("one\ntwo\nthree ✅\x1b[?25l")
    view = stream.view()
    assert view.scrollback == ("one",)
    assert view.screen == ("two", "three ✅")
    assert view.lines == ("one", "two", "three ✅")
    assert view.cursor == (1, 8)
    assert view.cursor_hidden
    assert stream.isatty()
    assert stream.writable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("I \u2764\ufe0f tea and cake\n", "I \u2764\ufe0f tea and cake"),
        ("\U0001f469\u200d\U0001f4bb codes", "\U0001f469\u200d\U0001f4bb codes"),
        ("left\u200bright", "left\u200bright"),
        (
            "\u65e5\u200d\u672c\u8a9e, \u65e5\ufe0f\u672c",
            "\u65e5\u200d\u672c\u8a9e, \u65e5\ufe0f\u672c",
        ),
        ("\u200dat the start", "at the start"),
        ("cafe\u0301 and \x01more", "cafe\u0301 and more"),
        ("a" * 40 + "\ufe0fb", "a" * 40 + "\ufe0f" + "b"),
    ],
)
def test_a_terminal_shows_what_follows_a_character_without_width(text: str, shown: str) -> None:
    """pyte itself drops the rest of what it draws, so what is shown would depend on the cuts."""
    stream = TerminalStream(40, 5)
    stream.write(text)
    assert "".join(stream.view().lines) == shown
    check_renderer(
        **views.terminal(lambda stream, piece: stream.write(piece), columns=40, rows=5),
        pieces=[text],
        stable="append",
    )


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("\U0001f469\u200d\U0001f4bb", 2),
        ("\U0001f469\u200d\U0001f469\u200d\U0001f467", 2),
        ("\u2764\ufe0f", 2),
        ("\U0001f44d\U0001f3fd", 2),
        ("\U0001f1e9\U0001f1ea", 2),
        ("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", 4),
        ("e\u0301", 1),
        ("\u65e5\u672c", 4),
    ],
)
@pytest.mark.parametrize("before", ["", "x", "\u65e5"])
def test_an_emoji_takes_as_many_columns_as_programs_count(
    text: str, columns: int, before: str
) -> None:
    stream = TerminalStream(40, 5)
    stream.write(before)
    start = stream.view().cursor[1]
    for char in text:
        stream.write(char)
        stream.view()
    assert stream.view().screen == (before + text,)
    assert stream.view().cursor == (0, start + columns)
    assert cell_len(text) == columns


def test_a_live_display_of_emoji_that_fill_lines_passes() -> None:
    words = [f"word{number} \U0001f469\u200d\U0001f4bb \u2764\ufe0f " for number in range(6)]
    check_renderer(**views.rich_live(Text, columns=20), pieces=words, visible=0)


def test_a_function_that_writes_to_a_stream_is_checked_on_a_terminal() -> None:
    report = check_renderer(
        **views.terminal(lambda stream, piece: stream.write(piece), columns=12, rows=3),
        pieces=["Hello ", "wörld, ", "this is\n", "a long ", "text ", "✅ at ", "last"],
        stable="append",
        visible=0,
    )
    assert report.frames[-1][1].scrollback == ("Hello wörld,",)


def test_one_that_leaves_the_cursor_hidden_is_found() -> None:
    class Printer:
        def __init__(self, stream: IO[str]) -> None:
            self.stream = stream
            stream.write("\x1b[?25l")

        def show(self, text: str) -> None:
            self.stream.write("\r" + text)

        def end(self) -> None:
            self.stream.write("\x1b[?25h")

    arguments = {"feed_full": Printer.show, "open": Printer}
    pieces = ["Hello ", "world"]
    assert set(failures_of(**views.terminal(**arguments), pieces=pieces)) == {"not-clean"}
    check_renderer(**views.terminal(**arguments, close=Printer.end), pieces=pieces)


def test_a_terminal_is_fed_in_one_way() -> None:
    with pytest.raises(ValueError, match="either feed="):
        views.terminal()


def test_a_live_display_that_fits_the_screen_passes() -> None:
    pieces = ["# Ti", "tle\n\n", "Some **bo", "ld** text, ", "and more"]
    check_renderer(**views.rich_live(Markdown), pieces=pieces, visible=0)


def test_the_newest_line_of_a_live_display_is_below_the_screen() -> None:
    pieces = [f"line{number} \n" for number in range(8)]
    found = failures_of(**views.rich_live(Text, rows=5), pieces=pieces, visible=0)
    assert set(found) == {"not-visible"}


def test_a_display_that_refreshes_itself_is_refused() -> None:
    def live(console: Console) -> Live:
        return Live(console=console)

    found = failures_of(**views.rich_live(Text, live=live), pieces=["a"])
    assert "auto_refresh=False" in str(found["raises/empty"].got)


class Chat(App[None]):
    def compose(self) -> ComposeResult:
        yield widgets.Markdown()


class Log(App[None]):
    def compose(self) -> ComposeResult:
        yield widgets.Static()


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal takes its time, and an application a tenth of a second: few cuts have to do."""
    monkeypatch.setattr(search, "MAX_DELIVERIES", 6)
    monkeypatch.setattr(search, "DRAWN", 5)
    monkeypatch.setattr(search, "SEARCH_S", 1.0)
    monkeypatch.setattr(search, "SHRINK_S", 1.0)


def test_appended_markdown_loses_a_link_definition() -> None:
    found = failures_of(**views.textual(Chat), pieces=["[a][d]\n\n", "[d]: x\n"])
    assert {"converges"} <= set(found) <= {"converges", "chunking"}


def test_a_widget_that_is_right_passes() -> None:
    shown: dict[Any, str] = {}

    def feed(widget: widgets.Static, piece: str) -> None:
        shown[widget] = shown.get(widget, "") + piece
        widget.update(shown[widget])

    arguments = views.textual(Log, widgets.Static, feed=feed)
    arguments.pop("reference")
    report = check_renderer(**arguments, pieces=["one ", "two"])
    assert report.frames[-1][1] == ["Static: one two"]


PARTIAL = {"name": "Ann", "tags": ["x", "y"]}


def test_a_partial_parser_that_only_adds_passes() -> None:
    def parse(text: str) -> Any:
        return jiter.from_json(text.encode(), partial_mode="trailing-strings")

    check_renderer(**views.partial_json(parse), pieces=["  ", *json.dumps(PARTIAL)])


def test_jiter_takes_a_number_back_at_its_point() -> None:
    def parse(text: str) -> Any:
        return jiter.from_json(text.encode(), partial_mode=True)

    found = failures_of(**views.partial_json(parse), pieces=["[1, 12", ".5]"])
    assert found["unstable"].pieces in {("[1", "."), ("[2", ".")}
    assert set(failures_of(**views.partial_json(parse), pieces=["-12.5 "])) == {"raises"}
