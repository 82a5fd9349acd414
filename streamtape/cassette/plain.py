"""A plain vcrpy Cassette as a session: its streams are played chunk by chunk, and as told.

What answers a request, and how often, stays vcrpy's: matchers, hooks, play counts, error texts.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from vcr.errors import CannotOverwriteExistingCassetteException

from streamtape.cassette.interaction import tape_of, vcr_request_of
from streamtape.cassette.timeline import Timeline
from streamtape.clients.routing import Play, directed

if TYPE_CHECKING:
    from collections.abc import Callable

    from vcr.cassette import Cassette

    from streamtape.cassette.interaction import Response
    from streamtape.delivery import Delivery
    from streamtape.tape import Request


class PlainSession:
    """Plays *cassette*, which is loaded and can't record, to the clients that are routed to it."""

    def __init__(self, cassette: Cassette, untimed: Delivery | None = None) -> None:
        """*untimed*: the delivery of tapes that don't know their own."""
        self.cassette = cassette
        self._untimed = untimed
        self._lock = threading.Lock()
        self._answered = 0
        self.failures: list[str] = []

    @property
    def beside(self) -> int:
        """How many requests the cassette answered without this session, in other clients."""
        return int(self.cassette.play_count) - self._answered

    @property
    def write_protected(self) -> bool:
        """As vcrpy's."""
        return bool(self.cassette.write_protected)

    def answer(self, request: Request) -> Play | None:
        """As vcrpy's own patches for httpx decide it.

        Raises vcrpy's CannotOverwriteExistingCassetteException for what nothing answers.
        """
        vcr_request = vcr_request_of(request)
        with self._lock:
            if self.cassette.can_play_response_for(vcr_request):
                tape = tape_of(vcr_request, _as_today(self.cassette.play_response(vcr_request)))
                self._answered += 1
                delivery = directed(self, tape, None if tape.timed else self._untimed)
                if delivery is not None:
                    tape = tape.deliver(delivery)
                return Play.under(delivery, tape, self.failures.append)
        if self.cassette.filter_request(vcr_request):
            raise CannotOverwriteExistingCassetteException(
                cassette=self.cassette, failed_request=vcr_request
            )
        return None

    def mark(self) -> Callable[[], None]:
        plays, answered = mark(self.cassette), self._answered

        def rewind() -> None:
            plays()
            self._answered = answered

        return rewind


def mark(cassette: Cassette, *lists: list[Any]) -> Callable[[], None]:
    """A function that takes back every play of *cassette*, and what *lists* get, from now on."""
    counts = cassette.play_counts.copy()
    played: list[Any] = cassette._played_interactions  # noqa: SLF001 - else played twice, saved twice
    lengths = [(each, len(each)) for each in (played, *lists)]

    def rewind() -> None:
        cassette.play_counts = counts.copy()
        for each, length in lengths:
            del each[length:]

    return rewind


def _as_today(response: Response) -> Response:
    """*response* as vcrpy records it now: older releases kept httpx's in a form of their own."""
    if "status_code" in response:
        return {
            "status": {"code": response["status_code"], "message": ""},
            "headers": response["headers"],
            "body": {"string": response["content"]},
        }
    if isinstance(timeline := response.get("timeline"), str):
        return {**response, "timeline": Timeline.parse(timeline)}
    return response
