"""A Retry-After of no time at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.fault_kinds.retry_after_fault import RetryAfterFault

__all__ = ["RetryAfterZero"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RetryAfterZero(RetryAfterFault):
    """Answer ``retry-after: 0``: come back at once, which is not what an overload needs."""

    name: ClassVar[str] = "retry_after_zero"

    def headers(self, now_s: float) -> tuple[tuple[str, str], ...]:
        """Zero seconds."""
        return (("retry-after", "0"),)
