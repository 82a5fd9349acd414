"""pyte's screen, with characters of several code points."""

from __future__ import annotations

import pyte
from wcwidth import wcswidth, wcwidth

_JOINER = "\u200d"
_EMOJI_STYLE = "\ufe0f"


class Screen(pyte.HistoryScreen):
    """A screen with a history, which draws all of a text, and an emoji in as much as it takes.

    pyte drops the rest of what it is given to draw after a variation selector, a joiner, a space
    without width or a control character, so what it shows depends on where the text was cut. It
    composes accents with their letters, which then look as if they were written anew; and it draws
    each part of an emoji in cells of its own, where programs and newer terminals count two in all.
    """

    def draw(self, data: str) -> None:
        """Draw *data*. What has no width, or is joined, goes to the character before it."""
        start = 0
        follows_joiner = self._before().endswith(_JOINER)
        for at, char in enumerate(data):
            if " " <= char <= "~" and not follows_joiner:
                continue
            width = wcwidth(char)
            if width > 0 and not follows_joiner and not _may_join(char):
                continue
            super().draw(data[start:at])
            start = at + 1
            before = self._before()
            if width > 0 and (not before or wcswidth(before + char) > wcswidth(before)):
                start = at  # it stands for itself
            elif width >= 0 and before:
                self._join(char)
            follows_joiner = char == _JOINER and bool(before)
        super().draw(data[start:])

    def _before(self) -> str:
        """The character before the cursor; empty where a line begins."""
        return self._row()[self._column()].data if self.cursor.x else ""

    def _join(self, char: str) -> None:
        """Put *char* with the character before the cursor."""
        row, column = self._row(), self._column()
        cell = row[column]
        row[column] = cell._replace(data=cell.data + char)
        is_narrow = column == self.cursor.x - 1
        if char != _EMOJI_STYLE or not is_narrow or self.cursor.x == self.columns:
            return
        if wcswidth(cell.data + char) > wcswidth(cell.data):
            row[self.cursor.x] = cell._replace(data="")
            self.cursor.x += 1

    def _row(self) -> dict[int, pyte.screens.Char]:
        return self.buffer[self.cursor.y]

    def _column(self) -> int:
        """Of the character before the cursor, the first column."""
        column = self.cursor.x - 1
        is_second = column > 0 and not self._row()[column].data
        return column - is_second


def _may_join(char: str) -> bool:
    """Whether *char* is half of a flag or a skin tone."""
    return "\U0001f1e6" <= char <= "\U0001f1ff" or "\U0001f3fb" <= char <= "\U0001f3ff"
