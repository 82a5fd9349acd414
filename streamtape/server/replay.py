"""The replay server: it chooses which tape answers a request, and how that is delivered."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from streamtape.delivery.expression import parse
from streamtape.server import cors
from streamtape.server.answer import Answer, Manner
from streamtape.server.chance import drawn
from streamtape.server.matching import NoTapeError, Shelf
from streamtape.server.requests import BadRequestError
from streamtape.server.service import TEXT, Reply, Service

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from streamtape.delivery import Delivery
    from streamtape.server.answer import Then
    from streamtape.server.connection import Connection
    from streamtape.server.log import Exchange
    from streamtape.server.requests import Received
    from streamtape.server.wire import Wire
    from streamtape.tape import Tape

CONTROL = "x-streamtape-delivery"
"""The header by which a client may choose the delivery of its own response."""

_WIDTH = 79
"""Columns of what a person reads in a terminal."""


@dataclass(frozen=True)
class Settings:
    """How a server serves; see `streamtape.server.serve`."""

    delivery: Delivery
    wire: Wire
    control: bool
    fuzz: int | None
    cors: bool
    request_timeout: float
    heard: Callable[[Exchange], object] | None


class Replay(Service):
    """Answers whoever connects to *listener* with *tapes*."""

    def __init__(self, listener: socket.socket, tapes: list[Tape], settings: Settings) -> None:
        super().__init__(
            listener,
            request_timeout=settings.request_timeout,
            heard=settings.heard,
            half_close=settings.wire.half_close,
        )
        self._shelf = Shelf(tapes)
        self._settings = settings

    async def answer(self, connection: Connection, received: Received, exchange: Exchange) -> Then:
        """As `Service.answer`."""
        if self._settings.cors and cors.is_preflight(received):
            preflight = Reply(HTTPStatus.NO_CONTENT, cors.preflight_headers(received))
            return await self.say(
                connection, received, exchange, preflight, persists=self._settings.wire.persists
            )
        try:
            delivery = self._delivery_for(received)
            choose, key = self._chosen(delivery)
            turn = self._shelf.turn(received.request, choose, key)
        except (NoTapeError, BadRequestError, ValueError) as error:
            status = 404 if isinstance(error, NoTapeError) else getattr(error, "status", 500)
            exchange.trouble = str(error)
            headers = cors.headers_for(received, TEXT) if self._settings.cors else []
            reply = Reply.text(status, str(error), headers)
            return await self.say(
                connection, received, exchange, reply, persists=self._settings.wire.persists
            )
        exchange.interaction, exchange.attempt = turn.number, turn.attempt
        exchange.delivery = turn.delivery
        exchange.status = turn.tape.status if turn.tape.head_ns is not None else None
        manner = Manner(
            waits=(delivery or self._settings.delivery).waits,
            wire=self._settings.wire,
            cors=self._settings.cors,
        )
        return await Answer(connection, received, turn.tape, exchange, manner).run()

    def _delivery_for(self, received: Received) -> Delivery | None:
        """The delivery that the request itself asks for. Raises `BadRequestError`."""
        written = received.header(CONTROL) if self._settings.control else None
        if written is None:
            return None
        try:
            delivery = parse(written)
            not_virtual(delivery)
        except ValueError as error:
            text = textwrap.fill(
                f"{CONTROL}: {error}", _WIDTH, break_long_words=False, break_on_hyphens=False
            )
            raise BadRequestError(HTTPStatus.BAD_REQUEST, text) from error
        return delivery

    def _chosen(self, delivery: Delivery | None) -> tuple[Callable[[Tape], Delivery], str]:
        seed = self._settings.fuzz
        if delivery is not None:
            return (lambda _: delivery), repr(delivery)
        if seed is None:
            return (lambda _: self._settings.delivery), ""
        number = len(self.log)
        return (lambda tape: drawn(tape, self._settings.delivery, seed, number)), ""


def not_virtual(delivery: Delivery) -> None:
    """Raise ValueError where *delivery* insists on virtual time."""
    if delivery.virtual:
        raise ValueError(
            "a server's time is real, so no delivery over a socket is virtual: use the pace"
            " 'recorded', or 'instant'"
        )
