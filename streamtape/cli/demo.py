"""``streamtape demo``: one chat stream from the bundled server recorded, looked at and replayed."""

from __future__ import annotations

import shlex
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
from rich.live import Live
from rich.text import Text

from streamtape import providers
from streamtape.cassette.errors import CassetteError
from streamtape.cassette.library import load, use_cassette
from streamtape.cli.output import TROUBLE, console, tell
from streamtape.cli.rhythm import Rhythm
from streamtape.cli.signals import as_ctrl_c
from streamtape.clock import now_ns
from streamtape.delivery import Delivery
from streamtape.demo import demo_server
from streamtape.report.printable import one_line
from streamtape.report.text import counted, put, put_folded, seconds, show
from streamtape.wire.sse import Decoder

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from rich.console import Console

    from streamtape.tape import Tape

_AGENT = "streamtape-demo"
_KEY = "sk-demo-5f9d2c81e07b4a36"
_REQUEST = {
    "model": "demo",
    "stream": True,
    "stream_options": {"include_usage": True},
    "messages": [{"role": "user", "content": "Tell me about a café."}],
}
_ROWS = 11


def demo(options: argparse.Namespace) -> int:
    """Run the command with its parsed *options*. Raises OSError."""
    path = Path(options.output)
    if path.exists() and not _is_ours(path):
        tell(
            f"{path} exists and isn't the demo's, so it stays as it is: give --output another name"
        )
        return TROUBLE
    out = console(colour=not options.no_color)
    put_folded(
        out,
        "",
        Text("One chat stream, recorded from a server on this machine, looked at and replayed."),
    )
    with as_ctrl_c(), demo_server(speed=options.speed) as server:
        url = f"{server.openai_url}/chat/completions"
        _title(out, "Recording, as it comes")
        text = _record(path, url, out)
    [tape] = load(path)
    _tell_recorded(path, tape, out)
    _title(out, "What the cassette knows of it")
    show(tape, out, most=_ROWS)
    _title(out, "Replaying, the server gone")
    _replay(path, url, tape, text, out)
    _title(out, "What next")
    _tell_next(path, out)
    return 0


def _is_ours(path: Path) -> bool:
    try:
        tapes = load(path)
    except (CassetteError, OSError):
        return False
    requests = [tape.request for tape in tapes if tape.request is not None]
    return any(
        name.lower() == "user-agent" and value == _AGENT
        for request in requests
        for name, value in request.headers
    )


def _client() -> httpx2.Client:
    headers = {"authorization": f"Bearer {_KEY}", "user-agent": _AGENT}
    return httpx2.Client(headers=headers, trust_env=False)


def _read(client: httpx2.Client, url: str, heard: Callable[[str], None]) -> str:
    """The text of the answer, by streamtape's decoder. *heard* gets each token as it comes."""
    decoder = Decoder()
    text = ""
    with client.stream("POST", url, json=_REQUEST) as response:
        response.raise_for_status()
        for chunk in response.iter_raw():
            for event in decoder.feed(chunk):
                token = providers.token_text(event)
                text += token
                heard(token)
    return text


def _record(path: Path, url: str, out: Console) -> str:
    """Record the stream at *url* into *path*, live on the screen. Gives its text."""
    rhythm = Rhythm()
    context = use_cassette(path, record_mode="rewrite")
    try:
        # Drawn by a thread of its own, so that the clock also runs while nothing comes, and the
        # client never makes a chunk wait because it draws.
        live = (
            Live(rhythm, console=out, refresh_per_second=20) if out.is_terminal else nullcontext()
        )
        with _client() as client, context, live:
            rhythm.start()
            text = _read(client, url, rhythm.add)
            rhythm.stop()
    finally:
        if context.part is not None:
            Path(context.part).unlink(missing_ok=True)  # a demo that was left
    if not out.is_terminal:
        out.print(rhythm)
    return text


def _replay(path: Path, url: str, tape: Tape, text: str, out: Console) -> None:
    def play(delivery: Delivery | None) -> tuple[str, int, Tape]:
        with _client() as client, use_cassette(path, delivery=delivery) as cassette:
            started_ns = now_ns()
            played = _read(client, url, lambda _: None)
            return played, now_ns() - started_ns, cassette.played[0]

    played, instant_ns, _ = play(None)
    _compare(
        out,
        "as recorded",
        f"{counted(len(tape.chunks), 'chunk')}, {instant_ns / 1e6:,.0f} ms in place of"
        f" {tape.ending.at_ns / 1e6:,.0f} ms",
        same=played == text,
    )
    played, _, delivered = play(Delivery(cuts="bytes"))
    broken = sum(not _is_utf8(chunk.data) for chunk in delivered.chunks)
    _compare(
        out,
        "byte by byte",
        f"{counted(len(delivered.chunks), 'chunk')}, {broken} of them no whole character",
        same=played == text,
    )


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _compare(out: Console, how: str, what: str, *, same: bool) -> None:
    line = Text().append(f"{how:<14}", "bold").append(f"{what}: ")
    line.append("the same text", "green") if same else line.append("ANOTHER TEXT", "bold red")
    put_folded(out, "  ", line)


def _title(out: Console, title: str) -> None:
    put(out, Text())
    put(out, Text(title, "bold cyan"))


def _tell_recorded(path: Path, tape: Tape, out: Console) -> None:
    line = Text("  written to ").append(one_line(str(path)), "bold")
    line.append(
        f": {counted(len(tape.events()), 'event')} in {counted(len(tape.chunks), 'chunk')},"
        f" {seconds(tape.ending.at_ns)}"
    )
    put_folded(out, "", line)
    if _KEY not in path.read_text(encoding="utf-8"):
        put_folded(out, "  ", Text("The API key that was sent is not in it.", "dim"))


def _tell_next(path: Path, out: Console) -> None:
    file = shlex.quote(str(path))
    for command, what in (
        (f"streamtape stats {file}", "the time to the first token, the gaps, in numbers"),
        ("streamtape record -o mine.yaml URL", "a stream of your own, with curl's options"),
        (
            "pytest --streamtape-record=once",
            "record what tests marked @pytest.mark.streamtape receive; plain pytest replays it",
        ),
    ):
        put_folded(out, "  ", Text(command, "bold"))
        put_folded(out, "      ", Text(what, "dim"))
