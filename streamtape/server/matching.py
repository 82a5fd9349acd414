"""Which tape answers a request, and in which turn."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vcr import matchers

from streamtape.cassette.filters import Secrets
from streamtape.cassette.interaction import vcr_request_of
from streamtape.server import pauses

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vcr.request import Request as VcrRequest

    from streamtape.delivery import Delivery
    from streamtape.tape import Request, Tape

_WHERE = (matchers.method, matchers.path, matchers.query)
_SHOWN = 3
# Sequences of deliveries that clients chose for themselves; the one unused for longest goes first.
_SEQUENCES = 256


class NoTapeError(LookupError):
    """Nothing answers a request. The text says what comes nearest."""


@dataclass(frozen=True)
class Turn:
    """What a request gets: the tape as delivered, which of those given it is, and how.

    ``number`` and ``attempt`` count from 1; ``delivery`` is the expression. The tape's times are
    as in `pauses.attempts`.
    """

    tape: Tape
    number: int
    attempt: int
    delivery: str


class Shelf:
    """The tapes of a server.

    A request is answered by the tapes that have its method, path and query; its own scheme, host
    and port are the server's. Where several have, those with its body, if any; a tape without a
    request answers all. They take turns in the order given, and then begin again, unless the last
    one was delivered in several attempts: then its last attempt answers all that follow.

    Secrets in a request are compared as a cassette keeps them.
    """

    def __init__(self, tapes: Sequence[Tape]) -> None:
        """Raises ValueError where there are no tapes."""
        if not tapes:
            raise ValueError("no tapes to serve: give one tape or cassette at least")
        self._tapes = tapes
        self._secrets = Secrets()
        self._stored = [
            None if tape.request is None else self._secrets.request(vcr_request_of(tape.request))
            for tape in tapes
        ]
        self._sequences: OrderedDict[tuple[tuple[int, ...], str], _Sequence] = OrderedDict()

    def turn(self, request: Request, choose: Callable[[Tape], Delivery], key: str) -> Turn:
        """What *request* gets, delivered as *choose* says for the tape whose turn it is.

        Deliveries with another *key* have turns of their own. Raises `NoTapeError`, and ValueError
        where a tape can't be delivered so.
        """
        answering = self._answering(request)
        place = (answering, key)
        sequence = self._sequences.setdefault(place, _Sequence())
        self._sequences.move_to_end(place)
        if len(self._sequences) > _SEQUENCES:
            self._sequences.popitem(last=False)
        return sequence.next([(number, self._tapes[number]) for number in answering], choose)

    def _answering(self, request: Request) -> tuple[int, ...]:
        asked = self._secrets.request(vcr_request_of(request))
        found: list[int] = []
        with_body: list[int] = []
        for number, stored in enumerate(self._stored):
            if stored is None:
                found.append(number)
                with_body.append(number)
            elif not _differences(asked, stored, _WHERE):
                found.append(number)
                if not _differences(asked, stored, (matchers.body,)):
                    with_body.append(number)
        if not found:
            raise NoTapeError(self._nearest(asked))
        return tuple(with_body or found)

    def _nearest(self, asked: VcrRequest) -> str:
        """vcrpy's words for a request that matches nothing."""
        compared = [
            (_differences(asked, stored, _WHERE), stored)
            for stored in self._stored
            if stored is not None
        ]
        compared.sort(key=lambda pair: len(pair[0]))
        closest = " and ".join(name for name, _ in compared[0][0])
        what = f"{asked.method} {_target(asked)}"
        lines = [
            f"No recorded interaction matches {what} (the closest differ in {closest}).",
            "Closest recorded requests:",
        ]
        for place, (differences, stored) in enumerate(compared[:_SHOWN], 1):
            lines.append(f"  {place}. {stored.method} {_target(stored)}")
            lines += [f"     {name} differs: {how}" for name, how in differences]
        if len(compared) > _SHOWN:
            lines.append(f"  …and {len(compared) - _SHOWN} more.")
        return "\n".join(lines)


class _Sequence:
    """The turns of the tapes that answer one kind of request."""

    def __init__(self) -> None:
        self._place = -1
        self._attempt = 0
        self._attempts: tuple[Tape, ...] = ()
        self._delivery = ""
        self._delivered: dict[tuple[int, str], tuple[Tape, ...]] = {}

    def next(self, tapes: list[tuple[int, Tape]], choose: Callable[[Tape], Delivery]) -> Turn:
        if self._attempt < len(self._attempts):
            self._attempt += 1
        elif self._place + 1 < len(tapes) or self._attempt <= 1:
            place = (self._place + 1) % len(tapes)
            self._attempts = self._made(*tapes[place], choose)
            self._place, self._attempt = place, 1
        number, _ = tapes[self._place]
        return Turn(self._attempts[self._attempt - 1], number + 1, self._attempt, self._delivery)

    def _made(
        self, number: int, tape: Tape, choose: Callable[[Tape], Delivery]
    ) -> tuple[Tape, ...]:
        delivery = choose(tape)
        key = (number, repr(delivery))
        if key not in self._delivered:
            if len(self._delivered) >= _SEQUENCES:  # drawn anew each time
                self._delivered.clear()
            self._delivered[key] = pauses.attempts(delivery, tape)
        self._delivery = key[1]
        return self._delivered[key]


def _differences(
    asked: VcrRequest, stored: VcrRequest, compare: tuple[Callable[..., None], ...]
) -> list[tuple[str, str]]:
    """What *asked* and *stored* differ in, and how."""
    found = []
    for matcher in compare:
        try:
            matcher(asked, stored)
        except AssertionError as error:
            found.append((matcher.__name__, str(error)))
    return found


def _target(request: VcrRequest) -> str:
    query = request.parsed_uri.query
    return f"{request.path or '/'}{f'?{query}' if query else ''}"
