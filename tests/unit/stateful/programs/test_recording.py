"""Recording: what a machine did, as a program that does it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import trio
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, multiple

from chaoscheck.plan.fault import Fault
from chaoscheck.plan.faults.status_429 import Status429
from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program import Decision, Drawn, Literal, Program, Reference
from chaoscheck.plan.program_text import from_blob, to_blob
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.programs.recording import Recording
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.stateful.rules import initialize, rule
from chaoscheck.stateful.search import find_counterexample
from chaoscheck.world.choices import ScriptedChoices
from chaoscheck.world.schedule import Fifo
from tests.unit.stateful.stories import story


class Blunt(Exception):
    """The end of an example that is to be looked at."""


@dataclass(frozen=True)
class Box:
    """A value that is not plain."""

    sides: tuple[int, ...]


class Mixed(ChaosMachine):
    """Arguments of every kind; fails once enough was done."""

    faults: ClassVar[tuple[type[Fault], ...]] = (Status429,)
    things = Bundle("things")

    def setup(self) -> None:
        self.chaos.serve()
        self.done: list[Any] = []
        self.lock = trio.Lock()

    @initialize(target=things, size=st.integers(2, 5))
    def prepare(self, size: int) -> int:
        self.done.append(size)
        return size

    @rule(target=things, number=st.integers(0, 99), word=st.text(max_size=3))
    def make(self, number: int, word: str) -> Any:
        self.done.append((number, word))
        return multiple(number, word)

    @rule(box=st.builds(Box, st.tuples(st.integers(0, 9), st.integers(0, 9))))
    def pack(self, box: Box) -> None:
        self.done.append(box)

    @rule(thing=things)
    def use(self, thing: Any) -> None:
        self.done.append(thing)

    @rule(in_flight=True)
    async def work(self) -> None:
        for _ in range(3):
            async with self.lock:
                await trio.lowlevel.checkpoint()
        self.done.append("worked")


class Enough(Mixed):
    """Fails after eight things, and shows them all."""

    @rule()
    def look(self) -> None:
        self.world.settle()
        if len(self.done) >= 8:
            raise Blunt(repr(self.done))


@pytest.mark.parametrize("seed", range(4))
def test_a_recorded_example_does_the_same_again(seed: int) -> None:
    """Every argument, value, fault and order is there: without Hypothesis, and as a word."""
    found = find_counterexample(Enough, max_examples=100, seed=seed, shrink=False)

    assert found is not None
    assert found.program is not None
    for program in (found.program, from_blob(to_blob(found.program))):
        run = replay(Enough, program)
        assert {} == run.skipped
        assert (type(found.error), str(found.error)) == (type(run.error), str(run.error))
        assert [_call(line) for line in found.steps] == [
            _call(line) for line in run.story.steps if not line.startswith("  ")
        ]


def _call(line: str) -> str:
    """A step without its arguments: Hypothesis prints an object as it was built."""
    return line.partition("(")[0]


def test_what_a_replay_records_is_what_it_replayed() -> None:
    """The program of a replay is the program itself, with the holds that it really made."""
    held = Hold(task="work@2", at=0, until="work@1", ran=3)
    program = story("work", "work", ("make", {"number": 1, "word": "a"}), "look", holds=[held])
    recorded: list[Program] = []

    class Watched(Enough):
        things = Mixed.things

        def setup(self) -> None:
            super().setup()
            self._initialize_rules_to_run.clear()

        @rule()
        def look(self) -> None:
            self.world.settle()
            recorded.append(self._program())

    run = replay(Watched, program)

    assert None is run.error
    assert [step.rule for step in program.steps] == [step.rule for step in recorded[0].steps]
    assert Literal(1) == recorded[0].steps[2].arguments["number"]
    assert (held,) == recorded[0].holds


def test_kinds_of_arguments_are_told_apart() -> None:
    """Plain values stand for themselves, values of bundles for their step, others for choices."""
    log = ScriptedChoices().log
    recording = Recording(log)
    choices = [7, 1, 2, True]
    recording.begin(1, "make", {"number": 5, "odd": [1, 2]}, {"number": (0, 1), "odd": (1, 3)})
    recording.made(["things_0", "things_1"])

    program = recording.program(choices, Fifo())

    arguments = program.steps[0].arguments
    assert Literal(5) == arguments["number"]
    assert Drawn((1, 2), "[1, 2]") == arguments["odd"]
    number = arguments["number"]
    assert isinstance(number, Literal)
    assert (7,) == number.choices
    assert "things_1" == recording.name_of(Reference(1, 1))
    assert None is recording.name_of(Reference(1, 2))


def test_only_odd_answers_are_kept_with_their_step_and_number() -> None:
    """0 is what everybody answers anyway; the order of tasks is told by holds instead."""
    choices = ScriptedChoices([1, 0, 2, 3, 1, 4])
    recording = Recording(choices.log)
    choices.pick("latency", 5)  # setup
    recording.begin(1, "first", {}, {})
    choices.pick("latency", 5)
    choices.pick("latency", 5)
    choices.pick("schedule: walk", 5)
    recording.begin(2, "nothing", {}, {})
    recording.begin(5, "last", {}, {})
    choices.pick("fault", 5)
    choices.pick("latency", 5)

    assert (
        Decision(0, "latency", 0, 1),
        Decision(1, "latency", 1, 2),
        Decision(5, "fault", 0, 1),
        Decision(5, "latency", 0, 4),
    ) == recording.program([], Fifo()).decisions
