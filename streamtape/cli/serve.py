"""``streamtape serve``: cassettes over HTTP, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import queue
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.text import Text

from streamtape.cassette.errors import CassetteError
from streamtape.cassette.filters import Secrets
from streamtape.cli.output import INTERRUPTED, TROUBLE, console, tell
from streamtape.cli.signals import ToldError, until_told
from streamtape.delivery import Delivery
from streamtape.delivery.expression import parse
from streamtape.report.printable import one_line
from streamtape.report.text import counted, put
from streamtape.server import Exchange, Wire
from streamtape.server import serve as replay_server

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from streamtape.server import ReplayServer

    Over = queue.SimpleQueue[Exchange | None]
    """What is over, and None where no more is waited for."""


def serve(options: argparse.Namespace) -> int:
    """Run the command with its parsed *options*. Raises CassetteError and OSError."""
    over: Over = queue.SimpleQueue()
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
    _note_idle_fault(server, options)
    out = console(colour=not options.no_color)
    secrets = Secrets()
    try:
        with until_told(lambda: over.put(None)):
            with server:
                served = f"Serving {counted(len(server.tapes), 'interaction')} at "
                put(out, Text(served).append(server.url, "bold"))
                show_each(over, out, secrets)
            if out.is_terminal:
                put(out, Text())  # the terminal has written ^C
            over.put(None)
            show_each(over, out, secrets)  # what still ran
            put(out, Text(_tally(server)))
    except ToldError:  # once more
        return INTERRUPTED
    return 0


def _delivery(options: argparse.Namespace) -> Delivery:
    delivery = parse(options.delivery) if options.delivery else Delivery()
    if options.pace is None:
        return delivery
    try:
        pace: str | float = float(options.pace)
    except ValueError:
        pace = options.pace
    return replace(delivery, pace=pace)


def _note_idle_fault(server: ReplayServer, options: argparse.Namespace) -> None:
    """Say so where the delivery's fault strikes none of the tapes: `idle_cut` needs a silence."""
    delivery = _delivery(options)
    if delivery.fault is None:
        return
    without = replace(delivery, fault=None)
    with suppress(ValueError):  # a tape that it isn't for, which is told where that is asked for
        if any(delivery.attempts(tape) != without.attempts(tape) for tape in server.tapes):
            return
        tell(f"note: {delivery.fault!r} changes nothing in what is served")


def _tally(server: ReplayServer) -> str:
    """How many requests there were, and how they ended."""
    ended = Counter(str(exchange.how) for exchange in server.log)
    hows = ", ".join(f"{number} {how}" for how, number in ended.most_common())
    return f"{counted(len(server.log), 'request')} served" + (f": {hows}" if hows else "")


def show_each(over: Over, out: Console, secrets: Secrets) -> None:
    """What comes in *over*, up to None, each at once, without *secrets*."""
    out.file.flush()
    while (exchange := over.get()) is not None:
        _show(exchange, out, secrets)
        out.file.flush()


def _show(exchange: Exchange, out: Console, secrets: Secrets) -> None:
    """A line for a request, and what went wrong below it."""
    path = secrets.url(exchange.path)
    asked = f"{exchange.method} {path}" if exchange.method else "(no request)"
    words = [asked, "no answer" if exchange.status is None else str(exchange.status)]
    if exchange.interaction is not None:
        words.append(f"interaction {exchange.interaction}")
        words.append(counted(exchange.chunks, "chunk"))
    words.append(str(exchange.how))
    if exchange.delivery not in ("", "Delivery()"):
        words.append(exchange.delivery)
    put(out, Text(one_line("  ".join(words))))
    trouble = exchange.trouble
    if exchange.path:  # in a text only URLs that are absolute are known for what they are
        trouble = trouble.replace(exchange.path, path)
    for line in secrets.text(trouble).splitlines():
        put(out, Text(f"    {one_line(line)}", "yellow"))
