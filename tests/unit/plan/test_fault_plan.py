"""Fault plans: what is legal, and what is said when it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings

from chaoscheck.errors import PlanError
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.burst import Burst
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.limits import ConcurrencyCap
from chaoscheck.plan.outage import Outage
from chaoscheck.plan.ramp import Ramp
from chaoscheck.plan.replies import Replies
from chaoscheck.strategies.faults import fault_plans

HIT = faults.status_429()
ZERO = faults.retry_after_zero()

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
    (lambda: FaultPlan(limits=(5,)), "limits must be TokenLimit or"),  # type: ignore[arg-type]
    (lambda: FaultPlan.of(scripts={"": [HIT]}), "1 to 200 characters, got ''"),
    (lambda: FaultPlan.of(scripts={"k": ["statis_429"]}), "did you mean 'status_429'"),
    (lambda: FaultPlan(scripts=(("k", (HIT,)), ("k", ()))), "twice"),
    (lambda: FaultPlan(scripts=(("k", ("status_429",)),)), "tuple of faults"),  # type: ignore[arg-type]
    (
        lambda: FaultPlan.of(scripts={"k": "status_429"}),
        "list of faults, got the text 'status_429'",
    ),
    (lambda: FaultPlan.of(scripts={"k": ["refuse"]}), "refuse() strikes a connection"),
    (lambda: FaultPlan.of(first=["refuse"]), "first: refuse() strikes a connection"),
    (lambda: FaultPlan(first=("status_429",)), "first must be a tuple of faults"),  # type: ignore[arg-type]
    (lambda: FaultPlan(first=[HIT]), "first must be a tuple"),  # type: ignore[arg-type]
    (lambda: FaultPlan.of(headers={"status_429": 0.1}), "headers takes faults named retry_after_"),
    (lambda: FaultPlan.of(headers={"retry_after_zero": 2}), "must be in [0, 1], got 2"),
    (lambda: FaultPlan(headers=((ZERO, 0.1), (ZERO, 0.2))), "headers name a fault twice"),
    (lambda: FaultPlan(outages=(HIT,)), "outages must be Outage values"),  # type: ignore[arg-type]
    (lambda: FaultPlan(ramps=(HIT,)), "ramps must be Ramp values"),  # type: ignore[arg-type]
    (lambda: FaultPlan(replies="echo"), "replies must be a Replies value, got 'echo'"),  # type: ignore[arg-type]
    (lambda: FaultPlan(seed=2**63), "[-2**63, 2**63)"),
    (lambda: FaultPlan.of(limit=5), "a plan has no 'limit'"),  # type: ignore[call-arg]
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


@settings(max_examples=30)  # a plan takes 5 ms to draw
@given(fault_plans())
def test_every_drawn_plan_is_legal(plan: FaultPlan) -> None:
    """Random plans never trip over their own rules."""
    assert sum(rate for _, rate in plan.rates) <= 1


def test_any_iterable_makes_a_plan() -> None:
    """I write lists and mappings; the plan is a frozen value that can be compared and hashed."""
    burst = Burst(fault=HIT, every_s=1, lasts_s=1)
    outage, ramp = Outage(from_s=0, until_s=1), Ramp(fault=HIT, from_s=0, until_s=1)
    cap, replies = ConcurrencyCap(in_flight=1), Replies(mode="seeded")
    written = FaultPlan.of(
        headers={"retry_after_zero": 0.5},
        bursts=[burst],
        outages=[outage],
        ramps=[ramp],
        first=["status_429", None],
        limits=[cap],
        replies=replies,
    )
    by_value = FaultPlan(
        headers=((ZERO, 0.5),),
        bursts=(burst,),
        outages=(outage,),
        ramps=(ramp,),
        first=(HIT, None),
        limits=(cap,),
        replies=replies,
    )

    assert by_value == written
    assert hash(by_value) == hash(written)
