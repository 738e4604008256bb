"""Lost update in lockstep: two tasks read, then both write."""

from __future__ import annotations

from typing import ClassVar

import trio

from chaoscheck import ChaosMachine, invariant, rule
from chaoscheck.checks.linearizability import linearizable
from chaoscheck.checks.model import Model
from tests.quality.zoo.race import Race

__all__ = ["LOCKSTEP_LOST_UPDATE"]


class Counter:
    """Reads, waits a moment, writes: whoever reads meanwhile reads the old value."""

    def __init__(self) -> None:
        self.value = 0

    async def increment(self) -> int:
        seen = self.value
        await trio.lowlevel.checkpoint()
        self.value = seen + 1
        return seen + 1


class LockedCounter(Counter):
    """One at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = trio.Lock()

    async def increment(self) -> int:
        async with self._lock:
            return await super().increment()


def _next_value(value: int, name: str, argument: object) -> tuple[int, int]:
    return value + 1, value + 1


COUNTER = Model.of(0, _next_value)


class Counting(ChaosMachine):
    """Increments, overlapping.

    Smallest: two increments, no hold. One alone is right, and two in the order of their start
    both read before either writes.
    """

    counter_type: ClassVar[type[Counter]] = Counter

    def setup(self) -> None:
        self.counter = self.counter_type()

    @rule(in_flight=True)
    async def increment(self) -> int:
        return await self.counter.increment()

    @invariant()
    def increments_happen_one_after_another(self) -> None:
        linearizable(self.history, COUNTER).require()


class SoundCounting(Counting):
    counter_type = LockedCounter


LOCKSTEP_LOST_UPDATE = Race(
    name="lockstep_lost_update",
    what="two increments read the same value, and one of them is lost",
    machine=Counting,
    sound=SoundCounting,
    law="increments_happen_one_after_another",
    smallest_steps=2,
    smallest_holds=0,
    plain_finds=True,
)
