"""The timeline of a cassette: when each chunk came, and how the stream ended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from streamtape.cassette import timeline_text
from streamtape.cassette.arrivals import Arrivals
from streamtape.tape import Chunk, Ending

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamtape.tape import Tape
    from streamtape.wire.framing import Framing


class Timeline:
    """The times of one response, with positions relative to the body's frames. Immutable.

    An object rather than text while in memory, so that vcrpy's filters, which replace in every
    string they find, can't rewrite a time.
    """

    __slots__ = ("_arrivals", "_ending", "_text", "coding", "framing", "head_ns")

    def __init__(  # noqa: PLR0913, PLR0917 - the columns of a timeline
        self,
        framing: Framing,
        coding: str | None,
        head_ns: int | None,
        arrivals: Arrivals | None,
        ending: Ending | None,
        text: str | None = None,
    ) -> None:
        """Without *arrivals* and *ending*, *text* holds them, and is read when asked for."""
        self.framing = framing
        self.coding = coding
        self.head_ns = head_ns
        self._arrivals = arrivals
        self._ending = ending
        self._text = text

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Itself: vcrpy deep-copies every response, and there is nothing here to change."""
        return self

    @property
    def arrivals(self) -> Arrivals:
        """The ends of the chunks, in order."""
        return self._read()[0]

    @property
    def ending(self) -> Ending:
        """How the stream ended."""
        return self._read()[1]

    @property
    def finished(self) -> bool:
        """Whether there is an ending. Cheap: a timeline that waits to be read has one."""
        return self._ending is None or self._ending.kind != "unfinished"

    def _read(self) -> tuple[Arrivals, Ending]:
        if self._arrivals is None or self._ending is None:
            self._arrivals, self._ending = timeline_text.read_written(self._text or "")
        return self._arrivals, self._ending

    @classmethod
    def of(cls, tape: Tape) -> Self:
        """The timeline of *tape*."""
        return cls(tape.framing, tape.coding, tape.head_ns, Arrivals.of(tape), tape.ending)

    def chunks(self, body: bytes) -> tuple[Chunk, ...]:
        """*body* cut where the chunks ended. It may be longer or shorter than the recorded one.

        An offset beyond its frame is taken as the frame's end, positions never decrease, and the
        last chunk runs to the end of the body.
        """
        if not self.arrivals:  # a body where there were no chunks was written by hand
            return (Chunk(self.ending.at_ns, body),) if body else ()
        return self.arrivals.chunks(self.framing, body)

    def with_error_text(self, change: Callable[[str], str]) -> Timeline:
        """This timeline, the text of its error changed; itself where it ended without one."""
        ending = self.ending
        if ending.kind != "error" or (text := change(ending.text)) == ending.text:
            return self
        ending = replace(ending, text=text)
        return Timeline(self.framing, self.coding, self.head_ns, self.arrivals, ending)

    def text(self) -> str:
        """The timeline as it stands in a cassette."""
        if self._text is None:
            self._text = timeline_text.write(
                self.framing, self.coding, self.head_ns, self.arrivals, self.ending
            )
        return self._text

    @classmethod
    def parse(cls, text: str, *, path: str | None = None, line: int | None = None) -> Timeline:
        """Read a timeline. *line* is the line in the file *path* at which *text* begins (1-based).

        Blank lines and lines that begin with ``#`` are passed over. A timeline without an ending
        (the recorder died) has the ending ``unfinished``. Of a timeline that nobody edited only
        the form is looked at; its times are read when they are first asked for.

        Raises `CassetteError`, which names the line, for anything that is not in the grammar.
        """
        head = timeline_text.written_head(text)
        if head is None:
            return cls(*timeline_text.read(text, path, line))
        return cls(*timeline_text.read(head, path, line)[:3], None, None, text)
