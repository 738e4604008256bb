"""Every program of a machine up to a length, over small pools of arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from chaoscheck.plan.program import Literal, Program, Step

__all__ = ["programs"]


def programs(
    machine: type[Any], length: int, pools: Mapping[tuple[str, str], tuple[int, ...]]
) -> Iterator[Program]:
    """Every program of ``length`` of its own steps; ``pools`` gives values by rule and argument.

    KeyError when an argument has no pool: then nothing would be shown about it.
    """
    calls = [
        (rule.function.__name__, dict(zip(rule.arguments, values, strict=True)))
        for rule in machine.setup_state().rules
        if rule.function.__name__ not in machine._chaos_names
        for values in product(*(pools[rule.function.__name__, name] for name in rule.arguments))
    ]
    for chosen in product(calls, repeat=length):
        yield Program(
            steps=tuple(
                Step(
                    number=number,
                    rule=name,
                    arguments={argument: Literal(value) for argument, value in given.items()},
                )
                for number, (name, given) in enumerate(chosen, start=1)
            )
        )
