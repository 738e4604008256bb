"""Bolder steps: proposals that leave a step out and let another one do its work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, islice, permutations, product

from chaoscheck.plan.program import Program, Reference, Step
from chaoscheck.stateful.shrinking.reaimed_holds import lost_holds, re_aimed
from chaoscheck.stateful.shrinking.remade_arguments import Remaking
from chaoscheck.stateful.shrinking.shrunk_arguments import merged, raised

# Theory of operation. Simple passes only ever take something away. Where a step matters for what
# it does to another one, the other can often do it alone: cancel an operation one checkpoint
# later instead of settling first, ask for one more instead of asking twice, let an operation run
# by settling instead of joining a second one. So a step goes and a number somewhere else grows;
# a step goes and what referred to it becomes another step; two pairs of steps are merged at once.
#
# ``remaking`` makes a program in which one argument is made of other choices, or None.

__all__ = [
    "by_a_greater_number",
    "by_two_merges",
    "merges",
    "one_step_for_two_lines",
    "with_other_followers",
    "with_plain_steps",
]

# Of each kind, for one program. What helped at all did so within the first hundred; a replay of
# a machine with a server takes milliseconds.
PROPOSALS_MAX = 100
AIMS_MAX = 24  # for the hold that the step that went takes with it


def by_a_greater_number(
    program: Program, removable: Sequence[Step], ran: Mapping[str, int], remaking: Remaking
) -> Iterator[Program]:
    """Without a step, and with one number in the arguments of another greater.

    A hold that waited for the step is re-aimed, see ``reaimed_holds``; ``ran`` is needed for it.
    """
    yield from islice(_by_a_greater_number(program, removable, ran, remaking), PROPOSALS_MAX)


def _by_a_greater_number(
    program: Program, removable: Sequence[Step], ran: Mapping[str, int], remaking: Remaking
) -> Iterator[Program]:
    # A greater number may well let somebody run one stretch more.
    longer = {task: stretches + 1 for task, stretches in ran.items()}
    for gone in reversed(removable):
        lost = lost_holds(program, gone)
        for bolder in _bolder(program.without([gone.number]), remaking):
            yield bolder
            aims = re_aimed(program, lost[0], gone, longer) if len(lost) == 1 else ()
            for hold in islice(aims, AIMS_MAX):
                yield replace(bolder, holds=(*bolder.holds, hold))


def _bolder(program: Program, remaking: Remaking) -> Iterator[Program]:
    for step in program.steps:
        for name in step.arguments:
            greater = raised(remaking.nodes(step, name))
            made = (remaking.remade(program, step, name, choices) for choices in greater)
            yield from (bolder for bolder in made if bolder is not None)


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
    yield from islice(_one_step_for_two_lines(program, removable, spare), PROPOSALS_MAX)


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
