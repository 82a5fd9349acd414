"""``--streamtape-fuzz`` on tests of every kind, and on those that it can't do much with."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from tests.plugin.suite import CHAT, TAPE, Suite, write_chats


def test_every_kind_of_item_is_fuzzed_and_has_one_outcome(chats: Suite) -> None:
    write_chats(
        chats,
        """
import unittest

class TestClass:
    @chat
    @pytest.mark.parametrize("n", [1, 2])
    def test_parametrised(self, n):
        assert not hasattr(self, "text")
        self.text = reply(wrong)
        assert n == 1 or self.text == TEXT

class TestCase(unittest.TestCase):
    @chat
    def test_method(self):
        self.assertEqual(reply(wrong), TEXT)
    @chat
    def test_subtest(self):
        for n in range(3):
            with self.subTest(n=n):
                self.assertTrue(n != 1 or self.text == TEXT)
    def setUp(self):
        if self._testMethodName != "test_method": self.text = reply(wrong)
    @chat
    def test_right(self): pass

class TestAsync(unittest.IsolatedAsyncioTestCase):
    @chat
    async def test_method(self):
        self.assertEqual(await areply(wrong), TEXT)

@chat
@pytest.mark.asyncio
async def test_asyncio():
    assert await areply(wrong) == TEXT

@chat
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_anyio(anyio_backend):
    assert await areply(wrong) == TEXT

@chat
def test_subtests(subtests):
    text = reply(wrong)
    for n in range(3):
        with subtests.test(n=n):
            assert n != 1 or text == TEXT

@pytest.fixture
def answer(stream_cassette):
    text = reply(wrong)
    assert text == TEXT
    return text

@chat
def test_of_a_fixture(answer): pass

@pytest.fixture
def checked(stream_cassette):
    texts = []
    yield texts
    assert texts == [TEXT]

@chat
def test_checked_at_tear_down(checked):
    checked.append(reply(wrong))

@chat
def test_that_swallows_a_second_request():
    if reply(wrong) != TEXT:
        try: reply(wrong)
        except Exception: pass
""",
    )
    result = chats.run("--streamtape-fuzz=20", "-rA", "--tb=short")
    summary = result.stdout.str().partition("short test summary info")[2]
    told = set(re.findall(r"^(\w+)\S* test_it\.py::(\S+)", summary, re.MULTILINE))
    assert told == {
        ("PASSED", "TestClass::test_parametrised[1]"),
        ("FAILED", "TestClass::test_parametrised[2]"),
        ("FAILED", "TestCase::test_method"),
        ("PASSED", "TestCase::test_right"),
        ("PASSED", "TestCase::test_subtest"),  # as ever: its subtest failed
        ("SUBFAILED", "TestCase::test_subtest"),
        ("FAILED", "TestAsync::test_method"),
        ("FAILED", "test_asyncio"),
        ("FAILED", "test_anyio[asyncio]"),
        ("FAILED", "test_anyio[trio]"),
        ("FAILED", "test_subtests"),
        ("SUBFAILED", "test_subtests"),
        ("FAILED", "test_of_a_fixture"),
        ("PASSED", "test_checked_at_tear_down"),  # as ever: its tear-down failed
        ("ERROR", "test_checked_at_tear_down"),
        ("PASSED", "test_that_swallows_a_second_request"),
        ("ERROR", "test_that_swallows_a_second_request"),
    }
    cut = CHAT.index("é".encode()) + 1
    output = result.stdout.str()
    failures = [name for outcome, name in told if outcome in {"FAILED", "SUBFAILED", "ERROR"}]
    # Of `test_subtests` both the test and its subtest failed.
    assert output.count("streamtape: passes as recorded") == len(failures) - 1
    assert output.count(f"\n  Delivery(cuts=({cut},))\n") == len(failures) - 1


def test_each_run_is_a_fresh_one_and_wider_fixtures_stay(chats: Suite) -> None:
    write_chats(
        chats,
        """
import pathlib, streamtape
from collections import Counter
RUNS = Counter()
TWICE = pathlib.Path(__file__).parent / "twice.yaml"

@pytest.fixture(scope="module", autouse=True)
def runs():
    yield
    print("runs", sorted(RUNS.items()))

@pytest.fixture(scope="module")
def opened(request):
    request.getfixturevalue("played")
    RUNS["opened"] += 1
    with streamtape.use_cassette(TWICE) as cassette:
        reply(right)
        yield cassette
    RUNS["closed"] += 1

@pytest.fixture
def counted(request):
    RUNS["set up"] += 1
    yield
    RUNS["torn down"] += 1

def test_plays_from_a_cassette_of_wider_scope(opened, counted):
    assert opened.play_count == len(opened.played) == 1
    assert reply(right) == TEXT
    RUNS["called"] += 1

@pytest.fixture
def skips():
    pytest.skip("nothing to set up")

def test_that_is_skipped(skips): pass

def test_finds_it_as_one_run_left_it(opened):
    assert opened.play_count == len(opened.played) == 2

@pytest.fixture(scope="module")
def played():
    with streamtape.use_cassette(TWICE):
        return reply(wrong)

def test_of_a_fixture_of_wider_scope(played):
    assert played == TEXT

@chat
def test_leaves_nothing_behind(request, record_property, capsys, caplog, tmp_path, monkeypatch):
    assert reply(right) == TEXT
    record_property("key", 1)
    request.applymarker(pytest.mark.usefixtures("capsys"))
    monkeypatch.setenv("CHANGED", "1")
    print("one line")
    assert capsys.readouterr().out == "one line\\n"
    assert request.node.user_properties == [("key", 1)]
    assert len(list(request.node.iter_markers("usefixtures"))) == 1
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    caplog.handler.records.clear()

@chat
def test_says_things():
    import warnings
    reply(right)
    print("said once")
    warnings.warn("warned once")
""",
    )
    chats.cassette("twice.yaml", TAPE, TAPE)
    legacy = ("--junitxml=result.xml", "-o", "junit_family=legacy")  # which keeps properties
    result = chats.run_apart("--streamtape-fuzz=20", "-rP", "-v", *legacy)
    result.assert_outcomes(passed=5, skipped=1, warnings=1)
    output = result.stdout.str()
    assert (
        "runs [('called', 21), ('closed', 1), ('opened', 1), ('set up', 21), ('torn down', 21)]"
        in output
    )
    assert output.count("said once") == 1
    result.stdout.fnmatch_lines(
        [
            "played a stream only in a fixture of wider scope*",
            "  test_it.py::test_finds_it_as_one_run_left_it",
            "  test_it.py::test_of_a_fixture_of_wider_scope",
        ]
    )
    root = ET.parse(chats.folder / "result.xml").getroot()
    assert len(list(root.iter("property"))) == 1


def test_what_no_delivery_is_to_blame_for_is_said_to_be_so(chats: Suite) -> None:
    write_chats(
        chats,
        """
import pathlib, unittest, streamtape
from hypothesis import given, settings, strategies as st
RUNS = []

@chat
def test_that_works_once():
    reply(right)
    RUNS.append(1)
    assert len(RUNS) == 1

FAILS = iter([0, 0, 0, 1, 0])
@chat
def test_that_fails_now_and_then():
    reply(right)
    assert not next(FAILS, 0)

@pytest.fixture
def breaks(stream_cassette):
    yield
    raise OSError("as recorded too")

@chat
def test_that_breaks_as_recorded(breaks):
    reply(right)

@chat
def test_that_fails_as_recorded():
    assert reply(right) == "something else"

@chat
@pytest.mark.xfail(strict=False)
def test_expected_to_fail():
    assert reply(wrong) != TEXT

@chat
@pytest.mark.xfail(strict=False)
def test_expected_to_fail_that_passes():
    assert reply(wrong) == TEXT

class TestCase(unittest.TestCase):
    @chat
    def test_that_fails_as_recorded(self):
        self.fail(reply(right))

@chat
def test_whose_subtest_fails_as_recorded(subtests):
    with subtests.test("first"):
        assert not reply(right)

@chat
def test_that_skips():
    if reply(wrong) != TEXT:
        pytest.skip("not with these chunks")

@pytest.mark.streamtape("chat.yaml", fuzz=False)
def test_that_counts_chunks():
    with httpx2.stream("GET", URL) as response:
        assert len(list(response.iter_raw())) == 5

HERE = pathlib.Path(__file__).parent

def test_that_may_record():
    with streamtape.use_cassette(HERE / "chat.yaml", record_mode="new_episodes"):
        reply(wrong)

DRAWN = []
@settings(max_examples=3)
@given(st.integers())
def test_of_hypothesis(number):
    DRAWN.append(number)
    with streamtape.use_cassette(HERE / "chat.yaml"):
        assert reply(right) == TEXT
    assert len(DRAWN) <= 3 * (1 + 120)
""",
    )
    result = chats.run("--streamtape-fuzz=120", "--hypothesis-profile=default", "--tb=short")
    result.assert_outcomes(passed=5, failed=6, errors=1, xfailed=1, xpassed=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_that_breaks_as_recorded*",
            "*OSError: as recorded too",
            "*_ test_that_works_once _*",
            "streamtape: passes, and fails when it is run again as recorded",
            "  No delivery is to blame: the test can't be re-run.*",
            "*_ test_that_fails_now_and_then _*",
            "streamtape: failed once, and passed when it was run again in the same way",
            "  Delivery(cuts='events')",
            "  again: pytest *::test_that_fails_now_and_then* --streamtape-delivery=*",
            "*_ test_that_fails_as_recorded _*",
            "*= streamtape fuzz =*",
            "skipped under some of its deliveries, which counts as passed there:",
            "  test_it.py::test_that_skips (*",
            "played from a cassette that may also record*",
            "  test_it.py::test_that_may_record",
        ]
    )
    assert "passes as recorded" not in result.stdout.str()


def test_what_comes_and_goes_is_reported_all_the_same(chats: Suite) -> None:
    """Recorded, failed, recorded, failed again; then, in the run that is reported, it passes."""
    with (chats.folder / "conftest.py").open("a") as conftest:
        conftest.write(
            "from hypothesis import Phase, settings\n"
            "from hypothesis.database import InMemoryExampleDatabase\n"
            "class Broken(InMemoryExampleDatabase):\n"
            "    def fetch(self, key):\n"
            "        if b'test_of_a_database' in key: raise OSError('no database')\n"
            "        return super().fetch(key)\n"
            "unshrunk = [Phase.reuse, Phase.generate]\n"
            "settings.register_profile('x', phases=unshrunk, database=Broken())\n"
        )
    write_chats(
        chats,
        """
def fails():
    yield from [False, True, False, True]
    while True: yield False

CALLS, TEARDOWNS, SUBTESTS = fails(), fails(), fails()

@chat
def test_in_its_call():
    reply(right)
    assert not next(CALLS)

@pytest.fixture
def checked(stream_cassette):
    yield
    assert not next(TEARDOWNS)

@chat
def test_in_its_tear_down(checked):
    reply(right)

@chat
def test_in_a_subtest(subtests):
    reply(right)
    with subtests.test():
        assert not next(SUBTESTS)

@chat
def test_of_a_database():
    reply(right)
""",
    )
    result = chats.run("--streamtape-fuzz=5", "--hypothesis-profile=x", "--tb=short", "-rA")
    result.assert_outcomes(passed=1, failed=3, errors=1)
    output = result.stdout.str()
    assert output.count("  Delivery(cuts='bytes')") == 3
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_in_its_tear_down*",
            "*_ test_in_its_call _*",
            "*_ test_in_a_subtest _*",
            "a subtest failed, and not when the test was run once more",
            "*_ test_of_a_database _*",
            "E   OSError: no database",
        ]
    )
