"""``streamtape fuzz``: a program in any language under many deliveries of a cassette."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from streamtape.cassette.library import load
from streamtape.cli.output import TROUBLE, console, tell
from streamtape.cli.signals import as_ctrl_c
from streamtape.delivery.expression import parse
from streamtape.programs import Program
from streamtape.programs.fuzzing import Fuzzing, Plan
from streamtape.programs.telling import Told
from streamtape.report.text import put
from streamtape.server.replay import not_virtual

if TYPE_CHECKING:
    import argparse

    from streamtape.delivery import Delivery

_STYLES = {"-": "red", "+": "green", "@": "cyan"}


def fuzz(options: argparse.Namespace) -> int:
    """Run the command with its parsed *options*. Raises CassetteError and OSError."""
    try:
        delivery = parse(options.delivery) if options.delivery else None
        if delivery is not None:
            not_virtual(delivery)
        ignored = tuple(re.compile(os.fsencode(pattern)) for pattern in options.ignore)
    except re.error as error:
        tell(f"--ignore: {error}")
        return TROUBLE
    except ValueError as error:
        tell(str(error))
        return TROUBLE
    program = Program(tuple(options.command), options.compare_file, ignored, options.timeout)
    tapes = load(options.cassette)
    if not tapes:
        tell(f"{options.cassette}: has no interactions, so there is nothing to deliver")
        return TROUBLE
    plan = Plan(
        options.runs,
        options.jobs or _cores(),
        options.shrink_runs,
        options.rewrites,
        options.faults,
        options.seed,
    )
    with _progress() as heard:
        fuzzing = Fuzzing(program, tapes, plan, heard)
        try:
            _run(fuzzing, delivery)
        except KeyboardInterrupt:
            fuzzing.result.interrupted = True
    told = Told(fuzzing.result, tapes, _again(options), options.command)
    out = console(colour=not options.no_color)
    if options.json:
        out.file.write(json.dumps(told.as_dict(), indent=2, ensure_ascii=False) + "\n")
    else:
        for line in told.lines():
            put(out, _styled(line))
    return fuzzing.result.exit_status


def _run(fuzzing: Fuzzing, delivery: Delivery | None) -> None:
    with as_ctrl_c():  # no program that was started may outlive this one
        if delivery is None:
            fuzzing.run()
        else:
            fuzzing.try_one(delivery)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], object]]:
    """A bar on a terminal, which vanishes; nothing elsewhere."""
    screen = Console(file=sys.stderr)
    if not screen.is_terminal:
        yield lambda *_: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("as recorded", total=None)
        yield lambda doing, done, total: bar.update(
            task, description=doing, completed=done, total=total
        )


class _Rate(ProgressColumn):
    """Runs a second."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.1f}/s")


def _again(options: argparse.Namespace) -> list[str]:
    """The words of the command that judges in the same way, up to the delivery."""
    words = ["streamtape", "fuzz", options.cassette]
    if options.timeout is not None:
        words += ["--timeout", f"{options.timeout:g}"]
    if options.compare_file is not None:
        words += ["--compare-file", options.compare_file]
    for pattern in options.ignore:
        words += ["--ignore", pattern]
    return words


def _styled(line: str) -> Text:
    if line.startswith("      ") and line[6:7] in _STYLES:
        return Text(line, _STYLES[line[6]])
    return Text(line, "bold" if line[:1].isdigit() else "")


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
