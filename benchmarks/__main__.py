"""``python -m benchmarks [--quick] [--json] [NAME ...]``: measure, and print one table."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks import (
    decoder,
    deliveries,
    files,
    memory,
    pacing,
    recording,
    replay,
    report,
    serving,
    startup,
)
from benchmarks.paired import Size

if TYPE_CHECKING:
    from benchmarks.paired import Section

FULL = Size(events=20_000, rounds=7, process_rounds=9)
QUICK = Size(events=2_500, rounds=3, process_rounds=2, paused_events=3, gap_ms=20, deliveries=50)

BENCHMARKS: dict[str, Callable[[Size], Iterator[Section]]] = {
    "recording": recording.recording,
    "first-event": recording.first_event,
    "memory": memory.memory,
    "save": files.save,
    "load": files.load,
    "replay": replay.replay,
    "deliveries": deliveries.deliveries,
    "pacing": pacing.pacing,
    "serving": serving.serving,
    "startup": startup.startup,
    "decoder": decoder.decoder,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what *arguments* (by default the command line's) name; everything without a name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(BENCHMARKS)}"
    )
    parser.add_argument("--quick", action="store_true", help="an eighth of the events, few rounds")
    parser.add_argument("--events", type=int, metavar="N", help="the length of the streams")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each case is measured")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {', '.join(unknown)}: there are {', '.join(BENCHMARKS)}")
    usual = QUICK if options.quick else FULL
    size = replace(
        usual,
        events=options.events or usual.events,
        rounds=options.rounds or usual.rounds,
        process_rounds=options.rounds or usual.process_rounds,
    )
    if not options.json:
        print(report.head(), flush=True)
    sections = []
    for name in options.names or BENCHMARKS:
        for section in BENCHMARKS[name](size):
            sections.append(section)
            if not options.json:
                print(f"{report.table(section)}\n", flush=True)
    if options.json:
        print(report.as_json(sections))


if __name__ == "__main__":
    main()
