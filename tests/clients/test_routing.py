"""Which of several open blocks answers a request."""

from __future__ import annotations

import contextvars
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx2
import pytest

import streamtape
from streamtape import Tape
from streamtape.clients.routing import GuessedSessionWarning

FIRST, LAST = (Tape.of(b"data: %s\n\n" % name) for name in (b"first", b"last"))


def body() -> bytes:
    return httpx2.get("http://test/").content


def in_a_thread(work: Callable[[], object]) -> None:
    """Run *work* in a thread with a context of its own, and raise what it raises."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised below
            raised.append(error)

    # By default some versions of Python hand the starter's context on.
    thread = threading.Thread(target=contextvars.Context().run, args=(run,))
    thread.start()
    thread.join()
    for error in raised:
        raise error


@contextmanager
def side_by_side() -> Iterator[tuple[contextvars.Context, contextvars.Context]]:
    """Two blocks open at once, in two contexts, as two tasks have them."""
    first, last = contextvars.copy_context(), contextvars.copy_context()
    with ExitStack() as stack:
        for context, tape in ((first, FIRST), (last, LAST)):
            block = streamtape.play(tape)
            context.run(block.__enter__)
            stack.callback(context.run, block.__exit__, None, None, None)
        yield first, last


def test_a_thread_that_belongs_to_none_of_two_blocks_is_told_that_it_guesses() -> None:
    bodies: list[bytes] = []

    def work() -> None:
        bodies.append(body())
        bodies.append(body())

    with side_by_side(), pytest.warns(GuessedSessionWarning) as warned:
        in_a_thread(work)
    assert bodies == [LAST.body, LAST.body]
    assert len(warned) == 1  # told once, not for every request
    for part in ("all 2 cassettes", "the one opened last answers", "copy_context().run"):
        assert part in str(warned[0].message)


def test_another_block_is_another_guess() -> None:
    with side_by_side():
        with pytest.warns(GuessedSessionWarning):
            in_a_thread(body)
        with side_by_side(), pytest.warns(GuessedSessionWarning, match="all 4 cassettes"):
            in_a_thread(body)


def test_each_context_finds_its_own_block_without_a_warning() -> None:
    with side_by_side() as (first, last), warnings.catch_warnings():
        warnings.simplefilter("error")
        in_a_thread(lambda: _expect(first.run(body), FIRST))
        in_a_thread(lambda: _expect(last.run(body), LAST))


def test_a_thread_inside_one_block_guesses_nothing() -> None:
    with streamtape.play(FIRST), warnings.catch_warnings():
        warnings.simplefilter("error")
        in_a_thread(lambda: _expect(body(), FIRST))


def test_a_thread_inside_blocks_inside_blocks_belongs_to_the_innermost() -> None:
    with streamtape.play(FIRST), warnings.catch_warnings():
        warnings.simplefilter("error")
        with streamtape.play(LAST):
            in_a_thread(lambda: _expect(body(), LAST))
        in_a_thread(lambda: _expect(body(), FIRST))


def _expect(got: bytes, tape: Tape) -> None:
    assert got == tape.body
