"""One provider: where in its payloads things stand, and how its events are read by that."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from streamtape.providers.paths import Path, Paths, paths, paths_of, put_text, text_places, texts
from streamtape.providers.payload import (
    event_with,
    payload_of,
    unwrapped,
    wrapped,
    written,
)
from streamtape.wire.sse import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from streamtape.providers.deltas import Deltas

_SENTINEL = "[DONE]"
_WITHOUT_TOKENS = frozenset({"ping", "heartbeat", "keepalive", "keep-alive", "error"})
_ERROR_TYPES = ("error", "Error", "Exception", "Failure")
"""How types of events end that say that something broke: `event: error`, and AWS's exceptions."""
_ERROR_FIELD = re.compile(r"\$(\w+)")
_ERROR_MARKS = paths("error", "[]error", "[type=error]", "[object=error]")
_ERROR_TEXTS = paths(
    "error.message",
    "[]error.message",
    "error",
    "message",
    "detail",
    "error.type",
    "error.code",
)


@dataclass(frozen=True, init=False)
class Provider:
    """What is known of one provider's payloads.

    Where something stands is written as a path, as in `providers.paths`: one of them, or several,
    of which the first that leads to something counts.

    ``name``: what it is called in what streamtape prints.

    ``shape``: a payload in which any of these leads to something is this provider's. ``types``: so
    is an event of one of these types, whatever its payload. One of the two is needed.

    ``text``: the pieces of the answer that a reader sees; ``""`` is the payload itself, where
    tokens are plain text. ``generated``: what else the model generates, namely reasoning, refusals,
    and names and arguments of tool calls.

    ``ends``: leads to something in the event that ends a stream where nothing went wrong;
    ``end_types`` are types of events that do so (``[DONE]`` is known for all).

    ``usage``: the number of output tokens so far. ``errors``: an error, or its message, in a form
    of the provider's own (``{"error": …}`` and ``event: error`` are known for all).

    ``error_form``: the type and the data of the event by which the provider says that something
    broke; ``$message`` stands for what it says, any other ``$key`` for that key of the stream's
    own answers. ``deltas``: how its events can be cut elsewhere; None where they can't. ``inner``:
    the payload comes as base64 in ``bytes``, and these providers may know what is inside.

    Raises ValueError for what can't be read, and where no stream could be known as this one's.
    """

    name: str
    shape: tuple[Path, ...] = field(repr=False)
    text: tuple[Path, ...] = field(repr=False)
    generated: tuple[Path, ...] = field(repr=False)
    ends: tuple[Path, ...] = field(repr=False)
    end_types: frozenset[str] = field(repr=False)
    types: frozenset[str] = field(repr=False)
    usage: tuple[Path, ...] = field(repr=False)
    errors: tuple[Path, ...] = field(repr=False)
    error_form: tuple[str, str] = field(repr=False)
    deltas: Deltas | None = field(repr=False)
    inner: tuple[Provider, ...] = field(repr=False)

    def __init__(  # noqa: PLR0913 - a row of a table, whose columns go by their names
        self,
        name: str,
        *,
        shape: Paths = (),
        text: Paths = (),
        generated: Paths = (),
        ends: Paths = (),
        end_types: str | Iterable[str] = (),
        types: str | Iterable[str] = (),
        usage: Paths = (),
        errors: Paths = (),
        error_form: tuple[str, str] = ("error", '{"error":{"message":$message}}'),
        deltas: Deltas | None = None,
        inner: Iterable[Provider] = (),
    ) -> None:
        where = {
            "shape": shape,
            "text": text,
            "generated": generated,
            "ends": ends,
            "usage": usage,
            "errors": errors,
        }
        given: dict[str, object] = {key: paths_of(each) for key, each in where.items()}
        given |= {"name": name, "deltas": deltas, "inner": tuple(inner)}
        given |= {"end_types": _words(end_types), "types": _words(types)}
        given["error_form"] = tuple(error_form)
        for key, value in given.items():
            object.__setattr__(self, key, value)  # as a frozen dataclass's own __init__ does
        self._refuse_what_is_none()

    def _refuse_what_is_none(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ValueError(f"a provider needs a name, and {self.name!r} is none")
        if not (self.shape or self.types or self.inner):
            raise ValueError(
                f"no stream would be known as that of {self.name!r}: say what only its payloads"
                " have, such as shape='[kind]', or the types of its events"
            )
        if "message" in self.types:
            raise ValueError(
                f"types of {self.name!r} has 'message', which is the type of every event without"
                " one: tell its payloads by their shape"
            )
        if len(self.error_form) != 2 or "$message" not in self.error_form[1]:
            raise ValueError(
                f"error_form of {self.name!r} must be the type and the data of an event, with"
                f" $message in its data, not {self.error_form!r}"
            )

    def knows(self, event: Event, payload: object) -> bool:
        """Whether *event*, whose payload is *payload*, is this provider's."""
        return event.type in self.types or self.matches(payload)

    def matches(self, payload: object) -> bool:
        """Whether *payload*, as `payload_of` gives it, has this provider's shape."""
        if self.inner:
            return unwrapped(payload) is not None
        return _leads_to_something(self.shape, payload)

    def token_text(self, event: Event) -> str:
        """The answer's text in *event*; '' where it has none."""
        readers, payload = self._read(event)
        if self._without_tokens(event):
            return ""
        return texts((path for one in readers for path in one.text), payload)

    def with_token_text(self, event: Event, text: str) -> Event | None:
        """*event* with *text* as the answer's text: `token_text` gives it back.

        The text goes where `token_text` reads: the first string gets it, where there are several
        the others become empty. The payload is written as compact JSON. None where *event* has no
        place for a text or can't say this one: plain text may read as something else, and in JSON
        two halves of a surrogate pair are one character.
        """
        writer = self._writer(event)
        return None if writer is None else writer(text)

    def _writer(self, event: Event) -> Callable[[str], Event | None] | None:
        """What `with_token_text` gives for any text: *event*, which may be long, is read once."""
        if self._without_tokens(event):
            return None
        readers, payload = self._read(event)
        root = [payload]
        places = text_places((path for one in readers for path in one.text), root)
        if not places:
            return None
        outer = payload_of(event) if self.inner else None
        inside = outer is not None and unwrapped(outer) is not None
        # Only whether its data is plain text is still asked of it.
        short = replace(event, data="" if payload == event.data else '""')

        def write(text: str) -> Event | None:
            put_text(places, text)
            changed = event_with(short, wrapped(outer, root[0]) if inside else root[0])
            return changed if self.token_text(changed) == text else None

        return write

    def split(self, event: Event, pieces: Sequence[str]) -> list[Event] | None:
        """Events that carry *pieces*, at least one, in place of *event*, which carries text.

        The first has what only the first may say (a role) and the last what ends the text (why it
        finished, usage). Where too little is known of the provider, or of what else the event says,
        one event has all of the text. None where a piece can't be said, as in `with_token_text`.
        """
        if not self._divides(event):
            pieces = ["".join(pieces)]
        if [*pieces] == [self.token_text(event)]:
            return [event]
        write = self._writer(event)
        if write is None:
            return None
        made = [one for piece in pieces if (one := write(piece)) is not None]
        if len(made) < len(pieces):
            return None
        if self.deltas is None or self.deltas.is_bare(event):
            return made
        return self.deltas.apart(made)

    def carries_token(self, event: Event) -> bool:
        """Whether *event* carries anything the model generated: text, reasoning, a tool call."""
        readers, payload = self._read(event)
        generated = (path for one in readers for path in (*one.text, *one.generated))
        return not self._without_tokens(event) and texts(generated, payload) != ""

    def is_terminal(self, event: Event) -> bool:
        """Whether *event* ends the stream in the way it ends when nothing went wrong."""
        readers, payload = self._read(event)
        return self._ends_by_name(event) or _leads_to_something(
            (path for one in readers for path in one.ends), payload
        )

    def in_band_error(self, event: Event) -> str | None:
        """The message of the error that *event* reports, never empty; None where there is none."""
        readers, payload = self._read(event)
        own = [path for one in readers for path in one.errors]
        if not (
            event.type.endswith(_ERROR_TYPES) or _leads_to_something((*_ERROR_MARKS, *own), payload)
        ):
            return None
        message = texts((*own, *_ERROR_TEXTS), payload) or event.data
        return message.strip() or event.type

    def error_event(self, message: str, stream: Iterable[Event] = ()) -> Event:
        """The event by which this provider says in a stream that something broke: *message*.

        *stream*: the events of the whole stream, for what must be equal in all of its answers, as
        the ``id`` of a JSON-RPC response. `in_band_error` reads *message* back.
        """
        event_type, form = self.error_form
        known: dict[str, object] = {"message": message}
        answers = [payload for event in stream if isinstance(payload := payload_of(event), dict)]

        def value(match: re.Match[str]) -> str:
            key = match[1]
            # A message with a method is a request of the server's own, with an id of its own.
            given = (
                each[key] for each in reversed(answers) if key in each and "method" not in each
            )
            return written(known[key] if key in known else next(given, 1))

        return Event(event_type, _ERROR_FIELD.sub(value, form))

    def output_tokens(self, events: Iterable[Event]) -> int | None:
        """The number of output tokens that the payloads of *events* report; None where none does.

        Reports are cumulative, so the last one is the number. Nothing is estimated.
        """
        total = None
        for event in events:
            readers, payload = self._read(event)
            reported = _count((path for one in readers for path in one.usage), payload)
            total = total if reported is None else reported
        return total

    def _read(self, event: Event) -> tuple[tuple[Provider, ...], object]:
        """The payload of *event*, unwrapped, and those who know it: the narrower one first."""
        payload = payload_of(event)
        inside = unwrapped(payload) if self.inner else None
        if inside is None:
            return (self,), payload
        spoken = next((one for one in self.inner if one.matches(inside)), None)
        return (self,) if spoken is None else (spoken, self), inside

    def _divides(self, event: Event) -> bool:
        readers, payload = self._read(event)
        generated = [path for one in readers for path in one.generated]
        return (
            self.deltas is not None
            and not _leads_to_something(generated, payload)
            and self.deltas.divides(event)
        )

    def _without_tokens(self, event: Event) -> bool:
        return event.type in _WITHOUT_TOKENS or self._ends_by_name(event)

    def _ends_by_name(self, event: Event) -> bool:
        return event.type in self.end_types or event.data.strip() == _SENTINEL


def _leads_to_something(where: Iterable[Path], payload: object) -> bool:
    """Whether any of the paths leads to a value that isn't false, zero or empty."""
    return any(value for path in where for value in path.find(payload))


def _words(given: str | Iterable[str]) -> frozenset[str]:
    return frozenset((given,) if isinstance(given, str) else given)


def _count(where: Iterable[Path], payload: object) -> int | None:
    for path in where:
        for value in path.find(payload):
            if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
                return value
    return None
