"""Limits that depend on load: a client that backs off is served, one that does not is refused.

These are the settings; their state (tokens left, requests in flight) lives in the server.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from chaoscheck.errors import PlanError
from chaoscheck.plan.burst import require_fault
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.faults.status_429 import Status429

__all__ = ["ConcurrencyCap", "Limit", "TokenLimit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLimit:
    """A token bucket over all requests: ``burst`` tokens at first, ``rate_per_s`` more per second.

    A request that finds no whole token meets ``fault`` and takes nothing. With ``retry_after``
    ``"true_wait"`` a fault that can say when to come back says exactly how long the next token
    takes, rounded up to a millisecond; ``"as_given"`` leaves the fault as it is written.
    """

    rate_per_s: float
    burst: int = 1
    fault: Fault = field(default_factory=Status429)
    retry_after: Literal["true_wait", "as_given"] = "true_wait"

    def __post_init__(self) -> None:
        rate = self.rate_per_s
        if not _is_number(rate) or not math.isfinite(rate) or rate <= 0:
            raise PlanError(f"limit: rate_per_s must be a finite number > 0, got {rate!r}")
        _require_count("burst", self.burst)
        require_fault("limit", self.fault)
        if self.retry_after not in ("true_wait", "as_given"):
            raise PlanError(
                f"limit: retry_after must be 'true_wait' or 'as_given', got {self.retry_after!r}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcurrencyCap:
    """At most ``in_flight`` requests at once: one that arrives above that meets ``fault``.

    A request is in flight from its last byte in to its answer's last byte out: stalled and slow
    ones for as long as they last, refused ones only while their error goes out.
    """

    in_flight: int
    fault: Fault = field(default_factory=Status429)

    def __post_init__(self) -> None:
        _require_count("in_flight", self.in_flight)
        require_fault("limit", self.fault)


Limit = TokenLimit | ConcurrencyCap


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _require_count(parameter: str, value: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise PlanError(f"limit: {parameter} must be an integer >= 1, got {value!r}")
