"""The request that curl would send for the same options.

curl's manual (https://curl.se/docs/manpage.html) says what they mean; those left out here concern
what `streamtape record` does differently (its output) or does not do (uploads, other protocols).
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from streamtape import __version__

Kind = Literal["ascii", "raw", "binary", "json"]


@dataclass(frozen=True, slots=True)
class Data:
    """One ``-d`` or one of its relatives."""

    kind: Kind
    text: str

    def read(self) -> bytes:
        """The bytes that it stands for. Raises OSError."""
        if self.kind == "raw" or not self.text.startswith("@"):
            return self.text.encode(errors="surrogateescape")
        name = self.text[1:]
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        if self.kind == "ascii":
            return content.translate(None, b"\r\n\0")
        return content


@dataclass(frozen=True, slots=True)
class CurlRequest:
    """What curl would send; ``headers`` are all but Host and those on the body's length."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give *parser* curl's options and the URL."""
    parser.add_argument("url", metavar="URL", help="http:// is put before one without a scheme")
    parser.add_argument(
        "-X", "--request", metavar="METHOD", help="GET, or POST where there is data"
    )
    parser.add_argument(
        "-H",
        "--header",
        metavar="'NAME: VALUE'",
        action="append",
        default=[],
        help="'NAME:' takes a default one away, 'NAME;' sends it empty",
    )
    parser.add_argument(
        "-d",
        "--data",
        "--data-ascii",
        metavar="DATA",
        dest="data",
        action="append",
        default=[],
        type=partial(Data, "ascii"),
        help="the body, by default as a form; several are joined by &. @FILE reads a file and drops"
        " its line ends, @- reads standard input",
    )
    relatives: tuple[tuple[str, Kind, str], ...] = (
        ("--data-raw", "raw", "as -d, but @ means nothing"),
        ("--data-binary", "binary", "as -d, but a file is sent as it is"),
        ("--json", "json", "the body as JSON, with the headers that say so"),
    )
    for option, kind, what in relatives:
        parser.add_argument(
            option,
            metavar="DATA",
            dest="data",
            action="append",
            type=partial(Data, kind),
            help=what,
        )
    parser.add_argument("-u", "--user", metavar="USER:PASSWORD", help="basic authentication")
    parser.add_argument("-A", "--user-agent", metavar="NAME", help="streamtape's own by default")
    parser.add_argument("-b", "--cookie", metavar="'NAME=VALUE'", help="send a cookie")
    parser.add_argument("-L", "--location", action="store_true", help="follow redirects")
    parser.add_argument(
        "--compressed", action="store_true", help="ask for a content coding (gzip, …)"
    )
    parser.add_argument(
        "-m", "--max-time", metavar="S", type=float, help="leave the stream after so many seconds"
    )
    parser.add_argument(
        "--connect-timeout", metavar="S", type=float, default=300.0, help="%(default)g by default"
    )
    parser.add_argument(
        "-f", "--fail", action="store_true", help="exit with 22 where the server says 400 or more"
    )
    parser.add_argument(
        "-s", "--silent", action="store_true", help="print nothing but what goes wrong"
    )
    for flags in (("-S", "--show-error"), ("-N", "--no-buffer")):
        parser.add_argument(*flags, action="store_true", help=argparse.SUPPRESS)


def request_of(options: argparse.Namespace) -> CurlRequest:
    """The request that *options* describe.

    Raises OSError for a file that can't be read, ValueError for a header without a colon and for a
    URL that isn't of HTTP.
    """
    data: list[Data] = options.data
    body = _body(data) if data else None
    url = options.url if "://" in options.url else f"http://{options.url}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url} is no URL of HTTP: write https://HOST/PATH")
    headers = {"accept": ("Accept", "*/*"), "user-agent": ("User-Agent", _agent(options))}
    if options.compressed:
        headers["accept-encoding"] = ("Accept-Encoding", "deflate, gzip, br, zstd")
    if options.user is not None:
        headers["authorization"] = ("Authorization", _basic(options.user))
    if options.cookie is not None:
        headers["cookie"] = ("Cookie", options.cookie)
    if any(each.kind == "json" for each in data):
        headers["content-type"] = ("Content-Type", "application/json")
        headers["accept"] = ("Accept", "application/json")
    elif data:
        headers["content-type"] = ("Content-Type", "application/x-www-form-urlencoded")
    return CurlRequest(
        options.request or ("GET" if body is None else "POST"),
        url,
        _headers(headers, options.header),
        body,
    )


def _body(data: list[Data]) -> bytes:
    body = b""
    for each in data:
        if body and each.kind != "json":
            body += b"&"
        body += each.read()
    return body


def _agent(options: argparse.Namespace) -> str:
    return f"streamtape/{__version__}" if options.user_agent is None else options.user_agent


def _basic(user: str) -> str:
    import base64
    import getpass

    if ":" not in user:
        user = f"{user}:{getpass.getpass(f'Password for {user}: ')}"
    return f"Basic {base64.b64encode(user.encode()).decode()}"


def _headers(defaults: dict[str, tuple[str, str]], given: list[str]) -> list[tuple[str, str]]:
    """The *given* headers, and the *defaults* that they neither replace nor take away."""
    headers = []
    for line in given:
        name, colon, value = line.partition(":")
        if not colon:
            name, semicolon, rest = line.partition(";")
            if not semicolon or rest.strip():
                raise ValueError(
                    f"{line!r} is no header: write 'NAME: VALUE', or 'NAME:' to send none"
                )
        defaults = {key: pair for key, pair in defaults.items() if key != name.strip().lower()}
        if value.strip() or not colon:
            headers.append((name.strip(), value.strip()))
    return [*defaults.values(), *headers]
