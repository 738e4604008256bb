"""Leak on cancellation: between taking a connection and the ``try`` lies one await."""

from __future__ import annotations

from typing import ClassVar

import trio

from chaoscheck import ChaosMachine, invariant, rule
from tests.quality.zoo.race import Race

__all__ = ["LEAK_ON_CANCEL"]

CONNECTIONS = 2


class AllBusyError(Exception):
    """No connection is idle."""


class Pool:
    """Takes a connection, greets, and only then makes sure that it will be given back."""

    def __init__(self) -> None:
        self.idle = CONNECTIONS

    async def fetch(self) -> None:
        await trio.lowlevel.checkpoint()  # looks the name up
        self.take()
        await trio.lowlevel.checkpoint()  # the greeting
        try:
            await trio.lowlevel.checkpoint()  # the request
        finally:
            self.idle += 1

    def take(self) -> None:
        if not self.idle:
            raise AllBusyError
        self.idle -= 1


class SafePool(Pool):
    """Makes sure of giving it back before anything else."""

    async def fetch(self) -> None:
        await trio.lowlevel.checkpoint()
        self.take()
        try:
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
        finally:
            self.idle += 1


class Fetching(ChaosMachine):
    """Fetches, overlapping, some of them cancelled.

    Smallest: a fetch that is cancelled at its second checkpoint, no hold. Cancelled at its
    first or third, or not at all, it gives back what it took.
    """

    cancels: ClassVar[bool] = True
    refusals: ClassVar[tuple[type[Exception], ...]] = (AllBusyError,)
    pool_type: ClassVar[type[Pool]] = Pool

    def setup(self) -> None:
        self.pool = self.pool_type()

    @rule(in_flight=True)
    async def fetch(self) -> None:
        await self.pool.fetch()

    @invariant(at_rest=True)
    def every_connection_comes_back(self) -> None:
        assert self.pool.idle == CONNECTIONS, f"{self.pool.idle} of {CONNECTIONS} came back"


class SoundFetching(Fetching):
    pool_type = SafePool


LEAK_ON_CANCEL = Race(
    name="leak_on_cancel",
    what="a fetch that is cancelled while it greets never gives its connection back",
    machine=Fetching,
    sound=SoundFetching,
    law="every_connection_comes_back",
    smallest_steps=2,
    smallest_holds=0,
    plain_finds=True,
)
