"""Operations that nothing can end are a Deadlock at the end of an example."""

from __future__ import annotations

import re
from typing import ClassVar

import pytest
import trio

from chaoscheck.errors import Deadlock, PlanError
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.stateful.rules import invariant, rule
from chaoscheck.stateful.search import find_counterexample
from tests.unit.stateful.stories import story


class OppositeLocks(ChaosMachine):
    """Two operations that take two locks, each in its own order."""

    def setup(self) -> None:
        self.a, self.b = trio.Lock(), trio.Lock()

    @rule(in_flight=True)
    async def a_then_b(self) -> None:
        async with self.a:
            await trio.sleep(1)
            async with self.b:
                pass

    @rule(in_flight=True)
    async def b_then_a(self) -> None:
        async with self.b:
            await trio.sleep(1)
            async with self.a:
                pass


def test_two_operations_that_wait_for_each_other_are_a_deadlock() -> None:
    """No law had to be written, and each waiting line is named."""
    found = find_counterexample(OppositeLocks, max_examples=100)

    assert found is not None
    assert isinstance(found.error, Deadlock)
    assert found.program is not None
    assert ["a_then_b", "b_then_a"] == sorted(step.rule for step in found.program.steps)
    told = str(found.error)
    for name in ("a_then_b", "b_then_a"):
        assert re.search(rf"test_never_ending.py:\d+ in OppositeLocks.{name} waits in Lock\.", told)


def test_an_operation_may_stay_where_its_rule_says_so() -> None:
    """A watcher that waits for what never comes is no bug."""

    class Watching(ChaosMachine):
        @rule(in_flight=True, may_stay=True)
        async def watch(self) -> None:
            await trio.sleep_forever()

        @rule()
        def start_one(self) -> None:
            self.world.start(trio.sleep_forever, may_stay=True)

    assert replay(Watching, story("watch", "start_one")).error is None


def test_an_operation_that_was_started_by_hand_is_no_exception() -> None:
    """What world.start() put in flight has to end as well."""

    class Starting(ChaosMachine):
        @rule()
        def begin(self) -> None:
            self.world.start(trio.sleep_forever, name="stuck")

    run = replay(Starting, story("begin"))

    assert isinstance(run.error, Deadlock)
    assert "in flight for ever: stuck@1" in str(run.error)


def test_the_tasks_below_a_waiting_operation_are_named() -> None:
    """Who waits in a nursery is not the one to look at: its child is."""

    class Parenting(ChaosMachine):
        async def child(self) -> None:
            await trio.Event().wait()

        @rule(in_flight=True)
        async def parent(self) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.child)

    run = replay(Parenting, story("parent"))

    assert isinstance(run.error, Deadlock)
    assert "child waits in Event.wait" in str(run.error)


def test_an_operation_that_needs_longer_than_recovery_is_no_deadlock() -> None:
    """Something lies ahead that ends it: only what nothing can end is certain."""

    class Slow(ChaosMachine):
        recovery_s: ClassVar[float] = 1.0

        @rule(in_flight=True)
        async def be_slow(self) -> None:
            await trio.sleep(3_600)

    assert replay(Slow, story("be_slow")).error is None


def test_where_something_polls_for_ever_nothing_is_claimed() -> None:
    """A poller may end a wait at any time, so nobody can know."""

    class Polling(ChaosMachine):
        def setup(self) -> None:
            self.polls = 0
            self.world.spawn(self.poll)

        async def poll(self) -> None:
            while True:
                await trio.sleep(1)
                self.polls += 1

        @rule(in_flight=True)
        async def wait(self) -> None:
            await trio.sleep_forever()

    assert replay(Polling, story("wait")).error is None


def test_healing_may_end_it() -> None:
    """The question is asked after everything was healed, not before."""

    class Healing(ChaosMachine):
        def setup(self) -> None:
            self.door = trio.Event()
            self.chaos.on_heal(self.door.set)

        @rule(in_flight=True)
        async def wait(self) -> None:
            await self.door.wait()

    assert replay(Healing, story("wait")).error is None


def test_a_law_that_fails_at_the_end_is_told_before_a_deadlock() -> None:
    """The user's own words say more."""

    class Lawful(OppositeLocks):
        @invariant(healed=True)
        def nobody_waits(self) -> None:
            raise LookupError("the law")

    assert isinstance(replay(Lawful, story("a_then_b", "b_then_a")).error, LookupError)


def test_may_stay_is_said_of_a_rule_in_flight() -> None:
    """A rule that is pumped to its end cannot stay; and an argument needs another name."""
    with pytest.raises(PlanError, match="may_stay is said of a rule in flight"):
        rule(may_stay=True)
    with pytest.raises(PlanError, match="may_stay must be True or False, got 1"):
        rule(in_flight=True, may_stay=1)  # type: ignore[arg-type]
