"""``--streamtape-fuzz``: every test that plays a stream, under many deliveries of that stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from streamtape.delivery.shrinking import shrunk
from streamtape.pytest_plugin import adoption
from streamtape.pytest_plugin.blame import CANNOT_BE_RERUN, attach, blamed, nodeid_here, unstable
from streamtape.pytest_plugin.examples import Examples, Failure
from streamtape.pytest_plugin.tally import Tally
from streamtape.pytest_plugin.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Generator

    from streamtape.clients.routing import Session
    from streamtape.delivery import Delivery
    from streamtape.pytest_plugin.search import Search
    from streamtape.tape import Tape

SHRINK_BUDGET = 200
"""So many runs of a test may be spent on making its failure small."""

NO_STREAM = "played no stream, so there was nothing to deliver in another way"
WIDER = (
    "played a stream only in a fixture of wider scope, which is set up once: not fuzzed. Play it in"
    " the test or in a function-scoped fixture"
)
BESIDE = (
    "was answered by vcrpy, in a client that streamtape doesn't serve, so not fuzzed: use httpx,"
    " httpx2, aiohttp, urllib3 or requests"
)
MAY_RECORD = "played from a cassette that may also record, so not fuzzed: use the record mode none"


class Fuzzing:
    """The plugin of a session that fuzzes."""

    def __init__(self, number: int, *, rewrites: bool) -> None:
        self._number = number
        self._rewrites = rewrites
        self._test: _Test | None = None
        self._players: set[str] = set()  # fixtures of wider scope that played a stream

    def direct(self, session: Session, tape: Tape, own: Delivery | None) -> Delivery | None:
        """The delivery for *tape* (see `streamtape.clients.routing.Director`)."""
        return own if self._test is None else self._test.watch.direct(session, tape, own)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Watch what *item* plays, beginning with its fixtures."""
        if not self._inside():
            self._test = None
            if isinstance(item, pytest.Function) and _is_allowed(item):
                self._test = _Test(item, self)
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """What a fixture of wider scope plays stays played."""
        if self._test is None or fixturedef.scope == "function":
            return (yield)
        watch = self._test.watch
        before = watch.wider
        try:
            with watch.wider_set_up():
                return (yield)
        finally:
            if watch.wider > before:
                self._players.add(fixturedef.argname)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """After the call as recorded, if that went well, all the others."""
        __tracebackhide__ = True
        result = yield
        if self._test is not None and not self._inside():
            self._test.fuzz(self._number, self._players, rewrites=self._rewrites)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        """Raise what an example failed with in its tear-down, should it not come up again."""
        __tracebackhide__ = True
        result = yield
        if self._test is not None and not self._inside():
            self._test.torn_down()
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put on the report what the search found."""
        report = yield
        if self._test is not None and not self._test.examples.asking:
            self._test.tell(report, call)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Hear what subtests say: while a call runs, nobody else makes a report."""
        if self._test is not None and report.when == "call":
            self._test.examples.heard.append(report)

    def _inside(self) -> bool:
        return self._test is not None and self._test.examples.running


class _Test:
    """One item, from its set-up to its tear-down."""

    def __init__(self, item: pytest.Function, plugin: Fuzzing) -> None:
        self.watch = Watch()
        self.examples = Examples(item, plugin)
        self._item = item
        self._tally: Tally | None = None
        self._text = ""
        self._awaited: BaseException | None = None
        self._beside = adoption.answered_beside()

    def fuzz(self, number: int, players: set[str], *, rewrites: bool) -> None:
        """Run the item under *number* deliveries. Raises what the simplest that fails leads to.

        *players*: the fixtures of wider scope that played a stream. Afterwards the item is set up
        and called, as the runner expects it.
        """
        __tracebackhide__ = True
        if why_not := self._why_not(players):
            self._tally = Tally(why_not=why_not)
            return
        from streamtape.pytest_plugin.search import Search  # and Hypothesis with it

        tapes = self.watch.tapes()
        drawn = not getattr(self._item.obj, "is_hypothesis_test", False)  # draws enough itself
        search = Search(self._item.nodeid, tapes, number, rewritten=rewrites, drawn=drawn)
        with self.examples.unheard():
            if not self.examples.first_run_passed():
                return
            failure = self.examples.tear_down() or self._search(search)
        if failure is not None:
            self._show(failure)

    def tell(self, report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
        """Put on *report*, the first that failed, what is to blame."""
        if self._tally is not None and call.when == "call":
            self._tally.put_on(report)
        if self._text and report.failed:
            attach(report, self._text)
            self._text = ""

    def torn_down(self) -> None:
        """The runner tore the item down, and nothing was wrong with that."""
        __tracebackhide__ = True
        self.watch.delivery = None
        awaited, self._awaited = self._awaited, None
        if awaited is not None:
            raise awaited

    def _why_not(self, players: set[str]) -> str:
        if self.watch.may_record:
            return MAY_RECORD
        if self.watch.tapes():
            return ""
        if not players.isdisjoint(self._item.fixturenames):
            return WIDER
        return BESIDE if adoption.answered_beside() > self._beside else NO_STREAM

    def _search(self, search: Search) -> Failure | None:
        """Try what *search* says. What fails, if anything does, is what `_show` runs then."""
        deliveries = iter(search)
        tried: list[Delivery] = []
        skipped = 0
        failure = None
        following = next(deliveries, None)
        while failure is None and following is not None:
            delivery, following = following, next(deliveries, None)
            tried.append(delivery)
            failure = self._run(delivery, stay=following is None)
            skipped += self.examples.skipped
            if failure is None:
                search.passed(delivery)
        self._tally = Tally(skipped=skipped)
        self._tally.count(tried, search.tapes)
        return failure and self._judged(tried[-1], failure, search)

    def _judged(self, delivery: Delivery, failure: Failure, search: Search) -> Failure:
        """The failure of the simplest delivery, unless there is none to blame for *failure*."""
        if (recorded := self._run(None)) is not None:
            self._text = CANNOT_BE_RERUN
            return recorded
        failures = {delivery: failure}

        def fails(simpler: Delivery) -> bool:
            if (found := self._run(simpler)) is not None:
                failures[simpler] = found
            return found is not None

        nodeid = nodeid_here(self._item)
        if fails(delivery):
            if search.shrinks:
                delivery = shrunk(delivery, search.tapes, fails, SHRINK_BUDGET)
            search.failed(delivery)
            self._text = blamed(delivery, search.tapes, nodeid)
        else:
            self._text = unstable(delivery, nodeid)
        self.watch.delivery = delivery
        return failures.get(delivery, failure)

    def _run(self, delivery: Delivery | None, *, stay: bool = False) -> Failure | None:
        self.watch.delivery = delivery
        self.watch.rewind()
        return self.examples.run(stay=stay)

    def _show(self, failure: Failure) -> None:
        """Run what led to *failure* in the open, and raise it even if it doesn't come up now."""
        __tracebackhide__ = True
        self.watch.rewind()
        with self.examples.shown():
            self.examples.show()
        if self.examples.failed_without_raising():
            return
        if failure.when == "teardown":
            self._awaited = failure.error
        elif failure.error is not None:
            raise failure.error
        else:
            pytest.fail("a subtest failed, and not when the test was run once more", pytrace=False)


def _is_allowed(item: pytest.Item) -> bool:
    """Whether the nearest marker that says something of it lets *item* be fuzzed."""
    said = [marker.kwargs.get("fuzz") for marker in item.iter_markers("streamtape")]
    return next((bool(fuzz) for fuzz in said if fuzz is not None), True)
