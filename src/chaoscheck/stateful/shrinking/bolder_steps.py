"""Bolder steps: proposals that leave a step out and let another one do its work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, islice, permutations, product
from typing import Any

from chaoscheck.plan.program import Program, Reference, Step
from chaoscheck.stateful.conjecture import ChoiceNode
from chaoscheck.stateful.shrinking.reaimed_holds import lost_holds, re_aimed
from chaoscheck.stateful.shrinking.remade_arguments import Remaking
from chaoscheck.stateful.shrinking.shrunk_arguments import (
    further,
    merged,
    nearby,
    simpler_values,
)
from chaoscheck.stateful.time_rules import LET_TIME_PASS

# Theory of operation. Simple passes only ever take something away. Where a step matters for what
# it does to another one, the other can often do it alone: cancel an operation one checkpoint
# later instead of settling first, ask for one more instead of asking twice, let an operation run
# by settling instead of joining a second one. So a step goes and a number somewhere else grows;
# a step goes and what referred to it becomes another step; two pairs of steps are merged at once.
#
# ``remaking`` makes a program in which one argument is made of other choices, or None.

__all__ = [
    "by_another_number",
    "by_two_merges",
    "merges",
    "one_step_for_two_lines",
    "with_other_followers",
    "with_plain_steps",
]

# Of each kind, for one program. What helped at all did so within the first hundred; a replay of
# a machine with a server takes milliseconds.
PROPOSALS_MAX = 100
# A call of another rule hardly ever does the work of two lines, and there are many calls.
SPARE_PROPOSALS_MAX = 40
AIMS_MAX = 24  # for the hold that the step that went takes with it
SIMPLEST_MAX = 6  # choices that are made the simplest in place of a step of time
TIME_RULES = frozenset({LET_TIME_PASS, "settle", "join"})

Others = Callable[[Sequence[ChoiceNode]], Iterable[tuple[Any, ...]]]


def by_another_number(
    program: Program, removable: Sequence[Step], ran: Mapping[str, int], remaking: Remaking
) -> Iterator[Program]:
    """Without a step, and with one number in the arguments of another greater, or one less.

    A hold that waited for the step, or the only one, is re-aimed, see ``reaimed_holds``; ``ran``
    is needed for it.
    """
    bare = ((gone, program.without([gone.number])) for gone in reversed(removable))
    pairs = (
        (gone, each) for gone, left in bare for each in _changed(left, left.steps, remaking, nearby)
    )
    bolder = list(islice(pairs, PROPOSALS_MAX))
    yield from (each for _, each in bolder)
    yield from islice(_in_place_of_time(program, removable, remaking), PROPOSALS_MAX)
    yield from islice(_with_another_aim(program, bolder, ran), PROPOSALS_MAX)


def _with_another_aim(
    program: Program, bolder: Sequence[tuple[Step, Program]], ran: Mapping[str, int]
) -> Iterator[Program]:
    # A greater number may well let somebody run one stretch more.
    longer = {task: stretches + 1 for task, stretches in ran.items()}
    for gone, changed in bolder:
        aimless = lost_holds(program, gone) or changed.holds
        if len(aimless) == 1:
            rest = tuple(hold for hold in changed.holds if hold not in aimless)
            for hold in islice(re_aimed(program, aimless[0], gone, longer), AIMS_MAX):
                yield replace(changed, holds=(*rest, hold))


def _in_place_of_time(
    program: Program, removable: Sequence[Step], remaking: Remaking
) -> Iterator[Program]:
    """A step that lets operations run goes, and who is cancelled counts more of its checkpoints.

    How long something takes may have mattered for that step alone: it is the simplest as well.
    """
    for gone in reversed(removable):
        if gone.rule not in TIME_RULES:
            continue
        left = program.without([gone.number])
        aiming = [step for step in left.steps if any(map(_is_reference, step.arguments.values()))]
        if not aiming:
            continue
        quick = _changed(left, left.steps, remaking, _with_one_simplest)
        for shorter in (left, *islice(quick, SIMPLEST_MAX)):
            yield from _changed(shorter, aiming, remaking, further)


def _is_reference(argument: object) -> bool:
    return isinstance(argument, Reference)


def _changed(
    program: Program, steps: Sequence[Step], remaking: Remaking, others: Others
) -> Iterator[Program]:
    for step in steps:
        for name in step.arguments:
            proposals = others(remaking.nodes(step, name))
            made = (remaking.remade(program, step, name, choices) for choices in proposals)
            yield from (changed for changed in made if changed is not None)


def _with_one_simplest(nodes: Sequence[ChoiceNode]) -> Iterator[tuple[Any, ...]]:
    choices = tuple(node.value for node in nodes)
    for place, node in enumerate(nodes):
        simplest = next(simpler_values(node), None)
        if simplest is not None:
            yield (*choices[:place], simplest, *choices[place + 1 :])


def with_other_followers(program: Program, removable: Sequence[Step]) -> Iterator[Program]:
    """Without a step; what referred to it refers to what another earlier step made."""
    for gone in reversed(removable):
        left = program.without([gone.number])
        followers = [step.number for step in left.steps if _refers(step, gone)]
        for other in left.steps if followers else ():
            if other.number in followers:
                break  # a reference never points at what comes later
            steps = tuple(_redirected(step, gone, other) for step in left.steps)
            yield replace(left, steps=steps)


def with_plain_steps(
    program: Program, removable: Sequence[Step], plain_rules: Sequence[str]
) -> Iterator[Program]:
    """Without a step; what referred to it is a step of one of the ``plain_rules`` instead.

    Those are rules that take no arguments, such as ``settle``.
    """
    for gone in reversed(removable):
        followers = [step for step in program.steps if _refers(step, gone)]
        for rule, one in product(plain_rules, followers):
            numbers = {gone.number, *(step.number for step in followers if step is not one)}
            bare = program.without(numbers)
            plain = Step(number=one.number, rule=rule, arguments={})
            steps = tuple(plain if step is one else step for step in bare.steps)
            yield replace(bare, steps=steps)


def merges(program: Program, remaking: Remaking) -> Iterator[Program]:
    """Two steps of one rule become one with the sum of their numbers, or with both their lists."""
    for kept, gone in permutations(program.steps, 2):
        sums = merged(kept, gone) if kept.rule == gone.rule else ()
        for name, choices in sums:
            summed = remaking.remade(program, kept, name, choices)
            if summed is not None:
                yield summed.without([gone.number])


def by_two_merges(program: Program, remaking: Remaking) -> Iterator[Program]:
    """A merge makes sense only after another one, or once a step is the last or the first."""
    first = (*merges(program, remaking), *_with_one_moved(program))
    twice = (each for once in first for each in merges(once, remaking))
    yield from islice(twice, PROPOSALS_MAX)


def _with_one_moved(program: Program) -> Iterator[Program]:
    for step in program.steps:
        rest = tuple(each for each in program.steps if each is not step)
        yield replace(program, steps=(*rest, step))
        yield replace(program, steps=(step, *rest))


def one_step_for_two_lines(
    program: Program, removable: Sequence[Step], spare: Sequence[Step]
) -> Iterator[Program]:
    """Two steps, or a step and a hold, give way to a ``spare`` step in the place of either.

    Spare are calls that the program once held, so that they are likely to make sense.
    """
    yield from islice(_one_step_for_two_lines(program, removable, spare), SPARE_PROPOSALS_MAX)


def _one_step_for_two_lines(
    program: Program, removable: Sequence[Step], spare: Sequence[Step]
) -> Iterator[Program]:
    number = 1 + max((step.number for step in program.steps), default=0)
    for one, other in combinations(reversed(removable), 2):
        for call in spare:
            new = replace(call, number=number)
            for out, place in ((one, other), (other, one)):
                yield _exchanged(program, place, new).without([out.number])
    for one in reversed(removable):
        for call in spare:
            for hold in program.holds:
                holds = tuple(each for each in program.holds if each != hold)
                new = replace(call, number=number)
                yield _exchanged(replace(program, holds=holds), one, new)


def _exchanged(program: Program, old: Step, new: Step) -> Program:
    steps = tuple(new if step.number == old.number else step for step in program.steps)
    bare = program.without([old.number])
    return replace(bare, steps=steps)


def _refers(step: Step, to: Step) -> bool:
    return any(
        isinstance(argument, Reference) and argument.step == to.number
        for argument in step.arguments.values()
    )


def _redirected(step: Step, gone: Step, other: Step) -> Step:
    arguments = {
        name: Reference(other.number)
        if isinstance(argument, Reference) and argument.step == gone.number
        else argument
        for name, argument in step.arguments.items()
    }
    return replace(step, arguments=arguments)
