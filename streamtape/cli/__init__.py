"""The command line: ``streamtape show``, ``record``, ``serve``, ``fuzz`` and others.

Here are the arguments and what all commands share: output, errors, exit status. A command that is
more than a call into the package has a module of its own, imported when it runs.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from streamtape import __version__
from streamtape.cli import curl, fuzz_arguments, proxying, serving
from streamtape.cli.output import BROKEN_PIPE, INTERRUPTED, TROUBLE, console, tell

Command = Callable[[argparse.Namespace], int]

_FORMATS = ("cassette", "vcr", "har", "asciicast")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line *argv*, by default the process's own, and give its exit status.

    Raises SystemExit for ``--help``, ``--version`` and a wrong usage, as argparse does.
    """
    from streamtape.cassette.errors import CassetteError

    options = _parser().parse_args(argv)
    run: Command = options.run
    with _warnings_told():
        try:
            return run(options)
        except BrokenPipeError:
            # Whoever read the output has enough. Python would complain again when it flushes.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return BROKEN_PIPE
        except KeyboardInterrupt:
            return INTERRUPTED
        except CassetteError as error:
            tell(str(error))
        except OSError as error:
            name = f"{error.filename}: " if error.filename is not None else ""
            tell(f"{name}{error.strerror or error}")
        return TROUBLE


@contextmanager
def _warnings_told() -> Iterator[None]:
    """Warnings in one line, without the place in our code that nobody at a terminal looks for."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = lambda message, *_: tell(f"note: {message}")
        yield


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="streamtape",
        description="Record live event streams with the time of every chunk, look at them, replay"
        " them. A first look, without a key: streamtape demo",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"streamtape {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    colour = argparse.ArgumentParser(add_help=False)
    colour.add_argument("--no-color", action="store_true", help="no colours, even on a terminal")

    def command(name: str, run: Command, summary: str, more: str = "") -> argparse.ArgumentParser:
        made = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}. {more}".strip(),
            parents=[colour],
            allow_abbrev=False,
        )
        made.set_defaults(run=run)
        return made

    show = command(
        "show",
        _show,
        "what cassettes hold: each event, when it came and in which chunks",
        "Also for .part files, HAR and asciicast.",
    )
    show.add_argument("cassettes", metavar="CASSETTE", nargs="+")
    show.add_argument(
        "--full", action="store_true", help="shorten nothing; headers and request bodies too"
    )
    show.add_argument("--interaction", type=int, metavar="N", help="only the N-th of each, from 1")

    stats = command(
        "stats",
        _stats,
        "the times of each interaction: to the first token, between events, stalls",
    )
    stats.add_argument("cassettes", metavar="CASSETTE", nargs="+")
    stats.add_argument("--json", action="store_true", help="as JSON, in milliseconds")

    record = command(
        "record",
        _record,
        "send a request as curl would, show the events live, keep them in a cassette",
        "The options are curl's, so a curl command line for a stream can be pasted; one with an"
        " option that record doesn't have is refused before anything is sent. Secrets"
        " (keys, cookies, authorization) never reach the file. Ctrl-C ends the stream and keeps"
        " what came.",
    )
    curl.add_arguments(record)
    record.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        required=True,
        help="the cassette; one that exists is replaced when the stream has ended (not where no"
        " response came at all), and a file that is no cassette is left alone",
    )
    record.add_argument(
        "--append", action="store_true", help="add to the cassette instead of replacing it"
    )
    record.epilog = (
        "Exit status: 0 the stream came to its end; 22 an HTTP error, with --fail; as curl's"
        " where it broke: 7 no connection, 18 cut off, 28 timeout, 56 read error; 130 Ctrl-C. What"
        " came is kept in each of these cases. 2: nothing was sent."
    )

    convert = command(
        "convert",
        _convert,
        "a cassette into another format, or another format into a cassette",
        "Formats are told by the names: .yaml, .yml and .json are cassettes, streamtape's or any"
        " that vcrpy reads; .har is an HTTP archive with _eventSourceMessages, as Chrome exports"
        " it; .cast is an asciicast. What a format cannot carry is said on stderr.",
    )
    convert.add_argument("source", metavar="IN")
    convert.add_argument("target", metavar="OUT", help="a file that exists is replaced")
    convert.add_argument("--from", dest="source_format", choices=_FORMATS, help="what IN is")
    convert.add_argument(
        "--to",
        dest="target_format",
        choices=_FORMATS,
        help="what OUT becomes; vcr is a cassette in plain vcrpy's own form, without a timeline",
    )

    serve = command(
        "serve",
        _serve,
        "answer requests with what cassettes hold, over HTTP, for clients in any language",
        "A request is answered by the interactions of its method, path and query, in turns. Each"
        " request is told when it is over. Ctrl-C or SIGTERM ends it.",
    )
    serving.add_arguments(serve)

    proxy = command(
        "proxy",
        _proxy,
        "record what clients in any language ask a real server for",
        "Make its address the client's base URL: requests are passed on, responses come back as"
        " they come, and are recorded without secrets. Each request is told when it is over."
        " Ctrl-C or SIGTERM ends it and writes the cassette.",
    )
    proxying.add_arguments(proxy)

    fuzz = command(
        "fuzz",
        _fuzz,
        "run a program in any language under many deliveries of a cassette",
        "It gets its streams from a replay server, as recorded and then cut, and with --rewrites"
        " written, in other ways that mean the same. Its exit status and its output have to stay"
        " the same.",
    )
    fuzz_arguments.add_arguments(fuzz)

    demo = command(
        "demo",
        _demo,
        "record a chat stream, look at it, replay it: no key, no network beyond this machine",
    )
    demo.add_argument(
        "--output",
        metavar="FILE",
        default="streamtape-demo.yaml",
        help="the cassette (%(default)s); one that the demo didn't write is left alone",
    )
    demo.add_argument(
        "--speed",
        type=_speed,
        default=1.0,
        metavar="X",
        help="how fast the server writes (%(default)s; 2 is twice as fast, 0 without pauses)",
    )
    return parser


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 <= speed < float("inf"):
        raise argparse.ArgumentTypeError(f"a number, 0 or more, not {text}")
    return speed


def _show(options: argparse.Namespace) -> int:
    from streamtape.cli.looking import show

    return show(options)


def _stats(options: argparse.Namespace) -> int:
    from streamtape.cli.looking import stats

    return stats(options)


def _record(options: argparse.Namespace) -> int:
    from streamtape.cli.record import record

    return record(options)


def _convert(options: argparse.Namespace) -> int:
    from streamtape.convert import convert

    count, notes = convert(
        options.source,
        options.target,
        source_format=options.source_format,
        target_format=options.target_format,
    )
    out = console(colour=not options.no_color)
    out.print(
        f"{options.target}: {count} interaction{'' if count == 1 else 's'}",
        markup=False,
        soft_wrap=True,
    )
    for note in notes:
        tell(f"note: {note}")
    return 0


def _serve(options: argparse.Namespace) -> int:
    from streamtape.cli.serve import serve

    return serve(options)


def _fuzz(options: argparse.Namespace) -> int:
    from streamtape.cli.fuzz import fuzz

    return fuzz(options)


def _proxy(options: argparse.Namespace) -> int:
    from streamtape.cli.proxy import proxy

    return proxy(options)


def _demo(options: argparse.Namespace) -> int:
    from streamtape.cli.demo import demo

    return demo(options)
