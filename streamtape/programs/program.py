"""A program that reads streams, and how to run it on a delivery of them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from streamtape.programs import process
from streamtape.programs.outcome import Outcome
from streamtape.server import serve

if TYPE_CHECKING:
    import re
    import threading

    from streamtape.delivery import Delivery
    from streamtape.server.log import Exchange
    from streamtape.tape import Tape

FIRST_SECONDS = 30.0
"""So long a program may take as long as nobody knows how long it takes."""

LEAST_SECONDS = 5.0
TIMES_RECORDED = 10
"""So long, or so many times as long as it took as recorded, it may take later."""

SECONDS_A_CHUNK = 0.025
"""The server waits for so long at most until a client has read a chunk. It comes on top."""

_LOOPBACK = "127.0.0.1,localhost"


@dataclass(frozen=True)
class Program:
    """A command, and what of it is compared.

    In *command*, and in *file*, ``{url}`` stands for the server's address and ``{dir}`` for a
    folder of the run's own. *file* is compared in place of standard output. What one of *ignored*
    matches is taken out of that first. *seconds*: how long a run may take (`SECONDS_A_CHUNK` is
    added); by default a multiple of what it took as recorded.
    """

    command: tuple[str, ...]
    file: str | None = None
    ignored: tuple[re.Pattern[bytes], ...] = ()
    seconds: float | None = None

    @property
    def runs_alone(self) -> bool:
        """Whether two runs at once would write the same file."""
        return self.file is not None and "{dir}" not in self.file

    def timed(self, recorded: Sequence[Outcome]) -> Program:
        """The same, in the time that the *recorded* runs have shown to be enough."""
        if self.seconds is not None:
            return self
        slowest = max(outcome.seconds for outcome in recorded)
        return replace(self, seconds=max(LEAST_SECONDS, TIMES_RECORDED * slowest))

    def run(self, tapes: Sequence[Tape], delivery: Delivery, stop: threading.Event) -> Outcome:
        """Run it once against a server of *tapes* on a port of its own.

        The server's address is in the environment: ``STREAMTAPE_URL``, ``OPENAI_BASE_URL`` (with
        ``/v1``), ``ANTHROPIC_BASE_URL``; the folder is ``STREAMTAPE_DIR``.

        Raises `process.StoppedError` once *stop* is set, and OSError where it can't be started.
        """
        within = (self.seconds or FIRST_SECONDS) + _allowance(tapes, delivery)
        with tempfile.TemporaryDirectory(prefix="streamtape-", ignore_cleanup_errors=True) as own:
            with serve(list(tapes), delivery=delivery) as server:
                places = {"{url}": server.url, "{dir}": own}
                file = None if self.file is None else Path(_filled(self.file, places))
                before = _written(file)
                command = [_filled(word, places) for word in self.command]
                ended = process.run(
                    command, _environment(server.url, own), within=within, stop=stop
                )
                output: bytes | None = ended.output
                if file is not None:
                    output = None if _written(file) == before else file.read_bytes()
            log = server.log
        return Outcome(
            ended.end,
            ended.status,
            None if output is None else self._told(output, server.url),
            self._told(ended.errors, server.url),
            ended.seconds,
            sum(exchange.interaction is not None for exchange in log),
            _trouble(log),
        )

    def _told(self, output: bytes, url: str) -> bytes:
        """*output* without what differs from run to run."""
        output = output.replace(url.encode(), b"{url}")
        output = output.replace(url.partition("://")[2].encode(), b"{address}")
        for pattern in self.ignored:
            output = pattern.sub(b"", output)
        return output


def chunk_count(tapes: Sequence[Tape], delivery: Delivery) -> int:
    """How many chunks a client gets that asks for each of *tapes* once."""
    return sum(len(delivery.apply(tape).chunks) for tape in tapes)


def _allowance(tapes: Sequence[Tape], delivery: Delivery) -> float:
    """Seconds that the delivery itself may take."""
    if delivery.waits:
        return sum(delivery.apply(tape).ending.at_ns for tape in tapes) / 1e9
    return SECONDS_A_CHUNK * chunk_count(tapes, delivery)


def _filled(word: str, places: dict[str, str]) -> str:
    for place, value in places.items():
        word = word.replace(place, value)
    return word


def _environment(url: str, folder: str) -> dict[str, str]:
    environment = {
        **os.environ,
        "STREAMTAPE_URL": url,
        "STREAMTAPE_DIR": folder,
        "OPENAI_BASE_URL": f"{url}/v1",
        "ANTHROPIC_BASE_URL": url,
    }
    for name in ("NO_PROXY", "no_proxy"):  # a proxy would merge chunks, if it knew the way at all
        own = environment.get(name, "")
        environment[name] = f"{own},{_LOOPBACK}" if own else _LOOPBACK
    return environment


def _written(file: Path | None) -> tuple[int, int, int] | None:
    """What changes when *file* is written; None where there is none."""
    if file is None:
        return None
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _trouble(log: Sequence[Exchange]) -> str:
    return next((exchange.trouble for exchange in log if exchange.trouble), "")
