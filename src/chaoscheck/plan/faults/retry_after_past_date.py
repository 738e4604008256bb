"""A Retry-After that is a date gone by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.fault_kinds.retry_after_fault import (
    RetryAfterFault,
    http_date,
    require_seconds,
)

__all__ = ["RetryAfterPastDate"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RetryAfterPastDate(RetryAfterFault):
    """Answer with the date ``seconds`` ago by the server's calendar, in whole seconds."""

    name: ClassVar[str] = "retry_after_past_date"

    seconds: float = 3600

    def check(self) -> None:
        """A number of seconds from one to ten years."""
        require_seconds(self.name, "seconds", self.seconds, 1)

    def headers(self, now_s: float) -> tuple[tuple[str, str], ...]:
        """An IMF-fixdate, rounded down."""
        return (("retry-after", http_date(math.floor(now_s - self.seconds))),)
