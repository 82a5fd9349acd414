"""What the running test plays, and under which delivery it is played."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from streamtape.clients import routing
from streamtape.delivery import Delivery
from streamtape.delivery.order import told_anew
from streamtape.pytest_plugin.session import merged

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamtape.tape import Tape


class Watch:
    """One test, from before its set-up on.

    What a fixture of wider scope plays when it is set up is not the test's own: that fixture stays
    up, so it would not play again, and what it played stays played.
    """

    def __init__(self) -> None:
        self.delivery: Delivery | None = None
        """What the test is run under, beside what it says itself; None: as recorded."""
        self.wider = 0
        """How many streams fixtures of wider scope played."""
        self.may_record: str | None = None
        """The path of a cassette that played, and whose record mode lets it record too."""
        self._played: list[tuple[Tape, Delivery | None]] = []
        self._setting_up: set[routing.Session] | None = None
        self._marks: dict[routing.Session, Callable[[], None]] = {}
        self._mark(routing.sessions())

    def direct(self, session: routing.Session, tape: Tape, own: Delivery | None) -> Delivery | None:
        """The delivery for *tape* (see `routing.Director`)."""
        if self._setting_up is not None:
            self._setting_up.add(session)
            self.wider += is_stream(tape)
            return own
        if self.delivery is not None:
            return merged(own, self.delivery)
        if is_stream(tape):
            self._played.append((tape, own))
            if not getattr(session, "write_protected", True):
                self.may_record = str(getattr(session, "path", session))
        return own

    def tapes(self) -> list[Tape]:
        """The streams that were played as recorded, each once.

        With the contents and rewrites that the test itself asks for: offsets count in them.
        """
        told = (told_anew(tape, own or Delivery()) for tape, own in self._played)
        return list({(tape.framing, tape.body): tape for tape in told}.values())

    @contextmanager
    def wider_set_up(self) -> Iterator[None]:
        """While a fixture of wider scope is set up."""
        if self._setting_up is not None:  # inside another one
            yield
            return
        self._setting_up = set()
        try:
            yield
        finally:
            played, self._setting_up = self._setting_up, None
            self._mark(
                session
                for session in routing.sessions()
                if session in played or session not in self._marks
            )

    def rewind(self) -> None:
        """Put cassettes that are older than a run of the test back to where they stood."""
        for rewind in self._marks.values():
            rewind()

    def _mark(self, sessions: Iterator[routing.Session] | tuple[routing.Session, ...]) -> None:
        for session in sessions:
            self._marks[session] = session.mark()


def is_stream(tape: Tape) -> bool:
    """Whether *tape* is more than a document that came in one piece."""
    return bool(tape.body) and (tape.framing != "raw" or len(tape.chunks) > 1)
