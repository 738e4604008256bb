"""Two locks taken in opposite order: two transfers wait for each other for ever."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import ClassVar

import trio
from hypothesis import strategies as st

from chaoscheck import ChaosMachine, invariant, rule
from tests.quality.zoo.race import Race

__all__ = ["OPPOSITE_LOCKS"]


class Bank:
    """Locks the account that pays, then the one that is paid."""

    def __init__(self) -> None:
        self._locks = [trio.Lock() for _ in range(3)]

    async def move(self, payer: int, payee: int) -> None:
        async with AsyncExitStack() as stack:
            for account in self.in_order(payer, payee):
                await stack.enter_async_context(self._locks[account])

    def in_order(self, payer: int, payee: int) -> list[int]:
        return list(dict.fromkeys([payer, payee]))


class OrderedBank(Bank):
    """Locks the smaller number first."""

    def in_order(self, payer: int, payee: int) -> list[int]:
        return sorted({payer, payee})


class Moving(ChaosMachine):
    """Money moves among three accounts, overlapping.

    Smallest: two moves in opposite directions, no hold. Each has its first lock before either
    asks for its second. A single move waits for nobody.
    """

    bank_type: ClassVar[type[Bank]] = Bank

    def setup(self) -> None:
        self.bank = self.bank_type()

    @rule(in_flight=True, payer=st.integers(0, 2), payee=st.integers(0, 2))
    async def move(self, payer: int, payee: int) -> None:
        await self.bank.move(payer, payee)

    @invariant()
    def every_move_ends(self) -> None:
        stuck = self.world.in_flight()
        assert stuck == [], f"all is quiet and {stuck} have not ended"


class SoundMoving(Moving):
    bank_type = OrderedBank


OPPOSITE_LOCKS = Race(
    name="opposite_locks",
    what="two moves in opposite directions wait for each other's lock",
    machine=Moving,
    sound=SoundMoving,
    law="every_move_ends",
    smallest_steps=2,
    smallest_holds=0,
    plain_finds=True,
)
