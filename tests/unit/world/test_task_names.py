"""Names of tasks: where a task comes from, the same in every run that it takes part in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.world.scheduler import HoldingLine
from chaoscheck.world.virtual import VirtualWorld


@pytest.fixture
def world() -> Iterator[VirtualWorld]:
    """An open world whose tasks are named."""
    made = VirtualWorld()
    made.scheduler = HoldingLine()
    with made:
        yield made


class Seen:
    """Tasks note their own names."""

    def __init__(self, world: VirtualWorld) -> None:
        self.world = world
        self.names: list[str] = []

    async def note(self) -> None:
        """The name of whoever calls this."""
        line = self.world.scheduler
        assert isinstance(line, HoldingLine)
        self.names.append(line.names.of(trio.lowlevel.current_task()))

    async def family(self) -> None:
        """Itself, two children of one function, and a grandchild."""
        await self.note()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.note)
            nursery.start_soon(self.note)
            nursery.start_soon(self.parent)

    async def parent(self) -> None:
        """Has a child of its own."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.note)


@pytest.fixture
def seen(world: VirtualWorld) -> Seen:
    """What tasks of this world are called."""
    return Seen(world)


def test_an_operation_is_called_after_its_function_and_its_step(
    world: VirtualWorld, seen: Seen
) -> None:
    """I find the step of my story in the name; the second of a step has a number."""
    world.begin_step(7)
    world.start(seen.note, name="fetch")
    world.start(seen.note, name="fetch")
    world.begin_step(8)
    world.start(seen.note, name="fetch")
    world.settle()

    assert ["fetch@7", "fetch@7.1", "fetch@8"] == seen.names


def test_children_are_called_after_their_parents(world: VirtualWorld, seen: Seen) -> None:
    """I see whose child a task is, also in the second generation."""
    world.begin_step(3)
    world.start(seen.family, name="fetch")
    world.settle()

    assert [
        "fetch@3",
        "fetch@3/note",
        "fetch@3/note.1",
        "fetch@3/parent/note",
    ] == seen.names


def test_a_service_is_called_after_its_function_and_step(world: VirtualWorld, seen: Seen) -> None:
    """What is started before the first step has no number, and later ones keep theirs."""
    world.spawn(seen.note)
    world.begin_step(5)
    world.spawn(seen.note)
    world.spawn(seen.note)
    world.settle()

    assert ["Seen.note", "Seen.note@5", "Seen.note@5.1"] == seen.names


def test_what_other_steps_start_changes_no_name(seen: Seen, world: VirtualWorld) -> None:
    """When steps are taken away from a story, the others are still about the same tasks."""
    world.begin_step(9)
    world.start(seen.family, name="fetch")
    world.settle()

    alone = list(seen.names)
    for step in (4, 9):
        world.begin_step(step)
        world.start(seen.family, name="ask")
    world.settle()
    fuller = seen.names[len(alone) :]

    assert [name.replace("fetch", "ask") for name in alone] == [
        name for name in fuller if "@9" in name
    ]


NAMES = st.lists(st.sampled_from(["a", "a.1", "a.1.1", "a/b", "a@1", "b"]), max_size=6)


@settings(max_examples=50, deadline=None, database=None, derandomize=True)
@given(NAMES, NAMES)
def test_no_two_tasks_share_a_name(operations: list[str], services: list[str]) -> None:
    """Whatever I call my tasks, a hold means exactly one of them."""
    world = VirtualWorld()
    world.scheduler = HoldingLine()
    with world:
        seen = Seen(world)
        for start, names in ((world.start, operations), (world.spawn, services)):
            begin: Callable[..., object] = start
            for name in names:
                begin(seen.note, name=name)
        world.settle()

    assert len(operations) + len(services) == len(set(seen.names))
