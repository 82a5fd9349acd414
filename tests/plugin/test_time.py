"""``stream_clock`` and ``--streamtape-pace``, in whole sessions."""

from __future__ import annotations

import pytest

from streamtape import Request, Tape
from tests.plugin.suite import PIECES, Suite

TAPE = Tape.of(b"".join(PIECES), gap_ms=200_000, request=Request("GET", "http://x.test/"))
SECONDS = 200 * len(PIECES)

TESTS = f"""
import pathlib, streamtape
from streamtape import Delivery

(TAPE,) = streamtape.load(pathlib.Path(__file__).parent / "tape.yaml")
SECONDS = {SECONDS}

def read():
    with httpx2.Client(timeout=None) as client:
        return client.get(URL).content

async def read_async():
    async with httpx2.AsyncClient(timeout=None) as client:
        return (await client.get(URL)).content
"""


def test_the_clock_of_plain_code_of_asyncio_and_of_trio(suite: Suite) -> None:
    suite.cassette("tape.yaml", TAPE)
    suite.write(
        "http://x.test/",
        TESTS
        + """
import time
import looptime as looptime_, trio.testing

def test_plain(stream_clock):
    with streamtape.play(TAPE, Delivery(pace="virtual")):
        read()
    assert stream_clock.now() == SECONDS

def test_bridged(stream_clock):
    with streamtape.play(TAPE, Delivery(pace="virtual")), stream_clock.bridge():
        started = time.monotonic()
        read()
        time.sleep(10)
        assert time.monotonic() - started == pytest.approx(SECONDS + 10)

BACKENDS = [
    ("asyncio", {"loop_factory": looptime_.new_event_loop}),
    ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}),
]

@pytest.fixture(params=BACKENDS, ids=["asyncio", "trio"])
def anyio_backend(request):
    return request.param

@pytest.mark.anyio
async def test_anyio(stream_clock):
    assert stream_clock.now() == 0
    with streamtape.play(TAPE, Delivery(pace="virtual")):
        await read_async()
    assert stream_clock.now() == pytest.approx(SECONDS)
""",
    )
    suite.run("-p", "no:looptime_plugin").assert_outcomes(passed=4)


def test_the_marker_of_looptime_gives_pytest_asyncio_a_virtual_loop(suite: Suite) -> None:
    suite.cassette("tape.yaml", TAPE)
    suite.write(
        "http://x.test/",
        TESTS
        + """
@pytest.mark.asyncio
@pytest.mark.looptime
async def test_asyncio(stream_clock):
    assert stream_clock.now() == 0
    with streamtape.play(TAPE, Delivery(pace="virtual")):
        await read_async()
    assert stream_clock.now() == pytest.approx(SECONDS)

@pytest.mark.asyncio
async def test_real():
    with streamtape.play(TAPE, Delivery(pace="virtual")):
        with pytest.raises(RuntimeError, match="virtual"):
            await read_async()
""",
    )
    result = suite.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines("*AssertionError: pace='virtual', but the time of this event loop*")


@pytest.mark.parametrize(
    ("pace", "seconds"),
    [
        ("recorded", SECONDS),
        ("virtual", SECONDS),
        ("2", SECONDS / 2),
        ("instant", 0),
        ("Pace(max_gap=1.0)", len(PIECES)),
    ],
)
def test_every_stream_is_played_at_the_pace_of_the_option(
    suite: Suite, pace: str, seconds: float
) -> None:
    suite.cassette("tape.yaml", TAPE)
    suite.write(
        "http://x.test/",
        TESTS
        + f"""
def test_played(stream_clock):
    with streamtape.play(TAPE):
        read()
    assert stream_clock.now() == {seconds}
""",
    )
    suite.run(f"--streamtape-pace={pace}").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--streamtape-pace=fast"], "--streamtape-pace=fast is no pace: use one of instant"),
        (["--streamtape-pace=-1"], "--streamtape-pace=-1 is no pace"),
        (["--streamtape-pace=2", "--streamtape-fuzz=5"], "it takes no --streamtape-pace"),
    ],
)
def test_a_pace_that_makes_no_sense_is_refused(suite: Suite, options: list[str], said: str) -> None:
    result = suite.run(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(f"*{said}*")


def test_a_server_of_the_test_ends_with_it(suite: Suite) -> None:
    suite.cassette("tape.yaml", TAPE)
    suite.write(
        "http://x.test/",
        TESTS
        + """
urls = []

def test_served(stream_server):
    server = stream_server(pathlib.Path(__file__).parent / "tape.yaml")
    urls.append(server.url)
    assert httpx2.get(server.url).content == TAPE.body

def test_ended():
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(urls[0])
""",
    )
    suite.run().assert_outcomes(passed=2)
