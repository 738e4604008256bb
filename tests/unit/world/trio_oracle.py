"""The oracle: real trio is given the order of tasks that a world ran, batch by batch.

``certified`` gives it the very batches of the world: the run must be possible and log the same.
``is_possible`` has the order alone and looks for any batches that give it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import outcome
import trio
import trio._core._run as trio_run

from chaoscheck.world.scheduler import Line
from chaoscheck.world.source import Source
from chaoscheck.world.virtual import VirtualWorld
from tests.unit.world.trio_outside import LateDeadlines, LateSource, outside_directed_by
from tests.unit.world.trio_programs import Stage, TrioProgram

__all__ = ["Batch", "WorldRun", "certified", "is_possible", "run_in_world"]

# Theory of operation. trio is run with a clock, an instrument and a generator of ours, all three
# public or what pytest-trio replaces. Before each wait for I/O, which is between two batches, the
# instrument starts the operations that are late until then; the clock moves when nothing can run;
# the generator sorts the batch, or notes that it is not the one that the world ran.
#
# What comes late from outside is as late here: real sockets, of which trio hears nothing while they
# are late; worker threads that end when they are told to; and deadlines, which may be late only as
# real ones are: in the order in which they were set, and never if they had passed by then
# (``trio_outside``).

SEARCHES_MAX = 300  # runs of plain trio in search for the batches of one order
IDLE_MAX = 8  # rounds in which nothing runs, after which a run has gone another way


THREADS = "<TrioToken.run_sync_soon task>"


@dataclass(slots=True)
class Batch:
    """What a world ran as one batch: when, in which order, and whether deadlines came late."""

    at_s: float
    names: list[str] = field(default_factory=list)
    deadlines_wait: bool = False
    late: frozenset[LateSource] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldRun:
    """What a world made of programs: its log and its batches."""

    log: tuple[str, ...]
    batches: tuple[Batch, ...]
    delayed: frozenset[LateSource] = field(default=frozenset(), compare=False)

    @property
    def order(self) -> list[str]:
        """The tasks in the order of their turns."""
        names = (name for batch in self.batches for name in batch.names)
        return [name for name in names if name != THREADS]


class _Watched:
    """A line that keeps its batches; stands in for it as the world's scheduler."""

    def __init__(self, line: Line, batches: list[Batch], world: VirtualWorld) -> None:
        self._line = line
        self._batches = batches
        self._world = world
        self._number = 0
        self.delayed: set[LateSource] = set()  # of workers
        self._missed: set[LateSource] = set()  # a deadline came first, between two batches

    def __getattr__(self, name: str) -> Any:
        return getattr(self._line, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "push_back":
            self._line.push_back = value
        else:
            super().__setattr__(name, value)

    def withholds(self, source: Source) -> bool:
        """Worker threads that were late are noted."""
        late = self._line.withholds(source)
        if late and source.kind == "worker":
            self.delayed.add(("worker", source.task.name, source.nth))
        return late

    def missed(self, source: Source) -> None:
        """What was still late when a deadline ended the wait for it was late for the next batch."""
        if not hasattr(trio_run.GLOBAL_RUN_CONTEXT, "task"):
            self._missed.add(_named(source))
        self._line.missed(source)

    def order(self, batch: list[trio.lowlevel.Task]) -> None:
        """One task is left, and noted in its batch."""
        waits = not self._line.between_generations
        self._line.order(batch)
        if not batch or _is_trios(batch[0]):
            return
        if self._number != self._line.batches:
            self._number = self._line.batches
            late = frozenset(map(_named, self._world.outside.late_sources())) | self._missed
            self._missed.clear()
            self._batches.append(Batch(self._world.now, deadlines_wait=waits, late=late))
        self._batches[-1].names.append(batch[0].name)


def _is_trios(task: trio.lowlevel.Task) -> bool:
    """Whether a task is none of a program, nor the one that hears of threads."""
    return (task.name.startswith("<") and task.name != THREADS) or task.name == "main"


def _named(source: Source) -> LateSource:
    return source.kind, source.task.name, source.nth if source.kind == "timer" else 0


def names_of(programs: Sequence[TrioProgram]) -> list[str]:
    """A name for each program: the first half are of step 1, the others of step 2."""
    return [f"t{number}" for number in range(len(programs))]


def run_in_world(programs: Sequence[TrioProgram], line: Line) -> WorldRun:
    """Run the programs as operations of two steps, one virtual second apart."""
    world = VirtualWorld()
    batches: list[Batch] = []
    world.scheduler = watched = _Watched(line, batches, world)
    names = names_of(programs)
    half = len(programs) // 2
    with world:
        stage = Stage(names)
        for name in names:
            stage.scopes[name] = trio.CancelScope()
        named = list(zip(names, programs, strict=True))
        for step, some in enumerate((named[:half], named[half:]), start=1):
            line.begin_step()
            for name, program in some:
                world.start(stage.perform, name, program, name=name)
            world.advance(step)
        world.advance(100)
        stage.close()
        return WorldRun(
            log=tuple(stage.log), batches=tuple(batches), delayed=frozenset(watched.delayed)
        )


class _Director(trio.abc.Instrument, trio.abc.Clock):
    """Directs one run of plain trio. ``apart`` says how it went another way, if it did."""

    def __init__(self, programs: Sequence[TrioProgram]) -> None:
        self.programs = dict(zip(names_of(programs), programs, strict=True))
        self.now = 0.0
        self.apart = ""
        self.done = False
        self.log: tuple[str, ...] = ()
        self.stage: Stage | None = None
        self.nursery: trio.Nursery | None = None
        self.started: set[str] = set()
        self._asked_by_trio = False
        self._idle = 0

        self.threads: dict[str, Callable[[], None]] = {}  # ended, which trio does not know yet
        self.delayed: frozenset[LateSource] = frozenset()

    # What the two kinds of search say.

    def next_batch(self, runnable: list[str]) -> Batch | None:
        """The batch that must run next, given who can run; None at the end."""
        raise NotImplementedError

    def ran(self, batch: Batch) -> None:
        """It runs now."""
        raise NotImplementedError

    # What trio asks.

    def start_clock(self) -> None:
        """It stands."""

    def current_time(self) -> float:
        """The time; before a batch in which deadlines come late, a time before all of them."""
        if self._asked_by_trio:
            self._asked_by_trio = False
            batch = None if self.done else self.next_batch(self._runnable())
            if batch is not None and batch.deadlines_wait:
                return float("-inf")
        return self.now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Nothing can run: the next batch is later. trio never waits for real."""
        if self.done and deadline < math.inf:
            self.now = max(self.now, deadline)  # what is shielded goes on to its end
        if self.stage is not None and not self.done:
            batch = self.next_batch([])
            if batch is not None:
                self.now = max(self.now, batch.at_s)
        return 0.0

    def before_io_wait(self, timeout: float) -> None:
        """Between two batches: operations that are due start, or the run is over."""
        self._asked_by_trio = True
        if self.nursery is None or self.stage is None or self.done:
            return
        batch = None if self.apart else self.next_batch(self._runnable())
        if batch is None:
            if not self.apart and self._runnable():
                self.apart = f"{self._runnable()} go on"
            self.log, self.done = tuple(self.stage.log), True
            self.nursery.cancel_scope.cancel()
            return
        for task in [each for each in self.threads if ("worker", each, 0) not in batch.late]:
            self.threads.pop(task)()
        for name in batch.names:
            if name in self.programs and name not in self.started:
                self.started.add(name)
                self.nursery.start_soon(self.stage.perform, name, self.programs[name], name=name)

    def is_late(self, kind: str, task: str, nth: int = 0) -> bool:
        """Whether it has not come before the next batch."""
        batch = None if self.done or self.stage is None else self.next_batch(self._runnable())
        return batch is not None and (kind, task, nth) in batch.late

    def start_thread(
        self, fn: Callable[[], Any], deliver: Callable[[Any], Any], name: object = None
    ) -> None:
        """A worker thread ends at once, and trio hears of it, unless it was late in the world."""
        result = outcome.capture(fn)
        task = trio.lowlevel.current_task()
        if ("worker", task.name, task._schedule_points + 1) in self.delayed:
            self.threads[task.name] = lambda: deliver(result)
        else:
            deliver(result)

    def _runnable(self) -> list[str]:
        runq = trio_run.GLOBAL_RUN_CONTEXT.runner.runq
        return [task.name for task in runq if not _is_trios(task)]

    def shuffle(self, batch: list[trio.lowlevel.Task]) -> None:
        """Sort a batch as the world ran it; trio takes from the end."""
        own = [task for task in batch if not _is_trios(task)]
        if self.done or self.apart or self.stage is None:
            return
        expected = self.next_batch([task.name for task in own])
        if not own:
            self._idle += 1
            if self._idle > IDLE_MAX:
                self.apart = f"nothing runs, not {expected}"
            return
        self._idle = 0
        names = sorted(task.name for task in own)
        if expected is None or names != sorted(expected.names) or self.now != expected.at_s:
            self.apart = f"{names} run at {self.now:g}, not {expected}"
            return
        self.ran(expected)
        by_name = {task.name: task for task in own}
        others = [task for task in batch if task not in own]
        batch[:] = [*others, *(by_name[name] for name in reversed(expected.names))]

    def random(self) -> float:
        """Asked for nothing here."""
        return 0.0

    async def main(self) -> None:
        """Plain trio's main: a nursery, and nothing else."""
        stage = Stage(list(self.programs))
        for name in self.programs:
            stage.scopes[name] = trio.CancelScope()
        trio_run.GLOBAL_RUN_CONTEXT.runner.deadlines = LateDeadlines(self)
        try:
            async with trio.open_nursery() as nursery:
                self.stage, self.nursery = stage, nursery
                await trio.sleep_forever()
        finally:
            stage.close()

    def run(self) -> None:
        """Run plain trio to the end."""
        with outside_directed_by(self):
            trio.run(self.main, clock=self, instruments=[self])


class _Certified(_Director):
    def __init__(self, programs: Sequence[TrioProgram], batches: Sequence[Batch]) -> None:
        super().__init__(programs)
        self._batches = list(batches)

    def next_batch(self, runnable: list[str]) -> Batch | None:
        """The next of the world's."""
        return self._batches[0] if self._batches else None

    def ran(self, batch: Batch) -> None:
        """It is done."""
        del self._batches[0]


def certified(programs: Sequence[TrioProgram], run: WorldRun) -> str:
    """How plain trio differs from a world's run in the same batches; empty if it does not."""
    director = _Certified(programs, run.batches)
    director.delayed = run.delayed
    director.run()
    if director.apart:
        return director.apart
    if director.log != run.log:
        pairs = zip(director.log, run.log, strict=False)
        return next((f"{a!r}, not {b!r}" for a, b in pairs if a != b), "another length")
    return ""


class _Searched(_Director):
    """Batches of an order: who can run, and starts among and after them, as ``extensions`` say."""

    def __init__(
        self, programs: Sequence[TrioProgram], order: Sequence[str], extensions: Sequence[int]
    ) -> None:
        super().__init__(programs)
        self._order = list(order)
        self._extensions = list(extensions)
        self.taken: list[tuple[int, int]] = []
        self._next: Batch | None = None

    def next_batch(self, runnable: list[str]) -> Batch | None:
        """The least that runs all who can run, and as many starts after it as are to be tried."""
        if self._next is None and self._order:
            length = self._least(runnable)
            most = length
            while most < len(self._order) and self._may_start(self._order[most], most):
                most += 1
            pick = (
                self._extensions[len(self.taken)] if len(self.taken) < len(self._extensions) else 0
            )
            self.taken.append((pick, most - length + 1))
            self._next = Batch(0.0, self._order[: length + pick])
        return self._next

    def _least(self, runnable: list[str]) -> int:
        if not runnable:
            return 1
        places = [self._order.index(name) for name in runnable if name in self._order]
        return 1 + max(places, default=0)

    def _may_start(self, name: str, place: int) -> bool:
        return name in self.programs and name not in {*self.started, *self._order[:place]}

    def ran(self, batch: Batch) -> None:
        """Its tasks are behind us."""
        del self._order[: len(batch.names)]
        self._next = None


def is_possible(programs: Sequence[TrioProgram], order: Sequence[str]) -> bool | None:
    """Whether plain trio can run timeless programs in this order; None if it is not known."""
    extensions: list[int] = []
    for _ in range(SEARCHES_MAX):
        director = _Searched(programs, order, extensions)
        director.run()
        if not director.apart:
            return True
        following = _following(director.taken)
        if following is None:
            return False
        extensions = following
    return None


def _following(taken: Sequence[tuple[int, int]]) -> list[int] | None:
    for place in range(len(taken) - 1, -1, -1):
        pick, options = taken[place]
        if pick + 1 < options:
            return [*(each for each, _ in taken[:place]), pick + 1]
    return None
