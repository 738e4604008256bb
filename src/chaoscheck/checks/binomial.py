"""Exact binomial: is a count consistent with a probability?

The tail is summed in floating point from its largest term; where that is too close to alpha to
tell, in rational numbers. A verdict over samples that could not have been rejected is UNKNOWN.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Literal, get_args

from chaoscheck.checks.verdict import Breach, Finding, Verdict
from chaoscheck.errors import PlanError

__all__ = ["ALPHA", "SAMPLES_MAX", "Side", "binomial", "tail_at_least"]

# "both": the probability is p. "at most": it is p or less. "at least": it is p or more.
Side = Literal["both", "at most", "at least"]

# One false alarm in a thousand million judgements.
ALPHA = 1e-9

# Rounding of the sum in floating point stays below this, relative to the tail: lgamma is good to
# one part in 10^16, and of this many samples it is 1.5e8.
_CLOSE = 1e-6
SAMPLES_MAX = 10_000_000


def binomial(
    observed: int, samples: int, *, p: float, alpha: float = ALPHA, side: Side = "both"
) -> Verdict:
    """Judge ``observed`` of ``samples`` independent trials against probability ``p``.

    VIOLATED if, were the claim true, so extreme a count had a probability below ``alpha`` (half
    of it on each side for "both"). UNKNOWN without samples, and with so few that no count at all
    would be rejected. PlanError for values out of range.
    """
    _check(observed, samples, p, alpha, side)
    limit = Fraction(alpha) / 2 if side == "both" else Fraction(alpha)
    if not _decisive(samples, p, limit, side):
        what = f"{observed} of {samples} samples prove nothing about p = {p:g} at alpha {alpha:g}"
        return Verdict.of((), (Breach(law="samples", what=what, evidence=(observed, samples)),))
    above = side != "at least" and _below(observed, samples, Fraction(p), limit)
    below = side != "at most" and _below(samples - observed, samples, 1 - Fraction(p), limit)
    if not (above or below):
        return Verdict(finding=Finding.OK)
    tail = tail_at_least(observed, samples, Fraction(p))
    if below:
        tail = tail_at_least(samples - observed, samples, 1 - Fraction(p))
    word = "or more" if above else "or fewer"
    what = (
        f"{observed} of {samples}, where p = {p:g} expects {samples * p:g}: {word} has "
        f"probability {tail:.2g}, below {float(limit):.2g}"
    )
    return Verdict.of((Breach(law="binomial", what=what, evidence=(observed, samples, p)),))


def tail_at_least(count: int, samples: int, p: Fraction) -> float:
    """P(X >= ``count``) for X binomial in ``samples`` and ``p``, to about nine digits."""
    if count <= 0:
        return 1.0
    if p in (0, 1):
        return float(p)
    # From the largest term of the tail on, both ways, each term from its neighbour.
    top = max(count, min(samples, int((samples + 1) * p)))
    odds = float(p / (1 - p))
    terms, term = [1.0], 1.0
    for k in range(top, samples):
        term *= (samples - k) / (k + 1) * odds
        terms.append(term)
        if term < 1e-20:
            break
    term = 1.0
    for k in range(top, count, -1):
        term *= k / (samples - k + 1) / odds
        terms.append(term)
        if term < 1e-20:
            break
    return min(1.0, math.exp(_log_term(top, samples, p) + math.log(math.fsum(terms))))


def _log_term(k: int, samples: int, p: Fraction) -> float:
    ways = math.lgamma(samples + 1) - math.lgamma(k + 1) - math.lgamma(samples - k + 1)
    return ways + k * _log(p) + (samples - k) * _log(1 - p)


def _log(p: Fraction) -> float:
    """The logarithm of a fraction that may be far too small, or too near to 1, for a float."""
    if p > Fraction(1, 2):
        return math.log1p(-float(1 - p))
    return math.log(p.numerator) - math.log(p.denominator)


def _below(count: int, samples: int, p: Fraction, limit: Fraction) -> bool:
    """Whether P(X >= ``count``) < ``limit``, exactly."""
    tail = tail_at_least(count, samples, p)
    if abs(tail - limit) > _CLOSE * limit:
        return tail < limit
    return _exact_tail(count, samples, p) < limit


def _exact_tail(count: int, samples: int, p: Fraction) -> Fraction:
    chance, rest = p.numerator, p.denominator - p.numerator
    ways = sum(
        math.comb(samples, k) * chance**k * rest ** (samples - k)
        for k in range(max(0, count), samples + 1)
    )
    return Fraction(ways, p.denominator**samples)


def _decisive(samples: int, p: float, limit: Fraction, side: Side) -> bool:
    """Whether any count would be rejected: the most extreme ones are all or none."""
    if samples == 0:
        return False
    chance = Fraction(p)
    above = side != "at least" and _below(samples, samples, chance, limit)
    below = side != "at most" and _below(samples, samples, 1 - chance, limit)
    return above or below


def _check(observed: int, samples: int, p: float, alpha: float, side: str) -> None:
    if not 0 <= samples <= SAMPLES_MAX:
        raise PlanError(f"samples must be in [0, {SAMPLES_MAX}], got {samples}")
    if not 0 <= observed <= samples:
        raise PlanError(f"observed must be in [0, {samples}], got {observed}")
    if not 0 <= p <= 1:
        raise PlanError(f"p must be in [0, 1], got {p}")
    if not 0 < alpha < 1:
        raise PlanError(f"alpha must be in (0, 1), got {alpha}")
    if side not in get_args(Side):
        raise PlanError(f"side must be one of {list(get_args(Side))}, got {side!r}")
