"""Every check under one name: ``from chaoscheck.checks import catalogue as checks``."""

from __future__ import annotations

from chaoscheck.checks.binomial import binomial
from chaoscheck.checks.error_details import errors_equal_faults
from chaoscheck.checks.exactly_once import exactly_once
from chaoscheck.checks.fifo import fifo
from chaoscheck.checks.interleaving import interleaving
from chaoscheck.checks.leaks import Resources, leaks
from chaoscheck.checks.linearizability import NotLinearizable, linearizable
from chaoscheck.checks.liveness import liveness
from chaoscheck.checks.model import Model
from chaoscheck.checks.monotonic import monotonic
from chaoscheck.checks.reconcile import reconcile
from chaoscheck.checks.verdict import Breach, Finding, Verdict
from chaoscheck.checks.window import window

__all__ = [
    "Breach",
    "Finding",
    "Model",
    "NotLinearizable",
    "Resources",
    "Verdict",
    "binomial",
    "errors_equal_faults",
    "exactly_once",
    "fifo",
    "interleaving",
    "leaks",
    "linearizable",
    "liveness",
    "monotonic",
    "reconcile",
    "window",
]
