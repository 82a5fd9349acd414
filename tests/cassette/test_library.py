"""Opening, writing and keeping cassettes: modes, hooks, part files, and vcrpy beside it."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
import textwrap
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest
import vcr
import yaml

import streamtape
from streamtape import Chunk, Ending, Request, Tape
from streamtape.cassette.errors import UnfinishedWarning
from streamtape.cassette.timeline import Timeline
from tests.server import Answers, Response, Server, apart, gate, hang, json_response, serve

PIECES = [b"data: one\n\n", b"data: two\n\n", b"data: [DONE]\n\n"]
STREAM = Response(*apart(PIECES))


def read(url: str, **options: Any) -> list[bytes]:
    with httpx2.Client() as client, client.stream("GET", url, **options) as response:
        return list(response.iter_raw())


class TestModes:
    def test_none_is_the_default(self, tmp_path: Path) -> None:
        with serve(STREAM) as server:
            with streamtape.use_cassette(tmp_path / "a.yaml"):
                with pytest.raises(streamtape.NoMatchError):
                    read(server.url)
            assert server.requests == []

    def test_once_records_then_plays(self, tmp_path: Path) -> None:
        with serve(STREAM) as server:
            for _ in range(2):
                with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
                    assert read(server.url) == PIECES
            assert len(server.requests) == 1

    def test_new_episodes_adds_what_is_missing_behind_what_is_there(self, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        with serve(STREAM) as server:
            for target in ("/1", "/2"):
                with streamtape.use_cassette(path, record_mode="new_episodes"):
                    read(f"{server.url}/1")
                    if target == "/2":
                        read(f"{server.url}/2")
            assert [request.path for request in server.requests] == ["/1", "/2"]
            urls = [tape.request and tape.request.url for tape in streamtape.load(path)]
            assert urls == [f"{server.url}/1", f"{server.url}/2"]

    def test_all_records_again_and_keeps_the_rest(self, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        answers: Answers = {"/1": [STREAM, json_response({"new": 1})], "/2": STREAM}
        with serve(answers) as server:
            with streamtape.use_cassette(path, record_mode="all"):
                read(f"{server.url}/1")
                read(f"{server.url}/2")
            with streamtape.use_cassette(path, record_mode="all"):
                read(f"{server.url}/1")
            assert sorted(tape.body for tape in streamtape.load(path)) == sorted(
                [b"".join(PIECES), b'{"new": 1}']
            )

    def test_rewrite_replaces_the_file_when_the_block_ends_well(self, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        with serve(STREAM) as server:
            with streamtape.use_cassette(path, record_mode="once"):
                read(f"{server.url}/old")
            with streamtape.use_cassette(path, record_mode="rewrite"):
                read(f"{server.url}/new")
            (tape,) = streamtape.load(path)
            assert tape.request is not None
            assert tape.request.url == f"{server.url}/new"

    @pytest.mark.parametrize("mode", ["rewrite", "all", "new_episodes"])
    def test_a_block_that_fails_leaves_the_file_and_a_part(self, mode: str, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        with serve(STREAM) as server:
            with streamtape.use_cassette(path, record_mode="once"):
                read(f"{server.url}/old")
            before = path.read_bytes()
            with pytest.raises(ZeroDivisionError) as caught:
                with streamtape.use_cassette(path, record_mode=mode):
                    read(f"{server.url}/new")
                    raise ZeroDivisionError
            assert path.read_bytes() == before
            (tape,) = streamtape.load(f"{path}.part")
            assert tape.request is not None
            assert tape.request.url == f"{server.url}/new"
            assert str(path) + ".part" in caught.value.__notes__[0]

    def test_record_on_exception_is_vcrpys(self, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        with serve(STREAM) as server, pytest.raises(ZeroDivisionError):
            with streamtape.use_cassette(path, record_mode="once", record_on_exception=True):
                read(server.url)
                raise ZeroDivisionError
        assert len(streamtape.load(path)) == 1

    def test_a_block_that_ends_well_leaves_no_part(self, tmp_path: Path) -> None:
        with serve(STREAM) as server:
            with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
                read(server.url)
        assert [file.name for file in tmp_path.iterdir()] == ["a.yaml"]

    def test_an_unknown_option_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(TypeError, match="mach_on"):
            streamtape.use_cassette(tmp_path / "a.yaml", mach_on=())

    def test_an_unknown_mode_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="'onec' is not a valid record_mode"):
            with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="onec"):
                pass


def test_a_killed_run_loses_only_the_stream_in_flight(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("version: 1\ninteractions: []\n")
    program = textwrap.dedent(
        f"""
        import httpx2, os, signal, streamtape
        with streamtape.use_cassette({str(path)!r}, record_mode="new_episodes") as cassette:
            for target in ("/1", "/2"):
                with httpx2.stream("GET", URL + target) as response:
                    list(response.iter_raw())
            cassette.settle()
            with httpx2.stream("GET", URL + "/3") as response:
                next(response.iter_raw())
                os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    endless = Response(*apart(PIECES[:1]), hang())
    with serve({"/1": STREAM, "/2": STREAM, "/3": endless}) as server:
        code = program.replace("URL", repr(server.url))
        killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -9
    assert path.read_text() == "version: 1\ninteractions: []\n"
    parts = streamtape.load(f"{path}.part")
    assert [tape.request and tape.request.url[-2:] for tape in parts] == ["/1", "/2"]


class TestSwallowed:
    """A request that nothing answers is heard of, whoever swallowed the exception."""

    def test_one_that_client_code_swallowed_is_raised_when_the_block_ends(
        self, tmp_path: Path
    ) -> None:
        def an_sdk() -> None:
            with suppress(streamtape.NoMatchError):
                read("http://127.0.0.1:9/")

        with pytest.raises(streamtape.NoMatchError):
            with streamtape.use_cassette(tmp_path / "a.yaml"):
                an_sdk()

    def test_one_that_the_block_saw_itself_is_not(self, tmp_path: Path) -> None:
        with streamtape.use_cassette(tmp_path / "a.yaml"):
            with pytest.raises(streamtape.NoMatchError):
                read("http://127.0.0.1:9/")

    def test_nor_one_that_a_decorated_function_saw(self, tmp_path: Path) -> None:
        @streamtape.use_cassette(tmp_path / "a.yaml")
        def block() -> str:
            with pytest.raises(streamtape.NoMatchError):
                read("http://127.0.0.1:9/")
            return "done"

        assert block() == "done"

    def test_the_blocks_own_exception_comes_first(self, tmp_path: Path) -> None:
        with pytest.raises(ZeroDivisionError):
            with streamtape.use_cassette(tmp_path / "a.yaml"):
                try:
                    read("http://127.0.0.1:9/")
                finally:
                    raise ZeroDivisionError

    def test_vcrpys_handlers_catch_it(self, tmp_path: Path) -> None:
        with streamtape.use_cassette(tmp_path / "a.yaml"):
            with pytest.raises(vcr.errors.CannotOverwriteExistingCassetteException):
                read("http://127.0.0.1:9/")


class TestDecorator:
    def test_of_a_function_and_of_a_coroutine_function(self, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        streamtape.save(path, [Tape.of(b"data: x\n\n")])

        @streamtape.use_cassette(path, inject_cassette=True)
        def plain(cassette: Any, url: str) -> tuple[int, list[bytes]]:
            return len(cassette), read(url)

        @streamtape.use_cassette(path)
        async def coroutine(url: str) -> bytes:
            async with httpx2.AsyncClient() as client:
                return (await client.get(url)).content

        for _ in range(2):  # reentrant, each time from the start
            assert plain("http://x.test/") == (1, [b"data: x\n\n"])
            assert asyncio.run(coroutine("http://x.test/")) == b"data: x\n\n"


class TestOverlap:
    def test_tasks_with_a_cassette_each(self, tmp_path: Path) -> None:
        """They close in the order of opening, not nested, and leave no patch behind."""
        names = ("a", "b", "c")
        for name in names:
            tape = Tape.of(f"data: {name}\n\n".encode())
            streamtape.save(tmp_path / f"{name}.yaml", [tape])
        before = (
            httpx2.AsyncHTTPTransport.handle_async_request,
            httpx2.HTTPTransport.handle_request,
        )

        async def one(name: str, opened: asyncio.Event, close: asyncio.Event) -> bytes:
            with streamtape.use_cassette(tmp_path / f"{name}.yaml"):
                opened.set()
                await close.wait()
                async with httpx2.AsyncClient() as client:
                    return (await client.get("http://x.test/")).content

        async def main() -> list[bytes]:
            opened = {name: asyncio.Event() for name in names}
            close = {name: asyncio.Event() for name in names}
            tasks = []
            for name in names:
                tasks.append(asyncio.create_task(one(name, opened[name], close[name])))
                await opened[name].wait()
            got = []
            for name, task in zip(names, tasks, strict=True):
                close[name].set()
                got.append(await task)
            return got

        import http.client

        connection = http.client.HTTPConnection
        assert asyncio.run(main()) == [b"data: a\n\n", b"data: b\n\n", b"data: c\n\n"]
        after = (
            httpx2.AsyncHTTPTransport.handle_async_request,
            httpx2.HTTPTransport.handle_request,
        )
        assert after == before
        assert http.client.HTTPConnection is connection

    def test_a_block_inside_a_block(self, tmp_path: Path) -> None:
        streamtape.save(tmp_path / "outer.yaml", [Tape.of(b"data: outer\n\n")] * 2)
        streamtape.save(tmp_path / "inner.yaml", [Tape.of(b"data: inner\n\n")])
        with streamtape.use_cassette(tmp_path / "outer.yaml"):
            with streamtape.use_cassette(tmp_path / "inner.yaml"):
                assert read("http://x.test/") == [b"data: inner\n\n"]
            assert read("http://x.test/") == [b"data: outer\n\n"]

    def test_the_same_block_twice_at_once_is_an_error(self, tmp_path: Path) -> None:
        context = streamtape.use_cassette(tmp_path / "a.yaml")
        with context, pytest.raises(RuntimeError, match="open already"):
            context.__enter__()


class TestHooks:
    """vcrpy's hooks, filters, serializers and persisters, on a stream; the timeline stays."""

    def record(self, path: Path, server: Server, **options: Any) -> Tape:
        with streamtape.use_cassette(path, record_mode="once", **options):
            read(f"{server.url}/?user=me", headers={"x-session": "abc"})
        (tape,) = streamtape.load(path)
        return tape

    def test_filters_of_the_request(self, tmp_path: Path) -> None:
        with serve(STREAM) as server:
            tape = self.record(
                tmp_path / "a.yaml",
                server,
                filter_headers=["x-session"],
                filter_query_parameters=["user"],
            )
            assert tape.request is not None
            assert "user" not in tape.request.url
            assert "x-session" not in dict(tape.request.headers)
            assert [piece.data for piece in tape.chunks] == PIECES

    def test_before_record_response_that_returns_a_fresh_dict(self, tmp_path: Path) -> None:
        def fresh(response: dict[str, Any]) -> dict[str, Any]:
            body = response["body"]["string"].replace(b"one", b"a longer one")
            return {
                "status": response["status"],
                "headers": response["headers"],
                "body": {"string": body},
            }

        with serve(STREAM) as server:
            tape = self.record(tmp_path / "a.yaml", server, before_record_response=fresh)
        assert [piece.data for piece in tape.chunks] == [b"data: a longer one\n\n", *PIECES[1:]]
        assert tape.timed
        assert tape.ending.kind == "eof"

    def test_before_save_interaction_that_returns_a_fresh_dict(self, tmp_path: Path) -> None:
        def fresh(request: Any, response: dict[str, Any]) -> Any:
            body = response["body"]["string"].replace(b"two", b"2")
            return request, {
                **{k: response[k] for k in ("status", "headers")},
                "body": {"string": body},
            }

        with serve(STREAM) as server:
            tape = self.record(tmp_path / "a.yaml", server, before_save_interaction=fresh)
        assert [piece.data for piece in tape.chunks] == [PIECES[0], b"data: 2\n\n", PIECES[2]]

    def test_sensitive_data_changes_the_body_but_no_time(self, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        steps, opened = [*apart(PIECES[:1])], gate()
        with serve(Response(*steps, opened, *apart([b"data: 1 and 0\n\n"]))) as server:
            secret = {"<DIGIT>": "1", "<ZERO>": "0"}
            with streamtape.use_cassette(
                path, record_mode="once", filter_sensitive_data=secret, match_on=()
            ) as cassette:
                opened.set()
                read(server.url)
            (recorded,) = cassette.tapes
            text = path.read_text()
            assert "data: <DIGIT> and <ZERO>" in text
            (tape,) = streamtape.load(path)
            assert [piece.at_ns // 1000 for piece in tape.chunks] == [
                (piece.at_ns + 500) // 1000 for piece in recorded.chunks
            ]
            with streamtape.use_cassette(path, filter_sensitive_data=secret, match_on=()):
                assert read(server.url)[1] == b"data: 1 and 0\n\n"

    def test_a_hook_that_drops_the_interaction(self, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        with serve(STREAM) as server:
            for hook in (
                {"before_record_response": lambda _: None},
                {"before_record_request": lambda _: None},
                {"before_save_interaction": lambda _, __: None},
                {"ignore_localhost": True},
            ):
                with streamtape.use_cassette(path, record_mode="all", **hook):
                    assert read(server.url) == PIECES
                assert not path.exists() or streamtape.load(path) == []

    def test_a_hook_that_fails_fails_the_block_and_not_the_stream(self, tmp_path: Path) -> None:
        def broken(_: dict[str, Any]) -> dict[str, Any]:
            raise LookupError("the hook is broken")

        with serve(STREAM) as server:
            got = []
            with pytest.raises(LookupError, match="the hook is broken"):
                with streamtape.use_cassette(
                    tmp_path / "a.yaml", record_mode="once", before_record_response=broken
                ):
                    got = read(server.url)
            assert got == PIECES

    def test_the_json_serializer(self, tmp_path: Path) -> None:
        path = tmp_path / "a.json"
        with serve(STREAM) as server:
            tape = self.record(path, server, serializer="json")
            assert [piece.data for piece in tape.chunks] == PIECES
            stored = json.loads(path.read_text())["interactions"][0]["response"]
            assert Timeline.parse(stored["timeline"]).ending.kind == "eof"
            with streamtape.use_cassette(path, serializer="json"):
                assert read(f"{server.url}/?user=me") == PIECES

    def test_a_serializer_and_a_persister_of_the_users_own(self, tmp_path: Path) -> None:
        shelf: dict[str, str] = {}

        class Serializer:
            @staticmethod
            def serialize(cassette: dict[str, Any]) -> str:
                return repr(cassette)

            @staticmethod
            def deserialize(text: str) -> Any:
                return eval(text)

        class Persister:
            @staticmethod
            def load_cassette(path: str, serializer: Any) -> Any:
                if str(path) not in shelf:
                    raise vcr.persisters.filesystem.CassetteNotFoundError
                return vcr.serialize.deserialize(shelf[str(path)], serializer)

            @staticmethod
            def save_cassette(path: str, cassette: Any, serializer: Any) -> None:
                shelf[str(path)] = vcr.serialize.serialize(cassette, serializer)

        options: dict[str, Any] = {"serializer": Serializer, "persister": Persister}
        path = tmp_path / "shelved"
        with serve(STREAM) as server:
            with streamtape.use_cassette(path, record_mode="once", **options):
                read(server.url)
            assert list(shelf) == [str(path)]
            with streamtape.use_cassette(path, **options) as cassette:
                assert read(server.url) == PIECES
                assert cassette.played[0].timed
        assert list(tmp_path.iterdir()) == []

    def test_a_persister_of_the_users_own_with_the_yaml_serializer(self) -> None:
        shelf: dict[str, str] = {}

        class Persister:
            @staticmethod
            def load_cassette(path: str, serializer: Any) -> Any:
                if str(path) not in shelf:
                    raise vcr.persisters.filesystem.CassetteNotFoundError
                return vcr.serialize.deserialize(shelf[str(path)], serializer)

            @staticmethod
            def save_cassette(path: str, cassette: Any, serializer: Any) -> None:
                shelf[str(path)] = vcr.serialize.serialize(cassette, serializer)

        with serve(STREAM) as server:
            with streamtape.use_cassette("a", record_mode="once", persister=Persister):
                read(server.url)
            with streamtape.use_cassette("a", persister=Persister) as cassette:
                assert read(server.url) == PIECES
                assert cassette.played[0].timed
        assert "string: |" in shelf["a"]

    def test_a_matcher_that_is_a_function(self, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        streamtape.save(path, [Tape.of(b"data: x\n\n", request=Request("GET", "http://x.test/A"))])

        def whatever_case(one: Any, other: Any) -> bool:
            return bool(one.path.lower() == other.path.lower())

        with streamtape.use_cassette(path, match_on=[whatever_case]):
            assert read("http://x.test/a") == [b"data: x\n\n"]


class TestPlainVcrpy:
    def test_it_replays_what_streamtape_wrote_byte_for_byte(self, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        nasty = [b"data: caf\xc3", b"\xa9 \xe2\x80\xa8\r\n\r\n", b"\xff\x00 \n\n"]
        answers = {
            "/s": Response(*apart(PIECES)),
            "/n": Response(*apart(nasty)),
            "/e": json_response({}),
        }
        with serve(answers) as server:
            with streamtape.use_cassette(path, record_mode="once"):
                live = [b"".join(read(server.url + target)) for target in answers]
            with vcr.use_cassette(str(path), record_mode="none"):
                assert [httpx2.get(server.url + target).content for target in answers] == live
            assert len(server.requests) == 3

    def test_streamtape_replays_what_it_wrote(self, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        with serve(STREAM) as server:
            with vcr.use_cassette(str(path)):
                httpx2.get(server.url)
            with streamtape.use_cassette(path) as cassette:
                assert read(server.url) == PIECES  # each frame is a chunk
                assert not cassette.played[0].timed

    def test_a_connect_error_is_a_599_there(self, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        ending = Ending("error", 5, "connect", "refused")
        tape = Tape((), ending, Request("GET", "http://x.test/"), status=599, head_ns=None)
        streamtape.save(path, [tape])
        with vcr.use_cassette(str(path), record_mode="none"):
            assert httpx2.get("http://x.test/").status_code == 599


class TestSaveAndLoad:
    def test_a_tape_without_a_cassette_is_one_like_any_other(self, tmp_path: Path) -> None:
        path = tmp_path / "deep" / "a.yaml"
        tape = Tape.of(b"".join(PIECES), gap_ms=12.5)
        streamtape.save(path, [tape])
        assert streamtape.load(path) == [tape]
        assert tape.chunks[1] == Chunk(25_000_000, PIECES[1])
        with streamtape.use_cassette(path):
            assert read("http://whatever.test/") == PIECES
        with streamtape.play(tape):
            assert read("http://whatever.test/") == PIECES
            assert read("http://another.test/") == PIECES

    def test_match_on_nothing_answers_any_request(self, tmp_path: Path) -> None:
        request = Request("POST", "http://x.test/", body=b"{}")
        streamtape.save(tmp_path / "a.yaml", [Tape.of(b"data: x\n\n", request=request)])
        with streamtape.use_cassette(tmp_path / "a.yaml", match_on=()):
            assert read("http://another.test/") == [b"data: x\n\n"]

    def test_gzipped_files(self, tmp_path: Path) -> None:
        tape = Tape.of(b"".join(PIECES))
        streamtape.save(tmp_path / "a.yaml.gz", [tape])
        gzip.decompress((tmp_path / "a.yaml.gz").read_bytes())
        assert streamtape.load(tmp_path / "a.yaml.gz") == [tape]

    def test_the_file_keeps_its_mode_and_a_link_stays_a_link(self, tmp_path: Path) -> None:
        real, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
        real.write_text("")
        real.chmod(0o640)
        link.symlink_to(real)
        streamtape.save(link, [Tape.of(b"data: x\n\n")])
        assert link.is_symlink()
        assert real.stat().st_mode & 0o777 == 0o640
        assert len(streamtape.load(real)) == 1

    def test_a_write_that_fails_leaves_the_old_file_and_no_litter(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "a.yaml"
        streamtape.save(path, [Tape.of(b"data: old\n\n")])

        def full(_: int) -> None:
            raise OSError("no space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            streamtape.save(path, [Tape.of(b"data: new\n\n")])
        assert [tape.body for tape in streamtape.load(path)] == [b"data: old\n\n"]
        assert [file.name for file in tmp_path.iterdir()] == ["a.yaml"]

    def test_the_longest_name_that_the_file_system_takes(self, tmp_path: Path) -> None:
        path = tmp_path / ("n" * 250 + ".yaml")
        with serve(STREAM) as server:
            with streamtape.use_cassette(path, record_mode="once"):
                read(server.url)
        assert len(streamtape.load(path)) == 1

    def test_an_http_version_is_kept(self, tmp_path: Path) -> None:
        tape = Tape.of(b"data: x\n\n").with_chunks([], http_version="HTTP/2")
        streamtape.save(tmp_path / "a.yaml", [tape])
        assert streamtape.load(tmp_path / "a.yaml")[0].http_version == "HTTP/2"
        with streamtape.use_cassette(tmp_path / "a.yaml"), httpx2.Client() as client:
            assert client.get("http://x.test/").http_version == "HTTP/2"


def test_saving_many_interactions_writes_each_one_once(tmp_path: Path) -> None:
    """Linear: the part file is appended to, never written again. Counted in bytes, not seconds."""
    path = tmp_path / "a.yaml"
    sizes = []
    with serve(STREAM) as server:
        with streamtape.use_cassette(path, record_mode="once") as cassette:
            for _ in range(5):
                read(server.url)
                cassette.settle()
                sizes.append(Path(f"{path}.part").stat().st_size)
    grown = [later - earlier for earlier, later in pairwise(sizes)]
    assert max(grown) - min(grown) < 50
    assert len(yaml.safe_load(path.read_text())["interactions"]) == 5


def test_vcrpys_other_clients_record_beside_it(tmp_path: Path) -> None:
    import urllib.request

    with serve({"/a": json_response({"a": 1}), "/b": STREAM}) as server:
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            urllib.request.urlopen(f"{server.url}/a").read()
            read(f"{server.url}/b")
        assert [tape.timed for tape in streamtape.load(tmp_path / "a.yaml")] == [False, True]
        with streamtape.use_cassette(tmp_path / "a.yaml"):
            assert urllib.request.urlopen(f"{server.url}/a").read() == b'{"a": 1}'
            assert read(f"{server.url}/b") == PIECES
        assert len(server.requests) == 2


def test_a_serializer_of_the_users_own_meets_a_file_that_is_no_text(tmp_path: Path) -> None:
    class Serializer:
        serialize = deserialize = staticmethod(repr)

    path = tmp_path / "a.bin"
    path.write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(streamtape.CassetteError, match="not UTF-8"):
        streamtape.use_cassette(path, serializer=Serializer).__enter__()


def test_headers_kept_as_bytes_and_a_body_kept_as_a_mapping(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "version: 1\ninteractions:\n- request:\n    method: POST\n    uri: http://x.test/\n"
        "    body: {a: 1}\n    headers: {x: [!!binary aGk=]}\n"
        "  response:\n    status: {code: 200, message: OK}\n    headers: {y: [!!binary aGk=]}\n"
        "    body: {string: hi}\n"
    )
    (tape,) = streamtape.load(path)
    assert tape.request is not None
    assert (tape.request.headers, tape.request.body) == ([("x", "hi")], b'{"a": 1}')
    assert tape.headers == [("y", "hi")]


def test_a_vcrpy_cassette_with_a_key_in_its_url_answers_a_client_without_it(tmp_path: Path) -> None:
    """Secrets are compared away on both sides, whoever recorded the cassette."""
    path = tmp_path / "a.yaml"
    with serve(STREAM) as server:
        with vcr.use_cassette(str(path)):
            httpx2.get(f"{server.url}/v1?key=the-key-of-whoever-recorded&alt=sse")
        with streamtape.use_cassette(path):
            assert read(f"{server.url}/v1?alt=sse&key=another") == PIECES


def test_a_secret_in_the_text_of_an_error_is_not_written(tmp_path: Path) -> None:
    ending = Ending("error", 5, "connect", "cannot reach http://x.test/?key=hunter2-hunter2 today")
    tape = Tape((), ending, Request("GET", "http://x.test/"), status=599, head_ns=None)
    streamtape.save(tmp_path / "a.yaml", [tape])
    assert "hunter2" not in (tmp_path / "a.yaml").read_text()
    assert streamtape.load(tmp_path / "a.yaml")[0].ending.text.endswith("today")


def test_a_stream_whose_recorder_died_loads_with_a_warning_and_breaks_off(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    tape = Tape.of(b"".join(PIECES[:2]), gap_ms=1)
    streamtape.save(path, [tape.with_chunks(tape.chunks, ending=Ending("unfinished", 2_000_000))])
    with pytest.warns(UnfinishedWarning, match=r"a\.yaml:\d+: this timeline has no ending"):
        (loaded,) = streamtape.load(path)
    assert loaded.ending.kind == "unfinished"
    with pytest.raises(AssertionError, match="the recorder died here"), streamtape.play(loaded):
        with pytest.raises(httpx2.ReadError):
            read("http://x.test/")


def test_an_empty_request_body_is_empty_text(tmp_path: Path) -> None:
    streamtape.save(tmp_path / "a.yaml", [Tape.of(b"", request=Request("GET", "http://x.test/"))])
    assert "!!binary" not in (tmp_path / "a.yaml").read_text()
