"""Latencies in logarithmic buckets: quantiles within 5 %, in constant memory.

Bucket i holds what lies in (g^(i-1), g^i]; its middle is within (g-1)/(g+1) of all of it. The idea
is DDSketch's (Masson, Rim, Lee: "DDSketch", VLDB 2019). With g = 1.1 that is 4.8 %, and the whole
range from 1 µs to 31 years takes 363 buckets.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from chaoscheck.errors import PlanError

__all__ = ["RELATIVE_ERROR", "LatencyHistogram", "LatencySummary"]

_GROWTH = 1.1
RELATIVE_ERROR = (_GROWTH - 1) / (_GROWTH + 1)  # of a quantile between _LOW_S and _HIGH_S

_LOW_S = 1e-6  # what is shorter counts as 0 s
_HIGH_S = 1e9  # what is longer counts as this
_PER_LOG = 1 / math.log(_GROWTH)
_ZERO = math.ceil(math.log(_LOW_S) * _PER_LOG)  # the bucket of all that counts as 0 s


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencySummary:
    """A distribution of seconds in seven numbers; all are 0 while ``count`` is.

    ``count``, ``sum_s``, ``min_s`` and ``max_s`` are exact, the percentiles within 5 %.
    """

    count: int
    sum_s: float
    min_s: float
    max_s: float
    p50_s: float
    p95_s: float
    p99_s: float


class LatencyHistogram:
    """Counts latencies in seconds. ``count``, ``sum_s``, ``min_s`` and ``max_s`` are exact."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.count = 0
        self.sum_s = 0.0
        self.min_s = 0.0
        self.max_s = 0.0

    def add_all(self, seconds: Sequence[float]) -> None:
        """Count these; PlanError, and nothing counted, if one is negative or not finite."""
        if not seconds:
            return
        total_s = sum(seconds)
        low_s, high_s = min(seconds), max(seconds)
        if not math.isfinite(total_s) or low_s < 0:
            raise PlanError(f"latencies must be finite and >= 0 s, got {_illegal(seconds)!r}")
        if high_s > _HIGH_S:
            seconds = [min(each_s, _HIGH_S) for each_s in seconds]
        log, ceil = math.log, math.ceil
        # Counter counts a sequence in C; this is what makes a latency cost 0.2 µs.
        self._buckets.update(
            [ceil(log(each_s) * _PER_LOG) if each_s > _LOW_S else _ZERO for each_s in seconds]
        )
        self.min_s = min(self.min_s, low_s) if self.count else low_s
        self.max_s = max(self.max_s, high_s)
        self.count += len(seconds)
        self.sum_s += total_s

    def quantile_s(self, share: float) -> float:
        """The quantile at ``share`` in [0, 1], interpolated at share * (count - 1); 0 if empty."""
        if not 0 <= share <= 1:
            raise PlanError(f"a quantile's share must be in [0, 1], got {share!r}")
        if not self.count:
            return 0.0
        rank = share * (self.count - 1)
        below = math.floor(rank)
        low_s = self._at_rank(below)
        if rank > below:
            low_s += (rank - below) * (self._at_rank(below + 1) - low_s)
        return min(max(low_s, self.min_s), self.max_s)

    def summary(self) -> LatencySummary:
        """The seven numbers as they are now."""
        return LatencySummary(
            count=self.count,
            sum_s=self.sum_s,
            min_s=self.min_s,
            max_s=self.max_s,
            p50_s=self.quantile_s(0.50),
            p95_s=self.quantile_s(0.95),
            p99_s=self.quantile_s(0.99),
        )

    def _at_rank(self, rank: int) -> float:
        """About the latency with so many shorter ones."""
        for bucket in sorted(self._buckets):
            rank -= self._buckets[bucket]
            if rank < 0:
                break
        return 0.0 if bucket == _ZERO else 2 * _GROWTH**bucket / (_GROWTH + 1)


def _illegal(seconds: Sequence[float]) -> float:
    return next((each for each in seconds if not 0 <= each < math.inf), math.inf)
