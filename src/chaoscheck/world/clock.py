"""The virtual clock: it moves only when the pump tells it to, and carries the world's timers.

Trio asks this clock for the time; deadlines live in trio. What the virtual network delivers
later lives here, as timers: the pump runs a timer when the clock reaches it, before any trio
deadline of the same instant.
"""

from __future__ import annotations

import heapq
import inspect
import math
import sys
from collections.abc import Callable

import trio

__all__ = ["Timer", "VirtualClock"]


class Timer:
    """An action that the clock will run, unless it is cancelled before."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[], None]) -> None:
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """Do not run it, and do not let the clock stop for it. Idempotent."""
        self.action = None


_ENTER = inspect.unwrap(trio.CancelScope.__enter__).__code__


def _enters_a_scope_without_deadline() -> bool:
    """Whether trio reads the clock for a cancel scope that can never be too late: it always does.

    Its answer makes no difference then. A trio that asks in another way counts as code that reads.
    """
    try:
        frame = sys._getframe(4)  # this, the clock, trio's runner, trio.current_time, the scope
    except ValueError:
        return False
    return frame.f_code is _ENTER and frame.f_locals["self"]._deadline == math.inf


class VirtualClock(trio.abc.Clock):
    """Virtual seconds since the world opened. Not a MockClock: trio never jumps it by itself."""

    def __init__(self) -> None:
        self.now = 0.0
        #: Whether the next question is that of trio's loop: which deadlines are due?
        self.loop_asks = False
        #: Answer minus infinity to that question: none is, yet.
        self.deadlines_wait = False
        #: How often code read a clock since it last gave way, or a step began.
        self.reads = 0
        #: Whether anything depends on time: it was read by code, or a deadline or timer was set.
        self.asked = False
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = 0

    def start_clock(self) -> None:
        """Nothing to start: the clock stands until it is told."""

    def current_time(self) -> float:
        """Virtual seconds since the world opened."""
        if self.loop_asks:
            self.loop_asks = False
            return -math.inf if self.deadlines_wait else self.now
        if not self.asked and not _enters_a_scope_without_deadline():
            self.asked = True
        return self.now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Virtual seconds until ``deadline``."""
        return deadline - self.now

    def call_at(self, at_s: float, action: Callable[[], None]) -> Timer:
        """Run ``action`` when the clock reaches ``at_s``; equal times run in order of asking."""
        self.asked = True
        self._numbers += 1
        timer = Timer(action)
        heapq.heappush(self._timers, (max(at_s, self.now), self._numbers, timer))
        return timer

    def next_timer(self) -> float:
        """When the next timer is due, in virtual seconds; infinity when there is none."""
        timers = self._timers
        while timers and timers[0][2].action is None:
            heapq.heappop(timers)
        return timers[0][0] if timers else math.inf

    def run_due(self) -> None:
        """Run the timers that are due now, those that they add included."""
        while self.next_timer() <= self.now:
            action = heapq.heappop(self._timers)[2].action
            if action is not None:
                action()
