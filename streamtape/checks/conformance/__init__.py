"""What each event stream means: bytes in, events out, by the WHATWG standard.

One table holds the streams of web-platform-tests. The others are our own: one rule of section 9.2.6
each, and the shapes at which released parsers were found to go wrong.

The expected events are those of the standard. A stream's events may depend on nothing else: not on
where it is cut, nor on empty pieces between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamtape.checks.conformance import fields, lines, text, wpt
from streamtape.checks.conformance.case import Case

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

__all__ = ["CASES", "OWN_CASES", "WPT_CASES", "Case", "sse_cases"]

WPT_CASES: tuple[Case, ...] = wpt.CASES

OWN_CASES: tuple[Case, ...] = (*lines.CASES, *fields.CASES, *text.CASES)

CASES: tuple[Case, ...] = (*WPT_CASES, *OWN_CASES)


def sse_cases() -> list[ParameterSet]:
    """The table for `pytest.mark.parametrize`: two values each, and an id that is a sentence.

    The values are the stream, as bytes, and its events, as a list of `streamtape.Event`::

        @pytest.mark.parametrize(("body", "events"), checks.sse_cases())
        def test_my_parser(body, events): ...
    """
    import pytest

    return [pytest.param(case.body, list(case.events), id=case.id) for case in CASES]
