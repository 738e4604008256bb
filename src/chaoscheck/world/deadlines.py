"""The deadlines of a world's trio run, in the order in which they were set."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

import trio
import trio._core._run as trio_run

from chaoscheck.world.clock import VirtualClock
from chaoscheck.world.source import Source

__all__ = ["Deadline", "OrderedDeadlines"]

# Theory of operation. In virtual time many deadlines are equal that differ by microseconds in a
# real run, where each task reads the clock a little later. So equal ones expire in the order in
# which they were set (trio itself takes the addresses of their scopes), and trio may notice one
# before the next. A deadline that has already passed when it is set is noticed before the next
# batch in every run. Two scopes with one and the same number, as two tasks that share a variable
# have, expire together in every run as well.
#
# ``take_due`` takes due deadlines out of trio's heap, until ``give_back``. Their scopes know
# nothing of it: one that is left meanwhile, or gets another deadline, is removed as before.

Deadline = tuple[float, int, Any]  # an entry of trio's heap: when, which, the scope

_ALREADY_PASSED = -(2**60)  # these stand before equal deadlines that lay ahead


class OrderedDeadlines(trio_run.Deadlines):
    """trio's deadlines; those that are due can be withheld."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock
        self._numbers = 0
        #: Whether the source of each is noted; it is needed only where timers may be late.
        self.keeps_sources = False
        self._sources: dict[int, Source] = {}
        self._timers_of: dict[trio.lowlevel.Task, int] = {}
        self._taken: dict[Any, int] = {}

    def add(self, deadline: float, cancel_scope: Any) -> None:
        """As trio's, and numbered."""
        self._clock.asked = True
        self._numbers = number = self._numbers + 1
        if deadline <= self._clock.now:
            number += _ALREADY_PASSED
        elif self.keeps_sources:
            self._note_source(number)
        heappush(self._heap, (deadline, number, cancel_scope))
        self._active += 1

    def remove(self, deadline: float, cancel_scope: Any) -> None:
        """As trio's; one that was taken is no longer counted."""
        if self._taken and self._taken.pop(cancel_scope, None) is not None:
            return
        self._active -= 1

    @property
    def are_due(self) -> bool:
        """Whether any has passed; it may be out of date."""
        heap = self._heap
        return bool(heap) and heap[0][0] <= self._clock.now

    def take_due(self) -> list[Deadline]:
        """The due deadlines that may be late, in order; each has a source.

        Once a deadline is late, the later ones that are due are: give them back in this order.
        """
        now, heap = self._clock.now, self._heap
        taken: list[Deadline] = []
        certain: list[Deadline] = []
        while heap and heap[0][0] <= now:
            entry = heappop(heap)
            if entry[0] != entry[2]._registered_deadline or entry[2] in self._taken:
                continue  # out of date, or there twice: trio would discard it as well
            if entry[1] in self._sources:
                taken.append(entry)
                self._taken[entry[2]] = entry[1]
                self._active -= 1
            else:
                certain.append(entry)
        for entry in certain:
            heappush(heap, entry)
        return taken

    def is_current(self, entry: Deadline) -> bool:
        """Whether the scope of a deadline that was taken still has it."""
        return self._taken.get(entry[2]) == entry[1]

    def give_back(self, entry: Deadline) -> None:
        """It expires before the next batch, unless its scope was left meanwhile."""
        if self.is_current(entry):
            del self._taken[entry[2]]
            heappush(self._heap, entry)
            self._active += 1

    def source_of(self, entry: Deadline) -> Source:
        """Whose timer it is."""
        return self._sources[entry[1]]

    def _note_source(self, number: int) -> None:
        task = getattr(trio_run.GLOBAL_RUN_CONTEXT, "task", None)
        if task is None:
            return  # set by no task: it is never late
        nth = self._timers_of[task] = self._timers_of.get(task, 0) + 1
        self._sources[number] = Source("timer", task, nth)
