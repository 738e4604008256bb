"""How long a story is: what the domain pass makes smaller."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from chaoscheck.plan.program import Drawn, Draws, Literal, Step
from chaoscheck.stateful.programs.replaying import Replay

__all__ = ["Size", "magnitude", "size_of"]

VALUE_MAX = 10**9  # beyond it, every number is equally great

# Lines, decisions, the sum of the numbers in arguments, the length of holds, the order of rules.
Size = tuple[int, int, int, int, tuple[int, ...]]


def size_of(machine_type: Any, run: Replay) -> Size:
    """Lines, then what chance decided, how great the values are, how long the holds; then order.

    Lines are steps, holds, and faults that came by rate, for each is a line of the story. The
    order is that in which rules are sorted, so that equal stories are told equally.
    """
    program = run.program
    places = _places(machine_type)
    return (
        len(program) + sum(len(faults) for faults in run.by_rate.values()),
        len(program.decisions),
        sum(magnitude(step) for step in program.steps),
        sum(hold.at + hold.ran for hold in program.holds),
        tuple(places.get(step.rule, -1) for step in program.steps),
    )


@lru_cache
def _places(machine_type: Any) -> dict[str, int]:
    names = [rule.function.__name__ for rule in machine_type._rules_sorted]
    return {name: place for place, name in enumerate(names)}


def magnitude(step: Step) -> int:
    """How great the numbers are of which the arguments of a step are made."""
    total = 0
    for argument in step.arguments.values():
        if isinstance(argument, Literal | Drawn):
            total += sum(_weight(choice) for choice in argument.choices)
        if isinstance(argument, Draws):  # each is a line that is read, so it has a weight itself
            total += sum(1 + sum(map(_weight, draw.choices)) for draw in argument.draws)
    return total


def _weight(choice: object) -> int:
    if isinstance(choice, float) and not abs(choice) < VALUE_MAX:
        return VALUE_MAX  # infinities and NaN as well
    return min(abs(int(choice)), VALUE_MAX) if isinstance(choice, int | float) else 1
