"""Drawing faults: which are drawn, and what they shrink to."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Literal

import pytest
from hypothesis import Phase, find, given, settings

from chaoscheck.errors import PlanError
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.catalogue import FAULTS
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.parameters import require_integer
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.strategies.faults import fault_plans
from chaoscheck.strategies.faults import faults as drawn

WITH_PARAMETERS = [kind for kind in FAULTS if dataclasses.fields(kind)]

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


def _every(kind: type[Fault]) -> set[Fault]:
    """All values of a kind that can be drawn."""
    seen: set[Fault] = set()

    @settings(max_examples=1000, phases=[Phase.generate], database=None)
    @given(drawn([kind]))
    def draw(fault: Fault) -> None:
        seen.add(fault)

    draw()
    return seen


@pytest.mark.parametrize("kind", WITH_PARAMETERS, ids=lambda kind: kind.name)
def test_the_parameters_of_a_fault_are_drawn(kind: type[Fault]) -> None:
    """A fault with parameters is searched with more than one value of each."""
    seen = _every(kind)

    for field in dataclasses.fields(kind):
        assert len({getattr(fault, field.name) for fault in seen}) > 1


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Vast(Fault):
    """A fault of one's own whose drawn parameters have 2 600 combinations."""

    name: ClassVar[str] = "vast"

    after_bytes: int = 0
    delay_s: float = 0.1
    by_bytes: int = 1


def test_a_kind_has_a_bounded_number_of_values() -> None:
    """A machine that declares every fault still starts in an instant, in little memory."""
    assert 250 < len(_every(Vast)) <= 500


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Picky(Fault):
    """A fault of one's own: a Literal, a number that may not be 0, and one nobody can draw."""

    name: ClassVar[str] = "picky"

    mood: Literal["sour", "bitter"] = "bitter"
    after_bytes: int = 3
    weight: float = 1.5

    def __post_init__(self) -> None:
        require_integer(self.name, "after_bytes", self.after_bytes, 63)


def test_a_fault_of_ones_own_is_drawn_from_what_its_types_say() -> None:
    """Literals are drawn, refused values are not, and the rest keeps its default."""
    assert {
        Picky(mood="sour", after_bytes=63),
        Picky(mood="sour", after_bytes=64),
        Picky(mood="bitter", after_bytes=63),
        Picky(mood="bitter", after_bytes=64),
    } == _every(Picky)


def test_a_parameter_without_values_and_default_is_refused() -> None:
    """The message says which parameter it is."""

    @dataclass(frozen=True, slots=True, kw_only=True, repr=False)
    class Heavy(Fault):
        name: ClassVar[str] = "heavy"

        weight: float

    with pytest.raises(PlanError, match="heavy: weight needs a default"):
        drawn([Heavy])


@pytest.mark.parametrize("part", ["rates", "headers", "bursts", "outages", "ramps", "limits"])
def test_every_part_of_a_plan_is_drawn(part: str) -> None:
    """A plan is any mix of what plans can hold."""
    assert len(getattr(find(fault_plans(), lambda plan: getattr(plan, part)), part)) == 1


AIMS = [{"provider": "openai"}, {"model": "gpt-*"}]


@pytest.mark.parametrize("part", ["rates", "bursts", "first"])
def test_aims_are_drawn_where_they_are_given(part: str) -> None:
    """Of one aim, of the other, in their order; never of a fault that strikes connections."""
    plans = fault_plans(["refuse", "status_529"], aims=AIMS)
    plan = find(plans, lambda plan: len(plan.aimed) == 2 and getattr(plan.aimed[1], part))

    assert AIMS == [aim.where() for aim in plan.aimed]
    assert FaultPlan() == find(plans, lambda _: True, settings=QUICK)
    with pytest.raises(PlanError, match="aims need a fault that strikes requests"):
        fault_plans(["refuse"], aims=AIMS)


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
