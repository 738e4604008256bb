"""Torn read: an audit adds two accounts up while money is between them."""

from __future__ import annotations

from typing import ClassVar

import trio
from hypothesis import strategies as st

from chaoscheck import ChaosMachine, invariant, rule
from tests.quality.zoo.race import Race

__all__ = ["TORN_READ"]

TOTAL = 100


class Accounts:
    """Two accounts. A transfer writes one after the other, an audit reads one after the other."""

    def __init__(self) -> None:
        self.left, self.right = TOTAL, 0

    async def transfer(self, amount: int) -> None:
        self.left -= amount
        await trio.lowlevel.checkpoint()
        self.right += amount

    async def audit(self) -> int:
        left = self.left
        await trio.lowlevel.checkpoint()
        return left + self.right


class LockedAccounts(Accounts):
    """One at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = trio.Lock()

    async def transfer(self, amount: int) -> None:
        async with self._lock:
            await super().transfer(amount)

    async def audit(self) -> int:
        async with self._lock:
            return await super().audit()


class Auditing(ChaosMachine):
    """Transfers and audits, overlapping.

    Smallest: a transfer, an audit and one hold. First come, first served, each side sees the
    other either twice or never: whoever comes first acts first both times. It takes one hold:
    the transfer's second write waits for the audit's second read.
    """

    accounts_type: ClassVar[type[Accounts]] = Accounts

    def setup(self) -> None:
        self.accounts = self.accounts_type()

    @rule(in_flight=True, amount=st.integers(1, 3))
    async def transfer(self, amount: int) -> None:
        await self.accounts.transfer(amount)

    @rule(in_flight=True)
    async def audit(self) -> int:
        return await self.accounts.audit()

    @invariant()
    def an_audit_finds_all_the_money(self) -> None:
        audits = [each for each in self.history if each.name == "audit" and each.status == "ok"]
        wrong = [each.result for each in audits if each.result != TOTAL]
        assert wrong == [], f"of {TOTAL} audits found {wrong}"


class SoundAuditing(Auditing):
    accounts_type = LockedAccounts


TORN_READ = Race(
    name="torn_read",
    what="an audit reads one account after a transfer wrote it, and the other before",
    machine=Auditing,
    sound=SoundAuditing,
    law="an_audit_finds_all_the_money",
    smallest_steps=2,
    smallest_holds=1,
    plain_finds=True,
)
