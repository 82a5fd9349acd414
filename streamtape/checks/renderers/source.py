"""What a renderer is given: the pieces as they came, and the same cut elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, pairwise, zip_longest
from typing import TYPE_CHECKING, Any, Literal, get_args

from streamtape import providers
from streamtape.checks.renderers.session import so_far
from streamtape.delivery import Delivery, rewrites
from streamtape.tape import Tape
from streamtape.wire.sse import Event, encode

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Unit = Literal["text", "event", "bytes"]

_GOLDEN = (5**0.5 - 1) / 2


class Source:
    """The pieces of one stream.

    ``recorded``: as they came; ``times``: when, in seconds, empty where that is not known. ``text``
    is what the reference reads. Cuts are offsets in what is cut: in the text, in the bytes, or, for
    events, in the text that they carry; ``length`` is its length.
    """

    def __init__(self, tape: Tape | None, pieces: Iterable[Any] | None, unit: Unit) -> None:
        if unit not in get_args(Unit):
            raise ValueError(f"unit is {unit!r}: write 'text', 'event' or 'bytes'")
        if (tape is None) == (pieces is None):
            raise ValueError("give either tape= or pieces=: what the renderer is to be fed")
        self.unit = unit
        timed = [(0, piece) for piece in pieces or ()] if tape is None else _of_tape(tape, unit)
        self.recorded: list[Any] = [piece for _, piece in timed]
        self.times = [] if tape is None or not tape.timed else [at / 1e9 for at, _ in timed]
        _require(self.recorded, {"text": str, "bytes": bytes, "event": Event}[unit])
        if unit == "event":
            self._tape = tape if tape is not None else Tape.of(encode(self.recorded))
            self.text: Any = providers.stream_text(self.recorded)
            self._cuttable: Any = self.text
        else:
            self._cuttable = so_far(self.recorded, len(self.recorded))
            self.text = self._cuttable
            if tape is not None and unit == "bytes":
                events = [event for _, event in tape.events()]
                self.text = providers.stream_text(events) or self.text

    @property
    def length(self) -> int:
        """How much there is to cut."""
        return len(self._cuttable)

    @property
    def recorded_cuts(self) -> tuple[int, ...]:
        """Where the recorded pieces end, but for the last."""
        return tuple(accumulate(map(len, self.recorded)))[:-1] if self.unit != "event" else ()

    def cut(self, cuts: Iterable[int]) -> list[Any]:
        """The same stream cut at these offsets, ascending; one that comes twice: an empty piece."""
        if self.unit == "event":
            change = Delivery(rewrites=(rewrites.text_cuts(tuple(cuts)),))
            return [event for _, event in change.apply(self._tape).events()]
        return cut_at(self._cuttable, cuts)

    def text_of(self, pieces: Sequence[Any]) -> Any:
        """What the reference reads of a first part of the stream: its text, or its bytes."""
        if self.unit == "event":
            return providers.stream_text(pieces)
        part = so_far(pieces, len(pieces)) if pieces else self._cuttable[:0]
        if isinstance(part, bytes) and isinstance(self.text, str):
            events = [event for _, event in Tape.of(part).events()]
            return providers.stream_text(events)
        return part

    def hurting(self, most: int) -> list[int]:
        """Up to *most* offsets for single cuts, from all over the stream.

        Those next to a line end, next to a mark or a digit, and all others come in turn.
        """
        text = self._cuttable
        if isinstance(text, bytes):
            text = text.decode("latin-1")
        by_rank: tuple[list[int], list[int], list[int]] = [], [], []
        for at in range(1, self.length):
            by_rank[_rank(text[at - 1 : at + 1])].append(at)
        turns = zip_longest(*map(_spread, by_rank))
        return [at for at in chain.from_iterable(turns) if at is not None][:most]

    def strategy(self) -> SearchStrategy[tuple[int, ...]]:
        """Cuts to draw: half of those in a text are inside what a reader sees as one character."""
        from hypothesis import strategies as st

        from streamtape.strategies.deltas import text_cuts

        if isinstance(self._cuttable, str):
            return text_cuts(self._cuttable)
        offsets = st.lists(st.integers(0, self.length), max_size=12)
        return offsets.map(lambda found: tuple(sorted(found)))


def cut_at(whole: Any, cuts: Iterable[int]) -> list[Any]:
    """*whole*, a text or bytes, cut at these offsets, ascending."""
    return [whole[start:end] for start, end in pairwise((0, *cuts, len(whole)))]


def _of_tape(tape: Tape, unit: Unit) -> list[tuple[int, Any]]:
    if unit == "bytes":
        return [(chunk.at_ns, chunk.data) for chunk in tape.chunks]
    events = list(tape.events())
    if unit == "event":
        return list(events)
    provider = providers.detect(event for _, event in events)
    texts = [(at_ns, provider.token_text(event)) for at_ns, event in events if provider]
    return [(at_ns, text) for at_ns, text in texts if text]


def _require(pieces: Sequence[Any], kind: type) -> None:
    if not any(pieces):
        raise ValueError("there is no text in what was given, so there is nothing to render")
    other = next((piece for piece in pieces if not isinstance(piece, kind)), None)
    if other is not None:
        raise ValueError(
            f"a piece is a {type(other).__name__} where unit= asks for {kind.__name__}:"
            " write unit='text' for str, 'bytes' for bytes, 'event' for Event"
        )


def _rank(pair: str) -> int:
    """What a cut between the two characters of *pair* is next to."""
    if "\n" in pair or "\r" in pair:
        return 0
    return 2 if all(one.isalpha() or one == " " for one in pair) else 1


def _spread(offsets: Sequence[int]) -> list[int]:
    """*offsets* in an order in which the first few of them already lie all over the stream."""
    return [at for _, at in sorted((number * _GOLDEN % 1, at) for number, at in enumerate(offsets))]
