"""Bursts: a fault that comes in windows of the server's clock."""

from __future__ import annotations

import math
from dataclasses import dataclass

from chaoscheck.errors import PlanError
from chaoscheck.plan.fault import Fault, require_at_least, shown
from chaoscheck.plan.waits import RetryAfter, asking_for, require_says_when

__all__ = ["PERIOD_MIN_S", "Burst", "require_fault", "require_rate", "require_window"]

PERIOD_MIN_S = 1e-6  # shorter than any request; the clock counts ten years of them exactly
_EDGE = 1e-9  # in periods: 3 * 0.1 lies on an edge, whatever binary fractions make of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """``fault`` hits ``rate`` of the requests for ``lasts_s`` seconds out of every ``every_s``.

    Windows are [phase_s + k·every_s, phase_s + k·every_s + lasts_s) for k = 0, 1, …, in seconds
    since the server began to serve; before ``phase_s`` there is none. With ``retry_after``
    ``"true_wait"`` the fault says how long its window still lasts, rounded up to a millisecond;
    ``"as_given"`` leaves it as it is written.
    """

    fault: Fault
    every_s: float
    lasts_s: float
    rate: float = 1.0
    phase_s: float = 0.0
    retry_after: RetryAfter = "as_given"

    def __post_init__(self) -> None:
        require_fault("burst", self.fault)
        where = f"burst of {self.fault!r}"
        require_at_least(where, "every_s", self.every_s, 0)
        require_at_least(where, "lasts_s", self.lasts_s, 0)
        require_at_least(where, "phase_s", self.phase_s, 0)
        if not 0 < self.lasts_s <= self.every_s:
            raise PlanError(
                f"{where}: lasts_s must be in (0, every_s = {self.every_s!r}], got {self.lasts_s!r}"
            )
        require_at_least(where, "every_s", self.every_s, PERIOD_MIN_S)
        require_rate(where, self.rate)
        require_says_when(where, self.fault, self.retry_after)
        if self.retry_after == "true_wait" and self.lasts_s == self.every_s:
            raise PlanError(
                f"{where}: retry_after 'true_wait' needs lasts_s < every_s = {self.every_s!r}, "
                "as this burst never ends"
            )

    def covers(self, elapsed_s: float) -> bool:
        """Whether ``elapsed_s`` seconds after the server's start lie in a window."""
        periods = (elapsed_s - self.phase_s) / self.every_s + _EDGE
        if periods < 0:
            return False
        return periods - math.floor(periods) < self.lasts_s / self.every_s

    def rate_at(self, elapsed_s: float) -> float:
        """The rate in [0, 1] so many seconds after the server's start: 0 outside of windows."""
        return self.rate if self.covers(elapsed_s) else 0.0

    def fault_at(self, elapsed_s: float) -> Fault:
        """What a request meets that comes so many seconds after the server's start."""
        if self.retry_after == "as_given":
            return self.fault
        windows = math.floor((elapsed_s - self.phase_s) / self.every_s + _EDGE)
        ends_s = self.phase_s + windows * self.every_s + self.lasts_s
        return asking_for(self.fault, self.retry_after, ends_s - elapsed_s)


def require_fault(where: str, fault: object) -> None:
    """Refuse what is no fault (PlanError)."""
    if not isinstance(fault, Fault):
        raise PlanError(f"{where}: fault must be a Fault, got {fault!r}")


def require_rate(where: str, rate: float) -> None:
    """Refuse a rate outside [0, 1], or one that is not a number (PlanError)."""
    legal = isinstance(rate, int | float) and not isinstance(rate, bool)
    if not legal or not 0 <= rate <= 1:
        raise PlanError(f"rate of {where} must be in [0, 1], got {shown(rate)}")


def require_window(where: str, from_s: float, until_s: float) -> None:
    """Refuse a window that is empty, ends before it begins, or is not finite (PlanError)."""
    require_at_least(where, "from_s", from_s, 0)
    require_at_least(where, "until_s", until_s, 0)
    if until_s <= from_s:
        raise PlanError(f"{where}: until_s must be > from_s = {from_s!r}, got {until_s!r}")
