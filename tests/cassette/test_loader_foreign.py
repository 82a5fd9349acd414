"""Files of other recorders: told by name, with what their owner can do."""

from __future__ import annotations

import pytest

from streamtape.cassette.errors import CassetteError
from streamtape.cassette.loader import parse

GO_VCR_1 = """\
version: 1
interactions:
- request: {body: '', form: {}, headers: {}, url: 'http://a/', method: GET}
  response: {body: hi, headers: {}, status: 200 OK, code: 200, duration: ''}
"""
GO_VCR_2 = """\
---
version: 2
interactions:
- id: 0
  request: {proto: HTTP/1.1, url: 'http://a/', method: GET}
  response: {status: 200 OK, code: 200}
"""
CASSETTER = """\
version: 1
interactions:
- request: {method: GET, uri: 'http://a/', headers: {}, body: {type: none}}
  response: {status: 200, headers: {}, body: {type: text, content: hi}}
  recorded_at: 2026-01-01T00:00:00Z
"""
RUBY = "---\nhttp_interactions: []\nrecorded_with: VCR 6.4.0\n"
RUBY_TAGGED = "---\nhttp_interactions:\n- a: !ruby/object:X {}\n"
BETAMAX = '{"http_interactions": [], "recorded_with": "betamax/0.9.0"}'
R_VCR = "http_interactions: []\nrecorded_with: vcr/1.2.0, webmockr/0.9\n"
HTTPMOCK_TWO = "when: {}\nthen: {}\n---\nwhen: {}\nthen: {}\n"
HAR = '{"log": {"version": "1.2", "entries": []}}'
POLLY = '{"log": {"creator": {"name": "Polly.JS"}, "entries": []}}'
NOCK = '[{"scope": "http://a", "method": "GET", "path": "/"}]'
HTTPRR = "httprr trace v1\n360 1759\nPOST http://a/ HTTP/1.1\nHost: a\n\n"
HTTP = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<p>"
GIT_LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
CONFLICT = "interactions:\n<<<<<<< HEAD\n- request: {}\n=======\n- request: {}\n>>>>>>> b\n"

AGAIN = "record it again"
OF_BYTES = "streamtape.Tape.of"
CONVERT = "`streamtape convert`"


@pytest.mark.parametrize(
    ("text", "name", "advice"),
    [
        (GO_VCR_1, "a cassette of go-vcr", AGAIN),
        (GO_VCR_2, "a cassette of go-vcr", AGAIN),
        (CASSETTER, "a cassette of cassetter", AGAIN),
        (RUBY, "Ruby's VCR", AGAIN),
        (RUBY_TAGGED, "Ruby's VCR", AGAIN),
        (BETAMAX, "Betamax", AGAIN),
        (R_VCR, "the R package vcr", AGAIN),
        ("when:\n  method: GET\nthen:\n  status: 200\n", "httpmock", AGAIN),
        (HTTPMOCK_TWO, "httpmock", AGAIN),
        (HAR, "a HAR file, not", CONVERT),
        (POLLY, "a HAR file by Polly.JS", CONVERT),
        ('{"mappings": []}', "WireMock", AGAIN),
        ('{"request": {}, "response": {}}', "WireMock, or one bare interaction", AGAIN),
        ('{"data": {"pairs": []}, "meta": {}}', "Hoverfly", AGAIN),
        (NOCK, "nock", AGAIN),
        ("- request: {}\n  response: {}\n", "vcrpy wrote before 1.0", "vcr.migration"),
        ("data: {}\n\ndata: [DONE]\n\n", "a bare event stream", OF_BYTES),
        ('\nevent: ping\ndata: {"a":\n\n', "a bare event stream", OF_BYTES),
        (": OPENROUTER PROCESSING\n\ndata: {}\n\n", "a bare event stream", OF_BYTES),
        (':\n\ndata: "\n', "a bare event stream", OF_BYTES),
        ('{"a": 1}\n{"a": 2}\n', "a bare stream of JSON lines", OF_BYTES),
        (HTTPRR, "httprr", AGAIN),
        (HTTP, "a raw HTTP response", AGAIN),
        ("<!DOCTYPE html>\n<html>", "HTML", AGAIN),
        (GIT_LFS, "a pointer of Git LFS", "git lfs pull"),
        (CONFLICT, "Git's conflict markers", "keep one side"),
    ],
)
def test_a_file_of_another_recorder_is_told_by_name(text: str, name: str, advice: str) -> None:
    with pytest.raises(CassetteError, match="not a vcrpy cassette") as caught:
        parse(text, path="a.yaml")
    assert name in str(caught.value)
    assert advice in str(caught.value)
    assert caught.value.line is not None


def test_a_cassette_that_only_speaks_of_others_is_none_of_theirs() -> None:
    body = "data: Polly.JS\n<<<<<<< HEAD\nhttp_interactions: recorded_with: betamax\nwhen: then:\n"
    text = (
        "interactions:\n- request: {method: GET, uri: 'http://a/'}\n  response:\n"
        "    status: {code: 200}\n    body:\n      string: |\n"
        + "".join(f"        {line}\n" for line in body.splitlines())
    )
    assert parse(text).interactions[0][1]["body"]["string"] == body.encode()


def test_a_broken_cassette_that_speaks_of_others_is_none_of_theirs_either() -> None:
    text = "interactions:\n- request: 'http_interactions: <<<<<<< HEAD\n  data: {}\n"
    with pytest.raises(CassetteError, match="this is not YAML that can be read"):
        parse(text)
