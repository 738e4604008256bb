"""Rules as steps: each call of a rule is numbered, noted, and, when async, pumped or left."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis.stateful import Rule

from chaoscheck.stateful.in_flight import is_in_flight_rule, started
from chaoscheck.stateful.selection import NotedStrategy

__all__ = ["initialize_step", "step"]


def step(rule: Rule) -> Rule:
    """The rule as a step: an async one runs to its end, or is left in flight."""
    function = rule.function
    call = _left_in_flight if is_in_flight_rule(function) else _pumped
    if not inspect.iscoroutinefunction(function):
        call = _called

    def taken(machine: Any, **arguments: Any) -> Any:
        __tracebackhide__ = True
        machine._begin_step(rule, arguments)
        return call(machine, function, arguments)

    taken.__name__ = function.__name__
    taken.__qualname__ = function.__qualname__
    taken.__wrapped__ = function  # type: ignore[attr-defined]
    return replace(rule, function=taken)


def initialize_step(rule: Rule) -> Rule:
    """An initialize rule as a step; Hypothesis draws its arguments, so their place is noted."""
    noted = {name: NotedStrategy(name, strategy) for name, strategy in rule.arguments.items()}
    return replace(step(rule), arguments=noted)


def _called(machine: Any, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    __tracebackhide__ = True
    return function(machine, **arguments)


def _pumped(machine: Any, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    __tracebackhide__ = True

    def call() -> Any:
        return function(machine, **arguments)

    return machine.world.run_until(machine.world.start(call, name=function.__name__))


def _left_in_flight(machine: Any, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    return started(machine, function, arguments)
