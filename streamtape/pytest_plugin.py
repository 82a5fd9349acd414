"""The pytest plugin: a marker, fixtures, options, and what a test must not miss.

Imported in every pytest session, so it imports nothing but pytest: the rest of streamtape, and
vcrpy behind it, load with the first test that plays or records a stream.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from streamtape.cassette.library import CassetteContext
    from streamtape.cassette.stream_cassette import StreamCassette

RECORD_MODES = ("none", "once", "new_episodes", "all", "rewrite")
SUFFIX = ".yaml"
NAME_MAX = 255

MARKER = (
    "streamtape(name=None, *, fuzz=True, **options): play the test's streams from its cassette, or"
    " record them with --streamtape-record. name: another file than the default one, relative to"
    " the cassette folder. fuzz=False: the test asserts on chunks or times. options: as in"
    " streamtape.use_cassette."
)

_passed = pytest.StashKey[bool]()
_opened = pytest.StashKey["tuple[CassetteContext, StreamCassette]"]()
_part = pytest.StashKey["str | None"]()


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
    parser.addini(
        "streamtape_record", "the record mode where nothing else says one", default="none"
    )
    for key, what in _SECRET_INI.items():
        parser.addini(f"streamtape_secret_{key}", what, type="linelist", default=[])


_SECRET_INI = {
    "headers": "names of headers never to write to a cassette, beside the default ones",
    "query": "names of query parameters never to write to a cassette, beside the default ones",
    "fields": "names of JSON and form fields never to write the values of, beside the default ones",
    "keep": "default names that hold no secret here and are to be written",
}


def pytest_configure(config: pytest.Config) -> None:
    """Announce the marker."""
    config.addinivalue_line("markers", MARKER)
    config.pluginmanager.register(_PartFiles(), "streamtape-part-files")
    mode = config.getini("streamtape_record")
    if mode not in RECORD_MODES:
        raise pytest.UsageError(
            f"streamtape_record = {mode!r} in the ini file is no record mode: use one of"
            f" {', '.join(RECORD_MODES)}"
        )


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
    context = _context(request, streamtape_config)
    cassette = context.__enter__()
    request.node.stash[_opened] = (context, cassette)
    try:
        yield cassette
    finally:
        # Written only after the tear-down: whether the test was right is known by then.
        context.detach()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Write the cassette of a test that passed, and fail one that missed something."""
    passed = False
    try:
        yield
        passed = item.stash.get(_passed, False)
    finally:
        opened = item.stash.get(_opened, None)
        if opened is not None:
            del item.stash[_opened]
            context, cassette = opened
            unheard = _unheard(cassette)
            context.conclude(None, failed=not passed or bool(unheard))
            item.stash[_part] = context.part
            if unheard:
                pytest.fail("\n\n".join(unheard), pytrace=False)


def _unheard(cassette: StreamCassette) -> list[str]:
    """What client code may have swallowed, each once: an SDK's retries ask for the same again."""
    from streamtape.cassette.library import NoMatchError

    failures, cassette.failures = cassette.failures, []
    told = {id(failure.failed_request) for failure in failures if isinstance(failure, NoMatchError)}
    failures += [
        NoMatchError(cassette=cassette, failed_request=request)
        for request in list(cassette.unanswered)
        if id(request) not in told
    ]
    return list(dict.fromkeys(f"streamtape: {failure}" for failure in failures))


def _context(request: pytest.FixtureRequest, config: dict[str, Any]) -> CassetteContext:
    from streamtape.cassette.filters import Secrets
    from streamtape.cassette.library import use_cassette

    options = dict(config)
    name: str | None = None
    for marker in reversed(list(request.node.iter_markers("streamtape"))):
        name = marker.args[0] if marker.args else name
        options.update(marker.kwargs)
    options.pop("fuzz", None)
    option = request.config.getoption("--streamtape-record")
    mode = option or options.pop("record_mode", None) or request.config.getini("streamtape_record")
    options.pop("record_mode", None)
    if "secrets" not in options:
        ini = request.config.getini
        options["secrets"] = Secrets(
            headers=ini("streamtape_secret_headers"),
            query=ini("streamtape_secret_query"),
            fields=ini("streamtape_secret_fields"),
            keep=ini("streamtape_secret_keep"),
        )
    folder = options.pop("cassette_dir", None) or default_folder(request.path)
    path = Path(folder) / (name or default_name(request.cls, request.node.name))
    return use_cassette(path, record_mode=mode, **options)


def default_folder(test_file: Path) -> Path:
    """Where the cassettes of *test_file* lie: where pytest-recording would put them."""
    return test_file.parent / "cassettes" / test_file.stem


def default_name(test_class: type | None, test_name: str) -> str:
    """The cassette's file name: pytest-recording's, so that both find the same file."""
    name = f"{test_class.__name__}.{test_name}" if test_class else test_name
    for character in "<>?%*:|\"'/\\":
        name = name.replace(character, "-")
    if len(name) + len(SUFFIX) > NAME_MAX:
        digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        name = f"{name[: NAME_MAX - len(SUFFIX) - len(digest) - 3]}...{digest}"
    return name + SUFFIX


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note how the test went, for the fixture's tear-down, and what that left, for the summary."""
    report = yield
    if call.when == "setup":  # also where a plugin runs the same test again
        item.stash[_passed] = False
        item.stash[_part] = None
    elif call.when == "call":
        item.stash[_passed] = report.passed
    elif part := item.stash.get(_part, None):
        # An attribute of a report travels from pytest-xdist's workers to the controller.
        vars(report)["streamtape_part"] = part
    return report


class _PartFiles:
    """The recordings of tests that failed, collected in the process that prints the summary."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if part := getattr(report, "streamtape_part", None):
            self.found.append((report.nodeid, part))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.found:
            return
        terminalreporter.section("streamtape")
        terminalreporter.line(
            "Failed while recording: the cassette stays as it was, and what was recorded is in a"
            " part file, a cassette itself (streamtape show FILE)."
        )
        for nodeid, part in self.found:
            terminalreporter.line(f"  {nodeid}")
            terminalreporter.line(f"    {part}")
