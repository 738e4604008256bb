"""Two operations in flight on one account. Is an amount ever lost? (It is: run it.)"""

import trio
from hypothesis import strategies as st

from chaoscheck import ChaosMachine, Model, invariant, linearizable, rule

AMOUNTS = st.integers(1, 9)


class Account:
    """The code under test. A deposit is one line: does it need the lock?"""

    def __init__(self) -> None:
        self.balance = 0
        self.lock = trio.Lock()

    async def deposit(self, amount: int) -> int:
        self.balance += amount
        return self.balance

    async def withdraw(self, amount: int) -> int:
        async with self.lock:
            seen = self.balance
            await trio.lowlevel.checkpoint()  # asks somebody whether it may
            self.balance = seen - amount
            return self.balance


def account(balance: int, name: str, argument: dict[str, int]) -> tuple[int, int]:
    """What each operation does when it is alone: the new balance, and the answer."""
    change = argument["amount"] if name == "deposit" else -argument["amount"]
    return balance + change, balance + change


class Banking(ChaosMachine):
    """Amounts come and go at the same time."""

    def setup(self) -> None:
        self.account = Account()

    @rule(in_flight=True, amount=AMOUNTS)
    async def deposit(self, amount: int) -> int:
        return await self.account.deposit(amount)

    @rule(in_flight=True, amount=AMOUNTS)
    async def withdraw(self, amount: int) -> int:
        return await self.account.withdraw(amount)

    @invariant()
    def as_if_one_after_the_other(self) -> None:
        linearizable(self.history, Model.of(0, account)).require()


TestBanking = Banking.TestCase
