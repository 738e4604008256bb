"""How many stretches each task of a program ran: what holds may speak of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import trio

from chaoscheck.plan.program import Program
from chaoscheck.stateful.driver import ProgramDriver
from chaoscheck.stateful.programs.replaying import Replay, replay
from chaoscheck.world.schedule import Scheduler
from chaoscheck.world.scheduler import HoldingLine

__all__ = ["counted_replay", "stretches_of"]


def stretches_of(machine_type: Any, program: Program) -> Mapping[str, int]:
    """Replay ``program``; for each task that ran, by its name, how many stretches it ran."""
    return counted_replay(machine_type, program)[1]


def counted_replay(machine_type: Any, program: Program) -> tuple[Replay, Mapping[str, int]]:
    """The replay of ``program``, and how many stretches each task ran in it."""
    driver = _CountingDriver(program)
    run = replay(machine_type, program, driver=driver)
    return run, driver.ran


class _CountingLine(HoldingLine):
    """FIFO with holds, which counts the stretches of each task."""

    def __init__(self, program: Program, ran: dict[str, int]) -> None:
        super().__init__(program.holds)
        self._ran = ran

    def order(self, batch: list[trio.lowlevel.Task]) -> None:
        """One task is left in the batch, and runs."""
        super().order(batch)
        if batch:
            self._ran[self.names.of(batch[0])] = batch[0]._schedule_points + 1


class _CountingDriver(ProgramDriver):
    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.ran: dict[str, int] = {}

    def scheduler(self, schedules: str = "") -> Scheduler:
        """FIFO, but for the program's holds."""
        return _CountingLine(self._program, self.ran)
