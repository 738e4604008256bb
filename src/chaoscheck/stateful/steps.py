"""Rules as steps: each call of a rule is numbered, noted, and, when async, pumped or left."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

from hypothesis.stateful import Rule

from chaoscheck.errors import PlanError
from chaoscheck.stateful.in_flight import is_in_flight_rule, started
from chaoscheck.stateful.selection import NotedStrategy

__all__ = ["initialize_step", "step"]


def step(rule: Rule) -> Rule:
    """The rule as a step: an async one runs to its end, or is left in flight.

    PlanError when the rule cannot be called with the arguments that it declares.
    """
    function = rule.function
    _require_callable(function, rule.arguments)
    call = _left_in_flight if is_in_flight_rule(function) else _pumped
    if not inspect.iscoroutinefunction(function):
        call = _called

    def taken(machine: Any, **arguments: Any) -> Any:
        __tracebackhide__ = True
        passed = machine._begin_step(rule, arguments)
        result = call(machine, function, passed)
        machine._require_awaited()
        return result

    taken.__name__ = function.__name__
    taken.__qualname__ = function.__qualname__
    taken.__wrapped__ = function  # type: ignore[attr-defined]
    return replace(rule, function=taken)


def _require_callable(function: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # nothing is known of it before it is called
    try:
        signature.bind(None, **arguments)  # None: its machine
    except TypeError as wrong:
        code = inspect.unwrap(function).__code__
        given = ", ".join(arguments) or "none"
        raise PlanError(
            f"{code.co_filename}:{code.co_firstlineno}: rule {function.__qualname__}{signature} "
            f"cannot be called with the arguments that it declares ({given}): {wrong}"
        ) from None


def initialize_step(rule: Rule) -> Rule:
    """An initialize rule as a step; Hypothesis draws its arguments, so their place is noted."""
    noted = {name: NotedStrategy(rule, name, strategy) for name, strategy in rule.arguments.items()}
    return replace(step(rule), arguments=noted)


def _called(machine: Any, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """A sync rule; what it gives may still have to be awaited, as that of a decorated async one."""
    __tracebackhide__ = True
    try:
        result = function(machine, **arguments)
    finally:
        machine.world.raise_kept()  # what the rule did with an Escape changes nothing about it
    if not inspect.iscoroutine(result):
        return result
    return machine.world.run(_awaited, result, name=function.__name__)


async def _awaited(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return await coroutine


def _pumped(machine: Any, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    __tracebackhide__ = True

    def call() -> Any:
        return function(machine, **arguments)

    return machine.world.run_until(machine.world.start(call, name=function.__name__))


def _left_in_flight(machine: Any, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    return started(machine, function, arguments)
