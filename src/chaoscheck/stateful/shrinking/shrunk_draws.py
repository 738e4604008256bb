"""Smaller draws: proposals for what a rule drew from ``st.data()`` while it ran."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from chaoscheck.plan.program import Drawn, Draws, Program
from chaoscheck.stateful.shrinking.shrunk_arguments import lowered, shortened

# Theory of operation. The strategy of a draw is known only while the rule runs, so a proposal is
# choices alone: the replay makes of them what the strategy allows, drops what is left over, and
# has the simplest for what is missing. ``Replay.program`` holds what was really drawn.

__all__ = ["smaller_draws"]


def smaller_draws(program: Program, number: int, name: str) -> Iterator[Program]:
    """Without the last draws, without one of them, and with simpler choices for one.

    ``number`` is that of the step; it may have gone, with what could not be replayed.
    """
    step = next((each for each in program.steps if each.number == number), None)
    argument = None if step is None else step.arguments.get(name)
    if step is None or not isinstance(argument, Draws):
        return
    for draws in chain(_fewer(argument.draws), _simpler(argument.draws)):
        changed = replace(step, arguments={**step.arguments, name: Draws(draws)})
        steps = (changed if each.number == step.number else each for each in program.steps)
        yield replace(program, steps=tuple(steps))


def _fewer(draws: tuple[Drawn, ...]) -> Iterator[tuple[Drawn, ...]]:
    yield from (draws[:length] for length in range(len(draws)))
    yield from (draws[:place] + draws[place + 1 :] for place in range(len(draws) - 1))


def _simpler(draws: tuple[Drawn, ...]) -> Iterator[tuple[Drawn, ...]]:
    for place, draw in enumerate(draws):
        for choices in chain(shortened(draw), lowered(draw)):
            yield (*draws[:place], Drawn(choices), *draws[place + 1 :])
