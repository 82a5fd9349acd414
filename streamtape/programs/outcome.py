"""What came of one run of a program."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Literal

End = Literal["exit", "hang", "flood"]


@dataclass(frozen=True)
class Outcome:
    """How a program ended, and what it said.

    ``end``: ``"exit"``; ``"hang"``: it was killed after its time; ``"flood"``: it was killed, for
    it wrote without end. ``status`` is the exit status, negative for the signal that it died of,
    None where it was killed. ``output`` is what is compared: standard output, or the file, None
    where it was not written; without what is ignored, and with ``{url}`` for the server's address.
    ``errors`` is standard error. ``seconds``: how long it took. ``answered``: how many of its
    requests a tape answered. ``trouble``: what the server has to say of the others, and of reads
    past the end of a tape.
    """

    end: End
    status: int | None
    output: bytes | None
    errors: bytes = b""
    seconds: float = 0.0
    answered: int = 0
    trouble: str = ""

    def equals(self, other: Outcome) -> bool:
        """Whether both ended in the same way and with the same output."""
        return self._compared() == other._compared()

    def _compared(self) -> tuple[object, ...]:
        # What was written until it was killed is a matter of chance.
        return (self.end, self.status, self.output) if self.end == "exit" else (self.end,)

    @property
    def words(self) -> str:
        """How it ended, in words."""
        if self.end == "hang":
            return f"killed: not finished after {self.seconds:.1f} s"
        if self.end == "flood":
            return "killed: it wrote without end"
        assert self.status is not None
        return f"exit status {self.status}" if self.status >= 0 else f"died of {self.signal}"

    @property
    def signal(self) -> str:
        """The name of the signal that it died of; empty where of none."""
        if self.status is None or self.status >= 0:
            return ""
        try:
            return signal.Signals(-self.status).name
        except ValueError:
            return f"signal {-self.status}"
