"""Dirty rollback: a cancelled write restores what it found, and undoes another's write."""

from __future__ import annotations

from typing import ClassVar

import trio
from hypothesis import strategies as st

from chaoscheck import ChaosMachine, invariant, rule
from tests.quality.zoo.last_writes import last_writes
from tests.quality.zoo.race import Race

__all__ = ["DIRTY_ROLLBACK"]


class Register:
    """Writes at once, and takes it back if it is cancelled before the commit."""

    def __init__(self) -> None:
        self.value = 0

    async def write(self, value: int) -> None:
        before = self.value
        self.value = value
        try:
            await trio.lowlevel.checkpoint()  # the commit
        except trio.Cancelled:
            self.value = before
            raise


class CommittedRegister(Register):
    """Writes once it has committed."""

    async def write(self, value: int) -> None:
        await trio.lowlevel.checkpoint()
        self.value = value


class Writing(ChaosMachine):
    """Writes, overlapping, some of them cancelled.

    Smallest: two writes of which the first is cancelled, no hold. It restores what it found,
    after the second has written. A single write has nobody to undo, and the second restores
    what the first wrote, as it should.
    """

    cancels: ClassVar[bool] = True
    register_type: ClassVar[type[Register]] = Register

    def setup(self) -> None:
        self.register = self.register_type()

    @rule(in_flight=True, value=st.integers(1, 3))
    async def write(self, value: int) -> None:
        await self.register.write(value)

    @invariant(at_rest=True)
    def a_committed_value_stays(self) -> None:
        committed = last_writes(self.history, "write") or {0}
        value = self.register.value
        assert value in committed, f"the value is {value}, committed last were {committed}"


class SoundWriting(Writing):
    register_type = CommittedRegister


DIRTY_ROLLBACK = Race(
    name="dirty_rollback",
    what="a cancelled write restores the value it found, and a committed one is gone",
    machine=Writing,
    sound=SoundWriting,
    law="a_committed_value_stays",
    smallest_steps=3,
    smallest_holds=0,
    plain_finds=True,
)
