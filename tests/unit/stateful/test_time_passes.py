"""Every machine lets time pass, and none pays for it that has nothing to do with time."""

from __future__ import annotations

import time as clock  # noqa: TID251  # what the subjects of these tests read
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import pytest
import trio
import trio.testing
from hypothesis import strategies as st
from hypothesis.stateful import Rule

from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.stateful.rules import rule
from chaoscheck.stateful.running import run_machine
from chaoscheck.stateful.search import find_counterexample
from chaoscheck.world.virtual import VirtualWorld
from tests.unit.stateful.stories import QUICK, story


class Breaker:
    """A circuit breaker with a bug: once open, it never closes again in the time it promises."""

    def __init__(self) -> None:
        self.opened_s: float | None = None

    def trip(self) -> None:
        self.opened_s = clock.monotonic()

    @property
    def is_open(self) -> bool:
        return self.opened_s is not None and clock.monotonic() < self.opened_s + 600


class Breaking(ChaosMachine):
    """Sync code that reads a clock: no fault, no link, no task."""

    def setup(self) -> None:
        self.breaker = Breaker()
        self.tripped_s: float | None = None

    @rule()
    def trip(self) -> None:
        self.breaker.trip()
        self.tripped_s = self.world.now

    @rule()
    def call(self) -> None:
        if self.tripped_s is not None and self.world.now > self.tripped_s + 60:
            assert not self.breaker.is_open


def test_a_bug_of_sync_code_that_needs_time_is_found() -> None:
    """A breaker is tested without declaring anything, and its story has three steps."""
    found = find_counterexample(Breaking, max_examples=100)

    assert found is not None
    assert found.program is not None
    assert isinstance(found.error, AssertionError)
    assert ["trip", "let_time_pass", "call"] == [step.rule for step in found.program.steps]


def test_a_clock_that_is_handed_to_the_subject_counts_as_one_that_is_read() -> None:
    """``now=self.world.clock.current_time`` is how a subject may take its clock."""

    class Handed(ChaosMachine):
        @rule()
        def read(self) -> None:
            self.world.clock.current_time()

    passing = ("let_time_pass", {"seconds": 1.0})
    run = replay(Handed, story(passing, "read", passing))

    assert [1] == sorted(run.skipped)


async def sleeping() -> None:
    """Sets a deadline."""
    await trio.sleep(1)


async def with_a_deadline_of_its_own() -> None:
    """Reads no clock."""
    with trio.CancelScope(deadline=5.0):
        await trio.sleep_forever()


async def too_late() -> None:
    """Enters a scope whose deadline has passed: that is told by the clock."""
    with trio.CancelScope(deadline=-1.0):
        await trio.lowlevel.checkpoint()


async def reading() -> None:
    """Asks trio for the time."""
    trio.current_time()


async def waiting_for_quiet() -> None:
    """Waits until nothing has happened for a while."""
    await trio.testing.wait_all_tasks_blocked(0.1)


async def giving_way() -> None:
    """Scopes, nurseries and checkpoints, without any time."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.lowlevel.checkpoint)
    with trio.CancelScope() as scope:
        scope.cancel()
        await trio.sleep_forever()


@pytest.mark.parametrize(
    ("doing", "minds"),
    [
        (sleeping, True),
        (with_a_deadline_of_its_own, True),
        (too_late, True),
        (reading, True),
        (waiting_for_quiet, True),
        (giving_way, False),
        (trio.sleep_forever, False),
    ],
)
def test_time_matters_once_a_task_asked_for_it_or_waits_for_one(
    doing: Callable[[], Awaitable[None]], minds: bool
) -> None:
    """What trio itself asks its clock, for each scope and each batch, does not count."""
    with VirtualWorld() as world:
        assert not world.minds_time
        world.start(doing)
        world.settle()
        assert minds == world.minds_time


def test_settle_is_a_rule_wherever_something_can_run() -> None:
    """A task that was started by hand is run; after that there is nothing to settle."""

    class Starting(ChaosMachine):
        @rule()
        def begin(self) -> None:
            self.world.start(trio.sleep, 30)

    run = replay(Starting, story("settle", "begin", "settle", "settle"))

    assert [1, 4] == sorted(run.skipped)


class Counting(ChaosMachine):
    """Counts the steps of each rule, over all examples of a run."""

    steps: ClassVar[Counter[str]]

    def _begin_step(self, rule: Rule, arguments: dict[str, Any]) -> dict[str, Any]:
        self.steps[rule.function.__name__] += 1
        return super()._begin_step(rule, arguments)


def test_no_time_passes_where_nothing_can_depend_on_it() -> None:
    """A machine without tasks and clocks keeps all its steps."""

    class Pure(Counting):
        steps: ClassVar[Counter[str]] = Counter()

        @rule(number=st.integers())
        def add(self, number: int) -> None:
            """Pure arithmetic."""

    run_machine(Pure, QUICK)

    assert ["add"] == list(Pure.steps)


def test_its_own_rules_stay_several_times_as_likely_as_time() -> None:
    """A machine with one rule that reads a clock still spends its steps on that rule."""

    class Reading(Counting):
        steps: ClassVar[Counter[str]] = Counter()

        @rule()
        def read(self) -> None:
            clock.monotonic()

    run_machine(Reading, QUICK)

    assert 0 < 2 * Reading.steps["let_time_pass"] < Reading.steps["read"]


def test_a_machine_may_have_its_own_or_no_passing_of_time() -> None:
    """A method of the name takes its place; None takes it away."""

    class Own(ChaosMachine):
        let_time_pass = None
        settle = None

        @rule()
        def nothing(self) -> None:
            """A step."""

    assert ["nothing"] == [each.function.__name__ for each in Own.setup_state().rules]
