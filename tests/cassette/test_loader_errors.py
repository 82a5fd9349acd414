"""What the loader says of a file that is broken: where, what was found, and what to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from streamtape.cassette.errors import CassetteError
from streamtape.cassette.loader import parse
from tests.cassette.test_loader import SIMPLE, cassette

if TYPE_CHECKING:
    from pathlib import Path


def broken(text: str | bytes, path: str | None = "a.yaml") -> CassetteError:
    with pytest.raises(CassetteError) as caught:
        parse(text, path=path)
    return caught.value


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param(
            "interactions:\n- 'a\n\n",
            4,
            "unexpected end of stream (it began in line 2)",
            id="quote left open",
        ),
        pytest.param("interactions:\n\t- a\n", 2, "cannot start any token", id="tab"),
        pytest.param("interactions:\n- a: 1\n b: 2\n", 3, "not YAML", id="indentation"),
        pytest.param(
            "a: &x 1\nb: &x 2\n", 2, "the anchor &x is set a second time", id="anchor twice"
        ),
        pytest.param("a: 1\nb: *x\n", 2, "the alias *x stands for nothing", id="no anchor"),
        pytest.param(
            "interactions: []\n---\ninteractions: []\n",
            2,
            "a second YAML document",
            id="two documents",
        ),
        pytest.param(
            '{"interactions": [\n{"request" 1}]}', 2, "not JSON: Expecting ':'", id="JSON colon"
        ),
        pytest.param(
            '{"interactions": [\n{} {}]}', 2, "not JSON: Expecting ',' or ']'", id="JSON comma"
        ),
        pytest.param('{"interactions": [\n1, }', 2, "not JSON: Expecting value", id="JSON value"),
        pytest.param('{"interactions": [],\n]', 2, "not JSON: Expecting a name", id="JSON name"),
        pytest.param(
            '{"interactions": []}\n"x', 2, "not JSON: Extra data", id="JSON after the end"
        ),
        pytest.param(
            "version: 1\nitems: []\n",
            1,
            "`interactions`, and this is a mapping with version, items",
            id="no interactions",
        ),
        pytest.param("\n- a\n- b\n", 2, "this is a list", id="a list"),
        pytest.param("\n\nhello world\n", 3, "this is 'hello world'", id="a text"),
        pytest.param("x" * 100, 1, "this is 'xxxxxxxxxx", id="a long text"),
        pytest.param("--- 12\n", 1, "this is '12'", id="a number"),
        pytest.param("--- null\n", 1, "this is nothing (null)", id="null"),
        pytest.param(
            "--- !!python/object/new:_io.BytesIO {}\n", 1, "this is a BytesIO", id="an object"
        ),
        pytest.param(
            "interactions: {a: 1}\n",
            1,
            "a list of interactions is expected here, and this is a mapping",
            id="interactions a mapping",
        ),
        pytest.param(
            "interactions: !!python/tuple x\n", 1, "expected a sequence node", id="tuple of nothing"
        ),
        pytest.param(
            cassette(
                response="status: {code: 200}\nheaders: "
                "!!python/object/apply:multidict.CIMultiDict [[[a, 1]]]"
            ),
            7,
            "headers are a mapping of names to texts, and this is a dict",
            id="multidict with a number",
        ),
        pytest.param(
            "interactions: none\n",
            1,
            "a list of interactions is expected here, and this is 'none'",
            id="interactions a text",
        ),
        pytest.param(
            "interactions:\n- null\n",
            2,
            "the interaction, and this is nothing (null)",
            id="interaction null",
        ),
        pytest.param(
            "interactions:\n- response: {}\n", 2, "no `request` with response", id="no request"
        ),
        pytest.param(
            "interactions:\n- a: 1\n- request: {}\n", 2, "no `request` with a", id="neither"
        ),
        pytest.param(
            "interactions:\n- request: {}\n", 2, "no `response` with request", id="no response"
        ),
        pytest.param(
            "interactions:\n- request: {}\n  response:\n",
            3,
            "the response, and this is nothing",
            id="response null",
        ),
        pytest.param(
            "interactions:\n- request: x\n  response: {}\n",
            2,
            "the request, and this is 'x'",
            id="request a text",
        ),
        pytest.param(
            "requests: [a, b]\nresponses: [c]\n",
            2,
            "1 responses to 2 requests",
            id="two lists, not equal",
        ),
        pytest.param(cassette("uri: http://a/"), 3, "no `method` with uri", id="no method"),
        pytest.param(cassette("method: GET"), 3, "no `uri` with method", id="no uri"),
        pytest.param(
            cassette("method: GET\nuri: http://a/\ncookies: {}"),
            5,
            "no `cookies`",
            id="unknown name in a request",
        ),
        pytest.param(
            cassette("method: null\nuri: http://a/"),
            3,
            "a method is text, and this is nothing",
            id="method null",
        ),
        pytest.param(
            cassette("method: GET\nuri: [a]"),
            4,
            "a uri is text, and this is a list",
            id="uri a list",
        ),
        pytest.param(
            cassette("method: GET\nuri: http://[a"), 3, "Invalid IPv6 URL", id="uri no uri"
        ),
        pytest.param(
            cassette("method: GET\nuri: http://a/\nheaders: [a]"),
            5,
            "headers are a mapping of names to texts, and this is a list",
            id="headers a list",
        ),
        pytest.param(
            cassette("method: GET\nuri: http://a/\nheaders:\n  a: [b]\n  c: {d: e}"),
            7,
            "a header is text, and this is a mapping",
            id="header a mapping",
        ),
        pytest.param(
            cassette("method: GET\nuri: http://a/\nheaders:\n  a: [b]\n  c: [[d]]"),
            7,
            "a header is text, and this is a list",
            id="header a list of lists",
        ),
        pytest.param(
            cassette("method: GET\nuri: http://a/\nheaders: {[a]: b}"),
            5,
            "found unhashable key",
            id="header name a list",
        ),
        pytest.param(
            cassette("method: GET\nuri: http://a/\n[a]: b"),
            5,
            "a collection stands here as a name",
            id="name a list",
        ),
        pytest.param(
            cassette(response="headers: {}\nbody: {string: x}"),
            6,
            "no `status` with headers, body",
            id="no status",
        ),
        pytest.param(
            cassette(response="body: {string: x}\nstatus: null"),
            7,
            "`code` and `message`, and this is nothing",
            id="status null",
        ),
        pytest.param(
            cassette(response="status: 200"),
            6,
            "`code` and `message`, and this is '200'",
            id="status a number",
        ),
        pytest.param(
            cassette(response="status: {message: OK}"),
            6,
            "this is a mapping with message",
            id="no code",
        ),
        pytest.param(
            cassette(response="status:\n  message: OK\n  code: fine"),
            8,
            "at most three digits, and this is 'fine'",
            id="code a text",
        ),
        pytest.param(
            cassette(response="status:\n  code: null"),
            7,
            "at most three digits, and this is nothing",
            id="code null",
        ),
        pytest.param(
            cassette(response="status: {code: true}"),
            6,
            "at most three digits, and this is 'true'",
            id="code true",
        ),
        pytest.param(
            cassette(response="status: {code: -1}"), 6, "at most three digits", id="code negative"
        ),
        pytest.param(
            cassette(response="status: {code: 1000}"), 6, "at most three digits", id="code large"
        ),
        pytest.param(
            cassette(response="status: {code: 2.0}"), 6, "at most three digits", id="code a float"
        ),
        pytest.param(
            cassette(response="status: {code: 200, message: [x]}"),
            6,
            "a message is text, and this is a list",
            id="message a list",
        ),
        pytest.param(
            cassette(response="status: {code: 200}\nbody: hello"),
            7,
            "a mapping with `string`, and this is 'hello'",
            id="body a text",
        ),
        pytest.param(
            cassette(response="status: {code: 200}\nbody: {strnig: hello}"),
            7,
            "a mapping with strnig",
            id="body misspelled",
        ),
        pytest.param(
            cassette(response="status: {code: 200}\nbody:\n  string: [a]"),
            8,
            "a body is text, and this is a list",
            id="body a list",
        ),
        pytest.param(
            cassette(response="status: {code: 200}\ntimeline: [a]"),
            7,
            "a timeline is text, and this is a list",
            id="timeline a list",
        ),
        pytest.param(
            cassette(response="status: {code: 200}\ntimeline:"),
            7,
            "a timeline is text, and this is nothing",
            id="timeline null",
        ),
        pytest.param(
            cassette(response="status: {code: 200}\nparsed_body:\n  a: 2026-01-01"),
            8,
            "cannot be written as JSON",
            id="parsed body with a date",
        ),
        pytest.param(
            cassette(response="status_code: 200"),
            6,
            "`status_code` but no `content`",
            id="old form without content",
        ),
        pytest.param(
            cassette(response="status_code: x\ncontent: ''"),
            6,
            "at most three digits",
            id="old form, wrong code",
        ),
        pytest.param(
            SIMPLE + "metadata: [a]\n",
            22,
            "metadata are a mapping, and this is a list",
            id="metadata a list",
        ),
        pytest.param(
            SIMPLE + "metadata:\n  a: 1\n  b: !!int x\n",
            24,
            "this is no !!int",
            id="a number that is none",
        ),
        pytest.param(
            SIMPLE + "metadata: {a: !!binary 'é'}\n", 22, "base64", id="binary that is none"
        ),
        pytest.param(
            SIMPLE + "metadata: {a: {<<: 1}}\n",
            22,
            "expected a mapping or list of mappings for merging",
            id="merge of a number",
        ),
        pytest.param(
            SIMPLE + "<<: 1\n",
            22,
            "expected a mapping or list of mappings for merging",
            id="merge of a number at the root",
        ),
        pytest.param(
            SIMPLE + "metadata: {a: <<}\n",
            22,
            "could not determine a constructor",
            id="merge key as a value",
        ),
    ],
)
def test_a_broken_file_is_told_with_path_line_and_what_was_found(
    text: str, line: int, words: str
) -> None:
    error = broken(text)
    assert words in str(error)
    assert str(error).startswith(f"a.yaml:{line}: ")
    assert (error.path, error.line) == ("a.yaml", line)
    assert "; " in str(error), "says what to do"


def test_lines_of_faults_deep_in_json() -> None:
    request = {"method": "GET", "uri": "http://a/", "headers": {"a": ["b"], "c": [{}]}}
    text = json.dumps({"interactions": [{"request": request, "response": {}}]}, indent=1)
    error = broken(text)
    assert "a header is text" in str(error)
    assert error.line is not None
    assert text.split("\n")[error.line - 1].strip() == "{}"


ASKED = '{"interactions": [{"request": {"method": "GET", "uri": "http://a/"'
HALF = '"\\ud800"'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"interactions": [' + "1" * 5000 + "]}", "this JSON cannot be read: Exceeds the limit"),
        ('{"interactions": ' + "[" * 100_000, "nested too deeply"),
        (
            ASKED + '}, "response": {"status": {"code": 200}, "body": {"string": ' + HALF + "}}}]}",
            "half of a surrogate pair",
        ),
        (ASKED + ', "body": ' + HALF + '}, "response": {}}]}', "surrogates not allowed"),
    ],
)
def test_json_that_cannot_be_read(text: str, words: str) -> None:
    assert words in str(broken(text))


def test_a_lone_surrogate_in_a_text() -> None:
    error = broken("interactions:\n- '\ud800'")
    assert "U+D800" in str(error)
    assert error.line == 2


def test_the_error_in_json_is_told_where_neither_json_nor_yaml_can_be_read() -> None:
    assert "not JSON" in str(broken('{"interactions": [}'))


def test_a_path_is_only_named(tmp_path: Path) -> None:
    assert parse(SIMPLE, path=tmp_path / "none.yaml").lines == [2]
    assert broken("a: [", path=None).path is None
