"""Hypothesis strategies for deliveries, streams, and texts in pieces.

Made to find what hurts clients within few examples, and to shrink to what a person would have
written: one cut, at the first seam of its kind. What was drawn is told to Hypothesis with
`hypothesis.event`, so ``--hypothesis-show-statistics`` shows which kinds of seam were cut. None
calls `hypothesis.target`: an example takes each label once, and a test may draw twice.
"""

from __future__ import annotations

from streamtape.strategies.changes import contents, faults, rewrites
from streamtape.strategies.cutting import cuts
from streamtape.strategies.delivering import deliveries
from streamtape.strategies.deltas import deltas
from streamtape.strategies.event_streams import Stream, streams

__all__ = ["Stream", "contents", "cuts", "deliveries", "deltas", "faults", "rewrites", "streams"]
