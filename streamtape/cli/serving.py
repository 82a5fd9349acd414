"""The arguments of commands that serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of ``streamtape serve``. Their values are read when it runs."""
    parser.add_argument("cassettes", metavar="CASSETTE", nargs="+")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="by default a free one")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="%(default)s by default; with any that is not loopback other machines can connect",
    )
    parser.add_argument(
        "--delivery", metavar="EXPRESSION", help="how streams are delivered: Delivery(cuts='bytes')"
    )
    parser.add_argument(
        "--pace",
        metavar="PACE",
        help="recorded, instant, or a number by which the recorded speed is multiplied; the"
        " delivery's own by default, which is instant where it says nothing",
    )
    parser.add_argument(
        "--fuzz", type=int, metavar="SEED", help="draw the cuts of each response by this seed"
    )
    parser.add_argument(
        "--wire",
        default="",
        metavar="WORDS",
        help="how bodies are framed: chunked, content-length or close, chunk-size=N,"
        " no-keep-alive, half-close, with commas between",
    )
    parser.add_argument(
        "--control",
        action="store_true",
        help="let clients choose the delivery by the header x-streamtape-delivery",
    )
