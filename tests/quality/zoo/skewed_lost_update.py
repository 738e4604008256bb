"""Lost update between clients of unequal speed: in lockstep their windows never meet."""

from __future__ import annotations

from itertools import product
from typing import ClassVar

import trio
from hypothesis import strategies as st

from chaoscheck import ChaosMachine, invariant, rule
from tests.quality.zoo.last_writes import last_writes
from tests.quality.zoo.race import Race

__all__ = ["SKEWED_LOST_UPDATE"]

LOOKUPS = 3  # checkpoints that a new address takes before the record is read


class Profile:
    """One record (name, address); each client reads it whole and writes it back whole."""

    def __init__(self) -> None:
        self.record = (0, 0)

    async def set_name(self, name: int) -> None:
        _, address = self.record
        await trio.lowlevel.checkpoint()
        self.record = (name, address)

    async def set_address(self, address: int) -> None:
        for _ in range(LOOKUPS):
            await trio.lowlevel.checkpoint()
        name, _ = self.record
        await trio.lowlevel.checkpoint()
        self.record = (name, address)


class FieldwiseProfile(Profile):
    """Each client writes its own field only."""

    async def set_name(self, name: int) -> None:
        await trio.lowlevel.checkpoint()
        self.record = (name, self.record[1])

    async def set_address(self, address: int) -> None:
        for _ in range(LOOKUPS + 1):
            await trio.lowlevel.checkpoint()
        self.record = (self.record[0], address)


class Editing(ChaosMachine):
    """Names and addresses are set, overlapping.

    Smallest: one of each and one hold. Operations that are in flight together start together,
    so in any order that gives each task one step a round, names are read and written in the
    rounds 1 and 2, addresses in 4 and 5, and two writes of one kind lose nothing. It takes one
    hold: a name, once read, waits until an address has been read.
    """

    profile_type: ClassVar[type[Profile]] = Profile

    def setup(self) -> None:
        self.profile = self.profile_type()

    @rule(in_flight=True, name=st.integers(1, 3))
    async def set_name(self, name: int) -> None:
        await self.profile.set_name(name)

    @rule(in_flight=True, address=st.integers(1, 3))
    async def set_address(self, address: int) -> None:
        await self.profile.set_address(address)

    @invariant(at_rest=True)
    def both_fields_hold_what_was_set_last(self) -> None:
        names = last_writes(self.history, "set_name") or {0}
        addresses = last_writes(self.history, "set_address") or {0}
        record = self.profile.record
        assert record in product(names, addresses), f"{record} is not of {names} and {addresses}"


class SoundEditing(Editing):
    profile_type = FieldwiseProfile


SKEWED_LOST_UPDATE = Race(
    name="skewed_lost_update",
    what="a name that waits with what it read writes an old address back, or the reverse",
    machine=Editing,
    sound=SoundEditing,
    law="both_fields_hold_what_was_set_last",
    smallest_steps=2,
    smallest_holds=1,
    plain_finds=False,
)
