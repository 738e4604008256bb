"""The explorer: finds what is there, replays what it found, and is the same from the same seed."""

from __future__ import annotations

from typing import Any, ClassVar

import trio
from hypothesis import strategies as st

from chaoscheck import (
    Bundle,
    ChaosMachine,
    Fault,
    consumes,
    faults,
    initialize,
    invariant,
    multiple,
    rule,
)
from chaoscheck.stateful.exploring.exploring import explore
from chaoscheck.stateful.programs.minimal import minimal_of
from chaoscheck.stateful.programs.replaying import replay


class Counting(ChaosMachine):
    """Two increments that overlap lose one."""

    def setup(self) -> None:
        self.value = self.expected = 0

    @rule(in_flight=True)
    async def increment(self) -> None:
        self.expected += 1
        seen = self.value
        await trio.lowlevel.checkpoint()
        self.value = seen + 1

    @invariant(at_rest=True)
    def none_lost(self) -> None:
        assert self.expected == self.value


class Shelf(ChaosMachine):
    """Every kind of argument: drawn ones, filtered ones, bundles, and values that are taken."""

    boxes = Bundle("boxes")
    forbidden: ClassVar[int] = 10**9

    @initialize(size=st.integers(1, 5), names=st.lists(st.sampled_from("ab"), max_size=3))
    def build(self, size: int, names: list[str]) -> None:
        names.append("changed")  # a value that a rule changes must be made anew
        self.size, self.names = size, names
        self.taken: list[Any] = []

    @rule(target=boxes, count=st.integers(1, 3))
    def put(self, count: int) -> Any:
        return multiple(*range(count))

    @rule(box=consumes(boxes.filter(lambda box: box != 2)))
    def take(self, box: int) -> None:
        assert box != 2
        self.taken.append(box)

    @rule(pair=st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(lambda pair: pair[0] < 2))
    def look(self, pair: tuple[int, int]) -> None:
        assert pair[0] < 2

    @invariant()
    def no_name_is_added_twice(self) -> None:
        assert self.names.count("changed") == 1
        assert len(self.taken) < self.forbidden


class FragileShelf(Shelf):
    """Three boxes taken are too many."""

    forbidden = 3


class Listener(ChaosMachine):
    """Talks to a provider, once a call."""

    faults: ClassVar[tuple[type[Fault], ...]] = (faults.status_500, faults.status_503)

    def setup(self) -> None:
        self.chaos.serve()

    @rule()
    def think(self) -> None:
        pass

    @rule()
    def listen(self) -> None:
        pass


def test_a_race_is_found_and_replays_without_hypothesis() -> None:
    """What the explorer finds is a program like any other."""
    found = explore(Counting, seconds=5, seed=0)

    assert found.failure is not None
    assert found.failure.first.program is not None
    assert replay(Counting, found.failure.first.program).origin == found.failure.origin


def test_what_it_finds_is_shrunk_to_the_shortest_story() -> None:
    """The domain pass takes over (~20 ms)."""
    found = explore(Counting, seconds=5, seed=1)

    assert found.failure is not None
    minimal = minimal_of(Counting, found.failure)
    assert minimal is not None
    assert ["increment", "increment"] == [step.rule for step in minimal.program.steps]


def test_the_same_seed_explores_the_same_programs() -> None:
    """A finding can be had again."""
    one, other = (explore(FragileShelf, seconds=5, seed=7) for _ in range(2))

    assert one.failure is not None
    assert other.failure is not None
    assert one.failure.first.program == other.failure.first.program
    assert (one.examples, one.steps) == (other.examples, other.steps)


def test_arguments_of_every_kind_are_drawn_within_their_strategies() -> None:
    """Filters hold, bundles give what they hold, and no value is shared between examples."""
    explored = explore(Shelf, seconds=5, seed=3, examples_max=60)

    assert explored.failure is None
    assert explored.examples == 60


def test_arguments_of_every_kind_replay() -> None:
    """Also those that only their strategy can make again."""
    found = explore(FragileShelf, seconds=5, seed=2)

    assert found.failure is not None
    minimal = minimal_of(FragileShelf, found.failure)
    assert minimal is not None
    rules = [step.rule for step in minimal.program.steps]
    assert (1, 3) == (rules.count("build"), rules.count("take"))


def test_an_exploration_ends_in_time() -> None:
    """A machine without a bug costs what was allowed, and one example more."""
    explored = explore(Shelf, seconds=0.02, seed=0)

    assert explored.failure is None
    assert explored.examples >= 1


def test_a_machine_with_faults_is_steered_to_pairs() -> None:
    """A fault is called for, and then the rule that is to meet it."""
    explored = explore(Listener, seconds=5, seed=0, examples_max=20)

    assert explored.failure is None
    assert explored.steps > 0
