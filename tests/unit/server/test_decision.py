"""Which fault a request meets."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.errors import PlanError
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.burst import Burst
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.limits import ConcurrencyCap, TokenLimit
from chaoscheck.server.decision import Arrival, Decisions
from chaoscheck.world.choices import ScriptedChoices

ONE, TWO, THREE = faults.status_429(), faults.status_500(), faults.close_mid_body()


def _arrival(key: str = "k", attempt: int = 1, *, at_s: float = 0.0, in_flight: int = 0) -> Arrival:
    return Arrival(key=key, attempt=attempt, at_s=at_s, in_flight=in_flight)


@given(st.permutations([(f"key {number}", attempt) for number in range(8) for attempt in (1, 2)]))
def test_fate_does_not_depend_on_the_order_of_arrival(order: list[tuple[str, int]]) -> None:
    """The same seed gives each (key, attempt) the same fault, whoever comes first."""
    plan = FaultPlan.of({ONE: 0.3, TWO: 0.3, THREE: 0.2}, seed=7)
    in_order, shuffled = Decisions(plan, None), Decisions(plan, None)
    expected = {asked: in_order.decide(_arrival(*asked)) for asked in sorted(order)}

    assert expected == {asked: shuffled.decide(_arrival(*asked)) for asked in order}


def test_another_seed_is_another_fate() -> None:
    """Seeds differ: a run that found nothing is worth repeating with the next one."""
    fates = {
        tuple(
            Decisions(FaultPlan.of({ONE: 0.5}, seed=seed), None).decide(_arrival(str(key)))
            for key in range(32)
        )
        for seed in range(4)
    }

    assert 4 == len(fates)


def test_rates_are_met() -> None:
    """Of 4000 requests each fault hits its share, within six standard deviations (190)."""
    decisions = Decisions(FaultPlan.of({ONE: 0.5, TWO: 0.25}), None)
    counts = Counter(decisions.decide(_arrival(str(key))) for key in range(4000))

    assert [2000, 1000, 1000] == [
        pytest.approx(counts[fault], abs=190) for fault in (ONE, TWO, None)
    ]


def test_choice_0_is_no_fault() -> None:
    """An example that shrinks away from faults has none."""
    decisions = Decisions(FaultPlan.of({ONE: 0.5, TWO: 0.25}), ScriptedChoices([0, 1, 2]))

    assert [None, ONE, TWO] == [decisions.decide(_arrival()) for _ in range(3)]


def test_a_script_decides_each_attempt_and_then_nothing() -> None:
    """``fail the first two`` means the first two."""
    decisions = Decisions(FaultPlan.of(scripts={"k": [ONE, None, TWO]}), None)

    assert [ONE, None, TWO, None] == [
        decisions.decide(_arrival(attempt=attempt)) for attempt in (1, 2, 3, 4)
    ]
    assert decisions.decide(_arrival("other")) is None


def test_one_shots_come_before_scripts_before_limits_before_bursts_before_rates() -> None:
    """I always know which of several plans wins."""
    limit, burst, rate = (faults.close_mid_body(after_bytes=count) for count in (1, 2, 3))
    plan = FaultPlan.of(
        {rate: 1.0},
        scripts={"k": [TWO]},
        limit=TokenLimit(rate_per_s=1, fault=limit),
        bursts=[Burst(fault=burst, every_s=10, lasts_s=1)],
    )
    decisions = Decisions(plan, None)
    decisions.one_shots.append(ONE)

    assert [ONE, TWO, burst, limit, rate] == [
        decisions.decide(arrival)
        for arrival in (
            _arrival(),
            _arrival(),
            _arrival(attempt=2),
            _arrival(attempt=2),
            _arrival(attempt=2, at_s=5),
        )
    ]


def test_overlapping_bursts_leave_what_they_do_not_take() -> None:
    """Bursts that overlap never sum above 1: the earlier one comes first."""
    bursts = [Burst(fault=fault, every_s=1, lasts_s=1) for fault in (ONE, TWO)]
    decisions = Decisions(FaultPlan.of({THREE: 1.0}, bursts=bursts), None)

    assert {ONE} == {decisions.decide(_arrival(str(key))) for key in range(20)}


def test_a_client_that_waits_as_told_is_admitted() -> None:
    """Retry-After is the true wait: long enough, and no more than 1 ms too long."""
    decisions = Decisions(FaultPlan.of(limit=TokenLimit(rate_per_s=3, burst=2)), None)
    first = [decisions.decide(_arrival()) for _ in range(2)]
    refused = decisions.decide(_arrival())

    assert [None, None] == first
    assert faults.status_429(retry_after_s=0.334) == refused
    assert decisions.decide(_arrival(at_s=0.332)) is not None
    assert decisions.decide(_arrival(at_s=0.334)) is None


@given(st.lists(st.floats(0, 2), max_size=40))
def test_a_token_limit_obeys_the_window_law(gaps: list[float]) -> None:
    """In any window of t seconds at most burst + rate·t requests pass."""
    decisions = Decisions(FaultPlan.of(limit=TokenLimit(rate_per_s=2, burst=3)), None)
    now_s, passed = 0.0, []
    for gap in gaps:
        now_s += gap
        if decisions.decide(_arrival(at_s=now_s)) is None:
            passed.append(now_s)

    assert all(
        later - earlier + 1 <= 3 + 2 * (passed[later] - passed[earlier]) + 1e-6
        for later in range(len(passed))
        for earlier in range(later + 1)
    )


def test_a_limit_as_given_keeps_its_own_retry_after() -> None:
    """I can make the server lie about when to come back."""
    limit = TokenLimit(rate_per_s=1, retry_after="as_given", fault=faults.status_503())
    decisions = Decisions(FaultPlan.of(limit=limit), None)

    assert [None, faults.status_503()] == [decisions.decide(_arrival()) for _ in range(2)]


def test_a_concurrency_cap_refuses_what_comes_on_top() -> None:
    """With two in flight already, the third is refused; one of them done, it is served."""
    decisions = Decisions(FaultPlan.of(limit=ConcurrencyCap(in_flight=2, fault=TWO)), None)

    assert [None, TWO, None] == [decisions.decide(_arrival(in_flight=count)) for count in (1, 2, 1)]


def test_set_rate_is_seen_in_the_plan() -> None:
    """What I change while the server runs is what it reports as its plan."""
    decisions = Decisions(FaultPlan.of({ONE: 0.5}, seed=3), None)
    decisions.set_rate("status_500", 0.25)
    decisions.set_rate(ONE, 0)
    decisions.script("k", ["status_429"])

    assert FaultPlan.of({TWO: 0.25}, scripts={"k": [ONE]}, seed=3) == decisions.plan


def test_a_rate_that_does_not_fit_changes_nothing() -> None:
    """A refused change leaves the plan as it was."""
    plan = FaultPlan.of({ONE: 0.75})
    decisions = Decisions(plan, None)

    with pytest.raises(PlanError, match=r"status_500\(\)=0.5"):
        decisions.set_rate(TWO, 0.5)
    assert plan == decisions.plan


def test_heal_ends_everything() -> None:
    """After heal no fault is left in any form."""
    plan = FaultPlan.of(
        {ONE: 1.0},
        scripts={"k": [TWO]},
        limit=TokenLimit(rate_per_s=1),
        bursts=[Burst(fault=THREE, every_s=1, lasts_s=1)],
        seed=5,
    )
    decisions = Decisions(plan, None)
    decisions.one_shots.append(ONE)
    decisions.heal()
    fates: list[Fault | None] = [decisions.decide(_arrival()) for _ in range(5)]

    assert (FaultPlan(seed=5), [None] * 5) == (decisions.plan, fates)
