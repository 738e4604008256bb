"""Who drives a machine: Hypothesis, which draws what is undetermined, or a program on record."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from hypothesis.reporting import report

from chaoscheck.plan.program import Decision, Program
from chaoscheck.stateful.conjecture import (
    DrawnChoices,
    blob_of,
    current_data,
    in_example,
    is_final_run,
    run_of,
)
from chaoscheck.stateful.schedule_modes import schedule_of
from chaoscheck.world.choices import Choices
from chaoscheck.world.schedule import Scheduler
from chaoscheck.world.scheduler import HoldingLine

__all__ = [
    "Driver",
    "HandDriver",
    "HypothesisDriver",
    "ProgramDriver",
    "current_driver",
    "driven_by",
]


class Driver(Protocol):
    """What a machine needs of whoever drives it."""

    choices: Choices
    #: Whether Hypothesis is there, to count events.
    under_hypothesis: bool
    #: Whether its author calls its rules one by one, outside of any search.
    by_hand: bool
    #: What all examples of one run of Hypothesis have in common; None without it.
    run: object
    #: Takes the lines that are told beside the steps; None when nobody listens.
    say: Callable[[str], object] | None

    def scheduler(self, schedules: str = "") -> Scheduler:
        """Who orders the tasks of this run: "fair" or "any" ``schedules``; empty: as chosen."""

    def begin_step(self, number: int) -> None:
        """This step of the program begins."""

    def skip(self) -> None:
        """Nothing is to be learnt from this example: on to the next, where there is one."""

    def choice_sequence(self) -> Sequence[Any]:
        """What Hypothesis chose, all in all; empty without it."""

    def blob(self) -> str:
        """What replays this run with ``--chaos-replay``; empty if nothing does."""


class HypothesisDriver:
    """An example of Hypothesis. PlanError outside of one."""

    under_hypothesis = True
    by_hand = False

    def __init__(self) -> None:
        self._data = current_data()
        self.run = run_of(self._data)
        self.choices: Choices = DrawnChoices(self._data)
        self.say: Callable[[str], object] | None = report if is_final_run() else None

    def scheduler(self, schedules: str = "") -> Scheduler:
        """A drawn strategy."""
        return schedule_of(schedules, self.choices)

    def begin_step(self, number: int) -> None:
        """Choices are drawn one after the other, whatever the step."""

    def skip(self) -> None:
        """End the example as if it were too long, which may happen to any."""
        self._data.mark_overrun()

    def choice_sequence(self) -> Sequence[Any]:
        """The choices so far."""
        sequence: Sequence[Any] = self._data.choices
        return sequence

    def blob(self) -> str:
        """The choices as text."""
        return blob_of(self._data)


class RecordedChoices(Choices):
    """The decisions of a program: what a step's n-th question of a kind was answered, else 0."""

    def __init__(self, decisions: Sequence[Decision]) -> None:
        super().__init__()
        self._values: dict[int, dict[tuple[str, int], int]] = {}
        for each in decisions:
            self._values.setdefault(each.step, {})[each.label, each.nth] = each.value
        self._of_step: Mapping[tuple[str, int], int] = self._values.get(0, {})
        self._asked: dict[str, int] = {}

    def begin_step(self, number: int) -> None:
        """The questions of a step are counted anew."""
        self._of_step = self._values.get(number, {})
        self._asked = {}

    def _pick(self, label: str, options: int) -> int:
        nth = self._asked.get(label, 0)
        self._asked[label] = nth + 1
        value = self._of_step.get((label, nth), 0)
        return value if value < options else 0

    def _weigh(self, label: str, weights: Sequence[float]) -> int:
        value = self._pick(label, len(weights) + 1)
        return value if value == 0 or weights[value - 1] > 0 else 0


class ProgramDriver:
    """A program on record, without Hypothesis."""

    under_hypothesis = False
    by_hand = False
    run: object = None

    def __init__(self, program: Program) -> None:
        self._program = program
        self._choices = RecordedChoices(program.decisions)
        self.choices: Choices = self._choices
        self.say: Callable[[str], object] | None = None

    def scheduler(self, schedules: str = "") -> Scheduler:
        """FIFO, but for the program's holds, whatever schedules a search would draw."""
        # One task a tick even without holds: a cancel at a checkpoint is looked for in between.
        return HoldingLine(self._program.holds)

    def begin_step(self, number: int) -> None:
        """Decisions belong to steps."""
        self._choices.begin_step(number)

    def skip(self) -> None:
        """There is no other example."""

    def choice_sequence(self) -> Sequence[Any]:
        """There is none."""
        return ()

    def blob(self) -> str:
        """The program's own; see ``replay_blob``."""
        return ""


class HandDriver(ProgramDriver):
    """The author of a test calls the rules: nothing odd happens that was not asked for."""

    by_hand = True

    def __init__(self) -> None:
        super().__init__(Program(steps=()))


class _Here(threading.local):
    driver: Driver | None = None


_here = _Here()


def current_driver() -> Driver:
    """Who drives the machine that is being made: what ``driven_by`` says, else Hypothesis.

    Outside an example of Hypothesis it is made by hand.
    """
    if _here.driver is not None:
        return _here.driver
    return HypothesisDriver() if in_example() else HandDriver()


@contextmanager
def driven_by(driver: Driver) -> Iterator[None]:
    """Machines that are made meanwhile are driven by ``driver``."""
    previous, _here.driver = _here.driver, driver
    try:
        yield
    finally:
        _here.driver = previous
