"""Traded holds: the order of steps, or another reference, says what a hold did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program import Program, Reference, Step, steps_named

__all__ = ["reordered", "started_later", "with_another_reference"]

DISTANCE_MAX = 2  # how far apart two steps are that change places


def started_later(program: Program) -> Iterator[Program]:
    """Who "does not start until" somebody of another step has run comes after that step instead.

    What refers to the step that moves, moves along.
    """
    for hold in program.holds:
        held, awaited = _step_of(hold.task), _step_of(hold.until)
        if hold.at or hold.source or held is None or awaited is None:
            continue
        moved = [step for step in program.steps if step.number == held or _refers(step, held)]
        left = [step for step in program.steps if step not in moved]
        places = [place for place, step in enumerate(left) if step.number == awaited]
        for place in places:
            for at in (place + 1, place):
                steps = (*left[:at], *moved, *left[at:])
                yield replace(program, steps=steps, holds=_but(program, hold))


def reordered(program: Program) -> Iterator[Program]:
    """Two steps near each other change places, and a hold goes."""
    for one, other in combinations(range(len(program.steps)), 2):
        if other - one <= DISTANCE_MAX:
            steps = list(program.steps)
            steps[one], steps[other] = steps[other], steps[one]
            for hold in program.holds:
                yield replace(program, steps=tuple(steps), holds=_but(program, hold))


def with_another_reference(program: Program) -> Iterator[Program]:
    """A step takes what another earlier step made, and a hold goes."""
    for place, step in enumerate(program.steps):
        for changed in _with_others(step, program.steps[:place]):
            steps = (*program.steps[:place], changed, *program.steps[place + 1 :])
            for hold in program.holds:
                yield replace(program, steps=steps, holds=_but(program, hold))


def _with_others(step: Step, earlier: Sequence[Step]) -> Iterator[Step]:
    for name, argument in step.arguments.items():
        if isinstance(argument, Reference):
            others = (each.number for each in earlier if each.number != argument.step)
            for other in others:
                yield replace(step, arguments={**step.arguments, name: Reference(other)})


def _but(program: Program, hold: Hold) -> tuple[Hold, ...]:
    return tuple(each for each in program.holds if each != hold)


def _refers(step: Step, number: int) -> bool:
    return any(
        isinstance(argument, Reference) and argument.step == number
        for argument in step.arguments.values()
    )


def _step_of(task: str) -> int | None:
    """The step after which a task is named."""
    return next(iter(steps_named(Hold(task=task, at=0, until=task, ran=1))), None)
