"""The same text in other deltas."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from streamtape import providers
from streamtape.delivery.rewrites.data import events_of, only_data, with_data

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamtape.providers import Provider
    from streamtape.tape import Tape
    from streamtape.wire.sse import Event

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
        offsets = range(at, len(text), at) if isinstance(at, int) else sorted({*at})
        cuts = [0, *(offset for offset in offsets if 0 < offset < len(text)), len(text)]
        for start, end in pairwise(cuts):
            pieces[indexes[bisect_left(ends, end)]].append(text[start:end])
    return with_pieces(tape, provider, pieces)
