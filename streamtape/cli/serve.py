"""``streamtape serve``: cassettes over HTTP, until Ctrl-C."""

from __future__ import annotations

import queue
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.text import Text

from streamtape.cassette.errors import CassetteError
from streamtape.cli.output import TROUBLE, console, tell
from streamtape.delivery import Delivery
from streamtape.delivery.expression import parse
from streamtape.report.printable import one_line
from streamtape.report.text import counted, put
from streamtape.server import Exchange, Wire
from streamtape.server import serve as replay_server

if TYPE_CHECKING:
    import argparse

    from rich.console import Console


def serve(options: argparse.Namespace) -> int:
    """Run the command with its parsed *options*. Raises CassetteError and OSError."""
    over: queue.SimpleQueue[Exchange] = queue.SimpleQueue()
    try:
        server = replay_server(
            options.cassettes,
            port=options.port,
            host=options.host,
            delivery=_delivery(options),
            wire=Wire.parse(options.wire),
            control=options.control,
            fuzz=options.fuzz,
            heard=over.put,
        )
    except CassetteError:
        raise
    except ValueError as error:
        tell(str(error))
        return TROUBLE
    out = console(colour=not options.no_color)
    with server:
        served = f"Serving {counted(len(server.tapes), 'interaction')} at "
        put(out, Text(served).append(server.url, "bold"))
        out.file.flush()
        while True:
            show(over.get(), out)
            out.file.flush()


def _delivery(options: argparse.Namespace) -> Delivery:
    delivery = parse(options.delivery) if options.delivery else Delivery()
    if options.pace is None:
        return delivery
    try:
        pace: str | float = float(options.pace)
    except ValueError:
        pace = options.pace
    return replace(delivery, pace=pace)


def show(exchange: Exchange, out: Console) -> None:
    """A line for a request, and what went wrong below it."""
    asked = f"{exchange.method} {exchange.path}" if exchange.method else "(no request)"
    words = [asked, "no answer" if exchange.status is None else str(exchange.status)]
    if exchange.interaction is not None:
        words.append(f"interaction {exchange.interaction}")
        words.append(counted(exchange.chunks, "chunk"))
    words.append(str(exchange.how))
    if exchange.delivery not in ("", "Delivery()"):
        words.append(exchange.delivery)
    put(out, Text(one_line("  ".join(words))))
    for line in exchange.trouble.splitlines():
        put(out, Text(f"    {one_line(line)}", "yellow"))
