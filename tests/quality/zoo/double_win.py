"""Double win of a compare-and-set that is made of a read, a write and a second look."""

from __future__ import annotations

from typing import ClassVar

import trio
from hypothesis import strategies as st

from chaoscheck import ChaosMachine, invariant, rule
from tests.quality.zoo.race import Race

__all__ = ["DOUBLE_WIN"]


class Election:
    """A node that sees no leader writes its name, looks again, and leads if it stands there.

    Fischer's algorithm without its delay: who is slow to write overwrites a leader that has
    looked already.
    """

    def __init__(self) -> None:
        self.leaders: dict[int, int] = {}

    async def claim(self, term: int, node: int) -> bool:
        if term in self.leaders:
            return False
        await trio.lowlevel.checkpoint()
        self.leaders[term] = node
        await trio.lowlevel.checkpoint()
        return self.leaders[term] == node


class AtomicElection(Election):
    """Looks and writes at one instant, and has no need of a second look."""

    async def claim(self, term: int, node: int) -> bool:
        await trio.lowlevel.checkpoint()
        if term in self.leaders:
            return False
        self.leaders[term] = node
        return True


class Electing(ChaosMachine):
    """Nodes claim to lead a term, overlapping.

    Smallest: two claims and one hold. In any order that gives each task one step a round, all
    look, then all write, then all look again, and the last to write wins alone. It takes one
    hold: a node that saw no leader writes only when another has looked for the second time.
    A present trio shows it with two: the second claim comes a batch late, and looks before the
    first one writes.
    """

    election_type: ClassVar[type[Election]] = Election

    def setup(self) -> None:
        self.election = self.election_type()

    @rule(in_flight=True, term=st.integers(0, 3), node=st.integers(1, 3))
    async def claim(self, term: int, node: int) -> bool:
        return await self.election.claim(term, node)

    @invariant()
    def a_term_has_one_leader(self) -> None:
        leaders: dict[int, set[int]] = {}
        for claim in self.history:
            if claim.result and isinstance(claim.argument, dict):
                leaders.setdefault(claim.argument["term"], set()).add(claim.argument["node"])
        rivals = {term: nodes for term, nodes in leaders.items() if len(nodes) > 1}
        assert rivals == {}, f"leaders by term: {rivals}"


class SoundElecting(Electing):
    election_type = AtomicElection


DOUBLE_WIN = Race(
    name="double_win",
    what="two nodes win the same compare-and-set, since its look and its write are two steps",
    machine=Electing,
    sound=SoundElecting,
    law="a_term_has_one_leader",
    smallest_steps=2,
    smallest_holds=1,
    plain_finds=False,
    fair_holds=2,
)
