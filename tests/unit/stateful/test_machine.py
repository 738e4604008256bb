"""A machine's moments: when rules run, when invariants are checked, and what failures hide."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import trio
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, precondition

from chaoscheck.errors import Deadlock, Escape, NotExercised, PlanError, Uncancellable
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.faults.status_500 import Status500
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.rules import initialize, invariant, rule
from chaoscheck.stateful.running import run_machine
from chaoscheck.stateful.search import find_counterexample
from chaoscheck.world import escapes

QUICK = settings(
    max_examples=15,
    stateful_step_count=8,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Counting(ChaosMachine):
    """Three increments that race when they are in flight together."""

    started = Bundle("started")

    def setup(self) -> None:
        self.value = 0
        self.expected = 0

    async def _increment(self) -> None:
        seen = self.value
        await trio.sleep(0.1)
        self.value = seen + 1

    @rule(target=started)
    def begin(self) -> Any:
        self.expected += 1
        return self.world.start(self._increment, name="increment")

    @rule(operation=started)
    async def wait(self, operation: Any) -> None:
        await operation.wait()

    @invariant(at_rest=True)
    def none_lost(self) -> None:
        assert self.expected == self.value


def test_a_lost_update_of_operations_in_flight_is_found_and_minimal() -> None:
    """Two overlapping increments lose one, and two steps tell it."""
    found = find_counterexample(Counting, max_examples=200)

    assert found is not None
    assert isinstance(found.error, AssertionError)
    assert found.steps[:2] == ("started_0 = state.begin()", "started_1 = state.begin()")
    assert len(found.steps) <= 3


def test_the_same_seed_finds_the_same_story() -> None:
    """Nothing undetermined lies outside the choices."""
    first = find_counterexample(Counting, max_examples=100, seed=3)
    second = find_counterexample(Counting, max_examples=100, seed=3)

    assert first is not None
    assert second is not None
    assert (first.steps, first.blob) == (second.steps, second.blob)


def test_async_rules_are_pumped_to_their_end_and_feed_bundles() -> None:
    """The value that an async rule returns is what its bundle holds."""
    seen: list[float] = []

    class Sleeping(ChaosMachine):
        times = Bundle("times")

        @rule(target=times)
        async def sleep(self) -> float:
            before = trio.current_time()
            await trio.sleep(1.5)
            return trio.current_time() - before

        @rule(slept=times)
        def look(self, slept: float) -> None:
            seen.append(slept)

    run_machine(Sleeping, QUICK)

    assert seen
    assert seen == pytest.approx([1.5] * len(seen))  # where time has passed before, it is rounded


def test_invariants_wait_until_the_world_is_settled() -> None:
    """A rule that only starts an operation is not followed by checks half-way."""
    settled: list[bool] = []

    class Starting(ChaosMachine):
        @rule()
        def begin(self) -> None:
            self.world.start(trio.sleep, 1)

        @rule()
        def settle(self) -> None:
            self.world.settle()

        @invariant()
        def looks_settled(self) -> None:
            settled.append(self.world.settled)

    run_machine(Starting, QUICK)

    assert settled
    assert all(settled)


def test_rest_invariants_never_see_an_operation_in_flight() -> None:
    """At rest means settled and nobody under way."""
    counts: list[int] = []

    class Resting(ChaosMachine):
        @rule(seconds=st.integers(1, 3))
        def begin(self, seconds: int) -> None:
            self.world.start(trio.sleep, seconds)

        @rule()
        def settle(self) -> None:
            self.world.settle()

        @rule()
        def pass_time(self) -> None:
            self.world.advance(1)

        @invariant(at_rest=True)
        def nobody_under_way(self) -> None:
            counts.append(len(self.world.in_flight()))

    run_machine(Resting, QUICK)

    assert set(counts) == {0}


def test_healed_invariants_run_once_an_example_after_recovery() -> None:
    """Liveness is asserted after healing only, and after the recovery time."""
    times: list[float] = []

    class Healing(ChaosMachine):
        recovery_s: ClassVar[float] = 12.0

        @rule()
        def nothing(self) -> None:
            """A step."""

        @invariant(healed=True)
        def recovered(self) -> None:
            times.append(self.world.now)

    run_machine(Healing, QUICK)

    assert set(times) == {12.0}


def test_initialize_rules_and_preconditions_work_as_in_hypothesis() -> None:
    """Initialize rules run first, preconditions hold when a rule runs."""

    class Prepared(ChaosMachine):
        ready = False
        turns = 0

        @initialize()
        async def prepare(self) -> None:
            await trio.sleep(1)
            self.ready = True

        @precondition(lambda self: self.turns < 2)
        @rule()
        def turn(self) -> None:
            assert self.ready
            self.turns += 1

        @rule()
        def rest(self) -> None:
            assert self.ready

        @invariant()
        def at_most_two(self) -> None:
            assert self.ready
            assert self.turns <= 2

    run_machine(Prepared, QUICK)


def test_a_rule_that_waits_for_ever_is_a_deadlock_with_its_name() -> None:
    """An await that nobody can end is reported, not hung."""

    class Waiting(ChaosMachine):
        @rule()
        async def wait_for_nobody(self) -> None:
            await trio.Event().wait()

    found = find_counterexample(Waiting, max_examples=5)

    assert found is not None
    assert isinstance(found.error, Deadlock)
    assert "wait_for_nobody" in str(found.error)


def test_a_rule_that_blocks_the_thread_is_an_escape() -> None:
    """A blocking sleep in a rule names its line."""
    import time as clock  # noqa: TID251  # the escape under test

    class Blocking(ChaosMachine):
        @rule()
        def block(self) -> None:
            clock.sleep(60)

    with pytest.raises(Escape, match=r"test_machine\.py:\d+"):
        find_counterexample(Blocking, max_examples=5)


def test_no_final_check_runs_after_a_failure() -> None:
    """The first failure is the one reported: later checks cannot hide it."""

    class Failing(ChaosMachine):
        @rule()
        def fail(self) -> None:
            raise KeyError("first")

        @invariant(healed=True)
        def late(self) -> None:
            raise LookupError("second")

    found = find_counterexample(Failing, max_examples=5)

    assert found is not None
    assert isinstance(found.error, KeyError)


def test_a_failing_setup_leaves_no_world_behind() -> None:
    """Later examples and tests are not harmed."""

    class Broken(ChaosMachine):
        def setup(self) -> None:
            raise OSError("no luck")

        @rule()
        def nothing(self) -> None:
            """A step."""

    with pytest.raises(OSError, match="no luck"):
        run_machine(Broken, QUICK)

    assert not trio.lowlevel.in_trio_run()
    assert escapes.patches_in_place() == 0


def test_a_task_that_refuses_to_end_fails_the_example() -> None:
    """Closing the world is part of the example."""

    class Clinging(ChaosMachine):
        @rule()
        def cling(self) -> None:
            async def stay() -> None:
                with trio.CancelScope(shield=True):
                    await trio.sleep_forever()

            self.world.start(stay, may_stay=True)
            self.world.settle()

    found = find_counterexample(Clinging, max_examples=5)

    assert found is not None
    assert isinstance(found.error, Uncancellable)
    assert "stay" in str(found.error)


def test_a_declared_fault_that_never_had_an_effect_fails_the_run() -> None:
    """A machine whose subject never talks tested nothing."""

    class Silent(ChaosMachine):
        faults: ClassVar[tuple[type[Fault], ...]] = (Status500,)

        def setup(self) -> None:
            self.chaos.serve()

        @rule()
        def nothing(self) -> None:
            """A step."""

    with pytest.raises(NotExercised, match="status_500"):
        run_machine(Silent, QUICK)


def test_an_async_invariant_is_refused() -> None:
    """An invariant looks; it does not act."""

    class Acting(ChaosMachine):
        @rule()
        def nothing(self) -> None:
            """A step."""

        @invariant()  # type: ignore[type-var]
        async def act(self) -> None:
            """Would be awaited by nobody."""

    with pytest.raises(PlanError, match="act must not be async"):
        run_machine(Acting, QUICK)


def test_unknown_links_and_faults_are_refused_where_they_are_declared() -> None:
    """The error names the value and what is legal."""
    with pytest.raises(PlanError, match="unknown link fault 'melt'; legal: cut"):

        class Melting(ChaosMachine):
            links: ClassVar[tuple[str, ...]] = ("melt",)

    with pytest.raises(PlanError, match="kinds of fault"):

        class Odd(ChaosMachine):
            faults: ClassVar[Any] = ("status_500",)


def test_an_invariant_is_at_rest_or_healed_not_both() -> None:
    """Healed implies rest."""
    with pytest.raises(PlanError, match="not both"):
        invariant(at_rest=True, healed=True)
