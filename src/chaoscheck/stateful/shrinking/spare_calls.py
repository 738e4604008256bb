"""Spare calls: the calls of a program that make sense wherever they stand."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from chaoscheck.plan.program import Program, Reference, Step
from chaoscheck.stateful.shrinking.story_size import magnitude

__all__ = ["calls_of", "each_once"]


def calls_of(machine_type: Any, program: Program, initial: Collection[str]) -> list[Step]:
    """Each call of ``program`` that refers to nothing, once: the simplest first.

    Not those of ``initial`` rules, which run once and before all others.
    """
    free = [
        step
        for step in program.steps
        if step.rule not in initial
        and not any(isinstance(argument, Reference) for argument in step.arguments.values())
    ]
    return sorted(each_once(free), key=lambda step: magnitude(machine_type, step))


def each_once(steps: Iterable[Step]) -> list[Step]:
    """The first of those that are the same call."""
    found: dict[object, Step] = {}
    for step in steps:
        found.setdefault((step.rule, tuple(step.arguments.items())), step)
    return list(found.values())
