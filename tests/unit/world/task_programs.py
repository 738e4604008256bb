"""Small programs of several tasks, as values: what each task does between and at its checkpoints.

``course`` runs one under a schedule; its log says who did what in which order, so that two runs
with equal logs were one and the same run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import trio
from hypothesis import strategies as st

from chaoscheck.plan.hold import Hold
from chaoscheck.world.choices import Choices
from chaoscheck.world.operation import Operation
from chaoscheck.world.schedule import Scheduler
from chaoscheck.world.virtual import VirtualWorld

__all__ = ["DOINGS", "Course", "TaskProgram", "course", "task_programs"]

EVENTS = 3
# What a task may do: give way, sleep, set or await an event, pass through a lock, let two
# children do the rest, cancel another operation now or at its next checkpoint.
DOINGS = ("checkpoint", "sleep", "set", "await", "lock", "children", "cancel", "cancel later")

TaskProgram = tuple[tuple[str, int], ...]


def task_programs(doings: Sequence[str] = DOINGS) -> st.SearchStrategy[list[TaskProgram]]:
    """Two to four tasks of up to five doings each."""
    doing = st.tuples(st.sampled_from(doings), st.integers(0, 3))
    return st.lists(st.lists(doing, max_size=5).map(tuple), min_size=2, max_size=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What happened: each doing in order, the states of the operations, and the holds."""

    log: tuple[str, ...]
    states: tuple[str, ...]
    holds: tuple[Hold, ...]


@dataclass(slots=True)
class _Stage:
    world: VirtualWorld
    log: list[str] = field(default_factory=list)
    operations: list[Operation[None]] = field(default_factory=list)
    events: list[trio.Event] = field(default_factory=list)
    lock: trio.Lock = field(default_factory=trio.Lock)

    async def perform(self, name: str, program: TaskProgram) -> None:
        """Do one thing after the other, and note each before and after."""
        for place, (doing, which) in enumerate(program):
            self.log.append(f"{name}.{place} {doing} at {trio.current_time():g}")
            await self.do(name, doing, which, program[place + 1 :])
            if doing == "children":
                break
        self.log.append(f"{name} ends at {trio.current_time():g}")

    async def do(self, name: str, doing: str, which: int, rest: TaskProgram) -> None:
        """One thing."""
        match doing:
            case "checkpoint":
                await trio.lowlevel.checkpoint()
            case "sleep":
                await trio.sleep(which)
            case "set":
                self.events[which % EVENTS].set()
            case "await":
                with trio.move_on_after(2):
                    await self.events[which % EVENTS].wait()
            case "lock":
                async with self.lock:
                    await trio.lowlevel.checkpoint()
            case "children":
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.perform, f"{name}a", rest)
                    nursery.start_soon(self.perform, f"{name}b", rest)
            case _:
                other = self.operations[which % len(self.operations)]
                next_one = other.checkpoints + 1
                self.world.cancel(other, checkpoint=next_one if doing == "cancel later" else 0)


def course(
    programs: Sequence[TaskProgram], scheduler: Scheduler, choices: Choices | None = None
) -> Course:
    """Run the programs side by side; half of them begin in a second step, a second later."""
    world = VirtualWorld(choices)
    world.scheduler = scheduler
    with world:
        stage = _Stage(world)
        stage.events = [trio.Event() for _ in range(EVENTS)]
        half = len(programs) // 2
        for step, some in enumerate((programs[:half], programs[half:]), start=1):
            world.begin_step(step)
            for number, program in enumerate(some):
                name = f"t{step}{number}"
                stage.operations.append(world.start(stage.perform, name, program, name="perform"))
            world.advance(1)
        world.advance(100)
        return Course(
            log=tuple(stage.log),
            states=tuple(operation.state for operation in stage.operations),
            holds=scheduler.holds(),
        )
