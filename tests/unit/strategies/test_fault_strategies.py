"""Drawing faults: which are drawn, and what they shrink to."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import Phase, find, given, settings

from chaoscheck.errors import PlanError
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.catalogue import FAULTS
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.strategies.faults import fault_plans
from chaoscheck.strategies.faults import faults as drawn

QUICK = settings(max_examples=2000, phases=(Phase.generate, Phase.shrink), database=None)


@given(drawn(["reset_mid_body", faults.status_503]))
def test_only_the_kinds_asked_for_are_drawn(fault: Fault) -> None:
    """I narrow a machine down to the faults that I care about."""
    assert fault.name in {"reset_mid_body", "status_503"}


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.name)
def test_every_fault_can_be_drawn(kind: type[Fault]) -> None:
    """No fault is left out of the search, whatever its parameters."""
    assert kind is type(find(drawn([kind]), lambda _: True, settings=QUICK))


def test_parameters_shrink_to_the_simplest() -> None:
    """A counterexample shows the smallest number that still breaks the law."""
    found = find(
        drawn(["close_mid_body"]),
        lambda fault: dataclasses.astuple(fault)[0] >= 5,
        settings=QUICK,
    )

    assert faults.close_mid_body(after_bytes=5) == found


def test_the_simplest_plan_is_silence() -> None:
    """A plan that does not matter disappears from the counterexample."""
    assert FaultPlan() == find(fault_plans(), lambda _: True, settings=QUICK)


def test_no_kind_at_all_is_refused() -> None:
    """An empty list of kinds is a mistake, not a machine without faults."""
    with pytest.raises(PlanError):
        drawn([])


def test_an_unknown_kind_is_refused() -> None:
    """A misspelt name is told at once."""
    with pytest.raises(PlanError, match="did you mean 'status_429'"):
        drawn(["status_42"])
