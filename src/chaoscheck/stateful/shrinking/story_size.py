"""How long a story is: what the domain pass makes smaller."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from chaoscheck.plan.program import Draws, Program, Step
from chaoscheck.stateful.conjecture import unbounded_nodes
from chaoscheck.stateful.programs.replaying import Replay
from chaoscheck.stateful.shrinking.remade_arguments import remaking_of

__all__ = ["Size", "indices", "least_size_of", "magnitude", "size_of"]

# Whether a hold is unfair, lines, unfair holds, late sources, decisions, the sum of the choices'
# indices, the length of holds, the answers of chance, the order of rules, each choice's index.
Size = tuple[bool, int, int, int, int, int, int, int, tuple[int, ...], tuple[int, ...]]


def size_of(machine_type: Any, run: Replay) -> Size:
    """Lexicographic: unfair, lines, late sources, decisions, arguments, holds, answers, rules.

    A story that plain trio can show is worth more than a shorter one that it cannot show; of the
    others, one with fewer unfair holds. Lines are steps, holds, and faults that came by rate, for
    each is a line of the story. An argument is as large as the choices that it is made of, each
    counted in Hypothesis's order of simplicity: how many legal ones are simpler. So 0.5 is larger
    than any whole number, -3 than 3, and ``"ab"`` than ``"b"``. The order of rules and the single
    choices break ties, so that equal stories are told equally.
    """
    by_rate = sum(len(faults) for faults in run.by_rate.values())
    return _size(machine_type, run.program, len(run.unfair), by_rate)


def least_size_of(machine_type: Any, program: Program) -> Size:
    """The size of a program all of whose steps are taken, if it is fair and no fault comes by rate.

    It takes no replay to know.
    """
    return _size(machine_type, program, 0, 0)


def _size(machine_type: Any, program: Program, unfair: int, by_rate: int) -> Size:
    places = _places(machine_type)
    sizes = tuple(index for step in program.steps for index in indices(machine_type, step))
    return (
        bool(unfair),
        len(program) + by_rate,
        unfair,
        sum(hold.source != "" for hold in program.holds),
        len(program.decisions),
        sum(sizes),
        sum(hold.at + hold.ran for hold in program.holds),
        sum(decision.value for decision in program.decisions),
        tuple(places.get(step.rule, -1) for step in program.steps),
        sizes,
    )


@lru_cache
def _places(machine_type: Any) -> dict[str, int]:
    names = [rule.function.__name__ for rule in machine_type._rules_sorted]
    return {name: place for place, name in enumerate(names)}


def magnitude(machine_type: Any, step: Step) -> int:
    """How large the arguments of a step are: 0 where each is the simplest."""
    return sum(indices(machine_type, step))


def indices(machine_type: Any, step: Step) -> list[int]:
    """The index of each choice of which the arguments of a step are made."""
    remaking = remaking_of(machine_type)
    found = []
    for name, argument in step.arguments.items():
        found += [node.index for node in remaking.nodes(step, name)]
        for draw in argument.draws if isinstance(argument, Draws) else ():
            # Each is a line that is read, so it has a weight itself.
            found += [1, *(node.index for node in unbounded_nodes(draw.choices))]
    return found
