"""A stream on the screen while it runs: a row for each event, at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamtape import providers
from streamtape.clock import now_ns
from streamtape.report.layout import Layout
from streamtape.report.printable import of_bytes, one_line
from streamtape.report.rows import Row
from streamtape.report.text import put, status_text
from streamtape.wire.framing import detect, event_reader

if TYPE_CHECKING:
    from rich.console import Console

    from streamtape.report.rows import Kind
    from streamtape.wire.framing import EventReader
    from streamtape.wire.sse import Event

_STALL_NS = 1_000_000_000


class Watch:
    """Tell it what the client gets. Times are the client's, a little later than the tape's."""

    def __init__(self, console: Console, *, silent: bool = False) -> None:
        self.answered = False
        """Whether the head of a response has come."""
        self._console = console
        self._silent = silent
        self._started_ns = self._before_ns = 0
        self._content_type: str | None = None
        self._reader: EventReader | None = None
        self._begun = False
        self._rows = 0
        self._may_have_tokens = False
        self._layout: Layout | None = None

    def start(self) -> None:
        """The request is sent now."""
        self._started_ns = now_ns()

    def head(self, status: int, reason: str, content_type: str | None) -> None:
        """The response's head has come."""
        self.answered = True
        self._before_ns = now_ns() - self._started_ns
        self._content_type = content_type
        if not self._silent:
            line = status_text(status, reason)
            line.append(f" · {one_line(content_type or 'no content type')}")
            put(self._console, line.append(f" · after {self._before_ns / 1e6:,.1f} ms"))

    def chunk(self, data: bytes) -> None:
        """A piece of the body has come, its content coding removed."""
        if self._silent or not data:
            return
        at_ns = now_ns() - self._started_ns
        if not self._begun:
            self._begun = True
            self._reader = event_reader(detect(data, self._content_type))
        if self._reader is None:
            self._row(at_ns, "chunk", "", of_bytes(data))
            return
        for event in self._reader.feed(data):
            self._event(at_ns, event)

    def _event(self, at_ns: int, event: Event) -> None:
        # Plain text is its own token: no need to show it twice.
        self._may_have_tokens = providers.detect([event]) is not providers.GENERIC
        self._row(at_ns, "event", event.type, event.data, providers.token_text(event))

    def _row(self, at_ns: int, kind: Kind, name: str, data: str, token: str = "") -> None:
        if self._layout is None:
            width = self._console.width
            self._layout = Layout.live(
                width, typed=name not in ("", "message"), tokens=self._may_have_tokens
            )
            put(self._console, self._layout.heading())
        gap_ns = at_ns - self._before_ns
        row = Row(
            at_ns=at_ns,
            gap_ns=gap_ns,
            first_chunk=0,
            last_chunk=0,
            late=False,
            stalled=self._rows > 0 and gap_ns > _STALL_NS,
            kind=kind,
            type=name,
            data=data,
            token=token,
        )
        self._before_ns = at_ns
        self._rows += 1
        put(self._console, self._layout.row(row, "", self._console))
