"""The pytest plugin: a marker, fixtures, options, and what a test must not miss.

Imported in every pytest session, so it imports nothing but pytest: the rest of streamtape, and
vcrpy behind it, load with the first test that plays or records a stream, and what delivers streams
anew with the options that ask for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from streamtape.cassette.library import CassetteContext
    from streamtape.cassette.stream_cassette import StreamCassette
    from streamtape.clock.told import StreamClock
    from streamtape.server import ReplayServer

RECORD_MODES = ("none", "once", "new_episodes", "all", "rewrite")

MARKER = (
    "streamtape(name=None, *, fuzz=True, **options): play the test's streams from its cassette, or"
    " record them with --streamtape-record. name: another file than the default one, relative to"
    " the cassette folder. fuzz=False: the test asserts on chunks or times, so --streamtape-fuzz"
    " leaves it alone. options: as in streamtape.use_cassette."
)

_passed = pytest.StashKey[bool]()
_opened: pytest.StashKey[tuple[CassetteContext, StreamCassette]] = pytest.StashKey()
_part = pytest.StashKey["str | None"]()
_early = pytest.StashKey[list[Exception]]()


class SharedCassetteWarning(pytest.PytestWarning):
    """Several tests have one cassette, although no marker gives it a name."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The command line's options and the ini keys."""
    group = parser.getgroup("streamtape", "streamtape: recorded event streams")
    group.addoption(
        "--streamtape-record",
        choices=RECORD_MODES,
        default=None,
        metavar="MODE",
        help="how streams are recorded: none (default; the network is closed), once, new_episodes,"
        " all, or rewrite (replaces a cassette when its test passes). Overrides the marker's and"
        " streamtape_config's record_mode.",
    )
    group.addoption(
        "--streamtape-fuzz",
        type=int,
        default=None,
        metavar="N",
        help="run each test that plays a stream as recorded, and if it passes once more for each of"
        " N deliveries of the same bytes: whole, byte by byte, cut at each seam, at random.",
    )
    group.addoption(
        "--streamtape-fuzz-rewrites",
        action="store_true",
        help="with --streamtape-fuzz, also other wire forms of the same events: other line ends,"
        " comments, a BOM, content codings, JSON escapes.",
    )
    group.addoption(
        "--streamtape-delivery",
        default=None,
        metavar="EXPR",
        help="deliver every stream that tests play so, such as 'Delivery(cuts=(1042,))'. What it"
        " leaves out stays as the test has it.",
    )
    group.addoption(
        "--streamtape-pace",
        default=None,
        metavar="PACE",
        help="play every stream at this pace: instant, recorded, virtual, a number by which the"
        " recorded speed is multiplied, or 'Pace(max_gap=1.0)'.",
    )
    parser.addini(
        "streamtape_record", "the record mode where nothing else says one", default="none"
    )
    parser.addini(
        "streamtape_vcr",
        "play what vcrpy and pytest-recording replay to clients served here through streamtape, as"
        " --streamtape-fuzz and --streamtape-delivery do",
        type="bool",
        default=False,
    )
    parser.addini(
        "streamtape_guard",
        "while a cassette that can't record is open, refuse connections beyond this machine",
        type="bool",
        default=True,
    )
    parser.addini(
        "streamtape_allow_hosts",
        "names and addresses that may be connected to all the same",
        type="linelist",
        default=[],
    )
    for key, what in _SECRET_INI.items():
        parser.addini(f"streamtape_secret_{key}", what, type="linelist", default=[])


_SECRET_INI = {
    "headers": "names of headers never to write to a cassette, beside the default ones",
    "query": "names of query parameters never to write to a cassette, beside the default ones",
    "fields": "names of JSON and form fields never to write the values of, beside the default ones",
    "keep": "default names that hold no secret here and are to be written",
}


_DELIVERING = (
    "--streamtape-fuzz",
    "--streamtape-fuzz-rewrites",
    "--streamtape-delivery",
    "--streamtape-pace",
)


def pytest_configure(config: pytest.Config) -> None:
    """Announce the marker, and begin what the options ask for."""
    config.addinivalue_line("markers", MARKER)
    from streamtape.pytest_plugin.parts import PartFiles

    config.pluginmanager.register(PartFiles(), "streamtape-part-files")
    mode = config.getini("streamtape_record")
    if mode not in RECORD_MODES:
        raise pytest.UsageError(
            f"streamtape_record = {mode!r} in the ini file is no record mode: use one of"
            f" {', '.join(RECORD_MODES)}"
        )
    delivered = [
        option
        for option in _DELIVERING
        if (value := config.getoption(option)) is not None and value is not False
    ]
    if delivered or config.getini("streamtape_vcr"):
        from streamtape.pytest_plugin import session

        session.begin(config, delivered)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Warn of tests that would write one cassette; of pytest-xdist's workers only the first."""
    have = [
        item
        for item in items
        if item.get_closest_marker("streamtape") is not None
        or "stream_cassette" in getattr(item, "fixturenames", ())
    ]
    if have and getattr(config, "workerinput", {}).get("workerid", "gw0") == "gw0":
        from streamtape.pytest_plugin.markers import warn_of_shared

        warn_of_shared(have)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Keep the network closed to a marked test whose cassette isn't open yet."""
    item: pytest.Item = request._pyfuncitem  # noqa: SLF001 - request.node of wider scope is none
    if _opened in item.stash or item.get_closest_marker("streamtape") is None:
        return (yield)
    from streamtape.pytest_plugin.early import refused

    with refused(item, fixturedef, item.stash.setdefault(_early, []).append):
        return (yield)


@pytest.fixture
def streamtape_config() -> dict[str, Any]:
    """Options for every cassette of the tests that see this fixture; override it in a conftest.

    What `streamtape.use_cassette` takes, and ``cassette_dir``: the folder for cassettes.
    """
    return {}


@pytest.fixture(autouse=True)
def _streamtape_marked(request: pytest.FixtureRequest) -> None:
    """Opens the cassette of a marked test, also where the test doesn't ask for the fixture."""
    if request.node.get_closest_marker("streamtape") is not None:
        request.getfixturevalue("stream_cassette")


@pytest.fixture
def stream_cassette(
    request: pytest.FixtureRequest, streamtape_config: dict[str, Any]
) -> Iterator[StreamCassette]:
    """The test's own cassette: a vcrpy Cassette with ``tapes``, ``played`` and ``timing``.

    Lies at ``cassettes/<module>/<Class.test>.yaml`` beside the test file.
    """
    if request.node.get_closest_marker("vcr") and request.config.pluginmanager.has_plugin(
        "recording"
    ):
        pytest.fail(
            "this test has two recorders, pytest-recording (the marker vcr) and streamtape, which"
            " would write the same file. Drop the marker vcr: streamtape reads its cassettes",
            pytrace=False,
        )
    from streamtape.pytest_plugin.marked import cassette_of

    context = cassette_of(request, streamtape_config)
    cassette = context.__enter__()
    request.node.stash[_opened] = (context, cassette)
    cassette.failures += request.node.stash.get(_early, [])
    try:
        yield cassette
    finally:
        # Written only after the tear-down: whether the test was right is known by then.
        context.detach()


@pytest.fixture
def stream_clock() -> Iterator[StreamClock]:
    """Virtual time: ``now()`` in seconds, ``sleep(seconds)``, ``bridge()`` for code that reads it.

    In plain code players move this clock in place of waiting; under a virtual event loop it tells
    the loop's time.
    """
    from streamtape.clients import virtual_time
    from streamtape.clock.told import StreamClock

    with StreamClock() as clock, virtual_time.refused():
        yield clock


@pytest.fixture
def stream_server() -> Iterator[Callable[..., ReplayServer]]:
    """Starts a replay server, as `streamtape.server.serve`; it ends with the test."""
    from contextlib import ExitStack

    from streamtape.server import serve

    with ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(serve(*args, **options))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Write the cassette of a test that passed, and fail one that missed something."""
    passed = False
    try:
        yield
        passed = item.stash.get(_passed, False)
    except BaseException as error:
        _tell(item, error)
        raise
    finally:
        opened = item.stash.get(_opened, None)
        if opened is not None:
            from streamtape.pytest_plugin.marked import unheard

            del item.stash[_opened]
            context, cassette = opened
            missed = unheard(cassette)
            context.conclude(None, failed=not passed or bool(missed))
            item.stash[_part] = context.part
            if missed:
                pytest.fail("\n\n".join(missed), pytrace=False)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note how the test went, for the fixture's tear-down, and what that left, for the summary."""
    report = yield
    if call.when == "setup":  # also where a plugin runs the same test again
        item.stash[_passed] = False
        item.stash[_part] = None
        item.stash[_early] = []
    elif call.when == "call":
        item.stash[_passed] = report.passed
    elif part := item.stash.get(_part, None):
        # An attribute of a report travels from pytest-xdist's workers to the controller.
        vars(report)["streamtape_part"] = part
    if call.excinfo is not None and (report.failed or hasattr(report, "wasxfail")):
        _tell(item, call.excinfo.value)
    return report


def _tell(item: pytest.Item, error: BaseException) -> None:
    """What a report says with *error* isn't said once more when the cassette is concluded."""
    opened = item.stash.get(_opened, None)
    if opened is not None:
        from streamtape.pytest_plugin.marked import tell

        tell(opened[1], error)
