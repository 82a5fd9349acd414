"""Files made to harm, damaged files, other recorders' files: refused, and nothing of them run."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import zlib
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from vcr.serializers import yamlserializer

from streamtape.cassette import loader
from streamtape.cassette.errors import CassetteError
from streamtape.cassette.loader import parse, read_bytes
from streamtape.cassette.reading import yaml_safety, yaml_tags
from streamtape.cassette.reading.yaml_places import read_yaml

if TYPE_CHECKING:
    from pathlib import Path

ONE = """\
interactions:
- request: {method: GET, uri: 'http://api.test/'}
  response: {status: {code: 200}, body: {string: x}}
"""


def refused(data: str | bytes) -> CassetteError:
    with pytest.raises(CassetteError) as caught:
        parse(data, path="a.yaml")
    return caught.value


@pytest.fixture
def _nothing_constructed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Constructing anything from the file fails the test."""

    def construct(*_: object) -> Any:
        pytest.fail("a value was constructed")

    monkeypatch.setattr(yaml_tags.CassetteLoader, "construct_document", construct)
    monkeypatch.setattr(yaml_tags.CassetteLoader, "flatten_mapping", construct)


# Bombs


def levels(count: int, first: str, form: str) -> str:
    """Anchors a0 to a*count*, each of them nine times the one before."""
    rest = [
        f"a{level}: &a{level} " + form % ", ".join([f"*a{level - 1}"] * 9)
        for level in range(1, count + 1)
    ]
    return "\n".join([f"a0: &a0 {first}", *rest, ""])


@pytest.mark.usefixtures("_nothing_constructed")
@pytest.mark.parametrize(
    ("first", "form"),
    [
        pytest.param("[x, x]", "[%s]", id="lists"),
        pytest.param("{x: x}", "{<<: [%s]}", id="merges"),
        pytest.param("{x: x}", "{y: [%s]}", id="mappings"),
        pytest.param("x", "[%s]", id="texts"),
    ],
)
def test_aliases_that_explode(first: str, form: str) -> None:
    error = refused(levels(40, first, form) + ONE)
    assert "aliases repeat more than 1,000,000 values" in str(error)
    assert error.line is not None
    assert error.line <= 9, "refused where the millionth value is met, not at the end"


@pytest.mark.usefixtures("_nothing_constructed")
def test_aliases_of_a_large_text() -> None:
    text = f"a: &a {'x' * 1_000_000}\nb: [" + "*a, " * 300 + "]\n" + ONE
    assert "aliases repeat" in str(refused(text))


def test_a_chain_of_merges_is_as_deep_as_it_is_long() -> None:
    text = "a0: &a0 {x: y}\n" + "".join(
        f"a{level}: &a{level} {{<<: *a{level - 1}}}\n" for level in range(1, 5000)
    )
    assert "nested more than 100 deep" in str(refused(text + ONE))


def test_more_merge_keys_than_anyone_writes() -> None:
    text = "a: &a {x: y}\nb:\n" + "  <<: *a\n" * 10_001
    assert "merge keys" in str(refused(text + ONE))


@pytest.mark.parametrize(
    "text",
    ["a: &a [*a]\n", "a: &a {b: *a}\n", "a: &a {*a : b}\n", "&a [*a]\n", "a: &a\n  <<: *a\n"],
)
@pytest.mark.usefixtures("_nothing_constructed")
def test_aliases_inside_their_own_value(text: str) -> None:
    assert "stands inside its own value" in str(refused(text))


def test_the_same_response_a_thousand_times_is_no_bomb() -> None:
    response = {
        "status": {"code": 200, "message": "OK"},
        "headers": {"a": ["b"]},
        "body": {"string": "x" * 5000},
    }
    request = {"method": "GET", "uri": "http://api.test/", "body": None}
    interactions = [
        {"request": {**request, "headers": {}}, "response": response} for _ in range(1000)
    ]
    text = yamlserializer.serialize({"interactions": interactions, "version": 1})
    assert text.count("*id") == 999
    parsed = parse(text)
    assert [each["body"]["string"] for _, each in parsed.interactions] == [b"x" * 5000] * 1000


# Depth


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 100_000, id="lists"),
        pytest.param("{a: " * 100_000, id="mappings"),
        pytest.param("- " * 100_000, id="dashes"),
        pytest.param("? " * 100_000, id="question marks"),
        pytest.param("a: " + "[" * 101 + "]" * 101, id="a little too deep"),
    ],
)
@pytest.mark.usefixtures("_nothing_constructed")
def test_nesting_that_would_end_the_process(text: str) -> None:
    assert "nested" in str(refused(text))


def test_nesting_as_deep_as_allowed() -> None:
    parsed = parse(ONE + "metadata: {a: " + "[" * 98 + "]" * 98 + "}\n")
    assert parsed.metadata is not None
    with pytest.raises(CassetteError, match="nested more than 100 deep"):
        parse(ONE + "metadata: {a: " + "[" * 99 + "]" * 99 + "}\n")


def test_depth_under_a_tag_that_is_built_by_recursion() -> None:
    deep = "!!python/object/new:_io.BytesIO {state: " + "[" * 95 + "]" * 95 + "}"
    frames = 600  # as if called from deep inside somebody's program

    def call(depth: int) -> CassetteError:
        return call(depth - 1) if depth else refused(ONE.replace("x}}", f"x}}, a: {deep}}}"))

    assert "nested" in str(call(frames))


def test_json_nested_deeply() -> None:
    assert "nested too deeply" in str(refused('{"interactions": ' + '{"a": ' * 100_000))
    assert "nested too deeply" in str(refused("[" * 100_000))


# Numbers


@pytest.mark.usefixtures("_nothing_constructed")
@pytest.mark.parametrize(
    "number", ["1" * 1001, "1" + ":1" * 500_000, "0x" + "f" * 1000, "1.0" + "0" * 1000]
)
def test_a_number_that_takes_long_to_convert(number: str) -> None:
    assert "a number of" in str(refused(f"metadata: {number}\n" + ONE))


def test_many_digits_in_a_text_are_fine() -> None:
    assert parse(ONE.replace("string: x", f"string: '{'1' * 5000}'")).interactions[0][1][
        "body"
    ] == {"string": b"1" * 5000}


# Code


@pytest.fixture
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object) -> None:
        pytest.fail("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)


@pytest.mark.usefixtures("_no_network")
@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system [touch PATH]",
        "!!python/object/apply:subprocess.Popen [[touch, 'PATH']]",
        "!!python/object/apply:builtins.open ['PATH', w]",
        "!!python/object/new:pathlib.Path ['PATH']",
        '!!python/object/apply:builtins.eval [\'open("PATH", "w")\']',
        "!!python/object/apply:urllib.request.urlopen ['http://127.0.0.1:9/']",
        "!!python/object:vcr.request.Request {}",
        "!!python/object/apply:multidict._multidict.evil [a]",
        "!!python/object/apply:os.multidict.istr [a]",
        "!!python/object/new:_io.FileIO ['PATH', w]",
        "!!python/name:os.system ''",
        "!!python/module:antigravity ''",
        "!!python/list [a]",
        "!!python/none ''",
    ],
)
@pytest.mark.parametrize(
    "place",
    ["evil: TAG\n" + ONE, ONE + "metadata:\n  a: [TAG]\n", ONE.replace("string: x", "string: TAG")],
    ids=["unused", "metadata", "body"],
)
def test_no_python_object_is_built(tmp_path: Path, tag: str, place: str) -> None:
    path = tmp_path / "made"
    error = refused(place.replace("TAG", tag.replace("PATH", str(path))))
    assert tag.partition(" ")[0] in str(error)
    assert "nothing of it was run" in str(error)
    assert not path.exists()


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:builtins.iter {args: [5]}",
        "!!python/object/new:_io.BytesIO {state: 5}",
        "!!python/object/new:_io.BytesIO [a]",
        "!!python/object/new:_io.BytesIO a",
        "!!python/object/apply:multidict._multidict.istr [a, b]",
        "!!python/object/apply:multidict._multidict.istr [1]",
        "!!python/object/apply:multidict._multidict.istr a",
        "!!python/object/apply:multidict._multidict.CIMultiDict [[1]]",
        "!!python/object/apply:multidict._multidict.CIMultiDict {args: 1}",
        "!!python/tuple a",
        "!!python/str [a]",
        "!!timestamp 2026-99-99",
        "!!timestamp x",
        "!!bool x",
        "!!int ''",
        "!!float x",
        "!!set [a]",
        "!!omap {a: b}",
        "!!null [a]",
        "2026-02-30",
    ],
)
def test_a_known_tag_on_a_value_that_it_does_not_fit(tag: str) -> None:
    error = refused(ONE + "metadata:\n  a:\n  - b\n  - " + tag + "\n")
    assert error.line == 7


def test_a_tag_of_another_language() -> None:
    assert "the tag !ruby/object:Struct" in str(refused("a: !ruby/object:Struct {}\n" + ONE))


# Damage


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"interactions:\n- '\xff'\n", 2, "the byte 0xff stands here, which is not UTF-8"),
        ("interactions:\n- 'é'\n".encode("latin-1"), 2, "the byte 0xe9"),
        (b'{"interactions": [\n"\xff"]}', 2, "the byte 0xff"),
        (b"interactions:\n- 'a\x00'\n", 2, "the character U+0000 stands here"),
        ("# é\ninteractions:\n- 'a\x07'\n", 3, "the character U+0007 stands here"),
        (b'{"interactions": [\n"\x00"]}', 2, "Invalid control character"),
        (ONE.encode("utf-16"), 1, "this file is in UTF-16"),
        (b"\xfe\xff" + ONE.encode("utf-16-be"), 1, "this file is in UTF-16"),
        (ONE.encode("utf-32"), 1, "this file is in UTF-32"),
        (ONE.encode("utf-16-le"), 1, "the character U+0000 stands here"),
        (gzip.compress(ONE.encode()), 1, "the byte 0x8b"),
    ],
)
def test_a_file_that_is_no_text(data: bytes | str, line: int, words: str) -> None:
    error = refused(data)
    assert words in str(error)
    assert error.line == line


def test_a_gzip_file_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml.gz"
    path.write_bytes(gzip.compress(ONE.encode())[:-10])
    with pytest.raises(CassetteError, match=r"a\.yaml\.gz: this gzip file is broken"):
        read_bytes(path)


@pytest.mark.parametrize("position", [2, 12, -5])
def test_a_gzip_file_with_a_wrong_byte(tmp_path: Path, position: int) -> None:
    data = bytearray(gzip.compress(ONE.encode()))
    data[position] ^= 0xFF
    path = tmp_path / "a.yaml.gz"
    path.write_bytes(data)
    with pytest.raises(CassetteError, match="this gzip file is broken"):
        read_bytes(path)


def test_a_gzip_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "MAX_INFLATED", 10_000)
    path = tmp_path / "a.yaml.gz"
    path.write_bytes(gzip.compress(b" " * 10_000))
    assert read_bytes(path) == b" " * 10_000
    squeeze = zlib.compressobj(wbits=31)
    path.write_bytes(
        b"".join([*(squeeze.compress(b" " * 1_000_000) for _ in range(50)), squeeze.flush()])
    )
    with pytest.raises(CassetteError, match="inflates to more than 10,000 bytes"):
        read_bytes(path)


def test_many_small_members_of_gzip_data(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml.gz"
    path.write_bytes(gzip.compress(b"") * 5000 + gzip.compress(ONE.encode()))
    assert read_bytes(path) == ONE.encode()


# Everything else


def theirs(text: str) -> Any:
    """vcrpy's value of a YAML text, or the error in its place."""
    try:
        return repr(yaml.load(text, Loader=yamlserializer._CassetteLoader))
    except Exception as error:  # noqa: BLE001  # whatever it is
        return error


pieces = st.sampled_from(
    [
        *"ab:-[]{},&*!|>'\"#?\n~=12 ",
        "\n ",
        "\n- ",
        ": ",
        "&a ",
        "*a",
        "<<: ",
        "!!str ",
        "!!set ",
        "!!binary ",
        "\n  ",
        "é",
        "\u2028",
        "2026-01-01",
        "0x1",
        "1:1",
    ]
)


@given(st.lists(pieces, max_size=25).map("".join))
def test_any_text_is_read_as_vcrpy_reads_it_or_refused(text: str) -> None:
    expected = theirs(text)
    try:
        root = read_yaml(text, None)
        found = repr(None if root is None else root.value())
    except CassetteError as error:
        refused_here = "inside its own value" in str(error)
        assert refused_here or isinstance(expected, Exception)
    else:
        assert found == expected


@given(
    st.one_of(
        st.binary(max_size=40), st.text(max_size=40), st.lists(pieces, max_size=20).map("".join)
    )
)
def test_whatever_is_in_a_file_nothing_but_a_cassette_error_comes_of_it(data: bytes | str) -> None:
    with contextlib.suppress(CassetteError):
        parse(data)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "interactions",
                    "request",
                    "response",
                    "method",
                    "uri",
                    "body",
                    "string",
                    "headers",
                    "status",
                    "code",
                    "timeline",
                    "parsed_body",
                    "status_code",
                    "content",
                    "url",
                ]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(json_values, json_values, json_values)
def test_whatever_an_interaction_is_nothing_but_a_cassette_error_comes_of_it(
    request: Any, response: Any, other: Any
) -> None:
    document = {"interactions": [{"request": request, "response": response}], "metadata": other}
    written = json.dumps(document)
    as_yaml = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
    messages = []
    for text in (written, as_yaml, json.dumps(other)):
        try:
            parse(text)
            messages.append("")
        except CassetteError as error:
            messages.append(str(error).partition(": ")[2])
    assert messages[0] == messages[1] or "\\" in messages[0] + messages[1]


def test_the_limits_are_those_that_are_documented() -> None:
    assert (yaml_safety.MAX_DEPTH, yaml_safety.MAX_REPEATED) == (100, 1_000_000)
