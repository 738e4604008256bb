"""A window of depth three: a cache whose lease is a flag takes a stale value for a fresh one."""

from __future__ import annotations

from typing import ClassVar

import trio
from hypothesis import strategies as st

from chaoscheck import ChaosMachine, invariant, rule
from tests.quality.zoo.race import Race

__all__ = ["STALE_LEASE"]


class Cache:
    """A look-aside cache. Who misses takes the lease to fill it; a write takes all leases back.

    The lease is a flag: who lost it takes the next reader's lease for its own.
    """

    def __init__(self) -> None:
        self.stored = 0
        self.cached: int | None = None
        self.lease = 0  # 0: nobody may fill the cache
        self.leases = 0

    def grant(self) -> int:
        """The lease for a reader that missed; 0 while another reader has it."""
        if self.lease:
            return 0
        self.leases += 1
        self.lease = 1
        return self.lease

    async def get(self) -> int:
        if self.cached is not None:
            return self.cached
        lease, value = self.grant(), self.stored
        await trio.lowlevel.checkpoint()
        if lease and lease == self.lease:
            self.cached, self.lease = value, 0
        return value

    async def put(self, value: int) -> None:
        self.stored = value
        await trio.lowlevel.checkpoint()
        self.cached, self.lease = None, 0


class NumberedCache(Cache):
    """Each lease has a number of its own."""

    def grant(self) -> int:
        lease = super().grant()
        if lease:
            self.lease = self.leases
        return lease and self.lease


class Caching(ChaosMachine):
    """Reads and writes through the cache, overlapping.

    Smallest: two reads, a write and two holds. One reader loads the old value, the write is
    stored and takes its lease back, a second reader takes a lease, and the first one fills the
    cache on it. Each of the three is needed. Unheld, a reader misses and loads in its first round
    and fills in its second, and a write ends in its second. So the second reader must be held
    until the write has ended, and the first, with what it loaded, until the second has missed:
    no hold can be spared.
    """

    cache_type: ClassVar[type[Cache]] = Cache

    def setup(self) -> None:
        self.cache = self.cache_type()

    @rule(in_flight=True)
    async def get(self) -> int:
        return await self.cache.get()

    @rule(in_flight=True, value=st.integers(1, 3))
    async def put(self, value: int) -> None:
        await self.cache.put(value)

    @invariant(at_rest=True)
    def what_is_cached_is_what_is_stored(self) -> None:
        cached, stored = self.cache.cached, self.cache.stored
        assert cached in (None, stored), f"cached is {cached}, stored is {stored}"


class SoundCaching(Caching):
    cache_type = NumberedCache


STALE_LEASE = Race(
    name="stale_lease",
    what="a reader that lost its lease fills the cache on the lease of the next reader",
    machine=Caching,
    sound=SoundCaching,
    law="what_is_cached_is_what_is_stored",
    smallest_steps=3,
    smallest_holds=2,
    plain_finds=False,
)
