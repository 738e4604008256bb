"""Remade arguments: a program in which an argument is made of other choices by its strategy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chaoscheck.plan.program import Program, Step
from chaoscheck.stateful.conjecture import drawn_again
from chaoscheck.stateful.programs.recording import kept_argument
from chaoscheck.stateful.selection import NotedStrategy

__all__ = ["remade"]


def remade(
    machine_type: Any, program: Program, step: Step, name: str, choices: tuple[Any, ...]
) -> Program | None:
    """``program`` with the argument ``name`` of ``step`` made of ``choices``.

    None where its strategy makes nothing of them.
    """
    strategy = _strategies(machine_type, step.rule).get(name)
    if strategy is None:
        return None
    try:
        value, choices = drawn_again(strategy, choices, None)
    except Exception:
        return None  # the strategy makes nothing of them, or needs the machine
    changed = replace(step, arguments={**step.arguments, name: kept_argument(value, choices)})
    return replace(
        program,
        steps=tuple(changed if each.number == step.number else each for each in program.steps),
    )


def _strategies(machine_type: Any, rule_name: str) -> dict[str, Any]:
    state = machine_type.setup_state()
    for rule in (*state.rules, *state.initializers):
        if rule.function.__name__ == rule_name:
            return {name: _bare(strategy) for name, strategy in rule.arguments.items()}
    return {}


def _bare(strategy: Any) -> Any:
    """The strategy itself: one that notes where it stands needs a machine that listens."""
    return strategy._strategy if isinstance(strategy, NotedStrategy) else strategy
