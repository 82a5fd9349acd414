"""Where a player stands in a tape: what comes next, when, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamtape import providers
from streamtape.codings import Encoder

if TYPE_CHECKING:
    from streamtape.clients.routing import Play
    from streamtape.tape import ErrorKind, Tape


class PlayedError(Exception):
    """The tape breaks here. Each client's module turns it into that client's own exception."""

    def __init__(self, error: ErrorKind, text: str) -> None:
        super().__init__(text)
        self.error: ErrorKind = error
        self.text = text


@dataclass(frozen=True, slots=True)
class Step:
    """What happens next: ``at_ns`` after the start, ``data`` is handed over (None: the end)."""

    at_ns: int
    data: bytes | None
    late: bool = False


class Playback:
    """A tape being played to one client.

    The position is kept here and not in a generator: a client may iterate a response a second time
    (openai drains its stream so) and must then go on, not start again.
    """

    def __init__(self, play: Play, read_timeout: float | None, start_ns: int) -> None:
        """The request is sent at *start_ns*, on the player's clock.

        *read_timeout*: seconds that the client waits for a chunk; None for ever.
        """
        self.tape: Tape = play.tape
        self.waits = play.waits
        self._trouble = play.trouble
        self._timeout_ns = None if read_timeout is None else round(read_timeout * 1e9)
        self._steps = _steps(self.tape)
        self._position = 0
        self._before_ns = 0
        self._start_ns = start_ns

    def head_due(self) -> tuple[int, PlayedError | None]:
        """How many nanoseconds until the head comes, and the read timeout if that comes sooner."""
        head_ns, ending = self.tape.head_ns, self.tape.ending
        if head_ns is not None:
            return self._due(head_ns, 0, late=False)
        # The read timeout rules the wait for an answer, not for a connection or for the pool.
        waited = ending.error in {"read", "read-timeout", "protocol"}
        wait_ns, error = self._due(ending.at_ns, 0, late=not waited)
        return wait_ns, self._in_recorded_words(error)

    def hand_over_head(self) -> None:
        """Go on to the body; call it when the head is due.

        Raises `PlayedError` where the tape has no head.
        """
        if self.tape.head_ns is None:
            raise self._broken() if self.tape.ending.kind == "error" else self._unknown()
        self._before_ns = self.tape.head_ns

    def due(self, now_ns: int) -> tuple[int, PlayedError | None]:
        """How long to wait for the next step, and the read timeout if that comes sooner.

        In nanoseconds, from *now_ns* on the player's clock. A player that doesn't wait measures the
        gap between the two chunks on the tape instead, so a stall that would time out does so at
        once, and a shorter one costs nothing.
        """
        step = self._steps[self._position]
        since_ns = now_ns - self._start_ns if self.waits else self._before_ns
        wait_ns, error = self._due(step.at_ns, since_ns, late=step.late)
        return wait_ns, self._in_recorded_words(error) if step.data is None else error

    def hand_over(self) -> bytes | None:
        """The next chunk, or None at the end of the stream; call it when it is due.

        Raises `PlayedError` where the tape breaks.
        """
        step = self._steps[self._position]
        if step.data is None:
            self._end()
            return None
        self._position += 1
        self._before_ns = step.at_ns
        return step.data

    def _due(self, at_ns: int, since_ns: int, *, late: bool) -> tuple[int, PlayedError | None]:
        gap_ns = max(at_ns - since_ns, 0)
        timeout_ns = self._timeout_ns
        error = None
        if timeout_ns is not None and gap_ns > timeout_ns and not late:
            gap_ns = timeout_ns
            error = PlayedError(
                "read-timeout", f"no byte for {timeout_ns / 1e9:g} s of the tape's time"
            )
        return (gap_ns if self.waits else 0), error

    def _in_recorded_words(self, error: PlayedError | None) -> PlayedError | None:
        """*error*, as it was recorded where the recorded client gave up here too."""
        if error is not None and self.tape.ending.error == error.error:
            return self._broken()
        return error

    def _broken(self) -> PlayedError:
        ending = self.tape.ending
        return PlayedError(ending.error or "read", ending.text)

    def _end(self) -> None:
        if self.tape.ending.kind == "error":
            raise self._broken()
        if not _just_ends(self.tape):
            raise self._unknown()

    def _unknown(self) -> PlayedError:
        """What follows is not on the tape: the test hears of it, whatever the client does."""
        tape = self.tape
        why = {
            "closed": "the client that was recorded closed the stream here",
            "unfinished": "the recorder died here",
        }.get(tape.ending.kind, "it says that the stream ended here")
        where = (
            "before there was an answer"
            if tape.head_ns is None
            else f"after {len(tape.body)} bytes, and no event that ends the stream had come"
        )
        what = (
            f"read past the end of a tape: {why}, {where}. What follows is unknown. Record it"
            " again with a client that reads to the end, or stop reading where the recorded client"
            " stopped"
        )
        self._trouble(what)
        return PlayedError("read", what)


def _just_ends(tape: Tape) -> bool:
    """Whether who reads on gets the end of the stream.

    Also where the recorded client left because it had what it wanted: sync openai closes at
    ``[DONE]``, others when they have as many bytes as the head promised.
    """
    if tape.ending.kind in {"eof", "error"}:
        return tape.ending.kind == "eof"
    promised = next((v for name, v in tape.headers if name.lower() == "content-length"), None)
    return promised == str(len(tape.body)) or providers.has_terminal(
        event for _, event in tape.events()
    )


def _steps(tape: Tape) -> list[Step]:
    """The tape's chunks in its content coding, and its end."""
    at_ns = tape.ending.at_ns
    # When the recorded client left does not say for how long the network was silent.
    late = tape.ending.late or tape.ending.kind in {"closed", "unfinished"}
    if tape.coding is None:
        steps = [Step(chunk.at_ns, chunk.data, chunk.late) for chunk in tape.chunks]
    else:
        encoder = Encoder(tape.coding)
        steps = [Step(chunk.at_ns, encoder.chunk(chunk.data), chunk.late) for chunk in tape.chunks]
        # Clients may insist on the coding's end, so it also comes where none was recorded.
        if _just_ends(tape) and (trailer := encoder.finish()):
            steps.append(Step(at_ns, trailer, late))
    return [*steps, Step(at_ns, None, late)]
