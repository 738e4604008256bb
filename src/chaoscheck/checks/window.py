"""The window law of a token bucket: no stretch of time grants more than burst + rate x its length.

For grants g, sorted, and all i <= j: j - i + 1 <= burst + rate * (g_j - g_i) + eps, where eps is
1e-9 * (1 + the bound) and stands for the rounding of the subject's own clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

from chaoscheck.checks.verdict import Breach, Verdict
from chaoscheck.errors import PlanError

__all__ = ["window"]

_EPSILON = Fraction(1, 10**9)


def window(grants_s: Iterable[float], *, rate_per_s: float, burst: float) -> Verdict:
    """Judge the times of grants, in seconds and any order. The witness is the worst window.

    Exact: in rational numbers, in one pass over the sorted times. PlanError for a time or rate
    that is not finite, a negative rate, or a burst below 0.
    """
    for name, value in (("rate_per_s", rate_per_s), ("burst", burst)):
        if not (math.isfinite(value) and value >= 0):
            raise PlanError(f"{name} must be finite and at least 0, got {value}")
    grants = list(grants_s)
    for at_s in grants:
        if not math.isfinite(at_s):
            raise PlanError(f"a grant's time must be finite, got {at_s}")
    grants.sort()
    # The bound with its eps is linear in the length, so the law is f(j) - f(i) <= allowed for one
    # function f, and for each j only the i with the least f matters.
    rate, allowed = (1 + _EPSILON) * Fraction(rate_per_s), (1 + _EPSILON) * Fraction(burst)
    allowed += _EPSILON
    worst, at = allowed, None
    least, since = Fraction(0), 0
    for place, at_s in enumerate(grants):
        before = place - rate * Fraction(at_s)
        if place == 0 or before < least:
            least, since = before, place
        if before + 1 - least > worst:
            worst, at = before + 1 - least, (since, place)
    if at is None:
        return Verdict.of(())
    first, last = at
    begin_s, end_s = grants[first], grants[last]
    return Verdict.of(
        (
            Breach(
                law="window",
                what=f"{last - first + 1} grants from {begin_s:g} s to {end_s:g} s, where burst "
                f"{burst:g} and {rate_per_s:g}/s allow "
                f"{math.floor(burst + rate_per_s * (end_s - begin_s) + float(_EPSILON))}",
                evidence=tuple(grants[first : last + 1]),
            ),
        )
    )
