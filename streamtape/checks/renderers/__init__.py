"""The check of incremental renderers: what shows a stream while it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from streamtape.checks.failures import Failure, Findings
from streamtape.checks.renderers.cleanliness import left_behind
from streamtape.checks.renderers.cost import measured
from streamtape.checks.renderers.judging import (
    CONVERGES,
    SENTENCES,
    SUPERLINEAR,
    Judge,
    Rules,
    Stable,
)
from streamtape.checks.renderers.report import RendererReport
from streamtape.checks.renderers.search import Search
from streamtape.checks.renderers.session import Renderer, Run, Stage
from streamtape.checks.renderers.source import Source, Unit
from streamtape.checks.renderers.surroundings import kept
from streamtape.checks.search import key_of
from streamtape.clock import now_ns
from streamtape.delivery.order import AS_RECORDED

if TYPE_CHECKING:
    from streamtape.tape import Tape

__all__ = ["RendererReport", "check_renderer"]


def check_renderer(  # noqa: PLR0913 - a renderer has as many parts, all of them named
    *,
    open: Callable[[], Any],  # noqa: A002 - what it does
    feed: Callable[[Any, Any], Any] | None = None,
    feed_full: Callable[[Any, Any], Any] | None = None,
    view: Callable[[Any], Any],
    close: Callable[[Any], Any] | None = None,
    reference: Callable[[Any], Any] | None = None,
    tape: Tape | None = None,
    pieces: Iterable[Any] | None = None,
    unit: Unit = "text",
    stable: Stable | None = None,
    visible: int | None = None,
    max_exponent: float = 1.5,
    cost_includes_view: bool = False,
) -> RendererReport:
    """Check a renderer that shows a stream while it comes: a widget, a terminal, a partial parser.

    ``open()`` gives a handle; a context manager, sync or async, is entered. ``feed(handle, piece)``
    takes one piece, or ``feed_full(handle, so_far)`` all that came so far. ``view(handle)`` is what
    is shown now: text, lines, a tree, anything with ``==``. ``close(handle)`` ends it; the view is
    then looked at once more, where that still works. Each may be async: all of them then run on one
    event loop in a thread of its own, which is looptime's where that is installed and *tape* is
    timed.

    Given are the token texts of *tape* (*unit* ``"text"``), its events (``"event"``) or its chunks
    (``"bytes"``); or *pieces* of that kind. ``reference(text)`` is the view of the whole text (of
    the bytes, where they carry none); without it that is the view after one single piece.

    What is checked, each by the ``kind`` of its failure:

    * ``"converges"``: the view after the stream is the reference's view of the whole. That is the
      view after *close*, unless it is the one before the first piece or can't be had;
    * ``"chunking"``: it is the same for every cut. Text is cut into characters, at each offset and
      inside what a reader sees as one character, with empty pieces too; the text of events is cut
      so, as in ``rewrites.text_cuts``; bytes are cut anywhere;
    * ``"raises"``: nothing is raised after any piece; ``"raises/empty"``: nor before the first;
      ``"raises/close"``: nor in closing, but for what *reference* doesn't take either;
    * ``"not-encodable"``: no text in a view has half of a surrogate pair;
    * ``"unstable"``, with *stable*: ``"append"`` (nothing that was shown changes), ``("lines", n)``
      or ``("characters", n)`` (at most so much at the end is written anew) or ``"json"`` (keys stay
      and types never change);
    * ``"superlinear"``: work grows in proportion to the stream. *max_exponent* bounds how calls,
      and CPU time, grow with it; `math.inf` asks for nothing. Only feeding is measured, and with
      *cost_includes_view* looking too;
    * ``"not-visible"`` and ``"twice"``, with *visible*: the newest word is shown *visible* pieces
      later (0: at once), and no word that comes once is shown twice. A view with ``screen`` is
      read there for what is visible;
    * ``"shows-nothing"``, without *reference*: not every view is like the one before any piece;
    * ``"not-clean"``: closing, leaving early, an exception in the block and a cancellation leave no
      thread, no task, no hidden cursor, no warning, no HTTP stream of `play` open, and
      ``sys.stdout`` and ``sys.stderr`` as they were. Afterwards these two, and what is displayed on
      rich's own console, are in any case what they were before the check.

    Returns what a right renderer was seen to do. What took too long, or could not be told, is in
    ``not_judged`` of the report: ``"converges"`` where there is no reference.

    Raises `CheckFailed` with one failure of each kind, whose ``pieces`` are the fewest found that
    show it, and of text the shortest (of JSON: the first part of a smaller document); ValueError
    where there is nothing to feed, or no one way to feed it. What *reference* raises for the whole
    text passes.
    """
    if (feed is None) == (feed_full is None):
        raise ValueError("give either feed= (one piece) or feed_full= (all that came so far)")
    source = Source(tape, pieces, unit)
    takes = feed_full if feed is None else feed
    assert takes is not None
    renderer = Renderer(open, takes, view, close, feeds_all=feed is None)
    with kept(), Stage(renderer, virtual=bool(source.times)) as stage:
        check = _Check(stage, source, Judge(stage, source, Rules(reference, stable, visible)))
        if reference is not None:
            check.judge.reference(source.text)
        else:
            check.not_judged[CONVERGES] = "no reference"
        check.shown(f"check_renderer {key_of(open)}")
        if check.run.error is None:
            check.cleanliness()
            check.growth(max_exponent, view=cost_includes_view)
        check.findings.verdict("check_renderer")
        return check.report()


class _Check:
    """What is known so far of one renderer; ``not_judged``: what can't be, and why."""

    def __init__(self, stage: Stage, source: Source, judge: Judge) -> None:
        self.judge = judge
        self.findings = Findings()
        self.run = Run(())
        self._stage = stage
        self._source = source
        self.not_judged: dict[str, str] = {}
        self._exponents: dict[str, float] | None = None

    def shown(self, key: str) -> None:
        """What it shows, however the stream is cut."""
        search = Search(self.judge, self._source, self.findings)
        began_ns = now_ns()
        self.run = search.recorded()
        search.cuts(now_ns() - began_ns, key)
        search.shrunk()
        self.not_judged |= search.not_judged

    def cleanliness(self) -> None:
        """What it leaves behind."""
        self.findings.examples += 1
        for failure in left_behind(self._stage, self._source.recorded, self.judge.refuses):
            self.findings.add(replace(failure, examples=self.findings.examples))

    def growth(self, limit: float, *, view: bool) -> None:
        """How its work grows with the stream."""
        pieces = self._source.recorded
        found = measured(self._stage, pieces, limit=limit, view=view)
        if isinstance(found, str):
            self.not_judged[SUPERLINEAR] = found
            return
        self._exponents = found.exponents
        if found.sizes[-1] < len(pieces):
            first = f"the first {found.sizes[-1]:,} of {len(pieces):,} pieces"
            self.not_judged[SUPERLINEAR] = f"only {first}: all would take too long"
        if found.worst <= limit:
            return
        failure = Failure(
            *(SUPERLINEAR, AS_RECORDED, f"an exponent of at most {limit:g}", found.told()),
            sentence=SENTENCES[SUPERLINEAR],
            pieces=tuple(pieces[: found.sizes[-1]]),
        )
        self.findings.add(replace(failure, examples=self.findings.examples))

    def report(self) -> RendererReport:
        """What was seen."""
        views = self.run.views
        return RendererReport(
            frames=tuple((at, view) for _, at, view in views[1:]),
            exponents=self._exponents,
            not_judged=self.not_judged,
            examples=self.findings.examples,
            empty=views[0][2],
            counts=tuple(fed for fed, _, _ in views[1:]),
            arrivals=tuple(self._source.times),
            words=self.judge.words(self._source.recorded),
        )
