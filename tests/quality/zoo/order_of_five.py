"""An order of five tasks: only when all five act in the reversed order is anything lost."""

from __future__ import annotations

from typing import ClassVar

import trio

from chaoscheck import ChaosMachine, invariant, rule
from tests.quality.zoo.race import Race

__all__ = ["ORDER_OF_FIVE"]

CHUNKS = 5


class Assembly:
    """Puts chunks in order. Four in a row that come before their predecessor are too many."""

    patience: ClassVar[int] = CHUNKS - 1

    def __init__(self) -> None:
        self.chunks: list[int] = []
        self._backwards = 0

    def add(self, number: int) -> None:
        backwards = bool(self.chunks) and number < self.chunks[-1]
        self._backwards = self._backwards + 1 if backwards else 0
        if self._backwards < self.patience:
            self.chunks.append(number)


class PatientAssembly(Assembly):
    """As many as there are chunks may come before their predecessor."""

    patience = CHUNKS


class Receiving(ChaosMachine):
    """A file comes in five chunks, each in a task of its own.

    Smallest: one file and four holds. Unheld, all arrive at their first chance, in order, but
    for the last, which takes a checkpoint and comes after them: no round of one step each
    reverses that. Every chunk but the last must come after its successor, which none does by
    itself and no hold of another brings about: four must be held, each by a hold of its own.
    """

    schedules: ClassVar[str] = "any"  # the last chunk takes a batch more than those after it
    assembly_type: ClassVar[type[Assembly]] = Assembly

    @rule(in_flight=True)
    async def receive(self) -> list[int]:
        assembly = self.assembly_type()
        async with trio.open_nursery() as nursery:
            for number in range(CHUNKS):
                nursery.start_soon(_arrive, assembly, number, name=f"chunk {number}")
        return sorted(assembly.chunks)

    @invariant()
    def every_chunk_is_there(self) -> None:
        short = [file.result for file in self.history if file.status == "ok"]
        short = [chunks for chunks in short if chunks != list(range(CHUNKS))]
        assert short == [], f"of five chunks only {short}"


async def _arrive(assembly: Assembly, number: int) -> None:
    if number == CHUNKS - 1:
        await trio.lowlevel.checkpoint()  # it closes the file
    assembly.add(number)


class SoundReceiving(Receiving):
    assembly_type = PatientAssembly


ORDER_OF_FIVE = Race(
    name="order_of_five",
    what="the last of five chunks is dropped if they arrive in exactly the reversed order",
    machine=Receiving,
    sound=SoundReceiving,
    law="every_chunk_is_there",
    smallest_steps=1,
    smallest_holds=4,
    plain_finds=False,
)
