"""What a state machine does under Hypothesis a chaos machine does as well.

One behaviour a test, on Hypothesis's own base class and on ours. What differs on purpose stands in
docs/differences-from-hypothesis.md.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, note, settings, target
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chaoscheck.stateful.machine import ChaosMachine

Base = type[RuleBasedStateMachine]
QUICK = settings(
    max_examples=30,
    stateful_step_count=8,
    database=None,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(params=[RuleBasedStateMachine, ChaosMachine], ids=["hypothesis", "chaoscheck"])
def base(request: pytest.FixtureRequest) -> Base:
    """The base class of the machine."""
    found: Base = request.param
    return found


def run(machine: Any, using: settings = QUICK) -> None:
    """Run it as Hypothesis does."""
    run_state_machine_as_test(machine, settings=using)


def failing_steps(machine: Any, error: type[BaseException] = AssertionError) -> list[str]:
    """The printed steps of the minimal failing example."""
    with pytest.raises(error) as failed:
        run(machine)
    lines = "\n".join(failed.value.__notes__).splitlines()
    begin = max(at for at, line in enumerate(lines) if line.startswith("state = "))
    return [line for line in lines[begin + 1 :] if line.startswith("state.") or " = state." in line]


def test_bundles_hold_what_rules_return(base: Any) -> None:
    """A value that one rule made is what another one gets."""
    seen: set[int] = set()

    class Holding(base):  # type: ignore[misc]
        numbers = Bundle("numbers")

        @rule(target=numbers, number=st.integers(1, 3))
        def make(self, number: int) -> int:
            return number

        @rule(number=numbers)
        def look(self, number: int) -> None:
            seen.add(number)

    run(Holding)

    assert {1, 2, 3} == seen


def test_what_is_consumed_is_gone(base: Any) -> None:
    """No value is met twice."""

    class Consuming(base):  # type: ignore[misc]
        numbers = Bundle("numbers")

        def __init__(self) -> None:
            super().__init__()
            self.made = 0
            self.taken: list[int] = []

        @rule(target=numbers)
        def make(self) -> int:
            self.made += 1
            return self.made

        @rule(number=consumes(numbers))
        def take(self, number: int) -> None:
            assert number not in self.taken
            self.taken.append(number)

    run(Consuming)


def test_multiple_gives_several_values_or_none(base: Any) -> None:
    """Each of them goes to each target."""
    seen: set[tuple[str, int]] = set()

    class Several(base):  # type: ignore[misc]
        one, other = Bundle("one"), Bundle("other")

        @rule(targets=(one, other), count=st.integers(0, 2))
        def make(self, count: int) -> Any:
            return multiple(*range(count))

        @rule(number=one)
        def look(self, number: int) -> None:
            seen.add(("one", number))

        @rule(number=other)
        def look_there(self, number: int) -> None:
            seen.add(("other", number))

    run(Several)

    assert {("one", 0), ("one", 1), ("other", 0), ("other", 1)} == seen


def test_initialize_rules_run_once_and_first_in_any_order(base: Any) -> None:
    """All of them, before any other rule."""
    orders: set[tuple[str, ...]] = set()

    class Prepared(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.prepared: list[str] = []

        @initialize()
        def a(self) -> None:
            self.prepared.append("a")

        @initialize()
        def b(self) -> None:
            self.prepared.append("b")

        @rule()
        def step(self) -> None:
            orders.add(tuple(self.prepared))

    run(Prepared)

    assert {("a", "b"), ("b", "a")} == orders


def test_laws_wait_for_initialize_rules_unless_they_are_asked_not_to(base: Any) -> None:
    """``check_during_init`` sees the machine before it is prepared."""
    early: set[bool] = set()

    class Prepared(base):  # type: ignore[misc]
        ready = False

        @initialize()
        def prepare(self) -> None:
            self.ready = True

        @rule()
        def step(self) -> None:
            """A step."""

        @invariant()
        def is_ready(self) -> None:
            assert self.ready

        @invariant(check_during_init=True)
        def look(self) -> None:
            early.add(self.ready)

    run(Prepared)

    assert {False, True} == early


def test_preconditions_hold_whenever_a_rule_or_law_runs(base: Any) -> None:
    """Several on one rule hold together."""

    class Careful(base):  # type: ignore[misc]
        turns = 0

        @precondition(lambda self: self.turns < 3)
        @precondition(lambda self: self.turns % 2 == 0)
        @rule()
        def even(self) -> None:
            assert self.turns in (0, 2)
            self.turns += 1

        @precondition(lambda self: self.turns % 2 == 1)
        @rule()
        def odd(self) -> None:
            self.turns += 1

        @rule()
        def rest(self) -> None:
            """Always possible."""

        @precondition(lambda self: self.turns == 1)
        @invariant()
        def once(self) -> None:
            assert self.turns == 1

    run(Careful)


def test_laws_are_checked_before_the_first_step_and_after_each(base: Any) -> None:
    """In the order of their names."""
    order: list[str] = []

    class Watched(base):  # type: ignore[misc]
        @rule()
        def step(self) -> None:
            order.append("step")

        @invariant()
        def b(self) -> None:
            order.append("b")

        @invariant()
        def a(self) -> None:
            order.append("a")

    run(Watched, settings(QUICK, max_examples=1, stateful_step_count=2))

    assert ["a", "b", "step", "a", "b", "step", "a", "b"] == order[:8]


@pytest.mark.parametrize("fails", [False, True])
def test_teardown_is_called_after_every_example(base: Any, fails: bool) -> None:
    """Whether it failed or not."""
    made, ended = 0, 0

    class Ending(base):  # type: ignore[misc]
        def __init__(self) -> None:
            nonlocal made
            super().__init__()
            made += 1

        @rule()
        def step(self) -> None:
            assert not fails

        def teardown(self) -> None:
            nonlocal ended
            ended += 1

    if fails:
        with pytest.raises(AssertionError):
            run(Ending)
    else:
        run(Ending)

    assert 0 < made == ended


def test_the_minimal_example_is_printed_step_by_step(base: Any) -> None:
    """Names of values, and no step too many."""

    class Adding(base):  # type: ignore[misc]
        numbers = Bundle("numbers")

        @rule(target=numbers)
        def zero(self) -> int:
            return 0

        @rule(target=numbers, number=numbers)
        def increment(self, number: int) -> int:
            return number + 1

        @rule(number=numbers)
        def check(self, number: int) -> None:
            assert number < 2

    expected = [
        "numbers_0 = state.zero()",
        "numbers_1 = state.increment(number=numbers_0)",
        "numbers_2 = state.increment(number=numbers_1)",
        "state.check(number=numbers_2)",
        "state.teardown()",
    ]
    assert expected == failing_steps(Adding)


def test_rules_are_inherited_and_overridden(base: Any) -> None:
    """As methods are."""
    called: set[str] = set()

    class Parent(base):  # type: ignore[misc]
        @rule()
        def kept(self) -> None:
            called.add("kept")

        @rule()
        def replaced(self) -> None:
            called.add("parent's")

    class Child(Parent):
        @rule()
        def replaced(self) -> None:
            called.add("child's")

    run(Child)

    assert {"kept", "child's"} == called


def test_swarm_some_examples_do_without_some_rules(base: Any) -> None:
    """Bugs that a frequent rule hides are found."""
    lacking: set[bool] = set()

    class Swarming(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.called: set[int] = set()

        @rule(number=st.integers(0, 9))
        def often(self, number: int) -> None:
            self.called.add(1)

        @rule()
        def seldom(self) -> None:
            self.called.add(2)

        def teardown(self) -> None:
            lacking.add(self.called == {1, 2})

    run(Swarming, settings(QUICK, max_examples=100, stateful_step_count=30))

    assert {False, True} == lacking


def test_note_event_target_and_assume_work_in_rules_and_laws(base: Any) -> None:
    """What the author of a machine says to Hypothesis is heard."""

    class Talking(base):  # type: ignore[misc]
        @rule(number=st.integers(0, 9))
        def say(self, number: int) -> None:
            note(f"number {number}")
            event(f"parity {number % 2}")
            assume(number != 5)

        @invariant()
        def look(self) -> None:
            event("looked")

        def teardown(self) -> None:
            target(1.0)

    run(Talking)


def test_settings_assigned_to_the_test_case_are_taken(base: Any) -> None:
    """max_examples and stateful_step_count bound the run."""
    steps = 0

    class Counting(base):  # type: ignore[misc]
        @rule()
        def step(self) -> None:
            nonlocal steps
            steps += 1

    Counting.TestCase.settings = settings(QUICK, max_examples=3, stateful_step_count=4)
    Counting.TestCase("runTest").runTest()

    assert 12 == steps
