"""What a delivery does to a tape beside cutting it: rewrites, contents, faults."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar, cast

from hypothesis import event
from hypothesis import strategies as st

from streamtape import providers
from streamtape.delivery import Content, Fault, Rewrite
from streamtape.delivery import contents as all_contents
from streamtape.delivery import faults as all_faults
from streamtape.delivery import rewrites as all_rewrites
from streamtape.delivery.change import Change
from streamtape.strategies.deltas import text_cuts

if TYPE_CHECKING:
    from streamtape.delivery.change import Level
    from streamtape.tape import Tape

C = TypeVar("C", bound=Change)


def rewrites(tape: Tape | Iterable[Tape], level: Level = "wire") -> st.SearchStrategy[Rewrite]:
    """A rewrite that changes *tape* (one of them, where there are several), down to *level*.

    ``"wire"``: every event stays equal. ``"payload"``: an event's JSON too may be written in
    another way. ``"text"``: only the text of the answer stays, and is cut anew into deltas, as
    `strategies.deltas` does.

    Nothing can be drawn where no rewrite changes the tape. Shrinks to the one that stands first in
    ``rewrites.every(tape)``.
    """
    tapes = one_or_many(tape)
    return st.deferred(lambda: _told("rewrite", _rewrites(tapes, level)))


def contents(tape: Tape | Iterable[Tape]) -> st.SearchStrategy[Content]:
    """A content for *tape*: another text in the same stream.

    A right client gives the text of the tape that the content makes, which is
    ``providers.stream_text`` of its events.

    Nothing can be drawn where the tape has no token text. Shrinks to the one that stands first in
    ``contents.every(tape)``.
    """
    tapes = one_or_many(tape)
    return st.deferred(lambda: _told("content", _sampled(_known(tapes, all_contents.every))))


def faults(tape: Tape | Iterable[Tape]) -> st.SearchStrategy[Fault]:
    """A fault for *tape*, at any of its events.

    ``fault.allowed(tape)`` is what a right client may make of it.

    Shrinks to the fault that stands first in ``faults.every(tape)``, then to the first event.
    """
    tapes = one_or_many(tape)
    return st.deferred(lambda: _told("fault", _faults(tapes)))


def one_or_many(tape: Tape | Iterable[Tape]) -> tuple[Tape, ...]:
    """A tape alone, or several, as a tuple."""
    return tuple(tape) if isinstance(tape, Iterable) else (tape,)


def _rewrites(tapes: tuple[Tape, ...], level: Level) -> st.SearchStrategy[Rewrite]:
    known = _known(tapes, lambda tape: all_rewrites.every(tape, level))
    chosen: st.SearchStrategy[Rewrite] = _sampled(known)
    if all(rewrite.name != "text_cuts" for rewrite in known):
        return chosen
    texts = (providers.stream_text(event for _, event in tape.events()) for tape in tapes)
    longest = max(texts, key=len)
    offsets = text_cuts(longest).map(lambda at: tuple(sorted({*at} - {0, len(longest)})))
    return chosen | offsets.filter(bool).map(lambda at: all_rewrites.text_cuts(at=at))


def _faults(tapes: tuple[Tape, ...]) -> st.SearchStrategy[Fault]:
    known = _known(tapes, all_faults.every)
    last = max((len(tape.events()) for tape in tapes), default=0)

    @st.composite
    def at_any_event(draw: st.DrawFn) -> Fault:
        fault = draw(_sampled(known))
        # `every` has each kind of fault at a few events only.
        alike = [other.given.get("k", 0) for other in known if other.name == fault.name]
        first = min(cast("list[int]", alike))
        k = draw(st.integers(first, max(first, last)))
        if "k" not in fault.given:
            return fault  # after as many choices as any other: so none is simpler for that
        make = cast("Callable[..., Fault]", Change.makers["faults", fault.name])
        return make(**{**dict(fault.arguments), "k": k})

    return at_any_event() if known else st.nothing()


def _known(tapes: tuple[Tape, ...], every: Callable[[Tape], Iterable[C]]) -> list[C]:
    return list(dict.fromkeys(change for tape in tapes for change in every(tape)))


def _sampled(changes: list[C]) -> st.SearchStrategy[C]:
    return st.sampled_from(changes) if changes else st.nothing()


def _told(family: str, changes: st.SearchStrategy[C]) -> st.SearchStrategy[C]:
    def told(change: C) -> C:
        event(f"{family}: {change.name}")
        return change

    return changes.map(told)
