"""What is written: YAML that says exactly the same, in a form that a person can read."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from vcr.serialize import deserialize
from vcr.serializers import yamlserializer

from streamtape.cassette import serializer
from streamtape.cassette.serializer import dump, dump_interaction

HOSTILE = list(
    "ab \t\n\r:#-'\"|>{}[]&*!%@`\\é👩\u200d\u2028\u2029\x85\ufeff\x00\x7f\x9f\ud7ff\uffff\u00a0"
)
texts = st.text(st.sampled_from(HOSTILE), max_size=30) | st.text(max_size=20)
bodies = texts | st.binary(max_size=20)


def interaction(
    body: str | bytes, request_body: str | bytes | None = b"", timeline: str = ""
) -> bytes:
    request = {"method": "POST", "uri": "http://x/", "body": request_body, "headers": {"a": ["b"]}}
    response: dict[str, Any] = {
        "status": {"code": 200, "message": "OK"},
        "headers": {"x": ["y"]},
        "body": {"string": body},
    }
    if timeline:
        response["timeline"] = timeline
    return b"".join(dump_interaction(request, response))


def as_bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


@pytest.mark.parametrize("yaml_loader", [yaml.CSafeLoader, yaml.SafeLoader])
@given(body=bodies, request_body=bodies, timeline=texts)
def test_any_text_and_any_bytes_load_as_they_were(
    yaml_loader: Any, body: str | bytes, request_body: str | bytes, timeline: str
) -> None:
    text = dump([interaction(body, request_body, timeline), interaction(request_body, body)])
    first, second = yaml.load(text, Loader=yaml_loader)["interactions"]
    assert as_bytes(first["response"]["body"]["string"]) == as_bytes(body)
    assert as_bytes(first["request"]["body"]) == as_bytes(request_body)
    assert first["response"].get("timeline", "") == timeline
    assert as_bytes(second["response"]["body"]["string"]) == as_bytes(request_body)


@pytest.mark.parametrize("size", [0, 1, 4])
@given(body=bodies)
def test_a_long_body_is_written_slice_by_slice_as_if_it_were_in_one(
    size: int, body: str | bytes
) -> None:
    whole = interaction(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serializer, "_SLICE", size)
        assert interaction(body) == whole


@given(body=bodies)
def test_plain_vcrpy_loads_what_is_written(body: str | bytes) -> None:
    requests, responses = deserialize(dump([interaction(body)]).decode(), yamlserializer)
    assert [request.uri for request in requests] == ["http://x/"]
    assert responses[0]["body"]["string"] == as_bytes(body)


@pytest.mark.parametrize(
    "body",
    ["data: é 👩\n\n", "\n\n a", "\ta", "a\tb\t\n", "no line end", "\n", "\n\n\n", "# a\n- b: c\n"],
)
def test_a_stream_is_a_literal_block(body: str) -> None:
    assert b"string: |" in interaction(body)


@pytest.mark.parametrize(
    "body",
    ["a\r\nb", "a\x85b", "a\u2028b", "a\u2029b", "\ufeffa", "a\x00", "a \nb", "a ", "a\x7f", ""],
)
def test_what_a_literal_block_cannot_hold_or_an_editor_would_change_is_not_one(body: str) -> None:
    assert b"string: |" not in interaction(body)


def test_bytes_that_are_no_utf8_are_binary() -> None:
    assert b"string: !!binary" in interaction(b"\xff\xfe")


def test_the_whole_form() -> None:
    text = dump(
        [interaction('data: {"a":1}\n\ndata: [DONE]\n\n', '{"model": "it\'s"}', "1.5 head sse\n")],
        {"seed": 7},
    )
    assert text.decode() == (
        "version: 1\n"
        "interactions:\n"
        "- request:\n"
        "    method: POST\n"
        "    uri: http://x/\n"
        "    body: |-\n"
        '      {"model": "it\'s"}\n'
        "    headers:\n"
        "      a:\n"
        "      - b\n"
        "  response:\n"
        "    status:\n"
        "      code: 200\n"
        "      message: OK\n"
        "    headers:\n"
        "      x:\n"
        "      - y\n"
        "    body:\n"
        "      string: |+\n"
        '        data: {"a":1}\n'
        "\n"
        "        data: [DONE]\n"
        "\n"
        "    timeline: |\n"
        "      1.5 head sse\n"
        "metadata:\n"
        "  seed: 7\n"
    )


def test_an_empty_cassette_loads() -> None:
    assert deserialize(dump([]).decode(), yamlserializer) == ([], [])
