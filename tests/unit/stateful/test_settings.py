"""A machine's settings: safe without a profile, and the author's own where they are given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import DeadlineExceeded
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.machine_settings import safe_settings
from chaoscheck.stateful.rules import rule
from chaoscheck.stateful.running import run_machine

INSTANT = timedelta(microseconds=1)  # a deadline that every example exceeds


@pytest.fixture(autouse=True)
def impatient_profile() -> Iterator[None]:
    """A loaded profile with a deadline that nothing meets, and every health check on."""
    before = settings.get_current_profile_name()
    settings.register_profile(
        "impatient",
        parent=settings.get_profile("dev"),
        deadline=INSTANT,
        suppress_health_check=(),
        phases=tuple(Phase),
        database=None,
    )
    settings.load_profile("impatient")
    yield
    settings.load_profile(before)


def counting() -> tuple[type[ChaosMachine], Counter[str]]:
    """A machine that counts its examples and steps."""
    counted: Counter[str] = Counter()

    class Counting(ChaosMachine):
        def setup(self) -> None:
            counted["examples"] += 1

        @rule()
        def step(self) -> None:
            counted["steps"] += 1

    return Counting, counted


def test_a_machine_needs_no_profile_to_be_safe() -> None:
    """As under Hypothesis: no deadline and no health check, unless the author asks for them."""
    machine, _ = counting()

    assert machine.TestCase.settings.deadline is None
    assert set(HealthCheck) == set(machine.TestCase.settings.suppress_health_check)
    machine.TestCase("runTest").runTest()  # would be DeadlineExceeded


def test_its_defaults_are_those_of_hypothesis_but_for_explain() -> None:
    """Whatever a RuleBasedStateMachine has from its TestCase and the profile, ours has."""

    class Plain(RuleBasedStateMachine):
        """Hypothesis's own."""

    machine, _ = counting()
    theirs, ours = Plain.TestCase.settings, machine.TestCase.settings

    assert set(theirs.phases) - {Phase.explain} == set(ours.phases)
    for name in ("max_examples", "stateful_step_count", "deadline", "database", "derandomize"):
        assert getattr(theirs, name) == getattr(ours, name), name


@pytest.mark.parametrize("how", ["assigned", "decorated", "derived"])
def test_an_author_who_sets_the_examples_alone_inherits_no_deadline(how: str) -> None:
    """``@settings(max_examples=3)`` speaks of examples, not of this computer's speed."""
    machine, counted = counting()
    own = settings(max_examples=3, stateful_step_count=2)
    case = machine.TestCase
    if how == "assigned":
        case.settings = own
    elif how == "decorated":
        own(machine)
    else:
        case = type("Derived", (case,), {"settings": own})

    case("runTest").runTest()

    assert {"examples": 3, "steps": 6} == counted


def test_run_machine_takes_the_settings_of_its_test_case() -> None:
    """There is one place in which a machine's settings stand."""
    machine, counted = counting()
    machine.TestCase.settings = settings(max_examples=2, stateful_step_count=1)

    run_machine(machine)

    assert {"examples": 2, "steps": 2} == counted


def test_a_deadline_that_was_asked_for_stays() -> None:
    """Only what came from the profile gives way."""
    machine, _ = counting()
    machine.TestCase.settings = settings(max_examples=2, deadline=2 * INSTANT)

    with pytest.raises(DeadlineExceeded):
        run_machine(machine)


def test_other_health_checks_of_an_author_stay_on() -> None:
    """A filter that refuses too much is worth a word; a slow computer is not."""
    safe = safe_settings(settings(max_examples=2))

    assert {HealthCheck.too_slow} == set(safe.suppress_health_check)


def test_explain_stays_where_it_was_asked_for() -> None:
    """Phases that were chosen are the author's own."""
    chosen = settings(phases=[Phase.generate, Phase.explain])

    assert (Phase.generate, Phase.explain) == safe_settings(chosen).phases
    assert Phase.explain not in safe_settings(settings()).phases


def test_hypothesis_own_entry_point_takes_the_same_settings() -> None:
    """run_state_machine_as_test(M) is as safe as the TestCase: no deadline ends it."""
    machine, counted = counting()
    machine.TestCase.settings = settings(machine.TestCase.settings, max_examples=3)

    run_state_machine_as_test(machine)

    assert 3 <= counted["examples"]
