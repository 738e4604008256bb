"""Can plain trio show a story? In how many of the orders of its batches it fails, or what forbids.

A story is replayed in every order in which a present trio may run its batches, with what comes
late as late as told; in a sample of them where there are too many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import trio

from chaoscheck.plan.hold import Hold, nth
from chaoscheck.plan.program import Program
from chaoscheck.stateful.driver import ProgramDriver
from chaoscheck.stateful.failures import Origin
from chaoscheck.stateful.programs.replaying import Replay, replay
from chaoscheck.world.ambient import process_seconds, seeded_random
from chaoscheck.world.schedule import Scheduler
from chaoscheck.world.scheduler import HoldingLine

__all__ = ["orders_told"]

# Minimal stories need 2 to 432 replays of about a millisecond each; with servers there are more
# orders than can be run, and a sample says as much.
ORDERS_MAX = 500
SAMPLED = 100
SECONDS_MAX = 1.0  # of CPU

_OTHER_ORDERS = 1  # the seed of a sample: one story is told in the same words each time


def orders_told(machine_type: Any, run: Replay) -> tuple[str, ...]:
    """What a reader must know of the story that ``run`` replayed; nothing if no task had a choice.

    One line for each hold by which a checkpoint outlasts a batch, else one with two counts.
    """
    if run.unfair:
        return tuple(map(_needs, run.unfair))
    if run.origin is None:
        return ()
    walk = _Walk(machine_type, run.program, run.origin)
    late = any(hold.source for hold in run.program.holds)
    given = ", with what comes from outside as late as here" if late else ""
    count = walk.count_all()
    if walk.orders == 1:
        return ()
    if count is not None:
        return (f"plain trio shows this in {count} of {walk.orders} orders{given}",)
    count = walk.count_sample()
    return (f"plain trio shows this in {count} of {walk.orders} orders drawn at random{given}",)


def _needs(hold: Hold) -> str:
    what = "start" if hold.at == 0 else f"{nth(hold.at)} checkpoint"
    return f"needs {hold.task}'s {what} to outlast a batch: no present trio does that"


class _Walk:
    """Replays one program in many orders. ``orders`` is how many were run."""

    def __init__(self, machine_type: Any, program: Program, origin: Origin) -> None:
        self._machine_type = machine_type
        self._program = program
        self._origin = origin
        self.orders = 0

    def count_all(self) -> int | None:
        """How many of all orders fail in the same way; None if there are too many to run."""
        failed = 0
        path: list[int] | None = []
        until_s = process_seconds() + SECONDS_MAX
        self.orders = 0
        while path is not None:
            if self.orders >= ORDERS_MAX or process_seconds() > until_s:
                return None
            options = self._fails_with(path.__iter__())
            failed += options.failed
            path = _next_path(options.taken)
        return failed

    def count_sample(self) -> int:
        """How many of some orders fail in the same way."""
        generator = seeded_random(_OTHER_ORDERS)
        until_s = process_seconds() + SECONDS_MAX
        failed = self.orders = 0
        while self.orders < SAMPLED and process_seconds() < until_s:
            failed += self._fails_with(iter(generator.random, None)).failed
        return failed

    def _fails_with(self, picks: Iterator[float]) -> _OrderDriver:
        driver = _OrderDriver(self._program, picks)
        run = replay(self._machine_type, self._program, driver=driver)
        self.orders += 1
        driver.failed = run.origin == self._origin
        return driver


def _next_path(taken: Sequence[tuple[int, int]]) -> list[int] | None:
    """The picks of the next order, in the order of a dictionary; None after the last."""
    for place in range(len(taken) - 1, -1, -1):
        pick, options = taken[place]
        if pick + 1 < options:
            return [*(each for each, _ in taken[:place]), pick + 1]
    return None


class _OrderLine(HoldingLine):
    """Batches in one certain order; what may come late does as the program says."""

    def __init__(
        self, holds: Sequence[Hold], picks: Iterator[float], taken: list[tuple[int, int]]
    ) -> None:
        # A start that waits for more than the first slice of another is left behind: late as well.
        outside = [hold for hold in holds if hold.source]
        own = [hold for hold in holds if not hold.source]
        starts = (hold for hold in own if hold.late or (hold.at == 0 and hold.ran > 1))
        super().__init__([*outside, *(replace(hold, late=True) for hold in starts)])
        self._picks = picks
        self._taken = taken

    def choose(self, now: Sequence[trio.lowlevel.Task], later: Sequence[trio.lowlevel.Task]) -> int:
        """What the next pick says; the first where there is none left."""
        free = [task for task in now if not (self.is_late(task) and self.is_held(task))]
        if len(free) <= 1:
            return now.index(free[0]) if free else 0
        pick = next(self._picks, 0)
        index = min(pick if isinstance(pick, int) else int(pick * len(free)), len(free) - 1)
        self._taken.append((index, len(free)))
        return now.index(free[index])


class _OrderDriver(ProgramDriver):
    def __init__(self, program: Program, picks: Iterator[float]) -> None:
        super().__init__(program)
        self._picks = picks
        self.taken: list[tuple[int, int]] = []
        self.failed = False

    def scheduler(self, schedules: str = "") -> Scheduler:
        """The order that the picks say."""
        return _OrderLine(self._program.holds, self._picks, self.taken)
