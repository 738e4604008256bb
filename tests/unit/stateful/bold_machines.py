"""Tiny machines, each of which one bold move of the domain pass makes tell a shorter story."""

from __future__ import annotations

import trio
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, precondition

from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.rules import invariant, rule


class Events(ChaosMachine):
    """Operations a, b, c and d of two stretches each; ``wrong`` says which order fails."""

    def setup(self) -> None:
        self.events: list[str] = []

    async def _twice(self, name: str) -> None:
        self.events.append(f"{name}0")
        await trio.lowlevel.checkpoint()
        self.events.append(f"{name}1")

    @rule(in_flight=True)
    async def a(self) -> None:
        await self._twice("a")

    @rule(in_flight=True)
    async def b(self) -> None:
        await self._twice("b")

    @rule(in_flight=True)
    async def c(self) -> None:
        await self._twice("c")

    @rule(in_flight=True)
    async def d(self) -> None:
        await self._twice("d")

    def wrong(self) -> bool:
        raise NotImplementedError

    def order(self, *events: str) -> bool:
        """Whether these came, in this order."""
        places = [self.events.index(each) for each in events if each in self.events]
        return len(places) == len(events) and places == sorted(places)

    @invariant(at_rest=True)
    def lawful(self) -> None:
        assert not self.wrong()


class OneWaits(Events):
    def wrong(self) -> bool:
        return self.order("a0", "b0", "b1", "a1")


class TwoWait(Events):
    def wrong(self) -> bool:
        return self.order("a0", "b0", "c0", "c1", "a1") and self.order("c1", "b1")


class AWaitsForC(Events):
    def wrong(self) -> bool:
        return self.order("a0", "b0", "c0", "c1", "a1") and "b1" in self.events


class Hurried(Events):
    """b takes a stretch longer where nobody hurries it."""

    hurried = False

    @rule()
    def hurry(self) -> None:
        self.hurried = True

    @rule(in_flight=True)
    async def b(self) -> None:
        self.events.append("b0")
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()  # so that no present trio shows it, hurried or not
        if not self.hurried:
            await trio.lowlevel.checkpoint()
        self.events.append("b1")
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()

    def wrong(self) -> bool:
        return self.order("a0", "b0", "b1", "a1")


class Marked(Events):
    """mark counts who is in flight; b overtakes a, and one of them stands before the mark."""

    marks: tuple[int, ...] = ()

    @rule()
    def mark(self) -> None:
        self.marks = (*self.marks, len(self.world.in_flight()))

    def wrong(self) -> bool:
        return self.marks == (1,) and self.order("b0", "a0")


class LateStart(Events):
    def wrong(self) -> bool:
        return self.order("b0", "c0", "d0", "a0")


class Using(Events):
    """The second value is at fault at once, the first only where a overtakes its user."""

    values = Bundle("values")
    made: tuple[str, ...] = ()

    @rule(target=values)
    def first(self) -> str:
        self.made = (*self.made, "first")
        return "first"

    @rule(target=values)
    def second(self) -> str:
        self.made = (*self.made, "second")
        return "second"

    @precondition(lambda self: len(self.made) == 2)
    @rule(in_flight=True, value=values)
    async def use(self, value: str) -> None:
        await self._twice(value)

    def wrong(self) -> bool:
        overtaken = self.order("first0", "a0", "a1", "first1")
        return len(set(self.made)) == 2 and (overtaken or "second1" in self.events)


class Following(Events):
    """What is used may be of either kind."""

    values = Bundle("values")
    made: tuple[str, ...] = ()

    @rule(target=values)
    def first(self) -> str:
        return "first"

    @rule(target=values)
    def second(self) -> str:
        self.made = ("second",)
        return "second"

    @rule(value=values)
    def use(self, value: str) -> None:
        assert not self.made

    def wrong(self) -> bool:
        return False


class Looking(Events):
    """To see that a began, it must have been let run."""

    values = Bundle("values")

    @rule(target=values)
    def make(self) -> int:
        return 1

    @rule(value=values)
    def use(self, value: int) -> None:
        self.world.settle()

    @rule()
    def look(self) -> None:
        assert "a0" not in self.events

    def wrong(self) -> bool:
        return False


class Saving(Events):
    """Fails at 20; there is more than one way to get there."""

    total = 0

    @rule(amount=st.integers(0, 50))
    def add(self, amount: int) -> None:
        self.total += amount
        assert self.total < 20

    @rule()
    def more(self) -> None:
        self.total += 5

    def wrong(self) -> bool:
        return False


class Slowing(Events):
    """slow takes as many stretches as it is told, and c makes it one slower.

    No present trio shows it, neither at first nor at last: a must wait for more than a batch.
    """

    @rule(in_flight=True)
    async def c(self) -> None:
        self.events.append("c0")
        for _ in range(2):
            await trio.lowlevel.checkpoint()
        self.events.append("c1")

    @rule(in_flight=True, stretches=st.integers(0, 5))
    async def slow(self, stretches: int) -> None:
        self.events.append("slow0")
        for _ in range(stretches):
            await trio.lowlevel.checkpoint()
        self.events.append("slow1")
        self.stretches = stretches

    def wrong(self) -> bool:
        enough = self.order("a0", "slow0", "slow1", "a1")
        return enough and self.stretches + ("c1" in self.events) >= 3


class Even(Events):
    """Purchases of equal amounts, four all in all."""

    def setup(self) -> None:
        super().setup()
        self.amounts: list[int] = []

    @rule(amount=st.integers(1, 9))
    def buy(self, amount: int) -> None:
        self.amounts.append(amount)
        if len(set(self.amounts)) == 1 and len(self.amounts) % 2 == 0:
            assert sum(self.amounts) != 4

    def wrong(self) -> bool:
        return False


class MarkedLast(Even):
    """One purchase of two where the mark comes last, else two of one."""

    @rule(amount=st.integers(1, 9))
    def buy(self, amount: int) -> None:
        self.amounts.append(amount)

    @rule()
    def another_mark(self) -> None:
        self.events.append(f"mark {sum(self.amounts)}")

    def wrong(self) -> bool:
        early = self.amounts == [1, 1] and self.events == ["mark 0"]
        return early or (self.amounts == [2] and self.events == ["mark 2"])


class Either(Events):
    """both does what left and right do."""

    def setup(self) -> None:
        self.sides: set[str] = set()

    @rule()
    def left(self) -> None:
        self.sides.add("left")

    @rule()
    def right(self) -> None:
        self.sides.add("right")

    @rule()
    def both(self) -> None:
        self.sides |= {"left", "right"}

    @invariant()
    def lawful(self) -> None:
        assert len(self.sides) < 2


class InPlaceOfAHold(Events):
    """b before a is one way; c alone is another."""

    def wrong(self) -> bool:
        return self.order("a0", "b0", "b1", "a1") or self.events == ["a0", "c0", "a1", "c1"]


class AllOrTwo(Events):
    """Fourteen operations are wrong in any order, two where the second overtakes the first."""

    def wrong(self) -> bool:
        return len(self.events) == 28 or self.events == ["a0", "b0", "b1", "a1"]


class Stopped(ChaosMachine):
    """Wrong is to be cancelled in the long sleep that follows five checkpoints."""

    cancels = True
    stopped_in_sleep = False

    @rule(in_flight=True)
    async def work(self) -> None:
        for _ in range(5):
            await trio.lowlevel.checkpoint()
        try:
            await trio.sleep(60)
        except trio.Cancelled:
            self.stopped_in_sleep = True
            raise

    @invariant(at_rest=True)
    def ends_in_peace(self) -> None:
        assert not self.stopped_in_sleep
