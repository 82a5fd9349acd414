"""Another text in a stream, everywhere it is said; and what became of each text.

Besides its deltas many a stream says its text again: OpenAI's ``response.completed`` has all of it,
Perplexity's events have what came so far. A client may read it in either place.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from streamtape import providers
from streamtape.delivery.rewrites.data import events_of, with_data
from streamtape.delivery.rewrites.deltas import answer_of, answers_of
from streamtape.providers.payload import event_with, payload_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from streamtape.providers import Provider
    from streamtape.tape import Tape
    from streamtape.wire.sse import Event

_TEXT_KEYS = frozenset(
    {
        "answer",
        "completion",
        "content",
        "generated_text",
        "generation",
        "message",
        "output",
        "outputText",
        "output_text",
        "response",
        "text",
    }
)
"""Where a text is said again. Elsewhere an equal string means something else: ``"stop"``."""


def with_texts(
    tape: Tape, change: Callable[[str], str], *, where: Callable[[Event], bool] = lambda _: True
) -> Tape:
    """*tape* with every token text as *change* makes it; what has no text keeps none.

    *change* must look at the text alone and never empty it. Where an event says again what its
    answer was, or was so far, it says the new text. Events that can't carry the new text, or for
    which *where* is false, stay.
    """
    events = events_of(tape)
    provider = providers.detect(event for event in events if event is not None)
    if provider is None:
        return tape
    new: list[Event | None] = []
    for event in events:
        text = "" if event is None else provider.token_text(event)
        if event is None or not text or not where(event) or change(text) == text:
            new.append(event)
        else:
            new.append(provider.with_token_text(event, change(text)) or event)
    if new == events:
        return tape
    return with_data(
        tape,
        [
            None if event is None else [_restated(event, said).data]
            for event, said in zip(new, _restatements(provider, events, new), strict=True)
        ],
    )


def substitutions(before: Tape, after: Tape) -> dict[str, str]:
    """What became of the texts of *before* in *after*, which is *before* with other contents.

    Each string that changed, with what it is now: the data of events, token texts, and (for the
    whole stream and for each of its answers) the text at its end and after each token. Where a
    string is several of these, the text at the end counts first, then data, then a token. So what a
    client should make of *after* is what it made of *before* with these strings replaced.

    Raises ValueError where the two have not as many token texts.
    """
    old, new = (
        [event for event in events_of(tape) if event is not None] for tape in (before, after)
    )
    provider = providers.detect(old)
    if provider is None:
        return {}
    was, now = _texts(provider, old), _texts(provider, new)
    if len(was) != len(now):
        raise ValueError(
            f"{len(was)} token texts became {len(now)}: other contents have as many, so these tapes"
            " are not one with other contents"
        )
    became = dict(zip(was, now.values(), strict=True))
    answers = [was, *answers_of(provider, old).values()]
    known: dict[str, str] = {}
    for texts in answers:
        so_far = accumulate(became[index] for index in texts)
        known |= zip(accumulate(texts.values()), so_far, strict=True)
    known |= {text: became[index] for index, text in was.items()}
    if len(old) == len(new):
        known |= {event.data: other.data for event, other in zip(old, new, strict=True)}
    else:  # empty deltas came in
        known |= {old[a].data: new[b].data for a, b in zip(was, now, strict=True)}
    known |= {
        "".join(texts.values()): "".join([became[index] for index in texts]) for texts in answers
    }
    return {text: other for text, other in known.items() if text != other}


def _texts(provider: Provider, events: Sequence[Event | None]) -> dict[int, str]:
    """The token texts in *events* by index, where there are any."""
    texts = {n: provider.token_text(event) for n, event in enumerate(events) if event is not None}
    return {index: text for index, text in texts.items() if text}


class _Said(NamedTuple):
    """A text that an event may say again, as it was and as it is now: so much of the whole.

    Never cut out before it is known to be said: a stream has as many as it has events.
    """

    was: str
    now: str
    was_length: int
    now_length: int

    def again(self, text: str) -> str | None:
        """What *text* is now where it is what was said; else None."""
        if len(text) != self.was_length or not self.was.startswith(text):
            return None
        return self.now[: self.now_length]


def _restatements(
    provider: Provider, old: Sequence[Event | None], new: Sequence[Event | None]
) -> Iterator[list[_Said]]:
    """For each event the texts that it may say again, as they were and as they are now.

    Those of its own answer come first: what it was so far, and what it is at its end.
    """
    became = {
        index: provider.token_text(event) for index, event in enumerate(new) if event is not None
    }
    answers = answers_of(provider, old)
    ends = {
        answer: _all_of("".join(texts.values()), "".join([became[index] for index in texts]))
        for answer, texts in answers.items()
    }
    whole = _all_of("".join(_texts(provider, old).values()), "".join(became.values()))
    so_far = {answer: end._replace(was_length=0, now_length=0) for answer, end in ends.items()}
    for index, event in enumerate(old):
        answer = None if event is None else answer_of(provider, event)
        if answer not in answers:
            yield [*so_far.values(), *ends.values(), whole]
            continue
        if text := answers[answer].get(index):
            said = so_far[answer]
            so_far[answer] = said._replace(
                was_length=said.was_length + len(text),
                now_length=said.now_length + len(became[index]),
            )
        yield [so_far[answer], ends[answer], *ends.values(), whole]


def _all_of(was: str, now: str) -> _Said:
    return _Said(was, now, len(was), len(now))


def _restated(event: Event, said: Sequence[_Said]) -> Event:
    """*event* that says what is now said wherever it said what was."""
    payload = payload_of(event)
    again = _replaced(payload, "", said)
    return event if again == payload else event_with(event, again)


def _replaced(value: object, key: str, said: Sequence[_Said]) -> object:
    if isinstance(value, dict):
        return {name: _replaced(each, name, said) for name, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, key, said) for each in value]
    if not isinstance(value, str) or key not in _TEXT_KEYS:
        return value
    now = (each.again(value) for each in said)
    return next((text for text in now if text is not None), value)
