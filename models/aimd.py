"""AIMD as a step function: delay x event -> delay, and the statistics of a whole history.

Floor f = max(step, min). Capacity error: d = f if d < f, else min(max, d * multiplier).
Success: d = max(min, d - step). All times in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

__all__ = ["AimdEvent", "AimdHistory", "AimdRules", "aimd_history", "aimd_step", "recovered"]

AimdEvent = Literal["capacity_error", "success"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AimdRules:
    """The four settings, in milliseconds but for the multiplier."""

    min_ms: float = 0.0
    max_ms: float = 5000.0
    multiplier: float = 2.0
    step_ms: float = 50.0

    @property
    def floor_ms(self) -> float:
        """The first delay after none."""
        return max(self.step_ms, self.min_ms)

    @property
    def legal(self) -> bool:
        """Whether a throttle with these settings may exist."""
        return (
            0 <= self.min_ms <= self.max_ms < float("inf")
            and 0 < self.floor_ms <= self.max_ms
            and self.step_ms >= 0
            and 1 < self.multiplier < float("inf")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AimdHistory:
    """Where a series of events leads, from the start on."""

    delay_ms: float
    peak_ms: float
    capacity_errors: int
    successes: int


def aimd_step(delay_ms: float, event: AimdEvent, rules: AimdRules) -> float:
    """The delay after ``event``, when it was ``delay_ms`` before."""
    if event == "success":
        return max(rules.min_ms, delay_ms - rules.step_ms)
    if delay_ms < rules.floor_ms:
        return rules.floor_ms
    return min(rules.max_ms, delay_ms * rules.multiplier)


def aimd_history(events: Iterable[AimdEvent], rules: AimdRules) -> AimdHistory:
    """The delay starts at the minimum and moves with each event."""
    delays = [rules.min_ms]
    counts = {"capacity_error": 0, "success": 0}
    for event in events:
        delays.append(aimd_step(delays[-1], event, rules))
        counts[event] += 1
    return AimdHistory(
        delay_ms=delays[-1],
        peak_ms=max(delays),
        capacity_errors=counts["capacity_error"],
        successes=counts["success"],
    )


def recovered(delay_ms: float, successes: int, rules: AimdRules) -> float:
    """The delay after ``successes`` in a row with no error between: the closed form."""
    return max(rules.min_ms, delay_ms - successes * rules.step_ms)
