"""A slot lost on cancellation: a waiter that was cancelled keeps its place in the queue."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

import trio

from chaoscheck import ChaosMachine, invariant, rule
from tests.quality.zoo.race import Race

__all__ = ["CANCELLED_WAITER"]


class Semaphore:
    """One slot, handed on in the order of waiting; who gave up waiting is handed it as well."""

    def __init__(self) -> None:
        self._free = 1
        self._waiting: deque[trio.Event] = deque()

    async def acquire(self) -> None:
        if self._free:
            self._free -= 1
            return
        turn = trio.Event()
        self._waiting.append(turn)
        try:
            await turn.wait()
        except trio.Cancelled:
            self.give_up(turn)
            raise

    def give_up(self, turn: trio.Event) -> None:
        """A waiter was cancelled: nobody tells the queue."""

    def forget(self, turn: trio.Event) -> None:
        """A waiter leaves the queue; a slot that came at this very instant goes on."""
        if turn.is_set():
            self.release()
        else:
            self._waiting.remove(turn)

    def release(self) -> None:
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self._free += 1


class TidySemaphore(Semaphore):
    """Who gives up leaves the queue."""

    def give_up(self, turn: trio.Event) -> None:
        self.forget(turn)


class Visiting(ChaosMachine):
    """Visitors enter a room for one and stay until somebody lets them out, or are cancelled.

    Smallest: five steps, no hold. One is inside, one waits and is cancelled, the first leaves,
    and the next one waits for a slot that a visitor who is gone was given. Without any of the
    five nobody waits, or somebody is inside.
    """

    cancels: ClassVar[bool] = True
    semaphore_type: ClassVar[type[Semaphore]] = Semaphore

    def setup(self) -> None:
        self.semaphore = self.semaphore_type()
        self.inside: deque[trio.Event] = deque()

    @rule(in_flight=True, may_stay=True)  # a visitor stays until another step lets it out
    async def enter(self) -> None:
        await self.semaphore.acquire()
        way_out = trio.Event()
        self.inside.append(way_out)
        try:
            await way_out.wait()
        finally:
            self.inside.remove(way_out)
            self.semaphore.release()

    @rule()
    async def let_one_out(self) -> None:
        if self.inside:
            self.inside[0].set()

    @invariant()
    def nobody_waits_at_an_empty_room(self) -> None:
        waiting = [] if self.inside else self.world.in_flight()
        assert waiting == [], f"the room is empty and {waiting} wait"


class SoundVisiting(Visiting):
    semaphore_type = TidySemaphore


CANCELLED_WAITER = Race(
    name="cancelled_waiter",
    what="the slot is handed to a waiter that was cancelled, and nobody ever gets it again",
    machine=Visiting,
    sound=SoundVisiting,
    law="nobody_waits_at_an_empty_room",
    smallest_steps=5,
    smallest_holds=0,
    plain_finds=True,
)
