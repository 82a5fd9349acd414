"""Tests that have one cassette without having asked for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.suite import Suite

WARNING = ("-W", "default::streamtape.pytest_plugin.SharedCassetteWarning")
"""These sessions run inside of this one, in which warnings are errors."""

IDS = """
@pytest.mark.streamtape
@pytest.mark.parametrize("x", IDS)
def test_it(x): pass
"""


@pytest.mark.parametrize(
    "body",
    [
        IDS.replace("IDS", "['a/b', 'a-b', 'c']"),
        IDS.replace("IDS", "['a/b', 'a:b']").replace("(x)", "(x, stream_cassette)").replace(
            "@pytest.mark.streamtape\n", ""
        ),
    ],
    ids=["marked", "fixture"],
)  # fmt: skip
def test_ids_that_become_one_file_are_warned_of(suite: Suite, body: str) -> None:
    suite.write("http://x.test/", body)
    result = suite.run(*WARNING)
    assert result.parseoutcomes()["warnings"] == 1
    warned = (
        "*SharedCassetteWarning: 2 tests have one cassette, test_it[[]a-b].yaml:"
        " test_it.py::test_it[[]a/b], test_it.py::test_it[[]a?b]. Each would*ids*in the marker*"
    )
    result.stdout.fnmatch_lines([warned])


def test_ids_that_differ_in_case_are_warned_of_for_other_disks(suite: Suite) -> None:
    suite.write("http://x.test/", IDS.replace("IDS", "['a', 'A']"))
    result = suite.run(*WARNING)
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(["*2 tests have one cassette, *doesn't tell a from A*"])


def test_methods_of_inner_classes_of_one_name_are_warned_of(suite: Suite) -> None:
    inner = "class Test{}:\n    class TestInner:\n        def test_it(self): pass\n"
    body = "pytestmark = pytest.mark.streamtape\n" + inner.format(1) + inner.format(2)
    suite.write("http://x.test/", body)
    result = suite.run(*WARNING)
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(["*2 tests have one cassette, TestInner.test_it.yaml:*"])


@pytest.mark.parametrize(
    "body",
    [
        IDS.replace("IDS", "['a/b', 'a-b']").replace("streamtape", "streamtape('both.yaml')"),
        IDS.replace(
            "IDS", "['a/b', pytest.param('a-b', marks=pytest.mark.streamtape('other.yaml'))]"
        ),
        IDS.replace("IDS", "['a/b', pytest.param('a-b', marks=pytest.mark.streamtape("
                    "cassette_dir='elsewhere'))]"),
        IDS.replace("IDS", "['a/b', 'a-b']").replace("@pytest.mark.streamtape\n", ""),
        IDS.replace("IDS", "['a', 'b']"),
    ],
    ids=["one name", "a name", "a folder", "not marked", "two files"],
)  # fmt: skip
def test_tests_that_asked_for_it_or_have_two_files_are_not_warned_of(
    suite: Suite, body: str
) -> None:
    suite.write("http://x.test/", body)
    suite.run("-W", "error").assert_outcomes(passed=2)


def test_a_test_that_is_collected_twice_is_one(suite: Suite) -> None:
    suite.write("http://x.test/", IDS.replace("IDS", "['a']"))
    result = suite.run("--keep-duplicates", "-W", "error", "test_it.py", "test_it.py")
    result.assert_outcomes(passed=2)


def test_as_an_error_the_warning_stops_pytest_in_one_sentence(suite: Suite) -> None:
    suite.write("http://x.test/", IDS.replace("IDS", "['a/b', 'a-b']"))
    result = suite.run("-W", "error::streamtape.pytest_plugin.SharedCassetteWarning")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*2 tests have one cassette*"])


def test_the_workers_of_xdist_warn_once(suite: Suite) -> None:
    suite.write("http://x.test/", IDS.replace("IDS", "['a/b', 'a-b']"))
    suite.run_apart("-n2").assert_outcomes(passed=2, warnings=1)
