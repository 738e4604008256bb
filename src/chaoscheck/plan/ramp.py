"""Ramps: a fault whose rate rises or falls with the server's clock."""

from __future__ import annotations

from dataclasses import dataclass

from chaoscheck.errors import PlanError
from chaoscheck.plan.burst import require_fault, require_rate, require_window
from chaoscheck.plan.fault import Fault

__all__ = ["Ramp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """``fault`` hits a share of the requests that goes straight from ``start`` to ``end``.

    The ramp leads from ``from_s`` to ``until_s``, in seconds since the server began to serve.
    Before it the rate is 0; after it ``end`` if it is to ``hold``, else 0. PlanError unless
    0 <= from_s < until_s, both finite, and both rates lie in [0, 1].
    """

    fault: Fault
    from_s: float
    until_s: float
    start: float = 0.0
    end: float = 1.0
    hold: bool = False

    def __post_init__(self) -> None:
        require_fault("ramp", self.fault)
        where = f"ramp of {self.fault!r}"
        require_window(where, self.from_s, self.until_s)
        require_rate(f"start of {where}", self.start)
        require_rate(f"end of {where}", self.end)
        if not isinstance(self.hold, bool):
            raise PlanError(f"{where}: hold must be true or false, got {self.hold!r}")

    def rate_at(self, elapsed_s: float) -> float:
        """The rate in [0, 1] so many seconds after the server's start."""
        if elapsed_s < self.from_s:
            return 0.0
        if elapsed_s > self.until_s:
            return self.end if self.hold else 0.0
        gone = (elapsed_s - self.from_s) / (self.until_s - self.from_s)
        # Weighing both ends, rather than adding a difference, never leaves [0, 1].
        return self.start * (1 - gone) + self.end * gone

    def fault_at(self, elapsed_s: float) -> Fault:
        """What a request meets: a ramp that is held has no end to tell of."""
        return self.fault
