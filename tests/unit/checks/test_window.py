"""The window law: a token bucket grants no more than burst + rate x time in any window."""

from __future__ import annotations

import math
from itertools import combinations_with_replacement

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.checks.window import window
from chaoscheck.errors import PlanError


def bucket(arrivals_s: list[float], rate_per_s: float, burst: float) -> list[float]:
    """When a right bucket grants what it can at once, and refuses the rest."""
    grants, tokens, last_s = [], burst, 0.0
    for at_s in arrivals_s:
        tokens, last_s = min(burst, tokens + (at_s - last_s) * rate_per_s), at_s
        if tokens >= 1:
            tokens -= 1
            grants.append(at_s)
    return grants


def test_a_bucket_that_refills_as_promised_passes() -> None:
    """Burst at once, then one for each token; nothing granted is no offence either."""
    grants = bucket([0.1 * step for step in range(200)], 2.0, 3.0)

    assert len(grants) > 40
    assert window(grants, rate_per_s=2.0, burst=3.0).ok
    assert window([], rate_per_s=0.0, burst=0.0).ok


def test_a_bucket_that_refills_twice_is_caught() -> None:
    """A broken twin that grants one burst too many, in the middle; the worst window is shown."""
    grants = bucket([0.5 * step for step in range(40)], 2.0, 3.0)
    verdict = window([*grants, 10.0, 10.0, 10.0], rate_per_s=2.0, burst=3.0)
    (breach,) = verdict.witness

    assert {"window"} == verdict.laws
    assert 10.0 in (breach.evidence[0], breach.evidence[-1])
    assert not window([0.0, 0.0], rate_per_s=1.0, burst=1.0).ok


@given(
    st.lists(st.integers(0, 40).map(lambda tenth: tenth / 8), max_size=8),
    st.sampled_from([0.0, 0.5, 2.0]),
    st.sampled_from([0.0, 1.0, 2.5]),
)
def test_one_pass_equals_every_window(grants: list[float], rate_per_s: float, burst: float) -> None:
    """It judges as the law is written: all pairs."""
    ordered = sorted(grants)
    bounds = [
        (j - i + 1, burst + rate_per_s * (ordered[j] - ordered[i]))
        for i, j in combinations_with_replacement(range(len(ordered)), 2)
    ]
    kept = all(count <= bound + 1e-9 * (1 + bound) for count, bound in bounds)

    assert kept is window(grants, rate_per_s=rate_per_s, burst=burst).ok


def test_large_times_do_not_blur_the_law() -> None:
    """Three years into a run one grant too many is still one too many."""
    start_s = 1e8
    assert window([start_s, start_s + 1], rate_per_s=1.0, burst=1.0).ok
    assert not window([start_s, start_s + 0.999], rate_per_s=1.0, burst=1.0).ok


@pytest.mark.parametrize(
    ("grants", "rate", "burst", "what"),
    [
        ([0.0], -1.0, 1.0, "rate_per_s must be finite and at least 0, got -1"),
        ([0.0], 1.0, math.inf, "burst must be finite and at least 0, got inf"),
        ([math.nan], 1.0, 1.0, "a grant's time must be finite, got nan"),
    ],
)
def test_what_is_no_window_is_refused(
    grants: list[float], rate: float, burst: float, what: str
) -> None:
    """A limit or time that means nothing is named."""
    with pytest.raises(PlanError, match=what):
        window(grants, rate_per_s=rate, burst=burst)
