"""The explorer's slice of a plain run: for machines with operations in flight, and several bugs."""

from __future__ import annotations

from collections import deque

import pytest
import trio
from hypothesis import settings

from chaoscheck import ChaosMachine, invariant, rule
from chaoscheck.errors import PlanError
from chaoscheck.stateful.exploring.exploring import Slice, explore, exploring_for, slice_for
from chaoscheck.stateful.running import run_machine


class LossyCondition:
    """A condition that loses a notification with a waiter that is cancelled already."""

    def __init__(self) -> None:
        self.waiters: deque[trio.Event] = deque()

    async def wait(self) -> None:
        """Wait for a notification."""
        event = trio.Event()
        self.waiters.append(event)
        try:
            await event.wait()
        except trio.Cancelled:
            if event in self.waiters:  # else the notification came, and goes with this waiter
                self.waiters.remove(event)
            raise

    def notify(self) -> None:
        """Wake the first waiter."""
        if self.waiters:
            self.waiters.popleft().set()


class Queue(ChaosMachine):
    """A queue on such a condition: an item must not lie beside a waiter."""

    cancels = True

    def setup(self) -> None:
        self.condition = LossyCondition()
        self.items = 0

    @rule(in_flight=True, may_stay=True)
    async def take(self) -> None:
        while not self.items:
            await self.condition.wait()
        self.items -= 1

    @rule(in_flight=True)
    async def put(self) -> None:
        await trio.lowlevel.checkpoint()
        self.items += 1
        self.condition.notify()

    @invariant()
    def no_item_lies_beside_a_waiter(self) -> None:
        assert not (self.items and self.condition.waiters)


class TwoBugs(ChaosMachine):
    """Each of its two rules has a bug of its own."""

    def setup(self) -> None:
        self.calls = 0

    @rule(in_flight=True)
    async def first(self) -> None:
        self.calls += 1
        assert self.calls < 3

    @rule()
    def second(self) -> None:
        self.calls += 1
        assert self.calls < 4


class AtOnce(ChaosMachine):
    """Nothing is ever in flight."""

    @rule()
    def step(self) -> None:
        pass


@pytest.mark.parametrize("seed", range(10))
def test_a_lost_notification_is_found_within_the_slice(seed: int) -> None:
    """Cancels aim at hand-overs: two waiters, one of them cancelled just before it is notified."""
    explored = explore(Queue, seconds=60, seed=seed, examples_max=1_600)

    assert explored.failure is not None


def test_a_slice_is_for_machines_with_operations_in_flight() -> None:
    """The shards of a machine divide it; what was asked for goes before."""
    assert Slice(0.75, 200) == slice_for(in_flight=True, examples=50, shards=2)
    assert 0 == slice_for(in_flight=False, examples=50, shards=1).seconds
    with exploring_for(3):
        assert Slice(3) == slice_for(in_flight=False, examples=50, shards=2)
    with exploring_for(0):
        assert 0 == slice_for(in_flight=True, examples=50, shards=1).seconds


def test_seconds_are_in_their_range() -> None:
    """The error names the value."""
    with pytest.raises(PlanError, match=r"\[0, 86400\], got -1"), exploring_for(-1):
        pass


def test_what_the_slice_finds_is_all_reported() -> None:
    """The first bug does not hide the second."""
    with pytest.raises(BaseExceptionGroup) as caught:
        run_machine(TwoBugs, settings(max_examples=100, database=None, derandomize=True))

    assert 2 == len(caught.value.exceptions)


def test_machines_know_whether_they_have_operations() -> None:
    """A rule in flight makes the difference, an inherited one too."""

    class Derived(TwoBugs):
        """Has the rules of its base."""

    assert [True, True, False] == [each._has_operations for each in (TwoBugs, Derived, AtOnce)]
