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

__all__ = ["VirtualClock"]


class VirtualClock(trio.abc.Clock):
    """Virtual seconds since the world opened. Not a MockClock: trio never jumps it by itself."""

    def __init__(self) -> None:
        self.now = 0.0
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = 0

    def start_clock(self) -> None:
        """Nothing to start: the clock stands until it is told."""

    def current_time(self) -> float:
        """Virtual seconds since the world opened."""
        return self.now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Virtual seconds until ``deadline``."""
        return deadline - self.now

    def call_at(self, at_s: float, action: Callable[[], None]) -> None:
        """Run ``action`` when the clock reaches ``at_s``; equal times run in order of asking."""
        self._numbers += 1
        heapq.heappush(self._timers, (max(at_s, self.now), self._numbers, action))

    def next_timer(self) -> float:
        """When the next timer is due, in virtual seconds; infinity when there is none."""
        return self._timers[0][0] if self._timers else math.inf

    def run_due(self) -> bool:
        """Run the timers that are due now; whether there were any."""
        timers = self._timers
        ran = False
        while timers and timers[0][0] <= self.now:
            heapq.heappop(timers)[2]()
            ran = True
        return ran
