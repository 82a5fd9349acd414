"""The arguments of ``streamtape fuzz``."""

from __future__ import annotations

import argparse

STATUSES = """\
Exit status: 0 the same every time; 1 a delivery changes what the program does, or a fault is passed
over; 2 nothing could be tried; 3 the program isn't deterministic; 4 it fails as recorded; 130
Ctrl-C, and what was found so far is told."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of ``streamtape fuzz``. Their values are read when it runs."""
    parser.epilog = STATUSES
    parser.add_argument("cassette", metavar="CASSETTE")
    parser.add_argument(
        "command",
        metavar="COMMAND",
        nargs="+",
        help="the program and its arguments, after --; {url} in them is the server's address, {dir}"
        " a folder of the run's own",
    )
    parser.add_argument(
        "--runs", type=_count, default=200, metavar="N", help="deliveries to try (%(default)s)"
    )
    parser.add_argument(
        "--rewrites",
        nargs="?",
        const="wire",
        choices=("wire", "payload", "text"),
        help="other wire forms too, such as CRLF: with the same events (wire, by default), the same"
        " JSON in them, or the same text of the answer",
    )
    parser.add_argument(
        "--faults",
        action="store_true",
        help="break the stream in every way too, and tell what the program makes of it",
    )
    parser.add_argument(
        "--delivery",
        metavar="EXPRESSION",
        help="only this one, as it was printed: Delivery(cuts=(52,))",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="for what chance draws")
    parser.add_argument(
        "--jobs", type=_count, metavar="N", help="runs at once; by default one for each core"
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        metavar="SECONDS",
        help="a run that takes longer hangs; by default ten times as long as recorded, and 5 s at"
        " least. The time for the server's chunks is added",
    )
    parser.add_argument(
        "--shrink-runs",
        type=_count,
        default=100,
        metavar="N",
        help="runs to spend on making one failure small (%(default)s)",
    )
    parser.add_argument(
        "--compare-file",
        metavar="PATH",
        help="compare this file instead of standard output; without {dir} in it, one run at a time",
    )
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="REGEX",
        help="take what matches out of the output before it is compared; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="the result as JSON")


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"a number, 1 or more, not {text}")
    return count


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"a number of seconds, not {text}")
    return seconds
