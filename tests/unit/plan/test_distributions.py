"""Distributions of waits: what is drawn has their quantiles, and what is written wrong is refused.

The bound on quantiles is that of Dvoretzky, Kiefer, Wolfowitz and Massart: the empirical
distribution of n independent draws is farther than sqrt(ln(2 / alpha) / 2n) from the true one with
a probability of at most alpha. Seeds are fixed, so a test that passes once passes always.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.errors import PlanError
from chaoscheck.plan.distributions import (
    Constant,
    Distribution,
    Exponential,
    LogNormal,
    Normal,
    Uniform,
)
from chaoscheck.plan.fault import SECONDS_MAX
from chaoscheck.plan.notation import parse_distribution
from chaoscheck.server.apis.pace import SeededDelay

DRAWS = 10_000
ALPHA = 1e-9
BOUND = math.sqrt(math.log(2 / ALPHA) / (2 * DRAWS))  # 0.033

Cdf = Callable[[float], float]


def _phi(z: float) -> float:
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))


def _truncated(cdf: Cdf, high_s: float) -> Cdf:
    low, width = cdf(0.0), cdf(high_s) - cdf(0.0)
    return lambda at_s: (cdf(at_s) - low) / width


def _lognormal(median_s: float, sigma: float) -> Cdf:
    return lambda at_s: _phi(math.log(at_s / median_s) / sigma) if at_s > 0 else 0.0


# Each with its distribution function, written down without the code under test.
LAWS: list[tuple[Distribution, Cdf]] = [
    (Uniform(low_s=0.5, high_s=2.5), lambda at_s: (at_s - 0.5) / 2),
    (Normal(mean_s=0.1, sigma_s=0.2), _truncated(lambda at_s: _phi((at_s - 0.1) / 0.2), 1e6)),
    (
        Normal(mean_s=1.0, sigma_s=2.0, max_s=1.5),
        _truncated(lambda at_s: _phi((at_s - 1) / 2), 1.5),
    ),
    (LogNormal(median_s=0.3, sigma=0.8), _lognormal(0.3, 0.8)),
    (
        LogNormal(p50_s=0.3, p99_s=2.0),
        _lognormal(0.3, math.log(2.0 / 0.3) / 2.3263478740408408),
    ),
    (LogNormal(median_s=0.3, sigma=0.8, max_s=0.4), _truncated(_lognormal(0.3, 0.8), 0.4)),
    (Exponential(mean_s=0.2), lambda at_s: 1 - math.exp(-at_s / 0.2)),
    (
        Exponential(mean_s=0.2, max_s=0.3),
        _truncated(lambda at_s: 1 - math.exp(-at_s / 0.2), 0.3),
    ),
]


def _distance(draws: list[float], cdf: Cdf) -> float:
    """How far the empirical distribution is from ``cdf``, at most (Kolmogorov and Smirnov)."""
    ordered = sorted(draws)
    count = len(ordered)
    return max(
        max(abs(cdf(at_s) - rank / count), abs(cdf(at_s) - (rank + 1) / count))
        for rank, at_s in enumerate(ordered)
    )


@pytest.mark.parametrize(("law", "cdf"), LAWS, ids=[repr(law) for law, _ in LAWS])
def test_draws_have_the_quantiles_of_their_distribution(law: Distribution, cdf: Cdf) -> None:
    """What I ask for is what my client meets: no quantile is off by more than 0.033 of the mass."""
    draws = list(islice(SeededDelay(law, 7, "token").draws(("a key", 1, 1)), DRAWS))

    assert _distance(draws, cdf) <= BOUND


def test_the_first_draws_of_many_requests_have_the_quantiles_too() -> None:
    """Time to first token is one draw a request: over requests it is distributed as I said."""
    law, cdf = LAWS[3]
    delay = SeededDelay(law, 7, "first token")
    draws = [next(delay.draws((f"key {number}", 1, 1))) for number in range(DRAWS)]

    assert _distance(draws, cdf) <= BOUND


def test_the_bound_rejects_what_is_moved_to_the_edge() -> None:
    """A planted bug: a clamped exponential piles 22 percent of its mass up on its edge."""
    law, cdf = LAWS[-1]
    sample = Exponential(mean_s=0.2).sampler()
    clamped = [min(sample((at + 0.5) / DRAWS), 0.3) for at in range(DRAWS)]

    assert _distance(clamped, cdf) > BOUND
    assert law == Exponential(mean_s=0.2, max_s=0.3)


_S = st.floats(1e-9, SECONDS_MAX)
_ANY: st.SearchStrategy[Distribution] = st.one_of(
    st.builds(Constant, wait_s=_S),
    st.tuples(_S, _S).map(lambda both: Uniform(low_s=min(both), high_s=max(both))),
    st.builds(Normal, mean_s=st.just(0.0), sigma_s=_S, max_s=_S),
    st.builds(LogNormal, median_s=_S, sigma=st.floats(5e-324, 10)),
    st.tuples(_S, st.floats(1.001, 100), _S).map(
        lambda it: LogNormal(
            p50_s=min(it[0], it[2], 1e6), p99_s=min(it[0], it[2], 1e6) * it[1], max_s=it[2]
        )
    ),
    st.builds(Exponential, mean_s=_S, max_s=_S),
)


@given(_ANY, st.lists(st.floats(2**-53, 1 - 2**-53), min_size=2, max_size=9))
def test_every_draw_is_bounded_and_grows_with_its_share(
    law: Distribution, shares: list[float]
) -> None:
    """However odd the parameters, no wait is negative, above ``max_s`` or beyond ten years."""
    drawn = [law.sampler()(share) for share in sorted(shares)]

    assert all(0 <= each <= getattr(law, "max_s", SECONDS_MAX) for each in drawn)
    assert all(
        later >= earlier or math.isclose(earlier, later) for earlier, later in pairwise(drawn)
    )


@given(_ANY)
def test_what_is_printed_can_be_read_back(law: Distribution) -> None:
    """A report, a plan file and an option have one notation."""
    assert law == parse_distribution(repr(law))


REFUSALS = [
    ("lognorml(p50_s=1, p99_s=2)", "unknown distribution 'lognorml'; did you mean 'lognormal'?"),
    ("uniform(low=0)", "uniform has no parameter 'low'; did you mean 'low_s'?"),
    ("uniform(low_s=0)", "uniform: high_s is missing"),
    ("uniform(low_s=2, high_s=1)", "high_s must be >= low_s = 2, got 1"),
    ("uniform(low_s=-1, high_s=1)", "low_s must be a finite number >= 0, got -1"),
    ("constant(wait_s=1e308)", "wait_s must be <= 315360000, got 1e+308"),
    ("normal(mean_s=-1, sigma_s=1)", "mean_s must be a finite number >= 0, got -1"),
    ("normal(mean_s=2, sigma_s=1, max_s=1)", "mean_s must be <= 1, got 2"),
    ("normal(mean_s=2, sigma_s=0)", "sigma_s must be > 0, got 0"),
    ("normal(mean_s=0, sigma_s=1, max_s=0)", "max_s must be > 0, got 0"),
    ("lognormal(p50_s=1)", "takes median_s and sigma, or p50_s and p99_s, got p50_s"),
    ("lognormal(p50_s=1, sigma=1)", "p50_s and p99_s, got sigma and p50_s"),
    ("lognormal(median_s=0, sigma=1)", "median_s must be a finite number >= 1e-12, got 0"),
    ("lognormal(median_s=1, sigma=11)", "sigma must be <= 10.0, got 11"),
    ("lognormal(p50_s=2, p99_s=1)", "p99_s must be > p50_s = 2"),
    ("exponential(mean_s='x')", "mean_s must be a finite number >= 0, got 'x'"),
    ("exponential(mean_s=print(1))", "mean_s must be a literal value"),
    ("0.5 seconds", "a distribution is written name or name(parameter=value, ...)"),
]


@pytest.mark.parametrize(("text", "says"), REFUSALS)
def test_a_distribution_written_wrong_is_refused(text: str, says: str) -> None:
    """The message shows the value that I gave and what is legal."""
    with pytest.raises(PlanError) as refusal:
        parse_distribution(text)

    assert says in str(refusal.value)
