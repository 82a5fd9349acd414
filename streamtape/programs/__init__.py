"""Programs in any language, run against the replay server under many deliveries of a tape.

A program is judged from outside: by its exit status and its output, or a file that it writes.
"""

from __future__ import annotations

from streamtape.programs.fuzzing import Fuzzing
from streamtape.programs.outcome import Outcome
from streamtape.programs.program import Program
from streamtape.programs.result import Result

__all__ = ["Fuzzing", "Outcome", "Program", "Result"]
