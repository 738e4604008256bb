"""The line of runnable tasks: one runs at a time, and who was passed over is on record.

``Line`` is the ground on which every schedule stands: FIFO with holds (``HoldingLine``) and
those that are drawn (see ``drawn_schedules``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import trio

from chaoscheck.plan.hold import Hold
from chaoscheck.world.source import Source
from chaoscheck.world.task_names import TaskNames, from_outside

# Theory of operation. Tasks become runnable in generations: what is runnable when a generation
# begins runs first, in the order of the tasks' start, and whoever wakes meanwhile belongs to the
# next one. Always taking the first of the line is FIFO: exactly what trio does when nobody
# shuffles, so that FIFO costs nothing. Any other pick passes somebody over. A pick from the next
# generation ends the present one: those who are left stand first in the line of the next.
#
# Each stretch of a task that is passed over is put on record as a *hold*: after whose stretch it
# then ran. FIFO with these holds gives the same order again, pick by pick: whoever stands before
# the one picked is held at that time, and the one picked is not.
#
# A generation is what trio calls a batch. A present trio runs each task of a batch before any of
# the next, so an order is *fair*, one that a real run can show, if no task is left behind when a
# generation ends by a pick from the next: its checkpoint outlasts a batch. A task that the world
# started and that has not run yet may be left behind: a request may come late. A line may also
# say that a start *is late*: then the generation is over when none but late starts are left, and
# they belong to the next. So a start can be the first of a batch that others are in already.
#
# The clock's timers fire between generations only, so that one order of tasks is one run.
#
# What comes from outside (``outside``) is asked for between generations as well. What is withheld
# is a hold of its *source*, until the last stretch before it came. A task that was cancelled while
# it waited never saw it: that hold is until the task itself goes on.
#
# Every schedule is fair in the end: a task that was passed over ``PATIENCE`` decisions in a row has
# its turn. Otherwise a task that polls (``while not done: await trio.sleep(0)``) and the one that
# it waits for would be a livelock which no real run is. That turn is on record like any other.

__all__ = ["HoldingLine", "Line"]

Task = trio.lowlevel.Task

# Decisions that a task may be passed over. More than the draws of a step, so that it never cuts a
# drawn order short; a hundredth of the ticks after which the pump calls a run a livelock.
PATIENCE = 100


@dataclass(slots=True)
class _Passed:
    """A stretch that was passed over, and, once it ran, the stretch after which it did."""

    task: Task
    at: int
    since: int  # the decision that passed it over first
    late: bool  # whether it is a late start
    outlasts: bool = False  # whether a whole batch of the others ended meanwhile
    until: Task | None = None
    ran: int = 0
    source: str = ""  # what came late, if it was not the task itself


class _Withheld(NamedTuple):
    """A source that has not come: its record, the batch that missed it, and the slice before."""

    passed: _Passed
    batch: int
    after: tuple[Task | None, int]


class Line(ABC):
    """Takes one task at a time; ``choose`` says which. Lives as long as its world."""

    #: Whether ``is_late`` may ever be true.
    has_late_starts = False
    #: Whether ``is_withheld`` may ever be true.
    has_late_sources = False

    def __init__(self) -> None:
        self.names = TaskNames()
        self.push_back: Callable[[Iterable[Task]], object] = _nowhere
        self._now: list[Task] = []  # who is left of this generation
        self._next: list[Task] = []  # who woke meanwhile
        self._waiting: dict[Task, _Passed] = {}
        self._withheld: dict[Source, _Withheld] = {}
        self._record: list[_Passed] = []
        self._last: Task | None = None
        self._last_ran = 0
        self._decided = 0
        self.batches = 0  # generations so far
        self._fifo = False

    @property
    def between_generations(self) -> bool:
        """Whether nobody is left of a generation; timers fire only then."""
        return not self._now or self._all_late()

    def is_late(self, task: Task) -> bool:
        """Whether a task is a start that belongs to the batch in which it comes, not to this one.

        A function of what happened so far: it draws nothing.
        """
        return False

    def _all_late(self) -> bool:
        return self.has_late_starts and all(self.is_late(task) for task in self._now)

    def meet(self, tasks: Iterable[Task]) -> None:
        """These ran before: a hold may wait for the one that hands over what threads return."""
        for task in tasks:
            self.names.see(task)

    def begin_step(self) -> None:  # noqa: B027  # most lines need no notice of it
        """A step of the program begins."""

    def run_fifo(self, on: bool) -> None:
        """Take the first in line from now on, or (False) ask ``choose`` again."""
        self._fifo = on

    def order(self, batch: list[Task]) -> None:
        """Leave the one that runs next in ``batch``, and push all others back."""
        if not batch:
            return
        for task in batch:
            if task._schedule_points == 0:
                self.names.see(task)
        if len(batch) > 1 or self._now or self._next:
            self._line_up(batch)
            self._decided += 1
            index = 0 if self._fifo else self._overdue()
            if index is None:
                index = self.choose(self._now, self._next)
            batch[:] = [self._take(index)]
            self.push_back((*self._now, *self._next))
        else:
            self.batches += 1
        task = batch[0]
        if self._waiting:
            passed = self._waiting.pop(task, None)
            if passed is not None:
                passed.until, passed.ran = self._last, self._last_ran
        self._last, self._last_ran = task, task._schedule_points + 1

    def _overdue(self) -> int | None:
        """The place of the task that was passed over for too long; None where there is none."""
        for passed in self._waiting.values():  # in the order in which they were passed over
            if self._decided - passed.since <= PATIENCE:
                break
            line = (*self._now, *self._next)
            if passed.task in line:
                return line.index(passed.task)
        return None

    @abstractmethod
    def choose(self, now: Sequence[Task], later: Sequence[Task]) -> int:
        """The place in ``now`` + ``later`` of who runs next; 0 is FIFO. ``now`` is not empty."""

    def _line_up(self, batch: Sequence[Task]) -> None:
        now, later = self._now, self._next
        known = {*now, *later}
        later.extend(task for task in batch if task not in known)
        later.sort(key=_by_start)
        if len(now) + len(later) != len(batch):  # somebody was taken out of the line from outside
            now[:] = [task for task in now if task in batch]
            later[:] = [task for task in later if task in batch]
        if now and self._all_late():
            for task in now:
                self._pass_over(task)
            later.extend(now)
            later.sort(key=_by_start)
            now.clear()
        if not now:
            self._now, self._next = later, now
            self.batches += 1

    def _take(self, index: int) -> Task:
        now, later = self._now, self._next
        if index == 0:
            return now.pop(0)
        for task in (*now, *later)[:index]:
            self._pass_over(task)
        if index < len(now):
            return now.pop(index)
        taken = later.pop(index - len(now))
        self.batches += 1
        for task in now:
            if task._schedule_points or not from_outside(task):
                self._waiting[task].outlasts = True
        now.extend(later)
        later.clear()
        return taken

    def _pass_over(self, task: Task) -> None:
        if task not in self._waiting:
            late = self.has_late_starts and self.is_late(task)
            passed = _Passed(task, task._schedule_points, self._decided, late)
            self._waiting[task] = passed
            self._record.append(passed)

    # What comes from outside; see ``outside``.

    def withholds(self, source: Source) -> bool:
        """Whether it does not come before the next batch; it is on record if so."""
        known = self._withheld.get(source)
        if self._fifo or (known is not None and self.batches - known.batch > PATIENCE):
            return False
        if not self.is_withheld(source):
            return False
        if known is None:
            now = (self._last, self._last_ran)
            self._withheld[source] = _Withheld(self._put_on_record(source), self.batches, now)
        return True

    def _put_on_record(self, source: Source) -> _Passed:
        passed = _Passed(source.task, source.nth, self._decided, False, source=source.kind)
        self._record.append(passed)
        return passed

    def is_withheld(self, source: Source) -> bool:
        """Whether this schedule withholds it now."""
        return False

    def first_to_come(self, sources: Sequence[Source]) -> int:
        """The place of the one that comes where nothing else can happen."""
        return 0

    def came(self, source: Source) -> None:
        """It came, or something else ended the wait for it."""
        known = self._withheld.pop(source, None)
        if known is None:
            return
        if known.after == (self._last, self._last_ran):  # nothing ran meanwhile: it was not late
            self._record = [passed for passed in self._record if passed is not known.passed]
        else:
            known.passed.until, known.passed.ran = self._last, self._last_ran

    def missed(self, source: Source) -> None:
        """The task stopped waiting for it. What comes in time would have come later as well."""
        known = self._withheld.pop(source, None)
        if known is not None:
            known.passed.until, known.passed.ran = source.task, source.task._schedule_points + 1

    def holds(self) -> tuple[Hold, ...]:
        """The holds with which FIFO gives this very order again."""
        return tuple(map(self._hold, self._record))

    def _hold(self, passed: _Passed) -> Hold:
        name = self.names.of
        # A task that a failure overtook never ran again: it waits for the last slice of all.
        until, ran = (passed.until, passed.ran) if passed.until else (self._last, self._last_ran)
        assert until is not None  # a task is passed over for another, which then runs
        return Hold(
            task=name(passed.task),
            at=passed.at,
            until=name(until),
            ran=ran,
            late=passed.late,
            source=passed.source,
        )

    def unfair(self, holds: Iterable[Hold]) -> tuple[Hold, ...]:
        """Those of the ``holds`` of this run by which a checkpoint outlasted a batch."""
        name = self.names.of
        outlasting = {(name(each.task), each.at, "") for each in self._record if each.outlasts}
        return tuple(hold for hold in holds if (hold.task, hold.at, hold.source) in outlasting)


class HoldingLine(Line):
    """FIFO, but for these holds."""

    def __init__(self, holds: Iterable[Hold] = ()) -> None:
        super().__init__()
        self._holds: dict[tuple[str, str, int], list[Hold]] = {}
        for hold in holds:
            self._holds.setdefault((hold.source, hold.task, hold.at), []).append(hold)
            self.has_late_starts = self.has_late_starts or hold.late
            self.has_late_sources = self.has_late_sources or hold.source != ""

    def choose(self, now: Sequence[Task], later: Sequence[Task]) -> int:
        """The first who is not held; the very first where all are."""
        for index, task in enumerate((*now, *later)):
            if not self.is_held(task):
                return index
        return 0

    def is_late(self, task: Task) -> bool:
        """Whether a hold says so."""
        if task._schedule_points or not from_outside(task):
            return False
        return any(hold.late for hold in self._holds.get(("", self.names.of(task), 0), ()))

    def is_held(self, task: Task) -> bool:
        """Whether some hold keeps ``task`` from going on."""
        holds = self._holds.get(("", self.names.of(task), task._schedule_points), ())
        return any(self._lasts(hold) for hold in holds)

    def is_withheld(self, source: Source) -> bool:
        """Whether some hold keeps it from coming."""
        holds = self._holds.get((source.kind, self.names.of(source.task), source.nth), ())
        return any(self._lasts(hold) for hold in holds)

    def _lasts(self, hold: Hold) -> bool:
        """Whether a hold is still on: a task that has not been seen yet may come."""
        task = self.names.task(hold.until)
        if task is None:
            return True
        ended = getattr(task.coro, "cr_frame", None) is None
        return not ended and task._schedule_points < hold.ran


def _nowhere(tasks: Iterable[Task]) -> None:
    """Replaced by the world when it opens."""


def _by_start(task: Task) -> int:
    return task._counter
