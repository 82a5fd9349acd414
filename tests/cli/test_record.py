"""`streamtape record` against a server on loopback: what is sent, seen, kept and told."""

from __future__ import annotations

import io
import signal
import sys
from pathlib import Path

import pytest

import streamtape
from tests.cli.commands import Commands, openai, start
from tests.server import (
    Gate,
    Response,
    apart,
    chunk,
    cut,
    forever,
    gate,
    hang,
    head,
    json_response,
    pause,
    refused,
    serve,
)

CHAT = Response(*apart([openai("Hel"), openai("lo"), b"data: [DONE]\n\n"]))
TICKS = Response(forever(chunk("event: tick\ndata: now\n\n"), pause(0.01)))


class TestWhatIsSeen:
    def test_each_event_at_once(self, run: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
        held = gate()

        class Screen(io.StringIO):
            """Lets the server go on when the first event has been written out."""

            def flush(self) -> None:
                if '"Hel"' in self.getvalue():
                    held.set()

        shown = Screen()
        monkeypatch.setattr(sys, "stdout", shown)
        script = Response(chunk(openai("Hel")), held, chunk(openai("lo")))
        with serve(script) as server:
            # The limit only ends a test that would otherwise wait for ever.
            ran = run("record", "--max-time", "20", server.url, "-o", "a.yaml")
        assert ran.status == 0
        assert '"lo"' in shown.getvalue()

    def test_the_screen(self, run: Commands) -> None:
        with serve(CHAT) as server:
            ran = run("record", "-H", "Authorization: Bearer x", server.url, "-o", "my chat.yaml")
        assert ran.err == ""
        lines = ran.lines
        assert lines[0].startswith("200 OK · text/event-stream · after ")
        assert lines[1] == "  time ms     gap ms  data"
        assert [line[22:] for line in lines[2:5]] == [
            '"Hel"        {"choices":[{"index":0,"delta":{"content":"H…',
            '"lo"         {"choices":[{"index":0,"delta":{"content":"l…',
            "             [DONE]",
        ]
        assert lines[5].startswith("3 events, 131 bytes in 3 chunks, ")
        assert lines[5].endswith(" s: the server ended it (eof)")
        assert lines[6:] == [
            "",
            "Written to my chat.yaml, without the secrets in Authorization",
            "  streamtape show 'my chat.yaml'                 # what came when",
            "  streamtape stats 'my chat.yaml'                # the times in numbers",
            "  with streamtape.use_cassette('my chat.yaml'):  # the same stream, offline",
        ]

    def test_types_and_other_bodies(self, run: Commands) -> None:
        events = Response(chunk("event: ping\ndata: {}\n\n"))
        with serve({"/events": events, "/json": json_response({"a": "\x1b["})}) as server:
            assert run("record", f"{server.url}/events", "-o", "a.yaml").lines[2][22:] == (
                "ping                  {}"
            )
            shown = run("record", f"{server.url}/json", "-o", "a.yaml").lines
        assert shown[2][22:] == r'{"a": "\u001b["}'

    def test_silence(self, run: Commands) -> None:
        with serve(CHAT) as server:
            ran = run("record", "-s", server.url, "-o", "a.yaml")
        assert (ran.status, ran.out, ran.err) == (0, "", "")
        assert len(streamtape.load("a.yaml")) == 1


class TestWhatIsKept:
    def test_the_stream_and_no_secret(self, run: Commands) -> None:
        key = "sk-proj-" + "A1b2C3d4" * 5
        with serve(CHAT) as server:
            run(
                "record",
                "-H",
                f"Authorization: Bearer {key}",
                "--json",
                f'{{"api_key": "{key}"}}',
                f"{server.url}/x?key={key}",
                "-o",
                "deep/down/a.yaml",
            )
            sent = server.requests[0]
        assert sent.header("authorization") == f"Bearer {key}"
        path = run.folder / "deep/down/a.yaml"
        assert key not in path.read_text()
        [tape] = streamtape.load(path)
        assert [piece.data for piece in tape.chunks] == [write.data for write in sent.writes]
        assert tape.request is not None
        assert tape.request.method == "POST"

    def test_a_second_time_replaces(self, run: Commands) -> None:
        with serve(CHAT) as server:
            run("record", f"{server.url}/one", "-o", "a.yaml")
            run("record", f"{server.url}/two", "-o", "a.yaml")
            [tape] = streamtape.load("a.yaml")
            assert tape.request is not None
            assert tape.request.url == f"{server.url}/two"

    def test_append_adds(self, run: Commands) -> None:
        with serve(CHAT) as server:
            for _ in range(3):
                assert run("record", "--append", server.url, "-o", "a.yaml").status == 0
        assert len(streamtape.load("a.yaml")) == 3

    @pytest.mark.parametrize("content", ["print('hello')\n", "a: 1\n", "data: x\n\n"])
    def test_a_file_that_is_no_cassette_is_left_alone(self, run: Commands, content: str) -> None:
        path = run.folder / "script.py"
        path.write_text(content)
        with serve(CHAT) as server:
            ran = run("record", server.url, "-o", "script.py")
            assert server.requests == []
        assert ran.status == 2
        assert ran.err.startswith("streamtape: script.py exists and is no cassette")
        assert path.read_text() == content

    def test_a_folder_that_cannot_be_written_is_found_before_anything_is_sent(
        self, run: Commands
    ) -> None:
        (run.folder / "file").touch()
        with serve(CHAT) as server:
            ran = run("record", server.url, "-o", "file/a.yaml")
            assert server.requests == []
        assert ran.status == 2
        assert ran.err.startswith("streamtape: file/a.yaml: nothing can be written in ")


class TestWhatGoesWrong:
    @pytest.mark.parametrize(("flags", "status"), [([], 0), (["--fail"], 22), (["-sf"], 22)])
    def test_an_http_error_is_kept(self, run: Commands, flags: list[str], status: int) -> None:
        with serve(json_response({"error": "no"}, 429)) as server:
            ran = run("record", *flags, server.url, "-o", "a.yaml")
        assert ran.status == status
        assert ran.err == ("streamtape: the server answered 429\n" if flags else "")
        [tape] = streamtape.load("a.yaml")
        assert (tape.status, tape.body) == (429, b'{"error": "no"}')

    def test_no_connection(self, run: Commands) -> None:
        with refused() as url:
            ran = run("record", url, "-o", "a.yaml")
        assert ran.status == 7
        assert ran.err.startswith("streamtape: no response: ")
        assert ran.lines == ["", "Written to a.yaml"]
        [tape] = streamtape.load("a.yaml")
        assert (tape.head_ns, tape.ending.error) == (None, "connect")

    @pytest.mark.parametrize("more", [[], ["--append"]])
    def test_no_connection_costs_no_good_cassette(self, run: Commands, more: list[str]) -> None:
        with serve(CHAT) as server:
            run("record", server.url, "-o", "a.yaml")
        before = Path("a.yaml").read_bytes()
        with refused() as url:
            ran = run("record", *more, url, "-o", "a.yaml")
        assert ran.status == 7
        assert "a.yaml stays as it was" in ran.err
        assert Path("a.yaml").read_bytes() == before
        tapes = streamtape.load("a.yaml.part")
        assert tapes[-1].ending.error == "connect"

    def test_a_stream_that_breaks(self, run: Commands) -> None:
        with serve(Response(*apart([openai("a")]), cut())) as server:
            ran = run("record", server.url, "-o", "a.yaml")
        assert ran.status == 18
        assert ran.err.startswith("streamtape: the stream broke: ")
        assert "it broke (protocol)" in ran.out
        [tape] = streamtape.load("a.yaml")
        assert (tape.body, tape.ending.error) == (openai("a"), "protocol")

    def test_a_coding_that_lies(self, run: Commands) -> None:
        lying = Response(head(200, {"content-encoding": "gzip"}), chunk("data: plain\n\n"))
        with serve(lying) as server:
            ran = run("record", server.url, "-o", "a.yaml")
        assert ran.status == 61
        assert "content coding" in ran.err
        [tape] = streamtape.load("a.yaml")
        assert tape.body == b"data: plain\n\n"

    @pytest.mark.parametrize("script", [Response(chunk("data: a\n\n"), hang()), TICKS])
    def test_max_time(self, run: Commands, script: Response) -> None:
        with serve(script) as server:
            ran = run("record", "--max-time", "0.5", server.url, "-o", "a.yaml")
        assert ran.status == 28
        assert "left after 0.5 s, as --max-time said" in ran.err
        [tape] = streamtape.load("a.yaml")
        assert tape.ending.kind == "closed"
        assert tape.body.startswith((b"data: a", b"event: tick"))

    def test_max_time_before_a_response(self, run: Commands) -> None:
        with serve(Response(hang())) as server:
            ran = run("record", "--max-time", "0.5", server.url, "-o", "a.yaml")
        assert ran.status == 28
        [tape] = streamtape.load("a.yaml")
        assert (tape.head_ns, tape.ending.kind) == (None, "closed")


class TestLeaving:
    """A command as a process of its own, on a stream that never ends."""

    @pytest.fixture
    def held(self) -> Gate:
        return gate()

    def test_ctrl_c_keeps_what_came(self, tmp_path: Path, held: Gate) -> None:
        script = Response(*apart([b"data: one\n\n", b"data: two\n\n"]), held)
        with serve(script) as server:
            process = start("record", server.url, "-o", "a.yaml", folder=tmp_path)
            assert process.stdout is not None
            for line in process.stdout:
                if b"two" in line:
                    break
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert err == b"streamtape: interrupted: what came until then is kept\n"
        assert b"the client closed it" in out
        assert b"Written to a.yaml" in out
        [tape] = streamtape.load(tmp_path / "a.yaml")
        assert [piece.data for piece in tape.chunks] == [b"data: one\n\n", b"data: two\n\n"]
        assert tape.ending.kind == "closed"
        assert [path.name for path in tmp_path.iterdir()] == ["a.yaml"]

    def test_ctrl_c_before_a_response(self, tmp_path: Path, held: Gate) -> None:
        with serve(Response(held)) as server:
            process = start("record", server.url, "-o", "a.yaml", folder=tmp_path)
            server.wait_request(timeout=60)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert b"Traceback" not in err
        [tape] = streamtape.load(tmp_path / "a.yaml")
        assert (tape.head_ns, tape.ending.kind) == (None, "closed")

    def test_who_stops_reading_the_screen_leaves_the_stream(self, tmp_path: Path) -> None:
        with serve(TICKS) as server:
            process = start("record", server.url, "-o", "a.yaml", folder=tmp_path)
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.readline()
            process.stdout.close()
            assert process.wait(timeout=60) == 141
            assert process.stderr.read() == b""
            process.stderr.close()
        [tape] = streamtape.load(tmp_path / "a.yaml")
        assert tape.ending.kind == "closed"
        assert tape.events()
