"""Async rules that other code of a machine calls: what they return must be awaited."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from hypothesis.stateful import INITIALIZE_RULE_MARKER, RULE_MARKER, Rule

from chaoscheck.errors import PlanError

# Theory of operation. A rule is also a method, which other rules may call. An async one that is
# called without ``await`` does nothing at all, and Python warns of it at some later time, if at
# all. So the method that stands in the class notes each coroutine that it makes, and after a
# step none may be left that never began. In an unsettled world a task that was just started has
# not begun either: there the question waits.

__all__ = ["CalledRules", "note_calls_of"]


class CalledRules:
    """The coroutines that an example's own code made of async rules."""

    def __init__(self) -> None:
        self._made: list[tuple[Coroutine[Any, Any, Any], str, str]] = []

    def note(self, coroutine: Coroutine[Any, Any, Any], name: str, place: str) -> None:
        """Code at this place called a rule of this name."""
        self._made.append((coroutine, name, place))

    def require_awaited(self) -> None:
        """PlanError when one of them never began; ask in a settled world."""
        made, self._made = self._made, []
        for coroutine, name, place in made:
            if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
                coroutine.close()  # else Python warns as well
                raise PlanError(
                    f"{place}: {name} is async and was called without await, so it did nothing: "
                    f"await it in an async rule, or self.world.run(self.{name}) in a sync one"
                )

    def __bool__(self) -> bool:
        return bool(self._made)


def note_calls_of(machine: type[Any]) -> None:
    """Let the async rules that a class itself declares note what is made of them."""
    for name, found in list(vars(machine).items()):
        rule = getattr(found, RULE_MARKER, None) or getattr(found, INITIALIZE_RULE_MARKER, None)
        if isinstance(rule, Rule) and inspect.iscoroutinefunction(rule.function):
            setattr(machine, name, _noting(found, name))


def _noting(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    @wraps(function)
    def call(machine: Any, *args: Any, **kwargs: Any) -> Any:
        coroutine = function(machine, *args, **kwargs)
        caller = sys._getframe(1)
        place = f"{caller.f_code.co_filename}:{caller.f_lineno}"
        machine._called_rules.note(coroutine, name, place)
        return coroutine

    return call
