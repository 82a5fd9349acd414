"""What a conversion could not carry over, or had to assume."""

from __future__ import annotations

from collections.abc import Iterator


class Notes:
    """Sentences about interactions, which are numbered from 1."""

    def __init__(self) -> None:
        self._numbers: dict[str, list[int]] = {}

    def add(self, number: int, sentence: str) -> None:
        """*sentence* is true of the interaction of that *number*."""
        self._numbers.setdefault(sentence, []).append(number)

    def sentences(self, total: int) -> list[str]:
        """Each sentence once, with its interactions where these are not all, *total* in number."""
        return [
            sentence if len(numbers) == total else f"{_named(numbers)}: {sentence}"
            for sentence, numbers in self._numbers.items()
        ]


def _named(numbers: list[int]) -> str:
    name = "interaction" if len(numbers) == 1 else "interactions"
    runs = ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in _runs(numbers))
    return f"{name} {runs}"


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    first = last = numbers[0]
    for number in numbers[1:]:
        if number != last + 1:
            yield first, last
            first = number
        last = number
    yield first, last
