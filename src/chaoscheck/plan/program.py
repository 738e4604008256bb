"""Program: a whole example as a value: its steps, what chance decided, and who waited for whom."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chaoscheck.plan.hold import Hold

# Theory of operation. A program replays without Hypothesis: its steps are called with these
# arguments, each open question of the world is answered by its decisions, 0 where none is on
# record, and the schedule is FIFO but for its holds. So it can be edited: a step taken away
# takes its decisions with it and changes nothing about the others.
#
# Steps keep the numbers of the run in which they were found, since tasks and values are named
# after them; ``renumbered`` makes the numbers plain again.

__all__ = [
    "SETUP",
    "Argument",
    "Decision",
    "Drawn",
    "Draws",
    "Literal",
    "Program",
    "Reference",
    "Step",
    "steps_named",
]

SETUP = 0  # the number that decisions before the first step carry


@dataclass(frozen=True, slots=True)
class Literal:
    """An argument that is a plain value: a number, a text, True, None, or a fault.

    ``choices`` are those from which its strategy makes it, where that is known.
    """

    value: Any
    choices: tuple[bool | int | float | str | bytes, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return repr(self.value)


@dataclass(frozen=True, slots=True)
class Reference:
    """An argument that an earlier step gave to a bundle: the ``number``-th of its values."""

    step: int
    number: int = 0

    def __str__(self) -> str:
        return f"<{self.number} of step {self.step}>"


@dataclass(frozen=True, slots=True)
class Drawn:
    """An argument of any other kind: the choices from which its strategy makes it again."""

    choices: tuple[bool | int | float | str | bytes, ...]
    shown: str = ""

    def __str__(self) -> str:
        return self.shown


@dataclass(frozen=True, slots=True)
class Draws:
    """An argument of ``st.data()``: what the rule drew from it while it ran, in order.

    Draws that are not on record are the simplest that their strategies make.
    """

    draws: tuple[Drawn, ...]

    def __str__(self) -> str:
        return f"data({', '.join(map(str, self.draws))})"


Argument = Literal | Reference | Drawn | Draws


@dataclass(frozen=True, slots=True)
class Decision:
    """What chance answered: the ``nth`` question ``label`` of a step; only odd answers are kept."""

    step: int
    label: str
    nth: int
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call of a rule."""

    number: int
    rule: str
    arguments: Mapping[str, Argument]

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={argument}" for name, argument in self.arguments.items())
        return f"{self.number}. {self.rule}({shown})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Steps in order, decisions, and holds. ``len`` counts steps and holds: what a reader reads."""

    steps: tuple[Step, ...]
    decisions: tuple[Decision, ...] = ()
    holds: tuple[Hold, ...] = ()

    def __len__(self) -> int:
        return len(self.steps) + len(self.holds)

    def __str__(self) -> str:
        return "\n".join(str(part) for part in (*self.steps, *self.decisions, *self.holds))

    def without(self, numbers: Iterable[int]) -> Program:
        """Without these steps, and without the decisions and holds that speak of them."""
        gone = frozenset(numbers)
        return replace(
            self,
            steps=tuple(step for step in self.steps if step.number not in gone),
            decisions=tuple(each for each in self.decisions if each.step not in gone),
            holds=tuple(hold for hold in self.holds if not gone & steps_named(hold)),
        )

    def renumbered(self) -> Program:
        """The same program with its steps numbered 1, 2, 3 …"""
        new = {step.number: place for place, step in enumerate(self.steps, start=1)}
        if all(old == number for old, number in new.items()):
            return self
        end = max(new.values(), default=SETUP)

        def number(old: int) -> int:
            return old if old == SETUP else new.get(old, end)

        return Program(
            steps=tuple(_renumbered(step, number) for step in self.steps),
            decisions=tuple(replace(each, step=number(each.step)) for each in self.decisions),
            holds=tuple(
                replace(hold, task=_renamed(hold.task, number), until=_renamed(hold.until, number))
                for hold in self.holds
            ),
        )


def steps_named(hold: Hold) -> set[int]:
    """The steps after which the tasks of a hold are named."""
    found = [_STEP.search(name) for name in (hold.task, hold.until)]
    return {int(each[0]) for each in found if each is not None}


# The step stands at the end of what the world started: ``acquire@7``, ``acquire@7.1/fetch``. A
# name may hold more of the kind: an operation that its author called ``mail@5``.
_STEP = re.compile(r"(?<=@)\d+(?=(?:\.\d+)?(?:/|$))", re.ASCII)


def _renamed(task: str, number: Callable[[int], int]) -> str:
    return _STEP.sub(lambda found: str(number(int(found[0]))), task, count=1)


def _renumbered(step: Step, number: Callable[[int], int]) -> Step:
    arguments = {
        name: replace(argument, step=number(argument.step))
        if isinstance(argument, Reference)
        else argument
        for name, argument in step.arguments.items()
    }
    return replace(step, number=number(step.number), arguments=arguments)
