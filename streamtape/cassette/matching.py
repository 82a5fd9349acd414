"""Which stored interactions answer a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vcr.matchers import requests_match

from streamtape.cassette.interaction import answers_anything

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vcr.request import Request as VcrRequest

    from streamtape.cassette.filters import Secrets
    from streamtape.cassette.interaction import Interaction, Response


class Matching:
    """Compares requests without secrets on either side: another recorder's file may hold some."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._filtered: dict[int, VcrRequest] = {}

    def has_no_secrets(self, stored: VcrRequest) -> None:
        """*stored* has been filtered already: once is enough."""
        self._filtered[id(stored)] = stored

    def find(
        self, interactions: Sequence[Interaction], request: VcrRequest, match_on: Any
    ) -> Iterator[tuple[int, Response]]:
        """The index and the response of each of *interactions* that *request*, filtered, matches.

        *match_on*: vcrpy's matchers.
        """
        for index, (stored, response) in enumerate(interactions):
            if answers_anything(stored):
                yield index, response
                continue
            if id(stored) not in self._filtered:
                self._filtered[id(stored)] = self._secrets.request(stored)
            if requests_match(request, self._filtered[id(stored)], match_on):
                yield index, response
