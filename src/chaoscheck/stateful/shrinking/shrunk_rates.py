"""Faults by rate and single ones: fewer of them, and each kind in the place of the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from chaoscheck.plan.program import Decision, Literal, Program, Step
from chaoscheck.stateful.chaos_rules import NEXT_FAULT
from chaoscheck.stateful.programs.replaying import Replay

__all__ = ["SET_RATE", "fewer_hits", "one_hit_for_faults", "single_faults"]

SET_RATE = "set_rate"
FAULTS_MIN = 3  # fewer lines than a rate and its hit tell
REQUESTS_MAX = 4  # of a step, one of which is hit
FAULT = "fault"  # the label under which the server asks whether a request meets a fault


def fewer_hits(run: Replay, rate: Step) -> Iterator[Program]:
    """The same rate, but all requests are spared except one, or all except one are hit."""
    hits = [
        Decision(number, FAULT, nth, 1)
        for number, met in run.by_rate.items()
        for nth in range(len(met))
    ]
    if len(hits) < 2:
        return
    program = run.program
    # At a rate of 1 nothing is left to chance, so that no single request could be spared.
    arguments = {**rate.arguments, "rate": Literal(0.5)}
    steps = [replace(s, arguments=arguments) if s == rate else s for s in program.steps]
    others = [each for each in program.decisions if each.label != FAULT]
    single = [[hit] for hit in hits]
    for kept in (*single, *([each for each in hits if each != hit] for hit in hits)):
        yield replace(program, steps=tuple(steps), decisions=(*others, *kept))


def single_faults(run: Replay, rate: Step) -> Iterator[Program]:
    """Without the rate: each fault is a step before the one that met it, or all at its place."""
    program = run.program
    hits = [(number, fault) for number, met in run.by_rate.items() for fault in met]
    number = max(step.number for step in program.steps)
    single = [
        (at, Step(number=number + place, rule=NEXT_FAULT, arguments={"fault": Literal(fault)}))
        for place, (at, fault) in enumerate(hits, start=1)
    ]
    bare = program.without([rate.number])
    bare = replace(bare, decisions=tuple(d for d in bare.decisions if d.label != FAULT))
    beside: list[Step] = []
    for step in bare.steps:
        beside += [fault for at, fault in single if at == step.number]
        beside.append(step)
    yield replace(bare, steps=tuple(beside))
    at_once = list(bare.steps)
    place = [step.number for step in program.steps].index(rate.number)
    at_once[place:place] = [fault for _, fault in single]
    yield replace(bare, steps=tuple(at_once))


def one_hit_for_faults(program: Program) -> Iterator[Program]:
    """Several single faults of one kind give way to its rate, which hits one request alone.

    Earlier ones may only have made sure that a later request meets the fault.
    """
    faults = [step for step in program.steps if step.rule == NEXT_FAULT]
    first = faults[0] if faults else None
    if (
        first is None
        or len(faults) < FAULTS_MIN
        or any(f.arguments != first.arguments for f in faults)
    ):
        return
    arguments = {**first.arguments, "rate": Literal(0.5)}
    left = program.without([step.number for step in faults[1:]])
    rate = replace(first, rule=SET_RATE, arguments=arguments)
    steps = tuple(rate if step.number == first.number else step for step in left.steps)
    for step in steps:
        for nth in range(REQUESTS_MAX) if step is not rate else ():
            hit = Decision(step.number, FAULT, nth, 1)
            yield replace(left, steps=steps, decisions=(*left.decisions, hit))
