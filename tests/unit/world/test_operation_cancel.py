"""Cancelling at a checkpoint: exactly there, and only what was still to come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.errors import PlanError
from chaoscheck.stateful.chaos import Chaos
from chaoscheck.world.choices import SeededChoices
from chaoscheck.world.drawn_schedules import SCHEDULES
from chaoscheck.world.schedule import Fifo, Scheduler
from chaoscheck.world.scheduler import HoldingLine
from chaoscheck.world.virtual import VirtualWorld


@pytest.fixture
def world() -> Iterator[VirtualWorld]:
    """An open world that is closed again."""
    with VirtualWorld() as opened:
        yield opened


class Walker:
    """Passes five checkpoints, and says which."""

    def __init__(self) -> None:
        self.passed: list[int] = []

    async def walk(self) -> str:
        """Five checkpoints."""
        for number in range(1, 6):
            await trio.lowlevel.checkpoint()
            self.passed.append(number)
        return "there"


@pytest.mark.parametrize("scheduler", [Fifo(), HoldingLine()], ids=["fifo", "line"])
@pytest.mark.parametrize("checkpoint", range(9))
def test_it_stops_at_the_checkpoint_that_was_chosen(scheduler: Scheduler, checkpoint: int) -> None:
    """0 and 1 are the first, 2 the second; beyond the end it is never cancelled."""
    world = VirtualWorld()
    world.scheduler = scheduler
    with world:
        walker = Walker()
        operation = world.start(walker.walk)
        world.cancel(operation, checkpoint=checkpoint)
        world.settle()

    stopped = max(checkpoint, 1)
    assert list(range(1, min(stopped, 6))) == walker.passed
    assert ("cancelled" if stopped <= 5 else "ok") == operation.state


@pytest.mark.parametrize("slices", range(1, 5))
def test_a_cancel_after_slices_comes_when_so_many_have_run(slices: int) -> None:
    """Slices of all tasks count: here those of another one, while the operation waits."""
    world = VirtualWorld()
    world.scheduler = HoldingLine()
    walker = Walker()
    seen: list[int] = []

    async def wait() -> None:
        try:
            await trio.sleep_forever()
        finally:
            seen.append(len(walker.passed))

    with world:
        waiting = world.start(wait)
        world.settle()
        world.start(walker.walk)
        world.cancel(waiting, slices=slices)
        world.settle()

    assert "cancelled" == waiting.state
    assert [slices - 1] == seen  # in its first slice the walker reaches a checkpoint


def test_a_cancel_can_fall_between_a_hand_over_and_its_receiver() -> None:
    """The item has been handed over; the cancelled receiver has not run since."""
    taken: list[str] = []
    outcomes: dict[int, tuple[str, bool]] = {}
    for slices in range(1, 7):
        world = VirtualWorld()
        world.scheduler = HoldingLine()
        with world:
            handed: list[str] = []
            event = trio.Event()

            async def receive(event: trio.Event = event) -> None:
                await event.wait()
                await trio.lowlevel.checkpoint_if_cancelled()
                taken.append("item")

            async def hand_over(event: trio.Event = event, handed: list[str] = handed) -> None:
                await trio.lowlevel.checkpoint()
                handed.append("item")
                event.set()

            receiver = world.start(receive)
            world.settle()
            world.start(hand_over)
            world.cancel(receiver, slices=slices)
            world.settle()
            outcomes[slices] = (receiver.state, bool(handed))

    assert ("cancelled", True) == outcomes[2]  # after both slices of the other task
    assert ("ok", True) == outcomes[6]


@pytest.mark.parametrize("slices", [-1, True, 1.5])
def test_slices_must_be_a_number_that_can_be_counted(world: VirtualWorld, slices: Any) -> None:
    """The error names the value."""
    operation = world.start(trio.sleep_forever)

    with pytest.raises(PlanError, match="slices must be an integer >= 0"):
        world.cancel(operation, slices=slices)


@settings(max_examples=50, deadline=None, database=None, derandomize=True)
@given(
    st.sampled_from(sorted(SCHEDULES)),
    st.integers(0, 2**32),
    st.lists(st.integers(1, 5), max_size=4),
)
def test_it_stops_there_under_every_schedule(name: str, seed: int, stops: list[int]) -> None:
    """What the others do meanwhile does not move the place."""
    world = VirtualWorld()
    world.scheduler = SCHEDULES[name](SeededChoices(seed))
    with world:
        walkers = [Walker() for _ in stops]
        for walker, checkpoint in zip(walkers, stops, strict=True):
            world.cancel(world.start(walker.walk), checkpoint=checkpoint)
        world.settle()

    assert [list(range(1, stop)) for stop in stops] == [walker.passed for walker in walkers]


def test_who_stands_beyond_the_checkpoint_stops_where_it_stands(world: VirtualWorld) -> None:
    """A checkpoint that lies behind means now."""
    operation = world.start(trio.sleep, 10)
    world.settle()
    world.cancel(operation, checkpoint=1)
    world.settle()

    assert ("cancelled", 0) == (operation.state, operation.ended_s)


def test_who_is_blocked_before_the_checkpoint_is_cancelled_when_it_gets_there(
    world: VirtualWorld,
) -> None:
    """The cancel waits for its place, in whatever time."""
    event = trio.Event()

    async def wait_and_sleep() -> None:
        await event.wait()
        await trio.sleep(10)

    operation = world.start(wait_and_sleep)
    world.settle()
    world.cancel(operation, checkpoint=2)
    world.advance(5)

    assert not operation.done
    assert operation.cancelling
    event.set()
    world.settle()
    assert ("cancelled", 5) == (operation.state, operation.ended_s)


def test_the_time_out_of_a_wait_is_not_the_cancel(world: VirtualWorld) -> None:
    """What an operation cancels within itself is its own business."""

    async def give_up() -> str:
        with trio.move_on_after(1):
            await trio.sleep(10)
        return "gave up"

    operation = world.start(give_up)
    world.advance(2)

    assert ("ok", "gave up") == (operation.state, operation.result())


@pytest.mark.parametrize("checkpoint", [-1, 1.0, "1", None, True])
def test_a_checkpoint_that_cannot_be_is_refused(world: VirtualWorld, checkpoint: Any) -> None:
    """The error shows what I wrote and what is legal; nothing is cancelled."""
    operation = world.start(trio.sleep, 1)

    with pytest.raises(PlanError, match=r"checkpoint must be an integer >= 0, got"):
        world.cancel(operation, checkpoint=checkpoint)
    world.advance(2)

    assert "ok" == operation.state


def test_healing_spares_whoever_was_not_cancelled_yet(world: VirtualWorld) -> None:
    """After a heal nothing is left that would still go wrong."""
    chaos = Chaos(world)
    armed, gone = world.start(Walker().walk), world.start(trio.sleep_forever)
    waiting = world.start(trio.sleep, 5)
    chaos.cancel(armed, 3)
    chaos.cancel(gone, 0)
    chaos.cancel(waiting, 4)
    chaos.heal_everything()
    world.advance(10)

    assert ("ok", "cancelled", "ok") == (armed.state, gone.state, waiting.state)
    assert not waiting.cancelling


def test_a_cancel_counts_as_hit_only_where_it_ended_an_operation(world: VirtualWorld) -> None:
    """A cancel beyond the end of an operation had no effect, so nothing was tested by it."""
    chaos = Chaos(world)
    stopped, unharmed = world.start(Walker().walk), world.start(Walker().walk)
    chaos.cancel(stopped, 2)
    chaos.cancel(unharmed, 8)

    assert (2, 0) == (chaos.injected()["cancel"], chaos.hits()["cancel"])
    world.settle()
    assert (2, 1) == (chaos.injected()["cancel"], chaos.hits()["cancel"])


def test_cancelling_what_has_ended_does_nothing(world: VirtualWorld) -> None:
    """Its outcome stays."""
    operation = world.start(Walker().walk)
    world.settle()
    world.cancel(operation)
    world.settle()

    assert ("ok", "there") == (operation.state, operation.result())


def test_an_error_while_it_is_cancelled_is_its_failure(world: VirtualWorld) -> None:
    """Clean-up that goes wrong fails the operation, not the whole world."""

    async def clean_up_badly() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise KeyError("clean-up")

    operation = world.start(clean_up_badly)
    world.settle()
    world.cancel(operation)
    world.settle()

    assert "failed" == operation.state
    assert isinstance(operation.error, KeyError)


def test_an_error_of_one_child_while_others_are_cancelled_is_its_failure(
    world: VirtualWorld,
) -> None:
    """The same in a nursery, where trio groups the error with the cancellations of the others."""

    async def clean_up_badly() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise KeyError("clean-up")

    async def family() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clean_up_badly)
            nursery.start_soon(trio.sleep_forever)

    operation = world.start(family)
    world.settle()
    world.cancel(operation)
    world.settle()

    assert "failed" == operation.state
    assert isinstance(operation.error, ExceptionGroup)
