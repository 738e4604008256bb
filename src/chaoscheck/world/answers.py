"""What a world answers to code that asks the real one: the time, chance, and host names.

The patches of ``world.patches`` ask this; code in the world never sees it.
"""

from __future__ import annotations

import random
from typing import Protocol

from chaoscheck.errors import Escape, Livelock
from chaoscheck.world.choices import Choices
from chaoscheck.world.clock import VirtualClock
from chaoscheck.world.network.resolver import VirtualResolver
from chaoscheck.world.outside import Outside
from chaoscheck.world.patches.caller import calling_place

__all__ = ["READS_MAX", "Answers"]

# Reads of a clock in one stretch of code that never gives way, so that no time can pass: ~0.1 s of
# CPU. Code that reads a clock for each of its items stays far below.
READS_MAX = 100_000
WORKER_SLEEP_MAX_S = 86_400.0  # virtual seconds after which a worker's sleep counts as endless


class Ticking(Protocol):
    """What the answers ask of the pump."""

    clock: VirtualClock
    failure: BaseException | None

    @property
    def ticking(self) -> bool:
        """Whether a task of the world is running right now."""


class StillPolls(BaseException):
    """Raised where code polls on although it was given a Livelock, and swallowed it."""


class Answers:
    """The answers of one world."""

    #: Whether tasks may use real sockets on the loopback interface.
    real_sockets = False

    def __init__(
        self, pump: Ticking, choices: Choices, resolver: VirtualResolver, outside: Outside
    ) -> None:
        self.clock = pump.clock
        self.resolver = resolver
        self.outside = outside
        #: Whether code in the world ever read a clock.
        self.asked_for_time = False
        self._pump = pump
        self._choices = choices
        self._bytes: random.Random | None = None
        self._in_worker = False
        self._slept_s = 0.0
        self._sleeps = 0

    @property
    def ticking(self) -> bool:
        """Whether a task of the world is running right now."""
        return self._pump.ticking

    # ------------------------------------------------------------------ time

    def read_clock(self) -> float:
        """The virtual seconds that the calling code sees.

        Livelock after ``READS_MAX`` reads by code that never gives way.
        """
        self.asked_for_time = True
        self.clock.reads += 1
        if self.clock.reads > READS_MAX:
            self._polls_for_ever()
        return self.clock.now + self._slept_s

    def _polls_for_ever(self) -> None:
        livelock = Livelock(
            f"the clock was read {READS_MAX} times at {self.clock.now:g} s by code that never "
            f"gives way, so that time cannot pass: {calling_place()}. Sync code cannot wait for a "
            f"time in a world: await trio.sleep, or call time.sleep in trio.to_thread.run_sync"
        )
        self.keep(livelock)
        if self.clock.reads > 2 * READS_MAX:  # it swallowed a hundred thousand of them
            raise StillPolls(str(livelock))
        raise livelock

    # ------------------------------------------------------------------ worker threads

    @property
    def in_worker(self) -> bool:
        """Whether the calling code is a worker thread's, which runs inline."""
        return self._in_worker

    def begin_worker(self) -> None:
        """What runs now is a worker thread's function."""
        self._in_worker = True
        self._slept_s, self._sleeps = 0.0, 0

    def end_worker(self) -> float:
        """The worker's function has returned; how long it slept, in virtual seconds."""
        slept_s, self._slept_s, self._in_worker = self._slept_s, 0.0, False
        return slept_s

    def sleep_in_worker(self, seconds: float) -> bool:
        """Let the worker sleep; whether that can go on: False past a day, or after 10⁵ sleeps."""
        self._slept_s += seconds
        self._sleeps += 1
        self.clock.reads = 0
        return self._slept_s <= WORKER_SLEEP_MAX_S and self._sleeps <= READS_MAX

    # ------------------------------------------------------------------ chance

    def random_bytes(self, size: int) -> bytes:
        """Bytes from the world's own stream, the same in every run."""
        if self._bytes is None:
            self._bytes = random.Random(self._choices.pick("ambient seed", 2**16))
        return self._bytes.randbytes(size)

    # ------------------------------------------------------------------ failing

    def keep(self, error: Escape | Livelock) -> None:
        """Keep an error, so that it cannot be swallowed: the world raises the first one.

        At the end of the tick; in sync code at the end of the step, or when the world closes.
        """
        if self._pump.failure is None:
            self._pump.failure = error
