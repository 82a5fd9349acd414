"""``streamtape proxy``: pass requests on to a real server, and record, until Ctrl-C."""

from __future__ import annotations

import queue
import shlex
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from rich.text import Text

from streamtape.cassette.errors import CassetteError
from streamtape.cli.output import INTERRUPTED, TROUBLE, console, tell
from streamtape.cli.serve import show
from streamtape.report.printable import one_line
from streamtape.report.text import counted, put
from streamtape.server import Exchange
from streamtape.server import proxy as recording_proxy

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from rich.console import Console

    from streamtape.server import RecordingProxy

NOT_KEPT = 1


def proxy(options: argparse.Namespace) -> int:
    """Run the command with its parsed *options*. Raises CassetteError and OSError."""
    over: queue.SimpleQueue[Exchange] = queue.SimpleQueue()
    out = console(colour=not options.no_color)
    try:
        recorder = recording_proxy(
            options.to,
            options.output,
            port=options.port,
            host=options.host,
            beyond_loopback=options.beyond_loopback,
            append=options.append,
            ca=options.ca,
            max_body=options.max_body,
            heard=over.put,
        )
        with _until_told():
            _record(recorder, options, over, out)
    except CassetteError:
        raise
    except ValueError as error:
        tell(str(error))
        return TROUBLE
    except _ToldError:  # once more: no time to write the cassette
        tell(f"{options.output} stays as it was; what was recorded is in {recorder.part}")
        return INTERRUPTED
    return _end(recorder, options, out)


def _record(
    recorder: RecordingProxy,
    options: argparse.Namespace,
    over: queue.SimpleQueue[Exchange],
    out: Console,
) -> None:
    # Nobody reading the output ends it as Ctrl-C does: what was recorded is worth more.
    with recorder, suppress(_ToldError, BrokenPipeError):
        put(out, Text(f"Recording {one_line(options.to)} at ").append(recorder.url, "bold"))
        out.file.flush()
        while True:
            show(over.get(), out)
            out.file.flush()


class _ToldError(Exception):
    """Ctrl-C, or SIGTERM."""


@contextmanager
def _until_told() -> Iterator[None]:
    """Raise `_ToldError` in the block at the first SIGINT or SIGTERM."""

    def told(*_: object) -> None:
        raise _ToldError

    before = {number: signal.signal(number, told) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(recorder: RecordingProxy, options: argparse.Namespace, out: Console) -> int:
    if out.is_terminal:
        put(out, Text())  # the terminal has written ^C
    name = one_line(options.output)
    if recorder.saved:
        kept = counted(recorder.recorded, "interaction")
        put(out, Text(f"{kept} written to ").append(name, "bold"))
        put(out, Text(f"  streamtape show {shlex.quote(name)}", "dim"))
    else:
        put(out, Text(f"Nothing was recorded, so {name} is as it was"))
    if recorder.lost:
        tell(
            f"{counted(recorder.lost, 'response')} passed without being recorded: longer than"
            " --max-body, or no room on the disk"
        )
        return NOT_KEPT
    return 0
