"""What lets the script of a web page read a response of another origin (Fetch, "CORS protocol")."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamtape.server.requests import Received
    from streamtape.tape import Headers

PREFIX = "access-control-"


def is_preflight(request: Received) -> bool:
    """Whether a browser asks on its own whether a page may send a request."""
    return (
        request.request.method == "OPTIONS"
        and request.header("origin") is not None
        and request.header("access-control-request-method") is not None
    )


def preflight_headers(request: Received) -> Headers:
    """Yes to whatever is asked."""
    headers = _allowed(request.header("origin"))
    headers += [
        ("access-control-allow-methods", request.header("access-control-request-method") or "*"),
        ("access-control-allow-headers", request.header("access-control-request-headers") or "*"),
        ("access-control-max-age", "600"),
    ]
    if request.header("access-control-request-private-network") is not None:
        headers.append(("access-control-allow-private-network", "true"))
    return headers


def headers_for(request: Received, response: Headers) -> Headers:
    """What the page that sent *request* may read of *response*: all of it. Nothing for others."""
    origin = request.header("origin")
    if origin is None:
        return []
    names = ", ".join(dict.fromkeys(name.lower() for name, _ in response))
    exposed = [("access-control-expose-headers", names)] if names else []
    return [*_allowed(origin), *exposed]


def _allowed(origin: str | None) -> Headers:
    # The origin itself, since a request with credentials isn't content with a star.
    return [
        ("access-control-allow-origin", origin or "*"),
        ("access-control-allow-credentials", "true"),
        ("vary", "origin"),
    ]
