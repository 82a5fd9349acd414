"""The same text in other deltas."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from streamtape import providers
from streamtape.delivery.rewrites.data import events_of, only_data, with_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from streamtape.providers import Provider
    from streamtape.tape import Tape
    from streamtape.wire.sse import Event

MOST_PIECES = 1024
"""So many deltas of one length `recut` makes of an answer: enough to meet what a client gets wrong
between two of them, and few enough for an answer of a megabyte."""

Answer = tuple[tuple[object, ...], ...]


def answer_of(provider: Provider, event: Event) -> Answer:
    """Which of a stream's answers *event* belongs to: equal for the events of one and the same.

    An event that belongs to several answers at once (choices, candidates) has several values in one
    of the inner tuples.
    """
    return () if provider.deltas is None else provider.deltas.answer(event)


def answers_of(provider: Provider, events: Sequence[Event | None]) -> dict[Answer, dict[int, str]]:
    """The answers in a stream, each as its token texts by the index of their event."""
    answers: dict[Answer, dict[int, str]] = {}
    for index, event in enumerate(events):
        if event is not None and (text := provider.token_text(event)):
            answers.setdefault(answer_of(provider, event), {})[index] = text
    return answers


def with_pieces(tape: Tape, provider: Provider, pieces: Mapping[int, Sequence[str]]) -> Tape:
    """*tape* whose events, by their index, carry the *pieces* of text given for them.

    An event without a piece is taken out; where it says something else too, its text is empty.
    The numbers that some providers give their events are counted anew. The tape stays as it is
    where a piece can't be said.
    """
    assert provider.deltas is not None
    bare = only_data(tape)
    data: list[list[str] | None] = []
    more = 0  # events than there were so far
    for index, event in enumerate(events_of(tape)):
        if event is None:
            data.append(None)
            continue
        wanted = pieces.get(index)
        new: list[Event] | None = [event]
        if wanted is not None:
            droppable = bare[index] and provider.deltas.is_bare(event)
            new = [] if not wanted and droppable else provider.split(event, wanted or [""])
        if new is None:
            return tape
        data.append([provider.deltas.moved(one, more + n).data for n, one in enumerate(new)])
        more += len(new) - 1
    return with_data(tape, data)


def recut(tape: Tape, at: int | tuple[int, ...]) -> Tape:
    """*tape* with the text of each of its answers cut into deltas at *at*, as in `text_cuts`.

    A piece comes where its last character came, so none is early and the order of everything stays.
    """
    events = events_of(tape)
    provider = providers.detect(event for event in events if event is not None)
    if provider is None or provider.deltas is None:
        return tape
    answers = answers_of(provider, events)
    if any(len(values) > 1 for answer in answers for values in answer):
        return tape
    pieces: dict[int, list[str]] = {}
    for answer in answers.values():
        text = "".join(answer.values())
        ends = list(accumulate(map(len, answer.values())))
        indexes = list(answer)
        pieces |= {index: [] for index in indexes}
        cuts = [0, *_offsets(at, ends), len(text)]
        for start, end in pairwise(cuts):
            pieces[indexes[bisect_left(ends, end)]].append(text[start:end])
    return with_pieces(tape, provider, pieces)


def _offsets(at: int | tuple[int, ...], ends: Sequence[int]) -> Iterator[int]:
    """Where *at* cuts a text inside, ascending; *ends* are where its own deltas end."""
    length = ends[-1]
    if not isinstance(at, int):
        yield from (offset for offset in sorted({*at}) if 0 < offset < length)
        return
    cut = range(at, length, at)[:MOST_PIECES]
    yield from cut
    if len(cut) == MOST_PIECES:
        yield from (end for end in ends if cut[-1] < end < length)
