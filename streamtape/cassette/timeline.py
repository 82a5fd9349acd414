"""The timeline of a cassette: when each chunk came, as text that a person can read, diff and edit.

One line is one thing that happened: milliseconds since the line before, then a mark. Positions
count frames, so that the text of an event can change (by a filter, or by hand) and the timeline
still holds. docs/reference/cassette-format.md has the grammar.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import replace
from itertools import accumulate, pairwise
from operator import sub
from typing import TYPE_CHECKING, Any, NoReturn, Self, cast, get_args

from streamtape.cassette.errors import CassetteError
from streamtape.tape import Chunk, Ending, EndingKind, ErrorKind, Tape
from streamtape.wire.framing import Framing, frame_ends

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FRAMINGS = frozenset(get_args(Framing))
ERROR_KINDS = frozenset(get_args(ErrorKind))
CODINGS = frozenset({"gzip", "deflate", "br", "zstd"})

_LINE = re.compile(r"(\d+)(?:\.(\d+))? (.*)")
_CHUNK = re.compile(r"(\d*)(?:\+(\d+))?( ~)?")
_ERROR = re.compile(r"error (\S+) (\".*\")")
# What `Timeline.text` writes, whole: in it nothing can be wrong, so reading it can wait.
_WRITTEN = re.compile(
    r"(?P<head>[0-9]++\.[0-9]{3} head \w++(?: \w++)?\n)"
    r"(?:[0-9]++\.[0-9]{3} (?:[0-9]++(?:\+[0-9]++)?+|\+[0-9]++)(?: ~)?+\n)*+"
    r"(?:[0-9]++\.[0-9]{3} (?:eof|closed)(?: ~)?\n)"
)


Arrival = tuple[int, int, int, bool]
"""A chunk's end: ``(at_ns, frame, extra, late)``, ``extra`` bytes into the frame after frame number
``frame`` (1-based; 0: none yet). A plain tuple: a long stream has tens of thousands."""


class Timeline:
    """The times of one response, with positions relative to the body's frames. Immutable.

    An object rather than text while in memory, so that vcrpy's filters, which replace in every
    string they find, can't rewrite a time.
    """

    __slots__ = ("_arrivals", "_ending", "_text", "coding", "framing", "head_ns")

    def __init__(  # noqa: PLR0913, PLR0917 - the six columns of a timeline
        self,
        framing: Framing,
        coding: str | None,
        head_ns: int | None,
        arrivals: tuple[Arrival, ...] | None,
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
    def arrivals(self) -> tuple[Arrival, ...]:
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

    def _read(self) -> tuple[tuple[Arrival, ...], Ending]:
        if self._arrivals is None or self._ending is None:
            whole = _Parser(self._text or "", None, None).parse()
            self._arrivals, self._ending = whole.arrivals, whole.ending
        return self._arrivals, self._ending

    @classmethod
    def of(cls, tape: Tape) -> Self:
        """The timeline of *tape*."""
        ends = frame_ends(tape.framing, tape.body)
        offsets = list(accumulate([len(chunk.data) for chunk in tape.chunks]))
        if offsets == ends:  # each frame is one chunk
            frames = [(at_ns, n, 0, late) for n, (at_ns, _, late) in enumerate(tape.chunks, 1)]
            return cls(tape.framing, tape.coding, tape.head_ns, tuple(frames), tape.ending)
        frame_at = {end: frame for frame, end in enumerate(ends, 1)}
        arrivals = []
        for (at_ns, _, late), offset in zip(tape.chunks, offsets, strict=True):
            if frame := frame_at.get(offset):
                arrivals.append((at_ns, frame, 0, late))
            else:  # a cut inside a frame, or nothing yet
                frame = bisect_right(ends, offset)
                arrivals.append((at_ns, frame, offset - (ends[frame - 1] if frame else 0), late))
        return cls(
            tape.framing,
            tape.coding,
            tape.head_ns,
            tuple(arrivals),
            tape.ending,
        )

    def chunks(self, body: bytes) -> tuple[Chunk, ...]:
        """*body* cut where the chunks ended. It may be longer or shorter than the recorded one.

        An offset beyond its frame is taken as the frame's end, positions never decrease, and the
        last chunk runs to the end of the body.
        """
        arrivals = self.arrivals
        if not arrivals:  # a body where there were no chunks was written by hand
            return (Chunk(self.ending.at_ns, body),) if body else ()
        # Frame number n begins at edges[n]; there is nothing behind the last one.
        edges = [0, *frame_ends(self.framing, body), len(body)]
        count = len(edges) - 2
        ends = []
        before = 0
        for _, frame, extra, _ in arrivals:
            end = edges[frame] if frame <= count else len(body)
            if extra and frame <= count:
                end = min(end + extra, edges[frame + 1])
            before = max(before, end)
            ends.append(before)
        ends[-1] = len(body)
        pieces = [body[start:end] for start, end in pairwise((0, *ends))]
        return tuple(
            Chunk(at_ns, piece, late)
            for (at_ns, _, _, late), piece in zip(arrivals, pieces, strict=True)
        )

    def with_error_text(self, change: Callable[[str], str]) -> Timeline:
        """This timeline, the text of its error changed; itself where it ended without one."""
        ending = self.ending
        if ending.kind != "error" or (text := change(ending.text)) == ending.text:
            return self
        ending = replace(ending, text=text)
        return Timeline(self.framing, self.coding, self.head_ns, self.arrivals, ending)

    def text(self) -> str:
        """The timeline as it stands in a cassette.

        Milliseconds with three decimals: the absolute time is rounded to a microsecond and the
        difference of rounded times is written, so rounding errors never add up.
        """
        if self._text is None:
            times: list[int] = []
            marks: list[object] = []
            if self.head_ns is not None:
                head = f"head {self.framing}"
                times.append(self.head_ns)
                marks.append(f"{head} {self.coding}" if self.coding else head)
            times += [arrival[0] for arrival in self.arrivals]
            marks += self._chunk_marks()
            ending = self.ending
            late = " ~" if ending.late else ""
            if ending.kind == "error":
                times.append(ending.at_ns)
                marks.append(f"error {ending.error} {json.dumps(ending.text)}{late}")
            elif ending.kind != "unfinished":
                times.append(ending.at_ns)
                marks.append(f"{ending.kind}{late}")
            at_us = list(accumulate([(at_ns + 500) // 1000 for at_ns in times], max))
            gaps_us = map(sub, at_us, [0, *at_us])
            # The nearest float to a whole number of thousandths prints as that: exact up to 2**53.
            self._text = "".join(
                [
                    f"{gap_us / 1000:.3f} {mark}\n"
                    for gap_us, mark in zip(gaps_us, marks, strict=True)
                ]
            )
        return self._text

    def _chunk_marks(self) -> list[object]:
        if self.framing == "raw":
            return [f"+{extra} ~" if late else f"+{extra}" for _, _, extra, late in self.arrivals]
        return [
            frame
            if not (extra or late)
            else (f"{frame}+{extra}" if extra else f"{frame}") + (" ~" if late else "")
            for _, frame, extra, late in self.arrivals
        ]

    @classmethod
    def parse(cls, text: str, *, path: str | None = None, line: int | None = None) -> Timeline:
        """Read a timeline. *line* is the line in the file *path* at which *text* begins (1-based).

        Blank lines and lines that begin with ``#`` are passed over. A timeline without an ending
        (the recorder died) has the ending ``unfinished``. Of a timeline that nobody edited only
        the form is looked at; its times are read when they are first asked for.

        Raises `CassetteError`, which names the line, for anything that is not in the grammar.
        """
        written = _WRITTEN.fullmatch(text)
        if written is None:
            return _Parser(text, path, line).parse()
        head = _Parser(written["head"], path, line).parse()
        return cls(head.framing, head.coding, head.head_ns, None, None, text)


def _is_whole_frame(gap: str, mark: str) -> bool:
    """Whether a line is as most lines of most timelines: three decimals, the end of a frame."""
    return gap[-4:-3] == "." and mark.isdecimal() and gap.replace(".", "", 1).isdecimal()


class _Parser:
    """One pass over the lines of a timeline, so that an error can name its line."""

    def __init__(self, text: str, path: str | None, line: int | None) -> None:
        self.lines = text.split("\n")
        self.path = path
        self.first_line = line
        self.number = 0
        self.at_ns = 0
        self.framing: Framing = "raw"
        self.coding: str | None = None
        self.head_ns: int | None = None
        self.arrivals: list[Arrival] = []
        self.ending: Ending | None = None

    def parse(self) -> Timeline:
        for number, line in enumerate(self.lines):
            gap, _, frame = line.partition(" ")
            if self.head_ns is not None and self.ending is None and _is_whole_frame(gap, frame):
                self.at_ns += int(gap.replace(".", "")) * 1000
                self.arrivals.append((self.at_ns, int(frame), 0, False))
            elif line.strip() and not line.startswith("#"):
                self.number = number
                self.read(line)
        return Timeline(
            self.framing,
            self.coding,
            self.head_ns,
            tuple(self.arrivals),
            self.ending or Ending("unfinished", self.at_ns),
        )

    def read(self, line: str) -> None:
        if self.ending is not None:
            self.fail(line, f"nothing after {self.ending.kind!r}")
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            self.fail(line, "milliseconds, a space and a mark, such as '62.524 1+42'")
        whole, fraction, mark = match.groups()
        self.at_ns += int(whole) * 1_000_000 + int((fraction or "0")[:6].ljust(6, "0"))
        chunk = _CHUNK.fullmatch(mark)
        if chunk is not None and (chunk[1] or chunk[2]):
            if self.head_ns is None:
                self.fail(line, "a `head` before the first chunk")
            frame, extra = int(chunk[1] or 0), int(chunk[2] or 0)
            self.arrivals.append((self.at_ns, frame, extra, bool(chunk[3])))
        elif mark.startswith("head "):
            self.read_head(line, mark.split()[1:])
        else:
            self.read_ending(line, mark)

    def read_head(self, line: str, words: Sequence[str]) -> None:
        if self.head_ns is not None:
            self.fail(line, "one `head`")
        framing, coding = words[0], words[1] if words[1:] else None
        if framing not in FRAMINGS or coding not in {None, *CODINGS} or words[2:]:
            self.fail(
                line,
                f"`head FRAMING [CODING]` with a framing of {', '.join(sorted(FRAMINGS))}"
                f" and a coding of {', '.join(sorted(CODINGS))}",
            )
        self.head_ns = self.at_ns
        self.framing = cast("Framing", framing)
        self.coding = coding

    def read_ending(self, line: str, mark: str) -> None:
        late = mark.endswith(" ~")
        mark = mark.removesuffix(" ~")
        match = _ERROR.fullmatch(mark)
        if mark in {"eof", "closed"}:
            self.ending = Ending(cast("EndingKind", mark), self.at_ns, late=late)
        elif match is not None and match[1] in ERROR_KINDS:
            try:
                text = json.loads(match[2])
            except ValueError:
                self.fail(line, 'the text of the error in JSON quotes, as in `error read "reset"`')
            self.ending = Ending("error", self.at_ns, cast("ErrorKind", match[1]), text, late)
        else:
            self.fail(
                line,
                "`head`, a chunk such as `3`, `1+42` or `+4096`, `eof`, `closed`, or"
                f' `error KIND "TEXT"` with a kind of {", ".join(sorted(ERROR_KINDS))}',
            )

    def fail(self, seen: str, expected: str) -> NoReturn:
        where = None if self.first_line is None else self.first_line + self.number
        raise CassetteError(
            f"in the timeline, expected {expected}, found {seen!r}. The response can't be replayed"
            " with its delivery. Mend the line, or delete the whole `timeline` key: the cassette"
            " then plays with unknown timing",
            path=self.path,
            line=where,
        )
