"""A Retry-After below zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.fault_kinds.retry_after_fault import RetryAfterFault

__all__ = ["RetryAfterNegative"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RetryAfterNegative(RetryAfterFault):
    """Answer ``retry-after: -5``: a number that no time can be."""

    name: ClassVar[str] = "retry_after_negative"

    def headers(self, now_s: float) -> tuple[tuple[str, str], ...]:
        """Minus five seconds."""
        return (("retry-after", "-5"),)
