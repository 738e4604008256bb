"""Whether plain trio shows a story: the orders that are counted, and what forbids it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pytest
import trio

from chaoscheck import ChaosMachine, PlanError, find_counterexample, invariant, rule
from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program import Program
from chaoscheck.plan.program_text import from_json, to_json
from chaoscheck.stateful.programs.minimal import tell
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.stateful.schedule_modes import searching_with
from chaoscheck.stateful.shrinking.story_size import size_of
from tests.unit.stateful.stories import story


class LastWriter(ChaosMachine):
    """Two operations note their names; the law wants "second" never to be last."""

    def setup(self) -> None:
        self.notes: list[str] = []

    @rule(in_flight=True)
    async def first(self) -> None:
        await trio.lowlevel.checkpoint()
        self.notes.append("first")

    @rule(in_flight=True)
    async def second(self) -> None:
        await trio.lowlevel.checkpoint()
        self.notes.append("second")

    @rule(in_flight=True)
    async def early(self) -> None:
        self.notes.append("early")

    @invariant(at_rest=True)
    def second_is_not_last(self) -> None:
        assert self.notes[-1:] != ["second"]


def told(machine: Any, program: Program) -> tuple[str, ...]:
    """What is said of the orders of a failing program."""
    run = tell(machine, program)
    assert run is not None
    return run.orders


def test_a_story_says_in_how_many_orders_of_its_batches_it_fails() -> None:
    """Two tasks of two batches have four orders; in two of them the second one is last."""
    assert ("plain trio shows this in 2 of 4 orders",) == told(LastWriter, story("first", "second"))


def test_a_story_of_one_order_says_nothing() -> None:
    """Where no task had a choice there is nothing to count."""
    assert () == told(LastWriter, story("second"))


def test_a_story_that_needs_a_long_checkpoint_says_which() -> None:
    """I do not look for it in production with a trio that cannot show it."""
    hold = Hold(task="second@1", at=1, until="first@2", ran=3)

    class Slow(LastWriter):
        @rule(in_flight=True)
        async def first(self) -> None:
            for _ in range(2):
                await trio.lowlevel.checkpoint()
            self.notes.append("first")

    program = story("second", "first")
    held = Program(steps=program.steps, holds=(hold,))

    assert (
        "needs second@1's 1st checkpoint to outlast a batch: no present trio does that",
    ) == told(Slow, held)
    assert replay(Slow, program).error is None


def test_more_orders_than_can_be_run_are_sampled() -> None:
    """Six tasks have too many orders: a hundred of them are run, the same ones each time."""
    program = story(*["first"] * 5, "second")
    (line,) = told(LastWriter, program)

    assert line.startswith("plain trio shows this in ")
    assert line.endswith(" of 100 orders drawn at random")
    assert (line,) == told(LastWriter, program)


def test_shrinking_prefers_a_story_that_plain_trio_shows() -> None:
    """A longer story is worth more than one whose order no present trio has."""
    hold = Hold(task="second@1", at=1, until="first@2", ran=3)
    longer = replay(LastWriter, story("early", "first", "second"))
    shorter = replay(LastWriter, story("first", "second"))

    assert size_of(LastWriter, shorter) < size_of(LastWriter, longer)
    assert size_of(LastWriter, longer) < size_of(LastWriter, replace(shorter, unfair=(hold,)))


# ---------------------------------------------------------------------- the modes


class Reversed(ChaosMachine):
    """A task that takes two turns is to come before one that takes a single one."""

    def setup(self) -> None:
        self.notes: list[str] = []

    @rule(in_flight=True)
    async def both(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._short)
            nursery.start_soon(self._long)

    async def _short(self) -> None:
        self.notes.append("short")

    async def _long(self) -> None:
        for _ in range(2):
            await trio.lowlevel.checkpoint()
        self.notes.append("long")

    @invariant()
    def short_is_first(self) -> None:
        assert self.notes[:1] != ["long"]


class AnyReversed(Reversed):
    schedules: ClassVar[str] = "any"


class FairReversed(Reversed):
    schedules: ClassVar[str] = "fair"


@pytest.mark.parametrize(
    ("machine", "mode", "found"),
    [
        (Reversed, "fair", False),
        (Reversed, "any", True),
        (AnyReversed, "fair", True),
        (FairReversed, "any", False),
    ],
)
def test_a_machine_says_which_orders_are_searched_else_the_run_does(
    machine: type[ChaosMachine], mode: str, found: bool
) -> None:
    """Children of one batch keep their pace under fair schedules, and do not under any."""
    with searching_with(mode):
        result = find_counterexample(machine, max_examples=60, seed=1, shrink=False)

    assert found is (result is not None)


def test_fair_is_the_default() -> None:
    """What fails without a word of mine is an order that my trio can show."""
    assert find_counterexample(Reversed, max_examples=60, seed=1, shrink=False) is None


def test_a_found_order_replays_whatever_schedules_are_set() -> None:
    """A kept story is its holds: it needs no option to fail again, and its text keeps them."""
    found = find_counterexample(AnyReversed, max_examples=60, seed=1, shrink=False)
    assert found is not None
    assert found.program is not None

    for mode in ("fair", "any"):
        with searching_with(mode):
            assert replay(FairReversed, from_json(to_json(found.program))).error is not None


def test_unknown_schedules_are_refused_by_name() -> None:
    """A typo in a class is an error when the class is made."""
    with pytest.raises(PlanError, match=r"Odd.schedules must be 'fair' or 'any', got 'unfair'"):
        type("Odd", (LastWriter,), {"schedules": "unfair"})
    with (
        pytest.raises(PlanError, match="schedules must be 'fair' or 'any', got ''"),
        searching_with(""),
    ):
        pass


def test_a_late_start_is_kept_in_the_text_of_a_program() -> None:
    """A kept story starts its operations exactly as late."""
    program = story("second", "first")
    late = Hold(task="second@1", at=0, until="first@2", ran=2, late=True)
    held = Program(steps=program.steps, holds=(late,))

    assert held == from_json(to_json(held))
    with pytest.raises(PlanError, match="late must be true or false, got 1"):
        from_json({"holds": [{"task": "a", "at": 0, "until": "b", "ran": 1, "late": 1}]})
