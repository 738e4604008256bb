"""Re-aimed holds: proposals that leave something out and let a hold wait for something else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, islice, product

from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program import Program, Step, steps_named

# Theory of operation. A hold names two tasks, and a step takes the holds that name its task with
# it. Often the step is not needed, only somebody is whom the held task waits for; or the step is
# needed for nothing but the time that it takes. So a step, or a hold, goes, and what a remaining
# hold waits for is looked for anew, among all that ran in the best program so far. The likeliest
# aim is what the task that went was waiting for itself.
#
# There are many such proposals, and each is a replay: every part that might go has its share.

__all__ = ["lost_holds", "one_hold_for_two", "re_aimed", "without_a_step"]

Stretches = Mapping[str, int]

AIMS_MAX = 60  # aims tried for one hold when one step goes
PAIRS_OF_AIMS_MAX = 100  # and for two holds at once
AIMS_FOR_TWO_MAX = 40  # aims tried for one hold that takes the place of two


def without_a_step(
    program: Program, removable: Sequence[Step], ran: Stretches
) -> Iterator[Program]:
    """Without one of the steps, the last first, and with the holds that waited for it re-aimed.

    Where none did, one of the remaining holds is: the step may have mattered for the time that
    it takes only. ``ran`` tells how many stretches each task of ``program`` runs.
    """
    for step in reversed(removable):
        bare = program.without([step.number])
        lost = lost_holds(program, step)
        if len(lost) == 2:
            aims = (
                [aim for aim in _aims(program, hold, ran) if _spares(aim, step)] for hold in lost
            )
            for aimed in islice(product(*aims), PAIRS_OF_AIMS_MAX):
                yield replace(bare, holds=(*bare.holds, *aimed))
        elif len(lost) < 2:
            for hold in lost or bare.holds:
                likely = islice(re_aimed(program, hold, step, ran), AIMS_MAX)
                yield from (_with_aim(bare, hold, aim) for aim in likely)


def _with_aim(bare: Program, hold: Hold, aim: Hold) -> Program:
    rest = tuple(each for each in bare.holds if each != hold)
    return replace(bare, holds=(*rest, aim))


def lost_holds(program: Program, gone: Step) -> list[Hold]:
    """The holds of other steps' tasks that wait for a task of the step that goes."""
    return [
        hold
        for hold in program.holds
        if not _spares(hold, gone) and _spares(replace(hold, until=hold.task), gone)
    ]


def re_aimed(program: Program, hold: Hold, gone: Step, ran: Stretches) -> Iterator[Hold]:
    """``hold``, also at other checkpoints, until something that the step that goes did not make."""
    elsewhere = (at for at in range(ran.get(hold.task, 0)) if at != hold.at)
    for at in (hold.at, *elsewhere):
        for aim in _aims(program, replace(hold, at=at), ran):
            if _spares(aim, gone):
                yield aim


def one_hold_for_two(program: Program, ran: Stretches) -> Iterator[Program]:
    """Without one hold, and with another one re-aimed."""
    for pair in combinations(program.holds, 2):
        rest = tuple(hold for hold in program.holds if hold not in pair)
        for hold in pair:
            for aimed in islice(_aims(program, hold, ran), AIMS_FOR_TWO_MAX):
                yield replace(program, holds=(*rest, aimed))


def _aims(program: Program, hold: Hold, ran: Stretches) -> Iterator[Hold]:
    """``hold`` until something else: first what it waits for by way of another hold."""
    by_way = ((each.until, each.ran) for each in program.holds if each.task == hold.until)
    anything = (
        (task, stretches)
        for task in ran
        if task != hold.task
        for stretches in range(ran[task], 0, -1)
    )
    for until, stretches in dict.fromkeys((*by_way, *anything)):
        if until != hold.task:
            yield replace(hold, until=until, ran=stretches)
            if hold.late:  # it may matter in which batch the start comes
                yield replace(hold, until=until, ran=stretches, late=False)


def _spares(hold: Hold, step: Step) -> bool:
    """Whether a hold does not speak of a step."""
    return step.number not in steps_named(hold)
