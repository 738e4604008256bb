"""AIMD: how long to wait before a query's next attempt, learnt from the provider's refusals.

Additive increase of speed, multiplicative decrease: each success takes a fixed step off the
delay, each capacity error (429, 503, 529) multiplies it. The scheme is TCP's congestion control
(Chiu and Jain, 1989), applied to a delay instead of a window. Pure and synchronous: the caller
waits, and reports how long it did.
"""

from __future__ import annotations

from dataclasses import dataclass

from chaoscheck.components.number_limits import require_above, require_at_least
from chaoscheck.errors import PlanError

__all__ = ["AimdStats", "AimdThrottle"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AimdStats:
    """What a throttle has seen. Delays in milliseconds, counts since it was built."""

    capacity_retries: int
    successes: int
    peak_delay_ms: float
    current_delay_ms: float
    total_throttle_time_ms: float


class AimdThrottle:
    """The delay d in [min, max] that one event moves at a time; starts at min.

    Floor f = max(recovery step, min). Capacity error: d = f if d < f, else min(max, d times
    the multiplier). Success: d = max(min, d - step).
    """

    def __init__(
        self,
        *,
        min_dispatch_delay_ms: float = 0,
        max_dispatch_delay_ms: float = 5000,
        backoff_multiplier: float = 2.0,
        recovery_step_ms: float = 50,
    ) -> None:
        """Raise PlanError when the four settings allow no growth or no room for it."""
        require_at_least("min_dispatch_delay_ms", min_dispatch_delay_ms, 0)
        require_at_least("max_dispatch_delay_ms", max_dispatch_delay_ms, min_dispatch_delay_ms)
        require_above("backoff_multiplier", backoff_multiplier, 1)
        require_at_least("recovery_step_ms", recovery_step_ms, 0)
        floor_ms = max(recovery_step_ms, min_dispatch_delay_ms)
        if floor_ms == 0:
            raise PlanError(
                "min_dispatch_delay_ms or recovery_step_ms must be > 0, got 0 for both: "
                "a delay of 0 could never grow"
            )
        if floor_ms > max_dispatch_delay_ms:
            raise PlanError(
                f"recovery_step_ms must be <= max_dispatch_delay_ms ({max_dispatch_delay_ms}), "
                f"got {recovery_step_ms}"
            )
        self.min_dispatch_delay_ms = float(min_dispatch_delay_ms)
        self.max_dispatch_delay_ms = float(max_dispatch_delay_ms)
        self.backoff_multiplier = float(backoff_multiplier)
        self.recovery_step_ms = float(recovery_step_ms)
        self._current_ms = self._peak_ms = self.min_dispatch_delay_ms
        self._capacity_retries = 0
        self._successes = 0
        self._waited_ms = 0.0

    @property
    def current_delay_ms(self) -> float:
        """The delay before a next attempt, in milliseconds."""
        return self._current_ms

    def on_capacity_error(self) -> None:
        """The provider refused for lack of capacity: wait longer."""
        self._capacity_retries += 1
        self._current_ms = self._backed_off_ms(self._current_ms)
        self._peak_ms = max(self._peak_ms, self._current_ms)

    def on_success(self) -> None:
        """The provider answered: wait one step less."""
        self._successes += 1
        self._current_ms = self._recovered_ms(self._current_ms)

    def record_wait(self, waited_ms: float) -> None:
        """Add ``waited_ms``, milliseconds truly waited, to the total."""
        require_at_least("waited_ms", waited_ms, 0)
        self._waited_ms += waited_ms

    def stats(self) -> AimdStats:
        """What was seen so far."""
        return AimdStats(
            capacity_retries=self._capacity_retries,
            successes=self._successes,
            peak_delay_ms=self._peak_ms,
            current_delay_ms=self._current_ms,
            total_throttle_time_ms=self._waited_ms,
        )

    def _floor_ms(self) -> float:
        return max(self.recovery_step_ms, self.min_dispatch_delay_ms)

    def _backed_off_ms(self, delay_ms: float) -> float:
        if delay_ms < self._floor_ms():
            return self._floor_ms()
        return min(self.max_dispatch_delay_ms, delay_ms * self.backoff_multiplier)

    def _recovered_ms(self, delay_ms: float) -> float:
        return max(self.min_dispatch_delay_ms, delay_ms - self.recovery_step_ms)
