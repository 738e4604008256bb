"""Fault plans: what is legal, and what is said when it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from chaoscheck.errors import PlanError
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.burst import Burst
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.limits import ConcurrencyCap, TokenLimit
from chaoscheck.strategies.faults import fault_plans

HIT = faults.status_429()

REFUSALS: list[tuple[Callable[[], object], str]] = [
    (
        lambda: FaultPlan.of({"status_429": 1.5}),
        "rate of status_429(retry_after_s=1.0) must be in [0, 1], got 1.5",
    ),
    (lambda: FaultPlan.of({"status_429": -0.1}), "must be in [0, 1], got -0.1"),
    (lambda: FaultPlan.of({"status_429": float("nan")}), "must be in [0, 1], got nan"),
    (lambda: FaultPlan.of({"status_429": True}), "must be in [0, 1], got True"),
    (
        lambda: FaultPlan.of({"status_429": 0.7, "status_500": 0.5}),
        "rates must sum to at most 1, got 1.2: status_429(retry_after_s=1.0)=0.7, status_500()=0.5",
    ),
    (lambda: FaultPlan.of({"status_42": 0.1}), "unknown fault 'status_42'"),
    (lambda: FaultPlan(rates=((HIT, 0.1), (HIT, 0.2))), "twice"),
    (lambda: FaultPlan(rates={HIT: 0.1}), "rates must be a tuple"),  # type: ignore[arg-type]
    (lambda: FaultPlan(rates=(("status_429", 0.1),)), "must be a Fault"),  # type: ignore[arg-type]
    (lambda: FaultPlan(seed=1.5), "seed must be an integer, got 1.5"),  # type: ignore[arg-type]
    (lambda: FaultPlan(bursts=(HIT,)), "bursts must be Burst"),  # type: ignore[arg-type]
    (lambda: FaultPlan(limit=5), "limit must be"),  # type: ignore[arg-type]
    (lambda: FaultPlan.of(scripts={"": [HIT]}), "1 to 200 characters, got ''"),
    (lambda: FaultPlan.of(scripts={"k": ["statis_429"]}), "did you mean 'status_429'"),
    (lambda: FaultPlan(scripts=(("k", (HIT,)), ("k", ()))), "twice"),
    (lambda: FaultPlan(scripts=(("k", ("status_429",)),)), "tuple of faults"),  # type: ignore[arg-type]
    (lambda: Burst(fault=HIT, every_s=0, lasts_s=0), "(0, every_s = 0], got 0"),
    (lambda: Burst(fault=HIT, every_s=1, lasts_s=2), "(0, every_s = 1], got 2"),
    (lambda: Burst(fault=HIT, every_s=-1, lasts_s=1), "every_s must be a finite number >= 0"),
    (lambda: Burst(fault=HIT, every_s=1, lasts_s=1, phase_s=-1), "phase_s"),
    (lambda: Burst(fault=HIT, every_s=1, lasts_s=1, rate=2), "must be in [0, 1], got 2"),
    (lambda: Burst(fault="x", every_s=1, lasts_s=1), "must be a Fault, got 'x'"),  # type: ignore[arg-type]
    (lambda: TokenLimit(rate_per_s=0), "rate_per_s must be a finite number > 0, got 0"),
    (lambda: TokenLimit(rate_per_s=float("inf")), "finite"),
    (lambda: TokenLimit(rate_per_s=1, burst=0), "burst must be an integer >= 1, got 0"),
    (lambda: TokenLimit(rate_per_s=1, retry_after="x"), "got 'x'"),  # type: ignore[arg-type]
    (lambda: ConcurrencyCap(in_flight=0), "in_flight must be an integer >= 1, got 0"),
    (lambda: ConcurrencyCap(in_flight=1, fault=None), "must be a Fault"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("wrong", "says"), REFUSALS)
def test_a_plan_written_wrong_is_refused(wrong: Callable[[], Any], says: str) -> None:
    """The message shows the value that I gave and the legal range."""
    with pytest.raises(PlanError) as refusal:
        wrong()

    assert says in str(refusal.value)


def test_ten_rates_of_a_tenth_sum_to_one() -> None:
    """Binary fractions do not make my plan illegal."""
    kinds = [faults.close_mid_body(after_bytes=count) for count in range(10)]

    assert 10 == len(FaultPlan.of(dict.fromkeys(kinds, 0.1)).rates)


def test_names_and_values_make_the_same_plan() -> None:
    """I may write a fault as text wherever a plan takes one."""
    by_name = FaultPlan.of({"status_429": 0.1}, scripts={"k": ["status_500", None]}, seed=3)
    by_value = FaultPlan(
        rates=((faults.status_429(), 0.1),),
        scripts=(("k", (faults.status_500(), None)),),
        seed=3,
    )

    assert by_value == by_name


@given(fault_plans())
def test_every_drawn_plan_is_legal(plan: FaultPlan) -> None:
    """Random plans never trip over their own rules."""
    assert sum(rate for _, rate in plan.rates) <= 1


@pytest.mark.parametrize(
    ("elapsed_s", "covered"),
    [(0, False), (0.49, False), (0.5, True), (0.59, True), (0.6, False), (0.7, True), (20.5, True)],
)
def test_a_burst_covers_its_windows(elapsed_s: float, covered: bool) -> None:
    """A burst of 0.1 s every 0.2 s from 0.5 s on: edges lie where I compute them by hand."""
    burst = Burst(fault=HIT, every_s=0.2, lasts_s=0.1, phase_s=0.5)

    assert covered is burst.covers(elapsed_s)
