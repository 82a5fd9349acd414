"""A timeline as text that a person can read, diff and edit.

One line is one thing that happened: milliseconds since the line before, then a mark. Positions
count frames, so that the text of an event can change (by a filter, or by hand) and the timeline
still holds. docs/reference/cassette-format.md has the grammar.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate
from operator import sub
from typing import TYPE_CHECKING, NoReturn, cast, get_args

from streamtape.cassette.arrivals import Arrivals
from streamtape.cassette.errors import CassetteError
from streamtape.codings import CODINGS
from streamtape.tape import Ending, EndingKind, ErrorKind
from streamtape.wire.framing import Framing

if TYPE_CHECKING:
    from collections.abc import Sequence

FRAMINGS = frozenset(get_args(Framing))
ERROR_KINDS = frozenset(get_args(ErrorKind))

Parts = tuple[Framing, "str | None", "int | None", Arrivals, Ending]
"""What a timeline says: framing, coding, the head's time (None: there was no head), chunks, end."""

# More digits than any time or position has; Python takes very long to convert thousands of them.
_LINE = re.compile(r"(\d{1,18})(?:\.(\d+))? (.*)")
_CHUNK = re.compile(r"(\d{0,18})(?:\+(\d{1,18}))?( ~)?")
_ERROR = re.compile(r"error (\S+) (\".*\")")
# What `write` writes, whole: in it nothing can be wrong, so reading it can wait.
_WRITTEN = re.compile(
    r"(?P<head>[0-9]{1,18}\.[0-9]{3} head \w++(?: \w++)?\n)"
    r"(?:[0-9]{1,18}+\.[0-9]{3} (?:[0-9]{1,18}+(?:\+[0-9]{1,18}+)?+|\+[0-9]{1,18}+)(?: ~)?+\n)*+"
    r"(?:[0-9]{1,18}\.[0-9]{3} (?:eof|closed)(?: ~)?\n)"
)
_LONGEST_WHOLE_FRAME = 40

_DECIMALS = [b".%03d " % microseconds for microseconds in range(1000)]


def write(
    framing: Framing,
    coding: str | None,
    head_ns: int | None,
    arrivals: Arrivals,
    ending: Ending,
) -> str:
    """The text of a timeline.

    Milliseconds with three decimals: the absolute time is rounded to a microsecond and the
    difference of rounded times is written, so rounding errors never add up.
    """
    head = [] if head_ns is None else [head_ns]
    end = [] if ending.kind == "unfinished" else [ending.at_ns]
    gaps_us = _gaps_us([*head, *arrivals.at_ns, *end])
    lines = []
    if head:
        coded = f" {coding}" if coding else ""
        lines.append(_line(gaps_us[0], f"head {framing}{coded}"))
    lines.append(_chunk_lines(framing, gaps_us[len(head) : len(head) + len(arrivals)], arrivals))
    if end:
        error = f" {ending.error} {json.dumps(ending.text)}" if ending.kind == "error" else ""
        lines.append(_line(gaps_us[-1], f"{ending.kind}{error}{_mark_late(late=ending.late)}"))
    return "".join(lines)


def _line(gap_us: int, mark: str) -> str:
    return f"{gap_us // 1000}.{gap_us % 1000:03} {mark}\n"


def _mark_late(*, late: bool) -> str:
    return " ~" if late else ""


def _gaps_us(times_ns: Sequence[int]) -> list[int]:
    at_us = [(at_ns + 500) // 1000 for at_ns in times_ns]
    gaps_us = list(map(sub, at_us, [0, *at_us]))
    if min(gaps_us, default=0) < 0:  # times that decrease, which only a person can write
        at_us = list(accumulate(at_us, max, initial=0))
        gaps_us = list(map(sub, at_us[1:], at_us))
    return gaps_us


def _chunk_lines(framing: Framing, gaps_us: Sequence[int], arrivals: Arrivals) -> str:
    if framing == "raw" or any(arrivals.late) or any(arrivals.extras):
        columns = zip(gaps_us, arrivals.frames, arrivals.extras, arrivals.late, strict=True)
        return "".join(
            [
                _line(
                    gap_us,
                    ("" if framing == "raw" else f"{frame}")
                    + (f"+{extra}" if extra or framing == "raw" else "")
                    + _mark_late(late=late),
                )
                for gap_us, frame, extra, late in columns
            ]
        )
    # Most streams: nothing but whole numbers, for which bytes and a table take half the time.
    return b"".join(
        [
            b"%d%b%d\n" % (gap_us // 1000, _DECIMALS[gap_us % 1000], frame)
            for gap_us, frame in zip(gaps_us, arrivals.frames, strict=True)
        ]
    ).decode("ascii")


def written_head(text: str) -> str | None:
    """The first line of a *text* that is as `write` writes it, if nothing else can be in it."""
    written = _WRITTEN.fullmatch(text)
    return None if written is None else written["head"]


def read_written(text: str) -> tuple[Arrivals, Ending]:
    """The chunks and the ending of a *text* that has a `written_head`."""
    if "+" in text or "~" in text:
        return read(text)[3:]
    head, _, rest = text.partition("\n")
    # Nothing but pairs of a time, whose last three digits are decimals, and a frame's number.
    words = rest.replace(".", "").split()
    head_us = int(head.partition(" ")[0].replace(".", ""))
    *at_ns, end_ns = [at_us * 1000 for at_us in accumulate(map(int, words[::2]), initial=head_us)][
        1:
    ]
    frames = list(map(int, words[1:-1:2]))
    arrivals = Arrivals(at_ns, frames, bytes(len(frames)), [False] * len(frames))
    return arrivals, Ending(cast("EndingKind", words[-1]), end_ns)


def read(text: str, path: str | None = None, line: int | None = None) -> Parts:
    """Read a timeline; *text* begins at *line* (1-based) of the file *path*.

    Raises `CassetteError`, which names the line, for anything that is not in the grammar.
    """
    return _Parser(text, path, line).parse()


def _is_whole_frame(gap: str, mark: str) -> bool:
    """Whether a line is as most lines of most timelines: three decimals, the end of a frame."""
    return (
        gap[-4:-3] == "."
        and mark.isdecimal()
        and gap.replace(".", "", 1).isdecimal()
        and len(gap) + len(mark) < _LONGEST_WHOLE_FRAME
    )


class _Parser:
    """One pass over the lines of a timeline, so that an error can name its line."""

    def __init__(self, text: str, path: str | None, line: int | None) -> None:
        self.lines = text.split("\n")
        self.path = path
        self.first_line = line
        self.number = 0
        self.now_ns = 0
        self.framing: Framing = "raw"
        self.coding: str | None = None
        self.head_ns: int | None = None
        self.at_ns: list[int] = []
        self.frames: list[int] = []
        self.extras: list[int] = []
        self.late: list[bool] = []
        self.ending: Ending | None = None

    def parse(self) -> Parts:
        for number, line in enumerate(self.lines):
            gap, _, frame = line.partition(" ")
            if self.head_ns is not None and self.ending is None and _is_whole_frame(gap, frame):
                self.now_ns += int(gap.replace(".", "")) * 1000
                self.arrive(int(frame))
            elif line.strip() and not line.startswith("#"):
                self.number = number
                self.read(line)
        return (
            self.framing,
            self.coding,
            self.head_ns,
            Arrivals(self.at_ns, self.frames, self.extras, self.late),
            self.ending or Ending("unfinished", self.now_ns),
        )

    def arrive(self, frame: int, extra: int = 0, *, late: bool = False) -> None:
        self.at_ns.append(self.now_ns)
        self.frames.append(frame)
        self.extras.append(extra)
        self.late.append(late)

    def read(self, line: str) -> None:
        if self.ending is not None:
            self.fail(line, f"nothing after {self.ending.kind!r}")
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            self.fail(line, "milliseconds, a space and a mark, such as '62.524 1+42'")
        whole, fraction, mark = match.groups()
        self.now_ns += int(whole) * 1_000_000 + int((fraction or "0")[:6].ljust(6, "0"))
        chunk = _CHUNK.fullmatch(mark)
        if chunk is not None and (chunk[1] or chunk[2]):
            if self.head_ns is None:
                self.fail(line, "a `head` before the first chunk")
            self.arrive(int(chunk[1] or 0), int(chunk[2] or 0), late=bool(chunk[3]))
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
        self.head_ns = self.now_ns
        self.framing = cast("Framing", framing)
        self.coding = coding

    def read_ending(self, line: str, mark: str) -> None:
        late = mark.endswith(" ~")
        mark = mark.removesuffix(" ~")
        match = _ERROR.fullmatch(mark)
        if mark in {"eof", "closed"}:
            self.ending = Ending(cast("EndingKind", mark), self.now_ns, late=late)
        elif match is not None and match[1] in ERROR_KINDS:
            try:
                text = json.loads(match[2])
            except ValueError:
                self.fail(line, 'the text of the error in JSON quotes, as in `error read "reset"`')
            self.ending = Ending("error", self.now_ns, cast("ErrorKind", match[1]), text, late)
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
