"""Fair schedules: every order that a present trio can show, and no other.

Within a batch tasks run in any order, and what the world starts may come any number of batches
late, as requests do. A task that was woken, or that stands at a checkpoint, has its turn in the
next batch.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

import trio

from chaoscheck.world.choices import Choices
from chaoscheck.world.drawn_schedules import DrawnLine, Pct, Shuffle
from chaoscheck.world.scheduler import PATIENCE, HoldingLine, Line
from chaoscheck.world.source import Source
from chaoscheck.world.task_names import from_outside

__all__ = ["FAIR_SCHEDULES", "drawn_fair_schedule"]

Task = trio.lowlevel.Task

# Theory of operation. A line is ``now``, who is left of this batch, and ``later``, who belongs to
# the next. Fair is a pick from ``now``. How late a start is, in batches, is drawn when it is first
# seen; until then it is no member of any batch, and where only late starts are left the batch is
# over (see ``scheduler``). If nothing but late starts can run, the one that is due next runs:
# lateness never keeps a world from going on.

# By how many batches a start is late; one of them is drawn for each. 0 stands first.
RARELY = (0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 4, 6, 9)
OFTEN = (0, 0, 1, 1, 2, 3, 4, 6)
# And by how many a timer or a worker thread is, of which few meet something else in one instant;
# and a socket, of which there are many more: few are late.
SOURCES = (0, 0, 0, 1, 1, 2, 3, 4)
SOCKETS_RARELY = (0,) * 12 + (1, 1, 2, 4)
SOCKETS_OFTEN = (0, 0, 0, 0, 1, 1, 2, 3)
STARVED = (0, 0, PATIENCE)


class _Fair(DrawnLine):
    """Picks within a batch as the next class in line does; starts are late by drawn lags."""

    has_late_starts = True

    def __init__(
        self,
        choices: Choices,
        *rest: int,
        lags: Sequence[int],
        socket_lags: Sequence[int] = (),
        source_lags: Sequence[int] = SOURCES,
    ) -> None:
        super().__init__(choices, *rest)
        self._lags = lags
        self._socket_lags = socket_lags  # empty: nothing but starts is late
        self._source_lags = source_lags
        self.has_late_sources = bool(socket_lags)
        self._due: dict[Task, int] = {}  # the batch in which a start is due; 0: it is not late
        self._sources_due: dict[Source, int] = {}  # the batch after which a source comes
        self._skipped = 0  # batches that late starts did not have to wait for

    def choose(self, now: Sequence[Task], later: Sequence[Task]) -> int:
        """One of this batch that has come."""
        free = [task for task in now if self._has_come(task)]
        if not free:
            self._skipped = min(self._due[task] for task in now) - self.batches
            free = [task for task in now if self._has_come(task)]
        return now.index(free[self.pick(free)])

    def is_late(self, task: Task) -> bool:
        """Whether a start drew to be late, and has not run yet."""
        return task._schedule_points == 0 and self._due.get(task, 0) > 0

    def is_withheld(self, source: Source) -> bool:
        """Whether it drew to be late, and the batches that it misses have not all run."""
        batch = self.batches + self._skipped
        due = self._sources_due.get(source)
        if due is None:
            lags = self._socket_lags if source.kind == "socket" else self._source_lags
            lag = lags[self.draw("schedule: late source", len(lags))]
            due = self._sources_due[source] = batch + lag
        return due > batch

    def first_to_come(self, sources: Sequence[Source]) -> int:
        """The one that is due first; the batches until then are not waited for."""
        due = [self._sources_due.get(source, 0) for source in sources]
        self._skipped = max(self._skipped, min(due) - self.batches)
        return due.index(min(due))

    @abstractmethod
    def pick(self, free: Sequence[Task]) -> int:
        """The place of the next in ``free``."""

    def _has_come(self, task: Task) -> bool:
        if task._schedule_points or not from_outside(task):
            return True
        batch = self.batches + self._skipped
        due = self._due.get(task)
        if due is None:
            lag = self._lags[self.draw("schedule: late", len(self._lags))]
            due = self._due[task] = batch + lag if lag else 0
        return due <= batch


class Fair(_Fair):
    """Batches in their own order; starts are late."""

    def pick(self, free: Sequence[Task]) -> int:
        """The first."""
        return 0


class FairShuffle(_Fair, Shuffle):
    """Each batch runs in a drawn order; starts are late."""

    def pick(self, free: Sequence[Task]) -> int:
        """Any of them."""
        return Shuffle.choose(self, free, ())


class FairPct(_Fair, Pct):
    """Each batch runs in the order of drawn ranks; starts are late."""

    def pick(self, free: Sequence[Task]) -> int:
        """The lowest rank."""
        return Pct.choose(self, free, ())


# What may be drawn, by name. FIFO first: it is what examples shrink to.
FAIR_SCHEDULES: dict[str, Callable[[Choices], Line]] = {
    "fifo": lambda choices: HoldingLine(),
    "shuffle": Shuffle,
    "late": lambda choices: Fair(choices, lags=OFTEN, socket_lags=SOCKETS_OFTEN),
    "rarely late shuffle": lambda choices: FairShuffle(
        choices, lags=RARELY, socket_lags=SOCKETS_RARELY
    ),
    "late shuffle": lambda choices: FairShuffle(choices, lags=OFTEN, socket_lags=SOCKETS_RARELY),
    "late ranks": lambda choices: FairPct(choices, 3, lags=OFTEN, socket_lags=SOCKETS_RARELY),
    "starved shuffle": lambda choices: FairShuffle(choices, lags=STARVED),
}
# How often each is drawn, out of 16: lateness with a shuffle finds the most, as a race needs an
# operation that begins inside the window of another, and then an order of their batch.
_WEIGHTS = {
    "fifo": 2,
    "shuffle": 1,
    "late": 2,
    "rarely late shuffle": 3,
    "late shuffle": 5,
    "late ranks": 2,
    "starved shuffle": 1,
}
_DRAWN = tuple(name for name, weight in _WEIGHTS.items() for _ in range(weight))


def drawn_fair_schedule(choices: Choices) -> Line:
    """The schedule of one world: a drawn strategy that draws its decisions."""
    return FAIR_SCHEDULES[_DRAWN[choices.pick("schedule", len(_DRAWN))]](choices)
