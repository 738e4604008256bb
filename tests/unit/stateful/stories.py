"""Programs written down by hand, and the quick settings of machines under test."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import HealthCheck, Phase, settings

from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program import Decision, Drawn, Draws, Literal, Program, Reference, Step

__all__ = ["QUICK", "story"]

QUICK = settings(
    max_examples=15,
    stateful_step_count=8,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def story(
    *steps: str | tuple[str, dict[str, Any]],
    holds: Iterable[Hold] = (),
    decisions: Iterable[Decision] = (),
) -> Program:
    """Steps numbered from 1: rule names, with their arguments where they have some."""
    made = []
    for number, each in enumerate(steps, start=1):
        rule, arguments = (each, {}) if isinstance(each, str) else each
        made.append(
            Step(
                number=number,
                rule=rule,
                arguments={
                    name: value
                    if isinstance(value, Drawn | Draws | Literal | Reference)
                    else _plain(value)
                    for name, value in arguments.items()
                },
            )
        )
    return Program(steps=tuple(made), holds=tuple(holds), decisions=tuple(decisions))


def _plain(value: Any) -> Literal:
    choices = (value,) if isinstance(value, bool | int | float | str) else ()
    return Literal(value, choices)
