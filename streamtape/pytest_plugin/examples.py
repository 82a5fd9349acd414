"""A test item run again and again inside its own call phase, each time from set-up to tear-down.

Inside the call, so that whatever runs items (pytest itself, a plugin that repeats what failed or
limits the time) sees one item with one outcome. Fixtures of wider scope stay up meanwhile.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pytest

from streamtape.clients.certificates import loaded_late

try:
    from _pytest.subtests import failed_subtests_key
except ImportError:  # before pytest 9
    failed_subtests_key = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable

When = Literal["setup", "call", "teardown"]


@dataclass
class Failure:
    """Where an example failed, and with what; ``error`` is None where a subtest did."""

    when: When
    error: BaseException | None


class Examples:
    """Runs *item* again. Made before its first set-up: that is the state it begins in each time."""

    def __init__(self, item: pytest.Function, plugin: object) -> None:
        """*plugin* hears alone what subtests report while examples run."""
        self.item = item
        self.running = False
        """Whether a run goes on that isn't the runner's own."""
        self.asking = False
        """Whether the report that is being made is for nobody to see."""
        self.skipped = False
        """Whether the run that just ended, or its call, was a skip."""
        self.heard: list[pytest.TestReport] = []
        """What subtests reported in this run."""
        self._up = True
        self._plugin = plugin
        # A test of its own for pytest, of the same parents: only function-scoped things end.
        self._next = copy.copy(item)
        self._markers = list(item.own_markers)
        self._properties = list(item.user_properties)

    def failed_without_raising(self) -> bool:
        """Whether the run that just ended failed in a way that only its report shows."""
        unittests = getattr(self.item, "_excinfo", None)
        return bool(unittests) or any(report.failed for report in self.heard)

    def first_run_passed(self) -> bool:
        """Tell all plugins that the first run's call went well. Whether they think so too."""
        if self.failed_without_raising():
            return False
        report = self._report(pytest.CallInfo.from_call(_nothing, "call"))
        return report.passed and not hasattr(report, "wasxfail")

    def tear_down(self) -> Failure | None:
        """Tear the item down, fixtures of wider scope excepted."""
        return self._phase("teardown", nextitem=self._next)

    def run(self, *, stay: bool = False) -> Failure | None:
        """Once more: set up, call, tear down. How it failed, or None.

        *stay*: an item that didn't fail is left for its runner to tear down. A skip is no failure.
        """
        self._renew()
        self.skipped = False
        failure = self._phase("setup")
        if failure is None and self._passed:
            failure = self._phase("call")
            if failure is None and self.failed_without_raising():
                failure = Failure("call", None)
        if failure is None and stay:
            return None
        torn = self.tear_down()
        return failure or torn

    def show(self) -> None:
        """Once more, in the open: what it raises is raised, its tear-down is the runner's."""
        __tracebackhide__ = True
        self._renew()
        if (failure := self._phase("setup")) is not None:
            assert failure.error is not None
            raise failure.error
        if self._passed:
            self.item.ihook.pytest_runtest_call(item=self.item)

    @contextmanager
    def unheard(self) -> Iterator[None]:
        """While examples run: no subtest's report, no debugger and no warning once for each."""
        with (
            self._alone("pytest_runtest_logreport"),
            self._alone("pytest_exception_interact"),
            _uncounted_subtests(self.item.config),
            warnings.catch_warnings(record=True),
            loaded_late(),
            self._as_inner(),
        ):
            try:
                yield
            except Exception:  # not the test's: a database that is down, a fault of ours
                if not self._up:
                    self._renew()
                    self._phase("setup")
                raise

    @contextmanager
    def shown(self) -> Iterator[None]:
        """While the example runs that is reported: of its subtests, those that failed."""
        try:
            with self._alone("pytest_runtest_logreport"), self._as_inner():
                yield
        finally:
            for report in [*self.heard]:  # our own plugin hears them again
                if report.failed:
                    self.item.ihook.pytest_runtest_logreport(report=report)

    def _phase(self, when: When, **arguments: Any) -> Failure | None:
        hook: Callable[..., object] = getattr(self.item.ihook, f"pytest_runtest_{when}")
        call = pytest.CallInfo.from_call(
            lambda: hook(item=self.item, **arguments),
            when,
            reraise=(KeyboardInterrupt, pytest.exit.Exception),
        )
        report = self._report(call)
        self._passed = report.passed
        self.skipped |= report.skipped
        self._up = when != "teardown"
        if not report.failed:
            return None
        return Failure(when, call.excinfo.value if call.excinfo else None)

    def _report(self, call: pytest.CallInfo[Any]) -> pytest.TestReport:
        """Fixtures and plugins learn from this hook how a phase went."""
        self.asking = True
        try:
            report: pytest.TestReport = self.item.ihook.pytest_runtest_makereport(
                item=self.item, call=call
            )
        finally:
            self.asking = False
        return report

    def _renew(self) -> None:
        """As pytest collected it: nothing is left of the run before."""
        item = self.item
        self.heard.clear()
        item.own_markers[:] = self._markers
        item.user_properties[:] = self._properties
        item._report_sections.clear()  # noqa: SLF001 - what was captured
        vars(item).pop("_excinfo", None)  # what unittest collected
        if isinstance(item.parent, pytest.Class):
            for name in ("_instance", "_obj"):
                vars(item).pop(name, None)
            item.obj  # noqa: B018 - makes both anew: unittest's tear-down expects them
        item._initrequest()  # noqa: SLF001 - as pytest does where a plugin runs an item again

    @contextmanager
    def _alone(self, hook: str) -> Iterator[None]:
        """Only our own plugin hears *hook*: pluggy can wrap a call, but not keep it from others."""
        caller = getattr(self.item.config.pluginmanager.hook, hook)
        implementations = caller._hookimpls  # noqa: SLF001 - see above
        kept = implementations[:]
        implementations[:] = [each for each in kept if each.plugin is self._plugin]
        try:
            yield
        finally:
            implementations[:] = kept

    @contextmanager
    def _as_inner(self) -> Iterator[None]:
        """Inside the call of the item itself."""
        self.running = True
        try:
            yield
        finally:
            self.running = False


@contextmanager
def _uncounted_subtests(config: pytest.Config) -> Iterator[None]:
    """Subtests that fail inside don't fail the item."""
    counts: Any = config.stash.get(failed_subtests_key, {}) if failed_subtests_key else {}
    before = dict(counts)
    try:
        yield
    finally:
        counts.clear()
        counts.update(before)


def _nothing() -> None:
    """A call that goes well."""
