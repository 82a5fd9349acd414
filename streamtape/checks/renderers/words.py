"""Whether what is new is shown, and shown once: told by words that occur once in the text."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from streamtape.checks.renderers.shown import text_of

if TYPE_CHECKING:
    from streamtape.checks.renderers.session import Run

_WORD = re.compile(r"\w+")


class Missing(NamedTuple):
    """A word that is not where it should be, in the view after ``fed`` pieces."""

    fed: int
    word: str
    shown: str


class Words:
    """The words of *texts*, the text of each piece, that occur once there and in one of *wholes*.

    Those are views of all of the text: what none shows as a word (an address behind a link, say)
    need not be seen on the way either.
    """

    def __init__(self, texts: Sequence[str], *wholes: object) -> None:
        self._text = text = "".join(texts)
        found = [(match.end(), match[0]) for match in _WORD.finditer(text)]
        in_text = Counter(word for _, word in found)
        in_views = [Counter(_WORD.findall(text_of(whole))) for whole in wholes]
        known = [
            (end, word)
            for end, word in found
            if in_text[word] == 1 and any(seen[word] == 1 for seen in in_views)
        ]
        self._ends = [end for end, _ in known]
        self._words = [word for _, word in known]
        self._lengths = [0, *accumulate(map(len, texts))]

    def newest(self, count: int) -> tuple[int, str] | None:
        """The last word that *count* pieces complete, and its number."""
        at = bisect_left(self._ends, self._lengths[max(count, 0)]) - 1
        return None if at < 0 else (at, self._words[at])

    def not_visible(self, run: Run, within: int) -> Missing | None:
        """The first view without the newest word of *within* pieces before, or a newer one."""
        for fed, _, view in run.views:
            due, newest = self.newest(fed - within), self.newest(fed)
            if due is None or newest is None:
                continue
            shown = text_of(view, on_screen=True)
            if not any(word in shown for word in self._words[due[0] : newest[0] + 1]):
                return Missing(fed, due[1], shown)
        return None

    def twice(self, run: Run) -> Missing | None:
        """The first view that has one of the words more than once."""
        words = set(self._words)
        for fed, _, view in run.seen:
            shown = text_of(view)
            counts = Counter(_WORD.findall(shown))
            double = [word for word in words & counts.keys() if counts[word] > 1]
            # What has come of another word may look like this one.
            came = Counter(_WORD.findall(self._text[: self._lengths[fed]])) if double else counts
            word = next((word for word in double if counts[word] > came[word]), None)
            if word is not None:
                return Missing(fed, word, shown)
        return None


def lags(
    newest: Sequence[tuple[int, str] | None],
    came: Sequence[float],
    shown: Sequence[tuple[float, str]],
) -> Iterator[float]:
    """Seconds from when each word came until a frame shows it, or until the last frame.

    *newest*: the word that is the newest in each frame, and its number; *came*: when.
    """
    seen = -1
    for place, word in enumerate(newest):
        if word is None or word[0] <= seen:
            continue
        seen = word[0]
        when = next((at for at, text in shown[place:] if word[1] in text), shown[-1][0])
        yield max(when - came[place], 0.0)
