"""``streamtape proxy``: pass requests on to a real server, and record, until Ctrl-C."""

from __future__ import annotations

import queue
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING

from rich.text import Text

from streamtape.cassette.errors import CassetteError
from streamtape.cassette.filters import Secrets
from streamtape.cli.output import INTERRUPTED, TROUBLE, console, tell
from streamtape.cli.serve import show_each
from streamtape.cli.signals import ToldError, until_told
from streamtape.report.printable import one_line
from streamtape.report.text import counted, put
from streamtape.server import proxy as recording_proxy

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from streamtape.cli.serve import Over
    from streamtape.server import RecordingProxy

NOT_KEPT = 1


def proxy(options: argparse.Namespace) -> int:
    """Run the command with its parsed *options*. Raises CassetteError and OSError."""
    over: Over = queue.SimpleQueue()
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
        with until_told(lambda: over.put(None)):
            _record(recorder, options, over, out)
    except CassetteError:
        raise
    except ValueError as error:
        tell(str(error))
        return TROUBLE
    except ToldError:  # once more: no time to write the cassette
        tell(f"{options.output} stays as it was; what was recorded is in {recorder.part}")
        return INTERRUPTED
    return _end(recorder, options, over, out)


def _record(
    recorder: RecordingProxy,
    options: argparse.Namespace,
    over: Over,
    out: Console,
) -> None:
    # Nobody reading the output ends it as Ctrl-C does: what was recorded is worth more.
    secrets = Secrets()
    with recorder, suppress(ToldError, BrokenPipeError):
        put(out, Text(f"Recording {one_line(options.to)} at ").append(recorder.url, "bold"))
        show_each(over, out, secrets)


def _end(recorder: RecordingProxy, options: argparse.Namespace, over: Over, out: Console) -> int:
    if out.is_terminal:
        put(out, Text())  # the terminal has written ^C
    over.put(None)
    show_each(over, out, Secrets())  # what still ran
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
