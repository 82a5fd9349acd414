"""`streamtape convert`: between cassettes and plain vcrpy's, with what is lost said."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import httpx
import pytest
import vcr
import yaml

import streamtape
from streamtape.convert import format_of
from streamtape.convert.notes import Notes
from streamtape.tape import Chunk, Ending, Request, Tape
from tests.cli.commands import MS, Commands, Ran, openai, timed

URL = "http://127.0.0.1:9/v1/chat"


def a_stream(**fields: object) -> Tape:
    return timed(
        (410.25, openai("Caf")[:30]),
        (412, openai("Caf")[30:] + openai("é 👩")),
        (500, b"data: [DONE]\n\n"),
        head_ms=350.2,
        end_ms=501,
        **{"kind": "eof", **fields},  # type: ignore[arg-type]
    )


def assert_notes(ran: Ran, *beginnings: str) -> None:
    for line, beginning in zip(ran.err.splitlines(), beginnings, strict=True):
        assert line.startswith(f"streamtape: note: {beginning}")


class TestToPlainVcrpy:
    def test_vcrpy_plays_it(self, run: Commands) -> None:
        tape = a_stream()
        streamtape.save("a.yaml", [tape])
        ran = run("convert", "--to", "vcr", "a.yaml", "plain.yaml")
        assert (ran.status, ran.out) == (0, "plain.yaml: 1 interaction\n")
        with vcr.VCR(record_mode="none").use_cassette("plain.yaml"):
            response = httpx.post(URL)
        assert response.content == tape.body
        assert response.headers["content-type"] == "text/event-stream"

    def test_it_is_vcrpys_own_form(self, run: Commands) -> None:
        streamtape.save("a.yaml", [a_stream(http_version="HTTP/2")])
        run("convert", "--to", "vcr", "a.yaml", "plain.yaml")
        text = Path("plain.yaml").read_text()
        loaded = yaml.safe_load(text)
        [interaction] = loaded["interactions"]
        assert set(interaction["response"]) == {"status", "headers", "body"}
        # What vcrpy's own serializer makes of the same content is the same file.
        assert text == vcr.serializers.yamlserializer.serialize(loaded)

    def test_what_is_lost_is_said(self, run: Commands) -> None:
        broken = a_stream(kind="error", error="read", text="reset", coding="gzip")
        untimed = a_stream().with_chunks(a_stream().chunks, timed=False)
        anything = Tape.of(b"data: x\n\n")
        streamtape.save("a.yaml", [broken, a_stream(), untimed, anything])
        ran = run("convert", "--to", "vcr", "a.yaml", "plain.yaml")
        assert ran.status == 0
        assert_notes(
            ran,
            "interaction 3: it was recorded without a timeline, so when and in which chunks it",
            "interactions 1 to 2, 4: the timeline is gone: plain vcrpy plays the body in one piece",
            "interaction 1: its ending (error) is gone: plain vcrpy plays the part that came as if",
            "interaction 1: its content coding gzip is gone: the body is decoded",
            "interaction 4: it answers any request, which plain vcrpy knows only as match_on=()",
        )


class TestFromPlainVcrpy:
    @pytest.fixture
    def plain(self, run: Commands) -> Path:
        body = b"data: one\n\n: ping\n\ndata: two\n\n"
        response = {
            "status": {"code": 200, "message": "OK"},
            "headers": {"Content-Type": ["text/event-stream"], "content-encoding": ["gzip"]},
            "body": {"string": gzip.compress(body, mtime=0)},
        }
        request: dict[str, object] = {"method": "GET", "uri": URL, "body": None, "headers": {}}
        document = {"version": 1, "interactions": [{"request": request, "response": response}]}
        path = run.folder / "plain.yaml"
        path.write_text(yaml.safe_dump(document))
        return path

    def test_no_timeline_is_made_up(self, run: Commands, plain: Path) -> None:
        ran = run("convert", plain, "new.yaml")
        assert ran.status == 0
        text = Path("new.yaml").read_text()
        assert "timeline" not in text
        assert "      string: |+\n        data: one\n\n        : ping\n" in text
        [tape] = streamtape.load("new.yaml")
        assert (tape.timed, tape.body) == (False, b"data: one\n\n: ping\n\ndata: two\n\n")
        assert_notes(
            ran,
            "it was recorded without a timeline, so when and in which chunks it came is unknown",
            "its content coding gzip is gone: the body is kept decoded",
        )

    def test_back_again_it_is_the_same_content(self, run: Commands, plain: Path) -> None:
        run("convert", plain, "new.yaml")
        run("convert", "--to", "vcr", "new.yaml", "back.yaml")
        with vcr.VCR(record_mode="none").use_cassette("back.yaml"):
            assert httpx.get(URL).content == streamtape.load(plain)[0].body

    def test_metadata_is_not_lost_silently(self, run: Commands) -> None:
        streamtape.save("a.yaml", [a_stream()])
        with Path("a.yaml").open("a") as file:
            file.write("metadata: {by: me}\n")
        assert "the cassette's metadata are not kept" in run("convert", "a.yaml", "b.yaml").err


class TestBetweenCassettes:
    def test_yaml_is_what_save_writes(self, run: Commands) -> None:
        tapes = [a_stream(kind="closed"), Tape.of(b"\xff\x00", content_type="image/png")]
        streamtape.save("a.yaml", tapes)
        ran = run("convert", "a.yaml", "b.yaml")
        assert ran.status == 0
        assert_notes(ran, "this is a cassette of streamtape's again")
        assert Path("b.yaml").read_bytes() == Path("a.yaml").read_bytes()

    def test_the_way_to_a_plain_one_is_told_where_nothing_else_was_asked_for(
        self, run: Commands
    ) -> None:
        streamtape.save("a.yaml", [a_stream()])
        ran = run("convert", "a.yaml", "plain.yaml")
        assert ran.err == (
            "streamtape: note: this is a cassette of streamtape's again, with its timelines;"
            " --to vcr makes one in plain vcrpy's own form\n"
        )
        assert "timeline" in Path("plain.yaml").read_text()
        for more in (["--to", "cassette", "a.yaml", "b.yaml"], ["a.yaml", "b.json"]):
            assert run("convert", *more).err == ""
        assert run("convert", "a.yaml", "./a.yaml").err == ""
        run("convert", "--to", "vcr", "a.yaml", "plain.yaml")
        assert "again" not in run("convert", "plain.yaml", "b.yaml").err

    def test_json_keeps_everything(self, run: Commands) -> None:
        streamtape.save("a.yaml", [a_stream(kind="error", error="read-timeout", text="slow")])
        assert run("convert", "a.yaml", "b.json").status == 0
        assert json.loads(Path("b.json").read_text())["version"] == 1
        assert run("convert", "b.json", "c.yaml").status == 0
        assert Path("c.yaml").read_bytes() == Path("a.yaml").read_bytes()
        with (
            streamtape.use_cassette("b.json") as cassette,
            httpx.stream("POST", URL) as response,
            pytest.raises(httpx.ReadTimeout),
        ):
            list(response.iter_raw())
        [played], [recorded] = cassette.played, streamtape.load("a.yaml")
        assert (played.chunks, played.ending) == (recorded.chunks, recorded.ending)

    def test_json_holds_no_binary(self, run: Commands) -> None:
        streamtape.save("a.yaml", [Tape.of(b"\xff\x00", content_type="image/png")])
        ran = run("convert", "a.yaml", "b.json")
        assert (ran.status, ran.out) == (2, "")
        assert "which JSON cannot hold" in ran.err
        assert not Path("b.json").exists()

    def test_in_place(self, run: Commands) -> None:
        streamtape.save("a.yaml", [a_stream()])
        before = Path("a.yaml").read_bytes()
        assert run("convert", "a.yaml", "a.yaml").status == 0
        assert Path("a.yaml").read_bytes() == before

    def test_secrets_of_another_recorder_are_not_carried_over(self, run: Commands) -> None:
        key = "sk-proj-" + "A1b2C3d4" * 5
        request = {"method": "GET", "uri": URL, "body": None, "headers": {"Authorization": [key]}}
        response = {
            "status": {"code": 200, "message": "OK"},
            "headers": {"set-cookie": [key]},
            "body": {"string": f"data: {key}\n\n"},
        }
        interactions = [{"request": request, "response": response}]
        Path("a.yaml").write_text(yaml.safe_dump({"version": 1, "interactions": interactions}))
        for name in ("b.yaml", "b.json", "b.har", "b.cast"):
            assert run("convert", "a.yaml", name).status == 0
            assert key not in Path(name).read_text()
        assert run("convert", "--to", "vcr", "a.yaml", "b.yaml").status == 0
        assert key not in Path("b.yaml").read_text()


class TestNames:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("a.yaml", "cassette"),
            ("a.YML", "cassette"),
            ("a.json", "cassette"),
            ("a.yaml.gz", "cassette"),
            ("a.yaml.part", "cassette"),
            ("x/a.b.har", "har"),
            ("a.cast", "asciicast"),
        ],
    )
    def test_tell_the_format(self, name: str, expected: str) -> None:
        assert format_of(name) == expected

    @pytest.mark.parametrize("pair", [("a.yaml", "b.txt"), ("a.txt", "b.yaml")])
    def test_that_tell_none(self, run: Commands, pair: tuple[str, str]) -> None:
        streamtape.save("a.yaml", [a_stream()])
        Path("a.txt").write_bytes(Path("a.yaml").read_bytes())
        ran = run("convert", *pair)
        assert ran.status == 2
        assert "the name doesn't tell the format" in ran.err
        assert not Path("b.txt").exists()

    def test_that_tell_none_with_the_formats_said(self, run: Commands) -> None:
        streamtape.save("a.yaml", [a_stream()])
        Path("a.txt").write_bytes(Path("a.yaml").read_bytes())
        assert run("convert", "--from", "cassette", "a.txt", "--to", "har", "b").status == 0
        assert "log" in json.loads(Path("b").read_text())

    def test_an_unknown_format(self, run: Commands) -> None:
        ran = run("convert", "--to", "pdf", "a.yaml", "b")
        assert ran.status == 2
        assert "invalid choice: 'pdf'" in ran.err


def test_show_and_stats_read_every_format(run: Commands) -> None:
    tape = a_stream()
    streamtape.save("a.yaml", [tape])
    for name in ("a.har", "a.cast"):
        run("convert", "a.yaml", name)
        assert run("show", name).status == 0
        assert run("stats", name).status == 0
    assert run("show", "a.har").lines[1:] == run("show", "a.yaml").lines[1:]


def test_no_response_at_all(run: Commands) -> None:
    ending = Ending("error", 3 * MS, "connect", "refused")
    tape = Tape((), ending, Request("GET", URL), status=599, head_ns=None)
    streamtape.save("a.yaml", [tape])
    run("convert", "a.yaml", "a.har")
    [entry] = json.loads(Path("a.har").read_text())["log"]["entries"]
    assert (entry["response"]["status"], entry["response"]["_error"]) == (
        0,
        "error connect refused",
    )
    run("convert", "a.har", "b.yaml")
    assert streamtape.load("b.yaml") == streamtape.load("a.yaml")


def test_notes_name_what_they_are_true_of() -> None:
    notes = Notes()
    for number in (1, 2, 3, 5, 7, 8):
        notes.add(number, "some")
    for number in range(1, 10):
        notes.add(number, "all")
    notes.add(4, "one")
    assert notes.sentences(9) == [
        "interactions 1 to 3, 5, 7 to 8: some",
        "all",
        "interaction 4: one",
    ]


def test_a_chunk_of_its_own_for_every_byte_survives(run: Commands) -> None:
    body = openai("é 👩")
    tape = Tape.of(body, cuts="bytes", gap_ms=0.0017)
    tape = tape.with_chunks(
        [Chunk(each.at_ns, each.data, n == 3) for n, each in enumerate(tape.chunks)]
    )
    streamtape.save("a.yaml", [tape])
    run("convert", "a.yaml", "a.har")
    run("convert", "a.har", "b.yaml")
    assert Path("b.yaml").read_bytes() == Path("a.yaml").read_bytes()
