"""Tapes over a socket: the replay server, for clients in any language and for browsers.

HTTP/1.1 on anyio. h11 parses requests; the bytes of responses are written here, since what is
tested is what a client makes of bytes that no library would write.
"""

from __future__ import annotations

from streamtape.server.log import Exchange
from streamtape.server.serving import BeyondLoopbackWarning, ReplayServer, serve
from streamtape.server.wire import Wire

__all__ = ["BeyondLoopbackWarning", "Exchange", "ReplayServer", "Wire", "serve"]
