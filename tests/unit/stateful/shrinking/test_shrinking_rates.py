"""Faults by rate: what is proposed in the place of single ones."""

from __future__ import annotations

from typing import Any

from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.program import Decision, Literal
from chaoscheck.stateful.shrinking.shrunk_rates import one_hit_for_faults
from tests.unit.stateful.stories import story


def fault(made: Any) -> tuple[str, dict[str, Any]]:
    """A step by which one request meets a fault."""
    return ("next_fault", {"fault": Literal(made)})


def test_faults_of_one_kind_give_way_to_a_rate_that_hits_one_request() -> None:
    """A reset of the fourth request needs no three before it: any one request may be the one."""
    proposals = list(one_hit_for_faults(story(*[fault(faults.status_500())] * 3, "ask", "ask")))

    assert {("set_rate", "ask", "ask")} == {
        tuple(step.rule for step in proposal.steps) for proposal in proposals
    }
    assert [(Decision(step, "fault", nth, 1),) for step in (4, 5) for nth in range(4)] == [
        proposal.decisions for proposal in proposals
    ]


def test_few_faults_or_faults_of_several_kinds_stay() -> None:
    """A rate and its hit are two lines themselves, and a rate has one kind."""
    one, other = fault(faults.status_500()), fault(faults.status_502())

    assert [] == list(one_hit_for_faults(story("ask", one, one, "ask")))
    assert [] == list(one_hit_for_faults(story(one, other, one, "ask")))
    assert [] == list(one_hit_for_faults(story("ask")))
