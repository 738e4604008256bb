"""Retry: call again after a delay that grows, never beyond a cap, never beyond a count.

``delay_s`` decides purely; ``call`` only walks the decision. The jittered shapes are those of
"Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): *full* draws from zero to the
exponential delay, *decorrelated* from the base to three times the previous delay. The cap is
applied last, after any jitter, so that no shape can exceed it.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from fractions import Fraction
from typing import Literal, TypeVar, get_args

import trio

from chaoscheck.components.number_limits import require_at_least, require_whole
from chaoscheck.errors import PlanError, WorldError
from chaoscheck.world import ambient

__all__ = ["Retry", "RetryExhausted", "RetryShape"]

T = TypeVar("T")
RetryShape = Literal["exponential", "linear", "fibonacci", "decorrelated", "full"]


class RetryExhausted(WorldError):
    """Every attempt failed; the cause (``__cause__``) is the last attempt's error."""


def _any_error(_error: Exception) -> bool:
    return True


class Retry:
    """A schedule of at most ``attempts`` calls and the delays between them.

    ``base_s`` and ``cap_s`` are seconds >= 0. The i-th delay (i from 1) is, before the cap:
    exponential base * 2^(i-1); linear base * i; fibonacci base * F(i), F = 1, 1, 2, 3, 5, ...;
    decorrelated uniform in [base, 3 * previous]; full uniform in [0, exponential].
    """

    def __init__(
        self,
        attempts: int,
        base_s: float,
        cap_s: float,
        *,
        shape: RetryShape = "exponential",
        uniform: Callable[[float, float], float] = ambient.uniform,
        sleep: Callable[[float], Awaitable[object]] = trio.sleep,
    ) -> None:
        """Raise PlanError when a count, a time or the shape is illegal."""
        require_whole("attempts", attempts, 1)
        require_at_least("base_s", base_s, 0)
        require_at_least("cap_s", cap_s, 0)
        if shape not in get_args(RetryShape):
            raise PlanError(f"shape must be one of {get_args(RetryShape)}, got {shape!r}")
        self.attempts = attempts
        self.base_s = float(base_s)
        self.cap_s = float(cap_s)
        self.shape: RetryShape = shape
        self._uniform = uniform
        self._sleep = sleep

    def delay_s(self, i: int, previous_s: float = 0.0) -> float:
        """Seconds to wait after the ``i``-th failure (i from 1), in [0, cap].

        ``previous_s`` is the delay chosen before this one, 0 if there was none; only the
        decorrelated shape looks at it. Any ``i`` is legal, however large.
        """
        require_whole("i", i, 1)
        return self._capped_s(self._uncapped_s(i, previous_s))

    async def call(
        self,
        fn: Callable[[], Awaitable[T]],
        *,
        retryable: Callable[[Exception], bool] = _any_error,
    ) -> T:
        """Await ``fn()`` until it succeeds, and return what it gave.

        An error for which ``retryable`` is false propagates at once. After the last attempt
        RetryExhausted is raised from that attempt's error. Cancellation ends it at once.
        """
        delay_s = 0.0
        for attempt in range(1, self.attempts + 1):
            try:
                return await fn()
            except Exception as error:
                if not retryable(error):
                    raise
                if attempt == self.attempts:
                    raise RetryExhausted(f"all {attempt} attempts failed: {error!r}") from error
            delay_s = self.delay_s(attempt, delay_s)
            await self._sleep(delay_s)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _capped_s(self, delay_s: float) -> float:
        return max(0.0, min(self.cap_s, delay_s))

    def _uncapped_s(self, i: int, previous_s: float) -> float:
        if self.shape == "linear":
            return _product(self.base_s, i)
        if self.shape == "fibonacci":
            return self._fibonacci_s(i)
        if self.shape == "decorrelated":
            low = min(self.base_s, self.cap_s)
            return self._uniform(low, min(self.cap_s, max(low, 3 * previous_s)))
        exponential = self._exponential_s(i)
        if self.shape == "full":
            return self._uniform(0.0, min(self.cap_s, exponential))
        return exponential

    def _exponential_s(self, i: int) -> float:
        try:
            return math.ldexp(self.base_s, i - 1)
        except OverflowError:
            return math.inf

    def _fibonacci_s(self, i: int) -> float:
        # The loop ends at the cap: F(i) for a huge i has too many digits to be worth computing.
        current, following = 1, 1
        for _ in range(i - 1):
            if not 0 < _product(self.base_s, current) < self.cap_s:
                break
            current, following = following, current + following
        return _product(self.base_s, current)


def _product(base_s: float, factor: int) -> float:
    """``base_s * factor`` (factor >= 1), infinity where a float cannot hold it."""
    try:
        return base_s * factor
    except (
        OverflowError
    ):  # The factor alone is beyond any float; what it makes of a tiny base is not.
        return _as_float(Fraction(base_s) * factor)


def _as_float(exact: Fraction) -> float:
    try:
        return float(exact)
    except OverflowError:
        return math.inf
