"""Renderers with one fault each: found by its name, with few and short pieces; right ones pass."""

from __future__ import annotations

import asyncio
import json
import math
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from streamtape import Event, Tape, views
from streamtape.checks import CheckFailed, RendererReport
from streamtape.checks.renderers import cost, search
from tests.checks.renderers.shown import (
    PIECES,
    TAPE,
    TEXT,
    Shown,
    calls_of,
    failures_of,
    pieces_of,
    report_of,
)
from tests.streams import openai_chat


class AsyncShown:
    """The same, and async."""

    def __init__(self) -> None:
        self.text = ""

    async def feed(self, piece: str) -> None:
        await asyncio.sleep(0)
        self.text += piece

    async def view(self) -> str:
        return self.text


@asynccontextmanager
async def within_async_block() -> AsyncIterator[Shown]:
    yield Shown()


@contextmanager
def within_block() -> Iterator[Shown]:
    yield Shown()


@pytest.mark.parametrize("made", [Shown, AsyncShown, within_block, within_async_block])
def test_one_that_shows_all_that_came_passes_every_check(made: Callable[[], Any]) -> None:
    report = report_of(made, reference=str, stable="append", visible=0)
    assert [view for _, view in report.frames][-1] == TEXT
    assert report.instability_depth == report.retractions == report.characters_rewritten == 0
    assert report.examples > len(TEXT)
    assert report.exponents is None
    assert "of fewer than 64" in report.not_judged["superlinear"]


def test_all_that_came_so_far_can_be_fed() -> None:
    def feed_full(handle: Shown, text: str) -> None:
        handle.text = text

    report = report_of(feed=None, feed_full=feed_full, reference=str)
    assert report.frames[0][1] == PIECES[0]


def test_a_view_that_is_changed_in_place_is_seen_as_it_was() -> None:
    def feed(one: dict[str, str], piece: str) -> None:
        one["text"] = one.get("text", "") + piece

    report = report_of(dict, feed=feed, view=lambda one: one, pieces=["a", "b"])
    assert report.frames == ((0.0, {"text": "a"}), (0.0, {"text": "ab"}))
    assert report.empty == {}


def test_a_renderer_that_strips_pieces_depends_on_the_cuts() -> None:
    found = failures_of(feed=lambda one, piece: one.feed(piece.strip(" ")))
    assert set(found) == {"converges", "chunking"}
    pieces = pieces_of(found["chunking"])
    assert len(pieces) == 2
    assert len("".join(map(str, pieces))) <= 3


def test_a_renderer_is_held_against_its_reference() -> None:
    found = failures_of(view=lambda one: one.text.replace("ö", "o"), reference=str)
    assert set(found) == {"converges"}
    assert found["converges"].pieces == ("ö",)
    assert (found["converges"].expected, found["converges"].got) == ("ö", "o")


def test_what_is_flushed_when_it_is_closed_is_shown_in_the_end() -> None:
    class Held(Shown):
        def __init__(self) -> None:
            super().__init__()
            self.held = ""

        def feed(self, piece: str) -> None:
            lines = (self.held + piece).split(" ")
            self.text += "".join(line + " " for line in lines[:-1])
            self.held = lines[-1]

        def close(self) -> None:
            self.text, self.held = self.text + self.held, ""

    report_of(Held, close=lambda one: one.close(), reference=str)
    assert set(failures_of(Held, reference=str, pieces=["a b"])) == {"converges"}


def test_an_empty_piece_taken_for_the_end_is_found() -> None:
    class Ends(Shown):
        ended = False

        def feed(self, piece: str) -> None:
            self.ended = self.ended or not piece
            self.text += "" if self.ended else piece

    pieces = pieces_of(failures_of(Ends)["chunking"])
    assert pieces[0] == ""
    assert len(pieces) == 2


def test_a_cut_inside_what_a_reader_sees_as_one_character_is_found() -> None:
    def feed(one: Shown, piece: str) -> None:
        one.feed(piece.lstrip("\u200d"))

    pieces = pieces_of(failures_of(feed=feed)["chunking"])
    assert len(pieces) == 2
    assert str(pieces[1]).startswith("\u200d")


def test_what_raises_on_the_way_is_found() -> None:
    found = failures_of(view=lambda one: 1 // (not one.text.endswith("\n\n1")) and one.text)
    assert set(found) == {"raises"}
    assert found["raises"].pieces == ("\n\n1",)
    assert isinstance(found["raises"].got, ZeroDivisionError)


def test_what_raises_before_anything_came_is_found() -> None:
    found = failures_of(view=lambda one: one.text[0] and one.text)
    assert set(found) == {"raises/empty"}
    assert found["raises/empty"].pieces == ()


def test_half_of_a_surrogate_pair_is_found() -> None:
    def view(text: list[str]) -> dict[str, list[str]]:
        units = "".join(text).encode("utf-16-le")
        return {"units": [units[:at].decode("utf-16-le", "surrogatepass") for at in (2, 4)]}

    found = failures_of(list, feed=lambda one, piece: one.append(piece), view=view, pieces=["x😀"])
    assert set(found) == {"not-encodable"}


def test_only_the_end_may_be_written_anew() -> None:
    def view(one: Shown) -> str:
        return one.text + "…"

    assert set(failures_of(view=view, stable="append")) == {"unstable"}
    report = report_of(view=view, stable=("characters", 1))
    assert report.instability_depth == 1
    assert report.retractions == report.characters_rewritten == len(PIECES)


def test_lines_that_were_shown_may_not_change() -> None:
    def view(one: Shown) -> list[str]:
        count = one.text.count("\n")
        return [f"{count} lines", *one.text.split("\n")]

    found = failures_of(view=view, stable=("lines", 1))
    assert set(found) == {"unstable"}
    assert len("".join(map(str, pieces_of(found["unstable"])))) <= 3
    report_of(view=view, stable=("lines", 20))


@pytest.mark.parametrize(
    ("values", "change"),
    [
        ([{"a": 1}, {"a": 1, "b": []}, {"b": []}], r"\$.a is gone"),
        ([{"a": None}, {"a": "x"}], r"\$.a was null and is a string"),
        ([[1, 2], [1]], r"\$\[1\] is gone"),
        ([[[1]], [["1"]]], r"\$\[0\]\[0\] was a number and is a string"),
    ],
)
def test_keys_and_types_of_json_may_not_change(values: list[Any], change: str) -> None:
    with pytest.raises(CheckFailed, match=change):
        report_of(
            view=lambda one: values[min(len(one.text), len(values)) - 1] if one.text else None,
            stable="json",
            pieces=["x"] * len(values),
        )


def test_json_that_only_grows_is_stable() -> None:
    values = [None, {}, {"a": ""}, {"a": "x", "b": [1]}, {"a": "xy", "b": [12.5, True]}]
    report_of(view=lambda one: values[min(len(one.text), 4)], pieces=list("abcd"), stable="json")


def test_a_word_that_is_shown_late_is_found() -> None:
    def view(one: Shown) -> str:
        return one.text.rpartition(" ")[0]

    found = failures_of(view=view, close=None, reference=str, visible=0)
    assert {"not-visible", "converges"} == set(found)


def test_a_word_that_is_shown_a_piece_later_is_told_and_may_be_allowed() -> None:
    class Late(Shown):
        closed = False

        def view(self) -> str:
            held = self.text.rstrip(" ").rpartition(" ")[0]
            return self.text if self.closed else held

        def close(self) -> None:
            self.closed = True

    arguments: dict[str, Any] = {
        "pieces": ["one ", "two ", "three ", "four "],
        "close": lambda one: one.close(),
        "reference": str,
    }
    assert set(failures_of(Late, visible=0, **arguments)) == {"not-visible"}
    arguments.pop("pieces")
    tape = Tape.of(b"".join(openai_chat(["one ", "two ", "three ", "four "])), gap_ms=100.0)
    report = report_of(Late, tape=tape, **arguments)
    assert report.time_to_first_visible == pytest.approx(0.3)
    assert report.staleness == pytest.approx(0.1)


def test_a_word_may_be_off_the_screen_when_newer_ones_are_on_it() -> None:
    check = views.terminal(lambda stream, piece: stream.write(piece), columns=20, rows=3)
    pieces = ["one ", "two ", "three\nfour\nfive\nsix\nseven\neight "]
    report_of(check.pop("open"), **check, pieces=pieces, visible=1)


def test_a_word_that_is_shown_twice_is_found() -> None:
    class Twice(Shown):
        def view(self) -> str:
            last = self.text.rpartition(" ")[2]
            return self.text if self.text.endswith("\n") else f"{self.text} {last}"

    found = failures_of(Twice, visible=0)
    assert set(found) == {"twice"}
    assert len(pieces_of(found["twice"])) == 1


def test_work_that_grows_with_the_square_is_found_by_the_calls_it_makes() -> None:
    class Again(Shown):
        def feed(self, piece: str) -> None:
            self.text += piece
            for character in self.text:
                ord(character)

    pieces = [f"w{number} " for number in range(200)]
    found = failures_of(Again, pieces=pieces, reference=str)
    assert set(found) == {"superlinear"}
    assert "from 50, 100, 200 pieces" in str(found["superlinear"].got)
    report = report_of(Again, pieces=pieces, max_exponent=math.inf)
    assert calls_of(report) > 1.7


def test_work_that_grows_with_the_stream_passes() -> None:
    report = report_of(pieces=[f"w{number} " for number in range(200)])
    assert calls_of(report) == pytest.approx(1, abs=0.05)


def test_looking_is_measured_only_where_that_is_asked_for() -> None:
    pieces = [f"w{number} " for number in range(200)]
    view = {"view": lambda one: "".join([chr(ord(each)) for each in one.text]), "pieces": pieces}
    assert calls_of(report_of(**view)) == pytest.approx(1, abs=0.05)
    assert set(failures_of(**view, cost_includes_view=True)) == {"superlinear"}


def test_a_stream_that_takes_too_long_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "COST_S", 0.0)
    monkeypatch.setattr(search, "SEARCH_S", 0.0)
    report = report_of(pieces=[f"w{number} " for number in range(200)])
    assert "took all of 0 s" in report.not_judged["superlinear"]
    assert report.not_judged["chunking"] == "0 cuts tried in 0 s, not all"


def test_a_long_stream_is_looked_at_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MAX_FRAMES", 10)
    report = report_of(pieces=list("abcdefghijklmnopqrstuvwxy"))
    assert len(report.frames) == 9
    assert report.not_judged["frames"] == "25 pieces: one frame for 3"


class Leaving(Shown):
    """Leaves something behind when it gets a piece, and takes it away when it is closed."""

    def __init__(self, how: Callable[[], Callable[[], object]]) -> None:
        super().__init__()
        self.how = how
        self.undo: Callable[[], object] | None = None

    def feed(self, piece: str) -> None:
        super().feed(piece)
        if self.undo is None:
            self.undo = self.how()

    def close(self) -> None:
        if self.undo is not None:
            self.undo()


def a_thread() -> Callable[[], object]:
    event = threading.Event()
    threading.Thread(target=event.wait, args=(10,), name="refresher").start()
    return event.set


def a_redirection() -> Callable[[], object]:
    before = sys.stdout
    sys.stdout = sys.__stderr__
    return lambda: setattr(sys, "stdout", before)


def a_hidden_cursor() -> Callable[[], object]:
    sys.stdout.write("\x1b[?25l")
    return lambda: sys.stdout.write("\x1b[?25h")


@pytest.mark.parametrize(
    ("how", "left"),
    [
        (a_thread, "a thread that goes on: refresher"),
        (a_redirection, "sys.stdout is not what it was"),
        (a_hidden_cursor, "the cursor is hidden on sys.stdout"),
    ],
)
def test_what_is_left_behind_is_found(how: Callable[[], Callable[[], object]], left: str) -> None:
    made: list[Leaving] = []

    def opened() -> Leaving:
        made.append(Leaving(how))
        return made[-1]

    pieces = ["one ", "two"]
    try:
        found = failures_of(opened, pieces=pieces)
        assert left in str(found["not-clean"].got)
        assert found["not-clean"].pieces == ("one ",)
        report_of(opened, pieces=pieces, close=lambda one: one.close())
    finally:
        for one in made:
            one.close()


def test_a_task_that_goes_on_is_found() -> None:
    class Tasks(AsyncShown):
        async def feed(self, piece: str) -> None:
            await super().feed(piece)
            self.task = asyncio.create_task(asyncio.sleep(1000))

    found = failures_of(Tasks, pieces=["a"])
    assert set(found) == {"not-clean"}
    assert "a task that goes on" in str(found["not-clean"].got)


def test_what_is_not_ended_when_the_block_is_cancelled_is_found() -> None:
    @asynccontextmanager
    async def careless() -> AsyncIterator[AsyncShown]:
        task = asyncio.create_task(asyncio.sleep(1000))
        try:
            yield AsyncShown()
        except asyncio.CancelledError:
            raise
        except BaseException:
            task.cancel()
            raise
        task.cancel()

    found = failures_of(careless, pieces=["a", "b"])
    assert found["not-clean"].sentence == "after a cancellation something is left behind"


def test_a_coroutine_that_is_never_awaited_is_found() -> None:
    async def nothing() -> None:
        """Never runs."""

    class Forgets(Shown):
        def feed(self, piece: str) -> None:
            super().feed(piece)
            self.forgotten = nothing()

    with pytest.warns(RuntimeWarning, match="never awaited"):
        found = failures_of(Forgets, pieces=["a"])
    assert "never awaited" in str(found["not-clean"].got)


def test_closing_that_raises_is_found() -> None:
    def close(one: Shown) -> None:
        if not one.text:
            raise asyncio.CancelledError

    found = failures_of(close=close)
    assert set(found) == {"raises/close"}
    assert found["raises/close"].pieces == ()
    assert isinstance(found["raises/close"].got, asyncio.CancelledError)


def test_frames_have_the_times_of_the_tape() -> None:
    report = report_of(tape=TAPE)
    times = [at for at, _ in report.frames]
    assert len(times) == len(PIECES)
    assert times == pytest.approx([0.2 + 0.1 * number for number in range(len(times))])
    assert report.time_to_first_visible == pytest.approx(0.2)
    assert report.staleness == 0.0


def test_frames_of_an_async_renderer_have_exact_virtual_times() -> None:
    class Slow(AsyncShown):
        async def feed(self, piece: str) -> None:
            await asyncio.sleep(0.25)
            self.text += piece

    report = report_of(Slow, tape=TAPE)
    assert report.frames[0][0] == pytest.approx(0.45)
    assert report.frames[-1][0] == pytest.approx(0.2 + 0.25 * len(PIECES))
    assert report.staleness == pytest.approx(0.15 * len(PIECES) - 0.05)


def events_of(tape: Tape) -> list[Event]:
    return [event for _, event in tape.events()]


def delta(event: Event) -> str:
    if event.data == "[DONE]":
        return ""
    choices = json.loads(event.data)["choices"]
    return (choices and choices[0]["delta"].get("content")) or ""


@pytest.mark.parametrize("given", [{"tape": TAPE}, {"pieces": events_of(TAPE)}])
def test_events_carry_their_text_in_other_deltas(given: dict[str, Any]) -> None:
    def feed(one: Shown, event: Event) -> None:
        one.feed(delta(event))

    report_of(feed=feed, unit="event", reference=str, visible=0, **given)
    found = failures_of(
        feed=lambda one, event: one.feed(delta(event).strip(" ")), unit="event", **given
    )
    assert set(found) == {"chunking"}


def test_bytes_are_cut_inside_characters() -> None:
    def feed(one: Shown, piece: bytes) -> None:
        one.feed(piece.decode(errors="replace"))

    pieces = ["wörld ".encode(), b"end"]
    found = failures_of(feed=feed, pieces=pieces, unit="bytes", reference=bytes.decode)
    assert set(found) == {"converges", "chunking"}
    assert pieces_of(found["chunking"])[0].endswith(b"\xc3")
    assert len(pieces_of(found["chunking"])) == 2

    chunks = failures_of(feed=feed, tape=TAPE, unit="bytes")
    assert set(chunks) == {"chunking"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"feed_full": str}, "either feed="),
        ({"feed": None}, "either feed="),
        ({"pieces": None}, "either tape= or pieces="),
        ({"tape": TAPE, "pieces": PIECES}, "either tape= or pieces="),
        ({"pieces": []}, "nothing to render"),
        ({"pieces": [b"x"]}, "a piece is a bytes where unit= asks for str"),
        ({"unit": "line"}, "unit is 'line'"),
        ({"stable": "lines"}, "stable is 'lines'"),
        ({"stable": ("words", 1)}, "stable is"),
        ({"stable": ("lines", -1)}, "n is 0 or more"),
        ({"stable": ("characters", "1")}, "n is 0 or more"),
        ({"visible": -1}, "visible is -1"),
    ],
)
def test_what_means_nothing_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        report_of(**wrong)


def test_it_can_be_called_where_a_loop_runs() -> None:
    async def main() -> RendererReport:
        return report_of(AsyncShown, pieces=["a ", "b"])

    assert asyncio.run(main()).frames[-1][1] == "a b"
