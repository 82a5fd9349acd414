"""A recording proxy around a block of code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamtape.server.background import Background, warn_beyond_loopback
from streamtape.server.queues import is_loopback

if TYPE_CHECKING:
    import os
    import socket
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from streamtape.cassette.filters import Secrets
    from streamtape.cassette.recording import Recording
    from streamtape.server.forwarding import Forwarding
    from streamtape.server.log import Exchange
    from streamtape.server.service import Service
    from streamtape.server.upstream import Upstream

MAX_BODY = 32 << 20
"""Bytes of the longest body that is recorded, unless told otherwise."""


class RecordingProxy(Background):
    """What `proxy` gives: a context manager for plain and for asynchronous code."""

    def __init__(  # noqa: PLR0913  # as `proxy`
        self,
        upstream: Upstream,
        recording: Recording,
        *,
        host: str,
        port: int,
        beyond_loopback: bool,
        max_body: int,
        heard: Callable[[Exchange], object] | None,
    ) -> None:
        super().__init__(host, port)
        self._upstream = upstream
        self._recording = recording
        self._beyond_loopback = beyond_loopback
        self._max_body = max_body
        self._heard = heard
        self._forwarding: Forwarding | None = None
        self.saved = False
        """After the block: whether the cassette was written. It isn't where nothing came."""

    @property
    def recorded(self) -> int:
        """How many interactions are recorded by now."""
        return self._recording.count

    @property
    def lost(self) -> int:
        """How many responses passed without being recorded: too long, or no room on the disk."""
        return 0 if self._forwarding is None else self._forwarding.lost

    @property
    def part(self) -> Path | None:
        """The file that holds what is recorded, until the cassette is written."""
        return None if self.saved else self._recording.part

    def _admit(self, host: str) -> None:
        if not (self._beyond_loopback or is_loopback(host)):
            raise ValueError(
                f"{host} is not loopback, so other machines could send requests through the proxy,"
                " and be recorded: leave the host out, or say that it is meant"
                " (beyond_loopback=True, --beyond-loopback)"
            )
        warn_beyond_loopback(host, "send requests through it, and are recorded")

    def _opened(self, listener: socket.socket) -> Service:
        from streamtape.server.forwarding import Forwarding

        self._forwarding = Forwarding(
            listener,
            self._upstream,
            self._recording,
            max_body=self._max_body,
            heard=self._heard,
        )
        return self._forwarding

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, and write the cassette; where the block failed it stays as it was."""
        try:
            super().__exit__(kind, exc, traceback)
        finally:
            self._recording.close()
        if exc is None:
            self.saved = self._recording.save()
        elif self.part is not None:
            exc.add_note(
                f"streamtape: {self._recording.path} stays as it was, since the block that recorded"
                f" it failed. What was recorded is in {self.part}, a cassette itself:"
                " `streamtape show` it"
            )


def proxy(  # noqa: PLR0913  # options, by name
    to: str,
    path: str | os.PathLike[str],
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    beyond_loopback: bool = False,
    append: bool = False,
    ca: str | os.PathLike[str] | None = None,
    max_body: int = MAX_BODY,
    secrets: Secrets | None = None,
    heard: Callable[[Exchange], object] | None = None,
) -> RecordingProxy:
    """A server that passes requests on to *to* and records the responses in the cassette *path*.

    ``with proxy("https://api.openai.com", path) as recorder``: make ``recorder.url`` the base URL
    of any client, in any language, with the path that it has at the real server. What is recorded
    names the real server's URLs. Each chunk passes as it comes, and at the client's own speed; a
    client that leaves closes the stream from the server; where that breaks the client's breaks in
    the same way. Redirects aren't followed. Timeouts are the client's own.

    It runs in a thread with a loop of its own. The cassette is written when the block ends well;
    until then each finished interaction is in ``NAME.yaml.part``. *append*: what the cassette has
    stays. *secrets*: as in `use_cassette`. Certificates are verified, against the system's and
    those in *ca*, a file of PEM. The environment's ``HTTPS_PROXY`` and its relatives are heeded.

    A response of more than *max_body* bytes (as they travel) passes and is not recorded;
    ``recorder.lost`` counts those. A request may have 64 MiB. ``log`` is as that of `serve`,
    without the requests' bodies, and so is *heard*. A *host* beyond loopback is refused unless
    *beyond_loopback* says that it is meant, and is warned of then.

    Raises ValueError for an upstream that is no URL of HTTP, and on entering the block for a host
    that was refused; `CassetteError` for a file at *path* that is no cassette; OSError where
    nothing can be written there, and on entering the block where the address can't be had.
    """
    from streamtape.cassette.recording import Recording
    from streamtape.server.upstream import Upstream

    if max_body < 0:
        raise ValueError(f"max_body must be 0 or more, not {max_body}")
    return RecordingProxy(
        Upstream(to, ca=ca),
        Recording(path, secrets=secrets, append=append),
        host=host,
        port=port,
        beyond_loopback=beyond_loopback,
        max_body=max_body,
        heard=heard,
    )
