"""ABA: a free list compares its head, and the head is the same again but what lies below is not."""

from __future__ import annotations

from typing import ClassVar

import trio

from chaoscheck import ChaosMachine, invariant, rule
from tests.quality.zoo.race import Race

__all__ = ["ABA"]


class NoneIdleError(Exception):
    """All connections are lent."""


class Connection:
    """A link of the free list."""

    def __init__(self, name: str, below: Connection | None) -> None:
        self.name = name
        self.below = below


class FreeList:
    """A stack of idle connections, after Treiber: take with a compare-and-set on the head."""

    def __init__(self) -> None:
        self.head: Connection | None = Connection("a", Connection("b", None))
        self.changes = 0

    async def take(self) -> Connection:
        while True:
            seen, changes = self.head, self.changes
            if seen is None:
                raise NoneIdleError
            below = seen.below
            await trio.lowlevel.checkpoint()
            if self.is_as_seen(seen, changes):
                self.head = below
                self.changes += 1
                return seen

    def is_as_seen(self, seen: Connection, changes: int) -> bool:
        """Whether the list is as it was; it compares the head alone."""
        return self.head is seen

    def give(self, connection: Connection) -> None:
        connection.below, self.head = self.head, connection
        self.changes += 1

    def idle(self) -> list[str]:
        """The names of the idle connections from the top; cut short when they form a ring."""
        names: list[str] = []
        at = self.head
        while at is not None and len(names) < 3:
            names.append(at.name)
            at = at.below
        return names


class CountedFreeList(FreeList):
    """The head carries a count of its changes."""

    def is_as_seen(self, seen: Connection, changes: int) -> bool:
        return changes == self.changes


class Lending(ChaosMachine):
    """Connections are taken, used for two checkpoints, and given back.

    Smallest: three loans and one hold. The first has read that "b" lies below "a" and is held
    while the second takes "a" and the third takes "b"; once "a" is given back the first takes it
    and puts "b", which is lent, on top. With two loans nobody has "b". A window is one
    checkpoint wide and a loan lasts three, so that without a hold, in any order that gives each
    task one step a round, no loan begins and ends inside it.
    """

    schedules: ClassVar[str] = "any"  # no loan fits between two batches of a present trio
    refusals: ClassVar[tuple[type[Exception], ...]] = (NoneIdleError,)
    list_type: ClassVar[type[FreeList]] = FreeList

    def setup(self) -> None:
        self.free = self.list_type()

    @rule(in_flight=True)
    async def lend(self) -> None:
        connection = await self.free.take()
        for _ in range(2):
            await trio.lowlevel.checkpoint()
        self.free.give(connection)

    @invariant(at_rest=True)
    def each_connection_is_idle_once(self) -> None:
        assert sorted(self.free.idle()) == ["a", "b"], f"idle are {self.free.idle()}"


class SoundLending(Lending):
    list_type = CountedFreeList


ABA = Race(
    name="aba",
    what="the head is the same connection again, and what lay below it is lent by now",
    machine=Lending,
    sound=SoundLending,
    law="each_connection_is_idle_once",
    smallest_steps=3,
    smallest_holds=1,
    plain_finds=False,
)
