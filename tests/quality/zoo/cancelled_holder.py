"""A lock released by a waiter that was cancelled: a third task enters beside the holder."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

import trio

from chaoscheck import ChaosMachine, invariant, rule
from tests.quality.zoo.race import Race

__all__ = ["CANCELLED_HOLDER"]


class HandOverLock:
    """A lock that its holder hands to whoever has waited longest."""

    def __init__(self) -> None:
        self._held = False
        self._waiting: deque[trio.Event] = deque()

    async def acquire(self) -> None:
        if not self._held:
            self._held = True
            return
        turn = trio.Event()
        self._waiting.append(turn)
        try:
            await turn.wait()
        except trio.Cancelled:
            if turn.is_set():
                self.release()  # The lock came at the instant of the cancellation: it goes on.
            else:
                self._waiting.remove(turn)
            raise

    def release(self) -> None:
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self._held = False


class Desk:
    """A place for one; whoever wanted it releases it, also who never had it."""

    def __init__(self) -> None:
        self.lock = HandOverLock()
        self.seated = 0

    async def use(self) -> None:
        try:
            await self.lock.acquire()
            await self.work()
        finally:
            self.lock.release()

    async def work(self) -> None:
        self.seated += 1
        try:
            await trio.sleep(1)
        finally:
            self.seated -= 1


class CarefulDesk(Desk):
    """Only who has it releases it."""

    async def use(self) -> None:
        await self.lock.acquire()
        try:
            await self.work()
        finally:
            self.lock.release()


class Sharing(ChaosMachine):
    """The desk is used, overlapping, and users are cancelled.

    Smallest: three uses, one of which is cancelled, and no hold. The first sits, the second
    waits, is cancelled and releases, and the third sits beside the first. With fewer users
    nobody is left to be let in wrongly, and without a cancellation each releases what it had.
    """

    cancels: ClassVar[bool] = True
    desk_type: ClassVar[type[Desk]] = Desk

    def setup(self) -> None:
        self.desk = self.desk_type()

    @rule(in_flight=True)
    async def use(self) -> None:
        await self.desk.use()

    @invariant()
    def one_sits_at_the_desk(self) -> None:
        assert self.desk.seated <= 1, f"{self.desk.seated} sit at a desk for one"


class SoundSharing(Sharing):
    desk_type = CarefulDesk


CANCELLED_HOLDER = Race(
    name="cancelled_holder",
    what="a cancelled waiter releases the lock that another task holds",
    machine=Sharing,
    sound=SoundSharing,
    law="one_sits_at_the_desk",
    smallest_steps=4,
    smallest_holds=0,
    plain_finds=True,
)
