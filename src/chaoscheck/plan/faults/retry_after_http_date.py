"""A Retry-After that is a date."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.fault_kinds.retry_after_fault import (
    RetryAfterFault,
    http_date,
    require_seconds,
)

__all__ = ["RetryAfterHttpDate"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RetryAfterHttpDate(RetryAfterFault):
    """Answer with the date ``seconds`` from now by the server's calendar, in whole seconds."""

    name: ClassVar[str] = "retry_after_http_date"

    seconds: float = 5

    def check(self) -> None:
        """A number of seconds from none to ten years."""
        require_seconds(self.name, "seconds", self.seconds, 0)

    def headers(self, now_s: float) -> tuple[tuple[str, str], ...]:
        """An IMF-fixdate, rounded up: who waits for it has waited long enough."""
        return (("retry-after", http_date(math.ceil(now_s + self.seconds))),)
