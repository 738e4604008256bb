"""Outages: a window of the server's clock in which every request, or connection, meets a fault."""

from __future__ import annotations

from dataclasses import dataclass, field

from chaoscheck.plan.burst import require_fault, require_window
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.faults.status_503 import Status503
from chaoscheck.plan.waits import RetryAfter, asking_for, require_says_when

__all__ = ["Outage"]

_EDGE_S = 1e-9  # 0.1 + 0.2 lies on an edge of 0.3, whatever binary fractions make of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """``fault`` is certain in [from_s, until_s), in seconds since the server began to serve.

    With ``retry_after`` ``"true_wait"`` the fault says how long the outage still lasts, rounded up
    to a millisecond; ``"as_given"`` leaves it as it is written. PlanError unless 0 <= from_s <
    until_s, both finite, and for a true wait of a fault that cannot say one.
    """

    fault: Fault = field(default_factory=Status503)
    from_s: float
    until_s: float
    retry_after: RetryAfter = "as_given"

    def __post_init__(self) -> None:
        require_fault("outage", self.fault)
        require_window(f"outage of {self.fault!r}", self.from_s, self.until_s)
        require_says_when(f"outage of {self.fault!r}", self.fault, self.retry_after)

    def covers(self, elapsed_s: float) -> bool:
        """Whether ``elapsed_s`` seconds after the server's start lie in the window."""
        return self.from_s - _EDGE_S <= elapsed_s < self.until_s - _EDGE_S

    def fault_at(self, elapsed_s: float) -> Fault:
        """What a request meets that comes so many seconds after the server's start."""
        return asking_for(self.fault, self.retry_after, self.until_s - elapsed_s)
