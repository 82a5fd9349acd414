"""Where a player stands in a tape: what comes next, when, and how it ends."""

from __future__ import annotations

from functools import cached_property, partial
from itertools import chain, islice
from operator import itemgetter
from typing import TYPE_CHECKING

from streamtape import providers
from streamtape.codings import Encoder
from streamtape.codings.acceptance import accepts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamtape.clients.routing import Play
    from streamtape.clock import Clock
    from streamtape.tape import ErrorKind, Tape


# What came in one read lies no further apart.
_ONE_READ_NS = 1_000_000
# A client whose own timeout struck where the recorded one left gets that much more, at least.
_GRACE_NS = 1_000_000_000
# Who left sooner was done; who waited that long may have given up.
_WAITED_NS = 50_000_000


class PlayedError(Exception):
    """The tape breaks here. Each client's module turns it into that client's own exception."""

    def __init__(self, error: ErrorKind, text: str) -> None:
        super().__init__(text)
        self.error: ErrorKind = error
        self.text = text


class Playback:
    """A tape being played to one client.

    The position is kept here and not in a generator: a client may iterate a response a second time
    (openai drains its stream so) and must then go on, not start again.

    ``pieces`` are what is still to be handed over: the tape's chunks in their content coding, made
    one by one. A player that doesn't wait takes them all, and then calls `end`; one that does asks
    before each of them when it is `due`. ``coding`` is None where the client doesn't take the
    tape's own.
    """

    def __init__(
        self,
        play: Play,
        *,
        accept_encoding: str | None,
        read_timeout: float | None,
        start_ns: int,
    ) -> None:
        """The request is sent at *start_ns*, on the player's clock.

        *accept_encoding*: its header, None where it has none. *read_timeout*: seconds that the
        client waits for a chunk; None for ever.
        """
        self.tape: Tape = play.tape
        self.waits = play.waits
        self._trouble = play.trouble
        self._handed = play.handed
        self._streams = play.streams
        self._timeout_ns = None if read_timeout is None else round(read_timeout * 1e9)
        self._start_ns = start_ns
        self._position = 0
        coding = self.tape.coding
        self.coding = coding if coding and accepts(accept_encoding, coding) else None
        self._stall = None if self.waits else self._first_stall()
        self.pieces: Iterator[bytes] = self._made()

    def head_due(self) -> tuple[int, PlayedError | None]:
        """How many nanoseconds until the head comes, and the read timeout if that comes sooner."""
        head_ns, ending = self.tape.head_ns, self.tape.ending
        if head_ns is not None:
            return self._due(head_ns, 0)
        # The read timeout rules the wait for an answer, not for a connection or for the pool.
        waited = ending.error in {"read", "read-timeout", "protocol"}
        return self._end_due(0, late=not waited)

    def hand_over_head(self) -> None:
        """Go on to the body; call it when the head is due.

        Raises `PlayedError` where the tape has no head.
        """
        if self.tape.head_ns is None:
            raise self._broken() if self.tape.ending.kind == "error" else self._unknown()
        self._streams.add(self)

    def due(self, now_ns: int) -> tuple[int, PlayedError | None]:
        """How long to wait for the next piece or the end, and the read timeout if that is sooner.

        In nanoseconds, from *now_ns* on the player's clock.
        """
        since_ns = now_ns - self._start_ns
        if self._position < len(self.tape.chunks):
            at_ns, _, late = self.tape.chunks[self._position]
            return self._due(at_ns, since_ns, late=late)
        return self._end_due(since_ns, late=_ends_late(self.tape))

    def hand_over(self) -> bytes | None:
        """The next piece, or None where none is left; call it when it is due."""
        self._position += 1
        return next(self.pieces, None)

    @property
    def ends_in_this_read(self) -> bool:
        """Whether the end belongs with the piece that was handed over last.

        So it does with what ends a coding, and with a last chunk that came together with it. The
        next read is hardly ever that fast. Where both have the same time, as on a tape that was
        made by hand, the end stands for itself.
        """
        chunks, ending = self.tape.chunks, self.tape.ending
        if self._position > len(chunks):
            return True
        if self._position < len(chunks) or ending.kind != "eof" or self._stall is not None:
            return False
        return not ending.late and 0 < ending.at_ns - chunks[-1].at_ns < _ONE_READ_NS

    def in_time(self, clock: Clock) -> Iterator[bytes]:
        """What is left, each piece when it is due on *clock*; for players of plain code.

        Raises `PlayedError` at a read timeout.
        """
        while True:
            wait_ns, error = self.due(clock.now_ns())
            if wait_ns:
                clock.sleep_ns(wait_ns)
            if error is not None:
                raise error
            piece = self.hand_over()
            if piece is None:
                return
            yield piece

    def end(self) -> None:
        """Nothing is left in ``pieces``. Raises `PlayedError` where that isn't the stream's end."""
        if self._stall is not None:
            raise self._timeout(at_the_end=self._stall == len(self.tape.chunks))
        if self.tape.ending.kind == "error":
            raise self._broken()
        if not self._just_ends:
            raise self._unknown()

    def close(self) -> None:
        """The client has closed the stream, or it broke. What is left can still be read."""
        self._streams.discard(self)

    def _made(self) -> Iterator[bytes]:
        """``pieces``: built-in iterators only, since a player does nothing else for each."""
        chunks = map(itemgetter(1), islice(self.tape.chunks, self._stall))
        if self._handed is not None:
            chunks = map(partial(_told, self._handed), chunks)
        if self.coding is None:
            return chunks
        encoder = Encoder(self.coding)
        pieces = map(encoder.chunk, chunks)
        return pieces if self._stall is not None else chain(pieces, self._codings_end(encoder))

    def _codings_end(self, encoder: Encoder) -> Iterator[bytes]:
        # Clients may insist on it, so it also comes where none was recorded.
        if self._just_ends and (end := encoder.finish()):
            yield end

    def _first_stall(self) -> int | None:
        """The number of the chunk (the end's is one more) before which the client gives up.

        A player that doesn't wait measures the gap between two chunks on the tape, so a stall that
        would time out does so at once, and a shorter one costs nothing.
        """
        tape, timeout_ns = self.tape, self._timeout_ns
        if timeout_ns is None or tape.head_ns is None:
            return None
        chunks, ending = tape.chunks, tape.ending
        # A stream that is shorter as a whole needs no look at each gap.
        if max(ending.at_ns, chunks[-1].at_ns if chunks else 0) <= timeout_ns:
            return None
        before_ns = tape.head_ns
        for number, (at_ns, _, late) in enumerate(chunks):
            if at_ns - before_ns > timeout_ns and not late:
                return number
            before_ns = at_ns
        if ending.at_ns - before_ns > timeout_ns and not _ends_late(tape):
            return len(chunks)
        return None

    def _due(
        self, at_ns: int, since_ns: int, *, late: bool = False, at_the_end: bool = False
    ) -> tuple[int, PlayedError | None]:
        gap_ns = max(at_ns - since_ns, 0)
        error = None
        if self._timeout_ns is not None and gap_ns > self._timeout_ns and not late:
            gap_ns = self._timeout_ns
            error = self._timeout(at_the_end=at_the_end)
        return (gap_ns if self.waits else 0), error

    def _end_due(self, since_ns: int, *, late: bool) -> tuple[int, PlayedError | None]:
        at_ns = self.tape.ending.at_ns + (self._grace_ns if self.waits else 0)
        return self._due(at_ns, since_ns, late=late, at_the_end=True)

    @cached_property
    def _silent_ns(self) -> int:
        """How long nothing had come when the recorded client left; 0: it did not, or was done."""
        tape = self.tape
        if tape.ending.kind != "closed" or self._just_ends:
            return 0
        before_ns = tape.chunks[-1].at_ns if tape.chunks else tape.head_ns or 0
        silent_ns = tape.ending.at_ns - before_ns
        return silent_ns if silent_ns >= _WAITED_NS else 0

    @property
    def _grace_ns(self) -> int:
        """Silence in which a client leaves by itself that leaves where the recorded one did."""
        return max(self._silent_ns, _GRACE_NS) if self._silent_ns else 0

    def _timeout(self, *, at_the_end: bool) -> PlayedError:
        """The client gives up: in the recorded one's words, where that gave up here too."""
        if at_the_end and self.tape.ending.error == "read-timeout":
            return self._broken()
        seconds = (self._timeout_ns or 0) / 1e9
        return PlayedError("read-timeout", f"no byte for {seconds:g} s of the tape's time")

    def _broken(self) -> PlayedError:
        ending = self.tape.ending
        return PlayedError(ending.error or "read", ending.text)

    @cached_property
    def _just_ends(self) -> bool:
        """Whether who reads on gets the end of the stream.

        Also where the recorded client left because it had what it wanted: sync openai closes at
        ``[DONE]``, others when they have as many bytes as the head promised.
        """
        tape = self.tape
        if tape.ending.kind in {"eof", "error"}:
            return tape.ending.kind == "eof"
        promised = next((v for name, v in tape.headers if name.lower() == "content-length"), None)
        if promised == str(len(tape.body)):
            return True
        events = [event for _, event in tape.events()]
        provider = providers.detect(events)
        # What ends a stream stands at its end, and to look at an event may mean to parse it.
        return provider is not None and any(map(provider.is_terminal, reversed(events)))

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
        if self._silent_ns and not self.waits:
            what += (
                f". It had waited for {self._silent_ns / 1e9:.3g} s when it left: if a timeout of"
                " its own struck (asyncio.wait_for), play the tape at the pace 'recorded' or"
                " 'virtual', in which there is time for one"
            )
        self._trouble(what)
        return PlayedError("read", what)


def _told(handed: Callable[[], object], piece: bytes) -> bytes:
    handed()
    return piece


def _ends_late(tape: Tape) -> bool:
    """Whether the time of the end says nothing of how long the network was silent."""
    return tape.ending.late or tape.ending.kind in {"closed", "unfinished"}
