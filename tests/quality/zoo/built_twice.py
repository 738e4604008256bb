"""Double-checked initialisation without its second check: it is built twice."""

from __future__ import annotations

from typing import ClassVar

import trio

from chaoscheck import ChaosMachine, invariant, rule
from tests.quality.zoo.race import Race

__all__ = ["BUILT_TWICE"]


class Lazy:
    """Builds its value on first use, under a lock, and does not look again once it has the lock."""

    def __init__(self) -> None:
        self.value: int | None = None
        self.built = 0
        self.lock = trio.Lock()

    async def get(self) -> int:
        if self.value is None:
            async with self.lock:
                self.value = await self.build()
        return self.value

    async def build(self) -> int:
        self.built += 1
        number = self.built
        await trio.lowlevel.checkpoint()
        return number


class DoubleCheckedLazy(Lazy):
    """Looks again once it has the lock."""

    async def get(self) -> int:
        if self.value is None:
            async with self.lock:
                if self.value is None:
                    self.value = await self.build()
        return self.value


class Asking(ChaosMachine):
    """The value is asked for, overlapping.

    Smallest: two gets, no hold. Both look before either has built.
    """

    lazy_type: ClassVar[type[Lazy]] = Lazy

    def setup(self) -> None:
        self.lazy = self.lazy_type()

    @rule(in_flight=True)
    async def get(self) -> int:
        return await self.lazy.get()

    @invariant()
    def all_get_the_same(self) -> None:
        values = {get.result for get in self.history if get.status == "ok"}
        assert len(values) <= 1, f"builds {values} were handed out"


class SoundAsking(Asking):
    lazy_type = DoubleCheckedLazy


BUILT_TWICE = Race(
    name="built_twice",
    what="two first uses both build the value, one after the other",
    machine=Asking,
    sound=SoundAsking,
    law="all_get_the_same",
    smallest_steps=2,
    smallest_holds=0,
    plain_finds=True,
)
