"""``streamtape record``: one request, its events live on the screen, its delivery in a cassette."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
from rich.text import Text

from streamtape.cassette.errors import CassetteError
from streamtape.cassette.library import load, use_cassette
from streamtape.cli import curl
from streamtape.cli.output import BROKEN_PIPE, INTERRUPTED, TROUBLE, console, tell
from streamtape.cli.signals import as_ctrl_c
from streamtape.cli.watch import Watch
from streamtape.report.printable import one_line
from streamtape.report.text import counted, ending_text, put, put_folded, seconds, size

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from streamtape.tape import ErrorKind, Tape

HTTP_ERROR = 22
MAX_TIME = 28
NO_DECODING = 61
_OTHER = 1
# curl's, where it has one for the same failure.
_STATUSES: dict[ErrorKind | None, int] = {
    "connect": 7,
    "connect-timeout": 28,
    "pool": 7,
    "protocol": 18,
    "read": 56,
    "read-timeout": 28,
    "write": 55,
}


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How the exchange went: an exit status, and what to say where it isn't 0."""

    status: int = 0
    message: str = ""
    answered: bool = True


def record(options: argparse.Namespace) -> int:
    """Run the command with its parsed *options*. Raises OSError and `CassetteError`."""
    path = Path(options.output)
    try:
        request = curl.request_of(options)
        _require_writable(path)
    except ValueError as error:
        tell(str(error))
        return TROUBLE
    if options.insecure:
        tell(
            "note: with -k the server's certificate isn't checked: whoever is in between can read"
            " and change everything, and take your key"
        )
    out = console(colour=not options.no_color)
    existed = path.exists()
    context = (
        # vcrpy's mode "all" replaces what was recorded before for the same request.
        use_cassette(path, record_mode="all", match_on=[_no_two_are_the_same])
        if options.append
        else use_cassette(path, record_mode="rewrite")
    )
    with context as cassette:
        outcome = _exchange(request, options, out)
        cassette.settle()
        # With redirects, the last of what was recorded; none where nothing was sent.
        tape = cassette.tapes[-1] if cassette.dirty else None
        if existed and not outcome.answered:
            context.keep_file()
    if outcome.status == BROKEN_PIPE:
        return BROKEN_PIPE
    if outcome.status == INTERRUPTED and out.is_terminal:
        put(out, Text())  # the terminal has written ^C
    if tape is not None and not options.silent:
        _tell(request, tape, options, out, written=context.part is None)
    if outcome.message:
        tell(outcome.message)
    if context.part is not None:
        tell(f"{path} stays as it was; what became of this request is in {context.part}")
    if tape is not None and outcome.status == _OTHER:
        return _STATUSES.get(tape.ending.error, _OTHER)
    return outcome.status


def _no_two_are_the_same(_: object, __: object) -> bool:
    """Compare requests: by this, every one is another."""
    return False


def _require_writable(path: Path) -> None:
    """Find out before anything is sent, which may cost money.

    Raises ValueError for a file that is there and no cassette, since it was hardly meant, and for a
    folder in which nothing can be written.
    """
    if path.exists():
        try:
            load(path)
        except CassetteError as error:
            raise ValueError(
                f"{path} exists and is no cassette, so it stays as it is: give -o another name"
            ) from error
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ValueError(f"{path}: nothing can be written in {folder}")


def _exchange(request: curl.CurlRequest, options: argparse.Namespace, out: Console) -> _Outcome:
    watch = Watch(out, silent=options.silent)
    try:
        with as_ctrl_c():
            return anyio.run(_send, request, options, watch)
    except KeyboardInterrupt:
        return _Outcome(INTERRUPTED, "interrupted: what came until then is kept", watch.answered)
    except BrokenPipeError:
        return _Outcome(BROKEN_PIPE)
    except httpx2.TransportError as error:
        return _Outcome(_OTHER, _broke(error, watch), watch.answered)
    except httpx2.DecodingError as error:
        return _Outcome(NO_DECODING, f"the content coding can't be undone: {error}")
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        return _Outcome(TROUBLE, f"{request.url}: {error}", watch.answered)


async def _send(request: curl.CurlRequest, options: argparse.Namespace, watch: Watch) -> _Outcome:
    async with httpx2.AsyncClient(
        timeout=httpx2.Timeout(None, connect=options.connect_timeout),
        verify=not options.insecure,
        proxy=request.proxy or None,
        trust_env=request.proxy != "",
    ) as client:
        sent = client.build_request(request.method, request.url, content=request.body)
        _set_headers(sent, request)
        watch.start()
        with anyio.move_on_after(options.max_time) as deadline:
            response = await client.send(sent, stream=True, follow_redirects=options.location)
            try:
                watch.head(response.status_code, response.reason_phrase, _content_type(response))
                async for chunk in response.aiter_bytes():
                    watch.chunk(chunk)
            finally:
                await response.aclose()
    if deadline.cancelled_caught:
        return _Outcome(
            MAX_TIME,
            f"left after {options.max_time:g} s, as --max-time said: what came until then is kept",
            watch.answered,
        )
    if options.fail and response.status_code >= HTTPStatus.BAD_REQUEST:
        return _Outcome(HTTP_ERROR, f"the server answered {response.status_code}")
    return _Outcome()


def _set_headers(sent: Any, request: curl.CurlRequest) -> None:
    """curl's headers in place of the client's own; Host and the body's length stay the client's."""
    given = {name.lower() for name, _ in request.headers}
    theirs = {"host"} if request.body is None else {"host", "content-length"}
    kept = [pair for pair in sent.headers.multi_items() if pair[0].lower() in theirs - given]
    sent.headers = httpx2.Headers([*kept, *request.headers])


def _content_type(response: Any) -> str | None:
    value: str | None = response.headers.get("content-type")
    return value


def _broke(error: Exception, watch: Watch) -> str:
    what = "the stream broke" if watch.answered else "no response"
    text = str(error) or type(error).__name__
    return f"{what}: {text}"


def _tell(
    request: curl.CurlRequest,
    tape: Tape,
    options: argparse.Namespace,
    out: Console,
    *,
    written: bool,
) -> None:
    if tape.head_ns is not None:
        _tell_end(tape, out)
    if written:
        _tell_file(request, tape, options.output, out)


def _tell_end(tape: Tape, out: Console) -> None:
    came = f"{size(len(tape.body))} in {counted(len(tape.chunks), 'chunk')}"
    if tape.framing != "raw":
        came = f"{counted(len(tape.events()), 'event')}, {came}"
    line = Text(f"{came}, {seconds(tape.ending.at_ns)}: ")
    put_folded(out, "", line.append_text(ending_text(tape.ending)))


def _tell_file(request: curl.CurlRequest, tape: Tape, path: str, out: Console) -> None:
    written = Text("Written to ").append(one_line(path), "bold")
    kept = {name.lower() for name, _ in tape.request.headers} if tape.request else set()
    secret = [name for name, _ in request.headers if name.lower() not in kept]
    if secret:
        written.append(f", without the secrets in {', '.join(secret)}")
    put(out, Text())
    put_folded(out, "", written)
    if not tape.body:
        return
    file = shlex.quote(path)
    steps = (
        (f"streamtape show {file}", "what came when"),
        (f"streamtape stats {file}", "the times in numbers"),
        (f"with streamtape.use_cassette({path!r}):", "the same stream, offline"),
    )
    width = max(len(command) for command, _ in steps)
    for command, what in steps:
        line = Text.assemble((f"{command:<{width}}", "bold"), (f"  # {what}", "dim"))
        put_folded(out, "  ", line)
