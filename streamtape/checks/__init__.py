"""Oracles: is a client right under every delivery? Each check raises `CheckFailed` where not."""

from __future__ import annotations

from streamtape.checks.client_timing import ClientTiming, client_timing, client_timing_here
from streamtape.checks.clients import Scorecard, check_client
from streamtape.checks.conformance import sse_cases
from streamtape.checks.failures import CheckFailed, Failure
from streamtape.checks.folds import check_fold
from streamtape.checks.incremental import check_incremental
from streamtape.checks.invariance import check_invariant
from streamtape.checks.parsers import check_parser
from streamtape.checks.renderers import RendererReport, check_renderer
from streamtape.checks.stopping import check_stop
from streamtape.checks.transforms import TransformReport, check_transform

__all__ = [
    "CheckFailed",
    "ClientTiming",
    "Failure",
    "RendererReport",
    "Scorecard",
    "TransformReport",
    "check_client",
    "check_fold",
    "check_incremental",
    "check_invariant",
    "check_parser",
    "check_renderer",
    "check_stop",
    "check_transform",
    "client_timing",
    "client_timing_here",
    "sse_cases",
]
