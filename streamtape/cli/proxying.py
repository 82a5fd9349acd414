"""The arguments of ``streamtape proxy``."""

from __future__ import annotations

import argparse

_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give *parser* those of ``streamtape proxy``."""
    parser.add_argument(
        "--to", metavar="URL", required=True, help="the real server: https://api.openai.com"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        required=True,
        help="the cassette; one that exists is replaced in the end, if anything was recorded, and a"
        " file that is no cassette is left alone",
    )
    parser.add_argument(
        "--append", action="store_true", help="add to the cassette instead of replacing it"
    )
    parser.add_argument("--port", type=int, default=0, metavar="N", help="by default a free one")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="%(default)s by default; one that is not loopback needs --beyond-loopback",
    )
    parser.add_argument(
        "--beyond-loopback",
        action="store_true",
        help="let other machines send requests through the proxy, which are recorded",
    )
    parser.add_argument(
        "--ca", metavar="FILE", help="trust the certificates in this file (PEM) too"
    )
    parser.add_argument(
        "--max-body",
        type=_size,
        default="32M",
        metavar="SIZE",
        help="longer responses pass and are not kept (%(default)s; K, M and G are units)",
    )
    parser.epilog = (
        "Exit status: 0 all that passed is in the cassette; 1 something passed that isn't; 2"
        " nothing could be recorded; 130 interrupted while the cassette was being written."
    )


def _size(text: str) -> int:
    number, unit = (
        (text[:-1], _UNITS[text[-1].upper()]) if text[-1:].upper() in _UNITS else (text, 1)
    )
    if not number.isdecimal():
        raise argparse.ArgumentTypeError(f"a number of bytes such as 500K, 32M or 2G, not {text}")
    return int(number) * unit
