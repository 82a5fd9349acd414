"""What a recording that goes on has written so far."""

from __future__ import annotations

import hashlib
import os
import warnings
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from streamtape.cassette import loader
from streamtape.cassette.errors import CassetteError, LeftoverWarning
from streamtape.cassette.serializer import HEADER

if TYPE_CHECKING:
    from collections.abc import Iterable

_TOLD = b"# The block that recorded this failed; the next recording may replace it.\n"
"""The end of a part file that its user was told of, so that failing again and again leaves one."""


class PartFile:
    """``NAME.yaml.part``: each finished interaction of a recording that goes on, appended at once.

    It is a cassette itself, so what a failed or killed run recorded can be looked at.
    """

    SUFFIX: ClassVar = ".part"
    NAME_MAX: ClassVar = 255

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._cassette = os.fspath(path)
        self.path = self._named(Path(f"{self._cassette}{self.SUFFIX}"))
        self.begun = False
        self._leftover: Path | None = None

    def append(self, pieces: Iterable[bytes]) -> None:
        """Add one interaction. Before the first one, as `make_way`."""
        if not self.begun:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.make_way()
        with self.path.open("ab" if self.begun else "wb") as file:
            file.writelines(pieces if self.begun else [HEADER, *pieces])
        self.begun = True

    def make_way(self) -> None:
        """Rename the part file of a run that was killed to ``NAME.yaml.1.part``, or 2, and so on.

        Nobody was told of that one. One that was told of, by `settle`, is replaced.
        """
        if not self.path.is_file() or self._holds_nothing() or self._was_told():
            return
        name = self.path.name.removesuffix(self.SUFFIX)
        free = (
            self._named(self.path.with_name(f"{name}.{number}{self.SUFFIX}")) for number in count(1)
        )
        self._leftover = next(path for path in free if not path.exists())
        self.path.rename(self._leftover)

    def tell_leftover(self) -> None:
        """Warn of what `make_way` renamed, once: as `LeftoverWarning`."""
        leftover, self._leftover = self._leftover, None
        if leftover is None:
            return
        try:
            found = len(loader.parse(loader.read_bytes(leftover)).interactions)
            what = f"{found} interaction{'' if found == 1 else 's'}"
        except CassetteError:
            what = "something that can't be read to its end"
        warnings.warn(
            f"a run that was killed left {what} in {self.path.name}: kept as {leftover}. Look at it"
            f" with `streamtape show {leftover}`; then delete it, or rename it to"
            f" {self._cassette} to have it as the cassette",
            LeftoverWarning,
            stacklevel=3,
        )

    def settle(self) -> None:
        """The recording failed, and its user is told where the part is, which stays."""
        if self.begun:
            with self.path.open("ab") as file:
                file.write(_TOLD)

    def remove(self) -> None:
        """The cassette is whole: its part has served."""
        if self.begun:
            self.path.unlink(missing_ok=True)

    def _holds_nothing(self) -> bool:
        return self.path.stat().st_size <= len(HEADER)

    def _was_told(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - len(_TOLD)))
            return file.read() == _TOLD

    def _named(self, path: Path) -> Path:
        """*path*, with a shorter name where that is longer than file systems allow."""
        if len(os.fsencode(path.name)) <= self.NAME_MAX:
            return path
        digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
        return path.with_name(f"{path.name[:100]}...{digest}.yaml{self.SUFFIX}")
