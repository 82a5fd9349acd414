"""What is raised for a cassette that cannot be read."""

from __future__ import annotations


class CassetteError(ValueError):
    """A cassette file that cannot be read as what it should be.

    The message says what was seen, what follows and what to do. ``str()`` puts ``path:line: `` in
    front of it as far as they are known.

    ``path`` is the file's name as it was given, or None for text that came from no file. ``line``
    counts from 1; None where the fault belongs to no single line (a file that is not gzip data).
    """

    path: str | None
    line: int | None

    def __init__(self, message: str, *, path: str | None = None, line: int | None = None) -> None:
        # The whole text is the one positional argument, so that a copy that pickle makes (xdist
        # sends exceptions between processes) is built from it without a second prefix.
        super().__init__(f"{_place(path, line)}{message}")
        self.path = path
        self.line = line


class LeftoverWarning(UserWarning):
    """A run that was killed left a part file, which was kept under another name."""


class UnfinishedWarning(UserWarning):
    """A cassette holds a stream whose recorder died while it ran: there is no ending."""


def _place(path: str | None, line: int | None) -> str:
    if path is None:
        return "" if line is None else f"line {line}: "
    return f"{path}: " if line is None else f"{path}:{line}: "
