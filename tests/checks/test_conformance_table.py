"""The conformance table as parameters, and what it says of the classes that it shows."""

from __future__ import annotations

import subprocess
import sys

import pytest

import streamtape
from streamtape import Event, checks
from streamtape.checks.conformance import CASES, WPT_CASES
from streamtape.checks.features import OF_CHANGES, SENTENCES, features, name_of
from streamtape.checks.probes import DEVIATION, PROBES
from streamtape.delivery import contents, rewrites


@pytest.mark.parametrize(("body", "events"), checks.sse_cases())
def test_the_table_is_for_parametrize(body: bytes, events: list[Event]) -> None:
    assert streamtape.decode(body) == events


def test_the_parameters_are_the_whole_table_with_sentences_for_ids() -> None:
    params = checks.sse_cases()
    assert [param.id for param in params] == [case.id for case in CASES]
    assert all(" " in str(param.id) for param in params)
    assert len(WPT_CASES) >= 25


def test_importing_the_checks_loads_neither_pytest_nor_hypothesis() -> None:
    code = (
        "import sys, streamtape.checks\n"
        "print({'pytest', 'hypothesis'} & set(sys.modules))\n"
        "streamtape.checks.sse_cases()\n"
        "print('pytest' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert result.stdout == "set()\nTrue\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"data: a\n\n", set()),
        (b"data: a\r\n\r\n", {"crlf"}),
        (b"data: a\r\r", {"cr"}),
        (b"data: a\r\n\n", {"crlf", "mixed-eol"}),
        (b"\xef\xbb\xbfdata: a\n\n", {"bom"}),
        (b"data: a\xef\xbb\xbf\n\n", {"inner-bom"}),
        (b": c\ndata: a\n\n", {"comments"}),
        (b"data:a\n\n", {"optional-space"}),
        (b"data:  a\n\n", {"leading-space"}),
        (b"data: \ta\n\n", {"leading-space"}),
        (b"data: a \n\n", {"trailing-space"}),
        (b"data: a:b\n\n", {"colon-in-value"}),
        (b"data: a\x00\n\n", {"control-character"}),
        (b"data: a\xff\n\n", {"invalid-utf8"}),
        ("data: \u00e9\n\n".encode(), {"non-ascii"}),
        ("data: \u2028\n\n".encode(), {"unicode-line-separator"}),
        (b"data: a\x0cb\n\n", {"unicode-line-separator"}),
        (b"data: a\ndata: b\n\n", {"multi-line-data"}),
        (b"data: \ndata: b\n\n", {"multi-line-data", "empty-data-line"}),
        (b"data: \n\n", {"empty-data"}),
        (b"data\n\n", {"empty-data", "no-colon"}),
        (b"data: [DONE]\n\n", {"sentinel"}),
        (b"event: t\ndata: a\n\n", {"event-type"}),
        (b"event: \ndata: a\n\n", {"event-type", "empty-type"}),
        (b"data: a\nevent: t\n\n", {"event-type", "field-order"}),
        (b"event: t\nevent: u\ndata: a\n\n", {"event-type", "repeated-field"}),
        (b"event: t\n\n", {"event-type", "event-without-data"}),
        (b"id: 1\ndata: a\n\n", {"id"}),
        (b"id: 1\ndata: a\n\ndata: b\n\n", {"id", "last-event-id"}),
        (b"id: 1\ndata: a\n\n\n", {"id", "blank-lines", "empty-event-after-id"}),
        (b"id: \ndata: a\n\n", {"id", "empty-id"}),
        (b"id: 1\n\n", {"id", "id-block", "empty-event-after-id", "event-without-data"}),
        (b"retry: 1\ndata: a\n\n", {"retry"}),
        (b"retry: x\ndata: a\n\n", {"retry", "retry-bogus"}),
        (b"foo: 1\ndata: a\n\n", {"unknown-field"}),
        (b"\ndata: a\n\n", {"blank-lines"}),
        (b"data: a\n\ndata: b", {"unfinished-event"}),
        (b"data: a\n\ndat", {"unfinished-event"}),
        (b"data: " + b"a" * 65_536 + b"\n\n", {"long-line"}),
        (b"", set()),
    ],
)
def test_what_a_stream_needs_its_reader_to_know(body: bytes, expected: set[str]) -> None:
    assert features("sse", body) == expected
    assert expected <= SENTENCES.keys()


def test_what_lines_of_json_need_their_reader_to_know() -> None:
    assert features("ndjson", b'{"a": 1}\n') == set()
    assert features("ndjson", b'{"a": 1}\r\n') == {"crlf"}
    assert features("ndjson", b'{"a": 1}\n\n{"a": 2}\n') == {"ndjson-blank-line"}


def test_a_body_without_anything_special_is_basic() -> None:
    assert name_of(frozenset()) == "basic"


def test_every_class_of_a_stream_has_a_probe_that_shows_it() -> None:
    shown = {probe.kind.removeprefix(DEVIATION) for probe in PROBES if DEVIATION in probe.kind}
    beside = {"lf", "ndjson-blank-line"}
    assert shown == SENTENCES.keys() - beside
    for probe in PROBES:
        name = probe.kind.removeprefix(DEVIATION)
        if name in SENTENCES and name != "basic":
            assert name in features("sse", probe.body)


def test_no_probe_comes_twice() -> None:
    assert len(set(PROBES)) == len(PROBES)


def test_the_changes_that_have_a_class_exist_and_so_do_the_classes() -> None:
    for kind, name in OF_CHANGES.items():
        family, change = kind.split("/")
        assert hasattr({"rewrite": rewrites, "content": contents}[family], change)
        assert name in SENTENCES
