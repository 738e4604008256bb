"""Mistakes in a machine that are certain before anything runs, or as soon as a law has run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hypothesis.errors import InvalidDefinition
from hypothesis.stateful import Bundle, Invariant, Rule
from hypothesis.strategies import SearchStrategy

from chaoscheck.errors import PlanError

# What is only suspicious (a law that is never due, a rule that never ran) is counted by the
# tallies of a run. Here stands what cannot be meant, since it could never test anything.

__all__ = [
    "refuse_async_laws",
    "refuse_bundles_without_target",
    "refuse_no_rules",
    "refuse_result",
    "source_place",
]


def source_place(function: Callable[..., Any]) -> str:
    """``FILE:LINE`` where a function begins."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return "an unknown place" if code is None else f"{code.co_filename}:{code.co_firstlineno}"


def refuse_no_rules(machine: Any, rules: Iterable[Rule]) -> None:
    """InvalidDefinition, as Hypothesis has it, for a machine that only lets time pass."""
    own = [rule for rule in rules if rule.function.__name__ not in machine._ready_made]
    if not own and not machine.faults and not machine.links:
        raise InvalidDefinition(f"State machine {machine.__name__} defines no rules")


def refuse_async_laws(laws: Iterable[Invariant]) -> None:
    """PlanError for an async law: laws are called, not awaited."""
    for law in laws:
        if inspect.iscoroutinefunction(law.function):
            raise PlanError(
                f"{source_place(law.function)}: invariant {law.function.__qualname__} must not be "
                f"async: a law looks and does not act"
            )


def refuse_bundles_without_target(rules: Iterable[Rule], initializers: Iterable[Rule]) -> None:
    """InvalidDefinition, as in Hypothesis where nothing else can run, for a rule that never can.

    It takes values from a bundle to which no rule gives any. A strategy that holds such a bundle
    among others may do without it, but never by intent.
    """
    every = [*rules, *initializers]
    filled = {name for rule in every for name in rule.targets}
    for rule in every:
        own = {bundle.name for bundle in rule.bundles}
        for name in (*own, *_bundles_within(rule.arguments_strategies)):
            if name not in filled:
                known = ", ".join(sorted(map(repr, filled))) or "none"
                never = "can never run" if name in own else "draws from an empty bundle"
                raise InvalidDefinition(
                    f"{source_place(rule.function)}: rule {rule.function.__qualname__} {never}: "
                    f"no rule targets its bundle {name!r}; targeted bundles: {known}"
                )


def _bundles_within(held: object) -> Iterator[str]:
    """The names of the bundles that strategies hold, as far as their attributes show them."""
    seen: set[int] = set()
    left = [held]
    while left:
        value = left.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Bundle):
            yield value.name
        elif isinstance(value, SearchStrategy):
            left.extend(vars(value).values())
        elif isinstance(value, dict):
            left.extend(value.values())
        elif isinstance(value, list | tuple):
            left.extend(value)


def refuse_result(law: Invariant, result: object) -> None:
    """PlanError for a law that returned something: its value would be ignored."""
    if result is None:
        return
    if inspect.iscoroutine(result):
        result.close()  # else Python warns that it was never awaited
    raise PlanError(
        f"{source_place(law.function)}: invariant {law.function.__qualname__} returned {result!r}; "
        f"what a law returns is ignored: assert it, and return nothing"
    )
