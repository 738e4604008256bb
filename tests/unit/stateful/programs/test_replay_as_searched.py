"""A program replays as Hypothesis's run of it went: event for event, however that ended."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import trio
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from chaoscheck.errors import SubjectError
from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program import Program
from chaoscheck.stateful.error_kinds import kind_of
from chaoscheck.stateful.hypothesis_run import run_hypothesis
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.stateful.rules import invariant, rule
from chaoscheck.stateful.search import find_counterexample

EXAMPLES = 12  # a seed; each is run and replayed, in some 10 ms
SETTINGS = settings(
    max_examples=EXAMPLES,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)


class Overtaken(Exception):
    """An operation came too late."""


class Answering(ChaosMachine):
    """Fails where an answer is still to be begun when a check is two slices old."""

    def setup(self) -> None:
        self.asked = self.answered = 0

    @rule()
    def ask(self) -> None:
        self.asked += 1
        self.world.run(self._answer)

    async def _answer(self) -> None:
        self.answered += 1

    @rule(in_flight=True)
    async def check(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.asked > self.answered:
            raise Overtaken


def test_an_operation_that_a_failure_overtook_is_held_in_the_replay_as_well() -> None:
    """A task that never ran because another one failed first does not run before it again."""
    found = find_counterexample(Answering, max_examples=200)

    assert found is not None
    assert found.program is not None
    assert ["check", "ask"] == [step.rule for step in found.program.steps]
    held = Hold(task="Answering._answer@2", at=0, until="check@1", ran=1, late=True)
    assert (held,) == found.program.holds
    assert isinstance(replay(Answering, found.program).error, Overtaken)


Event = tuple[Any, ...]


class Notebook(ChaosMachine):
    """Operations in flight, beside sync rules that run, settle and let time pass themselves.

    ``examples`` are what was done: the program, what happened in order, and the error.
    """

    cancels = True
    examples: ClassVar[list[tuple[Program, list[Event], str]]] = []
    #: What fails, now and then: nothing, an operation in flight, or an invariant.
    failing = ""

    def setup(self) -> None:
        self.events: list[Event] = []
        self.lock = trio.Lock()
        self.send, self.receive = trio.open_memory_channel[str](0)
        self.sum = 0

    def note(self, *event: object) -> None:
        self.sum = self.sum * 31 + len(str(event))
        self.events.append((*event, self.world.clock.now))

    async def act(self, who: str, kind: int, length: int) -> None:
        self.note(who, "begins")
        ways = (self.hand_on, self.give_way, self.sleep, self.branch, self.take)
        try:
            for step in range(length):
                await ways[(kind + step) % len(ways)](who)
                self.note(who, step)
        except BaseException as error:
            self.note(who, type(error).__name__)
            raise
        self.note(who, "ends")
        assert self.failing != "operation" or self.sum % 7 != 3

    async def give_way(self, who: str) -> None:
        async with self.lock:
            await trio.lowlevel.checkpoint()

    async def sleep(self, who: str) -> None:
        await trio.sleep(0.5)

    async def branch(self, who: str) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.give_way, who)
            nursery.start_soon(self.hand_on, who)

    async def hand_on(self, who: str) -> None:
        with trio.move_on_after(0.5):
            await self.send.send(who)

    async def take(self, who: str) -> None:
        with trio.move_on_after(0.5):
            self.note(who, "takes", await self.receive.receive())

    @rule(in_flight=True, kind=st.integers(0, 4), length=st.integers(1, 4))
    async def fly(self, kind: int, length: int) -> None:
        await self.act("fly", kind, length)

    @rule(kind=st.integers(0, 4), length=st.integers(1, 4))
    def run_beside(self, kind: int, length: int) -> None:
        self.world.run(self.act, "run", kind, length)

    @rule(length=st.integers(1, 3))
    def start_beside(self, length: int) -> None:
        self.world.start(self.act, "start", length, length)

    @rule(length=st.integers(1, 3))
    async def awaited(self, length: int) -> None:
        await self.act("awaited", length, length)

    @rule()
    def settle_beside(self) -> None:
        self.world.settle()
        self.note("settled")

    @rule(seconds=st.sampled_from([0.0, 0.25, 0.5, 1.0]))
    def advance_beside(self, seconds: float) -> None:
        self.world.advance(seconds)
        self.note("advanced")

    @invariant()
    def holds_sometimes(self) -> None:
        self.note("checked")
        assert self.failing != "invariant" or self.sum % 11 != 3

    def _keep_count(self, error: BaseException | None) -> None:
        super()._keep_count(error)
        if error is None or kind_of(error) == "failure":
            self.examples.append((self._program(), self.events, repr(error)))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("failing", ["", "operation", "invariant"])
@pytest.mark.parametrize("schedules", ["fair", "any"])
def test_a_replay_is_the_run_of_hypothesis_event_for_event(
    schedules: str, failing: str, seed: int
) -> None:
    """Same choices, same trace: also where operations are in flight beside a sync rule.

    A dozen examples and their replays take half a second.
    """
    machine: Any = type("Kept", (Notebook,), {"schedules": schedules, "failing": failing})
    Notebook.examples.clear()
    try:
        run_hypothesis(machine, SETTINGS, seed=seed)
    except (AssertionError, SubjectError):
        assert failing
    searched = [example for example in Notebook.examples if example[0].steps]
    Notebook.examples.clear()

    for program, _, _ in searched:
        replay(machine, program)

    assert searched
    assert [each[1:] for each in searched] == [each[1:] for each in Notebook.examples]
