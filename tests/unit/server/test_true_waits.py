"""Outages and bursts at work say how long they last, where the plan asks them to."""

from __future__ import annotations

import dataclasses

from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.answer import Answer
from chaoscheck.plan.burst import Burst
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.outage import Outage
from chaoscheck.server.decision import Decisions
from chaoscheck.server.identity import Arrival


def decide(decisions: Decisions, *, at_s: float) -> Fault | None:
    """The fault of a request at this time."""
    return decisions.decide(Arrival(key="k", attempt=1, at_s=at_s, in_flight=0), Answer(status=200))


def test_outages_and_bursts_say_how_long_they_last_where_they_are_asked_to() -> None:
    """The true rest, in the fault that chance or certainty chose; an odd header goes before it."""
    busy, down = faults.status_529(), faults.status_503(retry_after_s=7)
    plan = FaultPlan.of(
        outages=[Outage(fault=down, from_s=0, until_s=10, retry_after="true_wait")],
        bursts=[Burst(fault=busy, every_s=20, lasts_s=15, retry_after="true_wait")],
    )
    decisions = Decisions(plan, None)

    assert faults.status_503(retry_after_s=8.5) == decide(decisions, at_s=1.5)
    assert faults.status_529(retry_after_s=2.75) == decide(decisions, at_s=12.25)
    assert [faults.status_529(retry_after_s=2.75)] == list(decisions.by_chance)
    lie = faults.retry_after_garbage()
    lying = Decisions(dataclasses.replace(plan, headers=((lie, 1.0),)), None)
    assert lie.at_status(529) == decide(lying, at_s=12.25)
