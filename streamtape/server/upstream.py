"""The server behind a proxy: how it is asked what a client asked the proxy for."""

from __future__ import annotations

import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from streamtape.server.requests import BadRequestError

if TYPE_CHECKING:
    import os

    from streamtape.server.requests import Received
    from streamtape.tape import Headers

# RFC 9110, 7.6.1: of one connection, and so not to be passed on; what `Connection` names comes to
# them. `Expect` has been answered, and `Host` is the upstream's.
_OF_ONE_CONNECTION = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_NOT_SENT = _OF_ONE_CONNECTION | {"expect", "host"}
_URLS = ("location", "content-location")


def passed_on(headers: Headers, without: frozenset[str] = _OF_ONE_CONNECTION) -> Headers:
    """*headers* without those of one connection (RFC 9110, 7.6.1)."""
    named = {
        option.strip().lower()
        for name, value in headers
        if name.lower() == "connection"
        for option in value.split(",")
    }
    return [(name, value) for name, value in headers if name.lower() not in named | without]


class Upstream:
    """The server at *url*, a base URL, to which a request's own path is appended.

    ``client`` (httpx2's) asks it. It has no timeouts: those are the business of the client in
    front. Certificates are verified, against those of *ca* too, a file of PEM.

    Raises ValueError for a URL that is none of HTTP or has more than a path, OSError for a *ca*
    that can't be read.
    """

    def __init__(self, url: str, *, ca: str | os.PathLike[str] | None = None) -> None:
        import httpx2

        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url} is no URL of HTTP: write https://HOST or https://HOST/PATH")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError(
                f"{url} is more than scheme, host, port and path: leave the rest out, and have the"
                " client send its own credentials"
            )
        try:
            self._url = httpx2.URL(url)
        except httpx2.InvalidURL as error:
            raise ValueError(f"{url}: {error}") from error
        self.url = url.rstrip("/")
        """Without a slash at its end."""
        self._base = self._url.raw_path.rstrip(b"/")
        # Loading the certificates takes as long as all the rest.
        verify: ssl.SSLContext | bool = True
        if parts.scheme == "https":
            verify = httpx2.create_ssl_context()
            if ca is not None:
                try:
                    verify.load_verify_locations(ca)
                except ssl.SSLError as error:
                    raise ValueError(f"{ca} holds no certificates in PEM: {error}") from error
        self.client = httpx2.AsyncClient(
            verify=verify,
            timeout=httpx2.Timeout(None),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),
        )

    def request(self, received: Received) -> Any:
        """*received* as httpx2's request to the upstream.

        No header is added to those of the client, a ``Via`` neither: a server may answer others
        than it would without the proxy, and that would be recorded.

        Raises `BadRequestError` for what no such proxy can do.
        """
        import httpx2

        method = received.request.method
        if method == "CONNECT" or received.is_for_proxies:
            raise BadRequestError(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"this proxy stands in the place of {self.url}: make its address the client's base"
                " URL, not its HTTP_PROXY",
            )
        if not received.target.startswith("/"):
            raise BadRequestError(HTTPStatus.BAD_REQUEST, f"{received.target} is no path")
        target = self._base + received.target.encode("latin-1")
        headers = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in passed_on(received.headers, _NOT_SENT)
        ]
        body = received.request.body
        # As the client has written it: a URL of httpx2's own may be quoted otherwise.
        return httpx2.Request(
            method,
            self._url.copy_with(raw_path=target),
            headers=headers,
            content=body or None,
            extensions={"target": target},
        )

    def seen_from(self, host: str, headers: Headers) -> Headers:
        """*headers* of a response as those need them who know the upstream as *host*.

        A URL that points at the upstream itself points at the proxy; any other stays.
        """
        return [
            (name, self._moved(host, value) if name.lower() in _URLS else value)
            for name, value in headers
        ]

    def _moved(self, host: str, location: str) -> str:
        import httpx2

        try:
            there = self._url.join(location)
            relative = not urlsplit(location).netloc
        except (httpx2.InvalidURL, ValueError):
            return location
        base = self._base.decode("ascii")
        path = there.raw_path.decode("ascii")
        inside = not base or path == base or path.startswith((f"{base}/", f"{base}?"))
        same = (there.scheme, there.host, _port(there)) == (
            self._url.scheme,
            self._url.host,
            _port(self._url),
        )
        if not same or not inside or (relative and (not base or not location.startswith("/"))):
            return location
        fragment = f"#{there.fragment}" if there.fragment else ""
        path = path.removeprefix(base)
        path = path if path.startswith("/") else f"/{path}"
        return f"{path}{fragment}" if relative else f"http://{host}{path}{fragment}"


def _port(url: Any) -> int:
    return url.port or {"http": 80, "https": 443}.get(url.scheme, 0)
