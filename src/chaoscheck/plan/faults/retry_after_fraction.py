"""A Retry-After with a fraction: numbers RFC 9110 does not know, and providers send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.errors import PlanError
from chaoscheck.plan.fault_kinds.retry_after_fault import RetryAfterFault, require_seconds
from chaoscheck.plan.fault_kinds.status_fault import seconds_text

__all__ = ["RetryAfterFraction"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RetryAfterFraction(RetryAfterFault):
    """Answer ``retry-after: 0.5``, or what ``seconds`` says, with at most three decimals."""

    name: ClassVar[str] = "retry_after_fraction"

    seconds: float = 0.5

    def check(self) -> None:
        """A number of seconds that is no whole number in three decimals."""
        require_seconds(self.name, "seconds", self.seconds, 0)
        if "." not in seconds_text(self.seconds):
            raise PlanError(
                f"{self.name}: seconds must have a fraction of at least 0.001, got {self.seconds!r}"
            )

    def headers(self, now_s: float) -> tuple[tuple[str, str], ...]:
        """The seconds, rounded up to three decimals."""
        return (("retry-after", seconds_text(self.seconds)),)
