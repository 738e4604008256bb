"""The virtual clock: it moves only when the pump tells it to, and carries the world's timers.

Trio asks this clock for the time; deadlines live in trio. What the virtual network delivers
later lives here, as timers: the pump runs a timer when the clock reaches it, before any trio
deadline of the same instant.
"""

from __future__ import annotations

import heapq
import math
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


class VirtualClock(trio.abc.Clock):
    """Virtual seconds since the world opened. Not a MockClock: trio never jumps it by itself."""

    def __init__(self) -> None:
        self.now = 0.0
        #: Answer minus infinity to the next question, that of trio's loop: which deadlines are due?
        self.deadlines_wait = False
        #: How often code read a clock since it last gave way, or a step began.
        self.reads = 0
        #: Whether the time was read since the world opened: by trio for a task, or by code.
        self.asked = False
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = 0

    def start_clock(self) -> None:
        """Nothing to start: the clock stands until it is told."""

    def current_time(self) -> float:
        """Virtual seconds since the world opened."""
        if self.deadlines_wait:
            self.deadlines_wait = False
            return -math.inf
        self.asked = True
        return self.now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Virtual seconds until ``deadline``."""
        return deadline - self.now

    def call_at(self, at_s: float, action: Callable[[], None]) -> Timer:
        """Run ``action`` when the clock reaches ``at_s``; equal times run in order of asking."""
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
