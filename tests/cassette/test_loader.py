"""Reading cassettes: as vcrpy does, and what other recorders made of its format."""

from __future__ import annotations

import copy
import gzip
import io
import json
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from vcr.request import Request
from vcr.serialize import deserialize, serialize
from vcr.serializers import jsonserializer, yamlserializer
from vcr.stubs.httpx_stubs import _deserialize_response

from streamtape.cassette.errors import CassetteError
from streamtape.cassette.loader import Parsed, parse, read_bytes

if TYPE_CHECKING:
    from pathlib import Path

SIMPLE = """\
interactions:
- request:
    body: '{"stream":true}'
    headers:
      Accept:
      - '*/*'
    method: POST
    uri: https://api.test/v1/chat?a=1
  response:
    body:
      string: "data: 1\\r\\n\\r\\n"
    headers:
      content-type:
      - text/event-stream
      set-cookie:
      - a=1
      - b=2
    status:
      code: 200
      message: OK
version: 1
"""


def one(text: str | bytes, path: str | None = None) -> tuple[Request, dict[str, Any]]:
    (interaction,) = parse(text, path=path).interactions
    return interaction


def cassette(request: str = "", response: str = "") -> str:
    """A cassette of one interaction whose request and response have these lines."""
    request = request or "method: GET\nuri: http://api.test/"
    response = response or "status: {code: 200, message: OK}\nbody: {string: hello}"
    return (
        "interactions:\n- request:\n"
        + "".join(f"    {line}\n" for line in request.splitlines())
        + "  response:\n"
        + "".join(f"    {line}\n" for line in response.splitlines())
    )


def plain(request: Request) -> dict[str, Any]:
    """Everything that a vcrpy request holds."""
    return {**vars(request), "_headers": list(request.headers.items())}


def vcrpy(text: str, serializer: Any = yamlserializer) -> list[tuple[Any, Any]]:
    requests, responses, *_ = deserialize(text, serializer)
    return list(zip(map(plain, requests), responses, strict=True))


def ours(parsed: Parsed) -> list[tuple[Any, Any]]:
    return [(plain(request), response) for request, response in parsed.interactions]


# As vcrpy


def test_a_cassette_of_vcrpy() -> None:
    request, response = one(SIMPLE)
    assert request.method == "POST"
    assert request.uri == "https://api.test/v1/chat?a=1"
    assert request.body == b'{"stream":true}'
    assert dict(request.headers) == {"Accept": "*/*"}
    assert response == {
        "status": {"code": 200, "message": "OK"},
        "headers": {"content-type": ["text/event-stream"], "set-cookie": ["a=1", "b=2"]},
        "body": {"string": b"data: 1\r\n\r\n"},
    }
    assert ours(parse(SIMPLE)) == vcrpy(SIMPLE)


def test_text_and_bytes_give_the_same() -> None:
    assert ours(parse(SIMPLE.encode())) == ours(parse(SIMPLE))


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert ours(parse("\ufeff" + SIMPLE)) == ours(parse(SIMPLE))
    assert ours(parse(b"\xef\xbb\xbf" + SIMPLE.encode())) == ours(parse(SIMPLE))
    in_json = json.dumps(yaml.safe_load(SIMPLE))
    assert ours(parse(b"\xef\xbb\xbf" + in_json.encode())) == ours(parse(SIMPLE))


def test_windows_line_ends() -> None:
    text = cassette(response="status: {code: 200}\nbody:\n  string: |\n    data: 1\n\n    data: 2")
    assert one(text.replace("\n", "\r\n"))[1]["body"]["string"] == b"data: 1\n\ndata: 2\n"
    assert parse(SIMPLE.replace("\n", "\r\n")).lines == [2]


def test_metadata() -> None:
    assert parse(SIMPLE + "metadata: {recorded: today, by: [me]}\n").metadata == {
        "recorded": "today",
        "by": ["me"],
    }
    assert parse(SIMPLE).metadata is None
    assert parse(SIMPLE + "metadata: {}\n").metadata is None


@pytest.mark.parametrize("text", ["", " \n\t\n", "# a comment\n", "\ufeff", b"", b"\xef\xbb\xbf\n"])
def test_nothing_in_the_file_is_no_interactions(text: str | bytes) -> None:
    assert parse(text) == Parsed()


@pytest.mark.parametrize(
    "text", ["interactions: []\nversion: 1\n", "interactions:\n", '{"interactions": []}']
)
def test_no_interactions(text: str) -> None:
    assert parse(text) == Parsed()


BENIGN = """\
interactions:
- request:
    method: !!python/str 'GET'
    uri: !!python/unicode 'http://api.test/'
    headers:
      a: !!python/tuple [x, y]
    body: !!python/object/new:_io.BytesIO
      state: !!python/tuple
      - !!binary aGVsbG8=
      - 2
      - null
  response:
    status: {code: 200, message: !!python/str OK}
    headers: {b: [x]}
    body: {string: !!python/unicode "caf\\xE9"}
- request:
    method: GET
    uri: http://api.test/
    headers: {}
    body: !!python/object/apply:builtins.iter
      args:
      - - !!binary YQ==
        - b
      state: 0
  response:
    status: {code: 200, message: OK}
    headers: {}
    body: {string: ''}
"""


def test_the_python_tags_that_vcrpy_reads() -> None:
    parsed = parse(BENIGN)
    assert ours(parsed) == vcrpy(BENIGN)
    (file, text), (pieces, _) = parsed.interactions
    assert isinstance(file.body, io.BytesIO)
    assert file.body.read() == b"hello"
    assert text["body"]["string"] == "café".encode()
    assert list(pieces.body) == [b"a", "b"]


def test_merge_keys_and_aliases_are_read_as_vcrpy_reads_them() -> None:
    text = """\
headers: &headers
  a: [x]
  b: [y]
more: &more {c: [z]}
interactions:
- request: &request
    method: GET
    uri: http://api.test/
    body: null
    headers: {<<: [*headers, *more], a: [w]}
  response: &response
    status: {code: 200, message: OK}
    headers: {<<: *headers}
    body: {string: hello}
- request: {<<: *request, method: POST}
  response: {<<: *response, body: {string: other}}
"""
    assert ours(parse(text)) == vcrpy(text)


def test_of_a_repeated_name_the_last_counts() -> None:
    text = SIMPLE + "interactions: []\n"
    assert parse(text).interactions == vcrpy(text) == []


def test_a_json_cassette() -> None:
    text = json.dumps(yaml.safe_load(SIMPLE), indent=4)
    assert ours(parse(text)) == vcrpy(text, jsonserializer)
    assert ours(parse(text)) == ours(parse(SIMPLE))
    assert parse(text).lines == [3]
    assert ours(parse("\n " + text)) == ours(parse(SIMPLE))


def test_yaml_that_begins_with_a_brace() -> None:
    text = (
        "{interactions: [{request: {method: GET, uri: 'http://a/'},"
        " response: {status: {code: 204}}}]}"
    )
    assert one(text)[1]["status"]["code"] == 204


def test_request_bodies_that_are_no_text_stay_what_they_are() -> None:
    request, _ = one(cassette("method: POST\nuri: http://a/\nbody: {a: 1, b: [2]}"))
    assert request.body == {"a": 1, "b": [2]}


def test_other_names_of_a_response_are_kept() -> None:
    response = (
        "http_version: HTTP/2\nurl: http://a/\nstatus: {code: 200, extra: 1}\n"
        "body: {string: x, encoding: utf-8}"
    )
    found = one(cassette(response=response))[1]
    assert found["http_version"] == "HTTP/2"
    assert found["url"] == "http://a/"
    assert found["status"] == {"code": 200, "message": None, "extra": 1}
    assert found["body"] == {"string": b"x", "encoding": "utf-8"}


# Properties

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
tokens = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
bodies = st.one_of(
    st.binary(max_size=60),
    texts,
    st.lists(
        st.sampled_from(["data: é\n", "\n", "\r\n", " ", "x", "\x00", "👩", "\u2028", "- a: b"])
    )
    .map("".join)
    .map(str.encode),
)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    headers = draw(st.dictionaries(tokens, st.one_of(texts, st.binary(max_size=9)), max_size=4))
    body = draw(
        st.one_of(
            st.none(),
            bodies,
            bodies.map(lambda body: io.BytesIO(body if isinstance(body, bytes) else body.encode())),
            st.lists(st.binary(max_size=5), max_size=3).map(iter),
        )
    )
    uri = draw(texts.filter(lambda text: "[" not in text and "]" not in text))
    return Request(draw(tokens), f"https://api.test/{uri}", body, headers)


@st.composite
def responses(draw: st.DrawFn) -> dict[str, Any]:
    values = st.lists(st.one_of(texts, st.binary(max_size=9)), max_size=3)
    return {
        "status": {
            "code": draw(st.integers(0, 999)),
            "message": draw(st.one_of(st.none(), texts)),
        },
        "headers": draw(st.dictionaries(tokens, values, max_size=4)),
        "body": {"string": draw(bodies)},
    }


@given(st.lists(st.tuples(requests(), responses()), max_size=3), st.sampled_from([0, 1]))
def test_what_vcrpy_writes_is_read_as_vcrpy_reads_it(
    interactions: list[tuple[Request, dict[str, Any]]], again: int
) -> None:
    # The same response object again: vcrpy's dumper writes an alias.
    interactions = interactions + interactions[:again]
    data = {
        "requests": [request for request, _ in interactions],
        "responses": [response for _, response in interactions],
        "metadata": {"n": len(interactions)},
    }
    text = serialize(data, yamlserializer)
    assert ours(parse(text)) == vcrpy(text)
    assert parse(text).metadata == {"n": len(interactions)}


@given(st.lists(responses(), max_size=3))
def test_what_vcrpy_writes_as_json_is_read_as_vcrpy_reads_it(found: list[dict[str, Any]]) -> None:
    data = {
        "requests": [Request("GET", "http://api.test/", None, {}) for _ in found],
        "responses": [json.loads(json.dumps(each, default=repr)) for each in found],
    }
    text = serialize(data, jsonserializer)
    assert ours(parse(text)) == vcrpy(text, jsonserializer)


# Other recorders' habits

PYDANTIC_AI = """\
interactions:
- request:
    headers:
      content-length:
      - '%d'
    method: POST
    parsed_body:
      b: éé
      a: [1, null]
    uri: http://api.test/
  response:
    headers:
      content-type:
      - application/json
    parsed_body:
      id: x
      list: []
    status:
      code: 200
      message: OK
"""


@pytest.mark.parametrize(
    "body",
    [
        '{"b":"éé","a":[1,null]}',
        '{"b":"\\u00e9\\u00e9","a":[1,null]}',
        '{"b": "\\u00e9\\u00e9", "a": [1, null]}',
        '{"b": "éé", "a": [1, null]}',
    ],
)
def test_a_parsed_body_is_spelled_with_the_length_that_was_sent(body: str) -> None:
    request, response = one(PYDANTIC_AI % len(body.encode()))
    assert request.body == body.encode()
    assert response["body"] == {"string": b'{"id":"x","list":[]}'}
    assert "parsed_body" not in response


def test_a_parsed_body_of_unknown_length_is_compact() -> None:
    assert one(PYDANTIC_AI % 0)[0].body == '{"b":"éé","a":[1,null]}'.encode()


def test_a_parsed_body_of_null_is_the_json_null() -> None:
    text = cassette(
        "method: POST\nuri: http://a/\nparsed_body: null", "status: {code: 200}\nparsed_body: null"
    )
    assert one(text)[0].body == b"null"
    assert one(text)[1]["body"] == {"string": b"null"}


@pytest.mark.parametrize("module", ["multidict", "multidict._multidict", "multidict._multidict_py"])
@pytest.mark.parametrize("way", ["apply", "new"])
def test_header_names_of_aiohttp(module: str, way: str) -> None:
    text = cassette(
        "method: GET\nuri: http://a/\nheaders:\n"
        f"  ? !!python/object/{way}:{module}.istr\n  - Accept\n  : - text/plain",
        f"status: {{code: 200}}\nheaders: !!python/object/{way}:{module}.CIMultiDict\n"
        f"- - !!python/tuple\n    - !!python/object/{way}:{module}.istr [Set-Cookie]\n    - a=1\n"
        f"  - !!python/tuple [set-cookie, b=2]\n  - !!python/tuple [x, y]",
    )
    request, response = one(text)
    assert dict(request.headers) == {"Accept": "text/plain"}
    assert response["headers"] == {"Set-Cookie": ["a=1", "b=2"], "x": ["y"]}
    assert all(type(name) is str for name in [*request.headers, *response["headers"]])


def test_two_lists_in_a_gzip_file_as_langchain_tests_writes_them(tmp_path: Path) -> None:
    text = """\
requests:
- {method: POST, uri: 'http://a/1', body: !!binary aGk=, headers: {a: ['**REDACTED**']}}
- {method: POST, uri: 'http://a/2', body: null, headers: {}}
responses:
- {status: {code: 200, message: OK}, headers: {a: '**REDACTED**'}, body: {string: !!binary aGk=}}
- {status: {code: 500, message: Oh}, headers: {}, body: {string: ''}}
"""
    path = tmp_path / "test_it.yaml.gz"
    path.write_bytes(gzip.compress(text.encode()))
    parsed = parse(read_bytes(path), path=path)
    assert [
        (request.uri, response["status"]["code"]) for request, response in parsed.interactions
    ] == [
        ("http://a/1", 200),
        ("http://a/2", 500),
    ]
    assert parsed.interactions[0][1]["headers"] == {"a": ["**REDACTED**"]}
    assert parsed.interactions[0][0].body == b"hi"
    assert parsed.lines == [2, 3]


def test_headers_as_text_or_list_or_number_or_missing() -> None:
    text = cassette(
        "method: GET\nuri: http://a/\nheaders:\n"
        "  a: one\n  b: [two, three]\n  c: 010\n  on: 12:30:45\n  d: null\n  e: []",
        "status: {code: 200}\nbody: {string: ''}\nheaders: "
        "{a: one, b: [2, 2026-01-01, !!binary aGk=], on: [no], d: null, e: []}",
    )
    request, response = one(text)
    assert dict(request.headers) == {"a": "one", "b": "two", "c": "010", "on": "12:30:45"}
    assert response["headers"] == {
        "a": ["one"],
        "b": ["2", "2026-01-01", b"hi"],
        "on": ["no"],
        "e": [],
    }
    assert one(cassette())[1]["headers"] == {}
    assert one(cassette(response="status: {code: 200}\nheaders: null"))[1]["headers"] == {}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{string: null}", b""),
        ("{}", b""),
        ("null", b""),
        ("{string: 012}", b"012"),
        ("{string: no}", b"no"),
        ("{string: !!binary AP8=}", b"\x00\xff"),
        ("{string: '\\x00'}", b"\\x00"),
        ('{string: "\\x00\\u2028\\U0001F469"}', "\x00\u2028\U0001f469".encode()),
    ],
)
def test_response_bodies(body: str, expected: bytes) -> None:
    assert one(cassette(response=f"status: {{code: 200}}\nbody: {body}"))[1]["body"] == {
        "string": expected
    }


def test_a_response_without_a_body_has_an_empty_one() -> None:
    assert one(cassette(response="status: {code: 204}"))[1]["body"] == {"string": b""}


def test_a_request_body_that_yaml_takes_for_a_number_is_as_written() -> None:
    assert one(cassette("method: POST\nuri: http://a/\nbody: 007"))[0].body == b"007"


def test_numbers_as_headers_in_json() -> None:
    text = json.dumps(
        {
            "interactions": [
                {
                    "request": {"method": "GET", "uri": "http://a/"},
                    "response": {
                        "status": {"code": 200},
                        "headers": {"a": 1, "b": [2.50, None, "c"], "d": True},
                    },
                }
            ]
        }
    ).replace("2.5", "2.50")
    assert one(text)[1]["headers"] == {"a": ["1"], "b": ["2.50", "c"], "d": ["true"]}


def test_names_and_texts_in_base64() -> None:
    text = cassette(
        "!!binary bWV0aG9k: !!binary R0VU\nuri: http://a/\nheaders: {!!binary YQ==: 1}",
        "? !!python/object/apply:multidict.istr [status]\n: {code: 200, message: !!binary T0s=}",
    )
    request, response = one(text)
    assert (request.method, dict(request.headers)) == ("GET", {"a": "1"})
    assert response["status"] == {"code": 200, "message": "OK"}


def test_a_status_code_in_quotes() -> None:
    assert one(cassette(response="status: {code: '200', message: 404}"))[1]["status"] == {
        "code": 200,
        "message": "404",
    }


# httpx's form of before vcrpy 4.2

OLD_HTTPX = """\
interactions:
- request: {method: GET, uri: 'http://a/', body: '', headers: {}}
  response:
    content: "data: caf\\xE9\\n\\n"
    headers:
      content-encoding: [gzip]
      Content-Length: ['33']
      x: [y]
    http_version: HTTP/1.1
    status_code: 200
"""


def test_the_old_httpx_form_is_what_vcrpy_plays() -> None:
    _, response = one(OLD_HTTPX)
    assert response == {
        "status": {"code": 200, "message": None},
        "headers": {"x": ["y"], "content-length": ["13"]},
        "body": {"string": "data: café\n\n".encode()},
        "http_version": "HTTP/1.1",
    }
    ((_, old),) = vcrpy(OLD_HTTPX)
    played = _deserialize_response(old, httpx)
    assert played.status_code == response["status"]["code"]
    assert b"".join(played.stream) == response["body"]["string"]
    assert sorted(played.headers.multi_items()) == [("content-length", "13"), ("x", "y")]


def test_the_old_httpx_form_without_a_coding_keeps_its_headers() -> None:
    _, response = one(OLD_HTTPX.replace("content-encoding: [gzip]", "a: [b]"))
    assert response["headers"] == {"a": ["b"], "Content-Length": ["33"], "x": ["y"]}


def test_the_old_httpx_form_with_bytes_that_are_still_coded() -> None:
    coded = yaml.dump(gzip.compress(b"hello")).strip().replace("\n", "\n      ")
    text = OLD_HTTPX.replace('"data: caf\\xE9\\n\\n"', coded)
    _, response = one(text)
    assert gzip.decompress(response["body"]["string"]) == b"hello"
    assert response["headers"]["content-encoding"] == ["gzip"]


def test_the_old_httpx_form_with_a_timeline() -> None:
    parsed = parse(OLD_HTTPX + "    timeline: |\n      0.1 head sse\n      0.1 eof\n")
    assert parsed.interactions[0][1]["timeline"] == "0.1 head sse\n0.1 eof\n"
    assert parsed.timeline_lines == [12]


# Timelines and lines

TIMED = """\
# a comment
interactions:

- request:
    method: POST
    uri: http://api.test/
  response:
    status: {code: 200, message: OK}
    headers: {odd: ["a\u2028b\u0085c"]}
    body:
      string: |+
        data: 👩é

        data: [DONE]

    timeline: |
      350.207 head sse
      62.524 1
      0.410 eof
- request: {method: GET, uri: 'http://api.test/'}
  response:
    status: {code: 200, message: OK}
    body: {string: x}
- request: {method: GET, uri: 'http://api.test/'}
  response:
    timeline: '0.1 head raw

      0.1 +1

      0.1 eof'
    status: {code: 200, message: OK}
    body: {string: x}
version: 1
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_timelines_stay_text_and_know_their_line(end: str) -> None:
    text = TIMED.replace("\n", end)
    parsed = parse(text)
    timelines = [response.get("timeline") for _, response in parsed.interactions]
    assert timelines == [
        "350.207 head sse\n62.524 1\n0.410 eof\n",
        None,
        "0.1 head raw\n0.1 +1\n0.1 eof",
    ]
    lines = text.split("\n")
    assert [lines[line - 1].strip() for line in parsed.lines] == [
        "- request:",
        *["- request: {method: GET, uri: 'http://api.test/'}"] * 2,
    ]
    first, second, third = parsed.timeline_lines
    assert first is not None
    assert lines[first - 1].strip() == "350.207 head sse"
    assert second is None
    assert third is not None
    assert lines[third - 1].strip() == "timeline: '0.1 head raw"


def test_lines_in_json() -> None:
    text = json.dumps(yaml.safe_load(TIMED), indent=1)
    parsed = parse(text)
    lines = text.split("\n")
    assert all(lines[line].strip() == '"request": {' for line in parsed.lines)
    assert [line and lines[line - 1].split(":")[0].strip() for line in parsed.timeline_lines] == [
        '"timeline"',
        None,
        '"timeline"',
    ]


# Nothing shared

SHARED = """\
interactions:
- request: &request
    method: GET
    uri: http://api.test/
    headers: &headers {a: &list [x], b: *list}
    body: &body {c: [1]}
  response: &response
    status: &status {code: 200, message: OK}
    headers: *headers
    body: {string: hello}
    extra: [1]
- request: *request
  response: *response
"""


def test_interactions_share_nothing_that_can_be_changed() -> None:
    (asked, answered), (again, second) = parse(SHARED).interactions
    before = copy.deepcopy(second)
    answered["status"]["code"] = 500
    answered["headers"]["a"].append("y")
    answered["headers"]["new"] = ["z"]
    answered["body"]["string"] = b""
    answered["extra"].append(2)
    asked.body["c"].append(2)
    assert second == before
    assert again.body == {"c": [1]}
    assert answered["headers"]["b"] == ["x"]


# Files


def test_gzip_data_is_inflated_whatever_the_name_says(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(gzip.compress(SIMPLE[:40].encode()) + gzip.compress(SIMPLE[40:].encode()))
    assert read_bytes(path) == SIMPLE.encode()


def test_a_name_in_gz_alone_makes_no_gzip_data(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml.gz"
    path.write_bytes(SIMPLE.encode())
    assert read_bytes(str(path)) == SIMPLE.encode()


@pytest.mark.parametrize("name", ["a.yaml", "a.yaml.gz"])
def test_an_empty_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"" if name == "a.yaml" else gzip.compress(b""))
    assert read_bytes(path) == b""


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "none.yaml")


# Without libyaml

WITHOUT_LIBYAML = """\
import sys, warnings
sys.modules["yaml._yaml"] = None
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from streamtape.cassette import loader
    from streamtape.cassette.errors import CassetteError
    text = open(sys.argv[1], encoding="utf-8").read()
    for data in (text, text.encode(), text):
        parsed = loader.parse(data)
    for broken in (b"a: '\\xff'", "interactions:\\n- b\\x00", "\\na: " + "[" * 5000):
        try:
            loader.parse(broken)
        except CassetteError as error:
            print(error)
print(parsed.lines, parsed.timeline_lines)
print([response["body"]["string"] for _, response in parsed.interactions])
print([str(each.message) for each in caught if each.category is RuntimeWarning])
"""


def test_without_libyaml_everything_loads_with_one_warning(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(TIMED.encode())
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_LIBYAML, path], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    *errors, lines, found, warned = run.stdout.splitlines()
    assert [error.split(",")[0] for error in errors] == [
        "line 1: the byte 0xff stands here",
        "line 2: the character U+0000 stands here",
        "line 2: collections are nested more than 100 deep here",
    ]
    parsed = parse(TIMED)
    assert lines == f"{parsed.lines} {parsed.timeline_lines}"
    assert found == str([response["body"]["string"] for _, response in parsed.interactions])
    assert warned.count("40 times slower") == 1


# The error


def test_an_error_says_where() -> None:
    assert str(CassetteError("so", path="a.yaml", line=3)) == "a.yaml:3: so"
    assert str(CassetteError("so", path="a.yaml")) == "a.yaml: so"
    assert str(CassetteError("so", line=3)) == "line 3: so"
    assert str(CassetteError("so")) == "so"


def test_an_error_survives_pickling() -> None:
    error = CassetteError("so", path="a.yaml", line=3)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.path, again.line) == ("a.yaml:3: so", "a.yaml", 3)
