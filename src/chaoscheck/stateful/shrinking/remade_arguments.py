"""Remade arguments: a program in which an argument is made of other choices by its strategy."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from chaoscheck.plan.program import Argument, Drawn, Literal, Program, Step
from chaoscheck.stateful.conjecture import ChoiceNode, drawn_again, nodes_of, unbounded_nodes
from chaoscheck.stateful.programs.recording import kept_argument
from chaoscheck.stateful.selection import NotedStrategy

__all__ = ["Remaking", "choices_of", "remaking_of"]

_CACHED_MAX = 4_096  # arguments; a pass meets few different ones


class Remaking:
    """The arguments of one machine's rules, as choices of their strategies."""

    def __init__(self, machine_type: Any) -> None:
        self._machine_type = machine_type
        self._nodes: dict[object, tuple[ChoiceNode, ...]] = {}

    def remade(
        self, program: Program, step: Step, name: str, choices: tuple[Any, ...]
    ) -> Program | None:
        """``program`` with the argument ``name`` of ``step`` made of ``choices``.

        None where its strategy makes nothing of them.
        """
        strategy = self._strategy(step.rule, name)
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

    def nodes(self, step: Step, name: str) -> tuple[ChoiceNode, ...]:
        """The choices of an argument, each with what was legal in its place."""
        choices = choices_of(step.arguments[name])
        loose = unbounded_nodes(choices)
        key = (step.rule, name, tuple(node.key for node in loose))
        if key not in self._nodes:
            if len(self._nodes) >= _CACHED_MAX:
                self._nodes.clear()
            self._nodes[key] = self._drawn(step.rule, name, choices) or loose
        return self._nodes[key]

    def _drawn(self, rule: str, name: str, choices: tuple[Any, ...]) -> tuple[ChoiceNode, ...]:
        """The nodes; empty where the strategy makes nothing of them, or needs the machine."""
        strategy = self._strategy(rule, name)
        if strategy is None:
            return ()
        try:
            return nodes_of(strategy, choices, None)
        except Exception:
            return ()

    def _strategy(self, rule_name: str, name: str) -> Any:
        state = self._machine_type.setup_state()
        for rule in (*state.rules, *state.initializers):
            if rule.function.__name__ == rule_name:
                return _bare(rule.arguments.get(name))
        return None


@lru_cache
def remaking_of(machine_type: Any) -> Remaking:
    """The same for each search of one machine: what was drawn once stays known."""
    return Remaking(machine_type)


def choices_of(argument: Argument) -> tuple[Any, ...]:
    """The choices that an argument is made of; none for a reference."""
    return argument.choices if isinstance(argument, Literal | Drawn) else ()


def _bare(strategy: Any) -> Any:
    """The strategy itself: one that notes where it stands needs a machine that listens."""
    return strategy._strategy if isinstance(strategy, NotedStrategy) else strategy
