"""Whether what a client made of a stream is right, and what it is called where it isn't."""

from __future__ import annotations

import builtins
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamtape import providers
from streamtape.checks.clients.likeness import (
    has_more_of,
    is_beginning,
    is_part,
    plain,
    quietly_same,
    strings,
)
from streamtape.delivery.change import Fault
from streamtape.delivery.faults.insertions import MESSAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamtape.checks.clients.running import Outcome
    from streamtape.delivery.change import Allowed
    from streamtape.tape import Tape
    from streamtape.wire.sse import Event

TRUNCATION = "silent truncation"
FOREIGN = "foreign exception"
HANG = "hang"
DUPLICATE = "duplicated text"
LEAK = "connection leaked"
OTHER = "other result"
NEEDLESS = "needless error"
NOT_ASKED = "not asked"

FAILINGS = {
    TRUNCATION: "a part is passed off as the whole",
    FOREIGN: "an exception that is none of the client's own",
    HANG: "no result and no error in time",
    DUPLICATE: "something is in the result twice",
    LEAK: "a response stream was never closed",
    OTHER: "a wrong result, and no error",
    NEEDLESS: "an error, although nothing is wrong with the stream",
    NOT_ASKED: "nothing was asked for: an answer that was kept is no test",
}
"""What a client can do wrong, by the name that scorecards and baselines have for it."""

_PAYLOAD_LIBRARIES = frozenset(
    {
        "jiter",
        "msgspec",
        "orjson",
        "pydantic",
        "pydantic_core",
        "rapidjson",
        "simplejson",
        "ujson",
    }
)
"""What clients parse and check payloads with: their errors say nothing of a stream."""

_HTTP_IN_THE_LIBRARY = frozenset({"http", "urllib"})
_AGAIN = frozenset({"duplicated", "first_attempt", "reconnect"})
"""Faults by which something may come twice."""


@dataclass(frozen=True)
class Verdict:
    """``outcome``: what the client did, in words. ``failing``: one of `FAILINGS`, or empty."""

    outcome: str
    failing: str = ""


class Judge:
    """Knows what is right for one tape, of which the client made *recorded*."""

    def __init__(
        self, tape: Tape, recorded: object, errors: tuple[type[BaseException], ...]
    ) -> None:
        self._tape = tape
        self._recorded = recorded
        self._plain = plain(recorded)
        self._errors = errors
        self._events = [event for _, event in tape.events()]
        self._hands_on = hands_on(self._plain, self._events, tape.body)

    def of_equal(self, outcome: Outcome, expected: object, *, as_json: bool = False) -> Verdict:
        """The verdict where nothing but *expected* is right."""
        error = outcome.error
        if error is not None:
            if outcome.hung:
                return Verdict(HANG, HANG)
            failing = NEEDLESS if is_own(error, self._errors) else FOREIGN
            return Verdict(f"{failing} {type(error).__name__}", failing)
        if quietly_same(expected, outcome.value, as_json=as_json):
            return Verdict("equal")
        lost = is_part(plain(outcome.value, as_json=as_json), plain(expected, as_json=as_json))
        failing = TRUNCATION if lost else OTHER
        return Verdict(failing, failing)

    def of_fault(
        self, outcome: Outcome, fault: Fault, provider: providers.Provider | None
    ) -> Verdict:
        """The verdict where the tape was delivered with *fault*."""
        error = outcome.error
        if error is not None:
            if outcome.hung or not is_own(error, self._errors):
                return self.of_equal(outcome, None)
            return Verdict(f"raises {type(error).__name__}")
        if quietly_same(self._recorded, outcome.value):
            return Verdict("equal")
        return self._of_another(plain(outcome.value), fault, provider)

    def _of_another(
        self, got: object, fault: Fault, provider: providers.Provider | None
    ) -> Verdict:
        """The verdict on a result that is not the recorded one."""
        if _tells(got, fault, provider, self._events):
            return Verdict("tells of it")
        allowed = self._allowed(fault)
        # An event that is sent twice may mean something twice; one that is asked for again doesn't.
        judged = "other" not in allowed or (fault.name == "reconnect" and not self._hands_on)
        if judged and self._is_more(got, fault, provider):
            return Verdict(DUPLICATE, DUPLICATE)
        beginning = is_beginning(got, self._plain) or self._is_cut_off(fault)
        if ("part" if beginning else "other") in allowed:
            return Verdict("part allowed" if beginning else "other allowed")
        failing = TRUNCATION if beginning or is_part(got, self._plain) else OTHER
        return Verdict(failing, failing)

    def _allowed(self, fault: Fault) -> Allowed:
        """What *fault* allows; more where the client hands on each payload as it came.

        It then knows nothing of what payloads say. But it knows when the connection broke.
        """
        allowed = fault.allowed(self._tape)
        struck = fault.apply(self._tape)
        if not self._hands_on or struck.status != self._tape.status:
            return allowed
        if fault.name == "reconnect":
            return allowed | {"other"}
        return allowed | {"part", "other"} if struck.ending.kind == "eof" else allowed

    def _is_more(self, got: object, fault: Fault, provider: providers.Provider | None) -> bool:
        """Whether what came first is in *got* once more."""
        if fault.name not in _AGAIN or provider is None:
            return False
        came = self._events
        if fault.name == "duplicated":
            k = fault.given["k"]
            assert isinstance(k, int)
            came = came[min(max(k, 1), len(came)) - 1 :][:1]
        else:
            first = {event.data for _, event in fault.apply(self._tape).events()}
            came = [event for event in came if event.data in first]
        texts = [text for event in came if (text := provider.token_text(event))]
        if not texts:  # of one event that comes twice, a tool call's piece is
            return fault.name == "duplicated"
        return has_more_of(got, self._plain, texts)

    def _is_cut_off(self, fault: Fault) -> bool:
        """Whether of the tape's events only the first ones come, with or without an error after."""
        if fault.name == "reconnect":
            return False
        if (inner_of(fault) or fault).name == "error_event":
            return True
        left = [event for _, event in fault.apply(self._tape).events()]
        pairs = zip(left, self._events, strict=False)
        common = next((n for n, (one, other) in enumerate(pairs) if one != other), None)
        if common is None:
            return 0 < len(left) < len(self._events)
        rest = self._events[common:]
        return common > 0 and len(left) < len(self._events) and left[common] not in rest


def _tells(
    got: object,
    fault: Fault,
    provider: providers.Provider | None,
    events: Sequence[Event],
) -> bool:
    """Whether an error that is an event like any other, with a type of its own, is in the result.

    Such as ``response.failed``: who hands on events hands it on. An error without a type, or in a
    form that the provider doesn't have, would only be taken for an answer.
    """
    struck = inner_of(fault) or fault
    if provider is None or struck.name != "error_event" or struck.given["form"] != "provider":
        return False
    event = provider.error_event(MESSAGE, events)
    payload = providers.payload_of(event)
    names = [payload.get(key) for key in ("type", "jsonrpc")] if isinstance(payload, dict) else []
    found = list(strings(got))
    return any(MESSAGE in text for text in found) and any(name in found for name in names if name)


def inner_of(fault: Fault) -> Fault | None:
    """The fault that *fault* lets strike on some attempts only."""
    return next((value for _, value in fault.arguments if isinstance(value, Fault)), None)


def is_own(error: BaseException, errors: tuple[type[BaseException], ...]) -> bool:
    """Whether a client may raise *error*: one of *errors*, or of a package that has its own.

    That is no part of the standard library (but `TimeoutError`, `ConnectionError` and what its HTTP
    clients raise), and no library for JSON or for checking it.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(is_own(each, errors) for each in error.exceptions)
    if isinstance(error, (TimeoutError, ConnectionError, *errors)):
        return True
    kind = type(error)
    package = kind.__module__.partition(".")[0]
    if package == "builtins":  # so is said of a class made where nothing tells the module, too
        return getattr(builtins, kind.__name__, None) is not kind
    if package in _HTTP_IN_THE_LIBRARY:
        return True
    return package not in sys.stdlib_module_names and package not in _PAYLOAD_LIBRARIES


def hands_on(result: object, events: Sequence[Event], body: bytes) -> bool:
    """Whether *result*, as `plain` gives it, has what came, as it came.

    That is each JSON payload of *events*, or the whole *body*.
    """
    payloads = {event.data for event in events if _is_json(event.data)}
    found = list(strings(result))
    text = body.decode("utf-8", "replace")
    whole = bool(text) and any(text in each for each in found)
    return whole or (bool(payloads) and payloads <= set(found))


def _is_json(data: str) -> bool:
    try:
        return isinstance(json.loads(data), dict | list)
    except (ValueError, RecursionError):
        return False
