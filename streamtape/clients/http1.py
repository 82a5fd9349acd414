"""HTTP/1.1 as bytes, for clients whose seam is a socket or a protocol object.

Three one-way converters, on h11: what a client writes becomes requests, what a server sent becomes
a take, and a tape that is played becomes what a server would have sent. None of them touches a
socket or a clock.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import h11

from streamtape.clients.breaks import no_status_line
from streamtape.tape import Request

if TYPE_CHECKING:
    from streamtape.clients.playback import Playback
    from streamtape.clients.take import Take
    from streamtape.tape import ErrorKind, Headers

# h11 gives up on a longer head, for a server's sake; a client's own head is never too long.
_HEAD_LIMIT = 1 << 24
_NO_ANSWER = "Server disconnected without sending a response."  # as httpx says it
_FRAMING_HEADERS = frozenset({"transfer-encoding", "content-length"})


class NotHTTPError(ValueError):
    """A client writes what is no HTTP/1.1."""


class RequestReader:
    """What a client writes on one connection, as whole requests."""

    def __init__(self, base: str) -> None:
        """*base*: scheme, host and port before each target: ``https://example.test:8443``."""
        self._base = base
        self._restart(b"")

    def _restart(self, data: bytes) -> None:
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_LIMIT)
        self._request: h11.Request | None = None
        self._body: list[bytes] = []
        self.begun = bool(data)
        if data:
            self._h11.receive_data(data)

    @property
    def waits_for_continue(self) -> bool:
        """Whether the client waits for ``100 Continue`` before it sends the body."""
        return self._h11.they_are_waiting_for_100_continue

    def feed(self, data: bytes) -> list[Request]:
        """The requests that *data* completes; ``begun`` says whether it left one unfinished.

        A target in absolute form (to a proxy) is the whole URL. Raises `NotHTTPError` where this
        isn't HTTP/1.1.
        """
        if not data:
            return []  # to h11 it means that the client has gone
        self.begun = True
        try:
            self._h11.receive_data(data)
            return self._read()
        except h11.RemoteProtocolError as exc:
            raise NotHTTPError(
                f"a client was about to send to {self._base} what is no HTTP/1.1 ({exc}), so no"
                " tape can answer it, and nothing of it was sent. HTTP/2 has to be off in a client"
                " that speaks it by itself"
            ) from exc

    def _read(self) -> list[Request]:
        requests = []
        while event := _next_of(self._h11):
            if isinstance(event, h11.Request):
                self._request = event
            elif isinstance(event, h11.Data):
                self._body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                requests.append(self._whole())
                self._restart(self._h11.trailing_data[0])
        return requests

    def _whole(self) -> Request:
        request = self._request
        assert request is not None
        target = request.target.decode("latin-1")
        absolute = target.startswith(("http://", "https://"))
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in request.headers.raw_items()
        ]
        return Request(
            request.method.decode("ascii"),
            target if absolute else self._base + target,
            headers,
            b"".join(self._body),
        )


class ResponseTee:
    """Notes in a take what a server sent: told of each read, it changes none and never raises."""

    def __init__(self, take: Take, method: str, *, hints_are_final: bool = False) -> None:
        """*method*: the request's, which says whether the response has a body.

        *hints_are_final*: the client takes a ``103 Early Hints`` (any 1xx but 100) for the answer.
        """
        self.take = take
        self._hints_are_final = hints_are_final
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_LIMIT)
        self._h11.send(h11.Request(method=method, target="/", headers=[("host", "-")]))
        self._h11.send(h11.EndOfMessage())
        self._head = False

    def feed(self, asked_ns: int, got_ns: int, data: bytes) -> None:
        """*data* came in one read, asked for and got at these times on the take's clock.

        Each transfer chunk in it, or the part of one, is a chunk of the tape.
        """
        if self.take.ending is None and data:
            self._note(asked_ns, got_ns, data)

    def eof(self, asked_ns: int | None = None) -> None:
        """The server closed its side, and the client read that."""
        if self.take.ending is not None:
            return
        now = self.take.clock()
        self._note(now if asked_ns is None else asked_ns, now, b"")
        self._break_off(asked_ns)
        # h11 has no words for a server that says nothing at all.
        self.take.finish("error", "protocol", _NO_ANSWER, asked=asked_ns)

    def error(self, kind: ErrorKind, text: str, asked_ns: int | None = None) -> None:
        """The connection broke."""
        self.take.finish("error", kind, text, asked=asked_ns)

    def closed(self) -> None:
        """The client has left: by itself, or since what came is no HTTP."""
        self._break_off()
        self.take.finish("closed")

    def _break_off(self, asked_ns: int | None = None) -> None:
        """End the take where no client would have waited for the rest of this head."""
        if self._head or self.take.ending is not None:
            return
        if (text := no_status_line(self._h11.trailing_data[0])) is not None:
            self.take.finish("error", "protocol", text, asked=asked_ns)

    def _begin(self, event: h11.Response | h11.InformationalResponse) -> None:
        self._head = True
        self.take.head(event.status_code, _text(event.reason), _pairs(event), _version(event))

    def _note(self, asked_ns: int, got_ns: int, data: bytes) -> None:
        take = self.take
        try:
            self._h11.receive_data(data)
            while event := _next_of(self._h11):
                if isinstance(event, h11.Data):
                    take.reads.extend((asked_ns, got_ns, bytes(event.data)))
                elif isinstance(event, h11.Response):
                    self._begin(event)
                    # No chunk comes before its head.
                    got_ns = take.clock()
                elif isinstance(event, h11.EndOfMessage):
                    take.finish("eof", asked=asked_ns)
                elif isinstance(event, h11.InformationalResponse):
                    if self._hints_are_final and event.status_code != HTTPStatus.CONTINUE:
                        self._begin(event)
                        take.finish("eof")
                        return
                elif isinstance(event, h11.ConnectionClosed):
                    return
        except h11.RemoteProtocolError as exc:
            text = str(exc) if data or self._head else _NO_ANSWER
            take.finish("error", "protocol", text, asked=asked_ns)


class ResponseBytes:
    """A tape that is played, as a server would have sent it.

    ``head`` comes first, then each chunk as `piece` makes it, then ``end`` where the stream ends
    properly. ``bodiless``: nothing comes after the head. ``length``: the body's, where the head
    promises it; the client takes the response for whole when it has as much. ``chunked``: it is
    sent in transfer chunks.

    A stream is sent in transfer chunks, whatever it came in, since clients show no other cuts. What
    is no stream keeps the framing that its headers tell, where they are true.
    """

    def __init__(self, playback: Playback, method: str) -> None:
        """*method*: the request's."""
        tape = playback.tape
        self.bodiless = method == "HEAD" or tape.status in {204, 304} or tape.status < HTTPStatus.OK
        headers = list(tape.headers)
        if playback.coding is not None:
            headers.append(("content-encoding", playback.coding))
        self.length = None if self.bodiless else _length(playback, headers)
        self.chunked = (
            not self.bodiless and self.length is None and not _ends_with_connection(playback)
        )
        if self.chunked:
            headers = [pair for pair in headers if pair[0].lower() not in _FRAMING_HEADERS]
            headers.append(("transfer-encoding", "chunked"))
        elif not self.bodiless:
            headers = [pair for pair in headers if pair[0].lower() != "transfer-encoding"]
        self.end = b"0\r\n\r\n" if self.chunked else b""
        self.head = _head(playback, headers)

    def piece(self, data: bytes) -> bytes:
        """One chunk on the wire. An empty one is nothing there: it would end the body."""
        if not data or self.bodiless:
            return b""
        return b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data


def _length(playback: Playback, headers: Headers) -> int | None:
    """The length that the head promises, where it may: of no stream, and true or cut short."""
    tape = playback.tape
    names = {name.lower() for name, _ in headers}
    if tape.framing != "raw" or playback.coding is not None or "transfer-encoding" in names:
        return None
    promised = next((value for name, value in headers if name.lower() == "content-length"), "")
    if not promised.isdecimal():
        return None
    length, came = int(promised), len(tape.body)
    if length == came:
        return length if tape.ending.kind in {"eof", "closed"} else None
    return length if length > came and tape.ending.kind != "eof" else None


def _ends_with_connection(playback: Playback) -> bool:
    """Whether the body ends where the connection does, as it did for the recorded client."""
    tape = playback.tape
    names = {name.lower() for name, _ in tape.headers}
    return (
        tape.framing == "raw"
        and playback.coding is None
        and not names & _FRAMING_HEADERS
        and len(tape.chunks) <= 1
        and tape.ending.kind in {"eof", "closed"}
    )


def _head(playback: Playback, headers: Headers) -> bytes:
    tape = playback.tape
    version = "HTTP/1.0" if tape.http_version == "HTTP/1.0" else "HTTP/1.1"
    reason = tape.reason
    if not reason and not tape.timed and tape.status in HTTPStatus._value2member_map_:
        reason = HTTPStatus(tape.status).phrase
    lines = [f"{version} {tape.status} {reason}", *(f"{name}: {value}" for name, value in headers)]
    return b"\r\n".join([*map(_line, lines), b"", b""])


def _line(text: str) -> bytes:
    # Anything may stand there, by hand or by another recorder; a line end would begin a new header.
    text = " ".join(text.splitlines()) if "\n" in text or "\r" in text else text
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def _next_of(connection: h11.Connection) -> h11.Event | None:
    event: Any = connection.next_event()
    return None if event is h11.NEED_DATA or event is h11.PAUSED else event


def _text(raw: bytes) -> str:
    return bytes(raw).decode("latin-1")


def _pairs(event: h11.Response | h11.InformationalResponse) -> Headers:
    return [(_text(name), _text(value)) for name, value in event.headers.raw_items()]


def _version(event: h11.Response | h11.InformationalResponse) -> str:
    return f"HTTP/{_text(event.http_version)}"
