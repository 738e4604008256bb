"""Small stories: proposals that keep two or three steps of a program, and build holds anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, permutations, product

from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program import Program, Step, steps_named

# Theory of operation. Where many tasks race, each step that goes takes holds with it and moves
# everybody who comes later, so that hardly any step can be left out of a long program, one by
# one. But what goes wrong between fifty operations often goes wrong between two of them. So
# neighbours are tried alone, in the order of their start and with every single hold. Such
# replays are cheap, and most pairs of neighbours are the same as another pair.
#
# A story that is small already may need one hold where it has two, but another one, and its steps
# in another order: then every single hold is tried, those of a start first. These are fair.

__all__ = ["small_stories", "with_one_hold"]

STEPS = (2, 3)  # how many neighbours are tried alone
STRETCHES_MAX = 4  # holds of later stretches are not tried
HOLDS_MAX = 60  # holds tried for the same steps
STARTS_MAX = 40  # holds of a start tried for the same steps in one order


def small_stories(
    program: Program, removable: Sequence[Step], ran: Mapping[str, int]
) -> Iterator[Program]:
    """Two neighbours of ``removable``, then three, each with no hold and with every one.

    ``ran`` tells how many stretches each task of ``program`` runs.
    """
    for length in STEPS:
        for start in range(len(removable) - length + 1):
            kept = {step.number for step in removable[start : start + length]}
            gone = [step.number for step in removable if step.number not in kept]
            bare = replace(program.without(gone), holds=())
            yield bare
            for hold in islice(_holds(bare, ran), HOLDS_MAX):
                yield replace(bare, holds=(hold,))


def with_one_hold(
    program: Program, removable: Sequence[Step], ran: Mapping[str, int]
) -> Iterator[Program]:
    """``program`` with one hold in the place of all, its two or three steps in any order."""
    if len(removable) not in STEPS:
        return
    first = tuple(step for step in program.steps if step not in removable)
    orders = [
        replace(program, steps=(*first, *order), holds=()) for order in permutations(removable)
    ]
    for order in orders:
        starts = (hold for hold in _holds(order, ran) if hold.at == 0)
        for hold in islice(starts, STARTS_MAX):
            yield replace(order, holds=(hold,))
    for order in orders[:2]:
        later = (hold for hold in _holds(order, ran) if hold.at)
        for hold in islice(later, HOLDS_MAX):
            yield replace(order, holds=(hold,))


def _holds(program: Program, ran: Mapping[str, int]) -> Iterator[Hold]:
    steps = {step.number for step in program.steps}
    tasks = [task for task in ran if steps_named(_of(task)) <= steps]
    stretches = range(STRETCHES_MAX)
    for at, before, task, until in product(stretches, stretches, tasks, tasks):
        if task != until and at < ran[task] and before < ran[until]:
            hold = Hold(task=task, at=at, until=until, ran=before + 1)
            yield hold
            if at == 0 and steps_named(_of(task)) and "/" not in task:
                yield replace(hold, late=True)


def _of(task: str) -> Hold:
    return Hold(task=task, at=0, until=task, ran=1)
