"""Which deliveries a test is run under: what failed before, what shows most, what chance adds."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisException

from streamtape import strategies
from streamtape.delivery import Delivery, rewrites
from streamtape.delivery.expression import parse
from streamtape.delivery.order import systematic
from streamtape.delivery.seams import KINDS

if TYPE_CHECKING:
    from hypothesis.database import ExampleDatabase

    from streamtape.delivery.change import Level, Rewrite
    from streamtape.tape import Tape

_FIRST = 4
"""So many words and empty chunks `systematic` gives before it comes to single seams."""

_MAX_BYTEWISE = 100_000
"""Longer bodies don't come byte by byte: what takes a client time in proportion to all that came
before, chunk after chunk, would take minutes, test after test."""

_ROUNDS = 3
"""Hypothesis draws equal deliveries in different ways: so often it is asked for more."""


class Search:
    """The deliveries for one item, in the order to try them; no two are equal.

    Hypothesis only draws: each is a value that the caller runs a test under. So nothing of what the
    test does (time, threads, a failure that comes and goes) can confuse it. Profiles, settings, the
    seed and the database are Hypothesis's own; the database keeps what failed by node id.
    """

    def __init__(
        self, nodeid: str, tapes: Sequence[Tape], number: int, *, rewritten: bool, drawn: bool
    ) -> None:
        """*number*: how many. *rewritten*: rewrites too. *drawn*: some at random."""
        self._nodeid = nodeid
        self.tapes = tapes
        self._number = number
        self._drawn = drawn
        self._rewrites = _that_change(tapes) if rewritten else ()
        self._level: bool | Level = "payload" if rewritten else False
        self._bytewise = sum(len(tape.body) for tape in tapes) <= _MAX_BYTEWISE
        self._settings = settings()
        self._known: set[Delivery] = set()
        self._key = f"streamtape-fuzz {nodeid}".encode()

    def __iter__(self) -> Iterator[Delivery]:
        seen: dict[Delivery, None] = {Delivery(): None}
        orderly = self._orderly()
        share = max(_FIRST + len(KINDS), self._number // 2)
        for some in (
            self._remembered(),
            islice(orderly, share),
            self._at_random(seen),
            orderly,
        ):
            for delivery in some:
                if delivery not in seen and (self._bytewise or delivery.cuts != "bytes"):
                    seen[delivery] = None
                    yield delivery
                if len(seen) > self._number:
                    return

    @property
    def shrinks(self) -> bool:
        """Whether what failed is to be made simpler."""
        return Phase.shrink in self._settings.phases

    def failed(self, delivery: Delivery) -> None:
        """Remember *delivery* for the next session, to be tried first."""
        if self._database is not None:
            self._database.save(self._key, repr(delivery).encode())

    def passed(self, delivery: Delivery) -> None:
        """Forget *delivery*, if it was remembered."""
        if self._database is not None and delivery in self._known:
            self._database.delete(self._key, repr(delivery).encode())

    @property
    def _database(self) -> ExampleDatabase | None:
        return self._settings.database

    def _remembered(self) -> Iterator[Delivery]:
        if self._database is None or Phase.reuse not in self._settings.phases:
            return
        for written in sorted(self._database.fetch(self._key), key=lambda each: (len(each), each)):
            try:
                delivery = parse(written.decode())
            except ValueError:  # of another release, which knew what this one doesn't
                self._database.delete(self._key, written)
                continue
            self._known.add(delivery)
            yield delivery

    def _orderly(self) -> Iterator[Delivery]:
        plain = systematic(self.tapes)
        yield from islice(plain, _FIRST)
        told = chain.from_iterable(
            (Delivery(rewrites=(rewrite,)), Delivery(cuts="bytes", rewrites=(rewrite,)))
            for rewrite in self._rewrites
        )
        for pair in zip_longest(plain, told):
            yield from (delivery for delivery in pair if delivery is not None)

    def _at_random(self, seen: Collection[Delivery]) -> Iterator[Delivery]:
        """As many as are missing, or fewer: *seen* grows meanwhile."""
        if not self._drawn or Phase.generate not in self._settings.phases:
            return
        for turn in range(_ROUNDS):
            before = len(seen)
            if before > self._number:
                return
            yield from self._draws(self._number + 1 - before, turn)
            if len(seen) == before:
                return

    def _draws(self, number: int, turn: int) -> list[Delivery]:
        found: list[Delivery] = []

        @settings(
            self._settings,
            max_examples=number,
            phases=(Phase.generate,),
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(strategies.deliveries(self.tapes, rewrites=self._level))
        def draw(delivery: Delivery) -> None:
            found.append(delivery)

        if self._settings.derandomize:
            # Else every test would get the same: the seed would be of this function's source.
            digest = hashlib.sha256(f"{turn} {self._nodeid}".encode()).digest()
            draw = seed(int.from_bytes(digest[:8]))(draw)
        with suppress(HypothesisException):
            draw()
        return found


def _that_change(tapes: Sequence[Tape]) -> tuple[Rewrite, ...]:
    found = (rewrite for tape in tapes for rewrite in rewrites.every(tape, level="payload"))
    return tuple(dict.fromkeys(found))
