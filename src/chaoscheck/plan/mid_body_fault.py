"""Faults that strike inside the body: where they cut.

The cut is clipped to one byte before the body's end, so that the fault has its effect on short
bodies too: at least one promised byte is always withheld.
"""

from __future__ import annotations

from dataclasses import dataclass

from chaoscheck.errors import PlanError
from chaoscheck.plan.fault import Fault

__all__ = ["MidBodyFault"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MidBodyFault(Fault):
    """A fault that lets ``after_bytes`` bytes of the body through, then strikes."""

    after_bytes: int = 17

    def __post_init__(self) -> None:
        count = self.after_bytes
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise PlanError(f"{self.name}: after_bytes must be an integer >= 0, got {count!r}")

    def cut(self, body: bytes) -> int:
        """How many bytes of ``body`` go through: at most all but one."""
        return min(self.after_bytes, max(len(body) - 1, 0))
