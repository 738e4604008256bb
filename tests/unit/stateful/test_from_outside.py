"""Bugs that need a late timer, packet or thread are found under fair schedules, and told."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from chaoscheck import ChaosMachine, find_counterexample, invariant, rule
from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program_text import from_json, to_json
from chaoscheck.stateful.programs.minimal import tell
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.stateful.shrinking.domain_pass import shrink
from chaoscheck.stateful.shrinking.story_size import size_of
from chaoscheck.stateful.shrinking.traded_holds import started_later
from tests.unit.stateful.stories import story


class HandOver(ChaosMachine):
    """An item is handed over in the instant in which its taker gives up: is it lost?"""

    def setup(self) -> None:
        self.handed = trio.Event()
        self.gave_up_with_it = False

    @rule(in_flight=True)
    async def give(self) -> None:
        await trio.sleep(1)
        await trio.lowlevel.checkpoint()
        self.handed.set()

    @rule(in_flight=True)
    async def take(self) -> None:
        with trio.move_on_after(1) as scope:
            await self.handed.wait()
            await trio.lowlevel.checkpoint()
        self.gave_up_with_it = scope.cancelled_caught and self.handed.is_set()

    @invariant(at_rest=True)
    def nothing_is_lost(self) -> None:
        assert not self.gave_up_with_it


class Answered(ChaosMachine):
    """An answer is sent, and then the one who waits for it is told that there is none."""

    def setup(self) -> None:
        self.left, self.right = trio.socket.socketpair()
        self.waiting = trio.CancelScope()
        self.reads = self.missed = False

    @rule(in_flight=True, may_stay=True)
    async def read(self) -> None:
        if self.reads:
            return
        self.reads = True
        with self.waiting:
            await self.left.recv(1)
        self.missed = self.waiting.cancelled_caught

    @rule(in_flight=True)
    async def answer(self) -> None:
        if self.reads:
            await self.right.send(b"x")
            await trio.lowlevel.checkpoint()
            self.waiting.cancel()

    @invariant(at_rest=True)
    def an_answer_that_was_sent_is_read(self) -> None:
        assert not self.missed

    def teardown(self) -> None:
        super().teardown()
        self.left.close()
        self.right.close()


class Computed(ChaosMachine):
    """A thread that does next to nothing is done long before the others have had their turns."""

    def setup(self) -> None:
        self.notes: list[str] = []
        self.state = ""

    @rule(in_flight=True)
    async def compute(self) -> None:
        if self.state:
            return
        self.state = "computes"
        await trio.to_thread.run_sync(len, "abc")
        self.state = "computed"

    @rule(in_flight=True)
    async def turn(self) -> None:
        begun = self.state
        for _ in range(4):  # in time, the thread is done in the batch of the third, at the latest
            await trio.lowlevel.checkpoint()
        if begun == self.state == "computes":
            self.notes.append("still computes")

    @invariant(at_rest=True)
    def it_was_quick(self) -> None:
        assert "still computes" not in self.notes


EXAMPLES = 2_000

each_bug = pytest.mark.parametrize(
    ("machine", "steps", "source"),
    [
        (HandOver, ("give", "take"), "timer"),
        (Answered, ("read", "answer"), "socket"),
        (Computed, ("compute", "turn"), "worker"),
    ],
    ids=["timer", "socket", "worker"],
)


@each_bug
def test_a_bug_that_needs_something_late_is_found_by_default(
    machine: Any, steps: tuple[str, str], source: str
) -> None:
    """Without a word of mine; its story replays from its text, and shrinks to one such hold.

    Some hundreds of examples find each. What a seed generates depends on the modules that are
    loaded, so there are many, and a second seed.
    """
    searches = (
        find_counterexample(machine, max_examples=EXAMPLES, seed=seed, shrink=False)
        for seed in (1, 2)
    )
    found = next(filter(None, searches), None)
    assert found is not None
    assert found.program is not None
    shrunk = shrink(machine, found.program)
    assert shrunk is not None

    assert source in [hold.source for hold in shrunk.program.holds]
    assert len(shrunk.program) <= 4
    assert not shrunk.replay.unfair
    assert replay(machine, from_json(to_json(shrunk.program))).error is not None
    assert replay(machine, story(*steps)).error is None


def test_a_story_says_that_something_has_to_be_late_from_outside() -> None:
    """I read which timer, and that the count of orders is one with that timer as late."""
    late = Hold(task="take@2", at=1, until="give@1", ran=3, source="timer")
    run = tell(HandOver, story("give", "take", holds=[late]))

    assert any("# take@2's 1st timer does not fire until give@1" in line for line in run.lines)
    (line,) = run.orders
    assert line.startswith("plain trio shows this in ")
    assert line.endswith(" orders, with what comes from outside as late as here")
    assert not line.startswith("plain trio shows this in 0 ")


def test_a_story_without_something_late_is_worth_more() -> None:
    """Of two stories of one length I get the one in which clocks and networks are on time."""
    own = Hold(task="take@2", at=0, until="give@1", ran=1)
    late = Hold(task="take@2", at=0, until="give@1", ran=1, source="timer")
    runs = [replay(HandOver, story("give", "take", holds=[hold])) for hold in (own, late)]

    assert size_of(HandOver, runs[0]) < size_of(HandOver, runs[1])


def test_no_order_of_steps_says_what_a_late_source_does() -> None:
    """Shrinking trades late starts for a later step; a timer is not started by a step."""
    late = Hold(task="take@2", at=0, until="give@1", ran=1, source="timer")

    assert [] == list(started_later(story("take", "give", holds=[late])))
