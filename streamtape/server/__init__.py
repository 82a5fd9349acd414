"""Tapes over a socket, for clients in any language: the replay server, and the recording proxy.

HTTP/1.1 on anyio. h11 parses requests; the bytes of responses are written here, since what is
tested is what a client makes of bytes that no library would write.
"""

from __future__ import annotations

from streamtape.server.background import BeyondLoopbackWarning
from streamtape.server.log import Exchange
from streamtape.server.proxying import RecordingProxy, proxy
from streamtape.server.serving import ReplayServer, serve
from streamtape.server.wire import Wire

__all__ = [
    "BeyondLoopbackWarning",
    "Exchange",
    "RecordingProxy",
    "ReplayServer",
    "Wire",
    "proxy",
    "serve",
]
