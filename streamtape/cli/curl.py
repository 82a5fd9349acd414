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
from urllib.parse import quote_plus, urlsplit, urlunsplit

from streamtape import __version__
from streamtape.cli import curl_flags

Kind = Literal["ascii", "raw", "binary", "urlencode", "json"]


@dataclass(frozen=True, slots=True)
class Data:
    """One ``-d`` or one of its relatives."""

    kind: Kind
    text: str

    def read(self) -> bytes:
        """The bytes that it stands for. Raises OSError."""
        if self.kind == "urlencode":
            return self._encoded()
        if self.kind == "raw" or not self.text.startswith("@"):
            return _bytes(self.text)
        content = _content(self.text[1:])
        if self.kind == "ascii":
            return content.translate(None, b"\r\n\0")
        return content

    def _encoded(self) -> bytes:
        name, separator, value = self.text.partition("=")
        if not separator:
            name, separator, value = self.text.partition("@")
        if not separator:
            name, value = "", self.text
        content = _content(value) if separator == "@" else _bytes(value)
        encoded = quote_plus(content).encode()
        return b"%b=%b" % (_bytes(name), encoded) if name else encoded


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _content(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()


@dataclass(frozen=True, slots=True)
class CurlRequest:
    """What curl would send; ``headers`` are all but Host and those on the body's length.

    ``proxy`` is the URL of the proxy, '' for none at all, None for what the environment says.
    """

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes | None
    proxy: str | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give *parser* curl's options and the URL."""
    parser.add_argument(
        "url", metavar="URL", nargs="?", help="http:// is put before one without a scheme"
    )
    parser.add_argument("--url", metavar="URL", dest="url_option", help="the same as an option")
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
        ("--data-urlencode", "urlencode", "as -d, percent-encoded: TEXT, NAME=TEXT or NAME@FILE"),
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
    parser.add_argument(
        "-G", "--get", action="store_true", help="put the data into the URL and send a GET"
    )
    parser.add_argument("-u", "--user", metavar="USER:PASSWORD", help="basic authentication")
    parser.add_argument("-A", "--user-agent", metavar="NAME", help="streamtape's own by default")
    parser.add_argument("-b", "--cookie", metavar="'NAME=VALUE'", help="send a cookie")
    parser.add_argument("-e", "--referer", metavar="URL", help="say where the link was")
    parser.add_argument("-L", "--location", action="store_true", help="follow redirects")
    parser.add_argument("-x", "--proxy", metavar="URL", help="go through this HTTP proxy")
    parser.add_argument(
        "-k", "--insecure", action="store_true", help="take any certificate of the server"
    )
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
        "-f",
        "--fail",
        "--fail-with-body",
        action="store_true",
        help="exit with 22 where the server says 400 or more",
    )
    parser.add_argument(
        "-s", "--silent", action="store_true", help="print nothing but what goes wrong"
    )
    parser.add_argument(
        *curl_flags.NO_OPS, dest=argparse.SUPPRESS, action="store_true", help=argparse.SUPPRESS
    )
    curl_flags.add_others(parser)


def request_of(options: argparse.Namespace) -> CurlRequest:
    """The request that *options* describe.

    Raises OSError for a file that can't be read, ValueError for a header without a colon, and for a
    URL (or a proxy's) that is missing, given twice or isn't of HTTP.
    """
    data: list[Data] = options.data
    body = _body(data) if data else None
    url = _http(_one_url(options), "URL")
    if options.get and body is not None:
        url, body = _with_query(url, body), None
    headers = {"accept": ("Accept", "*/*"), "user-agent": ("User-Agent", _agent(options))}
    if options.compressed:
        headers["accept-encoding"] = ("Accept-Encoding", "deflate, gzip, br, zstd")
    if options.user is not None:
        headers["authorization"] = ("Authorization", _basic(options.user))
    if options.cookie is not None:
        headers["cookie"] = ("Cookie", options.cookie)
    # curl sets it by itself where it follows a redirect; the client doesn't.
    if referer := (options.referer or "").removesuffix(";auto"):
        headers["referer"] = ("Referer", referer)
    if any(each.kind == "json" for each in data):
        headers["content-type"] = ("Content-Type", "application/json")
        headers["accept"] = ("Accept", "application/json")
    elif body is not None:
        headers["content-type"] = ("Content-Type", "application/x-www-form-urlencoded")
    return CurlRequest(
        options.request or ("GET" if body is None else "POST"),
        url,
        _headers(headers, options.header),
        body,
        _http(options.proxy, "proxy") if options.proxy else options.proxy,
    )


def _one_url(options: argparse.Namespace) -> str:
    given: list[str] = [url for url in (options.url, options.url_option) if url is not None]
    if len(given) != 1:
        seen = " and ".join(given) or "no URL"
        raise ValueError(f"{seen}: record sends one request, so give one URL")
    return given[0]


def _http(url: str, what: str) -> str:
    url = url if "://" in url else f"http://{url}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        path = "/PATH" if what == "URL" else ":PORT"
        raise ValueError(f"{url} is no {what} of HTTP: write https://HOST{path}")
    return url


def _with_query(url: str, query: bytes) -> str:
    parts = urlsplit(url)
    more = [parts.query] if parts.query else []
    query_text = query.decode(errors="surrogateescape")
    return urlunsplit(parts._replace(query="&".join([*more, query_text])))


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
