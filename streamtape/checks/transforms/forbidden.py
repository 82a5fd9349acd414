"""What may not come out of a filter: texts, a pattern, or what a function says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Forbidden = str | bytes | re.Pattern[Any] | Callable[[Any], object] | Iterable[str | bytes]


class ForbiddenText:
    """What may not come out. ``words`` are the texts, of which no beginning may come out either.

    ``looks_everywhere``: what is not found in all of a text may be found in a beginning of it.

    Raises ValueError where one is empty.
    """

    def __init__(self, forbidden: Forbidden | None) -> None:
        self.words: tuple[Any, ...] = ()
        self.looks_everywhere = isinstance(forbidden, re.Pattern) or callable(forbidden)
        if forbidden is None:
            self.found: Callable[[Any], object] = lambda _: False
        elif isinstance(forbidden, re.Pattern):
            self.found = forbidden.search
        elif callable(forbidden):
            self.found = forbidden
        else:
            one = isinstance(forbidden, str | bytes)
            self.words = (forbidden,) if one else tuple(forbidden)
            self.found = lambda text: any(word in text for word in self.words)
        if not all(self.words):
            raise ValueError("forbidden: an empty text is in every text: say what may not come out")

    def beginnings(
        self, text: Any, of_batch: Callable[[int], tuple[Any, Exception | None]]
    ) -> Iterator[tuple[Any, Any]]:
        """What is out before each forbidden text in *text*, and that with each beginning of it.

        *of_batch* tells what is to come out of so much of the text, and the error, if any.
        """
        for word in self.words:
            place = text.find(word)
            while place >= 0:
                before, error = of_batch(place)
                if error is None:
                    yield from ((before, before + word[:count]) for count in range(1, len(word)))
                place = text.find(word, place + 1)
