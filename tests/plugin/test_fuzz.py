"""``--streamtape-fuzz``: what it finds, how it says so, and what it fits into."""

from __future__ import annotations

import re
import subprocess
import sys
from xml.etree import ElementTree as ET

from tests.plugin.suite import CHAT, Suite, write_chats

RIGHT_AND_WRONG = """
@chat
def test_wrong():
    assert reply(wrong) == TEXT

@chat
def test_right():
    assert reply(right) == TEXT

def test_other():
    pass
"""


def test_a_bug_is_reported_once_with_its_own_traceback_and_the_one_cut_to_blame(
    chats: Suite,
) -> None:
    (chats.folder / "tests").mkdir()
    write_chats(chats, RIGHT_AND_WRONG, "tests/test_chat.py")
    result = chats.run("--streamtape-fuzz=20", "--junitxml=result.xml", "--color=no")
    result.assert_outcomes(passed=2, failed=1)
    cut = CHAT.index("é".encode()) + 1
    output = result.stdout.str()
    assert output.count("streamtape: passes as recorded") == 1
    assert (
        f"""
streamtape: passes as recorded, fails when the same bytes arrive differently
  Delivery(cuts=({cut},))
  cut {cut} falls inside the UTF-8 sequence of 'é', event 3, field data:
      data: {{"text": "\\xc3 | \\xa9 au lait"}}
  again: pytest "tests/test_chat.py::test_wrong" --streamtape-delivery='Delivery(cuts=({cut},))'
"""
        in output
    )
    result.stdout.fnmatch_lines(
        [
            ">       assert reply(wrong) == TEXT",
            "E       AssertionError: *",
            "tests/test_chat.py:*: AssertionError",
            "*- streamtape -*",
            "*= streamtape fuzz =*",
            "2 tests under 2[1-9] deliveries",
            "* seams of * kinds cut: utf-8 *, crlf *",
            "played no stream*",
            "  tests/test_chat.py::test_other",
        ]
    )
    assert "fuzz.py" not in output
    assert "examples.py" not in output

    root = ET.parse(chats.folder / "result.xml").getroot()
    assert [suite.attrib["tests"] for suite in root.iter("testsuite")] == ["3"]
    (failure,) = root.iter("failure")
    assert f"Delivery(cuts=({cut},))" in (failure.text or "")

    (again,) = re.findall("again: pytest (.*)", output)
    command = f"{sys.executable} -m pytest -p no:cacheprovider {again}"
    rerun = subprocess.run(
        ["bash", "-c", command], check=False, cwd=chats.folder, capture_output=True, text=True
    )
    assert "1 failed" in rerun.stdout
    assert "caf\ufffd\ufffd au lait" in rerun.stdout


def test_rewrites_over_xdists_workers_counted_together(chats: Suite) -> None:
    write_chats(
        chats,
        """
def strict(chunks):  # knows no comments
    for event in b"".join(chunks).split(b"\\r\\n\\r\\n")[:-1]:
        yield json.loads(event.removeprefix(b"data: "))["text"]

@chat
@pytest.mark.parametrize("n", range(3))
def test_reply(n):
    assert reply(strict) == TEXT

def test_other(): pass
""",
    )
    result = chats.run("--streamtape-fuzz=40", "--streamtape-fuzz-rewrites", "-n2")
    result.assert_outcomes(passed=1, failed=3)
    result.stdout.fnmatch_lines(
        [
            "streamtape: passes as recorded, fails when the same events are written differently",
            "  Delivery(rewrites=(rewrites.*,))",
            "  again: pytest *--streamtape-delivery='Delivery(rewrites=(rewrites.*,))'",
            "3 tests under * deliveries, * of them with rewrites",
            "  test_it.py::test_other",
        ]
    )


ONE_CUT = """
@chat
def test_reply():
    with httpx2.stream("GET", URL) as response:
        chunks = list(response.iter_raw())
    assert [len(chunk) for chunk in chunks[:-1]] != [%d]
"""


def test_what_failed_is_tried_first_the_next_time(chats: Suite) -> None:
    cut = CHAT.index(b"data:", 1) + 5
    write_chats(chats, ONE_CUT % cut)
    default, ci = "--hypothesis-profile=default", "--hypothesis-profile=ci"
    chats.run("--streamtape-fuzz=20", default).assert_outcomes(failed=1)
    remembered = chats.run("--streamtape-fuzz=1", default)
    remembered.assert_outcomes(failed=1)
    remembered.stdout.fnmatch_lines([f"  Delivery(cuts=({cut},))", "1 test under 1 delivery"])
    # ... by a profile with a database. So the first delivery alone finds nothing:
    chats.run("--streamtape-fuzz=1", ci).assert_outcomes(passed=1)


def test_the_debugger_opens_once_where_the_failure_is_shown(chats: Suite) -> None:
    write_chats(chats, RIGHT_AND_WRONG)
    result = chats.pytester.run(
        *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider"),
        *("--streamtape-fuzz=20", "--pdb"),
        stdin=b"p reply.__name__ * 2\nc\n",
    )
    output = result.stdout.str()
    assert output.count("entering PDB") == 1
    assert output.index("passes as recorded") < output.index("entering PDB")
    assert "'replyreply'" in output
    result.assert_outcomes(passed=2, failed=1)


def test_a_plugin_that_runs_items_itself_sees_one_outcome(chats: Suite) -> None:
    with (chats.folder / "conftest.py").open("a") as conftest:
        conftest.write(
            "from _pytest.runner import runtestprotocol\n"
            "def pytest_runtest_protocol(item, nextitem):\n"
            "    for attempt in range(2):\n"
            "        item._initrequest()\n"
            "        reports = runtestprotocol(item, nextitem=nextitem, log=False)\n"
            "        if not any(report.failed for report in reports): break\n"
            "    for report in reports:\n"
            "        item.ihook.pytest_runtest_logreport(report=report)\n"
            "    return True\n"
        )
    write_chats(chats, RIGHT_AND_WRONG)
    result = chats.run("--streamtape-fuzz=5", "-x", "-q")
    result.assert_outcomes(failed=1)
    assert result.stdout.str().count("passes as recorded") == 1
