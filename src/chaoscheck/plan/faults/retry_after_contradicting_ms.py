"""A Retry-After and a retry-after-ms that do not agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.errors import PlanError
from chaoscheck.plan.fault_kinds.parameters import require_integer
from chaoscheck.plan.fault_kinds.retry_after_fault import (
    SECONDS_MAX,
    RetryAfterFault,
    require_seconds,
)
from chaoscheck.plan.fault_kinds.status_fault import seconds_text

__all__ = ["RetryAfterContradictingMs"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RetryAfterContradictingMs(RetryAfterFault):
    """Answer ``retry-after: 1`` beside ``retry-after-ms: 30000``.

    Clients that know both trust one of them; a careful one waits for the longer. ``retry_after_s``
    may be None, which leaves it out: a client that knows only that header is told nothing.
    """

    name: ClassVar[str] = "retry_after_contradicting_ms"

    retry_after_s: float | None = 1.0
    retry_after_ms: int = 30_000

    def check(self) -> None:
        """Two waits of up to ten years that differ by a millisecond or more."""
        require_integer(self.name, "retry_after_ms", self.retry_after_ms, 0, SECONDS_MAX * 1000)
        if self.retry_after_s is None:
            return
        require_seconds(self.name, "retry_after_s", self.retry_after_s, 0)
        if seconds_text(self.retry_after_s) == seconds_text(self.retry_after_ms / 1000):
            raise PlanError(
                f"{self.name}: retry_after_ms must contradict retry_after_s="
                f"{self.retry_after_s!r}, got {self.retry_after_ms!r}"
            )

    def headers(self, now_s: float) -> tuple[tuple[str, str], ...]:
        """Both headers, the seconds first."""
        in_ms = ("retry-after-ms", str(self.retry_after_ms))
        if self.retry_after_s is None:
            return (in_ms,)
        return (("retry-after", seconds_text(self.retry_after_s)), in_ms)
