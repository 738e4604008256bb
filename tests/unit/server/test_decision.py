"""Which fault a request meets."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.errors import PlanError
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.answer import Answer, Event
from chaoscheck.plan.burst import Burst
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.limits import ConcurrencyCap, Quota, TokenLimit
from chaoscheck.plan.outage import Outage
from chaoscheck.plan.ramp import Ramp
from chaoscheck.plan.replies import Replies
from chaoscheck.server.decision import Arrival, Decisions
from chaoscheck.server.limit_state import Standing, Standings
from chaoscheck.world.choices import ScriptedChoices

ONE, TWO, THREE = faults.status_429(), faults.status_500(), faults.close_mid_body()

GOOD = Answer(status=200, body=b"{}")


def _arrival(key: str = "k", attempt: int = 1, *, at_s: float = 0.0, in_flight: int = 0) -> Arrival:
    return Arrival(key=key, attempt=attempt, at_s=at_s, in_flight=in_flight)


def _fate(decisions: Decisions, arrival: Arrival, answer: Answer = GOOD) -> Fault | None:
    return decisions.decide(arrival, answer)


@given(st.permutations([(f"key {number}", attempt) for number in range(8) for attempt in (1, 2)]))
def test_fate_does_not_depend_on_the_order_of_arrival(order: list[tuple[str, int]]) -> None:
    """The same seed gives each (key, attempt) the same fault, whoever comes first."""
    plan = FaultPlan.of({ONE: 0.3, TWO: 0.3, THREE: 0.2}, seed=7)
    in_order, shuffled = Decisions(plan, None), Decisions(plan, None)
    expected = {asked: _fate(in_order, _arrival(*asked)) for asked in sorted(order)}

    assert expected == {asked: _fate(shuffled, _arrival(*asked)) for asked in order}


def test_another_seed_is_another_fate() -> None:
    """Seeds differ: a run that found nothing is worth repeating with the next one."""
    fates = {
        tuple(
            _fate(Decisions(FaultPlan.of({ONE: 0.5}, seed=seed), None), _arrival(str(key)))
            for key in range(32)
        )
        for seed in range(4)
    }

    assert 4 == len(fates)


def test_a_rate_of_zero_moves_no_other_rate_to_another_fault() -> None:
    """Wherever it stands in the plan; a rate that is set to 0 is taken out of it."""
    plans: list[dict[Fault | str, float]] = [
        {ONE: 0.0, TWO: 1.0},
        {TWO: 1.0, ONE: 0.0},
        {ONE: 0.0, THREE: 0.0, TWO: 1.0},
    ]
    for rates in plans:
        assert TWO == _fate(Decisions(FaultPlan.of(rates), None), _arrival())
    decisions = Decisions(FaultPlan.of({ONE: 0.5, TWO: 1.0 / 2}), None)
    decisions.set_rate(ONE, 0)

    assert ((TWO, 0.5),) == decisions.plan.rates


def test_rates_are_met() -> None:
    """Of 4000 requests each fault hits its share, within six standard deviations (190)."""
    decisions = Decisions(FaultPlan.of({ONE: 0.5, TWO: 0.25}), None)
    counts = Counter(_fate(decisions, _arrival(str(key))) for key in range(4000))

    assert [2000, 1000, 1000] == [
        pytest.approx(counts[fault], abs=190) for fault in (ONE, TWO, None)
    ]


def test_choice_0_is_no_fault() -> None:
    """An example that shrinks away from faults has none."""
    decisions = Decisions(FaultPlan.of({ONE: 0.5, TWO: 0.25}), ScriptedChoices([0, 1, 2]))

    assert [None, ONE, TWO] == [_fate(decisions, _arrival()) for _ in range(3)]


def test_a_script_decides_each_attempt_and_then_nothing() -> None:
    """``fail the first two`` means the first two."""
    decisions = Decisions(FaultPlan.of(scripts={"k": [ONE, None, TWO]}), None)

    assert [ONE, None, TWO, None] == [
        _fate(decisions, _arrival(attempt=attempt)) for attempt in (1, 2, 3, 4)
    ]
    assert _fate(decisions, _arrival("other")) is None


def test_first_is_the_script_of_every_key_without_one() -> None:
    """``fail the first 2`` holds for whoever comes, unless a key is told otherwise."""
    plan = FaultPlan.of(scripts={"k": [None]}, first=["status_429", "status_500"])
    decisions = Decisions(plan, None)

    assert {"k": [None, None, None], "other": [ONE, TWO, None]} == {
        key: [_fate(decisions, _arrival(key, attempt)) for attempt in (1, 2, 3)]
        for key in ("k", "other")
    }


def test_every_call_meets_its_script_from_the_beginning() -> None:
    """Equal prompts each fail their first attempts."""
    plans = [FaultPlan.of(first=[ONE]), FaultPlan.of(scripts={"k": [ONE]})]
    later = _arrival()._replace(occurrence=2)

    assert [ONE, ONE] == [_fate(Decisions(plan, None), later) for plan in plans]


def test_a_script_goes_on_to_its_last_entry() -> None:
    """What is written after a good attempt is met by the one that follows it."""
    decisions = Decisions(FaultPlan.of(scripts={"k": [None, ONE]}, first=[ONE]), None)

    assert [True, False] == [decisions.goes_on("k", attempt) for attempt in (1, 2)]
    assert not decisions.goes_on("other", 1)
    assert not Decisions(FaultPlan(), None).goes_on("k", 1)


def test_equal_calls_have_fates_of_their_own() -> None:
    """Of 400 calls of one key at a rate of a half, half fail (six deviations: 60)."""
    decisions = Decisions(FaultPlan.of({ONE: 0.5}), None)
    met = [_fate(decisions, _arrival()._replace(occurrence=call)) for call in range(1, 401)]

    assert 200 == pytest.approx(met.count(ONE), abs=60)


def test_beyond_its_script_a_key_is_like_any_other() -> None:
    """A script says what its attempts meet; the rest of the plan is for what comes later."""
    decisions = Decisions(FaultPlan.of({THREE: 1.0}, first=[None]), None)

    assert [None, THREE] == [_fate(decisions, _arrival(attempt=attempt)) for attempt in (1, 2)]


def test_precedence_is_one_shot_script_outage_limit_burst_ramp_rate() -> None:
    """I always know which of several plans wins."""
    outage, limit, burst, ramp, rate = (
        faults.close_mid_body(after_bytes=count) for count in range(1, 6)
    )
    plan = FaultPlan.of(
        {rate: 1.0},
        scripts={"k": [TWO]},
        outages=[Outage(fault=outage, from_s=0, until_s=1)],
        limits=[TokenLimit(rate_per_s=0.001, fault=limit)],
        bursts=[Burst(fault=burst, every_s=100, lasts_s=2)],
        ramps=[Ramp(fault=ramp, from_s=0, until_s=4, start=1, end=1)],
    )
    decisions = Decisions(plan, None)
    decisions.one_shots.append(ONE)
    met = [_fate(decisions, _arrival()) for _ in range(2)]
    met += [_fate(decisions, _arrival(attempt=2, at_s=at_s)) for at_s in (0, 1, 1)]
    decisions.adopt(FaultPlan.of({rate: 1.0}, bursts=plan.bursts, ramps=plan.ramps))
    met += [_fate(decisions, _arrival(at_s=at_s)) for at_s in (1, 3, 5)]

    assert [ONE, TWO, outage, burst, limit, burst, ramp, rate] == met


def test_overlapping_bursts_leave_what_they_do_not_take() -> None:
    """Bursts that overlap never sum above 1: the earlier one comes first."""
    bursts = [Burst(fault=fault, every_s=1, lasts_s=1) for fault in (ONE, TWO)]
    decisions = Decisions(FaultPlan.of({THREE: 1.0}, bursts=bursts), None)

    assert {ONE} == {_fate(decisions, _arrival(str(key))) for key in range(20)}


def test_a_ramp_raises_the_share() -> None:
    """Half-way up a ramp from 0 to 1 half of the requests are hit (six deviations: 0.1)."""
    ramp = Ramp(fault=ONE, from_s=10, until_s=20)
    decisions = Decisions(FaultPlan.of(ramps=[ramp]), None)
    shares = {
        at_s: sum(_fate(decisions, _arrival(str(key), at_s=at_s)) is ONE for key in range(900))
        / 900
        for at_s in (9, 10, 15, 20, 21)
    }

    assert {9: 0, 10: 0, 15: pytest.approx(0.5, abs=0.1), 20: 1, 21: 0} == shares


def test_the_first_limit_that_refuses_is_the_last_that_is_asked() -> None:
    """Each limit charges what it lets pass; one that was not asked charges nothing."""
    plan = FaultPlan.of(
        limits=[
            ConcurrencyCap(in_flight=1, fault=TWO),
            Quota(requests=2, every_s=60, fault=ONE, retry_after="as_given"),
        ]
    )
    decisions = Decisions(plan, None)
    crowded = [_fate(decisions, _arrival(in_flight=1)) for _ in range(5)]

    assert [TWO] * 5 == crowded
    assert [None, None, ONE] == [_fate(decisions, _arrival()) for _ in range(3)]


def test_what_is_decided_before_the_limits_is_charged_nowhere() -> None:
    """An outage or a script takes no token from whoever it hits."""
    plan = FaultPlan.of(
        first=[TWO],
        outages=[Outage(from_s=0, until_s=1)],
        limits=[TokenLimit(rate_per_s=0.001)],
    )
    decisions = Decisions(plan, None)
    met = [_fate(decisions, _arrival(attempt=1, at_s=5)) for _ in range(3)]
    met += [_fate(decisions, _arrival(attempt=2, at_s=0.5)) for _ in range(3)]

    assert [TWO] * 3 + [faults.status_503()] * 3 == met
    assert _fate(decisions, _arrival(attempt=2, at_s=5)) is None


def test_a_fault_without_an_effect_is_passed_over() -> None:
    """A fault of streams never hits an answer that is none, unless a script says so."""
    cut = faults.cut_stream()
    plan = FaultPlan.of(
        {cut: 1.0},
        outages=[Outage(fault=cut, from_s=0, until_s=9)],
        bursts=[Burst(fault=cut, every_s=1, lasts_s=1)],
        limits=[ConcurrencyCap(in_flight=1, fault=cut)],
        scripts={"scripted": [cut]},
    )
    decisions = Decisions(plan, None)
    decisions.one_shots.append(cut)
    event = Event("content", b"data: {}\n\n")
    end = Event("end", b"data: [DONE]\n\n")
    stream = Answer(status=200, streamed=True, events=(event, event, end))

    assert _fate(decisions, _arrival(in_flight=3)) is None
    assert cut == _fate(decisions, _arrival("scripted"))
    assert [cut, cut] == [_fate(decisions, _arrival(), stream) for _ in range(2)]


def test_a_header_fault_takes_the_place_of_the_errors_own_headers() -> None:
    """The status stays what it was; only Retry-After lies."""
    lie = faults.retry_after_zero()
    decisions = Decisions(FaultPlan.of(first=["status_503"], headers={lie: 1.0}), None)

    assert lie.at_status(503) == _fate(decisions, _arrival())


@pytest.mark.parametrize("fault", [faults.status_400(), faults.close_mid_body()])
def test_header_faults_go_with_errors_that_may_be_retried(fault: Fault) -> None:
    """Nobody is told when to come back with a request that is wrong, or by no answer at all."""
    decisions = Decisions(FaultPlan.of({fault: 1.0}, headers={"retry_after_zero": 1.0}), None)

    assert fault == _fate(decisions, _arrival())


def test_a_one_shot_is_met_as_it_is_given() -> None:
    """What I ask for by name is what happens, whatever the plan says about headers."""
    decisions = Decisions(FaultPlan.of(headers={"retry_after_zero": 1.0}), None)
    decisions.one_shots.append(ONE)

    assert ONE == _fate(decisions, _arrival())


def test_header_faults_are_drawn_apart_and_the_first_wins() -> None:
    """Of 4000 errors half get the first header, half of the others the second (six deviations)."""
    headers: dict[Fault | str, float] = {
        faults.retry_after_zero(): 0.5,
        faults.retry_after_garbage(): 0.5,
    }
    decisions = Decisions(FaultPlan.of({ONE: 1.0}, headers=headers), None)
    counts = Counter(
        fault.name
        for key in range(4000)
        if (fault := _fate(decisions, _arrival(str(key)))) is not None
    )

    assert {
        "retry_after_zero": pytest.approx(2000, abs=190),
        "retry_after_garbage": pytest.approx(1000, abs=165),
        "status_429": pytest.approx(1000, abs=165),
    } == counts


def test_what_chance_decided_is_told_as_it_was_met() -> None:
    """A story names each fault that a rate chose, with its header if that was changed."""
    plan = FaultPlan.of(
        {ONE: 1.0}, scripts={"scripted": [TWO]}, headers={faults.retry_after_zero(): 1.0}
    )
    decisions = Decisions(plan, None)
    _fate(decisions, _arrival("scripted"))
    met = _fate(decisions, _arrival())

    assert [met] == list(decisions.by_chance)
    assert faults.retry_after_zero() == met


def test_connections_meet_what_strikes_connections() -> None:
    """``refuse`` never hits a request, and no other fault hits a connection."""
    plan = FaultPlan.of({"refuse": 0.5, ONE: 0.5}, seed=3)
    decisions = Decisions(plan, None)
    connections = Counter(decisions.decide_connection(number, 0.0) for number in range(1000))
    requests = Counter(_fate(decisions, _arrival(str(key))) for key in range(1000))

    assert {faults.refuse(), None} == set(connections)
    assert {ONE, None} == set(requests)
    assert 500 == pytest.approx(connections[None], abs=95)


def test_outages_bursts_and_ramps_may_refuse_connections() -> None:
    """A provider that is down accepts nobody, for as long as it is down."""
    refuse = faults.refuse()
    plan = FaultPlan.of(
        outages=[Outage(fault=refuse, from_s=0, until_s=1)],
        bursts=[Burst(fault=refuse, every_s=10, lasts_s=1, phase_s=2)],
        ramps=[Ramp(fault=refuse, from_s=4, until_s=5, start=1)],
    )
    decisions = Decisions(plan, None)

    assert [refuse, None, refuse, None, refuse, None] == [
        decisions.decide_connection(number, number + 0.5) for number in range(6)
    ]


def test_a_one_shot_waits_for_what_it_strikes() -> None:
    """The next connection meets ``refuse``, the next request the rest, in whatever order."""
    decisions = Decisions(FaultPlan(), None)
    decisions.one_shots.extend([faults.refuse(), ONE])

    assert ONE == _fate(decisions, _arrival())
    assert [faults.refuse(), None] == [decisions.decide_connection(n, 0.0) for n in (1, 2)]


def test_the_tightest_limit_tells_how_a_caller_stands() -> None:
    """What rate-limit headers say comes from the limit that will refuse first."""
    plan = FaultPlan.of(
        limits=[
            ConcurrencyCap(in_flight=9),
            TokenLimit(rate_per_s=1, burst=10),
            Quota(requests=5, every_s=60),
        ]
    )
    decisions = Decisions(plan, None)
    decisions.decide(_arrival(), GOOD)

    assert Standings(requests=Standing(5, 4, 60.0)) == decisions.standings(_arrival())
    assert decisions.needs_caller
    assert Decisions(FaultPlan(), None).standings(_arrival()) is None


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
    """After heal no fault is left in any form; what good answers say stays."""
    plan = FaultPlan.of(
        {ONE: 1.0},
        scripts={"k": [TWO]},
        first=[TWO],
        limits=[TokenLimit(rate_per_s=1)],
        bursts=[Burst(fault=THREE, every_s=1, lasts_s=1)],
        outages=[Outage(from_s=0, until_s=9)],
        ramps=[Ramp(fault=THREE, from_s=0, until_s=9)],
        replies=Replies(mode="seeded"),
        seed=5,
    )
    decisions = Decisions(plan, None)
    decisions.one_shots.append(ONE)
    decisions.heal()
    fates: list[Fault | None] = [_fate(decisions, _arrival()) for _ in range(5)]

    assert (FaultPlan(seed=5, replies=plan.replies), [None] * 5) == (decisions.plan, fates)
