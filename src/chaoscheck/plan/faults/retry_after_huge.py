"""A Retry-After that nobody can wait for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.fault_kinds.parameters import require_integer
from chaoscheck.plan.fault_kinds.retry_after_fault import RetryAfterFault

__all__ = ["RetryAfterHuge"]

_SECONDS_LOW = 3600  # more than any client's patience
_SECONDS_HIGH = 10**18  # beyond 64 bits of nanoseconds, and of any date


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RetryAfterHuge(RetryAfterFault):
    """Answer ``retry-after: 31536000``, which is a year, or as many ``seconds`` as it says."""

    name: ClassVar[str] = "retry_after_huge"

    seconds: int = 31_536_000

    def check(self) -> None:
        """From an hour to more than any calendar holds."""
        require_integer(self.name, "seconds", self.seconds, _SECONDS_LOW, _SECONDS_HIGH)

    def headers(self, now_s: float) -> tuple[tuple[str, str], ...]:
        """The seconds, without a fraction."""
        return (("retry-after", str(self.seconds)),)
