"""What changes and deliveries refuse, when they are made: none of it waits for a tape."""

from __future__ import annotations

import inspect
import math
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from streamtape.delivery import Delivery, contents, faults, middleboxes, rewrites
from streamtape.delivery.arguments import EVERY
from streamtape.delivery.change import Change, rewrite
from streamtape.delivery.expression import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamtape import Tape

MODULES = {
    "rewrites": rewrites,
    "contents": contents,
    "faults": faults,
    "middleboxes": middleboxes,
}
NOTHING = object()
REFUSED = [
    *("faults.status(200)", "faults.status(399)", "faults.status(600)", "faults.status('429')"),
    *("faults.status(True)", "faults.status(429.0)", "faults.status(retry_after=-1)"),
    *("faults.status(content_type='a\\nb')", "faults.status(content_type=None)"),
    *("faults.reset_after(-1)", "faults.end_after(-1)", "faults.not_terminated(-1)"),
    *("faults.read_timeout_after(-1)", "faults.keepalive_data(-1)", "faults.empty_event(-1)"),
    *("faults.unknown_event(-1)", "faults.error_event(-1)", "faults.end_after('1')"),
    *("faults.end_after(1.0)", "faults.end_after(True)", "faults.end_after(None)"),
    *("faults.end_inside(0)", "faults.glued(0)", "faults.broken_json(0)", "faults.lost(0)"),
    *("faults.duplicated(0)", "faults.swapped(0)", "faults.invalid_utf8(0)", "faults.stall(0)"),
    *("faults.reconnect(0)", "faults.end_inside(1, at=0)", "faults.glued(1, at=-1)"),
    *("faults.error_event(1, form='x')", "faults.error_event(1, form=1)"),
    *("faults.wrong_body('x')", "faults.wrong_body(1)", "faults.reconnect(1, then='x')"),
    *("faults.reconnect(1, then=204)", "faults.stall(1, seconds=-1)", "faults.stall(1, '60')"),
    *("faults.stall(1, seconds=1e999)", "faults.stall(1, keepalives=1)", "faults.idle_cut(0)"),
    *("faults.idle_cut(-1)", "faults.first_attempt(1)", "faults.first_attempt(rewrites.lf())"),
    *("contents.large_event(-5)", "contents.large_event(0)", "contents.large_event(1.5)"),
    *("contents.empty_deltas(0)", "contents.nul('yes')"),
    *("rewrites.comments(0)", "rewrites.comments(text='a\\ndata: b')", "rewrites.comments(text=1)"),
    *("rewrites.comments(text='\\ud800')", "rewrites.comment_lines(text='a\\rb')"),
    *("rewrites.empty_named_events(type='a\\n')", "rewrites.blank_lines(count=-1)"),
    *("rewrites.retry_blocks(ms=-1)", "rewrites.retry_blocks(ms='1')", "rewrites.id_blocks(0)"),
    *("rewrites.passing_ids(-1)", "rewrites.unknown_fields('1')", "rewrites.coding('lzma')"),
    *("rewrites.message_type(spelled=0)", "rewrites.mixed_line_ends('a')"),
    *("rewrites.split_data(0)", "rewrites.text_cuts(0)", "rewrites.text_cuts((3, -1))"),
    *("rewrites.text_cuts((True,))", "rewrites.text_cuts('1')", "rewrites.text_cuts(None)"),
    *("middleboxes.nginx(0)", "middleboxes.gzip_window(-1)", "middleboxes.nginx(1.5)"),
    *("middleboxes.coalescer(-1)", "middleboxes.coalescer('1')", "middleboxes.coalescer(1e999)"),
    *("Delivery(cuts=(-1,))", "Delivery(cuts=(1.0,))", "Delivery(cuts=('1',))"),
    *("Delivery(cuts=(True,))", "Delivery(cuts=(2, 1))", "Delivery(cuts=5)", "Delivery(cuts=None)"),
    *("Delivery(cuts='letters')", "Delivery(cuts=b'ab')", "Delivery(pace=None)"),
    *(
        "Delivery(pace=True)",
        "Delivery(pace=0)",
        "Delivery(pace='fast')",
        "Delivery(rewrites=None)",
    ),
    *("Delivery(contents=1)", "Delivery(rewrites=(1,))", "Delivery(fault=1)"),
]


@pytest.mark.parametrize("written", REFUSED)
def test_it_is_refused_when_it_is_made_and_in_the_same_words_where_it_is_read(written: str) -> None:
    with pytest.raises(ValueError) as made:  # noqa: PT011 - compared below
        eval(written, {**MODULES, "Delivery": Delivery})
    whole = written if written.startswith("Delivery") else f"Delivery({written})"
    with pytest.raises(ValueError, match=r"^no delivery: ") as read:
        parse(whole)
    assert str(made.value) in str(read.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: faults.status(200),
            "faults.status: code must be the status of an error from 400 to 599, not 200",
        ),
        (
            lambda: faults.reset_after(-1),
            (
                "faults.reset_after: k must be the number of an event, 1 or more, or 0 (before the"
                " first), not -1"
            ),
        ),
        (
            lambda: faults.lost(0),
            "faults.lost: k must be the number of an event, 1 or more, not 0",
        ),
        (
            lambda: faults.reconnect(1, then="x"),  # type: ignore[arg-type]
            "faults.reconnect: then must be one of 'resume', 'all', 'skip', '204', not 'x'",
        ),
        (
            lambda: faults.idle_cut(0),
            "faults.idle_cut: seconds must be a number of seconds, more than 0, not 0",
        ),
        (
            lambda: faults.end_inside(1, at=0),
            "faults.end_inside: at must be a number of bytes, 1 or more, or None, not 0",
        ),
        (
            lambda: rewrites.text_cuts(at=0),
            (
                "rewrites.text_cuts: at must be a number of characters from 1 on, or a tuple of"
                " offsets from 0 on, not 0"
            ),
        ),
        (
            lambda: Delivery(cuts=(4, -1)),
            "cuts must be offsets in the body, whole numbers from 0 on, not -1 as in (4, -1)",
        ),
    ],
)
def test_the_error_says_what_was_seen_and_what_is_allowed(
    make: Callable[[], object], said: str
) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - compared below
        make()
    assert str(refused.value) == said


def required(make: Callable[..., Change]) -> dict[str, Any]:
    """Arguments without which *make* can't be called."""
    usual = {"k": 1, "fault": faults.no_terminal()}
    parameters = [*inspect.signature(make).parameters.values()][1:]
    return {each.name: usual[each.name] for each in parameters if each.default is each.empty}


@pytest.mark.parametrize(("family", "name"), sorted(Change.makers))
def test_no_argument_takes_everything(family: str, name: str) -> None:
    make = Change.makers[family, name]
    given = required(make)
    assert make(**given).name == name
    parameters = [*inspect.signature(make).parameters][1:]
    for parameter, value in product(parameters, (NOTHING, math.nan, b"x")):
        with pytest.raises(ValueError, match=f"^{family}.{name}: {parameter} must be "):
            make(**{**given, parameter: value})


def test_a_default_is_what_may_be_given() -> None:
    for make in Change.makers.values():
        parameters = [*inspect.signature(make).parameters.values()][1:]
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        assert make(**required(make), **defaults).sentence == make(**required(make)).sentence


def test_a_maker_has_to_say_what_each_argument_may_be() -> None:
    with pytest.raises(TypeError, match=r"unsaid takes \['every', 'text'\]"):

        @rewrite("nothing {every} {text}", every=EVERY)
        def unsaid(tape: Tape, every: int, text: str) -> Tape:
            del every, text
            return tape


def test_offsets_may_be_any_sequence() -> None:
    assert Delivery(cuts=range(1, 4)).cuts == (1, 2, 3)  # type: ignore[arg-type]
    assert Delivery(cuts=()).cuts == ()
    assert Delivery(cuts=(0, 0, 7)).cuts == (0, 0, 7)
