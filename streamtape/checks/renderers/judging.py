"""What a renderer has to do with pieces, however they are cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from streamtape import providers
from streamtape.checks.failures import Failure
from streamtape.checks.renderers import shown
from streamtape.checks.renderers.session import MISSING, Run, Stage, play, so_far
from streamtape.checks.renderers.surroundings import kept
from streamtape.checks.renderers.words import Words
from streamtape.checks.results import same
from streamtape.delivery.order import AS_RECORDED

if TYPE_CHECKING:
    from streamtape.checks.renderers.source import Source

Stable = Literal["append", "json"] | tuple[Literal["lines", "characters"], int]

CONVERGES = "converges"
CHUNKING = "chunking"
RAISES = "raises"
RAISES_EMPTY = "raises/empty"
RAISES_CLOSE = "raises/close"
NOT_ENCODABLE = "not-encodable"
UNSTABLE = "unstable"
SUPERLINEAR = "superlinear"
NOT_VISIBLE = "not-visible"
TWICE = "twice"
SHOWS_NOTHING = "shows-nothing"
NOT_CLEAN = "not-clean"

SENTENCES = {
    CONVERGES: "after the stream it does not show what it shows of the whole",
    CHUNKING: "what it shows in the end depends on how the stream was cut",
    RAISES: "it raises on the way",
    RAISES_EMPTY: "it raises where nothing has come yet",
    RAISES_CLOSE: "closing it raises",
    NOT_ENCODABLE: "a view has half of a surrogate pair, which UTF-8 can't say",
    UNSTABLE: "it takes back more of what it showed than it may",
    SUPERLINEAR: "what it does for a stream grows faster than the stream",
    NOT_VISIBLE: "the newest word is not shown in time",
    TWICE: "it shows a word twice that comes once",
    SHOWS_NOTHING: "it shows nothing: every view is like the one before the first piece",
    NOT_CLEAN: "something is left behind",
}

EXACT = frozenset({RAISES, RAISES_EMPTY, RAISES_CLOSE, NOT_ENCODABLE, UNSTABLE, NOT_VISIBLE, TWICE})
"""Kinds that a first part of the stream shows as well: that part is what is made small."""

RIGHT = "no exception"


@dataclass(frozen=True)
class Rules:
    """What the caller asks for beyond what every renderer has to do."""

    reference: Callable[[Any], Any] | None = None
    stable: Stable | None = None
    visible: int | None = None

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        if self.visible is not None and self.visible < 0:
            raise ValueError(f"visible is {self.visible!r}: no word is shown before it comes")
        match self.stable:
            case None | "append" | "json":
                return
            case ("lines" | "characters", int(most)) if most >= 0:
                return
        raise ValueError(
            f"stable is {self.stable!r}: write 'append', 'json', ('lines', n) or"
            " ('characters', n), where n is 0 or more"
        )


class Judge:
    """Runs a renderer, and tells what is wrong with what it showed."""

    def __init__(self, stage: Stage, source: Source, rules: Rules) -> None:
        self._stage = stage
        self._source = source
        self._rules = rules
        self._wholes: dict[Any, Run] = {}
        self._references: dict[Any, Any] = {}
        self._refused: dict[Any, bool] = {}

    def run(self, pieces: Sequence[Any], **how: Any) -> Run:
        """What a new renderer shows of *pieces*; *how* as for `play`."""
        with kept():
            return self._stage.run(lambda: play(self._stage, pieces, **how))

    def judged(
        self, pieces: Sequence[Any], *, recorded: bool = False, run: Run | None = None
    ) -> dict[str, Failure]:
        """The failures with *pieces*, by kind; *run*: what was seen of them, where it is known.

        *recorded* tells that these are the pieces as they came, whose result is held against that
        of the whole in one piece also where there is no reference.
        """
        run = self.run(pieces) if run is None else run
        found = [one for one in self._on_the_way(run) if one]
        if run.error is None:
            found += [one for one in self._in_the_end(run, recorded=recorded) if one]
        return {one.kind: one for one in found}

    def reference(self, text: Any) -> Any:
        """The reference's view of *text*. Raises what it raises."""
        rules, stage = self._rules, self._stage
        assert rules.reference is not None
        call = rules.reference
        with kept():
            return stage.run(lambda: stage.call(call, text))

    def whole(self, pieces: Sequence[Any]) -> Any:
        """The reference's view of all of *pieces*, or the renderer's own; MISSING: there is none.

        The renderer's own is what it shows of one single piece, or of the recorded events.
        """
        if self._rules.reference is None:
            return self._alone(pieces)
        text = self._text(pieces)
        if text not in self._references:
            try:
                self._references[text] = self.reference(text) if text else MISSING
            except Exception:  # noqa: BLE001 - no text that the reference knows: nothing to expect
                self._references[text] = MISSING
        return self._references[text]

    def refuses(self, pieces: Sequence[Any]) -> bool:
        """Whether the reference raises for these *pieces*: then their end is no end for it."""
        if self._rules.reference is None:
            return False
        text = self._source.text_of(pieces)
        if text not in self._refused:
            try:
                self.reference(text)
            except Exception:  # noqa: BLE001 - whatever it raises, it doesn't take the text
                self._refused[text] = True
            else:
                self._refused[text] = False
        return self._refused[text]

    def words(self, pieces: Sequence[Any]) -> Words | None:
        """The words to look for; None for bytes, of which the text is not known piece by piece."""
        if self._source.unit == "bytes":
            return None
        if self._rules.reference is not None:
            wholes = [self.whole(pieces)]
        else:  # before closing not all may fit a screen, and closing may show it twice
            alone = self._alone_run(pieces)
            wholes = [MISSING] if alone.error is not None else [alone.last, alone.final]
        if any(whole is MISSING for whole in wholes):
            return None
        texts = [one if isinstance(one, str) else providers.token_text(one) for one in pieces]
        return Words(texts, *wholes)

    def _text(self, pieces: Sequence[Any]) -> Any:
        return so_far(pieces, len(pieces)) if self._source.unit == "text" else self._source.text

    def _alone(self, pieces: Sequence[Any]) -> Any:
        run = self._alone_run(pieces)
        return run.final if run.error is None else MISSING

    def _alone_run(self, pieces: Sequence[Any]) -> Run:
        if self._source.unit == "event":
            key, alone = "", self._source.recorded
        else:
            key = so_far(pieces, len(pieces))
            alone = [key]
        if key not in self._wholes:
            self._wholes[key] = self.run(alone, every=max(len(alone), 1))
        return self._wholes[key]

    def _on_the_way(self, run: Run) -> Iterator[Failure | None]:
        if run.error is not None:
            some = any(run.pieces[: run.fed])
            kind = RAISES if some else RAISES_EMPTY
            yield _failure(kind, run, run.fed, RIGHT, run.error)
        if run.close_error is not None and not self.refuses(run.pieces):
            yield _failure(RAISES_CLOSE, run, run.fed, RIGHT, run.close_error)
        yield self._unencodable(run)
        yield self._unstable(run)
        if self._rules.visible is not None and run.error is None:
            words = self.words(run.pieces)
            missing = words and words.not_visible(run, self._rules.visible)
            if missing:
                yield _failure(NOT_VISIBLE, run, missing.fed, missing.word, missing.shown)
            double = words and words.twice(run)
            if double:
                yield _failure(TWICE, run, double.fed, f"{double.word} once", double.shown)

    def _in_the_end(self, run: Run, *, recorded: bool) -> Iterator[Failure | None]:
        fed = len(run.pieces)
        if not any(run.pieces):
            return
        if recorded or self._rules.reference is not None:
            whole = self.whole(run.pieces)
            if whole is not MISSING and not same(whole, run.final):
                yield _failure(CONVERGES, run, fed, whole, run.final)
        if recorded and self._rules.reference is None and self._shows_nothing(run):
            yield _failure(SHOWS_NOTHING, run, fed, "another view", run.final)
        alone = self._alone(run.pieces)
        if alone is not MISSING and not same(alone, run.final):
            yield _failure(CHUNKING, run, fed, alone, run.final)

    def _shows_nothing(self, run: Run) -> bool:
        text = self._source.text_of(run.pieces)
        empty = run.views[0][2]
        return bool(text.strip()) and all(same(view, empty) for _, _, view in run.seen)

    def _unencodable(self, run: Run) -> Failure | None:
        for fed, _, view in run.seen:
            text = shown.not_encodable(view)
            if text is not None and shown.not_encodable(run.pieces[:fed]) is None:
                return _failure(NOT_ENCODABLE, run, fed, "text without half a pair", text)
        return None

    def _unstable(self, run: Run) -> Failure | None:
        stable = self._rules.stable
        if stable is None:
            return None
        for (_, _, old), (fed, _, new) in pairwise(run.seen):
            if stable == "json":
                change = next(shown.shape_changes(old, new), None)
                if change is None:
                    continue
                return _failure(UNSTABLE, run, fed, old, new, f"{SENTENCES[UNSTABLE]}: {change}")
            unit, most = ("characters", 0) if stable == "append" else stable
            count = shown.lines_taken_back if unit == "lines" else shown.characters_taken_back
            back = count(old, new)
            if back > int(most):
                told = f"{SENTENCES[UNSTABLE]}: {back} {unit}, where {most} are allowed"
                return _failure(UNSTABLE, run, fed, old, new, told)
        return None


def _failure(  # noqa: PLR0913, PLR0917 - as many as a failure has parts
    kind: str, run: Run, fed: int, expected: object, got: object, sentence: str = ""
) -> Failure:
    return Failure(
        *(kind, AS_RECORDED, expected, got),
        sentence=sentence or SENTENCES[kind],
        pieces=run.pieces[:fed],
    )
