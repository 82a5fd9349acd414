"""``--streamtape-delivery``, and options that make no sense."""

from __future__ import annotations

import pytest

from streamtape import Delivery, Request, Tape
from streamtape.delivery import faults, rewrites
from streamtape.pytest_plugin.session import merged
from tests.plugin.suite import PIECES, Suite

TAPE = Tape.of(b"".join(PIECES), request=Request("GET", "http://x.test/"))

DOORS = """
import pathlib, streamtape
from streamtape import Delivery
from streamtape.delivery import faults

HERE = pathlib.Path(__file__).parent
CASSETTE = HERE / "cassettes/test_it/test_marked.yaml"
(TAPE,) = streamtape.load(CASSETTE)

def sizes():
    with httpx2.stream("GET", URL) as response:
        return [len(chunk) for chunk in response.iter_raw()]

@pytest.mark.streamtape
def test_marked(stream_cassette):
    assert sizes() == EXPECTED
    assert len(stream_cassette.played[0].chunks) == len(EXPECTED)

@pytest.mark.streamtape("test_marked.yaml", delivery=Delivery(cuts="bytes"))
def test_of_another_delivery():
    assert sizes() == EXPECTED

@pytest.mark.streamtape("test_marked.yaml", delivery=Delivery(fault=faults.reset_after(1)))
def test_of_a_fault():
    with pytest.raises(httpx2.ReadError):
        sizes()

def test_opened():
    with streamtape.use_cassette(CASSETTE, delivery=Delivery(cuts="whole")):
        assert sizes() == EXPECTED

@pytest.fixture(scope="module")
def of_the_module():
    with streamtape.use_cassette(CASSETTE):
        return sizes()

def test_of_a_module(of_the_module):
    assert of_the_module == EXPECTED

def test_played():
    with streamtape.play(TAPE):
        assert sizes() == EXPECTED
"""


def test_it_applies_to_every_stream_and_what_it_leaves_out_stays(suite: Suite) -> None:
    suite.cassette("cassettes/test_it/test_marked.yaml", TAPE)
    body = len(TAPE.body)
    suite.write("http://x.test/", f"EXPECTED = [4, {body - 4}]\n{DOORS}")
    suite.run("--streamtape-delivery=Delivery(cuts=(4,))").assert_outcomes(passed=6)


def test_what_a_delivery_leaves_at_its_default_is_the_tests_own() -> None:
    own = Delivery(cuts="bytes", pace="recorded", fault=faults.reset_after(1))
    assert merged(None, Delivery(cuts="whole")) == Delivery(cuts="whole")
    assert merged(own, Delivery()) == own
    assert merged(own, Delivery(cuts=(3,), rewrites=(rewrites.crlf(),))) == Delivery(
        cuts=(3,), pace="recorded", rewrites=(rewrites.crlf(),), fault=faults.reset_after(1)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--streamtape-delivery=Delivery(cuts='halves')"],
            "*--streamtape-delivery: no delivery: *unknown cuts 'halves'*",
        ),
        (["--streamtape-delivery=print(1)"], "*print can't be called here*"),
        (["--streamtape-fuzz=0"], "*--streamtape-fuzz=0 tries nothing*"),
        (["--streamtape-fuzz=many"], "*invalid int value: 'many'*"),
        (["--streamtape-fuzz-rewrites"], "*--streamtape-fuzz=N: give that too*"),
        (["--streamtape-fuzz=1", "--streamtape-delivery=Delivery()"], "*give one of the two*"),
        (
            ["--streamtape-fuzz=1", "--streamtape-record=once"],
            "*replays each stream many times, and --streamtape-record=once records*",
        ),
        (
            ["--streamtape-fuzz=1", "--record-mode=new_episodes"],
            "*and --record-mode=new_episodes records*",
        ),
        (
            ["--streamtape-fuzz=1", "-o", "streamtape_record=all"],
            "*and streamtape_record=all records*",
        ),
    ],
)
def test_what_makes_no_sense_stops_pytest(
    pytester: pytest.Pytester, arguments: list[str], message: str
) -> None:
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_a_markers_record_mode_opens_no_network_when_fuzzing(suite: Suite) -> None:
    suite.write(
        "http://127.0.0.1:9/",
        "@pytest.mark.streamtape(record_mode='once')\ndef test_stream(): read(URL)\n",
    )
    with (suite.folder / "tox.ini").open("a") as ini:
        ini.write("\nstreamtape_record = once\n")
    result = suite.run("--streamtape-fuzz=1", "--streamtape-record=none")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*record_mode 'none' doesn't record new ones*"])
