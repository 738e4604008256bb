"""The exact binomial test: is a count consistent with a probability?"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.checks.binomial import binomial, tail_at_least
from chaoscheck.checks.verdict import Finding
from chaoscheck.errors import PlanError


def exact_tail(count: int, samples: int, p: Fraction) -> Fraction:
    """P(X >= count), by definition."""
    return sum(
        (
            math.comb(samples, k) * p**k * (1 - p) ** (samples - k)
            for k in range(count, samples + 1)
        ),
        Fraction(0),
    )


@given(st.integers(1, 40), st.data())
def test_the_tail_is_the_sum_of_its_terms(samples: int, data: st.DataObject) -> None:
    """To nine digits, for every count and probability."""
    count = data.draw(st.integers(0, samples))
    p = data.draw(st.fractions(0, 1, max_denominator=1000))

    exact = float(exact_tail(count, samples, p))
    assert math.isclose(exact, tail_at_least(count, samples, p), rel_tol=1e-9, abs_tol=1e-300)


@pytest.mark.parametrize(
    ("observed", "side", "finding"),
    [
        (100, "both", Finding.OK),
        (130, "both", Finding.OK),
        (190, "both", Finding.VIOLATED),
        (40, "both", Finding.VIOLATED),
        (40, "at most", Finding.OK),
        (190, "at least", Finding.OK),
        (190, "at most", Finding.VIOLATED),
        (40, "at least", Finding.VIOLATED),
    ],
)
def test_a_count_far_from_its_rate_is_rejected(observed: int, side: Any, finding: Finding) -> None:
    """Of a thousand at one tenth: what chance explains passes, on the side that was claimed."""
    assert finding is binomial(observed, 1000, p=0.1, side=side).finding


def test_at_the_edge_the_decision_is_exact() -> None:
    """A tail of exactly alpha is not below it; the next smaller one is."""
    alpha = 2.0**-20  # Twenty heads of twenty.
    assert binomial(20, 20, p=0.5, alpha=alpha, side="at most").finding is not Finding.VIOLATED
    verdict = binomial(20, 20, p=0.5, alpha=alpha * (1 + 2**-40), side="at most")
    assert Finding.VIOLATED is verdict.finding


@pytest.mark.parametrize(
    ("observed", "samples", "p"), [(0, 0, 0.5), (3, 3, 0.5), (0, 20, 0.5), (5, 5, 1.0 - 1e-3)]
)
def test_too_few_samples_prove_nothing(observed: int, samples: int, p: float) -> None:
    """A threshold that no outcome could miss is not passed."""
    assert binomial(observed, samples, p=p, side="at most").finding is Finding.UNKNOWN


@pytest.mark.parametrize(("observed", "ok"), [(0, True), (1, False)])
def test_what_must_never_happen_may_not_happen_once(observed: int, ok: bool) -> None:
    """A probability of 0 is broken by one."""
    assert ok is binomial(observed, 10, p=0.0).ok
    assert ok is binomial(10 - observed, 10, p=1.0).ok


def test_a_million_samples_are_judged() -> None:
    """Large runs neither overflow nor take long."""
    assert binomial(300_000, 1_000_000, p=0.3).ok
    assert not binomial(303_000, 1_000_000, p=0.3).ok


def test_the_witness_tells_how_unlikely_it_was() -> None:
    """I see what was expected, and with which probability chance explains it."""
    (breach,) = binomial(40, 100, p=0.1, alpha=1e-6).witness

    assert "40 of 100, where p = 0.1 expects 10: or more has probability" in breach.what


@pytest.mark.parametrize(
    ("arguments", "options", "what"),
    [
        ((1, -1), {}, "samples must be in"),
        ((0, 10**8), {}, "samples must be in"),
        ((11, 10), {}, r"observed must be in \[0, 10\], got 11"),
        ((1, 10), {"p": 1.5}, r"p must be in \[0, 1\], got 1.5"),
        ((1, 10), {"p": math.nan}, r"p must be in \[0, 1\], got nan"),
        ((1, 10), {"alpha": 0.0}, r"alpha must be in \(0, 1\), got 0.0"),
        ((1, 10), {"side": "left"}, "side must be one of"),
    ],
)
def test_values_out_of_range_are_refused(
    arguments: tuple[int, int], options: dict[str, Any], what: str
) -> None:
    """Each names itself and its legal range."""
    with pytest.raises(PlanError, match=what):
        binomial(*arguments, **{"p": 0.5} | options)
