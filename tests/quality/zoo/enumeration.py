"""Every short story of a machine: all programs of a length, and each with every single hold.

Arguments are the lowest two of their range, so that an enumeration stays small; settling and
joining are left out, since a story ends with both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import permutations, product
from typing import Any

from hypothesis.stateful import Bundle, Rule
from hypothesis.strategies import SearchStrategy

from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program import Argument, Literal, Program, Reference, Step
from chaoscheck.stateful.programs.replaying import Replay, replay
from chaoscheck.stateful.shrinking.stretches import counted_replay

__all__ = ["programs", "with_one_hold"]

READY_MADE = {"settle", "join", "let_time_pass", "heal_everything"}
# No operation of the zoo runs in more stretches than this.
STRETCHES_MAX = 5


def programs(machine: type[Any], length: int) -> Iterator[Program]:
    """Every program of so many steps, first come, first served."""
    rules = [rule for rule in machine.setup_state().rules if _name(rule) not in READY_MADE]
    for chosen in product(rules, repeat=length):
        for arguments in _arguments(chosen):
            yield Program(
                steps=tuple(
                    Step(number=number, rule=_name(rule), arguments=given)
                    for number, (rule, given) in enumerate(
                        zip(chosen, arguments, strict=True), start=1
                    )
                )
            )


def with_one_hold(
    machine: type[Any], program: Program, services: Sequence[str] = ()
) -> Iterator[Replay]:
    """The replays of ``program`` with each hold of one of its operations, or of a service.

    The steps' own names are those of their tasks. What does nothing is left out: a hold of a task
    at a stretch that it never gets to without it, and one until a stretch beyond the last of the
    other task, which lasts as long as the one until its last.
    """
    tasks = [*services, *(f"{step.rule}@{step.number}" for step in program.steps)]
    reached = counted_replay(machine, program)[1]
    for (task, until), at in product(permutations(tasks, 2), range(STRETCHES_MAX)):
        for ran in range(1, STRETCHES_MAX + 1) if at < reached.get(task, 0) else ():
            hold = Hold(task=task, at=at, until=until, ran=ran)
            run, counts = counted_replay(machine, replace(program, holds=(hold,)))
            yield run
            if at == 0:
                late = replace(hold, late=True)
                yield replay(machine, replace(program, holds=(late,)))
            if counts.get(until, 0) < ran:
                break


def _name(rule: Rule) -> str:
    name: str = rule.function.__name__
    return name


def _arguments(rules: Sequence[Rule]) -> Iterator[tuple[Mapping[str, Argument], ...]]:
    started: list[int] = []
    of_steps: list[list[dict[str, Argument]]] = []
    for number, rule in enumerate(rules, start=1):
        values = {
            name: list(_values(strategy, started))
            for name, strategy in rule.arguments_strategies.items()
        }
        of_steps.append(
            [dict(zip(values, given, strict=True)) for given in product(*values.values())]
        )
        if rule.targets:
            started.append(number)
    yield from product(*of_steps)


def _values(strategy: SearchStrategy[Any], started: Sequence[int]) -> Iterator[Argument]:
    if isinstance(strategy, Bundle):
        yield from (Reference(step) for step in started)
        return
    integers: Any = getattr(strategy, "wrapped_strategy", strategy)
    for value in range(integers.start, integers.start + 2 + (integers.start == 0)):
        yield Literal(value)
